"""What people were told of by the bot's own rules: once for each cause, and again only after it was gone or changed."""

from __future__ import annotations

from storage.db import Tx


def news(tx: Tx, cause: str, now: int, what: str = "") -> bool:
    """Whether this is to be told now; it counts as told from here on. `what` tells one state of a cause from another.
    For causes whose end is seen: `over`."""
    row = tx.one("SELECT what FROM told WHERE cause = ?", (cause,))
    if row is not None and row["what"] == what:
        return False
    _note(tx, cause, what, now)
    return True


def recurs(tx: Tx, cause: str, now: int, *, gone_after: int) -> bool:
    """Whether this is to be told now. For causes that are met again and again while they last: gone is one that was
    not met for so many seconds."""
    row = tx.one("SELECT at FROM told WHERE cause = ?", (cause,))
    _note(tx, cause, "", now)
    return row is None or now - row["at"] >= gone_after


def again(tx: Tx, cause: str, now: int, *, every: int) -> bool:
    """Whether this is to be told now; it counts as told from here on. For causes that come and go: each is told once
    in so many seconds at most, however often it comes."""
    row = tx.one("SELECT at FROM told WHERE cause = ?", (cause,))
    if row is not None and now - row["at"] < every:
        return False
    _note(tx, cause, "", now)
    return True


def over(tx: Tx, cause: str) -> bool:
    """The cause is gone: it would be news again. True where it had been told of."""
    return tx.run("DELETE FROM told WHERE cause = ?", (cause,)).rowcount == 1


def _note(tx: Tx, cause: str, what: str, now: int) -> None:
    tx.run(
        "INSERT INTO told (cause, what, at) VALUES (?, ?, ?)"
        " ON CONFLICT (cause) DO UPDATE SET what = excluded.what, at = excluded.at",
        (cause, what, now),
    )
