"""What people ask of the books: pages of settlements and payments, the story of one, totals, what the views show."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import views
from ledger.model import Attempt, Leg, Settlement
from ledger.states import SettlementStatus
from storage import attempts, legs, settlements
from storage.db import Tx

_EVIDENCE: Final = 50
_NOTES: Final = 20
_WORKLIST: Final = 500
"""So many of a kind are looked at for the worklist, the newest; the others are only counted."""


@dataclass(frozen=True, slots=True)
class LegRow:
    """A leg, and what its settled attempt adds."""

    leg: Leg
    machine: str
    lp_pubkey: str | None
    preimage: str | None
    fees_msat: int


@dataclass(frozen=True, slots=True)
class SettlementRow:
    settlement: Settlement
    machine: str
    detail: str | None
    """The sentence behind `reason`."""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    cls: str
    source: str
    asked_at: int
    received_at: int
    detail: Any


@dataclass(frozen=True, slots=True)
class AttemptRow:
    attempt: Attempt
    ended_at: int | None
    end_reason: str | None
    evidence: list[EvidenceRow] = field(default_factory=list)
    """The newest, oldest of them first."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A note on a settlement."""

    at: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Totals:
    settlements: int
    principal_sats: int
    operator_fee_sats: int


@dataclass(frozen=True, slots=True)
class LegFilter:
    """Which legs; None for all. `since` and `until` (not included) are times of planning."""

    settlement_id: int | None = None
    machine_id: int | None = None
    lp_id: int | None = None
    type: str | None = None
    status: str | None = None
    since: int | None = None
    until: int | None = None
    voided: bool = True
    """Whether legs that were replaced are shown."""


_LEG: Final = (
    "SELECT l.*, m.name AS machine, p.pubkey AS lp_pubkey, a.preimage, coalesce(a.fees_msat, 0) AS fees_msat"
    " FROM legs l JOIN machines m ON m.id = l.machine_id LEFT JOIN lps p ON p.id = l.lp_id"
    " LEFT JOIN attempts a ON a.leg_id = l.id AND a.state = 'settled' AND a.surplus = 0 "
)
_SETTLEMENT: Final = "SELECT s.*, m.name AS machine FROM settlements s JOIN machines m ON m.id = s.machine_id "


def _leg_row(row: sqlite3.Row) -> LegRow:
    return LegRow(legs.from_row(row), row["machine"], row["lp_pubkey"], row["preimage"], row["fees_msat"])


def _settlement_row(row: sqlite3.Row) -> SettlementRow:
    return SettlementRow(settlements.from_row(row), row["machine"], row["detail"])


def settlement(tx: Tx, settlement_id: int) -> SettlementRow | None:
    row = tx.one(_SETTLEMENT + "WHERE s.id = ?", (settlement_id,))
    return _settlement_row(row) if row else None


def settlements_page(
    tx: Tx,
    *,
    machine_id: int | None = None,
    status: str | None = None,
    since: int | None = None,
    until: int | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[SettlementRow]:
    """The newest first; `since` and `until` (not included) are times of arrival."""
    where, values = _where(
        [
            ("s.machine_id = ?", machine_id),
            ("s.status = ?", status),
            ("s.created_at >= ?", since),
            ("s.created_at < ?", until),
            ("s.id < ?", before_id),
        ]
    )
    rows = tx.all(_SETTLEMENT + where + " ORDER BY s.id DESC LIMIT ?", (*values, limit))
    return [_settlement_row(row) for row in rows]


def leg(tx: Tx, leg_id: int) -> LegRow | None:
    row = tx.one(_LEG + "WHERE l.id = ?", (leg_id,))
    return _leg_row(row) if row else None


def legs_of(tx: Tx, settlement_id: int) -> list[LegRow]:
    return [_leg_row(row) for row in tx.all(_LEG + "WHERE l.settlement_id = ? ORDER BY l.id", (settlement_id,))]


def legs_page(tx: Tx, wanted: LegFilter, *, before_id: int | None, limit: int) -> list[LegRow]:
    """The newest first."""
    where, values = _where(
        [
            ("l.settlement_id = ?", wanted.settlement_id),
            ("l.machine_id = ?", wanted.machine_id),
            ("l.lp_id = ?", wanted.lp_id),
            ("l.type = ?", wanted.type),
            ("l.status = ?", wanted.status),
            ("l.status <> ?", None if wanted.voided else "voided"),
            ("l.created_at >= ?", wanted.since),
            ("l.created_at < ?", wanted.until),
            ("l.id < ?", before_id),
        ]
    )
    rows = tx.all(_LEG + where + " ORDER BY l.id DESC LIMIT ?", (*values, limit))
    return [_leg_row(row) for row in rows]


def _where(conditions: Sequence[tuple[str, int | str | None]]) -> tuple[str, list[int | str]]:
    """Only the conditions that are given, so that the database can use its indexes."""
    given = [(clause, value) for clause, value in conditions if value is not None]
    clauses = " AND ".join(clause for clause, _ in given)
    return (f"WHERE {clauses}" if given else ""), [value for _, value in given]


def attempts_of(tx: Tx, leg_id: int) -> list[AttemptRow]:
    """The attempts of a leg with the newest evidence about each."""
    found = []
    for row in tx.all("SELECT * FROM attempts WHERE leg_id = ? ORDER BY created_at, rowid", (leg_id,)):
        evidence = tx.all(
            "SELECT * FROM evidence WHERE payment_hash = ? ORDER BY id DESC LIMIT ?", (row["payment_hash"], _EVIDENCE)
        )
        seen = [
            EvidenceRow(
                e["class"],
                e["source"],
                e["asked_at"],
                e["received_at"],
                json.loads(e["detail"]) if e["detail"] else None,
            )
            for e in reversed(evidence)
        ]
        found.append(AttemptRow(attempts.from_row(row), row["ended_at"], row["end_reason"], seen))
    return found


def unresolved_legs(tx: Tx, settlement_id: int) -> set[int]:
    """The legs of a settlement whose wallet has not said what became of an attempt."""
    rows = tx.all(
        "SELECT DISTINCT l.id FROM legs l JOIN attempts a ON a.leg_id = l.id"
        " WHERE l.settlement_id = ? AND a.state IN ('sent', 'claimed')",
        (settlement_id,),
    )
    return {row["id"] for row in rows}


def notes(tx: Tx, settlement_id: int) -> list[Remark]:
    rows = tx.all(
        "SELECT at, author, text FROM settlement_notes WHERE settlement_id = ? ORDER BY id DESC LIMIT ?",
        (settlement_id, _NOTES),
    )
    return [Remark(row["at"], row["author"], row["text"]) for row in reversed(rows)]


def totals_of(tx: Tx, machine_id: int) -> Totals:
    """What a machine's accepted settlements add up to."""
    row = tx.one(
        "SELECT count(*) AS number, coalesce(sum(principal_sats), 0) AS principal,"
        " coalesce(sum(operator_fee_sats), 0) AS fees FROM settlements"
        " WHERE machine_id = ? AND status NOT IN ('unverified', 'rejected')",
        (machine_id,),
    )
    assert row is not None
    return Totals(row["number"], row["principal"], row["fees"])


def last_settlement_at(tx: Tx) -> int | None:
    row = tx.one("SELECT created_at FROM settlements ORDER BY id DESC LIMIT 1")
    return row["created_at"] if row else None


def worklist_facts(
    tx: Tx, now: int, threshold_minutes: int, unmatched_after_seconds: int
) -> tuple[list[views.WorklistItem], int]:
    """What `views.worklist` is built from: the items, and how many more there are. A threshold of 0 lists everything
    that is unresolved."""
    unmatched_after = unmatched_after_seconds if threshold_minutes else 0
    kinds = (
        _unsettled(tx, now, threshold_minutes),
        _unpaid_legs(tx),
        _unmatched(tx, now, unmatched_after),
    )
    return [item for items, _ in kinds for item in items], sum(unlisted for _, unlisted in kinds)


def _unsettled(tx: Tx, now: int, threshold_minutes: int) -> tuple[list[views.WorklistItem], int]:
    items, unlisted = [], 0
    for status in SettlementStatus:
        at_once = views.settlement_bucket(status, 0, 1) is not None
        if views.settlement_bucket(status, 0, 0) is None:
            continue
        latest = now if at_once or not threshold_minutes else now - threshold_minutes * 60 - 1
        # The status as a literal: only so does SQLite use the index of what is unsettled.
        matching = f"FROM settlements s JOIN machines m ON m.id = s.machine_id WHERE s.status = '{status.value}'"
        count = tx.one(f"SELECT count(*) AS number {matching} AND s.changed_at <= ?", (latest,))
        rows = tx.all(
            f"SELECT s.*, m.name AS machine {matching} AND s.changed_at <= ? ORDER BY s.changed_at DESC LIMIT ?",
            (latest, _WORKLIST),
        )
        for row in rows:
            bucket = views.settlement_bucket(status, now - row["changed_at"], threshold_minutes)
            if bucket is not None:
                items.append(
                    views.settlement_item(bucket, settlements.from_row(row), row["machine"], row["changed_at"])
                )
        unlisted += (count["number"] if count else 0) - len(rows)
    return items, unlisted


def _unpaid_legs(tx: Tx) -> tuple[list[views.WorklistItem], int]:
    items, unlisted = [], 0
    for status in ("skipped", "failed"):
        joined = (
            " FROM legs l JOIN machines m ON m.id = l.machine_id LEFT JOIN settlements s ON s.id = l.settlement_id"
            f" WHERE l.status = '{status}'"
            + (" AND coalesce(s.status, '') NOT IN ('errored', 'processing')" if status == "failed" else "")
        )
        count = tx.one("SELECT count(*) AS number" + joined)
        rows = tx.all(
            "SELECT l.*, m.name AS machine, s.status AS of_status" + joined + " ORDER BY l.created_at DESC LIMIT ?",
            (_WORKLIST,),
        )
        for row in rows:
            found = legs.from_row(row)
            settlement_status = SettlementStatus(row["of_status"]) if row["of_status"] else None
            bucket = views.leg_bucket(found.status, settlement_status)
            if bucket is not None:
                items.append(views.leg_item(bucket, found, row["machine"]))
        unlisted += (count["number"] if count else 0) - len(rows)
    return items, unlisted


def _unmatched(tx: Tx, now: int, after_seconds: int) -> tuple[list[views.WorklistItem], int]:
    latest = now - after_seconds - 1 if after_seconds else now
    count = tx.one("SELECT count(*) AS number FROM unmatched WHERE settled_at <= ?", (latest,))
    rows = tx.all(
        "SELECT u.*, coalesce(m.name, u.wallet) AS machine FROM unmatched u LEFT JOIN machines m ON m.wallet = u.wallet"
        " WHERE u.settled_at <= ? ORDER BY u.settled_at DESC LIMIT ?",
        (latest, _WORKLIST),
    )
    items = [
        views.unmatched_item(
            views.UnmatchedPayment(
                payment_hash=row["payment_hash"],
                machine=row["machine"],
                incoming=row["direction"] == "incoming",
                amount_msat=row["amount_msat"],
                settled_at=row["settled_at"],
            )
        )
        for row in rows
    ]
    return items, (count["number"] if count else 0) - len(rows)


def lp_balance_facts(tx: Tx, lp_id: int) -> tuple[str, list[views.EnrolmentTotals]]:
    """What `views.lp_balance` is built from: the LP's public key and its enrolments, the first one first."""
    who = tx.one("SELECT pubkey FROM lps WHERE id = ?", (lp_id,))
    assert who is not None, "a balance of nobody"
    rows = tx.all(
        "SELECT e.*, m.name AS machine, m.fiat FROM enrolments e JOIN machines m ON m.id = e.machine_id"
        " WHERE e.lp_id = ? ORDER BY e.id",
        (lp_id,),
    )
    return who["pubkey"], [
        views.EnrolmentTotals(
            machine=row["machine"],
            currency=row["fiat"],
            deposited_minor=row["deposited_minor"],
            pending_minor=row["pending_minor"],
            paid_minor=row["paid_minor"],
            reserved_minor=row["reserved_minor"],
            sats=row["paid_sats"],
            last_payment_at=row["last_payment_at"],
        )
        for row in rows
    ]
