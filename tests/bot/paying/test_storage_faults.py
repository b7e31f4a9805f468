"""A full disk, tasks that are cancelled anywhere, a damaged file: nothing is paid twice, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.daemon import Daemon, _run_once, read_secrets
from storage.errors import StorageError
from storage.verify import verify_file
from tests.bot.conftest import HURRY
from tests.bot.paying.running import Running, Start, finished
from tests.crash.atm import report
from tests.crash.shop import Sale, sell, until
from tests.crash.truth import judge, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED = 20_261_121
ROOMS = (0, 1, 2, 4, 8, 16)
"""Pages that the disk still has room for: the bot dies at another statement each time."""
LIVES = 10
FLIPS = 50
MONEY = {
    "settlements": "id, status, payment_hash, wire_sats, principal_sats, platform_fee_sats, operator_fee_sats",
    "legs": "id, settlement_id, type, status, amount_sats, credit_sats, fiat_minor, lp_id",
    "attempts": "payment_hash, leg_id, state, amount_msat, preimage",
    "requests": "payment_hash, event_id",
    "postings": "entry_id, account, commodity, amount",
    "journal": "*",
    "audit": "*",
    "deposits": "id, machine_id, lp_id, amount_minor, status",
    "enrolments": "machine_id, lp_id, deposited_minor, paid_minor, reserved_minor",
}
"""What says what was paid, and what is owed."""


@contextlib.asynccontextmanager
async def life(bot: Running) -> AsyncIterator[tuple[Daemon, asyncio.Task[int]]]:
    """The bot of the shop from start to end, as a process would run it: its exit code is the task's result."""
    config = bot.shop.config()
    ready = asyncio.Event()
    daemon = Daemon(config, read_secrets(config), asyncio.Event(), clock=bot.clock, timings=HURRY, on_ready=ready.set)
    task = asyncio.create_task(_run_once(daemon))
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield daemon, task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def reported(bot: Running, number: int = 1) -> list[Sale]:
    sales = [await sell(bot.world, bot.shop, 100_000) for _ in range(number)]
    for sale in sales:
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
    return sales


async def test_a_full_disk_ends_the_bot_and_costs_nothing(start: Start) -> None:
    """It exits with 1, publishes nothing that is not stored, and goes on when there is room."""
    async with start("sloppy", lps=2, payouts={"request_life_seconds": 2}, seed=3) as bot:
        pass
    sales: list[Sale] = []
    for room in ROOMS:
        async with life(bot) as (daemon, task):
            assert daemon.db is not None
            await daemon.db.write(_limit(room))
            async with asyncio.timeout(20):
                while not task.done():
                    sales += await reported(bot)
                    await asyncio.wait({task}, timeout=0.5)
            assert task.result() == 1
        assert (await judge(bot.world, bot.shop, sales, settled=False)).problems == [], f"{room} pages"
    async with bot.again() as again:
        for sale in sales:  # as machines do until they have a receipt
            await again.atms.send(again.shop, report(sale, again.clock.now()))
            await until(lambda sale=sale: _receipt(again, sale), "a receipt")
        await finished(again, sales)


def _limit(room: int) -> Any:
    def work(tx: Any) -> None:
        pages = tx.one("PRAGMA page_count")[0]
        free = tx.one("PRAGMA freelist_count")[0]
        tx.all(f"PRAGMA max_page_count = {pages - free + room}")

    return work


async def _receipt(bot: Running, sale: Sale) -> Any:
    return bot.atms.receipts(sale.payment_hash)


async def test_tasks_are_cancelled_anywhere(start: Start) -> None:
    """At some turn of the loop one payment's task, and then the whole bot: at another await each time."""
    chance = random.Random(SEED)
    async with start("sloppy", lps=2, payouts={"request_life_seconds": 2}, seed=5) as bot:
        pass
    sales: list[Sale] = []
    for _ in range(LIVES):
        async with life(bot) as (_, task):
            sales += await reported(bot)
            await turns(chance.randrange(20, 1_500))
            mine = [each for each in asyncio.all_tasks() if each.get_name().startswith(("pay P", "resolve "))]
            if mine:
                chance.choice(sorted(mine, key=asyncio.Task.get_name)).cancel()
            await turns(chance.randrange(1, 300))
            assert not task.done(), task.result()
    async with bot.again() as again:
        for sale in sales:
            await again.atms.send(again.shop, report(sale, again.clock.now()))
            await until(lambda sale=sale: _receipt(again, sale), "a receipt")
        await finished(again, sales, 40)


async def turns(number: int) -> None:
    """So many turns of the event loop."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_flipped_byte_is_found_where_it_changes_what_was_paid(start: Start, tmp_path: Path) -> None:
    """`verify` names it, or the file can't be read, or nothing of the money in it is another than before."""
    async with start(lps=2) as bot:
        await finished(bot, [await bot.sell(), await bot.sell(70_000)])
    path, copy = bot.shop.database_path, tmp_path / "flipped.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, before = path.read_bytes(), money(path)
    assert verify_file(path).clean
    chance, found = random.Random(SEED), 0
    written = [place for place, byte in enumerate(whole) if byte]  # most of the rest is room that nothing fills yet
    for place in chance.sample(written, FLIPS):
        flipped = bytes([whole[place] ^ (1 << chance.randrange(8))])
        copy.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        if noticed(copy):
            found += 1
            continue
        assert money(copy) == before, f"byte {place} of {len(whole)}"
    assert found >= 5, f"{found} of {FLIPS}"


def noticed(path: Path) -> bool:
    try:
        return not verify_file(path).clean
    except StorageError:
        return True


def money(path: Path) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(path, f"SELECT {columns} FROM {table}") for table, columns in MONEY.items()}


async def test_a_clock_a_day_back_pays_once_and_gives_nothing_up(start: Start) -> None:
    """The clock was a day ahead while it paid, and is set right: what is in doubt is asked about, not released."""
    async with start("liar", payouts={"request_life_seconds": 5}, settle_after_seconds=None) as bot:
        sales = [await bot.sell()]
        await bot.under_way(*bot.shop.payees)
    bot.clock._clock.ahead -= 86_400
    try:
        async with bot.again() as again:
            await again.look()
            assert not again.daemon._clock_sane()
            await again.asked_about_all()
            assert again.rows("SELECT 1 FROM attempts WHERE state IN ('released', 'dropped')") == []
    finally:
        bot.clock._clock.ahead += 86_400
    for row in bot.rows("SELECT payment_hash FROM attempts WHERE state = 'sent'"):
        await bot.world.call("settle", payment_hash=row["payment_hash"])
    async with bot.again() as again:
        await finished(again, sales)
