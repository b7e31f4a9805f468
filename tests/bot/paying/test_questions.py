"""Orders that ask something first: real daemon, relay and wallets. None of them ever moves a sat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot import reconciler
from tests.bot.paying.running import Running, Start, finished, running
from tests.bot.paying.talking import answer, answers, ask, say
from tests.crash.shop import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DROP = [{"what": "drop"}]


async def moved(bot: Running) -> list[Any]:
    """All that could have gone wrong: payments, whatever their state, and what left the wallet."""
    payments = await bot.world.call("payments")
    return [each for each in payments if each["payer"] == bot.shop.wallet]


async def reached(bot: Running) -> None:
    """Waits until the wallet can be asked."""

    async def up() -> bool:
        return bool(bot.daemon._live().wallets_up)

    await until(up, "the wallet is reached")


# --- wallet test ------------------------------------------------------------------------------------------------------


async def test_a_wallet_that_is_fit(start: Start) -> None:
    async with start() as bot:
        sale = await bot.sell()
        await finished(bot, [sale])
        before = await moved(bot)
        found = (await ask(bot, "wallet.test", wallet="main"))["result"]
        assert [found[key] for key in ("name", "up", "machine", "missing_methods")] == ["main", True, "sintra", []]
        assert found["balance_sats"] == (await bot.world.call("balances"))[bot.shop.wallet] // 1000
        assert {"pay_invoice", "get_balance"} <= set(found["methods"])
        assert found["encryption"] == ["nip04", "nip44_v2"]
        assert {name: each["ok"] for name, each in found["tests"].items()} == dict.fromkeys(
            ("info", "balance", "lookup", "list"), True
        )
        assert found["tests"]["lookup"]["answer"].startswith("NOT_FOUND")
        assert found["tests"]["list"]["listed"] >= 1 + len(bot.shop.payees)
        listed = (await ask(bot, "wallet.list"))["result"]["items"]
        assert [(each["name"], each["up"], each["encryption"]) for each in listed] == [
            ("main", True, ["nip04", "nip44_v2"])
        ]
        for text in (await answer(bot, await say(bot, "wallet test MAIN")), json.dumps(found), json.dumps(listed)):
            assert bot.shop.wallet_uri.rsplit("secret=", 1)[1] not in text
            assert "nostr+walletconnect" not in text
            assert bot.world.relay_url not in text
        assert await moved(bot) == before


async def test_wallets_that_are_not_well(start: Start) -> None:
    """One that refuses everything answers, and is told of; one that can't be looked up is not fit; one that says
    nothing is an error with the way out."""
    async with start("revoked") as bot:
        await reached(bot)
        text = await answer(bot, await say(bot, "wallet test main"))
        assert text.startswith("Wallet main answers, and not all is well:")
        assert "Balance: UNAUTHORIZED" in text
        assert "not found" not in text
        await bot.world.call("advance", seconds=5)
        bot.behaviour.methods = ("pay_invoice", "get_balance", "lookup_invoice")
        await bot.hosted.announce()
        text = await answer(bot, await say(bot, "wallet test main"))
        assert text.startswith("Wallet main is not fit to pay from: it does not offer list_transactions.")
        await bot.world.call("personality", account=bot.shop.wallet, name="silent")
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=DROP)
        error = (await ask(bot, "wallet.test", wallet="main"))["error"]
        assert (error["code"], error["field"]) == ("wallet_error", "wallet")
        assert "service" in error["message"]
        error = (await ask(bot, "wallet.test", wallet="mian"))["error"]
        assert (error["code"], "do you mean main?" in error["message"]) == ("not_found", True)
        assert await moved(bot) == []


async def test_orders_behind_a_question_go_on_and_a_copy_asks_nothing(start: Start) -> None:
    """The wallet keeps silent for a while: the next order is answered at once. The same message in another envelope
    finds the question open."""
    async with start("silent", payouts={"request_timeout_seconds": 2}) as bot:
        await reached(bot)
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=DROP)
        first = await say(bot, "wallet test main")
        await first.send(bot)
        behind = await say(bot, "status")
        await answer(bot, behind)
        await first.send(bot)
        assert answers(bot, first) == []
        assert bot.rows("SELECT 1 FROM orders WHERE rumor_id = ?", first.id) == []
        questions = bot.daemon._parts.questions  # type: ignore[union-attr]
        assert list(questions._open) == [first.id]
        assert "does not answer" in await answer(bot, first)
        await first.send(bot)
        await answer(bot, await say(bot, "status"))
        assert len(answers(bot, first)) == 1
        assert not questions._open


async def test_a_stop_while_a_question_is_open_loses_nothing(start: Start) -> None:
    """The order is not taken until it is answered: after the start the relay brings it, and it is asked again."""
    async with start("silent", payouts={"request_timeout_seconds": 5}) as bot:
        await reached(bot)
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=DROP)
        said = await say(bot, "wallet test main")
        parts = bot.daemon._parts
        assert parts is not None

        async def asked() -> bool:
            return said.id in parts.questions._open

        await until(asked, "the question is open")
    assert answers(bot, said) == []
    await bot.world.call("personality", account=bot.shop.wallet, name="honest")
    async with running(bot.world, bot.shop, bot.atms, bot.clock) as again:
        await reached(again)
        assert (await answer(again, said)).startswith("Wallet main answers as it should.")
        assert len(answers(again, said)) == 1


# --- reconcile --------------------------------------------------------------------------------------------------------


def differences(found: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((each["name"], each["ref"]) for each in found["result"]["differences"])


async def test_books_and_wallet_agree_or_not(start: Start) -> None:
    async with start() as bot:
        sales = [await bot.sell() for _ in range(2)]
        await finished(bot, sales)
        await bot.advance(700)
        assert await answer(bot, await say(bot, "reconcile")) == (
            "No difference.\nCompared settlements: 2, payments: 6, wallets: 1, what they list: 8."
        )
        before = await moved(bot)
        # A payment that the wallet has forgotten, the customer's of S2, and one that nobody ordered.
        lost = bot.rows("SELECT payment_hash FROM attempts WHERE leg_id = 2")[0]["payment_hash"]
        await bot.world.call("forget", account=bot.shop.wallet, payment_hashes=[lost, sales[1].payment_hash])
        found = await ask(bot, "reconcile")
        assert differences(found) == [("not_in_wallet", "P2"), ("not_in_wallet", "S2")]
        assert {each["wallet"] for each in found["result"]["differences"]} == {"main"}
        assert found["result"]["differences"][0]["payment_hash"] == lost
        assert await moved(bot) == before


async def test_what_a_list_leaves_out_is_looked_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet that shows each payment when it is asked for it, and none in its list; then one that shows another
    amount."""
    async with start() as bot:
        await finished(bot, [await bot.sell()])
        await bot.advance(700)
        show = bot.behaviour.show
        monkeypatch.setattr(bot.behaviour, "listed", lambda wallet, entries, unpaid: [])
        found = (await ask(bot, "reconcile"))["result"]
        assert (found["wallets"][0]["listed"], found["wallets"][0]["complete"], found["differences"]) == (0, True, [])
        monkeypatch.setattr(
            bot.behaviour, "show", lambda wallet, entry: (line := show(wallet, entry)) | {"amount": line["amount"] + 1}
        )
        assert [ref for _, ref in differences(await ask(bot, "reconcile"))] == ["P1", "P2", "P3", "S1"]


@pytest.mark.parametrize("personality", ["lnbits", "alby"])
async def test_no_false_differences(start: Start, monkeypatch: pytest.MonkeyPatch, personality: str) -> None:
    """However a wallet words and pages its list, and in how many stretches it is read."""
    monkeypatch.setattr(reconciler, "ROWS_A_STRETCH", 2)
    async with start(personality) as bot:
        sales = [await bot.sell() for _ in range(2)]
        await bot.pass_time(120, step=20)
        await finished(bot, sales)
        await bot.advance(700)
        found = (await ask(bot, "reconcile"))["result"]
        assert (found["wallets"][0]["error"], found["wallets"][0]["listed"]) == (None, 8)
        assert found["differences"] == []


async def test_a_payment_that_nobody_ordered(start: Start) -> None:
    """It is told of as a difference once, and stands on the worklist from then on."""
    async with start(policy={"unmatched_after_seconds": 3_600}) as bot:
        await reached(bot)
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=10_000_000)
        await bot.world.call("account", name="thief")
        invoice = await bot.world.call("invoice", account="thief", amount_msat=7_000_000)
        await bot.world.call("pay", payer=bot.shop.wallet, bolt11=invoice["bolt11"])
        assert differences(await ask(bot, "reconcile")) == []
        await bot.world.call("advance", seconds=3_700)
        text = await answer(bot, await say(bot, "reconcile"))
        assert text.splitlines()[0] == "1 difference."
        assert "a payment in the wallet that nothing explains (7000000 msat went out)" in text
        assert len(bot.rows("SELECT 1 FROM unmatched")) == 1
        found = await ask(bot, "reconcile")
        assert (differences(found), found["result"]["checked"]["unmatched"]) == ([], 1)


async def test_a_proof_that_only_the_list_shows_is_booked_and_nothing_is_paid(start: Start) -> None:
    """A wallet whose answers are lost and whose look-ups find nothing: the list is the one to tell."""
    tricks = [
        {"what": "drop", "method": "pay_invoice"},
        {"what": "not_found", "method": "lookup_invoice", "skip": 1},
        {"what": "error", "method": "list_transactions"},
    ]
    async with start(tricks=tricks) as bot:
        await bot.has_listed()
        bot.mute()
        sale = await bot.sell()
        await bot.under_way(*bot.shop.payees)
        await bot.seen("SELECT 1 WHERE (SELECT count(*) FROM attempts WHERE state = 'sent') = 3")
        text = await answer(bot, await say(bot, "reconcile"))
        assert text.startswith("No difference in what could be compared, which is not everything.")
        assert "Not compared: wallet main: INTERNAL" in text
        await bot.world.call("tricks", account=bot.shop.wallet, tricks=tricks[:2])
        assert differences(await ask(bot, "reconcile")) == []
        await finished(bot, [sale])
        assert set((await bot.asked()).values()) == {1}
        assert bot.rows("SELECT DISTINCT source FROM evidence WHERE class = 'proof'") == [{"source": "list"}]


async def test_broken_books_and_a_second_reconciliation(start: Start) -> None:
    async with start(tricks=[{"what": "delay", "method": "list_transactions", "delay_seconds": 0.4}]) as bot:
        await finished(bot, [await bot.sell()])
        db = bot.daemon.db
        assert db is not None
        await db.write(
            lambda tx: tx.run("UPDATE enrolments SET paid_minor = paid_minor - 1, paid_sats = paid_sats - 1")
        )
        first, second = [await say(bot, {"id": name, "method": "reconcile"}) for name in ("first", "second")]
        assert json.loads(await answer(bot, second))["error"]["code"] == "bad_state"
        found = json.loads(await answer(bot, first))
        assert {name for name, _ in differences(found)} >= {"enrolment_sum"}
        assert found["result"]["count"] == len(found["result"]["differences"])
