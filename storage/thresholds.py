"""Thresholds of one machine, where they are not the configuration's. Their names: handlers/alarms/limits.py."""

from __future__ import annotations

from collections.abc import Mapping

from storage.db import Tx


def of_machine(tx: Tx, machine_id: int) -> dict[str, int]:
    rows = tx.all("SELECT name, value FROM thresholds WHERE machine_id = ? ORDER BY name", (machine_id,))
    return {row["name"]: row["value"] for row in rows}


def of_all(tx: Tx) -> dict[int, dict[str, int]]:
    """By the machine's id; of those that have any."""
    found: dict[int, dict[str, int]] = {}
    for row in tx.all("SELECT machine_id, name, value FROM thresholds ORDER BY machine_id, name"):
        found.setdefault(row["machine_id"], {})[row["name"]] = row["value"]
    return found


def put(tx: Tx, machine_id: int, values: Mapping[str, int | None]) -> None:
    """None: the configuration's from now on."""
    for name, value in values.items():
        if value is None:
            tx.run("DELETE FROM thresholds WHERE machine_id = ? AND name = ?", (machine_id, name))
        else:
            tx.run(
                "INSERT INTO thresholds (machine_id, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (machine_id, name) DO UPDATE SET value = excluded.value",
                (machine_id, name, value),
            )
    tx.touch("thresholds")
