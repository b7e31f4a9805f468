"""Somebody alters the books of a running bot by hand: within a second nothing more leaves, and the operator knows."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.wallets import Wallet
from nwc.requests import SignedRequest
from tests.bot.paying import talking
from tests.bot.paying.running import Running, Start, finished, running
from tests.crash.shop import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALTERATIONS = {
    "a trigger is dropped": "DROP TRIGGER requests_fixed",
    "a leg pays more": "DROP TRIGGER legs_amount_fixed; UPDATE legs SET amount_sats = amount_sats + 1 WHERE id = 1",
    "a second attempt is settled": (
        "DROP INDEX attempts_one_settled; DROP TRIGGER attempts_start; DROP TRIGGER attempts_of_open_legs;"
        "CREATE TEMP TABLE twin AS SELECT * FROM attempts WHERE state = 'settled' LIMIT 1;"
        "UPDATE twin SET payment_hash = 'ff' || substr(payment_hash, 3); INSERT INTO attempts SELECT * FROM twin"
    ),
    "a posting is altered": (
        "DROP TRIGGER postings_fixed; UPDATE postings SET amount = amount + 1 WHERE entry_id = 1 AND position = 0"
    ),
    "an audit row is altered": "DROP TRIGGER audit_fixed; UPDATE audit SET who = 'nobody' WHERE id = 1",
}


def alter(bot: Running, script: str) -> None:
    with closing(sqlite3.connect(bot.shop.database_path)) as raw:
        raw.executescript(f"BEGIN; {script}; COMMIT")


@contextlib.contextmanager
def departures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """When each pay request left, on the monotonic clock."""
    left: list[float] = []
    publish = Wallet.publish_and_wait

    async def noted(wallet: Wallet, request: SignedRequest, seconds: float) -> None:
        left.append(time.monotonic())
        await publish(wallet, request, seconds)

    with monkeypatch.context() as patched:
        patched.setattr(Wallet, "publish_and_wait", noted)
        yield left


@pytest.mark.parametrize("alteration", ALTERATIONS)
async def test_an_alteration_by_hand_stops_payments(
    start: Start, alteration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Customers keep coming. From the alteration to the last request there is at most a second of real time."""
    with departures(monkeypatch) as left:
        async with start() as bot:
            sales = [await bot.sell(20_000)]
            await bot.settled()
            before = len(left)
            altered_at = time.monotonic()
            alter(bot, ALTERATIONS[alteration])
            while "hold.books" not in bot.daemon._problems():
                assert time.monotonic() < altered_at + 5, "nobody noticed"
                sales.append(await bot.sell(20_000))
            sales.append(await bot.sell(20_000))
            await bot.look()
            await asyncio.sleep(0.3)
            assert max(left[before:], default=0.0) - altered_at <= 1.0
            assert len(left) < len(sales) * len(bot.shop.payees), "what was sold last is not paid"
            assert "hold.books" not in bot.daemon._missing(), "it serves, and holds"
            assert len([text for text in await bot.told() if "books don't hold" in text]) == 1


async def test_a_write_that_breaks_nothing_stops_nothing_for_long(start: Start) -> None:
    """Somebody corrects a machine's place by hand: the books are looked through, and payments go on."""
    async with start() as bot:
        sales = [await bot.sell(20_000)]
        await bot.settled()
        alter(bot, "UPDATE machines SET location = 'the kiosk'")

        async def noticed() -> bool:
            return bot.daemon._parts is not None and bot.daemon._parts.auditor._checked > 0

        await until(noticed, "the write was noticed, and the books were checked")
        sales.append(await bot.sell(20_000))
        await finished(bot, sales)
        assert not bot.daemon._problems()


async def test_what_the_bot_itself_writes_is_looked_at_too(start: Start) -> None:
    """A fault of the program breaks a rule in its own transaction: nobody else was there, and it is noticed."""
    async with start() as bot:
        await bot.sell(20_000)
        await bot.settled()
        assert bot.daemon.db is not None
        await bot.daemon.db.write(lambda tx: tx.run("UPDATE attempts SET preimage = ? WHERE rowid = 1", ("00" * 32,)))
        await bot.seen("SELECT 1 FROM holds WHERE name = 'books'", seconds=1.0)
        done = await talking.ask(bot, "resume")
        assert done["result"]["holds"][0]["name"] == "books"


async def test_books_that_were_altered_while_the_bot_was_down_are_not_paid_from(start: Start) -> None:
    """The sums are looked at before the first payment."""
    async with start() as bot:
        await bot.sell(20_000)
        await bot.settled()
        alter(bot, ALTERATIONS["a posting is altered"])
    async with running(bot.world, bot.shop, bot.atms, bot.clock) as bot:
        await bot.seen("SELECT 1 FROM holds WHERE name = 'books'")
        assert not bot.daemon._may_pay()
