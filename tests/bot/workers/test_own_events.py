"""Relays are asked what they keep of the bot's own events: to the end, whatever they do, and nobody waits for long."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from bot.nostr import Keys
from bot.relays import Relays
from bot.workers.own_events import OwnEvents
from bot.workers.wakeup import Bells
from handlers import past
from storage import holds, outbox
from storage.db import Tx
from storage.outbox import Outgoing
from tests.bot.conftest import HURRY, until
from tests.bot.raw_relay import Peer
from tests.bot.trick_relay import TrickRelay
from tests.bot.workers.on_a_wire import DeskClock, count, running
from tests.handlers.desk import BOSS
from tests.handlers.till import Till

KEYS = Keys.generate()
COMPARED = "SELECT count(*) FROM relays WHERE compared_at IS NOT NULL"


@contextlib.asynccontextmanager
async def asking(
    till: Till, urls: Sequence[str], seconds: float = 20.0, lost_seconds: float = 60.0
) -> AsyncIterator[OwnEvents]:
    bells, clock = Bells(), DeskClock(till)
    timings = replace(HURRY, own_events_seconds=seconds, lost_seconds=lost_seconds)
    relays = Relays(urls, None, lambda *_: None, clock, on_state=lambda _url, _up: bells.ring_all(), timings=timings)
    made = OwnEvents(
        relays,
        till.desk.db,
        clock,
        bells.for_names,
        pubkey=KEYS.public_key,
        timings=timings,
        operators=lambda: frozenset({BOSS}),
        on_answered=bells.ring_all,
    )
    async with relays, running(made.run()):
        yield made


async def test_all_pages_are_read_and_the_genuine_ones_count(till: Till) -> None:
    """A relay gives a hundred at a time. What is forged, or another program's, is no reason; the last one is."""
    far = TrickRelay(page=100)
    cipher = KEYS.cipher()
    for number in range(250):
        others = cipher.sign(30_078, [("d", f"notes {number}")], "", till.now + 1_000 + number)
        await far.deliver(others.to_dict())
    receipt = cipher.sign(30_078, [("d", f"bitspire-receipt:{'ab' * 32}")], "", till.now + 10)
    await far.deliver({**receipt.to_dict(), "id": "0" * 64})
    await till.desk.tx(lambda tx: past.begin(tx, till.desk.db.witness, {BOSS}, till.now))
    async with far.running():
        async with asking(till, [far.url]) as made:
            await until(made.answered.is_set, "it has answered")
            assert await till.desk.tx(lambda tx: holds.get(tx, holds.PAST)) is None
        await far.deliver(receipt.to_dict())
        async with asking(till, [far.url]) as made:
            await until(made.answered.is_set, "it has answered")
            assert await till.desk.count("SELECT count(*) FROM holds WHERE name = 'past'") == 1


class Reluctant(TrickRelay):
    """It refuses the first questions."""

    refusals = 3

    async def _hear(self, peer: Peer, message: list[Any]) -> None:
        if message[0] == "REQ" and self.refusals:
            self.refusals -= 1
            await peer.say("CLOSED", message[1], "auth-required: not yet")
        else:
            await super()._hear(peer, message)


async def test_nobody_waits_for_long_and_who_comes_late_is_asked(till: Till) -> None:
    """One relay can't be reached, and the other refuses at first."""
    late = Reluctant()
    async with late.running(), asking(till, [late.url, "ws://127.0.0.1:1"], seconds=0.1) as made:
        await until(made.answered.is_set, "nobody is waited for any more", seconds=2.0)
        await count(till, COMPARED, is_=1)


async def said(till: Till, number: int, name: str = "lp", expires_in: int | None = None) -> set[str]:
    """The bot has published so many events; their ids."""

    def sign(outgoing: Outgoing) -> Callable[[int], str]:
        def signed(at: int) -> str:
            return json.dumps(KEYS.cipher().sign(30_078, outgoing.body["tags"], "", at).to_dict())

        return signed

    def work(tx: Tx) -> set[str]:
        tx.run("UPDATE outbox SET state = 'done'")
        for each in range(number):
            d = f"satmachine:balance:{name}{each}"
            outbox.put_replaceable(
                tx, kind=30_078, d=d, tags=[], content="", encrypt_to=None, now=till.now, expires_in=expires_in
            )
        made = set()
        for outgoing in outbox.due(tx, till.now, 10_000):
            text = outbox.sign_once(tx, outgoing, till.now, sign(outgoing))
            made.add(json.loads(text or "{}")["id"])
            outbox.done(tx, outgoing.id)
        return made

    return await till.desk.tx(work)


def kept(relay: TrickRelay) -> set[str]:
    return {event["id"] for event in relay.events}


async def test_a_relay_is_given_again_what_it_has_lost(till: Till) -> None:
    """The same bytes, to that relay alone, at the start, and each time it comes back; and nothing that was replaced."""
    whole, loser = TrickRelay(page=100), TrickRelay(page=100)
    await till.desk.tx(lambda tx: past.begin(tx, till.desk.db.witness, {BOSS}, till.now))
    await said(till, 3, "brief", expires_in=60)
    till.advance(61)
    ids = await said(till, 120)
    async with whole.running(), loser.running(), asking(till, [whole.url, loser.url], lost_seconds=0.1):
        await until(lambda: kept(loser) == kept(whole) == ids, "both have all")
        before = len(whole.events)
        loser.events.clear()
        for peer in list(loser.peers):
            peer.drop()
        await until(lambda: kept(loser) == ids, "it has all of it again", seconds=20.0)
        assert len(whole.events) == before


async def test_while_the_books_may_be_from_the_past_nothing_is_given_again(till: Till) -> None:
    """A later run of the bot may have said something else since."""
    far = TrickRelay()
    await said(till, 1)
    await till.desk.tx(lambda tx: holds.put(tx, holds.PAST, past.BEHIND, till.now))
    async with far.running(), asking(till, [far.url]) as made:
        await until(made.answered.is_set, "it has answered")
        await count(till, COMPARED, is_=1)
        assert far.events == []


async def test_a_relay_that_refuses_some_is_given_the_others(till: Till) -> None:
    far = TrickRelay(answer=lambda event: (not event["tags"][-1][1].endswith("0"), "blocked: not here"))
    await till.desk.tx(lambda tx: past.begin(tx, till.desk.db.witness, {BOSS}, till.now))
    await said(till, 12)
    async with far.running(), asking(till, [far.url]):
        await until(lambda: len(far.events) == 10, "all but those that it does not take")
