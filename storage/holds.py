"""The bot's own reasons for paying nothing new. They outlive the process, and only what lifts them ends them.

A pause is somebody's word, a hold is a finding: `resume` lifts none that still has its cause. What is in flight is
followed up all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from storage.db import Tx

BOOKS: Final = "books"
"""The books don't hold against their own rules."""
PAST: Final = "past"
"""The database is from the past: what was paid since may not be in it."""


@dataclass(frozen=True, slots=True)
class Hold:
    name: str
    since: int
    """Unix seconds."""
    reason: str
    """An English sentence of `handlers.replies.stored`, without any secret."""


def put(tx: Tx, name: str, reason: str, now: int) -> bool:
    """Nothing new is paid from this commit on. False where this was held before; the first reason stands."""
    cursor = tx.run(
        "INSERT INTO holds (name, since, reason) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", (name, now, reason)
    )
    if cursor.rowcount != 1:
        return False
    tx.touch("holds")
    return True


def lift(tx: Tx, name: str) -> bool:
    """Its cause is gone. False where it was not held."""
    if tx.run("DELETE FROM holds WHERE name = ?", (name,)).rowcount != 1:
        return False
    tx.touch("holds", "legs", "attempts")
    return True


def get(tx: Tx, name: str) -> Hold | None:
    row = tx.one("SELECT name, since, reason FROM holds WHERE name = ?", (name,))
    return Hold(row["name"], row["since"], row["reason"]) if row else None


def all(tx: Tx) -> list[Hold]:  # noqa: A001 - read as holds.all
    """What holds, in the order of time."""
    rows = tx.all("SELECT name, since, reason FROM holds ORDER BY since, name")
    return [Hold(row["name"], row["since"], row["reason"]) for row in rows]


def any(tx: Tx) -> bool:  # noqa: A001 - read as holds.any
    """Whether nothing new may be paid."""
    return tx.one("SELECT 1 FROM holds LIMIT 1") is not None
