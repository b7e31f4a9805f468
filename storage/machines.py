"""Machines: the ATMs of this operator, active or not."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from ledger.fees import FeeRates
from ledger.model import Machine
from storage import seals, switches
from storage.db import Tx
from storage.settlements import mark_view

_SELECT: Final = (
    "SELECT m.*, coalesce(s.paused, 0) AS paused FROM machines m LEFT JOIN switches s ON s.name = 'machine:' || m.id "
)
_COLUMNS: Final = frozenset({"name", "wallet", "fiat", "location", "active", "cash_in_ppm", "cash_out_ppm"})

_OF_A_MACHINE: Final = ("beacons", "telemetry", "cassettes", "bays", "boxes", "cash_moves", "thresholds")


def from_row(row: sqlite3.Row) -> Machine:
    return Machine(
        id=row["id"],
        pubkey=row["pubkey"],
        name=row["name"],
        wallet=row["wallet"],
        fiat=row["fiat"],
        location=row["location"],
        active=bool(row["active"]),
        paused=bool(row["paused"]),
        operator_fees=FeeRates(row["cash_in_ppm"], row["cash_out_ppm"]),
    )


def _first(tx: Tx, where: str, value: int | str) -> Machine | None:
    row = tx.one(_SELECT + where, (value,))
    return from_row(row) if row else None


def get(tx: Tx, machine_id: int) -> Machine | None:
    return _first(tx, "WHERE m.id = ?", machine_id)


def by_pubkey(tx: Tx, pubkey: str) -> Machine | None:
    return _first(tx, "WHERE m.pubkey = ?", pubkey)


def by_name(tx: Tx, name: str) -> Machine | None:
    return _first(tx, "WHERE m.name = ?", name)


def by_wallet(tx: Tx, wallet: str) -> Machine | None:
    """The one machine that pays from this wallet."""
    return _first(tx, "WHERE m.wallet = ?", wallet)


def page(tx: Tx, before_id: int | None, limit: int) -> list[Machine]:
    """The newest first, older than `before_id`."""
    rows = tx.all(_SELECT + "WHERE :before IS NULL OR m.id < :before ORDER BY m.id DESC LIMIT :limit",
                  {"before": before_id, "limit": limit})  # fmt: skip
    return [from_row(row) for row in rows]


def active(tx: Tx) -> list[Machine]:
    return [from_row(row) for row in tx.all(_SELECT + "WHERE m.active = 1 ORDER BY m.id")]


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.all("SELECT name FROM machines ORDER BY name")]


def insert(
    tx: Tx, *, pubkey: str, name: str, wallet: str, fiat: str, location: str | None, fees: FeeRates, now: int
) -> Machine:
    machine_id = tx.insert(
        "machines",
        pubkey=pubkey,
        name=name,
        wallet=wallet,
        fiat=fiat,
        location=location,
        cash_in_ppm=fees.cash_in_ppm,
        cash_out_ppm=fees.cash_out_ppm,
        created_at=now,
    )
    tx.touch("machines")
    return _sealed(tx, machine_id)


def update(tx: Tx, machine_id: int, changes: dict[str, Any]) -> Machine:
    """Changes the named columns: name, wallet, fiat, location, active, cash_in_ppm, cash_out_ppm."""
    assert changes.keys() <= _COLUMNS, "not a column that an order may change"
    if changes:
        columns = ", ".join(f"{column} = :{column}" for column in changes)
        tx.run(f"UPDATE machines SET {columns} WHERE id = :id", {**changes, "id": machine_id})  # noqa: S608
        tx.touch("machines")
    return _sealed(tx, machine_id)


def _sealed(tx: Tx, machine_id: int) -> Machine:
    stored = get(tx, machine_id)
    assert stored is not None
    seals.note(tx, seals.of_fees(machine_id), stored.operator_fees.cash_in_ppm, stored.operator_fees.cash_out_ppm)
    return stored


def seen(tx: Tx, machine_id: int, now: int) -> None:
    """The machine has said something."""
    tx.run("UPDATE machines SET last_seen_at = max(coalesce(last_seen_at, 0), ?) WHERE id = ?", (now, machine_id))


def last_seen_at(tx: Tx, machine_id: int) -> int | None:
    row = tx.one("SELECT last_seen_at FROM machines WHERE id = ?", (machine_id,))
    return row["last_seen_at"] if row else None


def has_fiat_history(tx: Tx, machine_id: int) -> bool:
    """Whether anything is recorded in the machine's currency, which then can't become another one."""
    return (
        tx.one(
            "SELECT 1 FROM settlements WHERE machine_id = :id UNION ALL"
            " SELECT 1 FROM deposits WHERE machine_id = :id LIMIT 1",
            {"id": machine_id},
        )
        is not None
    )


def has_open_business(tx: Tx, machine_id: int) -> bool:
    """Whether the machine's wallet still has something to prove or to pay."""
    return (
        tx.one(
            "SELECT 1 FROM settlements WHERE machine_id = :id AND status IN ('unverified', 'pending', 'processing',"
            " 'partial', 'errored') UNION ALL"
            " SELECT 1 FROM legs WHERE machine_id = :id AND status = 'pending' UNION ALL"
            " SELECT 1 FROM legs l JOIN attempts a ON a.leg_id = l.id WHERE l.machine_id = :id"
            " AND a.state IN ('ready', 'sent', 'claimed') LIMIT 1",
            {"id": machine_id},
        )
        is not None
    )


def has_history(tx: Tx, machine_id: int) -> bool:
    """Whether the books know the machine: settlements, payments, deposits, those that were deleted included."""
    return (
        tx.one(
            "SELECT 1 FROM settlements WHERE machine_id = :id UNION ALL SELECT 1 FROM legs WHERE machine_id = :id"
            " UNION ALL SELECT 1 FROM deposits WHERE machine_id = :id LIMIT 1",
            {"id": machine_id},
        )
        is not None
    )


def remove(tx: Tx, machine_id: int) -> None:
    """A machine without history goes, with its enrolments, split rules and switch, and with what it said of itself. Its
    LPs stay."""
    for row in tx.all("SELECT lp_id FROM enrolments WHERE machine_id = ?", (machine_id,)):
        mark_view(tx, f"balance:{row['lp_id']}")
    tx.run("DELETE FROM enrolments WHERE machine_id = ?", (machine_id,))
    tx.run("DELETE FROM split_shares WHERE rule_id IN (SELECT id FROM split_rules WHERE machine_id = ?)", (machine_id,))
    tx.run("DELETE FROM split_rules WHERE machine_id = ?", (machine_id,))
    tx.run("DELETE FROM switches WHERE name = ?", (switches.of_machine(machine_id),))
    for table in _OF_A_MACHINE:
        tx.run(f"DELETE FROM {table} WHERE machine_id = ?", (machine_id,))  # noqa: S608
    tx.run("DELETE FROM machines WHERE id = ?", (machine_id,))
    tx.touch("machines")
