"""Settlements: landing, proof, the claim, and what a worker needs to go on with them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ledger import journal as books
from ledger.decide.fixed_mode import Sale
from ledger.decide.landing import Landing
from ledger.facts import ProvenFacts, WalletRow
from ledger.fees import TxType
from ledger.model import Amounts, Machine, Settlement, SettlementReport
from ledger.money import MSAT, decimal_text
from ledger.states import SettlementStatus
from storage import journal
from storage.db import Tx

MOST_SALES = 2_000
"""A rate goes by no more sales than this."""


def from_row(row: sqlite3.Row) -> Settlement:
    return Settlement(
        id=row["id"],
        machine_id=row["machine_id"],
        wallet=row["wallet"],
        status=SettlementStatus(row["status"]),
        reason=row["reason"],
        payment_hash=row["payment_hash"],
        tx_type=TxType(row["tx_type"]),
        wire_sats=row["wire_sats"],
        principal_sats=row["principal_sats"],
        fee_sats=row["fee_sats"],
        platform_fee_sats=row["platform_fee_sats"],
        operator_fee_sats=row["operator_fee_sats"],
        fee_mismatch_sats=row["fee_mismatch_sats"],
        fiat_minor=row["fiat_minor"],
        currency=row["currency"],
        exchange_rate=Decimal(row["exchange_rate"]),
        txid=row["txid"],
        created_at=row["created_at"],
        reported_at=row["reported_at"],
        proof=row["proof"],
        proof_checked_at=row["proof_checked_at"],
        processed_at=row["processed_at"],
        landed=_landed(row),
        by_hand=row["entered_by"] is not None,
    )


def _landed(row: sqlite3.Row) -> Amounts | None:
    if row["landed_wire_sats"] is None:
        return None
    return Amounts(
        wire_sats=row["landed_wire_sats"],
        principal_sats=row["landed_principal_sats"],
        fee_sats=row["landed_fee_sats"],
        platform_fee_sats=row["landed_platform_fee_sats"],
        operator_fee_sats=row["landed_operator_fee_sats"],
        fiat_minor=row["landed_fiat_minor"],
    )


def get(tx: Tx, settlement_id: int) -> Settlement | None:
    row = tx.one("SELECT * FROM settlements WHERE id = ?", (settlement_id,))
    return from_row(row) if row else None


def notes_dispensed(tx: Tx, settlement_id: int) -> str | None:
    """JSON of the notes that the machine named, as it came."""
    row = tx.one("SELECT notes_dispensed FROM settlements WHERE id = ?", (settlement_id,))
    return row["notes_dispensed"] if row else None


def of_machine(tx: Tx, machine_id: int, payment_hash: str) -> Settlement | None:
    """What this machine has claimed for this payment before."""
    row = tx.one("SELECT * FROM settlements WHERE machine_id = ? AND payment_hash = ?", (machine_id, payment_hash))
    return from_row(row) if row else None


def insert(
    tx: Tx,
    report: SettlementReport,
    machine: Machine,
    landing: Landing,
    *,
    event_id: str,
    now: int,
    entered_by: str | None = None,
) -> Settlement:
    """Stores what landed. An unverified one is asked about at once. `event_id` is that of the machine's report, or of
    the order with which the operator `entered_by` entered it."""
    status = landing.status
    settlement_id = tx.insert(
        "settlements",
        machine_id=machine.id,
        wallet=machine.wallet,
        status=status.value,
        reason=landing.reason.value if landing.reason else None,
        detail=landing.detail,
        payment_hash=report.payment_hash,
        tx_type=report.tx_type.value,
        wire_sats=report.wire_sats,
        principal_sats=report.principal_sats,
        fee_sats=report.fee_sats,
        platform_fee_sats=landing.fees.platform_fee_sats,
        operator_fee_sats=landing.fees.operator_fee_sats,
        fee_mismatch_sats=landing.fees.fee_mismatch_sats,
        fee_mismatch_warned=int(landing.fees.mismatch_out_of_tolerance),
        fiat_minor=report.fiat_minor,
        currency=report.currency,
        exchange_rate=decimal_text(report.exchange_rate),
        txid=report.txid,
        source=report.source,
        seq=report.seq,
        notes_dispensed=report.notes_dispensed,
        event_id=event_id,
        entered_by=entered_by,
        reported_at=report.reported_at,
        created_at=now,
        changed_at=now,
        next_proof_at=now if status is SettlementStatus.UNVERIFIED else None,
        receipt="rejected" if status is SettlementStatus.REJECTED else None,
    )
    stored = get(tx, settlement_id)
    assert stored is not None
    tx.touch("settlements")
    mark_view(tx, "worklist")
    return stored


def set_status(
    tx: Tx,
    settlement_id: int,
    status: SettlementStatus,
    now: int,
    *,
    reason: str | None = None,
    detail: str | None = None,
) -> None:
    tx.run(
        "UPDATE settlements SET status = ?, reason = ?, detail = ?, changed_at = ?,"
        " processed_at = CASE WHEN ? THEN ? ELSE processed_at END,"
        " next_proof_at = CASE WHEN ? THEN next_proof_at END WHERE id = ?",
        (
            status.value,
            reason,
            detail,
            now,
            status is SettlementStatus.PROCESSED,
            now,
            status is SettlementStatus.UNVERIFIED,
            settlement_id,
        ),
    )
    tx.touch("settlements")
    mark_view(tx, "worklist")


def scale(tx: Tx, settlement: Settlement, to: Amounts, now: int) -> None:
    """Makes it `partial`, with these amounts; with which it landed stays known. No leg of it may stand."""
    tx.run(
        "UPDATE settlements SET status = 'partial', reason = NULL, detail = NULL, changed_at = ?,"
        " landed_wire_sats = coalesce(landed_wire_sats, wire_sats),"
        " landed_principal_sats = coalesce(landed_principal_sats, principal_sats),"
        " landed_fee_sats = coalesce(landed_fee_sats, fee_sats),"
        " landed_platform_fee_sats = coalesce(landed_platform_fee_sats, platform_fee_sats),"
        " landed_operator_fee_sats = coalesce(landed_operator_fee_sats, operator_fee_sats),"
        " landed_fiat_minor = coalesce(landed_fiat_minor, fiat_minor),"
        " wire_sats = ?, principal_sats = ?, fee_sats = ?, platform_fee_sats = ?, operator_fee_sats = ?,"
        " fee_mismatch_sats = ?, fiat_minor = ? WHERE id = ?",
        (
            now,
            to.wire_sats,
            to.principal_sats,
            to.fee_sats,
            to.platform_fee_sats,
            to.operator_fee_sats,
            to.fee_mismatch_sats,
            to.fiat_minor,
            settlement.id,
        ),
    )
    journal.append(tx, books.settlement_scaled(settlement, to), now)
    tx.touch("settlements")
    mark_view(tx, "worklist")


def changed_at(tx: Tx, settlement_id: int) -> int:
    """When its status came about."""
    row = tx.one("SELECT changed_at FROM settlements WHERE id = ?", (settlement_id,))
    assert row is not None
    return int(row["changed_at"])


def set_proof(tx: Tx, settlement_id: int, proof: str | None, now: int, next_at: int | None) -> None:
    """What the wallet answered, and when it is asked again."""
    tx.run(
        "UPDATE settlements SET proof = ?, proof_checked_at = ?, proof_checks = proof_checks + 1, next_proof_at = ?"
        " WHERE id = ?",
        (proof, now, next_at, settlement_id),
    )


def set_receipt(tx: Tx, settlement_id: int, receipt: str) -> bool:
    """Notes the receipt that the machine is given; False when it has that one already."""
    cursor = tx.run(
        "UPDATE settlements SET receipt = ? WHERE id = ? AND receipt IS NOT ?", (receipt, settlement_id, receipt)
    )
    return cursor.rowcount == 1


def add_note(tx: Tx, settlement_id: int, author: str, text: str, now: int) -> None:
    """Adds what somebody remarks: `author` is a public key; at most 2,000 characters."""
    tx.insert("settlement_notes", settlement_id=settlement_id, at=now, author=author, text=text)


def note_conflict(tx: Tx, settlement_id: int, text: str, now: int) -> None:
    """The same payment was reported with other amounts: kept with the settlement, never applied to it."""
    tx.run(
        "INSERT INTO settlement_notes (settlement_id, at, author, text) SELECT :id, :at, 'satmachine', :text"
        " WHERE NOT EXISTS (SELECT 1 FROM settlement_notes WHERE settlement_id = :id AND text = :text)",
        {"id": settlement_id, "at": now, "text": text},
    )


def explains(tx: Tx, wallet: str, payment_hash: str, direction: str) -> bool:
    """Whether a settlement of this wallet's machine accounts for such a payment."""
    tx_type = "cash_out" if direction == "incoming" else "cash_in"
    return (
        tx.one(
            "SELECT 1 FROM settlements WHERE payment_hash = ? AND wallet = ? AND tx_type = ?",
            (payment_hash, wallet, tx_type),
        )
        is not None
    )


def proven_between(tx: Tx, wallet: str, since: int, until: int) -> list[ProvenFacts]:
    """What was reported from `since` on, and whose payment the wallet had shown by `until`."""
    rows = tx.run(
        "SELECT id, payment_hash, tx_type, coalesce(landed_wire_sats, wire_sats) AS wire_sats FROM settlements"
        " WHERE wallet = ? AND proof = 'settled' AND reported_at >= ? AND proof_checked_at <= ?"
        " AND status NOT IN ('unverified', 'rejected') ORDER BY id",
        (wallet, since, until),
    )
    return [
        ProvenFacts(
            f"S{row['id']}", WalletRow(row["payment_hash"], row["tx_type"] == "cash_in", row["wire_sats"] * MSAT)
        )
        for row in rows
    ]


def rivals(tx: Tx, settlement: Settlement) -> list[Settlement]:
    """Unproven claims by other machines to the same payment."""
    rows = tx.all(
        "SELECT * FROM settlements WHERE payment_hash = ? AND id <> ? AND status = 'unverified'",
        (settlement.payment_hash, settlement.id),
    )
    return [from_row(row) for row in rows]


def to_prove(
    tx: Tx, wallet: str, now: int, limit: int, wanted: Sequence[str], exclude: Iterable[int]
) -> list[Settlement]:
    """Unverified settlements of a wallet that it is to be asked about now: those that are due, and those whose payment
    hash is `wanted` whether due or not. `exclude` are those that a worker has in hand."""
    busy = set(exclude)
    marks = ",".join("?" * len(wanted))
    rows = tx.all(
        "SELECT * FROM settlements WHERE status = 'unverified' AND wallet = ? AND payment_hash IN (" + marks + ")"  # noqa: S608
        " UNION ALL SELECT * FROM (SELECT * FROM settlements WHERE status = 'unverified' AND wallet = ?"
        " AND next_proof_at <= ? ORDER BY next_proof_at LIMIT ?)",
        (wallet, *wanted, wallet, now, limit + len(busy)),
    )
    found = {row["id"]: from_row(row) for row in rows if row["id"] not in busy}
    return list(found.values())[:limit]


def wallets_to_prove(tx: Tx) -> list[str]:
    """The wallets that have unverified settlements."""
    rows = tx.all("SELECT DISTINCT wallet FROM settlements WHERE status = 'unverified' ORDER BY wallet")
    return [row["wallet"] for row in rows]


def next_proof_at(tx: Tx, now: int) -> int | None:
    """When the next one that is not due yet comes due."""
    row = tx.one(
        "SELECT min(next_proof_at) AS at FROM settlements WHERE status = 'unverified' AND next_proof_at > ?", (now,)
    )
    return row["at"] if row else None


def prove_no_later_than(tx: Tx, latest: int) -> None:
    """A clock that was ahead and came back must not leave settlements waiting for a day that is far away."""
    tx.run(
        "UPDATE settlements SET next_proof_at = ? WHERE status = 'unverified' AND next_proof_at > ?", (latest, latest)
    )


def open_since(tx: Tx, wallet: str) -> int | None:
    """When the first customer paid of those whose settlements are not done with."""
    row = tx.one(
        "SELECT min(min(reported_at, created_at)) AS at FROM settlements"
        " WHERE wallet = ? AND status IN ('unverified', 'pending', 'processing', 'partial', 'errored')",
        (wallet,),
    )
    return row["at"] if row else None


def sales_since(tx: Tx, machine_id: int, since: int) -> list[Sale]:
    """What a machine reported since then and its wallet has shown, the newest of it."""
    rows = tx.all(
        "SELECT exchange_rate, fiat_minor, created_at FROM settlements WHERE machine_id = ? AND created_at >= ?"
        " AND proof = 'settled' AND entered_by IS NULL AND status <> 'rejected'"
        " ORDER BY created_at DESC, id DESC LIMIT ?",
        (machine_id, since, MOST_SALES),
    )
    return [Sale(Decimal(row["exchange_rate"]), row["fiat_minor"], row["created_at"]) for row in rows]


def newest_fee_fits(tx: Tx, machine_id: int, since: int) -> bool | None:
    """Whether the fees of the newest proven reports of a machine since then, one of each direction, were what was owed,
    within tolerance."""
    found = [
        tx.one(
            "SELECT fee_mismatch_warned FROM settlements WHERE machine_id = ? AND tx_type = ? AND created_at > ?"
            " AND entered_by IS NULL AND status NOT IN ('unverified', 'rejected')"
            " ORDER BY created_at DESC, id DESC LIMIT 1",
            (machine_id, tx_type.value, since),
        )
        for tx_type in TxType
    ]
    warned = [bool(row["fee_mismatch_warned"]) for row in found if row is not None]
    return not any(warned) if warned else None


def owner_of_payment(tx: Tx, payment_hash: str) -> Settlement | None:
    """The one settlement to which a payment belongs, if any is proven."""
    row = tx.one(
        "SELECT * FROM settlements WHERE payment_hash = ? AND status NOT IN ('unverified', 'rejected')", (payment_hash,)
    )
    return from_row(row) if row else None


def claim(
    tx: Tx, token: str, now: int, limit: int, *, but_at: Iterable[int] = (), save: Iterable[str] = ()
) -> list[Settlement]:
    """Takes settlements from `pending` (or `partial`) to `processing` for exactly one worker. Of the machines `but_at`
    only those with a payment hash of `save`."""
    rows = tx.all(
        "UPDATE settlements SET status = 'processing', claim_token = ?, changed_at = ? WHERE id IN ("
        "SELECT id FROM settlements WHERE status IN ('pending', 'partial')"
        " AND (machine_id NOT IN (SELECT value FROM json_each(?)) OR payment_hash IN (SELECT value FROM json_each(?)))"
        " ORDER BY id LIMIT ?) RETURNING *",
        (token, now, json.dumps(list(but_at)), json.dumps(sorted(save)), limit),
    )
    if rows:
        tx.touch("settlements")
        mark_view(tx, "worklist")
    return sorted((from_row(row) for row in rows), key=lambda settlement: settlement.id)


def mark_view(tx: Tx, view: str) -> None:
    """A published view may have changed with this commit; the publisher looks, and publishes only what did."""
    tx.run("INSERT OR IGNORE INTO stale_views (view) VALUES (?)", (view,))
    tx.touch("views")
