"""The newest beacon of each machine: what it tells everybody of itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Beacon:
    event_id: str
    created_at: int
    """By the machine's clock, unix seconds."""
    received_at: int
    fields: Mapping[str, Any]
    """By the names of docs/protocol.md; a field that a newer beacon left out has its last value."""
    earlier: Mapping[str, Any] = field(default_factory=dict)
    """What the fields were before this one."""


def from_row(row: sqlite3.Row) -> Beacon:
    return Beacon(
        row["event_id"], row["created_at"], row["received_at"], json.loads(row["fields"]), json.loads(row["earlier"])
    )


def get(tx: Tx, machine_id: int) -> Beacon | None:
    row = tx.one("SELECT * FROM beacons WHERE machine_id = ?", (machine_id,))
    return from_row(row) if row else None


def of_key(tx: Tx, pubkey: str) -> tuple[int, Beacon | None] | None:
    """The id of the machine with this key, and its beacon; None where no machine has it."""
    row = tx.one(
        "SELECT m.id, b.event_id, b.created_at, b.received_at, b.fields, b.earlier FROM machines m"
        " LEFT JOIN beacons b ON b.machine_id = m.id WHERE m.pubkey = ?",
        (pubkey,),
    )
    if row is None:
        return None
    return row["id"], from_row(row) if row["event_id"] is not None else None


def put(tx: Tx, machine_id: int, beacon: Beacon) -> None:
    tx.run(
        "INSERT INTO beacons (machine_id, event_id, created_at, received_at, fields, earlier) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (machine_id) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at,"
        " received_at = excluded.received_at, fields = excluded.fields, earlier = excluded.earlier",
        (
            machine_id,
            beacon.event_id,
            beacon.created_at,
            beacon.received_at,
            *(json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in (beacon.fields, beacon.earlier)),
        ),
    )
