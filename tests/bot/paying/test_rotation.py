"""A wallet's connection is exchanged while payments from it are in doubt: nothing is paid again, nothing gets lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.daemon import CannotStart
from tests.bot.paying.running import Running, Start, finished, running
from tests.crash.shop import Sale, Shop, sell

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_another_wallet_waits_until_nothing_is_in_doubt(start: Start) -> None:
    """The bot does not start with it, and says what to do; when all is resolved it is taken, and paid from."""
    async with start() as first:
        world, old, atms, clock = first.world, first.shop, first.atms, first.clock
        sales = [await held(first)]
    new = using(old, await world.call("rotate", account=old.wallet, another=True))
    with pytest.raises(CannotStart, match="put the old connection back"):
        async with running(world, new, atms, clock):
            pass
    (old.directory / "main.nwc").write_text(old.wallet_uri)
    async with running(world, old, atms, clock) as bot:
        assert {row["state"] for row in bot.rows("SELECT state FROM attempts")} == {"sent"}
        for payee in old.payees:
            await world.call("release", payee=payee)
        await bot.settled()
    (new.directory / "main.nwc").write_text(new.wallet_uri)
    async with running(world, new, atms, clock) as bot:
        sales.append(await bot.sell())
        await finished(bot, sales)


async def test_a_new_connection_of_the_same_wallet(start: Start) -> None:
    """The old one was revoked while payments were under way, and refused others. With the new one the first are
    followed up; the others are requested again once nobody can act on the old requests any more."""
    async with start() as first:
        world, shop, atms, clock = first.world, first.shop, first.atms, first.clock
        sales = [await held(first)]
        await world.call("personality", account=shop.wallet, name="revoked", first=1)
        sales.append(await first.sell())
        await first.seen("SELECT 1 FROM wallets WHERE paused_reason = 'revoked'")
    shop = using(shop, await world.call("rotate", account=shop.wallet))
    async with running(world, shop, atms, clock) as bot:
        for payee in shop.payees:
            await world.call("release", payee=payee)
        assert not bot.rows("SELECT 1 FROM wallets WHERE paused_reason IS NOT NULL")
        await bot.pass_time(700, step=350)
        await finished(bot, sales)


async def test_another_wallet_of_the_same_service(start: Start) -> None:
    """All wallets of one LNbits have one key, so the bot takes it. It never had what was under way, and pays well: that
    is no sign that the payments of the other one are gone. They wait, for their own wallet or for an operator."""
    async with start("lnbits", profile="lnbits") as first:
        world, shop, atms, clock = first.world, first.shop, first.atms, first.clock
        await held(first)
        lost = [row["payment_hash"] for row in first.rows("SELECT payment_hash FROM attempts WHERE state = 'sent'")]
    other = using(shop, await world.call("rotate", account=shop.wallet))
    await world.call("personality", account=shop.wallet, name="lnbits")
    await world.call("forget", account=shop.wallet, payment_hashes=lost)
    async with running(world, other, atms, clock) as bot:
        for payee in other.payees:
            await world.call("route", payee=payee, held=False)
        await sell(world, other, 100_000)  # sats that nobody reports, so that there are enough
        await bot.sell()
        await bot.seen(
            "SELECT 1 FROM attempts WHERE leg_id > 3 AND state = 'settled' GROUP BY state HAVING count(*) = 3"
        )
        await bot.pass_time(4_800, step=600)
        checks = "SELECT 1 FROM attempts WHERE leg_id <= 3 GROUP BY wallet HAVING count(*) = 3 AND min(checks) > 2"
        await bot.seen(checks)
        assert {row["state"] for row in bot.rows("SELECT state FROM attempts WHERE leg_id <= 3")} == {"sent"}
        await world.call("forget", account=shop.wallet, payment_hashes=[])
        for payee in other.payees:
            await world.call("release", payee=payee)
        await bot.pass_time(600, step=300)
        await bot.seen("SELECT 1 FROM attempts WHERE state = 'settled' GROUP BY state HAVING count(*) = 6")
    made = [move["payee"] for move in await world.call("payments") if move["state"] == "settled"]
    assert {made.count(payee) for payee in other.payees} == {2}, "two sales"


async def held(bot: Running) -> Sale:
    """A sale whose payments are all under way and stay so."""
    for payee in bot.shop.payees:
        await bot.world.call("route", payee=payee, held=True)
    sale = await bot.sell()
    await bot.under_way(*bot.shop.payees)
    return sale


def using(shop: Shop, connection: Mapping[str, str]) -> Shop:
    """The shop with this connection in its configuration."""
    (shop.directory / "main.nwc").write_text(connection["uri"])
    return replace(shop, wallet_uri=connection["uri"], wallet_pubkey=connection["pubkey"])
