"""How long an order waits for its answer, beside a bot that only sends back what it is told: same relay, same client,
same run, turn about. Each is a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from bot.clock import SystemClock
from bot.demo.relay import RelayLink
from bot.nostr import Keys, unwrap, wrap_dm
from nwc.event import Event
from tests.bench.limits import Limits
from tests.crash.shop import open_shop
from tests.parts.world import WorldProcess

LIMIT = 1.5
ORDERS = ("whoami", "status", "machine list", "deposit sintra s.lp0 500")
"""The last one writes a deposit, its line in the audit log, and a balance that is to be published."""
ROUNDS = 60
WARM = 5
"""Rounds that don't count."""
ANSWERED_WITHIN_SECONDS = 20.0


class Asker:
    """A person with a Nostr client, who listens on one connection and sends on another."""

    def __init__(self, keys: Keys, relay: str) -> None:
        self._keys = keys
        self._link = RelayLink([relay])
        self._came: asyncio.Queue[tuple[float, Event]] = asyncio.Queue()
        self._said_at: dict[tuple[str, str], int] = {}

    async def __aenter__(self) -> Self:
        await self._link.open(lambda event: self._came.put_nowait((time.perf_counter(), event)))
        await self._link.listen(1059, self._keys.public_key)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def ask(self, bot: str, text: str) -> tuple[float, float]:
        """Seconds from the sending of the one event to the coming of the other, and of the round trip from a text to
        the text that answers it: the client's own wrapping and opening, the same for both bots, is in there too."""
        wrote = time.perf_counter()
        # The same words in the same second would be the same message.
        said_at = self._said_at[bot, text] = max(SystemClock().now(), self._said_at.get((bot, text), 0) + 1)
        wrap, message = wrap_dm(self._keys, bot, text, None, said_at)
        async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
            began = time.perf_counter()
            sending = asyncio.create_task(self._link.publish(wrap))
            while True:
                at, event = await self._came.get()
                said = unwrap(self._keys, event)
                if said.author == bot and any(tag[:2] == ("e", message) for tag in said.tags):
                    read = time.perf_counter()
                    await sending
                    return at - began, read - wrote


async def measure(limits: Limits) -> list[str]:
    """Lines to print."""
    ours: dict[str, list[tuple[float, float]]] = {order: [] for order in ORDERS}
    theirs: dict[str, list[tuple[float, float]]] = {order: [] for order in ORDERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with WorldProcess(folder / "world") as world:
            shop = await open_shop(world, folder / "shop")
            async with (
                _process("tests.bench.echo", world.relay_url) as echo,
                _process("bot", "run", "--config", str(shop.config_path), told=folder / "bot.log"),
                Asker(shop.operator, world.relay_url) as asker,
            ):
                echo_key = (await _line(echo)).strip()
                await asker.ask(shop.bot.public_key, "whoami")  # it is there
                for number in range(WARM + ROUNDS):
                    for order in ORDERS:
                        turns = [(shop.bot.public_key, ours), (echo_key, theirs)]
                        for bot, times in turns if number % 2 else reversed(turns):
                            seconds = await asker.ask(bot, order)
                            if number >= WARM:
                                times[order].append(seconds)
    lines = [f"orders: {ROUNDS} rounds turn about, medians, the same bytes to both"]
    for order in ORDERS:
        (mine, mine_whole), (other, other_whole) = _medians(ours[order]), _medians(theirs[order])
        wanted = limits.at_most(f"orders, {order}", mine / other, LIMIT)
        figures = f"{mine * 1e3:6.2f} ms   echo {other * 1e3:6.2f} ms   ratio {mine / other:5.2f} {wanted}"
        lines.append(f"  {order:24} {figures}   with the client's own work {mine_whole / other_whole:5.2f}")
    return lines


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(between for between, _ in times), statistics.median(whole for _, whole in times)


@contextlib.asynccontextmanager
async def _process(*arguments: str, told: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m …`, until the end of the block. Without `told` its output is to be read."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(told.open("wb")) if told is not None else None
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=log or asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()
