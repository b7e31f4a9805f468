"""What relays keep of the bot's own events tells that its books are from the past, where nothing beside them does."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handlers import past
from storage import forgotten
from storage.db import witness_path
from tests.bot.conftest import HURRY
from tests.bot.paying.running import Running, Start, finished, running
from tests.bot.paying.talking import answer, say
from tests.crash.atm import STORED_KIND, report
from tests.crash.shop import Sale, sell
from tests.crash.truth import judge, paid_out

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAYOUTS = {"request_life_seconds": 2, "request_margin_seconds": 1}
PATIENT = replace(HURRY, own_events_seconds=20.0)


def copied(bot: Running) -> dict[Path, bytes]:
    """Database and witness as they are, one with the other. The bot does not run."""
    path = bot.shop.database_path
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {each: each.read_bytes() for each in (path, witness_path(path))}


def put_back(copies: dict[Path, bytes]) -> None:
    for path, content in copies.items():
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        path.write_bytes(content)


async def reported(bot: Running, principal_sats: int) -> Sale:
    """One of which the relays keep the report."""
    sale = await sell(bot.world, bot.shop, principal_sats)
    await bot.atms.send(bot.shop, report(sale, bot.clock.now()), kind=STORED_KIND)
    await bot.receipt(sale, "accepted")
    return sale


def reasons(bot: Running) -> list[str]:
    return [row["reason"] for row in bot.rows("SELECT reason FROM holds")]


async def test_a_whole_server_put_back_to_an_earlier_day(start: Start) -> None:
    """Database and witness agree, and both have forgotten what was paid. It is held before anything is paid, the wallet
    tells what was, and by the operator's word it goes on: once, also after the next start."""
    async with start("alby", payouts=PAYOUTS) as bot:
        sales = [await bot.sell()]
        await finished(bot, sales)
    copies = copied(bot)
    await bot.world.call("advance", seconds=60)
    async with bot.again() as later:
        sales.append(await reported(later, 70_000))
        await finished(later, sales)
    put_back(copies)
    paid = await paid_out(bot.world, bot.shop)
    await bot.world.call("advance", seconds=60)

    async with running(bot.world, bot.shop, bot.atms, bot.clock, timings=PATIENT) as restored:
        await restored.seen("SELECT 1 FROM settlements WHERE payment_hash = ?", sales[1].payment_hash)
        await asked(restored)
        [reason] = reasons(restored)
        assert reason in (past.SAID_ELSEWHERE, past.ELSEWHERE), "whichever came first"
        sales.append(await reported(restored, 50_000))
        await restored.look()
        await restored.pass_time(6, step=3)
        await restored.seen("SELECT 1 FROM meta WHERE key = 'past told'")
        assert await paid_out(restored.world, restored.shop) == paid
        assert sum("Nothing more is paid: " in text for text in await restored.told()) == 1
        made = await answer(restored, await say(restored, "hold lift past looked"))
        await answer(restored, await say(restored, made.splitlines()[-1].partition(": ")[2]))
        await restored.settled()
    async with bot.again() as again:
        await asked(again)
        assert reasons(again) == []
        sales.append(await again.sell())
        await again.settled()
        verdict = await judge(again.world, again.shop, sales)
    # Rows are numbered anew by a database from the past, so that the wallet's own numbers show some twice.
    assert not verdict.lost, str(verdict)
    what = [str({**move["metadata"], "leg": ""}) for move in await paid_out(bot.world, bot.shop)]
    assert len(set(what)) == len(what) == 3 * len(sales)


@pytest.mark.parametrize("kind", ["alby", "lnbits"])
async def test_a_copy_from_before_the_first_payment(start: Start, kind: str) -> None:
    """Its witness is gone, so that nothing beside it tells its age; the transaction comes back from the relay. The
    wallet shows what it has sent before it is told to send anything, whether or not it knows what for."""
    async with start(kind, payouts=PAYOUTS) as bot:
        pass
    copies = copied(bot)
    async with bot.again() as first:
        sale = await reported(first, 100_000)
        await finished(first, [sale])
    put_back(copies)
    witness_path(bot.shop.database_path).unlink()
    paid = await paid_out(bot.world, bot.shop)
    async with running(bot.world, bot.shop, bot.atms, bot.clock, timings=PATIENT) as restored:
        await restored.seen("SELECT 1 FROM settlements WHERE payment_hash = ?", sale.payment_hash)
        await restored.seen("SELECT 1 FROM holds UNION SELECT 1 FROM legs WHERE reason = ?", forgotten.ASIDE)
        await restored.look()
        assert await paid_out(restored.world, restored.shop) == paid


async def asked(bot: Running) -> None:
    """Its relay has answered."""
    await bot.seen("SELECT 1 FROM relays WHERE compared_at >= ?", bot.daemon._started_at)


async def test_a_second_bot_with_the_same_key(start: Start, tmp_path: Path) -> None:
    """It works on a copy of the books. Each of the two notices the other at its next start, and pays nothing. Their
    wallet does not say what its payments were for."""
    async with start("lnbits") as bot:
        sales = [await bot.sell()]
        await finished(bot, sales)
    directory = tmp_path / "second"
    shutil.copytree(bot.shop.directory, directory)
    second = replace(bot.shop, directory=directory, config_path=directory / bot.shop.config_path.name)
    await bot.world.call("advance", seconds=60)
    async with bot.again() as first:
        sales.append(await first.sell())
        await finished(first, sales)
    paid = await paid_out(bot.world, bot.shop)
    await bot.world.call("advance", seconds=60)
    async with running(bot.world, second, bot.atms, bot.clock, timings=PATIENT) as other:
        sale = await other.sell()
        await asked(other)
        assert reasons(other) == [past.SAID_ELSEWHERE]
        await other.seen(
            "SELECT 1 FROM outbox WHERE state = 'done' AND coordinate LIKE ?", f"%bitspire-receipt:{sale.payment_hash}%"
        )
    async with running(bot.world, bot.shop, bot.atms, bot.clock, timings=PATIENT) as first:
        await asked(first)
        assert reasons(first) == [past.SAID_ELSEWHERE]
        assert await paid_out(first.world, first.shop) == paid
