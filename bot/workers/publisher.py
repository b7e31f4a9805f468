"""Publishes what the outbox holds: at least once, until a relay has it or its time is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
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
from storage.outbox import Outgoing

log = structlog.get_logger(__name__)

AT_ONCE: Final = 32
STRANGERS_AT_ONCE: Final = 4
BATCH: Final = 128
RETRY_SECONDS: Final = (2, 5, 15, 60, 300)
OFFLINE_SECONDS: Final = 1.0


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

    async def run(self, may_begin: asyncio.Event) -> None:
        """Runs for ever. `may_begin` is set once what relays keep of us need not be kept from being replaced."""
        await may_begin.wait()
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

    async def _due(self) -> tuple[list[Outgoing], float]:
        """What is to be published now, and the seconds until there is something else; none where there is more now."""
        now = self._clock.now()
        busy = frozenset(self._in_hand)
        due, at = await self._db.read(lambda tx: (outbox.due(tx, now, BATCH, busy), outbox.next_due_at(tx, now)))
        first = [outgoing for outgoing in due if not outgoing.lane]
        if not first and not self._strangers.locked():
            first = due[:1]
        if first and (len(first) < len(due) or len(due) == BATCH):
            return first, 0.0
        return first, RETRY_SECONDS[-1] if at is None else at - now

    def _room_for(self, outgoing: Outgoing) -> asyncio.Semaphore:
        """Strangers name relays that answer nothing: their answers have a few places of their own."""
        return self._strangers if outgoing.lane else self._room

    async def flush(self) -> None:
        """Returns when nothing is left that could be published now."""
        while self._in_hand or (await self._due())[0]:  # noqa: ASYNC110 - the caller sets the deadline
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
                return wrap_dm(self._keys, body["to"], body["text"], body["answers"], outgoing.created_at)[0]
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
