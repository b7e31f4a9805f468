"""A bot that dies at each named moment, and once more while it recovers, pays every leg exactly once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.clock import SystemClock
from tests.crash.atm import Atms
from tests.crash.nursery import Nursery
from tests.crash.points import POINTS
from tests.crash.shop import Controlled, open_shop, sell, until
from tests.crash.truth import judge, open_work
from tests.parts.world import WorldProcess

DEATH_WITHIN_SECONDS = 20.0
DONE_WITHIN_SECONDS = 30.0
AT_ONCE = 12
WALLETS = ("honest", "sloppy", "lnbits", "alby", "liar")


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_every_point(tmp_path: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with (
        WorldProcess(tmp_path / "world", life_seconds=120) as world,
        Atms(world.relay_url, SystemClock()) as atms,
        Nursery() as nursery,
    ):

        async def one(number: int, point: str) -> str:
            async with room:
                return await die_twice(
                    world, atms, nursery, tmp_path / f"p{number}", point, WALLETS[number % len(WALLETS)]
                )

        told = await asyncio.gather(*(one(number, point) for number, point in enumerate(POINTS)))
    assert not "".join(told), "\n".join(filter(None, told))


async def die_twice(
    world: Controlled, atms: Atms, nursery: Nursery, directory: Path, point: str, personality: str
) -> str:
    """What went wrong, empty where nothing did."""
    name = directory.name
    shop = await open_shop(world, directory, name, number_of_lps=2, personality=personality)
    await atms.add(shop)
    sales = [await sell(world, shop, 50_000), await sell(world, shop, 80_000)]
    reports = [asyncio.create_task(atms.settle(shop, sale)) for sale in sales]
    try:
        for fault in (f"crash:{point}", f"crash:commit:{2 + sum(map(ord, point)) % 6}"):
            bot = await nursery.start(shop.config_path, fault)

            async def dead() -> bool:
                return not bot.alive()  # noqa: B023 - called in this turn of the loop alone

            await until(dead, f"it dies at {fault}\n{bot.log[-2000:]}", DEATH_WITHIN_SECONDS)
        bot = await nursery.start(shop.config_path)

        async def done() -> bool:
            return all(report.done() for report in reports) and not open_work(shop)

        await until(done, f"everything is paid after {point}\n{bot.log[-2000:]}", DONE_WITHIN_SECONDS)
    finally:
        for report in reports:
            report.cancel()
    bot.kill()
    await nursery.gone(bot)
    verdict = await judge(world, shop, sales)
    return "" if verdict.good else f"{point} ({personality}): {verdict}"
