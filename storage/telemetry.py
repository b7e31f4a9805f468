"""The newest telemetry of each machine: what it tells its operator of itself, kept as it came."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Telemetry:
    event_id: str
    created_at: int
    """By the machine's clock, unix seconds."""
    received_at: int
    body: str = field(repr=False)
    """A JSON object as it came."""

    @property
    def fields(self) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def from_row(row: sqlite3.Row) -> Telemetry:
    return Telemetry(row["event_id"], row["created_at"], row["received_at"], row["body"])


def get(tx: Tx, machine_id: int) -> Telemetry | None:
    row = tx.one("SELECT event_id, created_at, received_at, body FROM telemetry WHERE machine_id = ?", (machine_id,))
    return from_row(row) if row else None


def put(tx: Tx, machine_id: int, telemetry: Telemetry) -> None:
    tx.run(
        "INSERT INTO telemetry (machine_id, event_id, created_at, received_at, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (machine_id) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at,"
        " received_at = excluded.received_at, body = excluded.body",
        (machine_id, telemetry.event_id, telemetry.created_at, telemetry.received_at, telemetry.body),
    )
