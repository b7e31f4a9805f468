"""The order in which things are acted on, while relays bring what they kept and when they don't."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bot.intake import Intake
from bot.nostr import Keys, make_direct, wrap_dm
from bot.query import Subscription
from bot.questions import Questions
from bot.workers.wakeup import Bells
from handlers.context import Live
from storage.db import Database
from tests.fresh import open_fresh
from tests.handlers.desk import SETTINGS
from tests.parts.clocks import MovableClock

FAST, SLOW = "wss://fast.example", "wss://slow.example"


@dataclass
class Ears:
    """Relays that bring nothing by themselves."""

    behind: set[str] = field(default_factory=set)
    asked: dict[str, Subscription] = field(default_factory=dict)

    def catching_up(self) -> set[str]:
        return self.behind

    def subscribe(self, subscription: Subscription) -> None:
        self.asked[subscription.name] = subscription

    def unsubscribe(self, name: str) -> None:
        del self.asked[name]


@dataclass
class Ear:
    """An intake at work, and the relays that catch up."""

    intake: Intake
    db: Database
    bot: Keys
    boss: Keys
    now: int
    relays: Ears

    @property
    def catching_up(self) -> set[str]:
        return self.relays.behind

    def hear(self, order: str, url: str, *, ago: int = 0, sealed: bool = False) -> None:
        make = (lambda *said: wrap_dm(*said)[0]) if sealed else make_direct
        event = make(self.boss, self.bot.public_key, order, None, self.now - ago)
        assert self.intake.on_event(event, url, False)

    async def done(self, number: int) -> list[str]:
        """What was acted on, in order, as soon as there is so much of it."""
        async with asyncio.timeout(5):
            while True:
                rows = await self.db.read(lambda tx: tx.all("SELECT command FROM audit ORDER BY id"))
                if len(rows) >= number:
                    return [row["command"] for row in rows]
                await asyncio.sleep(0.01)


@pytest.fixture
async def ear(tmp_path: Path) -> AsyncIterator[Ear]:
    bot, boss, clock = Keys.generate(), Keys.generate(), MovableClock()
    db = await open_fresh(tmp_path / "books.db")
    settings = replace(SETTINGS, bot_pubkey=bot.public_key, operators=frozenset({boss.public_key}))
    relays = Ears()
    intake = Intake(
        db,
        bot,
        clock,
        Bells().for_names("machines"),
        cast(Questions, SimpleNamespace()),
        policy=lambda: pytest.fail("nothing is reported here"),
        settings=lambda: settings,
        live=lambda: Live((), frozenset(), clock.now()),
        relays=lambda: relays,
    )
    task = asyncio.create_task(intake.run())
    yield Ear(intake, db, bot, boss, clock.now(), relays)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await db.close()


async def test_what_a_relay_kept_waits_until_the_relay_is_through(ear: Ear) -> None:
    """Of orders of one second the relay gives the last one first. What is said live meanwhile is said after them, at
    whichever relay it comes."""
    ear.catching_up.update({FAST, SLOW})
    ear.hear("resume", SLOW, ago=30)
    ear.hear("pause", SLOW, ago=30)
    ear.hear("pause", SLOW, ago=40, sealed=True)
    ear.hear("pause", SLOW, ago=35)
    ear.catching_up.remove(FAST)
    ear.hear("pause", FAST)
    await asyncio.sleep(0.12)
    assert await ear.done(0) == []
    ear.catching_up.clear()
    assert await ear.done(5) == ["pause", "pause", "pause", "resume", "pause"]


@pytest.mark.parametrize("order", ["pause", "freeze ana", '{"method": "pause"}'])
async def test_what_asks_that_less_be_paid_counts_before_its_turn(ear: Ear, order: str) -> None:
    """Another relay is not through: nothing new is paid until it has been acted on."""
    ear.catching_up.update({FAST, SLOW})
    ear.hear("resume", FAST, ago=10)
    await asyncio.sleep(0.12)
    assert not ear.intake.holds_a_brake()
    ear.hear(order, FAST, ago=5)
    async with asyncio.timeout(5):
        while not ear.intake.holds_a_brake():
            await asyncio.sleep(0.01)
    assert await ear.done(0) == []
    ear.catching_up.clear()
    await ear.done(1)
    async with asyncio.timeout(5):
        while ear.intake.holds_a_brake():
            await asyncio.sleep(0.01)


async def test_nothing_waits_for_a_relay_that_brings_nothing(ear: Ear) -> None:
    ear.catching_up.add(SLOW)
    ear.hear("pause", FAST)
    assert await ear.done(1) == ["pause"]


async def test_nothing_waits_for_ever(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sends so much, or the relay is so slow, that it is never through."""
    monkeypatch.setattr("bot.intake.ORDER_SECONDS", 0.1)
    ear.catching_up.add(SLOW)
    ear.hear("resume", SLOW, ago=10)
    ear.hear("pause", SLOW, ago=20)
    assert await ear.done(2) == ["pause", "resume"]
