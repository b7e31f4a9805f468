"""Sums over a stretch of time: what the report and the chart show, from settlements, legs and attempts.

A settlement belongs to the time at which it was accepted into the books, a payment to the time at which it was
completed, what stayed in the wallet to the time at which it was planned. So the sums are those of the journal's entries
of the same time, and a month that is over changes only where an operator scales or refunds one of its settlements.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ledger.fees import TxType
from ledger.states import LegType
from storage.db import Tx

_TO_LPS: Final = (LegType.DCA, LegType.SETTLEMENT)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Unix seconds; `until` is not included. `machine_id` None: all machines."""

    since: int
    until: int
    machine_id: int | None = None

    def values(self) -> dict[str, int | None]:
        return {"since": self.since, "until": self.until, "machine": self.machine_id}


@dataclass(slots=True)
class Volume:
    """Transactions in one direction."""

    settlements: int = 0
    principal_sats: int = 0
    fiat: Counter[str] = field(default_factory=Counter)
    """Minor units by currency."""


@dataclass(slots=True)
class Paid:
    sats: Counter[LegType] = field(default_factory=Counter)
    fiat: Counter[str] = field(default_factory=Counter)
    """Minor units by currency that the payments to LPs were worth."""

    @property
    def to_lps_sats(self) -> int:
        return sum(self.sats[each] for each in _TO_LPS)


@dataclass(slots=True)
class Figures:
    """`volume` and fees are those of accepted settlements that were not refunded."""

    volume: dict[TxType, Volume] = field(default_factory=lambda: {each: Volume() for each in TxType})
    refunded_settlements: int = 0
    platform_fee_sats: int = 0
    operator_fee_sats: int = 0
    fee_mismatch_sats: int = 0
    paid: Paid = field(default_factory=Paid)
    skipped_sats: int = 0
    routing_msat: int = 0

    @property
    def profit_msat(self) -> int:
        """What the operator earned: its fees and what was charged beyond all fees, less the cost of routing."""
        return (self.operator_fee_sats + self.fee_mismatch_sats) * 1_000 - self.routing_msat


@dataclass(frozen=True, slots=True)
class Open:
    """As of now: fiat of LPs that can still be given out, and that open payments hold; payments that are owed."""

    remaining: Counter[str]
    reserved: Counter[str]
    payments: int
    payments_sats: int


def figures(tx: Tx, stretch: Stretch) -> Figures:
    found = Figures()
    _add_settlements(tx, stretch, found)
    values = stretch.values()
    for row in tx.run(
        "SELECT type, currency, sum(amount_sats) AS sats, sum(fiat_minor) AS fiat FROM legs"
        " WHERE wallet IN (SELECT name FROM wallets) AND status = 'completed'"
        " AND completed_at >= :since AND completed_at < :until AND (:machine IS NULL OR machine_id = :machine)"
        " GROUP BY type, currency",
        values,
    ):
        kind = LegType(row["type"])
        found.paid.sats[kind] += row["sats"]
        if kind in _TO_LPS:
            found.paid.fiat[row["currency"]] += row["fiat"]
    found.skipped_sats = _number(
        tx,
        "SELECT sum(amount_sats) AS number FROM legs WHERE status = 'skipped'"
        " AND created_at >= :since AND created_at < :until AND (:machine IS NULL OR machine_id = :machine)",
        values,
    )
    found.routing_msat = _number(
        tx,
        "SELECT sum(a.fees_msat) AS number FROM attempts a LEFT JOIN legs l ON l.id = a.leg_id"
        " WHERE a.wallet IN (SELECT name FROM wallets) AND a.state = 'settled'"
        " AND a.settled_at >= :since AND a.settled_at < :until AND (:machine IS NULL OR l.machine_id = :machine)",
        values,
    )
    return found


def _add_settlements(tx: Tx, stretch: Stretch, found: Figures) -> None:
    for row in tx.run(
        "SELECT tx_type, currency, status = 'refunded' AS refunded, count(*) AS number,"
        " sum(principal_sats) AS principal, sum(fiat_minor) AS fiat, sum(platform_fee_sats) AS platform,"
        " sum(operator_fee_sats) AS operator, sum(fee_mismatch_sats) AS mismatch FROM settlements"
        " WHERE status NOT IN ('unverified', 'rejected') AND coalesce(proof_checked_at, created_at) >= :since"
        " AND coalesce(proof_checked_at, created_at) < :until AND (:machine IS NULL OR machine_id = :machine)"
        " GROUP BY tx_type, currency, refunded",
        stretch.values(),
    ):
        if row["refunded"]:
            found.refunded_settlements += row["number"]
            continue
        volume = found.volume[TxType(row["tx_type"])]
        volume.settlements += row["number"]
        volume.principal_sats += row["principal"]
        volume.fiat[row["currency"]] += row["fiat"]
        found.platform_fee_sats += row["platform"]
        found.operator_fee_sats += row["operator"]
        found.fee_mismatch_sats += row["mismatch"]


def open_now(tx: Tx, machine_id: int | None) -> Open:
    remaining: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    for row in tx.run(
        "SELECT m.fiat, sum(e.deposited_minor - e.paid_minor - e.reserved_minor) AS remaining,"
        " sum(e.reserved_minor) AS reserved FROM enrolments e JOIN machines m ON m.id = e.machine_id"
        " WHERE :machine IS NULL OR m.id = :machine GROUP BY m.fiat",
        {"machine": machine_id},
    ):
        remaining[row["fiat"]] += row["remaining"]
        reserved[row["fiat"]] += row["reserved"]
    payments = sats = 0
    for status in ("pending", "failed"):
        # The status as a literal: only so does SQLite use the indexes of what is open and what failed.
        owed = tx.one(
            "SELECT count(*) AS number, coalesce(sum(amount_sats), 0) AS sats FROM legs"  # noqa: S608
            f" WHERE status = '{status}' AND (:machine IS NULL OR machine_id = :machine)",
            {"machine": machine_id},
        )
        assert owed is not None
        payments += owed["number"]
        sats += owed["sats"]
    return Open(remaining, reserved, payments, sats)


@dataclass(frozen=True, slots=True)
class Received:
    """What LPs received for their fiat of one currency; `at` is any time of the day (UTC) or, of all time, the last."""

    at: int
    currency: str
    sats: int
    fiat_minor: int


def received_by_day(tx: Tx, lp_id: int | None, since: int) -> list[Received]:
    """Day by day, by one LP or by all of them."""
    whose = "lp_id = :lp" if lp_id is not None else "wallet IN (SELECT name FROM wallets)"
    rows = tx.run(
        "SELECT max(completed_at) AS at, currency, sum(amount_sats) AS sats, sum(fiat_minor) AS fiat FROM legs"  # noqa: S608
        f" WHERE {whose} AND status = 'completed' AND completed_at >= :since AND type IN ('dca', 'settlement')"
        " GROUP BY completed_at / 86400, currency ORDER BY at",
        {"lp": lp_id, "since": since},
    )
    return [Received(row["at"], row["currency"], row["sats"], row["fiat"]) for row in rows]


def received_ever(tx: Tx, lp_id: int | None) -> list[Received]:
    """By currency, from the sums that the enrolments keep."""
    rows = tx.run(
        "SELECT max(e.last_payment_at) AS at, m.fiat, sum(e.paid_sats) AS sats, sum(e.paid_minor) AS paid"
        " FROM enrolments e JOIN machines m ON m.id = e.machine_id"
        " WHERE (:lp IS NULL OR e.lp_id = :lp) AND e.paid_sats > 0 GROUP BY m.fiat ORDER BY m.fiat",
        {"lp": lp_id},
    )
    return [Received(row["at"], row["fiat"], row["sats"], row["paid"]) for row in rows]


def _number(tx: Tx, statement: str, values: dict[str, int | None]) -> int:
    row = tx.one(statement, values)
    return int(row["number"] or 0) if row else 0
