"""Relays are asked what they keep of the bot's own events: to the end, whatever they do, and nobody waits for long."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from bot.nostr import Keys
from bot.relays import Relays
from bot.workers.own_events import OwnEvents
from bot.workers.wakeup import Bells
from handlers import past
from storage import holds
from tests.bot.conftest import HURRY, until
from tests.bot.raw_relay import Peer
from tests.bot.trick_relay import TrickRelay
from tests.bot.workers.on_a_wire import DeskClock, count, running
from tests.handlers.desk import BOSS
from tests.handlers.till import Till

KEYS = Keys.generate()
COMPARED = "SELECT count(*) FROM relays WHERE compared_at IS NOT NULL"


@contextlib.asynccontextmanager
async def asking(till: Till, urls: Sequence[str], seconds: float = 20.0) -> AsyncIterator[OwnEvents]:
    bells, clock = Bells(), DeskClock(till)
    timings = replace(HURRY, own_events_seconds=seconds)
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
