"""Publishes what the outbox holds: at least once, until a relay has it or its time is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bot.contacts import Contacts
from bot.nostr import Keys, make_direct, wrap_dm
from bot.relays import Relays
from bot.workers.wakeup import Bell
from nwc.event import Event
from nwc.ports import Clock
from storage import outbox
from storage.db import Database, Tx
from storage.errors import StorageBroken
from storage.outbox import Coming, Outgoing

log = structlog.get_logger(__name__)

AT_ONCE: Final = 32
STRANGERS_AT_ONCE: Final = 4
IN_HAND: Final = AT_ONCE + STRANGERS_AT_ONCE + 1
"""At most: what has a place, and what waits for one."""
BATCH: Final = 128
READY: Final = 4
"""So many messages of a commit are wrapped while it goes on: a millisecond or two, which it takes anyway."""
RETRY_SECONDS: Final = (2, 5, 15, 60, 300)
OFFLINE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    due: list[Outgoing]
    next_at: int | None
    """When the next one that is not due yet comes due."""


class Publisher:
    """The one task through which events of the operator's key leave the process."""

    def __init__(self, db: Database, relays: Relays, contacts: Contacts, keys: Keys, clock: Clock, bell: Bell) -> None:
        self._db = db
        self._relays = relays
        self._contacts = contacts
        self._keys = keys
        self._cipher = keys.cipher()
        self._clock = clock
        self._bell = bell
        self._room = asyncio.Semaphore(AT_ONCE)
        self._strangers = asyncio.Semaphore(STRANGERS_AT_ONCE)
        self._in_hand: set[int] = set()
        self._news: Waiting | None = None
        """What waits as of the last commit; None where that was looked at."""
        self._ready: OrderedDict[Coming, Event] = OrderedDict()
        """Messages that were wrapped while they were being committed; most are taken out again at once."""

    async def run(self, may_begin: asyncio.Event) -> None:
        """Runs for ever. `may_begin` is set once what relays keep of us need not be kept from being replaced."""
        await may_begin.wait()
        self._db.follow("outbox", self._waiting, self._hear)
        self._db.before_commit(self._make_ready)
        async with asyncio.TaskGroup() as group:
            while True:
                if not self._relays.connected():
                    await self._bell.wait(OFFLINE_SECONDS)
                    continue
                due, seconds = await self._due()
                for outgoing in due:
                    self._in_hand.add(outgoing.id)
                    await self._room_for(outgoing).acquire()
                    group.create_task(self._work(outgoing), name=f"publish {outgoing.id}")
                if seconds:
                    await self._bell.wait(seconds)

    def _waiting(self, tx: Tx) -> Waiting:
        now = self._clock.now()
        return Waiting(outbox.due(tx, now, BATCH + IN_HAND), outbox.next_due_at(tx, now))

    def _hear(self, waiting: Waiting) -> None:
        self._news = waiting

    def _make_ready(self, coming: list[Coming]) -> None:
        """Wraps while the disk is busy with the commit. It is published for a row of the outbox alone, if one says the
        same."""
        for each in coming[:READY]:
            with contextlib.suppress(ValueError):  # said where it is published
                self._ready[each] = self._wrapped(each)
        while len(self._ready) > READY:
            self._ready.popitem(last=False)

    def _wrapped(self, coming: Coming) -> Event:
        return wrap_dm(self._keys, coming.to, coming.text, coming.answers, coming.created_at)[0]

    async def _due(self) -> tuple[list[Outgoing], float]:
        """What is to be published now, and the seconds until there is something else; none where there is more now.

        After a commit it is known already. What is done leaves the hand after its commit was heard of: so what waited
        as of the last commit, or when it was read, and is not in hand was not done since.
        """
        busy = set(self._in_hand)
        waiting, self._news = self._news, None
        if waiting is None:
            waiting = await self._db.read(self._waiting)
        due = [outgoing for outgoing in waiting.due if outgoing.id not in busy | self._in_hand][:BATCH]
        first = [outgoing for outgoing in due if not outgoing.lane]
        if not first and not self._strangers.locked():
            first = due[:1]
        if first and (len(first) < len(due) or len(due) == BATCH):
            return first, 0.0
        return first, RETRY_SECONDS[-1] if waiting.next_at is None else waiting.next_at - self._clock.now()

    def _room_for(self, outgoing: Outgoing) -> asyncio.Semaphore:
        """Strangers name relays that answer nothing: their answers have a few places of their own."""
        return self._strangers if outgoing.lane else self._room

    async def flush(self) -> None:
        """Returns when nothing is left that could be published now."""
        while self._in_hand or (await self._db.read(self._waiting)).due:  # noqa: ASYNC110 - the caller sets the deadline
            await asyncio.sleep(0.05)

    async def _work(self, outgoing: Outgoing) -> None:
        try:
            await self._publish(outgoing)
        except (StorageBroken, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("publish_failed", outgoing=outgoing.id, kind=outgoing.kind)
            await self._db.write(lambda tx: self._put_off(tx, outgoing, "internal"))
        finally:
            self._in_hand.discard(outgoing.id)
            self._room_for(outgoing).release()
            if outgoing.lane:
                self._bell.ring()

    async def _publish(self, outgoing: Outgoing) -> None:
        event = await self._event(outgoing)
        if event is None:
            return
        relays = await self._contacts.dm_relays(outgoing.body["to"]) if outgoing.kind == "dm" else ()
        accepted = bool(relays) and bool((await self._relays.publish_to(relays, event)).accepted)
        error = ""
        if not accepted:
            result = await self._relays.publish(event)
            accepted = bool(result.accepted)
            error = "; ".join([*result.refused.values(), *result.silent.values()])[:200]
        if accepted:
            await self._db.write(lambda tx: outbox.done(tx, outgoing.id))
        else:
            await self._db.write(lambda tx: self._put_off(tx, outgoing, error))

    def _put_off(self, tx: Tx, outgoing: Outgoing, error: str) -> None:
        delay = RETRY_SECONDS[min(outgoing.tries, len(RETRY_SECONDS) - 1)]
        if not outbox.put_off(tx, outgoing, error=error, now=self._clock.now(), delay=delay):
            log.warning("publish_given_up", kind=outgoing.kind, error=error)

    async def _event(self, outgoing: Outgoing) -> Event | None:
        body = outgoing.body
        match outgoing.kind:
            case "event":
                return self._signed(body, self._clock.now())
            case "dm":
                # The rumor's time is that of the decision: sent again after a crash, it is the same message.
                coming = Coming(body["to"], body["text"], body["answers"], outgoing.created_at)
                return self._ready.pop(coming, None) or self._wrapped(coming)
            case "signed_dm":
                return make_direct(self._keys, body["to"], body["text"], body["answers"], outgoing.created_at)
            case "replaceable":
                text = await self._db.write(
                    lambda tx: outbox.sign_once(
                        tx, outgoing, self._clock.now(), lambda at: json.dumps(self._signed(body, at).to_dict())
                    )
                )
                return Event.from_dict(json.loads(text)) if text is not None else None
            case _:
                raise AssertionError(f"an outbox row of kind {outgoing.kind}")

    def _signed(self, body: Mapping[str, Any], created_at: int) -> Event:
        content, tags = body["content"], list(body["tags"])
        if body["encrypt_to"]:
            content = self._cipher.nip44_encrypt(body["encrypt_to"], content)
        if body.get("expires_in"):
            tags.append(["expiration", str(created_at + body["expires_in"])])
        return self._cipher.sign(body["kind"], tags, content, created_at)
