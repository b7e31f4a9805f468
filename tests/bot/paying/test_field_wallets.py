"""Wallets as they are met in the field: what the bot finds out about them, and what their ways cost: time, no sat."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from bot.demo.wallet_messages import WalletError
from bot.demo.wallet_service import HostedWallet
from tests.bot.paying.running import Running, Start, finished, running
from tests.bot.paying.talking import answer, ask, say
from tests.crash.shop import until

_numbers = itertools.count()
pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- what kind of wallet it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("personality", "options", "profile", "looks", "told"),
    [
        ("lnbits", {}, "lnbits", "lnbits", "LNbits"),
        ("alby", {}, "alby-ldk", "hub_ldk", "Alby Hub with its own node"),
        ("alby", {"node": "lnd"}, "unknown", "hub", "Alby Hub with a node that does not tell what it is"),
        ("honest", {}, "unknown", "other", "none of the wallets that I know"),
    ],
)
async def test_its_profile_is_found_at_the_first_contact(
    start: Start, personality: str, options: dict[str, Any], profile: str, looks: str, told: str
) -> None:
    async with start(personality, profile="auto", **options) as bot:
        found = await bot.seen("SELECT * FROM wallets WHERE profile_found IS NOT NULL")
        assert (found[0]["profile"], json.loads(found[0]["profile_found"])["looks"]) == (profile, looks)
        assert found[0]["repays"] == (personality != "lnbits")
        await write(bot, "UPDATE wallets SET profile = 'alby-lnd', profile_found = NULL")
        text = await answer(bot, await say(bot, "wallet test main"))
        assert f"Profile: {profile}. It looks like {told}." in text.splitlines()
        assert bot.rows("SELECT profile FROM wallets") == [{"profile": profile}]


async def test_the_profile_of_the_configuration_stands(start: Start) -> None:
    """And what the wallet looks like is told all the same."""
    async with start("lnbits", profile="alby-lnd") as bot:
        text = await answer(bot, await say(bot, "wallet test main"))
        assert "Profile: alby-lnd, by the configuration. It looks like LNbits (lnbits)." in text.splitlines()
        assert bot.rows("SELECT profile, profile_found FROM wallets") == [
            {"profile": "alby-lnd", "profile_found": None}
        ]


async def test_answers_that_tell_nothing_change_no_profile(start: Start) -> None:
    """Revoked, or asked too often: it is asked again a minute later."""
    async with start("revoked", profile="auto") as bot:
        assert "What it is can't be told now." in await answer(bot, await say(bot, "wallet test main"))
        assert bot.rows("SELECT profile, profile_found FROM wallets") == [{"profile": "unknown", "profile_found": None}]
        await bot.world.call("personality", account=bot.shop.wallet, name="lnbits")
        await bot.advance(61)
        await bot.seen("SELECT 1 FROM wallets WHERE profile = 'lnbits'")


async def test_a_wallet_that_pays_itself(start: Start) -> None:
    """Alby Hub's look-up shows the incoming line of such a payment; its list shows both. Nothing is left unexplained,
    and the books know of every sat."""
    async with start("alby", policy={"unmatched_after_seconds": 1}) as bot:
        sale = await bot.sell()
        await finished(bot, [sale])
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=5_000)
        before = (await bot.world.call("balances"))[bot.shop.wallet]
        found = (await order(bot, "wallet.try", wallet="main"))["result"]
        assert [found[key] for key in ("paid", "preimage", "metadata", "error")] == [True, True, True, None]
        assert before - (await bot.world.call("balances"))[bot.shop.wallet] == found["fees_msat"]
        assert bot.rows("SELECT fees_msat FROM trials WHERE settled_at IS NOT NULL") == [
            {"fees_msat": found["fees_msat"]}
        ]
        await bot.advance(700)
        assert (await ask(bot, "reconcile"))["result"]["differences"] == []
        assert bot.rows("SELECT 1 FROM unmatched") == []
        assert len(bot.rows("SELECT 1 FROM settlements")) == 1


async def test_wallets_that_do_not_pay_themselves(start: Start) -> None:
    """One whose answer is lost, one that refuses, one that makes no invoices: what was really paid is in its list."""
    async with start(tricks=[{"what": "drop", "method": "pay_invoice"}]) as bot:
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=5_000)
        found = (await order(bot, "wallet.try", wallet="main"))["result"]
        assert (found["paid"], found["preimage"], found["error"]) == (True, True, None)
        await bot.world.call("personality", account=bot.shop.wallet, name="quota")
        found = (await order(bot, "wallet.try", wallet="main"))["result"]
        assert (found["paid"], found["error"].partition(" ")[0]) == (False, "QUOTA_EXCEEDED")
        assert not bot.rows("SELECT 1 FROM wallets WHERE paused_reason IS NOT NULL")
        tricks = [{"what": "error", "method": "make_invoice"}]
        await bot.world.call("personality", account=bot.shop.wallet, name="honest", tricks=tricks)
        error = (await order(bot, "wallet.try", wallet="main"))["error"]
        assert (error["code"], "Nothing was paid" in error["message"]) == ("wallet_error", True)
        bot.behaviour.methods = tuple(each for each in bot.behaviour.methods if each != "make_invoice")
        await bot.world.call("advance", seconds=1)
        await bot.hosted.announce()
        await lacks(bot, "make_invoice")
        assert "does not offer make_invoice" in (await order(bot, "wallet.try", wallet="main"))["error"]["message"]
        assert len(bot.rows("SELECT 1 FROM trials")) == 2


async def order(bot: Running, method: str, **params: Any) -> dict[str, Any]:
    """The answer to a money order that is confirmed at once."""
    said = {"id": f"{method} {next(_numbers)}", "method": method, "params": params, "confirm": True}
    found: dict[str, Any] = json.loads(await answer(bot, await say(bot, said)))
    return found


async def lacks(bot: Running, method: str) -> None:
    """Waits until the bot has heard that the wallet does not offer this."""
    parts = bot.daemon._parts
    assert parts is not None
    client = parts.wallets["main"].wallet.client

    async def heard() -> bool:
        return client.info is not None and method not in client.info.methods

    await until(heard, "the wallet's new info event")


# --- what they do to payments --------------------------------------------------------------------------------------


async def test_requests_that_are_acted_on_when_the_wallet_wakes_up(start: Start) -> None:
    """Alby Hub keeps requests and carries them out fifty minutes later, whatever their `expiration` says: each invoice
    is paid once, and no other was asked for."""
    async with start("alby") as bot:
        await bot.has_listed()
        await answer(bot, await say(bot, "pause"))
        sale = await bot.sell()
        await bot.world.call("sleep", account=bot.shop.wallet)
        await answer(bot, await say(bot, "resume"))
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM attempts WHERE state = 'sent') = 3")
        await bot.pass_time(3_000, step=3_000)
        assert await bot.world.call("wake", account=bot.shop.wallet) > 3
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def test_a_quota_burns_nothing_and_goes_on_with_resume(start: Start) -> None:
    """Told once; no further invoices while it lasts; afterwards each leg is paid by its one invoice."""
    async with start("quota", first=1, lps=4, payouts={"max_in_flight_per_wallet": 2}) as bot:
        sale = await bot.sell()
        await bot.seen("SELECT 1 FROM wallets WHERE paused_reason = 'quota'")
        await bot.waited_for_none()
        invoices = sum((await bot.asked()).values())
        await bot.pass_time(60, step=30)
        assert sum((await bot.asked()).values()) == invoices
        assert len(await bot.told()) == 1
        assert not bot.rows("SELECT 1 FROM legs WHERE tries > 0")
        await bot.world.call("personality", account=bot.shop.wallet, name="honest")
        await answer(bot, await say(bot, "resume"))
        await bot.advance(5)
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}
        assert not bot.rows("SELECT 1 FROM requests GROUP BY payment_hash HAVING count(*) > 1")


async def test_what_a_wallet_refuses_for_its_rate_is_said_again(start: Start) -> None:
    """In the same bytes: no further request, no further invoice, no try used up."""
    async with start("lnbits", lps=2) as bot:
        refusals, pay = iter(range(3)), bot.behaviour.pay_invoice

        async def slow_down(wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
            if next(refusals, None) is not None:
                raise WalletError("RATE_LIMITED", "too many requests")
            paid: dict[str, Any] = await pay(wallet, params)
            return paid

        bot.behaviour.pay_invoice = slow_down
        sale = await bot.sell()
        await bot.seen("SELECT 1 FROM wallets WHERE paused_reason = 'rate_limited'")
        await bot.pass_time(60, step=4)
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}
        assert not bot.rows("SELECT 1 FROM requests GROUP BY payment_hash HAVING count(*) > 1")
        assert bot.rows("SELECT 1 FROM requests WHERE publishes > 1")
        assert not bot.rows("SELECT 1 FROM legs WHERE tries > 0")
        assert len([text for text in await bot.told() if "slow down" in text]) == 1


async def test_a_payment_into_the_same_wallet(start: Start) -> None:
    """A look-up of a payment to oneself answers with the incoming line, which proves nothing: the list decides."""
    async with start("alby", tricks=[{"what": "drop", "method": "pay_invoice"}]) as bot:
        bot.mute()
        await bot.world.call("address", user=bot.shop.partner, account=bot.shop.wallet)
        await bot.sell()
        own = await bot.attempt(bot.shop.partner)
        await bot.settled()
        seen = bot.rows("SELECT class, source FROM evidence WHERE payment_hash = ?", own["payment_hash"])
        assert {"class": "ambiguous", "source": "lookup"} in seen or seen == [{"class": "proof", "source": "list"}]
        assert {"class": "proof", "source": "list"} in seen
        assert {"class": "proof", "source": "lookup"} not in seen
        assert set((await bot.asked()).values()) == {1}


# --- wallets whose connection was taken out ------------------------------------------------------------------------


async def test_a_connection_that_is_taken_out_while_payments_are_in_doubt(start: Start) -> None:
    """The bot runs on without it and says so; with the connection back everything is followed up and nothing was
    paid twice."""
    async with start() as first:
        for payee in first.shop.payees:
            await first.world.call("route", payee=payee, held=True)
        sale = await first.sell()
        await first.under_way(*first.shop.payees)
    shop = first.shop
    whole = shop.config_path.read_text()
    shop.config_path.write_text(re.sub(r"\[wallets\.main\]\n(?:\w+ = .*\n)+", "", whole))
    for _ in range(2):
        async with running(first.world, shop, first.atms, first.clock) as without:
            told = [text for text in await without.told() if "is no longer in the configuration" in text]
            assert len(told) == 1
            assert "of them in doubt: 3" in told[0]
            text = await answer(without, await say(without, "show P1"))
            assert "Put its connection back." in text
    shop.config_path.write_text(whole)
    for payee in shop.payees:
        await first.world.call("release", payee=payee)
    async with running(first.world, shop, first.atms, first.clock) as bot:
        assert bot.rows("SELECT configured, paused_reason FROM wallets") == [{"configured": 1, "paused_reason": None}]
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}


async def write(bot: Running, statement: str) -> None:
    assert bot.daemon.db is not None
    await bot.daemon.db.write(lambda tx: tx.run(statement))
