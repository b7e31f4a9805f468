"""Legs are paid once, whatever the wallet says: real daemon, relay, wallet service and Lightning addresses.

The scenarios are functions of a running bot, so that test_faults.py can run them against a broken one.
"""

from __future__ import annotations

import re

import pytest

from tests.bot.paying.running import Start, finished
from tests.bot.paying.talking import answer, say
from tests.crash.atm import report
from tests.crash.shop import HASTE, sell
from tests.crash.truth import judge

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pays_everybody(start: Start) -> None:
    async with start() as bot:
        sales = [await bot.sell() for _ in range(3)]
        await finished(bot, sales)
        assert set((await bot.asked()).values()) == {3}


async def no_answer_and_not_found(start: Start) -> None:
    """Requests that the wallet drops: the same bytes again, then a new request for the same invoice; one invoice."""
    async with start("silent", methods=["pay_invoice"]) as bot:
        sale = await bot.sell()
        first = await bot.attempt(bot.shop.platform)
        await bot.all_sent()
        tries = 1 + len(HASTE["resend_seconds"])
        while bot.rows("SELECT 1 FROM requests WHERE publishes < ?", tries):  # or the honest one would hear the first
            await bot.pass_time(2, step=2)
        requests = [event["id"] for event in await bot.world.call("requests", account=bot.shop.wallet)]
        resent = [event_id for event_id in requests if requests.count(event_id) > 1]
        assert resent, "the same bytes were not published again"
        assert len(bot.rows("SELECT 1 FROM requests")) == 3
        await bot.world.call("personality", account=bot.shop.wallet, name="honest")
        await bot.pass_time(610, step=300)
        await finished(bot, [sale])
        assert len(bot.rows("SELECT 1 FROM requests WHERE payment_hash = ?", first["payment_hash"])) == 2
        assert set((await bot.asked()).values()) == {1}


async def test_no_answer_and_not_found(start: Start) -> None:
    await no_answer_and_not_found(start)


async def failed_that_settles_later(start: Start) -> None:
    """PAYMENT_FAILED and NOT_FOUND while the payment is under way."""
    async with start("liar", settle_after_seconds=0.5) as bot:
        sale = await bot.sell()
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def test_failed_that_settles_later(start: Start) -> None:
    await failed_that_settles_later(start)


async def an_answer_after_its_time(start: Start) -> None:
    """The wallet answers later than anybody waits for an answer, and its look-ups are no help until then."""
    async with start(tricks=[{"what": "not_found", "method": "lookup_invoice", "skip": 1, "times": 9}]) as bot:
        bot.mute()
        for payee in bot.shop.payees:
            await bot.world.call("route", payee=payee, delay_seconds=2.5)
        sale = await bot.sell()
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def test_an_answer_after_its_time(start: Start) -> None:
    await an_answer_after_its_time(start)


async def already_paid(start: Start) -> None:
    """LNbits executes the same request twice; the second answer is an error, and it is the one that arrives."""
    async with start("lnbits", tricks=[{"what": "drop", "method": "pay_invoice", "times": 3}]) as bot:
        bot.mute()
        listed = bot.behaviour.listed  # which would tell before the second answer does
        bot.behaviour.listed = lambda *asked: [entry for entry in listed(*asked) if not entry.outgoing]
        sale = await bot.sell()
        await bot.all_sent()
        await bot.pass_time(3, step=1)
        await finished(bot, [sale])
        told = bot.rows("SELECT detail FROM evidence WHERE source = 'pay'")
        assert any("already paid" in row["detail"] for row in told), told
        assert set((await bot.asked()).values()) == {1}


async def test_already_paid(start: Start) -> None:
    await already_paid(start)


async def failed_with_settled_at(start: Start) -> None:
    """LNbits shows a failed payment with settled_at and a preimage of zeros: not paid, released by the rules alone."""
    async with start("lnbits", profile="lnbits") as bot:
        await bot.world.call("route", payee=bot.shop.platform, failures_left=1)
        sale = await bot.sell()
        first = await bot.attempt(bot.shop.platform)
        await bot.all_sent()
        await bot.pass_time(4_100, step=600)
        assert len(bot.rows("SELECT 1 FROM attempts WHERE leg_id = ?", first["leg_id"])) == 1
        assert not bot.rows("SELECT 1 FROM attempts WHERE state = 'claimed'")
        await bot.pass_time(600, "released")
        bot.certain(first["payment_hash"])
        await bot.advance(5)
        await finished(bot, [sale])
        assert await bot.asked() == {bot.shop.platform: 2, bot.shop.partner: 1, bot.shop.lps[0]: 1}


async def test_failed_with_settled_at(start: Start) -> None:
    await failed_with_settled_at(start)


@pytest.mark.parametrize("lie", ["no_preimage", "wrong_preimage"])
async def test_success_without_proof(start: Start, lie: str) -> None:
    await success_without_proof(start, lie)


async def wrong_preimages(start: Start) -> None:
    await success_without_proof(start, "wrong_preimage")


async def success_without_proof(start: Start, lie: str = "no_preimage") -> None:
    """The wallet says that it paid and never proves it: claimed for ever, until it does."""
    methods = ("pay_invoice", "lookup_invoice", "list_transactions")
    async with start(tricks=[{"what": lie, "method": method} for method in methods]) as bot:
        bot.mute()
        sale = await bot.sell()
        first = await bot.attempt(bot.shop.platform)
        await bot.all_sent()
        await bot.state(first["payment_hash"], "claimed")
        await bot.pass_time(40 * 86_400, step=10 * 86_400)
        assert (await bot.attempt(bot.shop.platform))["state"] == "claimed"
        assert set((await bot.asked()).values()) == {1}
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=[])
        await bot.pass_time(600, step=300)
        await finished(bot, [sale])


async def error_first_success_late(start: Start) -> None:
    """An error at once, stale look-ups that find nothing, the truth in the end."""
    tricks = [
        {"what": "error_first", "method": "pay_invoice", "delay_seconds": 2.5, "error_code": "PAYMENT_FAILED"},
        {"what": "not_found", "method": "lookup_invoice", "skip": 1, "times": 9},
        {"what": "drop", "method": "list_transactions"},
    ]
    async with start(tricks=tricks) as bot:
        await bot.has_listed()
        bot.mute()
        sale = await bot.sell()
        await bot.seen("SELECT 1 FROM evidence WHERE source = 'lookup' AND class = 'negative'")
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def test_error_first_success_late(start: Start) -> None:
    await error_first_success_late(start)


@pytest.mark.parametrize("trick", ["stranger", "other_request"])
async def test_answers_that_do_not_count(start: Start, trick: str) -> None:
    await answers_that_do_not_count(start, trick)


async def answers_that_do_not_count(start: Start, trick: str = "stranger") -> None:
    """A valid preimage signed by a stranger, or in an answer to another request, proves nothing."""
    tricks = [
        {"what": trick, "method": "pay_invoice"},
        {"what": "drop", "method": "lookup_invoice", "skip": 1},
        {"what": "drop", "method": "list_transactions"},
    ]
    async with start(tricks=tricks) as bot:
        await bot.has_listed()
        bot.mute()
        sale = await bot.sell()
        first = await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 FROM requests WHERE publishes > 1")  # a while after the wallet has answered
        assert (await bot.attempt(bot.shop.platform))["state"] == "sent"
        assert not bot.rows("SELECT 1 FROM evidence WHERE class IN ('proof', 'claim')")
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=[])
        await bot.advance(5)
        await finished(bot, [sale])
        assert first["payment_hash"] == (await bot.attempt(bot.shop.platform))["payment_hash"]


async def test_a_payee_that_holds(start: Start) -> None:
    """For thirty days one payee holds its payment: it waits, alone, without another invoice."""
    async with start(lps=3) as bot:
        await bot.world.call("route", payee=bot.shop.platform, held=True)
        sale = await bot.sell()
        held = await bot.attempt(bot.shop.platform)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM legs WHERE status = 'completed') = 4")
        await bot.pass_time(30 * 86_400, step=6 * 86_400)
        assert (await bot.attempt(bot.shop.platform))["state"] == "sent"
        assert bot.rows("SELECT status FROM settlements") == [{"status": "processing"}]
        assert set((await bot.asked()).values()) == {1}
        await bot.world.call("release", payee=bot.shop.platform)
        await finished(bot, [sale])
        assert held["payment_hash"] == (await bot.attempt(bot.shop.platform))["payment_hash"]


async def test_a_broke_wallet_goes_on_when_it_is_filled(start: Start) -> None:
    """At leg 7 of 20 the balance is too small: the operator is told once what is missing, and filling in exactly
    that much is all it takes."""
    async with start(lps=18, payouts={"max_in_flight_per_wallet": 1}) as bot:
        for payee in bot.shop.payees:  # so that the balance is short before the first leg is paid
            await bot.world.call("route", payee=payee, delay_seconds=0.03)
        sale = await bot.sell(360_000)
        taken = sale.wire_sats * 1000 - 150_000_000
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=-taken)
        paused = await bot.seen("SELECT * FROM wallets WHERE paused_reason IS NOT NULL")
        assert paused[0]["paused_reason"] == "no_balance"
        invoices = sum((await bot.asked()).values())
        await bot.pass_time(30, step=10)
        told = await bot.told()
        assert len(told) == 1, told
        assert sum((await bot.asked()).values()) == invoices, "invoices were burnt"
        left = (await bot.world.call("balances"))[bot.shop.wallet]
        paid = bot.rows("SELECT coalesce(sum(amount_sats), 0) AS sats FROM legs WHERE status = 'completed'")[0]["sats"]
        missing = int(re.search(r"about ([\d,]+) sats are missing", told[0])[1].replace(",", ""))  # type: ignore[index]
        really = sale.wire_sats - paid - left // 1000
        # What the wallet has left is less than one leg, and may be unknown.
        assert really <= missing <= really + 20_000, f"{really} sats are missing, told were {missing}"
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=missing * 1000)
        await bot.pass_time(700, step=100)
        await bot.settled()
        assert set((await bot.asked()).values()) == {1}
        assert len(await bot.told()) == 2, await bot.told()
        verdict = await judge(bot.world, bot.shop, [sale])
        assert not verdict.doubles, str(verdict)
        assert [leg for leg in verdict.lost if "P" in leg] == []


async def test_a_revoked_connection_keeps_what_was_sent(start: Start) -> None:
    """Five payments are under way when the connection is revoked: nothing is concluded, nothing is paid again."""
    async with start(lps=3) as bot:
        for payee in bot.shop.payees:
            await bot.world.call("route", payee=payee, held=True)
        sale = await bot.sell()
        await bot.under_way(*bot.shop.payees)
        await bot.world.call(
            "personality", account=bot.shop.wallet, name="revoked", first=2
        )  # its proof may still come
        second = await bot.sell()
        await bot.seen("SELECT 1 FROM wallets WHERE paused_reason = 'revoked'")
        await bot.pass_time(3 * 86_400, step=43_000)
        assert {row["state"] for row in bot.rows("SELECT state FROM attempts WHERE leg_id <= 5")} == {"sent"}
        assert len(await bot.told()) == 1
        for payee in bot.shop.payees:
            await bot.world.call("release", payee=payee)
        await bot.world.call("personality", account=bot.shop.wallet, name="honest")
        await bot.pass_time(90_000, step=3_700)
        await finished(bot, [sale, second])


@pytest.mark.parametrize("missing", ["lookup_invoice", "list_transactions"])
async def test_a_wallet_without_look_ups_does_not_pay(start: Start, missing: str) -> None:
    """Its operators are told once; it is paid from as soon as it offers what it lacked."""
    async with start(policy={"proof_of_payment": "when_supported"}) as bot:
        sale = await sell(bot.world, bot.shop)
        methods = bot.behaviour.methods
        bot.behaviour.methods = tuple(method for method in methods if method != missing)
        await bot.hosted.announce()
        await bot.seen("SELECT 1 FROM wallets WHERE paused_reason = 'unfit'")
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        await bot.receipt(sale, "accepted")
        await bot.seen("SELECT 1 FROM legs WHERE status = 'pending'")
        await bot.pass_time(60, step=6)
        assert set((await bot.asked()).values()) == {0}
        assert not bot.rows("SELECT 1 FROM attempts")
        told = await bot.told()
        assert len(told) == 1
        assert f"it does not offer {missing}" in told[0]
        assert "It waits: the wallet can't pay now." in await answer(bot, await say(bot, "show P1"))
        bot.behaviour.methods = methods
        await bot.world.call("advance", seconds=1)
        await bot.hosted.announce()
        await bot.seen("SELECT 1 FROM wallets WHERE paused_reason IS NULL")
        await finished(bot, [sale])
