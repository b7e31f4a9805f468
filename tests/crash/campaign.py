"""Kills bots again and again while their machines sell, lets them finish, and counts from outside what was paid.

Relay, Lightning network, wallets and Lightning addresses live in a process of their own that is never killed. Each
shop has a bot of its own; all shops are worked on side by side.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.clock import SystemClock
from tests.crash.atm import Atms
from tests.crash.nursery import Child, Nursery
from tests.crash.shop import Controlled, Sale, Shop, open_shop, sell, until
from tests.crash.truth import Verdict, judge, open_work, paid_again, paid_out, rows
from tests.parts.world import WorldProcess

READY_WITHIN_SECONDS = 20.0
PAYING_WITHIN_SECONDS = 1.5
Wallets = Sequence[tuple[str, dict[str, object]]]
WALLETS: Wallets = (
    ("sloppy", {"seed": 7}),
    ("lnbits", {}),
    ("liar", {"settle_after_seconds": 0.3}),
    ("alby", {"flips": 3}),
)
"""The wallets that are killed against by turns, by personality."""
PAYOUTS = {"request_life_seconds": 5}
"""So short that requests expire while the bot is dead, and the same invoice gets further ones."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`personalities`: one shop for each. Times in seconds; a share of the kills comes before a bot is ready, another
    share waits until a payment is under way. With `until_double` a shop has nothing more to show once one of its legs
    was paid twice."""

    kills: int
    seed: int
    personalities: Wallets
    shortest_life: float = 0.05
    longest_life: float = 0.5
    killed_starting: float = 0.2
    killed_paying: float = 0.3
    sale_every: float = 0.6
    finish_within: float = 60.0
    fault: str | None = None
    until_double: bool = False


@dataclass(slots=True)
class Outcome:
    kills: int = 0
    sales: int = 0
    killed_with_open_attempts: int = 0
    paid_while_killing: int = 0
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def add(self, other: Outcome) -> None:
        self.kills += other.kills
        self.sales += other.sales
        self.killed_with_open_attempts += other.killed_with_open_attempts
        self.paid_while_killing += other.paid_while_killing
        self.seconds += other.seconds
        self.verdict.add(other.verdict)

    def __str__(self) -> str:
        v = self.verdict
        return (
            f"{self.kills} kills ({self.killed_with_open_attempts} with payments under way), {self.sales} sales, "
            f"{v.legs} legs ({self.paid_while_killing} paid between kills), {len(v.doubles)} doubles, "
            f"{len(v.lost)} lost, {len(v.problems)} problems, {self.seconds:.0f} s"
        )


USUAL_START_SECONDS = 0.5


class Campaign:
    def __init__(self, plan: Plan, directory: Path) -> None:
        self.plan = plan
        self._directory = directory
        self._left = plan.kills
        self._slowness = 1.0
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        begun = time.monotonic()
        async with (
            WorldProcess(self._directory / "world", life_seconds=3_600) as world,
            Atms(world.relay_url, SystemClock()) as atms,
            Nursery() as nursery,
        ):
            shops = [
                await open_shop(
                    world,
                    self._directory / f"s{number}",
                    f"s{number}",
                    personality=name,
                    options=options,
                    payouts=PAYOUTS,
                )
                for number, (name, options) in enumerate(self.plan.personalities)
            ]
            for shop in shops:
                await atms.add(shop)
            verdicts = await asyncio.gather(*(self._shop(world, atms, nursery, shop) for shop in shops))
        for verdict in verdicts:
            self.outcome.verdict.add(verdict)
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    async def _shop(self, world: Controlled, atms: Atms, nursery: Nursery, shop: Shop) -> Verdict:
        chance = random.Random(f"{self.plan.seed} {shop.name}")
        sales: list[Sale] = []
        reports: list[asyncio.Task[object]] = []
        selling = asyncio.create_task(self._sell(world, atms, shop, chance, sales, reports))
        while self._left > 0:
            self._left -= 1
            await self._one_life(nursery, shop, chance)
        selling.cancel()
        await asyncio.wait({selling})
        self.outcome.paid_while_killing += _count(shop, "SELECT 1 FROM attempts WHERE state = 'settled'")
        bot = await nursery.start(shop.config_path, self.plan.fault)
        late = ""
        try:
            async with asyncio.timeout(self.plan.finish_within):
                await asyncio.gather(*reports)
                await self._finished(world, shop)
        except (TimeoutError, AssertionError):
            late = f"{shop.name}: not finished within {self.plan.finish_within} s"
        for task in reports:
            task.cancel()
        bot.kill()
        await nursery.gone(bot)
        self.outcome.sales += len(sales)
        verdict = await judge(world, shop, sales)
        if late:
            verdict.problems.append(late)
        return verdict

    async def _sell(
        self,
        world: Controlled,
        atms: Atms,
        shop: Shop,
        chance: random.Random,
        sales: list[Sale],
        reports: list[asyncio.Task[object]],
    ) -> None:
        while True:
            # Shielded: once a customer has paid, the sale is on the list.
            await asyncio.shield(self._sell_one(world, atms, shop, chance, sales, reports))
            await asyncio.sleep(chance.uniform(0, 2 * self.plan.sale_every))

    async def _sell_one(
        self,
        world: Controlled,
        atms: Atms,
        shop: Shop,
        chance: random.Random,
        sales: list[Sale],
        reports: list[asyncio.Task[object]],
    ) -> None:
        sale = await sell(world, shop, chance.randrange(200, 3_000) * 100)
        sales.append(sale)
        reports.append(asyncio.create_task(atms.settle(shop, sale)))

    async def _one_life(self, nursery: Nursery, shop: Shop, chance: random.Random) -> None:
        """From start to SIGKILL."""
        bot = await nursery.start(shop.config_path, self.plan.fault)
        when = chance.random()
        if when >= self.plan.killed_starting:
            begun = time.monotonic()
            await _ready(bot)
            # On a machine that is busy with other things a life must be longer to be as full.
            self._slowness = min(8.0, max(1.0, (time.monotonic() - begun) / USUAL_START_SECONDS))
        if when >= 1 - self.plan.killed_paying:
            await _paying(shop)
        await asyncio.sleep(self._slowness * chance.uniform(self.plan.shortest_life, self.plan.longest_life))
        assert bot.alive(), f"{shop.name} ended by itself:\n{bot.log[-4000:]}"
        bot.kill()
        await nursery.gone(bot)
        self.outcome.kills += 1
        if _count(shop, "SELECT 1 FROM attempts WHERE state IN ('ready', 'sent', 'claimed')"):
            self.outcome.killed_with_open_attempts += 1

    async def _finished(self, world: Controlled, shop: Shop) -> None:
        async def done() -> bool:
            if self.plan.until_double and paid_again(shop, await paid_out(world, shop)):
                return True
            return not open_work(shop)

        await until(done, "everything is paid", self.plan.finish_within)


async def _ready(bot: Child) -> None:
    async def ready() -> bool:
        assert bot.alive(), f"it ended by itself:\n{bot.log[-4000:]}"
        return bot.ready

    await until(ready, "the bot is ready", READY_WITHIN_SECONDS)


async def _paying(shop: Shop) -> None:
    """Returns when a request to pay is on its way, or none will be for a while."""
    ends_at = time.monotonic() + PAYING_WITHIN_SECONDS
    while time.monotonic() < ends_at and not _count(shop, "SELECT 1 FROM attempts WHERE state = 'sent'"):
        await asyncio.sleep(0.02)


def _count(shop: Shop, query: str) -> int:
    return len(rows(shop.database_path, query))
