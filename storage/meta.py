"""Single facts about the database and the process that last used it."""

from __future__ import annotations

from storage.db import Tx


def get(tx: Tx, key: str) -> str | None:
    row = tx.one("SELECT value FROM meta WHERE key = ?", (key,))
    return row["value"] if row else None


def put(tx: Tx, key: str, value: str) -> None:
    tx.run(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def drop(tx: Tx, key: str) -> None:
    tx.run("DELETE FROM meta WHERE key = ?", (key,))


def newest_time(tx: Tx) -> int:
    """The latest time that was ever booked: a clock that is behind it is wrong."""
    row = tx.one("SELECT max(at) AS at FROM (SELECT max(at) AS at FROM journal UNION ALL SELECT max(at) FROM audit)")
    return row["at"] or 0 if row else 0
