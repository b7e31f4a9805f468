"""What has been open for too long: payments in doubt, transactions, deposits. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.money import MSAT
from storage.db import Tx
from storage.reports import OPEN_SETTLEMENTS


@dataclass(frozen=True, slots=True)
class Attempt:
    leg_id: int
    wallet: str
    sats: int
    sent_at: int


@dataclass(frozen=True, slots=True)
class Settlement:
    id: int
    machine: str
    wallet: str
    since: int
    unverified: bool
    waits: bool
    """Its machine or all payments are paused, or its wallet can't pay."""


@dataclass(frozen=True, slots=True)
class Deposit:
    id: int
    machine: str
    lp: str
    amount_minor: int
    currency: str
    created_at: int


def attempts(tx: Tx, until: int) -> list[Attempt]:
    """Sent by then, and nobody knows yet what came of it."""
    rows = tx.all(
        "SELECT leg_id, wallet, amount_msat, sent_at FROM attempts WHERE state IN ('sent', 'claimed') AND sent_at <= ?"
        " ORDER BY sent_at, rowid",
        (until,),
    )
    return [Attempt(row["leg_id"], row["wallet"], row["amount_msat"] // MSAT, row["sent_at"]) for row in rows]


def settlements(tx: Tx, until: int) -> list[Settlement]:
    """Neither done nor in an operator's hands, and unchanged since then."""
    rows = tx.all(
        "SELECT s.id, s.status, s.changed_at, s.wallet, m.name AS machine, w.paused_at IS NOT NULL OR EXISTS ("  # noqa: S608
        "  SELECT 1 FROM switches WHERE paused = 1 AND name IN ('payments', 'machine:' || s.machine_id)) AS waits"
        " FROM settlements s JOIN machines m ON m.id = s.machine_id JOIN wallets w ON w.name = s.wallet"
        f" WHERE {OPEN_SETTLEMENTS} AND s.status IN ('pending', 'processing', 'partial', 'unverified')"
        " AND s.changed_at <= ?"
        " ORDER BY s.id",
        (until,),
    )
    return [
        Settlement(
            id=row["id"],
            machine=row["machine"],
            wallet=row["wallet"],
            since=row["changed_at"],
            unverified=row["status"] == "unverified",
            waits=bool(row["waits"]),
        )
        for row in rows
    ]


def deposits(tx: Tx, until: int) -> list[Deposit]:
    """Recorded by then, and still pending."""
    rows = tx.all(
        "SELECT d.*, m.name AS machine, l.name AS lp FROM deposits d JOIN machines m ON m.id = d.machine_id"
        " JOIN lps l ON l.id = d.lp_id WHERE d.status <> 'confirmed' AND d.status = 'pending' AND d.created_at <= ?"
        " ORDER BY d.id",
        (until,),
    )
    return [
        Deposit(row["id"], row["machine"], row["lp"], row["amount_minor"], row["currency"], row["created_at"])
        for row in rows
    ]
