"""Payees that cheat, stall or are away cost nobody else anything, and nothing is paid to them by mistake."""

from __future__ import annotations

import pytest

from bot.demo.addresses import Limits
from bot.nostr import wrap_dm
from tests.bot.paying.running import Running, Start, finished
from tests.crash.atm import report
from tests.crash.shop import sell, until
from tests.crash.truth import judge
from tests.parts.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHEATS = (
    *("plus_one_msat", "times_1000", "amountless", "wrong_network", "expired", "soon_expired", "long_cltv"),
    *("mixed_case", "foreign_callback", "wrong_tag", "upside_down", "redirect", "not_json", "error", "unavailable"),
)
HARMLESS = ("wrong_hash", "callback_with_query")


async def test_cheats_get_nothing_and_the_others_all(start: Start) -> None:
    """One LP for each way to cheat, in one settlement: their legs fail after `max_attempts`, the settlement errs."""
    async with start(lps=len(CHEATS) + len(HARMLESS) + 1, payouts={"max_attempts": 2}) as bot:
        lps = dict(zip(bot.shop.lps, (*CHEATS, *HARMLESS, None), strict=True))
        for lp, twist in lps.items():
            await bot.world.call("twist", user=lp, twist=twist)
        sale = await bot.sell(180_000)
        await bot.pass_time(20, step=2)
        await bot.settled()
        assert bot.rows("SELECT status FROM settlements") == [{"status": "errored"}]
        balances = await bot.world.call("balances")
        for lp, twist in lps.items():
            leg = bot.rows("SELECT * FROM legs WHERE target = ?", bot.shop.addresses[lp])[0]
            if twist in CHEATS:
                assert (twist, leg["status"], leg["tries"], balances[lp]) == (twist, "failed", 1, 0), leg["reason"]
                assert leg["reason"]
            else:
                assert (twist, leg["status"], balances[lp]) == (twist, "completed", leg["amount_sats"] * 1000)
        assert not bot.rows("SELECT 1 FROM attempts a JOIN legs l ON l.id = a.leg_id WHERE l.status = 'failed'")
        verdict = await judge(bot.world, bot.shop, [sale])
        assert not verdict.doubles, str(verdict)
        # Nothing is unaccounted for: what the cheats did not get is still in the wallet.
        failed = bot.rows("SELECT sum(amount_sats) AS sats FROM legs WHERE status = 'failed'")[0]["sats"]
        assert balances[bot.shop.wallet] == failed * 1000


@pytest.mark.parametrize("twist", ["same_invoice", "same_hash"])
async def test_an_invoice_is_paid_for_one_leg_only(start: Start, twist: str) -> None:
    async with start(payouts={"max_attempts": 2}) as bot:
        await bot.world.call("twist", user=bot.shop.platform, twist=twist)
        await bot.sell()
        await bot.settled()
        await bot.sell()
        await bot.pass_time(10, step=2)
        await bot.settled()
        legs = bot.rows("SELECT status FROM legs WHERE type = 'super_fee' ORDER BY id")
        assert legs == [{"status": "completed"}, {"status": "failed"}]
        assert (await bot.world.call("balances"))[bot.shop.platform] == 3_000_000


async def test_an_invoice_that_somebody_else_has_paid(start: Start) -> None:
    """The wallet refuses it and knows nothing of it; only when that is certain there is another invoice."""
    async with start(profile="lnbits") as bot:
        await bot.world.call("twist", user=bot.shop.platform, twist="paid_by_other")
        sale = await sell(bot.world, bot.shop)
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        first = await bot.attempt(bot.shop.platform)
        before = (await bot.world.call("balances"))[bot.shop.platform]
        await bot.world.call("twist", user=bot.shop.platform, twist=None)
        await bot.pass_time(4_100, step=1_000)
        assert (await bot.attempt(bot.shop.platform))["payment_hash"] == first["payment_hash"]
        # The payee's server says settled, so no rule releases it: the payee has these sats.
        await bot.pass_time(86_400, step=20_000)
        assert (await bot.attempt(bot.shop.platform))["state"] != "released"
        assert (await bot.world.call("balances"))[bot.shop.platform] == before


async def test_an_amount_out_of_range_is_skipped(start: Start, world: World) -> None:
    async with start() as bot:
        limits = world.addresses.limits
        world.addresses.limits = Limits(least_msat=4_000_000)
        try:
            sale = await bot.sell()
            await bot.settled()
        finally:
            world.addresses.limits = limits
        legs = {row["type"]: row for row in bot.rows("SELECT * FROM legs")}
        assert legs["super_fee"]["status"] == "skipped"
        assert "the payee takes" in legs["super_fee"]["reason"]
        assert bot.rows("SELECT status FROM settlements") == [{"status": "processed"}]
        assert (await bot.world.call("balances"))[bot.shop.wallet] == sale.platform_sats * 1000
        verdict = await judge(bot.world, bot.shop, [sale])
        assert (verdict.doubles, len(verdict.lost)) == ([], 2), str(verdict)


async def test_a_server_that_is_away(start: Start) -> None:
    """Tried `max_attempts` times, spaced out; then failed. The sats stay where they are."""
    async with start(payouts={"max_attempts": 3}) as bot:
        await bot.world.call("addresses_down")
        try:
            await bot.sell()
            await bot.seen("SELECT 1 FROM legs WHERE tries = 1")
            assert bot.rows("SELECT status FROM settlements") == [{"status": "processing"}]
            await bot.pass_time(20, step=2)
            await bot.settled()
        finally:
            await bot.world.call("addresses_up")
        assert bot.rows("SELECT status FROM settlements") == [{"status": "errored"}]
        assert {row["status"] for row in bot.rows("SELECT status FROM legs")} == {"failed"}
        assert (await bot.world.call("balances"))[bot.shop.wallet] == 108_000_000


async def test_pause_and_resume(start: Start) -> None:
    """While it is paused settlements are taken in and nothing is asked for or paid."""
    async with start() as bot:
        await order(bot, "pause")
        await bot.seen("SELECT 1 FROM switches WHERE name = 'payments' AND paused = 1")
        sale = await bot.sell()
        await bot.seen("SELECT 1 FROM legs")
        await bot.pass_time(30, step=6)
        assert set((await bot.asked()).values()) == {0}
        await bot.advance(1)
        await order(bot, "resume")
        await finished(bot, [sale])


async def test_pause_holds_what_is_ready_and_what_is_to_be_sent_again(start: Start) -> None:
    """Also the same bytes once more, and a further request for the same invoice, wait for `resume`."""
    async with start("silent", methods=["pay_invoice"]) as bot:
        sale = await bot.sell()
        await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM attempts WHERE state = 'sent') = 3")
        await order(bot, "pause")
        await bot.seen("SELECT 1 FROM switches WHERE name = 'payments' AND paused = 1")
        await bot.asked_about_all()
        published = bot.rows("SELECT event_id, publishes FROM requests ORDER BY event_id")
        await bot.world.call("personality", account=bot.shop.wallet, name="honest")
        await bot.pass_time(700, step=100)
        assert bot.rows("SELECT event_id, publishes FROM requests ORDER BY event_id") == published
        assert (await bot.world.call("balances"))[bot.shop.platform] == 0
        await order(bot, "resume")
        await bot.pass_time(20, step=4)
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def order(bot: Running, text: str) -> None:
    """A direct message of the operator, as any client sends it."""
    wrap, _ = wrap_dm(bot.shop.operator, bot.shop.bot.public_key, text, None, bot.clock.now())
    await bot.atms.link.publish(wrap)

    async def taken() -> bool:
        return bool(bot.rows("SELECT 1 FROM orders WHERE method = ?", text))

    await until(taken, f"the order {text} is taken")
