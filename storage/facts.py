"""The books as facts for the checks of `ledger`, a stretch at a time: memory does not grow with their length.

A row that can't be read is reported in `unreadable` and left out: a damaged database must be told about, not crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ledger.cash import unit_minor
from ledger.decide.attempt import Request
from ledger.facts import (
    AttemptFacts,
    CashFacts,
    CreditFacts,
    DepositFacts,
    EnrolmentFacts,
    JournalRow,
    LegFacts,
    SealFacts,
    SettlementFacts,
    Violation,
)
from ledger.fees import TxType
from ledger.model import Leg, Settlement
from ledger.states import AttemptState, DepositStatus, LegStatus, LegType
from storage import attempts, journal, legs, seals, settlements
from storage.db import Tx

STRETCH: Final = 500

_SETTLEMENTS: Final = (
    "SELECT *, (SELECT c.after_settlement < settlements.id FROM cassettes c"
    " WHERE c.machine_id = settlements.machine_id) AS cash_due FROM settlements"
)
_BOXES: Final = """
    SELECT m.id, coalesce(b.box_minor, 0) AS box_minor, coalesce(b.unplaced_minor, 0) AS unplaced_minor,
        coalesce(b.explained_minor, 0) AS explained_minor,
        coalesce((SELECT sum(amount_minor) FROM cash_moves c WHERE c.machine_id = m.id AND c.position IS NULL
            AND c.kind IN ('inserted', 'emptied')), 0) AS boxed,
        coalesce((SELECT -sum(amount_minor) FROM cash_moves c WHERE c.machine_id = m.id AND c.position IS NULL
            AND c.kind NOT IN ('inserted', 'emptied')), 0) AS unplaced,
        coalesce((SELECT sum(amount_minor) FROM deposits d WHERE d.machine_id = m.id AND d.status = 'confirmed'), 0)
            AS deposited,
        coalesce((SELECT sum(fiat_minor) FROM settlements s WHERE s.machine_id = m.id AND s.tx_type = 'cash_out'
            AND s.status NOT IN ('unverified', 'rejected', 'refunded')), 0) AS dispensed
    FROM machines m LEFT JOIN boxes b ON b.machine_id = m.id
"""

T = TypeVar("T")


@dataclass(slots=True)
class Facts:
    """What is stored, read through one open transaction. `counts` says how many of each were read."""

    tx: Tx
    unreadable: list[Violation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def journal(self) -> Iterator[JournalRow]:
        for number, at, entry, digest in journal.entries(self.tx):
            self._count("journal")
            yield JournalRow(number, at, entry.kind, entry.ref, entry.postings, digest)

    def audit_breaks(self) -> Iterator[int]:
        """Numbers of the audit rows at which the chain is broken."""
        row = self.tx.one("SELECT count(*) AS number FROM audit")
        self._count("audit", row["number"] if row else 0)
        return journal.audit_breaks(self.tx)

    def settlements(self) -> Iterator[SettlementFacts]:
        """All of them by id, each with its legs, their attempts and requests."""
        last = 0
        while rows := self.tx.all(f"{_SETTLEMENTS} WHERE id > ? ORDER BY id LIMIT ?", (last, STRETCH)):
            first, last = rows[0]["id"], rows[-1]["id"]
            by_settlement: dict[int | None, list[LegFacts]] = {}
            for leg in self._legs("l.settlement_id BETWEEN ? AND ?", (first, last)):
                by_settlement.setdefault(leg.leg.settlement_id, []).append(leg)
            moved = self._moved(first, last)
            for row in rows:
                self._count("settlements")
                settlement = self._read(f"S{row['id']}", settlements.from_row, row)
                if settlement is not None:
                    yield _settlement(row, settlement, by_settlement.get(row["id"], ()), moved)

    def settlement(self, settlement_id: int) -> SettlementFacts | None:
        """One of them, with its legs; None where there is none, or it can't be read."""
        row = self.tx.one(f"{_SETTLEMENTS} WHERE id = ?", (settlement_id,))
        settlement = self._read(f"S{settlement_id}", settlements.from_row, row) if row is not None else None
        if row is None or settlement is None:
            return None
        moved = self._moved(settlement_id, settlement_id)
        return _settlement(row, settlement, self._legs("l.settlement_id = ?", (settlement_id,)), moved)

    def leg(self, leg_id: int) -> LegFacts | None:
        """One leg, with its attempts."""
        found = self._legs("l.id = ?", (leg_id,))
        return found[0] if found else None

    def other_legs(self) -> Iterator[LegFacts]:
        """Legs of no settlement: what orders paid."""
        last = 0
        while True:
            row = self.tx.one(
                "SELECT max(id) AS last FROM (SELECT id FROM legs WHERE settlement_id IS NULL AND id > ?"
                " ORDER BY id LIMIT ?)",
                (last, STRETCH),
            )
            if row is None or row["last"] is None:
                return
            first, last = last + 1, row["last"]
            yield from self._legs("l.settlement_id IS NULL AND l.id BETWEEN ? AND ?", (first, last))

    def deposits(self) -> Iterator[DepositFacts]:
        for row in self.tx.run("SELECT id, machine_id, lp_id, amount_minor, currency, status FROM deposits"):
            self._count("deposits")
            deposit = self._read(f"D{row['id']}", _deposit, row)
            if deposit is not None:
                yield deposit

    def trials(self) -> Iterator[tuple[str, int]]:
        """Each wallet that paid itself, and the fees of that in msat."""
        for row in self.tx.run("SELECT wallet, sum(fees_msat) AS fees_msat FROM trials GROUP BY wallet"):
            yield row["wallet"], row["fees_msat"]

    def enrolments(self, only: int | None = None) -> Iterator[EnrolmentFacts]:
        """Its deposits and legs are added up by status here: only their sums count, and there may be millions.
        `only`: the one with this id."""
        rows = self.tx.run(
            "SELECT e.*, m.fiat FROM enrolments e JOIN machines m ON m.id = e.machine_id"
            " WHERE :only IS NULL OR e.id = :only ORDER BY e.id",
            {"only": only},
        )
        for row in rows:
            self._count("enrolments")
            ref = f"L{row['lp_id']}@m{row['machine_id']}"
            facts = self._read(ref, self._enrolment, row)
            if facts is not None:
                yield facts

    def credits(self) -> Iterator[CreditFacts]:
        rows = self.tx.run(
            "SELECT c.payee, c.amount_sats, c.used_sats, c.payment_hash, a.amount_msat / 1000 AS surplus_sats"
            " FROM credits c LEFT JOIN (attempts a JOIN legs l ON l.id = a.leg_id)"
            " ON a.payment_hash = c.payment_hash AND a.surplus = 1 AND l.payee = c.payee"
        )
        for row in rows:
            yield CreditFacts(
                row["payee"], row["amount_sats"], row["used_sats"], row["payment_hash"], row["surplus_sats"]
            )

    def cash(self) -> Iterator[CashFacts]:
        """What is stored of each machine's cash, with the sums of what moved it."""
        bays = self.tx.run(
            "SELECT b.*, m.fiat, (SELECT coalesce(sum(notes), 0) FROM cash_moves c WHERE c.machine_id = b.machine_id"
            " AND c.position = b.position) AS notes, (SELECT coalesce(sum(amount_minor), 0) FROM cash_moves c"
            " WHERE c.machine_id = b.machine_id AND c.position = b.position) AS amount_minor"
            " FROM bays b JOIN machines m ON m.id = b.machine_id"
        )
        for row in bays:
            self._count("bays")
            ref, what = row["machine_id"], f"bay {row['position']}"
            yield CashFacts(ref, what, row["count"], row["notes"])
            amount = row["count"] * row["denomination"] * unit_minor(row["fiat"])
            yield CashFacts(ref, what, amount, row["amount_minor"])
        for row in self.tx.run(_BOXES):
            yield CashFacts(row["id"], "box", row["box_minor"], row["boxed"])
            yield CashFacts(row["id"], "unplaced", row["unplaced_minor"], row["unplaced"])
            yield CashFacts(row["id"], "explained", row["explained_minor"], row["deposited"] - row["dispensed"])

    def seals(self) -> Iterator[SealFacts]:
        """Where payments go, and how much of them, with what the audit log says of it."""
        return seals.facts(self.tx)

    def legs_with_credit(self) -> Iterator[Leg]:
        for row in self.tx.run("SELECT * FROM legs WHERE credit_sats > 0"):
            leg = self._read(f"P{row['id']}", legs.from_row, row)
            if leg is not None:
                yield leg

    # --- inside ---

    def _moved(self, first: int, last: int) -> dict[int, int]:
        """What these settlements moved, in minor units."""
        rows = self.tx.run(
            "SELECT settlement_id, sum(amount_minor) AS amount_minor FROM cash_moves"
            " WHERE settlement_id BETWEEN ? AND ? GROUP BY settlement_id",
            (first, last),
        )
        return {row["settlement_id"]: row["amount_minor"] for row in rows}

    def _legs(self, where: str, values: tuple[int, ...]) -> list[LegFacts]:
        """`where` names the legs as `l`; it comes from above, never from outside."""
        requests: dict[str, list[Request]] = {}
        for row in self.tx.run(
            "SELECT r.payment_hash, r.event_id, r.created_at, r.expires_at, r.publishes, r.last_published_at,"  # noqa: S608
            " r.answered_at FROM legs l JOIN attempts a ON a.leg_id = l.id JOIN requests r USING (payment_hash)"
            f" WHERE {where} ORDER BY r.created_at",
            values,
        ):
            requests.setdefault(row["payment_hash"], []).append(_request(row))
        made: dict[int, list[AttemptFacts]] = {}
        for row in self.tx.run(
            f"SELECT a.* FROM legs l JOIN attempts a ON a.leg_id = l.id WHERE {where} ORDER BY a.created_at",  # noqa: S608
            values,
        ):
            self._count("attempts")
            facts = self._read(row["payment_hash"], lambda row: self._attempt(row, requests), row)
            if facts is not None:
                made.setdefault(facts.attempt.leg_id, []).append(facts)
        found = []
        for row in self.tx.run(f"SELECT l.* FROM legs l WHERE {where} ORDER BY l.id", values):  # noqa: S608
            self._count("legs")
            leg = self._read(f"P{row['id']}", legs.from_row, row)
            if leg is not None:
                found.append(LegFacts(leg, tuple(made.get(leg.id, ()))))
        return found

    def _attempt(self, row: sqlite3.Row, requests: Mapping[str, list[Request]]) -> AttemptFacts:
        attempt = attempts.from_row(row)
        made = tuple(requests.get(attempt.payment_hash, ()))
        if attempt.state not in (AttemptState.RELEASED, AttemptState.CLAIMED):
            return AttemptFacts(attempt, made)
        logged = self.tx.one(
            "SELECT 1 FROM audit WHERE target = ? AND command IN ('payment.release', 'payment release')"
            " AND instr(after, ?) > 0",
            (f"P{attempt.leg_id}", attempt.payment_hash),
        )
        return AttemptFacts(attempt, made, attempts.evidence_of(self.tx, attempt.payment_hash), logged is not None)

    def _enrolment(self, row: sqlite3.Row) -> EnrolmentFacts:
        place = (row["lp_id"], row["machine_id"])
        deposits = self.tx.run(
            "SELECT min(id) AS id, machine_id, lp_id, sum(amount_minor) AS amount_minor, currency, status FROM deposits"
            " WHERE lp_id = ? AND machine_id = ? GROUP BY status, currency",
            place,
        )
        paid = self.tx.run(
            "SELECT type, status, currency, sum(amount_sats) AS amount_sats, sum(fiat_minor) AS fiat_minor FROM legs"
            " WHERE lp_id = ? AND machine_id = ? GROUP BY type, status, currency",
            place,
        )
        return EnrolmentFacts(
            machine_id=row["machine_id"],
            lp_id=row["lp_id"],
            currency=row["fiat"],
            deposited_minor=row["deposited_minor"],
            pending_minor=row["pending_minor"],
            paid_minor=row["paid_minor"],
            reserved_minor=row["reserved_minor"],
            paid_sats=row["paid_sats"],
            deposits=tuple(_deposit(each) for each in deposits),
            legs=tuple(_added_up(each, *place) for each in paid),
        )

    def _read(self, ref: str, read: Callable[[sqlite3.Row], T], row: sqlite3.Row) -> T | None:
        try:
            return read(row)
        except (ValueError, ArithmeticError, TypeError) as bad:
            self.unreadable.append(Violation("unreadable", ref, f"its row can't be read: {type(bad).__name__}"))
            return None

    def _count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number


def _settlement(
    row: sqlite3.Row, settlement: Settlement, found: Sequence[LegFacts], moved: Mapping[int, int]
) -> SettlementFacts:
    """`row` is one of `_SETTLEMENTS`."""
    cash = moved.get(settlement.id)
    return SettlementFacts(
        settlement,
        tuple(found),
        cash_minor=cash if cash is None or settlement.tx_type is TxType.CASH_IN else -cash,
        cash_due=bool(row["cash_due"]),
        notes_named=row["notes_dispensed"] is not None,
    )


def _deposit(row: sqlite3.Row) -> DepositFacts:
    return DepositFacts(
        id=row["id"],
        machine_id=row["machine_id"],
        lp_id=row["lp_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        status=DepositStatus(row["status"]),
    )


def _request(row: sqlite3.Row) -> Request:
    return Request(
        row["event_id"],
        row["created_at"],
        row["expires_at"],
        row["publishes"],
        row["last_published_at"],
        bool(row["answered_at"]),
    )


def _added_up(row: sqlite3.Row, lp_id: int, machine_id: int) -> Leg:
    """Stands for all legs of one type, status and currency of an LP at a machine."""
    return Leg(
        id=0,
        settlement_id=None,
        machine_id=machine_id,
        wallet="",
        type=LegType(row["type"]),
        status=LegStatus(row["status"]),
        amount_sats=row["amount_sats"],
        credit_sats=0,
        fiat_minor=row["fiat_minor"],
        currency=row["currency"],
        lp_id=lp_id,
        payee=f"lp:{lp_id}",
        target=None,
        label="",
        reason=None,
        tries=0,
        next_try_at=0,
        created_at=0,
        completed_at=None,
    )
