"""Every relay is gone, with a payment in doubt and customers at the machine: nothing new is paid, nothing gets lost."""

from __future__ import annotations

import pytest

from tests.bot.paying.running import Start, finished
from tests.crash.atm import report
from tests.crash.shop import sell, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
