"""What is known of each relay from one run to the next. Times are unix seconds."""

from __future__ import annotations

from storage.db import Tx


def listen_from(tx: Tx, now: int) -> tuple[int, dict[str, int]]:
    """From when on stored events are still to be read: at any relay, and at each of those that were read to the end.
    Never later than `now`, whatever a clock said then."""
    rows = tx.all("SELECT url, caught_up_at FROM relays WHERE caught_up_at IS NOT NULL")
    each = {row["url"]: min(row["caught_up_at"], now) for row in rows}
    return max(each.values(), default=now), each


def set_caught_up(tx: Tx, url: str, at: int) -> None:
    tx.run(
        "INSERT INTO relays (url, caught_up_at) VALUES (:url, :at)"
        " ON CONFLICT (url) DO UPDATE SET caught_up_at = :at WHERE caught_up_at IS NOT :at",
        {"url": url, "at": at},
    )


def compared_at(tx: Tx, url: str) -> int | None:
    """When what this relay keeps of the bot's own events was last compared with what the database knows of them."""
    row = tx.one("SELECT compared_at FROM relays WHERE url = ?", (url,))
    return row["compared_at"] if row else None


def set_compared(tx: Tx, url: str, at: int) -> None:
    tx.run(
        "INSERT INTO relays (url, compared_at) VALUES (:url, :at) ON CONFLICT (url) DO UPDATE SET compared_at = :at",
        {"url": url, "at": at},
    )
