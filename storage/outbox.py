"""What is to be published: written by the transaction that decided it, done later, at least once.

A replaceable event is signed when its turn comes, because its time must be later than that of the one before; once
signed it stays as it is until a relay has it. Its content is published only if it is not what was published last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.db import Tx

LIFE_SECONDS: Final = 7 * 86_400
ANSWER_LIFE_SECONDS: Final = 6 * 3_600
"""Whoever gave an order asks again; some relays slow down everything for a message that they will never take."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    id: int
    kind: str
    """`event`, `replaceable`, `dm` (NIP-17) or `signed_dm` (kind 14 that is signed)."""
    body: dict[str, Any]
    coordinate: str | None
    lane: int
    event: str | None
    created_at: int
    tries: int
    give_up_at: int


@dataclass(frozen=True, slots=True)
class Coming:
    """A direct message (NIP-17) that is being put here: what it depends on."""

    to: str
    text: str
    answers: str | None
    created_at: int


def put_event(
    tx: Tx, *, kind: int, tags: Sequence[Sequence[str]], content: str, encrypt_to: str | None, now: int, life: int
) -> None:
    """An event that is not replaced by a later one; `life` seconds long it is tried."""
    _put(tx, "event", {"kind": kind, "tags": tags, "content": content, "encrypt_to": encrypt_to}, None, now, life)


def put_replaceable(  # noqa: PLR0913 - what an event is made of, and what becomes of it
    tx: Tx,
    *,
    kind: int,
    d: str | None,
    tags: Sequence[Sequence[str]],
    content: str,
    encrypt_to: str | None,
    now: int,
    expires_in: int | None = None,
    meaning: str | None = None,
    keep: bool = True,
) -> None:
    """The newest content of a replaceable event. `meaning` is what must differ for it to be published at all, where
    that is not just the content (which may tell the time). `keep`: a relay that loses it is given it again."""
    coordinate = coordinate_of(kind, d, encrypt_to)
    digest = _digest(content if meaning is None else meaning)
    if _last_digest(tx, coordinate) == digest:
        return
    body = {
        "kind": kind,
        "tags": [*tags, *([["d", d]] if d is not None else [])],
        "content": content,
        "encrypt_to": encrypt_to,
        "expires_in": expires_in,
        "digest": digest,
        "keep": keep,
    }
    _put(tx, "replaceable", body, coordinate, now, expires_in or LIFE_SECONDS)


def is_news(tx: Tx, coordinate: str, meaning: str) -> bool:
    """Whether `put_replaceable` would put it."""
    return _last_digest(tx, coordinate) != _digest(meaning)


def coordinate_of(kind: int, d: str | None, encrypt_to: str | None) -> str:
    """What a later event replaces. It stands in `published` for good: written otherwise, what is there is unknown."""
    return f"{kind}:{d or ''}:{encrypt_to or ''}"


def put_dm(tx: Tx, *, to: str, text: str, answers: str | None, signed: bool, now: int, stranger: bool = False) -> None:
    """A direct message to `to`; `answers` is the id of the rumor (or signed kind 14) that it answers. One to a
    stranger waits until nothing else does."""
    body = {"to": to, "text": text, "answers": answers}
    life = LIFE_SECONDS if answers is None else ANSWER_LIFE_SECONDS
    if not signed and not stranger:
        tx.coming.append(Coming(to, text, answers, now))
    _put(tx, "signed_dm" if signed else "dm", body, None, now, life, lane=int(stranger))


def _put(
    tx: Tx, kind: str, body: dict[str, Any], coordinate: str | None, now: int, life: int, *, lane: int = 0
) -> None:
    tx.insert(
        "outbox",
        kind=kind,
        body=json.dumps(body, separators=(",", ":"), ensure_ascii=False),
        coordinate=coordinate,
        lane=lane,
        created_at=now,
        next_try_at=now,
        give_up_at=now + life,
    )
    tx.touch("outbox")


def due(tx: Tx, now: int, limit: int) -> list[Outgoing]:
    """What is to be tried now, oldest first; of each coordinate only the first."""
    rows = tx.all(
        "SELECT * FROM outbox o WHERE state = 'waiting' AND next_try_at <= ? AND (coordinate IS NULL OR NOT EXISTS ("
        " SELECT 1 FROM outbox b WHERE b.state = 'waiting' AND b.coordinate = o.coordinate AND b.id < o.id))"
        " ORDER BY lane, id LIMIT ?",
        (now, limit),
    )
    return [
        Outgoing(
            id=row["id"],
            kind=row["kind"],
            body=json.loads(row["body"]),
            coordinate=row["coordinate"],
            lane=row["lane"],
            event=row["event"],
            created_at=row["created_at"],
            tries=row["tries"],
            give_up_at=row["give_up_at"],
        )
        for row in rows
    ]


def next_due_at(tx: Tx, now: int) -> int | None:
    """When the next one that is not due yet comes due."""
    row = tx.one("SELECT min(next_try_at) AS at FROM outbox WHERE state = 'waiting' AND next_try_at > ?", (now,))
    return row["at"] if row else None


def sign_once(tx: Tx, outgoing: Outgoing, now: int, sign: Callable[[int], str]) -> str | None:
    """The signed text of a replaceable event: made by `sign(created_at)` the first time, the same ever after. None
    when nothing is to be published: a later one waits already, or the content is what was published last."""
    if outgoing.event is not None:
        return outgoing.event
    assert outgoing.coordinate is not None
    later = tx.one(
        "SELECT 1 FROM outbox WHERE state = 'waiting' AND coordinate = ? AND id > ?", (outgoing.coordinate, outgoing.id)
    )
    last = tx.one("SELECT created_at, digest FROM published WHERE coordinate = ?", (outgoing.coordinate,))
    if later is not None or (last is not None and last["digest"] == outgoing.body["digest"]):
        done(tx, outgoing.id)
        return None
    created_at = max(now, last["created_at"] + 1) if last else now
    text = sign(created_at)
    life = outgoing.body["expires_in"]
    tx.run(
        "INSERT INTO published (coordinate, created_at, digest, event, expires_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (coordinate) DO UPDATE SET created_at = excluded.created_at, digest = excluded.digest,"
        " event = excluded.event, expires_at = excluded.expires_at",
        (
            outgoing.coordinate,
            created_at,
            outgoing.body["digest"],
            text if outgoing.body["keep"] else None,
            created_at + life if life else None,
        ),
    )
    tx.run("UPDATE outbox SET event = ? WHERE id = ?", (text, outgoing.id))
    return text


def signed(tx: Tx, coordinate: str, created_at: int) -> bool:
    """Whether this, or one that replaces it, was signed by `sign_once`, or taken over. It is remembered for good."""
    return (
        tx.one("SELECT 1 FROM published WHERE coordinate = ? AND created_at >= ?", (coordinate, created_at)) is not None
    )


def published_at(tx: Tx, coordinate: str) -> int | None:
    """When the newest of it was signed, unix seconds."""
    row = tx.one("SELECT created_at FROM published WHERE coordinate = ?", (coordinate,))
    return row["created_at"] if row else None


def take_over(tx: Tx, coordinate: str, created_at: int) -> None:
    """One of ours that is not from these books is at a relay: the next is later, and is published whatever it says."""
    tx.run(
        "INSERT INTO published (coordinate, created_at, digest) VALUES (?, ?, '')"
        " ON CONFLICT (coordinate) DO UPDATE SET created_at = excluded.created_at, digest = '', event = NULL,"
        " expires_at = NULL WHERE excluded.created_at > created_at",
        (coordinate, created_at),
    )


def kept(tx: Tx, after: str, limit: int, now: int) -> list[tuple[str, str]]:
    """What relays should have of ours: coordinate and event as it was signed. Nothing that the outbox still holds."""
    rows = tx.all(
        "SELECT coordinate, event FROM published p WHERE event IS NOT NULL AND coordinate > ?"
        " AND (expires_at IS NULL OR expires_at > ?) AND NOT EXISTS ("
        " SELECT 1 FROM outbox o WHERE o.state = 'waiting' AND o.coordinate = p.coordinate)"
        " ORDER BY coordinate LIMIT ?",
        (after, now, limit),
    )
    return [(row["coordinate"], row["event"]) for row in rows]


def published_below(tx: Tx, beginning: str) -> list[str]:
    """Coordinates that begin so and of which relays should have an event."""
    rows = tx.all(
        "SELECT coordinate FROM published WHERE event IS NOT NULL AND coordinate >= ? AND coordinate < ?",
        (beginning, beginning[:-1] + chr(ord(beginning[-1]) + 1)),
    )
    return [row["coordinate"] for row in rows]


def let_go(tx: Tx, coordinate: str) -> None:
    """Nothing of it is published any more; whatever comes next there is, and later than it."""
    tx.run("UPDATE outbox SET state = 'done' WHERE state = 'waiting' AND coordinate = ?", (coordinate,))
    tx.run(
        "UPDATE published SET digest = '', event = NULL, expires_at = NULL WHERE coordinate = ?",
        (coordinate,),
    )


def no_later_than(tx: Tx, latest: int) -> None:
    """A clock that was ahead and came back must not leave messages waiting for a day that is far away."""
    tx.run("UPDATE outbox SET next_try_at = ? WHERE state = 'waiting' AND next_try_at > ?", (latest, latest))


def done(tx: Tx, outgoing_id: int) -> None:
    tx.run("UPDATE outbox SET state = 'done', error = NULL WHERE id = ?", (outgoing_id,))
    tx.touch("outbox")


def put_off(tx: Tx, outgoing: Outgoing, *, error: str, now: int, delay: int) -> bool:
    """Not accepted by any relay: tried again after `delay`, or given up (False) when its life is over."""
    waits = now + delay < outgoing.give_up_at
    tx.run(
        "UPDATE outbox SET tries = tries + 1, next_try_at = ?, error = ?, state = ? WHERE id = ?",
        (now + delay, error, "waiting" if waits else "given_up", outgoing.id),
    )
    tx.touch("outbox")
    return waits


def forget_done(tx: Tx, before: int) -> None:
    """The outbox is a queue, not history: what was done long ago is dropped."""
    tx.run("DELETE FROM outbox WHERE state <> 'waiting' AND created_at < ?", (before,))


def _last_digest(tx: Tx, coordinate: str) -> str | None:
    """Of what waits to be published last, or was."""
    waiting = tx.one(
        "SELECT body ->> 'digest' AS digest FROM outbox WHERE state = 'waiting' AND coordinate = ?"
        " ORDER BY id DESC LIMIT 1",
        (coordinate,),
    )
    last = waiting or tx.one("SELECT digest FROM published WHERE coordinate = ?", (coordinate,))
    return last["digest"] if last else None


def _digest(meaning: str) -> str:
    return hashlib.sha256(meaning.encode()).hexdigest()
