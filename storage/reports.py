"""What people ask of the books: pages of settlements and payments, the story of one, totals, what the views show."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ledger import views
from ledger.model import Attempt, Leg, Settlement
from ledger.states import SettlementStatus
from storage import attempts, holds, legs, settlements
from storage.db import Given, Tx, conditions

_EVIDENCE: Final = 50
_NOTES: Final = 20
_WORKLIST: Final = 300
"""So many of a kind are looked at for the worklist, the newest: more than fit an event. The others are only counted."""


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
# The conditions of partial indexes: SQLite takes those only where a query repeats them word for word.
OPEN_SETTLEMENTS: Final = "s.status IN ('rejected', 'errored', 'pending', 'processing', 'partial', 'unverified')"
_ASIDE: Final = "s.status IN ('rejected', 'errored', 'partial', 'refunded')"
_ODD_TYPES: Final = ("settlement", "autoforward", "refund")
_ODD: Final = "l.type NOT IN ('super_fee', 'operator_split', 'dca')"
_ENDED_ASIDE: Final = "l.status NOT IN ('pending', 'completed')"
_NO_INDEX: Final = "+"
"""Before a column, whose index is not wanted then: another one leaves so few rows that those are looked through."""
_UNSETTLED: Final = f"FROM settlements s WHERE s.status = ? AND {OPEN_SETTLEMENTS} AND s.changed_at <= ?"
_UNPAID: Final = {
    "skipped": "FROM legs l WHERE l.status = 'skipped'",
    # What its settlement shows is not listed by itself.
    "failed": "FROM legs l WHERE l.status = 'failed' AND NOT EXISTS ("
    "SELECT 1 FROM settlements WHERE id = l.settlement_id AND status IN ('errored', 'processing'))",
}
# Open legs that no settlement shows: of orders, refunds. They are few, and so is all that is open.
_WAITING: Final = (
    "FROM legs l WHERE l.status = 'pending' AND l.created_at <= ? AND NOT EXISTS ("
    "SELECT 1 FROM settlements WHERE id = l.settlement_id AND status IN ('errored', 'processing'))"
)
_UNMATCHED: Final = "FROM unmatched u WHERE u.settled_at <= ?"


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
    few = status in ("pending", "processing", "unverified")
    own = _NO_INDEX if few else ""
    where, values = conditions(
        [
            ("s.status = ?", status),
            (_ASIDE, status in ("rejected", "errored", "partial", "refunded")),
            (OPEN_SETTLEMENTS, few),
            (f"{own}s.machine_id = ?", machine_id),
            (f"{own}s.created_at >= ?", since),
            (f"{own}s.created_at < ?", until),
            (f"({own}s.created_at, s.id) < (?, ?)", _place(tx, "settlements", before_id)),
        ]
    )
    rows = tx.all(f"{_SETTLEMENT}{where} ORDER BY {own}s.created_at DESC, s.id DESC LIMIT ?", (*values, limit))
    return [_settlement_row(row) for row in rows]


def _place(tx: Tx, table: str, before_id: int | None) -> tuple[int, int] | None:
    """Where a page that ends before this id begins, in the order of time."""
    if before_id is None:
        return None
    row = tx.one(f"SELECT created_at FROM {table} WHERE id <= ? ORDER BY id DESC LIMIT 1", (before_id,))  # noqa: S608
    return (row["created_at"] if row else -1), before_id


def leg(tx: Tx, leg_id: int) -> LegRow | None:
    row = tx.one(_LEG + "WHERE l.id = ?", (leg_id,))
    return _leg_row(row) if row else None


def legs_of(tx: Tx, settlement_id: int) -> list[LegRow]:
    return [_leg_row(row) for row in tx.all(_LEG + "WHERE l.settlement_id = ? ORDER BY l.id", (settlement_id,))]


def legs_page(tx: Tx, wanted: LegFilter, *, before_id: int | None, limit: int) -> list[LegRow]:
    """The newest first."""
    if wanted.lp_id is None or wanted.settlement_id is not None or wanted.status not in (None, "completed"):
        return _legs_by_id(tx, wanted, before_id, limit)
    at = [wanted.machine_id] if wanted.machine_id is not None else _machines_of(tx, wanted.lp_id)
    found = [row for each in at for row in _legs_by_time(tx, replace(wanted, machine_id=each), before_id, limit)]
    return sorted(found, key=lambda row: (row.leg.created_at, row.leg.id), reverse=True)[:limit]


def _machines_of(tx: Tx, lp_id: int) -> list[int]:
    return [row["machine_id"] for row in tx.all("SELECT machine_id FROM enrolments WHERE lp_id = ?", (lp_id,))]


def _legs_by_id(tx: Tx, wanted: LegFilter, before_id: int | None, limit: int) -> list[LegRow]:
    few = wanted.settlement_id is not None or wanted.status == "pending"
    own = _NO_INDEX if few else ""
    where, values = conditions(
        [
            ("l.settlement_id = ?", wanted.settlement_id),
            ("l.status = 'pending'", wanted.status == "pending"),
            (_ODD, wanted.type in _ODD_TYPES and not few),
            (_ENDED_ASIDE, wanted.status not in (None, "pending", "completed") and not few),
            *_of_legs(wanted, own),
            (f"{own}l.id < ?", before_id),
        ]
    )
    rows = tx.all(f"{_LEG}{where} ORDER BY {own}l.id DESC LIMIT ?", (*values, limit))
    return [_leg_row(row) for row in rows]


def _legs_by_time(tx: Tx, wanted: LegFilter, before_id: int | None, limit: int) -> list[LegRow]:
    """Of one LP at one machine."""
    where, values = conditions(
        [
            (_ODD, wanted.type in _ODD_TYPES),
            *_of_legs(wanted),
            ("(l.created_at, l.id) < (?, ?)", _place(tx, "legs", before_id)),
        ]
    )
    rows = tx.all(f"{_LEG}{where} ORDER BY l.created_at DESC, l.id DESC LIMIT ?", (*values, limit))
    return [_leg_row(row) for row in rows]


def _of_legs(wanted: LegFilter, own: str = "") -> list[tuple[str, Given]]:
    return [
        (f"{own}l.machine_id = ?", wanted.machine_id),
        (f"{own}l.lp_id = ?", wanted.lp_id),
        (f"{own}l.type = ?", wanted.type),
        (f"{own}l.status = ?", wanted.status),
        ("l.status <> 'voided'", not wanted.voided),
        (f"{own}l.created_at >= ?", wanted.since),
        (f"{own}l.created_at < ?", wanted.until),
    ]


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
        _waiting_legs(tx, now, threshold_minutes),
        _unmatched(tx, now, unmatched_after),
    )
    return [item for items, _ in kinds for item in items], sum(unlisted for _, unlisted in kinds)


def worklist_counts(tx: Tx, now: int, threshold_minutes: int, unmatched_after_seconds: int) -> Counter[views.Bucket]:
    """How many items the worklist has in each bucket."""
    counts = Counter[views.Bucket]()
    for status, bucket, latest in _waiting(now, threshold_minutes):
        counts[bucket] += _count(tx, _UNSETTLED, (status.value, latest))
    counts[views.Bucket.SKIPPED] += _count(tx, _UNPAID["skipped"])
    counts[views.Bucket.ERRORED] += _count(tx, _UNPAID["failed"])
    counts[views.Bucket.STUCK_PROCESSING] += _count(tx, _WAITING, (_overdue_since(now, threshold_minutes),))
    counts[views.Bucket.UNMATCHED] += _count(tx, _UNMATCHED, (_settled_until(now, unmatched_after_seconds),))
    return counts


def _count(tx: Tx, matching: str, values: Sequence[int | str] = ()) -> int:
    row = tx.one(f"SELECT count(*) AS number {matching}", values)
    return row["number"] if row else 0


def _waiting(now: int, threshold_minutes: int) -> list[tuple[SettlementStatus, views.Bucket, int]]:
    """Each status in which a settlement is on the worklist, and until when it must have come about."""
    found = []
    for status in SettlementStatus:
        bucket = views.settlement_bucket(status, 0, 0)
        if bucket is not None:
            at_once = not threshold_minutes or views.settlement_bucket(status, 0, 1) is not None
            found.append((status, bucket, now if at_once else _overdue_since(now, threshold_minutes)))
    return found


def _overdue_since(now: int, threshold_minutes: int) -> int:
    """The latest time at which something must have come about that is overdue now."""
    return now - threshold_minutes * 60 - 1 if threshold_minutes else now


def _unsettled(tx: Tx, now: int, threshold_minutes: int) -> tuple[list[views.WorklistItem], int]:
    items, unlisted = [], 0
    held = holds.any(tx)
    for status, _, latest in _waiting(now, threshold_minutes):
        rows = tx.all(
            "SELECT s.*, (SELECT name FROM machines WHERE id = s.machine_id) AS machine,"  # noqa: S608
            f" (SELECT configured FROM wallets WHERE name = s.wallet) AS configured {_UNSETTLED}"
            " ORDER BY s.changed_at DESC LIMIT ?",
            (status.value, latest, _WORKLIST),
        )
        for row in rows:
            bucket = views.settlement_bucket(status, now - row["changed_at"], threshold_minutes)
            if bucket is not None:
                gone = not row["configured"] and bucket in _NEEDS_WALLET
                why = views.gone_reason(row["wallet"]) if gone else _HELD if held and status in _PAYING else None
                found = settlements.from_row(row)
                items.append(views.settlement_item(bucket, found, row["machine"], row["changed_at"], why=why))
        if len(rows) == _WORKLIST:
            unlisted += _count(tx, _UNSETTLED, (status.value, latest)) - len(rows)
    return items, unlisted


def _unpaid_legs(tx: Tx) -> tuple[list[views.WorklistItem], int]:
    items, unlisted = [], 0
    for matching in _UNPAID.values():
        rows = tx.all(
            "SELECT l.*, (SELECT name FROM machines WHERE id = l.machine_id) AS machine,"  # noqa: S608
            f" (SELECT status FROM settlements WHERE id = l.settlement_id) AS of_status {matching}"
            " ORDER BY l.created_at DESC LIMIT ?",
            (_WORKLIST,),
        )
        for row in rows:
            found = legs.from_row(row)
            settlement_status = SettlementStatus(row["of_status"]) if row["of_status"] else None
            bucket = views.leg_bucket(found.status, settlement_status)
            if bucket is not None:
                items.append(views.leg_item(bucket, found, row["machine"]))
        if len(rows) == _WORKLIST:
            unlisted += _count(tx, matching) - len(rows)
    return items, unlisted


def _waiting_legs(tx: Tx, now: int, threshold_minutes: int) -> tuple[list[views.WorklistItem], int]:
    """Open legs that no settlement shows."""
    latest = _overdue_since(now, threshold_minutes)
    rows = tx.all(
        "SELECT l.*, (SELECT name FROM machines WHERE id = l.machine_id) AS machine,"  # noqa: S608
        " (SELECT status FROM settlements WHERE id = l.settlement_id) AS of_status,"
        " (SELECT configured FROM wallets WHERE name = l.wallet) AS configured,"
        " (SELECT paused_at FROM wallets WHERE name = l.wallet) AS wallet_paused_at,"
        " (SELECT state FROM attempts WHERE leg_id = l.id AND state IN ('ready', 'sent', 'claimed')) AS attempt"
        f" {_WAITING} ORDER BY l.created_at DESC LIMIT ?",
        (latest, _WORKLIST),
    )
    items = []
    for row in rows:
        found = legs.from_row(row)
        settlement_status = SettlementStatus(row["of_status"]) if row["of_status"] else None
        bucket = views.waiting_leg_bucket(settlement_status, now - row["created_at"], threshold_minutes)
        if bucket is not None:
            items.append(views.leg_item(bucket, found, row["machine"], why=_what_it_waits_for(tx, found, row)))
    return items, _count(tx, _WAITING, (latest,)) - len(rows) if len(rows) == _WORKLIST else 0


def _what_it_waits_for(tx: Tx, leg: Leg, row: sqlite3.Row) -> str | None:
    if not row["configured"]:
        return views.gone_reason(leg.wallet)
    if row["attempt"] in _IN_DOUBT:
        return _IN_DOUBT[row["attempt"]]
    if not legs.may_be_paid(tx, leg):
        return "payments to it are stopped"
    return "its wallet can't pay now" if row["wallet_paused_at"] is not None else None


_HELD: Final = "a payment of it is open, and the bot holds all payments: status"
_PAYING: Final = (SettlementStatus.PROCESSING,)
_NEEDS_WALLET: Final = frozenset({views.Bucket.UNVERIFIED, views.Bucket.STUCK_PROCESSING})
_IN_DOUBT: Final = {
    "sent": "its wallet has not said what became of it",
    "claimed": "its wallet says paid, without proof",
}


def _settled_until(now: int, after_seconds: int) -> int:
    return now - after_seconds - 1 if after_seconds else now


def _unmatched(tx: Tx, now: int, after_seconds: int) -> tuple[list[views.WorklistItem], int]:
    latest = _settled_until(now, after_seconds)
    rows = tx.all(
        "SELECT u.*, coalesce((SELECT name FROM machines WHERE wallet = u.wallet), u.wallet) AS machine"  # noqa: S608
        f" {_UNMATCHED} ORDER BY u.settled_at DESC LIMIT ?",
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
    return items, _count(tx, _UNMATCHED, (latest,)) - len(rows) if len(rows) == _WORKLIST else 0


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
