"""One world for each module, and bots beside it, each with a shop of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.bot.paying.running import Running, Start, WorldClock, lives_at, running
from tests.crash.atm import Atms
from tests.crash.shop import open_shop
from tests.parts.world import World

_numbers = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def atms(world: World) -> AsyncIterator[Atms]:
    async with Atms(world.relay_url, world.clock) as atms:
        yield atms


@pytest.fixture
def start(world: World, atms: Atms, tmp_path: Path) -> Start:
    """Starts the bot of a new shop: its wallet's personality and its options, `payouts`, `policy`, `profile`; at other
    `relays` than the world's, which the wallet stays at."""

    @contextlib.asynccontextmanager
    async def start(
        personality: str = "honest",
        *,
        lps: int = 1,
        payouts: dict[str, Any] | None = None,
        policy: dict[str, Any] | None = None,
        profile: str = "unknown",
        relays: Sequence[str] = (),
        **options: Any,
    ) -> AsyncIterator[Running]:
        name = f"n{next(_numbers)}"
        shop = await open_shop(
            world,
            tmp_path / name,
            name,
            number_of_lps=lps,
            personality=personality,
            options=options,
            payouts=payouts,
            policy=policy,
            wallet={"profile": profile},
        )
        if relays:
            lives_at(shop, relays)
        await atms.add(shop)
        async with running(world, shop, atms, WorldClock(world.clock)) as bot:
            yield bot

    return start
