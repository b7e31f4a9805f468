"""When a leg may have another invoice, and when not: expiry, quarantine, forgetful wallets, late proof, downtime."""

from __future__ import annotations

import pytest

from tests.bot.paying.running import Running, Start, finished, running
from tests.crash.atm import report
from tests.crash.shop import Sale, sell, until
from tests.crash.truth import judge

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3_600
DAY = 86_400


async def flips_in_quarantine(start: Start) -> None:
    """LDK behind Alby Hub says failed, and hours after the invoice expired the payment settles."""
    async with start("alby", profile="alby-ldk", flips=1, flip_after_seconds=None) as bot:
        sale = await bot.sell(40_000)  # each leg under the automatic limit
        flipped = await the_one_under_way(bot)
        await bot.pass_time(21 * HOUR, step=5 * HOUR)
        assert not bot.rows("SELECT 1 FROM attempts WHERE state IN ('released', 'claimed')")
        assert set((await bot.asked()).values()) == {1}
        await bot.world.call("settle", payment_hash=flipped)
        await finished(bot, [sale])


async def test_flips_in_quarantine(start: Start) -> None:
    await flips_in_quarantine(start)


async def flips_after_release(start: Start) -> None:
    """It settles after the release, and after the leg was paid again: the payee's next leg is lowered by it."""
    async with start("alby", profile="alby-ldk", flips=1, flip_after_seconds=None) as bot:
        sales = [await bot.sell(40_000)]
        flipped = await the_one_under_way(bot)
        amount_msat = bot.rows("SELECT amount_msat FROM attempts WHERE payment_hash = ?", flipped)[0]["amount_msat"]
        await bot.pass_time(60 * HOUR, "released", step=9 * HOUR)
        bot.certain(flipped)
        # The wallet still keeps the sats of the first payment aside: the second takes some of its own.
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=amount_msat)
        await bot.advance(10)
        await bot.settled()
        await bot.world.call("settle", payment_hash=flipped)
        await bot.state(flipped, "settled")
        surplus = bot.rows("SELECT * FROM attempts WHERE payment_hash = ?", flipped)[0]
        assert surplus["surplus"] == 1
        assert (await bot.world.call("balances"))[bot.shop.wallet] == 0
        verdict = await judge(bot.world, bot.shop, sales)
        assert len(verdict.doubles) == 2, str(verdict)  # the leg, and the payee who has too much: this once rightly
        sales.append(await bot.sell(200_000))
        await bot.settled()
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=-amount_msat)
        verdict = await judge(bot.world, bot.shop, sales)
        assert len(verdict.doubles) == 1, str(verdict)
        assert not verdict.lost, str(verdict)
        assert not verdict.problems, str(verdict)
        assert bot.rows("SELECT sum(credit_sats) AS sats FROM legs") == [{"sats": amount_msat // 1000}]


async def test_flips_after_release(start: Start) -> None:
    await flips_after_release(start)


async def one_stale_negative(start: Start) -> None:
    """After the invoice expired the wallet once knows nothing of a payment that a payee holds, and then knows again."""
    async with start(profile="lnbits") as bot:
        await bot.world.call("route", payee=bot.shop.platform, held=True)
        sale = await bot.sell()
        held = await bot.attempt(bot.shop.platform)
        await bot.pass_time(HOUR + 700, step=400)
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[held["payment_hash"]])
        await bot.pass_time(301, step=301)
        assert bot.rows("SELECT 1 FROM evidence WHERE class = 'negative' AND source = 'list'")
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[])
        await bot.pass_time(2 * DAY, step=12 * HOUR)
        assert not bot.rows("SELECT 1 FROM attempts WHERE state = 'released'")
        assert set((await bot.asked()).values()) == {1}
        await bot.world.call("release", payee=bot.shop.platform)
        await finished(bot, [sale])


async def test_one_stale_negative(start: Start) -> None:
    await one_stale_negative(start)


async def look_ups_without_the_list(start: Start) -> None:
    """Look-ups find nothing, the list shows the payment: the list is believed."""
    async with start(profile="lnbits") as bot:
        await bot.world.call("route", payee=bot.shop.platform, held=True)
        sale = await bot.sell()
        held = await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 2")
        find = bot.behaviour.find
        bot.behaviour.find = lambda wallet, wanted: None if wanted == held["payment_hash"] else find(wallet, wanted)
        await bot.pass_time(DAY, step=8 * HOUR)
        assert not bot.rows("SELECT 1 FROM attempts WHERE state = 'released'")
        bot.behaviour.find = find
        await bot.world.call("release", payee=bot.shop.platform)
        await finished(bot, [sale])


async def test_look_ups_without_the_list(start: Start) -> None:
    await look_ups_without_the_list(start)


async def a_restored_wallet(start: Start) -> None:
    """The wallet was restored from a backup and knows none of its payments: nothing is released on its word."""
    async with start(profile="lnbits") as bot:
        await bot.world.call("route", payee=bot.shop.platform, held=True)
        sale = await bot.sell()
        await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 2")
        made = [row["payment_hash"] for row in bot.rows("SELECT payment_hash FROM attempts")]
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[*made, sale.payment_hash])
        await bot.pass_time(3 * DAY, step=18 * HOUR)
        assert not bot.rows("SELECT 1 FROM attempts WHERE state = 'released'")
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[])
        await bot.world.call("release", payee=bot.shop.platform)
        await finished(bot, [sale])


async def test_a_restored_wallet(start: Start) -> None:
    await a_restored_wallet(start)


async def test_the_payee_shows_what_the_wallet_forgot(start: Start) -> None:
    """The wallet has lost one payment that arrived; the payee's own server has the preimage (LUD-21)."""
    async with start(profile="lnbits", tricks=[{"what": "drop", "method": "pay_invoice"}]) as bot:
        bot.mute()
        await bot.world.call("route", payee=bot.shop.platform, held=True)
        sale = await bot.sell()
        held = await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 2")
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[held["payment_hash"]])
        await bot.world.call("release", payee=bot.shop.platform)
        await bot.pass_time(2 * HOUR, "released", step=301)
        await finished(bot, [sale])
        proof = "SELECT source FROM evidence WHERE class = 'proof' AND source <> 'control' AND payment_hash = ?"
        assert bot.rows(proof, held["payment_hash"]) == [{"source": "verify"}]
        assert set((await bot.asked()).values()) == {1}


@pytest.mark.parametrize("what", ["large", "clock"])
async def test_not_released_by_rule(start: Start, what: str) -> None:
    """Above the automatic limit, or with a clock that was set: an operator decides."""
    limit = {"auto_release_max_sats": 1_000 if what == "large" else 50_000}
    async with start("lnbits", profile="lnbits", payouts=limit) as bot:
        await bot.world.call("route", payee=bot.shop.platform, failures_left=1)
        sale = await bot.sell()
        await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 2")
        bot.clock.drift = 4_000.0 if what == "clock" else 0.0
        await bot.pass_time(3 * DAY, step=20 * HOUR)
        assert not bot.rows("SELECT 1 FROM attempts WHERE state = 'released'")
        if what == "clock":
            bot.clock.drift = 0.0
            await bot.pass_time(DAY, "released", step=301)
            await bot.advance(5)
            await finished(bot, [sale])


async def test_eight_hours_down(start: Start) -> None:
    """The bot is away for 8 h: one payment settled meanwhile, one never reached the wallet."""
    async with start("honest", profile="lnbits") as first:
        shop = first.shop
        await first.world.call("route", payee=shop.platform, held=True)
        await first.world.call("route", payee=shop.partner, held=True)
        await first.world.call("route", payee=shop.lps[0], failures_left=1)
        sale = await first.sell(40_000)
        await first.under_way(*shop.payees)
        settled_meanwhile = await first.attempt(shop.platform)
        still_held = await first.attempt(shop.partner)
        failed = await first.attempt(shop.lps[0])
    await first.world.call("advance", seconds=4 * HOUR)
    await first.world.call("release", payee=shop.platform)
    await first.world.call("advance", seconds=4 * HOUR)
    async with running(first.world, shop, first.atms, first.clock) as bot:
        await bot.state(settled_meanwhile["payment_hash"], "settled")
        await bot.pass_time(400, "released")
        bot.certain(failed["payment_hash"])
        await bot.pass_time(DAY, step=12 * HOUR)
        assert (await bot.attempt(shop.partner))["payment_hash"] == still_held["payment_hash"]
        await bot.world.call("release", payee=shop.partner)
        await finished(bot, [sale])


async def test_what_was_open_comes_first(start: Start) -> None:
    """After a restart nothing new is paid before every open attempt was asked about."""
    async with start() as first:
        shop = first.shop
        for payee in shop.payees:
            await first.world.call("route", payee=payee, held=True)
        sales = [await first.sell()]
        await first.under_way(*shop.payees)
    open_hashes = {row["payment_hash"] for row in first.rows("SELECT payment_hash FROM attempts")}
    await first.world.call("personality", account=shop.wallet, name="silent", methods=["lookup_invoice"])
    async with running(first.world, shop, first.atms, first.clock) as bot:
        sales.append(await sold_unproven(bot))
        await bot.seen("SELECT 1 FROM settlements WHERE id = 2")
        part = bot.daemon._parts
        assert part is not None
        await until(lambda: done(part.wallets["main"].resolver.taken_up.is_set()), "open attempts were asked about")
        assert {row["payment_hash"] for row in bot.rows("SELECT payment_hash FROM attempts")} == open_hashes
        await bot.world.call("personality", account=shop.wallet, name="honest")
        for payee in shop.payees:
            await bot.world.call("release", payee=payee)
        await bot.advance(10)
        await finished(bot, sales)


async def the_one_under_way(bot: Running) -> str:
    """The hash of the only payment of this shop's wallet that is not settled."""

    async def there() -> str | None:
        under_way = [
            payment["payment_hash"]
            for payment in await bot.world.call("payments")
            if payment["payer"] == bot.shop.wallet and payment["state"] == "pending"
        ]
        rest = bot.rows("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 2")
        return under_way[0] if under_way and rest else None

    return str(await until(there, "one payment is under way and the others are done"))


async def done(value: bool) -> bool:
    return value


async def sold_unproven(bot: Running) -> Sale:
    """A sale whose proof may take its time."""
    sale = await sell(bot.world, bot.shop)
    await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
    return sale
