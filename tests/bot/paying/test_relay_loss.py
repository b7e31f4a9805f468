"""Relays are gone, or take everything and deliver nothing: nothing new is paid, what is under way goes on, nothing gets
lost, and operators learn of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.demo.wallet_service import WalletService
from tests.bot.paying.running import Running, Start, finished
from tests.bot.paying.talking import ask
from tests.bot.trick_relay import TrickRelay, owes_lastingly
from tests.crash.atm import report
from tests.crash.shop import sell, until
from tests.parts.personalities import make
from tests.parts.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def trick() -> AsyncIterator[TrickRelay]:
    relay = TrickRelay()
    async with relay.running():
        yield relay


async def true(what: Any) -> None:
    """Waits for something that needs no database."""

    async def now() -> bool:
        return bool(what())

    await until(now, "it becomes true")


async def told_of(bot: Running, what: str) -> list[str]:
    """What operators were told of it, after two looks that the bot takes every minute."""
    for _ in range(2):
        await bot.keep_house()
    return [text for text in await bot.told() if what in text]


async def test_the_relays_are_gone(start: Start) -> None:
    """The bot notices that it hears nobody and says so to who looks after it; when a relay is back it goes on by
    itself: what was in doubt is asked about, what the machine reports again is paid."""
    async with start(policy={"deaf_after_seconds": 120}) as bot:
        await bot.world.call("route", payee=bot.shop.partner, held=True)
        sales = [await bot.sell()]
        await bot.under_way(*bot.shop.payees)
        await bot.world.call("relay_down")
        await bot.world.call("release", payee=bot.shop.partner)
        sales.append(late := await sell(bot.world, bot.shop))
        assert bot.daemon._may_pay()
        await bot.world.call("advance", seconds=121)
        assert not bot.daemon._may_pay()
        assert bot.daemon._problems()["deaf"] == "no relay was heard for too long: nothing new is paid"

        await bot.world.call("relay_up")

        async def taken() -> bool:
            await bot.atms.send(bot.shop, report(late, bot.clock.now()))
            return bool(bot.atms.receipts(late.payment_hash))

        await until(taken, "the machine has its receipt")
        await bot.look()
        await finished(bot, sales)
        assert not bot.daemon._problems()
        [text] = await told_of(bot, "I heard no relay from ")
        assert text.splitlines()[1].startswith("Payments go on. ")


async def test_the_only_relay_delivers_nothing(start: Start, trick: TrickRelay) -> None:
    """It is connected, answers every question and says OK. What is in doubt is asked about at the wallet's relay."""
    async with start(policy={"deaf_after_seconds": 120}, relays=[trick.url]) as bot:
        await true(lambda: not bot.daemon._deaf())
        await bot.world.call("route", payee=bot.shop.partner, held=True)
        first, late = [await sell(bot.world, bot.shop) for _ in range(2)]
        await trick.deliver(bot.atms.event(bot.shop, report(first, bot.clock.now())).to_dict())
        await bot.under_way(*bot.shop.payees)
        trick.tricks.withholds = True
        await trick.deliver(bot.atms.event(bot.shop, report(late, bot.clock.now())).to_dict())
        await bot.advance(121)
        assert not bot.daemon._may_pay()
        assert bot.daemon._parts is not None
        assert bot.daemon._parts.relays.listening()
        await bot.world.call("release", payee=bot.shop.partner)
        await bot.look()
        await bot.seen("SELECT 1 FROM settlements WHERE status = 'processed'")
        assert bot.daemon._problems()["deaf"]
        trick.tricks.withholds = False
        await true(bot.daemon._may_pay)
        await trick.deliver(bot.atms.event(bot.shop, report(late, bot.clock.now())).to_dict())
        await bot.seen("SELECT 1 FROM settlements WHERE id = 2 AND status = 'processed'")
        await finished(bot, [first, late])
        assert len(await told_of(bot, "I heard no relay from ")) == 1


async def test_one_of_two_relays_delivers_nothing(start: Start, world: World, trick: TrickRelay) -> None:
    """Payments go on. It is an alarm until it has delivered something again; told once, though it comes back soon."""
    trick.tricks.withholds = True
    async with start(policy={"deaf_after_seconds": 120}, relays=[world.relay_url, trick.url]) as bot:
        assert bot.daemon._parts is not None
        heartbeat, relays = bot.daemon._parts.heartbeat, bot.daemon._parts.relays
        sales = []
        for _ in range(2):
            trick.tricks.withholds = True
            await true(lambda: owes_lastingly(heartbeat, relays, trick.url))
            await bot.advance(121)
            await true(lambda: heartbeat.withholding() == {trick.url} and bot.daemon._may_pay())
            assert len(await told_of(bot, f"Relay {trick.url} takes messages and delivers none")) == 1
            assert bot.rows("SELECT subject FROM alarms WHERE cleared_at IS NULL AND cause = 'relay_withholds'") == [
                {"subject": f"relay:{trick.url}"}
            ]
            shown = (await ask(bot, "status"))["result"]["relays"]
            assert [relay["withholding"] for relay in shown] == [False, True]
            sales.append(await bot.sell())
            await finished(bot, sales)
            trick.tricks.withholds = False
            await true(lambda: heartbeat.delivering() == {world.relay_url, trick.url})
            await bot.keep_house()
        assert len(await told_of(bot, f"Over: Relay {trick.url} delivers nothing.")) == 1


async def test_a_relay_passes_on_what_it_says_it_refused(start: Start, world: World, trick: TrickRelay) -> None:
    """OK false on a request to pay that reached the wallet all the same: it is no sign that nothing was paid."""
    async with start() as bot:
        pass
    account = bot.shop.wallet
    service = WalletService(world.network, [trick.url], world.clock)
    await service.start()
    try:
        keys = {f"{name}_secret": world.controls._secret(name, account) for name in ("wallet", "client")}
        there = await service.add_wallet(account, make("honest"), **keys)
        (bot.shop.directory / "main.nwc").write_text(there.uri)
        trick.tricks.answer = lambda event: (event["kind"] != 23_194, "error: not stored")
        async with bot.again() as again:
            await finished(again, [await again.sell()])
            requests = again.rows("SELECT count(DISTINCT payment_hash) AS hashes FROM requests")
            assert requests == [{"hashes": len(again.shop.payees)}]
    finally:
        await service.stop()
