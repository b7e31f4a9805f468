"""When customers come to a visitor's machine, and when not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.atm.purse import PurseTrouble
from bot.demo.actor import OrderRefused
from bot.demo.play import Machine, Play
from bot.demo.script import Sale
from bot.demo.visit import Visit
from ledger.fees import FeeRates

ATM = "ab" * 32


class Bot:
    """Answers the orders of operator and platform from what a test sets, and notes who is served."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] | None = {
            "machine": "home", "fiat": "GTQ", "wallet": "second", "active": True, "cash_in_fee": "0.00",
            "cash_out_fee": "0.05",
        }  # fmt: skip
        self.lps = [{"onboarded": True, "status": "active", "remaining": "2000.00"}]
        self.said: list[str] = []
        self.served: list[Sale] = []
        self.trouble: PurseTrouble | None = None
        atm = SimpleNamespace(keys=SimpleNamespace(public_key=ATM), fees=FeeRates(30_000, 80_000))
        self.machine = SimpleNamespace(atm=atm, till=None)
        play = SimpleNamespace(
            plan=SimpleNamespace(pause_seconds=0.0),
            operator=self,
            platform=self,
            scene=SimpleNamespace(say=self.said.append),
            stirred=asyncio.Event(),
            serve_more=self.serve,
        )
        self.play = play
        self.visit = Visit(cast(Play, play), cast(Machine, self.machine))

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        if method == "platform.show":
            return {"cash_in_fee": "0.03", "cash_out_fee": "0.03"}
        assert (method, params) == ("machine.show", {"machine": ATM})
        if self.shown is None:
            raise OrderRefused("not_found", "there is no such machine")
        return self.shown

    async def ask_all(self, method: str, **params: Any) -> list[dict[str, Any]]:
        assert (method, params) == ("lp.list", {"machine": ATM})
        return self.lps

    async def serve(self, sale: Sale, machine: Any) -> None:
        assert machine is self.machine
        if self.trouble is not None:
            raise self.trouble
        self.served.append(sale)


@pytest.fixture
async def bot() -> Bot:
    return Bot()


async def test_a_customer_takes_a_quarter_at_the_fees_that_the_machine_was_told(bot: Bot) -> None:
    assert await bot.visit.serve()
    (sale,) = bot.served
    assert (sale.at, sale.cash, sale.principal_sats) == ("home", "500 GTQ", 25_000)
    assert (sale.platform_fee_sats, sale.operator_fee_sats) == (750, 1_250)
    assert bot.said == []


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"wallet": "main"},
        {"cash_out_fee": "0.06"},  # which the machine has not heard yet
    ],
)
async def test_nobody_comes_to_a_machine_that_is_not_ready(bot: Bot, change: dict[str, Any]) -> None:
    assert bot.shown is not None
    bot.shown |= change
    assert not await bot.visit.serve()
    assert (bot.served, bot.said) == ([], [])


async def test_nobody_comes_before_it_is_registered_or_after_it_was_removed(bot: Bot) -> None:
    bot.shown = None
    assert not await bot.visit.serve()
    bot.machine.atm.fees = None
    assert not await bot.visit.serve()


@pytest.mark.parametrize("change", [{"onboarded": False}, {"status": "paused"}, {"remaining": "39.99"}])
async def test_the_visitor_is_told_once_what_is_still_missing(bot: Bot, change: dict[str, Any]) -> None:
    bot.lps[0] |= change
    assert not await bot.visit.serve()
    assert not await bot.visit.serve()
    assert bot.said == ["Your machine home is registered. Customers come once an LP of it has a confirmed deposit"]


async def test_customers_come_by_themselves_until_too_little_is_left(bot: Bot) -> None:
    bot.lps[0]["remaining"] = "0.00"
    running = asyncio.create_task(bot.visit.run())
    await turn()
    assert bot.served == []
    bot.lps[0]["remaining"] = "2000.00"
    bot.play.stirred.set()
    await turn()
    assert bot.served
    bot.lps[0]["remaining"] = "20.00"
    await turn()
    assert bot.said[-1] == "Nobody comes to home now: its LPs have too little cash left in it"
    running.cancel()


async def test_trouble_with_a_wallet_is_told_and_the_next_one_is_served(bot: Bot) -> None:
    bot.trouble = PurseTrouble("the customer's wallet: no answer")
    assert await bot.visit.serve()
    bot.trouble = None
    assert await bot.visit.serve()
    assert bot.said == ["the customer's wallet: no answer"]
    assert len(bot.served) == 1


async def test_nobody_is_served_after_the_end(bot: Bot) -> None:
    await bot.visit.close()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bot.visit.serve(), 0.01)
    assert bot.served == []


async def turn() -> None:
    """Lets everything run that waits for nothing."""
    for _ in range(50):
        await asyncio.sleep(0)
