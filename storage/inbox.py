"""Events that were acted on: one more copy, from whichever relay and whenever, changes nothing."""

from __future__ import annotations

from storage.db import Tx


def take(tx: Tx, event_id: str, kind: int, pubkey: str, now: int) -> bool:
    """True the first time; the row is in the same commit as what the event causes."""
    cursor = tx.run(
        "INSERT OR IGNORE INTO inbox (event_id, kind, pubkey, received_at) VALUES (?, ?, ?, ?)",
        (event_id, kind, pubkey, now),
    )
    return cursor.rowcount == 1


def known(tx: Tx, event_ids: list[str]) -> set[str]:
    """Which of these were taken before: asked ahead of costly work such as decryption."""
    marks = ",".join("?" * len(event_ids))
    rows = tx.all(f"SELECT event_id FROM inbox WHERE event_id IN ({marks})", event_ids)  # noqa: S608
    return {row["event_id"] for row in rows}


def forget(tx: Tx, before: int) -> None:
    """Drops rows so old that no relay window reaches back to them; orders and settlements have ids of their own."""
    tx.run("DELETE FROM inbox WHERE received_at < ?", (before,))


def count(tx: Tx, name: str, by: int = 1) -> None:
    """Counts what is only counted: strangers, malformed events."""
    tx.run(
        "INSERT INTO counters (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        (name, by),
    )
