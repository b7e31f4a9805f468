"""Deposits: fiat that an LP put into a machine, pending until the operator has it in the cassette."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledger import journal as books
from ledger.states import DepositStatus
from storage import journal
from storage.db import Tx, conditions
from storage.settlements import mark_view

_SELECT: Final = (
    "SELECT d.*, m.name AS machine, p.name AS lp, p.pubkey AS lp_pubkey FROM deposits d"
    " JOIN machines m ON m.id = d.machine_id JOIN lps p ON p.id = d.lp_id "
)


@dataclass(frozen=True, slots=True)
class Deposit:
    id: int
    machine_id: int
    machine: str
    lp_id: int
    lp: str
    lp_pubkey: str
    amount_minor: int
    currency: str
    status: DepositStatus
    note: str | None
    created_at: int
    confirmed_at: int | None


def from_row(row: sqlite3.Row) -> Deposit:
    return Deposit(
        id=row["id"],
        machine_id=row["machine_id"],
        machine=row["machine"],
        lp_id=row["lp_id"],
        lp=row["lp"],
        lp_pubkey=row["lp_pubkey"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        status=DepositStatus(row["status"]),
        note=row["note"],
        created_at=row["created_at"],
        confirmed_at=row["confirmed_at"],
    )


def get(tx: Tx, deposit_id: int) -> Deposit | None:
    row = tx.one(_SELECT + "WHERE d.id = ?", (deposit_id,))
    return from_row(row) if row else None


def insert(
    tx: Tx, *, machine_id: int, lp_id: int, amount_minor: int, currency: str, note: str | None, by: str, now: int
) -> Deposit:
    deposit_id = tx.insert(
        "deposits",
        machine_id=machine_id,
        lp_id=lp_id,
        amount_minor=amount_minor,
        currency=currency,
        note=note,
        created_by=by,
        created_at=now,
    )
    mark_view(tx, f"balance:{lp_id}")
    stored = get(tx, deposit_id)
    assert stored is not None
    return stored


def change(tx: Tx, deposit: Deposit, *, amount_minor: int, note: str | None) -> Deposit:
    """Another amount or note, while it is pending; the database refuses it afterwards."""
    tx.run("UPDATE deposits SET amount_minor = ?, note = ? WHERE id = ?", (amount_minor, note, deposit.id))
    return _changed(tx, deposit)


def delete(tx: Tx, deposit: Deposit) -> Deposit:
    """It never came. The record stays."""
    tx.run("UPDATE deposits SET status = 'deleted' WHERE id = ?", (deposit.id,))
    return _changed(tx, deposit)


def confirm(tx: Tx, deposit: Deposit, now: int) -> Deposit:
    """The fiat is in the cassette: it counts for the LP, and is booked."""
    tx.run("UPDATE deposits SET status = 'confirmed', confirmed_at = ? WHERE id = ?", (now, deposit.id))
    entry = books.deposit_confirmed(
        deposit.id, deposit.machine_id, deposit.lp_id, deposit.amount_minor, deposit.currency
    )
    journal.append(tx, entry, now)
    return _changed(tx, deposit)


def _changed(tx: Tx, deposit: Deposit) -> Deposit:
    mark_view(tx, f"balance:{deposit.lp_id}")
    stored = get(tx, deposit.id)
    assert stored is not None
    return stored


def page(
    tx: Tx, *, machine_id: int | None, lp_id: int | None, status: str | None, before_id: int | None, limit: int
) -> list[Deposit]:
    """The newest first; deleted ones only where they are asked for."""
    where, values = conditions(
        [
            ("d.machine_id = ?", machine_id),
            ("d.lp_id = ?", lp_id),
            ("d.status = ?", status),
            ("d.status <> 'confirmed'", status not in (None, "confirmed")),
            ("d.status <> 'deleted'", status is None),
            ("d.id < ?", before_id),
        ]
    )
    rows = tx.all(_SELECT + where + " ORDER BY d.id DESC LIMIT ?", (*values, limit))
    return [from_row(row) for row in rows]
