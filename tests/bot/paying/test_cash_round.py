"""The cash of a machine, the whole round over a relay: bays come to be by what the machine says, an operator edits and
publishes, the machine applies, customers empty it, a difference shows, an alarm is raised, a refill clears it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.atm.cash import Cassette, typed_bays
from bot.atm.memory import Keeper
from bot.atm.running import RunningMachine
from tests.bot.conftest import HURRY
from tests.bot.paying.running import Running, Start
from tests.bot.paying.talking import ask
from tests.crash.atm import report
from tests.crash.shop import sell

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAYS = ["1=20x100", "2=100x60", "3=20x55"]


@contextlib.asynccontextmanager
async def machine_of(bot: Running, path: Path, *words: str) -> AsyncIterator[RunningMachine]:
    """The shop's machine, running, with the memory in this file."""
    made = RunningMachine(
        bot.shop.atm,
        bot.shop.bot.public_key,
        [bot.world.relay_url],
        bot.clock,
        Keeper(path),
        about={"cash_in": False, "fiat": "GTQ", "name": "Sintra"},
        timings=HURRY,
    )
    if words:
        made.fill(typed_bays(words))
    async with made:
        task = asyncio.create_task(made.run(beat_seconds=0.5))
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def result(bot: Running, method: str, **params: Any) -> dict[str, Any]:
    answer = await ask(bot, method, machine="sintra", **params)
    assert "result" in answer, answer
    found: dict[str, Any] = answer["result"]
    return found


async def believed(bot: Running, *counts: int) -> None:
    """Waits until the books have so many notes in the bays, in the order of their positions."""
    await bot.seen(
        "SELECT 1 WHERE (SELECT group_concat(count, ' ') FROM (SELECT count FROM bays ORDER BY position)) = ?",
        " ".join(map(str, counts)),
    )


async def sells(bot: Running, machine: RunningMachine, fiat: int, dispense: int | None = None) -> None:
    """A customer buys so much cash and gets it, or less."""
    sale = await sell(bot.world, bot.shop, fiat * 50)
    notes = machine.cash.notes_for(fiat if dispense is None else dispense)
    assert notes is not None
    content = machine.take(report(sale, bot.clock.now()), notes)
    receipt = await machine.report(content, seconds=20)
    assert receipt["status"] in ("accepted", "duplicate")
    await bot.receipt(sale, "accepted")


async def watched(bot: Running) -> list[dict[str, Any]]:
    """The watchman looks; the open alarms about cash."""
    parts = bot.daemon._parts
    assert parts is not None
    await parts.watchman.look()
    return bot.rows("SELECT * FROM alarms WHERE cleared_at IS NULL AND cause LIKE 'cash%' ORDER BY id")


def alerts(bot: Running) -> list[str]:
    """What the operator was told about bays without having asked."""
    rows = bot.rows("SELECT body ->> 'text' AS text FROM outbox WHERE kind = 'dm' AND body ->> 'answers' IS NULL")
    return [row["text"] for row in rows if " bay " in row["text"]]


async def test_the_whole_round(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "atm.json"
    async with start() as bot:
        nobody = await ask(bot, "cassette.publish", machine="sintra")
        assert nobody["error"]["code"] == "not_found", "a machine that never reported has no bays"
        async with machine_of(bot, path, *BAYS) as machine:
            # What the machine says makes bays; its beacon tells what it does.
            await believed(bot, 100, 60, 55)
            await bot.seen("SELECT 1 FROM beacons WHERE fields ->> 'name' = 'Sintra'")
            await bot.seen("SELECT 1 FROM telemetry")
            assert await watched(bot) == []

            # An operator edits, sees the difference, publishes, and the machine takes it.
            shown = await result(bot, "cassette.set", position=1, count=90)
            assert shown["differs_since"] is not None
            assert shown["cassettes"]["1"].items() >= {"count": 90, "reported_count": 100}.items()
            sent = await result(bot, "cassette.publish")
            assert sent["config_applied_at"] is None
            await bot.seen("SELECT 1 FROM cassettes WHERE applied_at IS NOT NULL")
            assert machine.cash.bays == {1: Cassette(20, 90), 2: Cassette(100, 60), 3: Cassette(20, 55)}
            assert (await result(bot, "cassette.list"))["differs_since"] is None

            # Customers take cash: both sides count the same notes.
            await sells(bot, machine, 2_000)
            await sells(bot, machine, 160)
            held = [bay.count for _, bay in sorted(machine.cash.bays.items())]
            assert sum(bay.amount for bay in machine.cash.bays.values()) == 90 * 20 + 6_000 + 1_100 - 2_160
            await believed(bot, *held)
            await bot.seen("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM bays WHERE differs_since IS NOT NULL)")

            # Notes vanish: the machine counts fewer than the books, and that shows with its size and since when.
            machine.cash.bays[3] = Cassette(20, 45)
            machine.fill({})
            await bot.seen("SELECT 1 FROM bays WHERE position = 3 AND reported_count = 45 AND differs_since > 0")
            shown = await result(bot, "cassette.list")
            assert float(shown["believed"]) - float(shown["reported"]) == 200.0
            await result(bot, "cassette.set", position=3, count=45)

            # It is low now: an alarm is raised, once.
            low = await watched(bot)
            assert [json.loads(each["facts"])["position"] for each in low] == [2, 3]
            assert len(await watched(bot)) == 2
            raised = alerts(bot)
            assert len(raised) == 2, raised

        # While the machine is off, an LP brings cash: it is confirmed into the bays, and published.
        made = await ask(bot, "deposit.add", machine="sintra", lp=bot.shop.lps[0], amount="8000.00")
        confirmed = await ask(bot, "deposit.confirm", deposit=made["result"]["id"], bays="2=60 3=100")
        assert confirmed["result"]["refilled"] == {"2": 60, "3": 100}
        await believed(bot, held[0], held[1] + 60, 145)
        assert (await result(bot, "cassette.publish"))["config_applied_at"] is None
        assert await watched(bot) == []
        over = "\n".join(alerts(bot)[len(raised) :])
        assert all(f"sintra: bay {position} " in over for position in (2, 3)), over

        # Once it is back it takes what it was sent meanwhile.
        async with machine_of(bot, path) as machine:
            await bot.seen("SELECT 1 FROM cassettes WHERE applied_at IS NOT NULL")
            assert [bay.count for _, bay in sorted(machine.cash.bays.items())] == [held[0], held[1] + 60, 145]
            assert (await result(bot, "cassette.list"))["differs_since"] is None
        await bot.settled()
