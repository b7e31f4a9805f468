"""Orders that were acted on, for ever; money orders that wait for their code; and how much anybody may ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from storage.db import Tx
from storage.errors import is_broken

MINUTE: Final = 60
DAY: Final = 86_400
_WAITING_PER_SENDER: Final = 20


@contextmanager
def undone_on_error(tx: Tx) -> Iterator[None]:
    """What happens inside is undone when it raises, and only that; the error goes on. Where the disk is at fault,
    nothing more is tried: the whole transaction is lost."""
    touched, seals = set(tx.touched), dict(tx.seals)
    tx.run("SAVEPOINT one_order")
    try:
        yield
    except BaseException as error:
        if is_broken(error):
            raise
        tx.run("ROLLBACK TO one_order")
        tx.run("RELEASE one_order")
        tx.touched.intersection_update(touched)
        tx.seals = seals
        raise
    tx.run("RELEASE one_order")


@dataclass(frozen=True, slots=True)
class Kept:
    """An order of a sender under the sender's own id."""

    digest: str
    answer: str


def acted_on(tx: Tx, rumor_id: str) -> bool:
    return tx.one("SELECT 1 FROM orders WHERE rumor_id = ?", (rumor_id,)) is not None


def by_order_id(tx: Tx, sender: str, order_id: str) -> Kept | None:
    row = tx.one("SELECT digest, answer FROM orders WHERE sender = ? AND order_id = ?", (sender, order_id))
    return Kept(row["digest"], row["answer"]) if row else None


def keep(
    tx: Tx, *, rumor_id: str, sender: str, order_id: str | None, digest: str, method: str, answer: str, now: int
) -> None:
    """`answer` is kept where the sender's own id may ask for it again."""
    tx.insert(
        "orders",
        rumor_id=rumor_id,
        sender=sender,
        order_id=order_id,
        digest=digest,
        method=method,
        answer=answer if order_id is not None else "",
        received_at=now,
    )


def is_own_message(tx: Tx, own_pubkey: str, text: str) -> bool:
    """Whether this text was sent by us to ourselves: where the bot's own key gives orders, its answers come back."""
    row = tx.one(
        "SELECT 1 FROM outbox WHERE kind IN ('dm', 'signed_dm') AND json_extract(body, '$.to') = ?"
        " AND json_extract(body, '$.text') = ? LIMIT 1",
        (own_pubkey, text),
    )
    return row is not None


def count_order(tx: Tx, sender: str, now: int) -> int:
    """Counts one more message of this sender; how many there were within a minute, this one included."""
    first, last = f"orders:{sender}:{now - MINUTE + 1:012d}", f"orders:{sender}:{now:012d}"
    rows = tx.all(
        "INSERT INTO counters (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
        " RETURNING value",
        (last,),
    )
    if rows[0]["value"] == 1:
        tx.run("DELETE FROM counters WHERE name >= ? AND name < ?", (f"orders:{sender}:", first))
    row = tx.one("SELECT sum(value) AS total FROM counters WHERE name BETWEEN ? AND ?", (first, last))
    return int(row["total"]) if row else 0


def stranger_may_be_answered(tx: Tx, pubkey: str, now: int) -> bool:
    """At most once a day: True takes that one answer."""
    cursor = tx.run(
        "INSERT INTO strangers (pubkey, answered_at) VALUES (?, ?) ON CONFLICT (pubkey) DO UPDATE"
        " SET answered_at = excluded.answered_at WHERE strangers.answered_at <= ?",
        (pubkey, now, now - DAY),
    )
    return cursor.rowcount == 1


def forget(tx: Tx, now: int) -> None:
    """Housekeeping: strangers answered more than a day ago, codes that have run out, counts of former minutes."""
    tx.run("DELETE FROM strangers WHERE answered_at <= ?", (now - DAY,))
    tx.run("DELETE FROM confirmations WHERE expires_at <= ?", (now,))
    tx.run(
        "DELETE FROM counters WHERE name >= 'orders:' AND name < 'orders;' AND CAST(substr(name, -12) AS INTEGER) <= ?",
        (now - MINUTE,),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A money order that waits for its code."""

    method: str
    params: dict[str, Any]
    preview: str
    """Canonical JSON of what would happen when the code was given out."""


def offer(tx: Tx, *, code: str, sender: str, waiting: Waiting, expires_at: int, now: int) -> None:
    """Keeps a money order until its code comes. A sender has only so many waiting; the oldest go."""
    tx.run("DELETE FROM confirmations WHERE expires_at <= ?", (now,))
    tx.insert(
        "confirmations",
        code=code,
        sender=sender,
        method=waiting.method,
        params=json.dumps(waiting.params, ensure_ascii=False),
        preview=waiting.preview,
        expires_at=expires_at,
    )
    tx.run(
        "DELETE FROM confirmations WHERE sender = :sender AND code NOT IN (SELECT code FROM confirmations"
        " WHERE sender = :sender ORDER BY expires_at DESC LIMIT :most)",
        {"sender": sender, "most": _WAITING_PER_SENDER},
    )


def take_waiting(tx: Tx, sender: str, code: str, now: int) -> Waiting | None:
    """The order that this sender's code stands for; a code works once."""
    rows = tx.all(
        "DELETE FROM confirmations WHERE sender = ? AND code = ? AND expires_at > ? RETURNING method, params, preview",
        (sender, code, now),
    )
    return Waiting(rows[0]["method"], json.loads(rows[0]["params"]), rows[0]["preview"]) if rows else None
