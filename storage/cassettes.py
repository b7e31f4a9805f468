"""What is in each machine's bays, as it is believed and as the machine reported it, and the config that was sent to it.

Counts change by `storage.cash` alone, which notes every change; here is what the machine itself says.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.cash import Bay, Notes
from storage.db import Tx

CLOCKS_APART_SECONDS: Final = 30
"""A machine's clock may be so far behind: what it says at once after a config is dated before it then."""


@dataclass(frozen=True, slots=True)
class CassetteState:
    """Which state is the newest that came, and which config was sent last. Times are unix seconds."""

    event_id: str | None
    """None: the machine has not reported yet."""
    created_at: int | None
    """By the machine's clock."""
    received_at: int | None
    config: Mapping[int, tuple[int, int]] | None
    """What was sent: denomination and count by position."""
    config_at: int | None
    applied_at: int | None
    """When a state of after the config showed what is believed to be in all bays that were sent."""


def state(tx: Tx, machine_id: int) -> CassetteState | None:
    """None: the machine never reported, and nothing was sent to it."""
    row = tx.one("SELECT * FROM cassettes WHERE machine_id = ?", (machine_id,))
    if row is None:
        return None
    config = json.loads(row["config"]) if row["config"] is not None else None
    return CassetteState(
        event_id=row["event_id"],
        created_at=row["created_at"],
        received_at=row["received_at"],
        config=None if config is None else {int(place): (held[0], held[1]) for place, held in config.items()},
        config_at=row["config_at"],
        applied_at=row["applied_at"],
    )


def bays(tx: Tx, machine_id: int) -> list[Bay]:
    """By position."""
    return [_bay(row) for row in tx.all("SELECT * FROM bays WHERE machine_id = ? ORDER BY position", (machine_id,))]


def _bay(row: sqlite3.Row) -> Bay:
    return Bay(
        position=row["position"],
        denomination=row["denomination"],
        count=row["count"],
        reported_denomination=row["reported_denomination"],
        reported_count=row["reported_count"],
        differs_since=row["differs_since"],
        left_out_since=row["left_out_since"],
    )


def reported(
    tx: Tx, machine_id: int, found: Sequence[Notes], *, event_id: str, created_at: int, seen_at: int, now: int
) -> list[Notes]:
    """Notes a newer state of the machine: what it shows of bays that are known. Returns the bays that are not, which
    are the caller's to make."""
    tx.run(
        "INSERT INTO cassettes (machine_id, event_id, created_at, received_at) VALUES (:id, :event, :created, :seen)"
        " ON CONFLICT (machine_id) DO UPDATE SET event_id = :event, created_at = :created, received_at = :seen",
        {"id": machine_id, "event": event_id, "created": created_at, "seen": seen_at},
    )
    shown = {each.position: (each.denomination, each.notes) for each in found}
    known = {bay.position for bay in bays(tx, machine_id)}
    tx.many(
        "UPDATE bays SET reported_denomination = ?, reported_count = ?, left_out_since = NULL"
        " WHERE machine_id = ? AND position = ?",
        [(*shown[position], machine_id, position) for position in shown.keys() & known],
    )
    tx.many(
        "UPDATE bays SET left_out_since = coalesce(left_out_since, ?) WHERE machine_id = ? AND position = ?",
        [(now, machine_id, position) for position in known - shown.keys()],
    )
    note_differences(tx, machine_id, now)
    return [each for each in found if each.position not in known]


def note_differences(tx: Tx, machine_id: int, now: int) -> None:
    """Since when each bay is believed to hold something else than is reported, and whether the machine has taken the
    config that was sent: cash-outs may have changed the counts since, on both sides."""
    tx.run(
        "UPDATE bays SET differs_since = CASE WHEN left_out_since IS NULL AND denomination = reported_denomination"
        " AND count = reported_count THEN NULL ELSE coalesce(differs_since, :now) END WHERE machine_id = :id"
        " AND (differs_since IS NULL) <> (left_out_since IS NULL AND denomination = reported_denomination"
        " AND count = reported_count)",
        {"id": machine_id, "now": now},
    )
    tx.run(
        "UPDATE cassettes SET applied_at = :now WHERE machine_id = :id AND applied_at IS NULL"
        " AND created_at >= config_at - :apart AND NOT EXISTS (SELECT 1 FROM json_each(cassettes.config) c"
        " LEFT JOIN bays b ON b.machine_id = :id AND b.position = CAST(c.key AS INTEGER)"
        " WHERE b.position IS NULL OR b.differs_since IS NOT NULL)",
        {"id": machine_id, "now": now, "apart": CLOCKS_APART_SECONDS},
    )


def sent(tx: Tx, machine_id: int, config: Iterable[Bay], now: int) -> None:
    """A config with what is believed to be in these bays goes to the machine: whether it takes it, its states show."""
    text = json.dumps({bay.position: [bay.denomination, bay.count] for bay in config}, separators=(",", ":"))
    tx.run(
        "INSERT INTO cassettes (machine_id, config, config_at) VALUES (:id, :config, :now) ON CONFLICT (machine_id)"
        " DO UPDATE SET config = :config, config_at = :now, applied_at = NULL",
        {"id": machine_id, "config": text, "now": now},
    )
