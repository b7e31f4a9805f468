"""Bots that die at crash points, one after the other in the same shop, and once more while they recover."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.clock import SystemClock
from tests.crash.atm import Atms
from tests.crash.nursery import Nursery
from tests.crash.scenarios import SCENARIOS, Ahead, Place, Scenario, Stage
from tests.crash.truth import Verdict, judge, rows
from tests.parts.world import WorldProcess

LONGEST_CHAIN = 8
"""Points in one shop: what went wrong before must be near to what is found in the end."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Points at which the bot of one shop dies, in this order."""

    scenario: Scenario
    points: tuple[str, ...]
    personality: str

    def __str__(self) -> str:
        return f"{self.scenario.name} ({self.personality}): {' '.join(self.points)}"


@dataclass(slots=True)
class Count:
    """What came of many chains."""

    points: set[str] = field(default_factory=set)
    personalities: set[str] = field(default_factory=set)
    deaths: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    def __str__(self) -> str:
        verdict = self.verdict
        return (
            f"{len(self.points)} points × {len(self.personalities)} personalities, {self.deaths} deaths, "
            f"{verdict.legs} legs, {len(verdict.doubles)} doubles, {len(verdict.lost)} lost, "
            f"{len(verdict.problems)} problems, {self.seconds:.0f} s"
        )


def chains(personalities: Sequence[str], *, by_turns: bool, only: str = "") -> Iterator[Chain]:
    """Every point under each personality, or, `by_turns`, under one each. `only`: those whose names begin so."""
    number = 0
    for scenario in SCENARIOS:
        points = [point for point in scenario.points if point.startswith(only)]
        unfit = scenario.not_with | (scenario.slow_with if by_turns else frozenset())
        fitting = [name for name in personalities if name not in unfit]
        for first in range(0, len(points), LONGEST_CHAIN):
            some = tuple(points[first : first + LONGEST_CHAIN])
            turn = [fitting[number % len(fitting)]] if by_turns else fitting
            number += 1
            for personality in turn:
                yield Chain(scenario, some, personality)


async def live(wanted: Sequence[Chain], directory: Path, *, at_once: int, patience: float = 1.0) -> Count:
    """Runs all of them, so many side by side, and counts from outside what was paid."""
    count, room, begun = Count(), asyncio.Semaphore(at_once), time.monotonic()
    async with Nursery() as nursery, _place(directory / "usual") as usual:

        async def one(number: int, chain: Chain) -> None:
            async with room, contextlib.AsyncExitStack() as stack:
                place = usual
                if chain.scenario.fast:  # time passes for one shop alone
                    place = await stack.enter_async_context(_place(directory / f"fast{number}", fast=True))
                await _live(place, nursery, f"c{number}", chain, count, patience)

        await asyncio.gather(*(one(number, chain) for number, chain in enumerate(wanted)))
    count.seconds = time.monotonic() - begun
    return count


@contextlib.asynccontextmanager
async def _place(directory: Path, *, fast: bool = False) -> AsyncIterator[Place]:
    async with WorldProcess(directory / "world", life_seconds=36_000) as world:
        ahead = Ahead(directory / "ahead") if fast else None
        async with Atms(world.relay_url, ahead or SystemClock()) as atms:
            yield Place(directory, world, atms, ahead)


async def _live(place: Place, nursery: Nursery, name: str, chain: Chain, count: Count, patience: float) -> None:
    count.personalities.add(chain.personality)
    stage: Stage | None = None
    try:
        stage = await chain.scenario.open(place, nursery, name, chain.personality, patience)
        for point in chain.points:
            await chain.scenario.before(stage)
            for fault in (point, f"commit:{2 + sum(map(ord, point)) % 4}"):
                await stage.die(f"crash:{fault}", chain.scenario.trouble)
                count.deaths += 1
            count.points.add(point)
        await chain.scenario.mend(stage)
        await stage.finish()
        count.verdict.add(await _judged(stage, chain.scenario))
    except AssertionError as error:
        count.verdict.problems.append(f"{chain}: {error}")
    finally:
        if stage is not None:
            stage.end()


async def _judged(stage: Stage, scenario: Scenario) -> Verdict:
    verdict = await judge(stage.place.world, stage.shop, stage.sales, settled=not scenario.skips)
    if scenario.skips:
        ended = rows(
            stage.shop.database_path, "SELECT id, status FROM legs WHERE status NOT IN ('completed', 'skipped')"
        )
        verdict.lost += [f"{stage.shop.name}: P{leg['id']} is {leg['status']}" for leg in ended]
    return verdict
