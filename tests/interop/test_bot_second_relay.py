"""The running bot at a relay that is not ours (nostr-relay from PyPI): alone there, and with another one beside it.

That relay keeps ephemeral events for minutes, so that everything old comes again after a restart. Who publishes and
who judges what the bot publishes is nostr-tools.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.demo.relay import EmbeddedRelay
from tests.crash.atm import LIVE_KIND
from tests.crash.shop import Sale, open_shop, sell, until
from tests.crash.truth import judge
from tests.interop.albys_wallet import AlbysWallet
from tests.interop.bots import Bot, move, serving
from tests.interop.clients import GIFT_WRAP, Clients, Person
from tests.interop.machine import Machine
from tests.interop.second_relay import PypiRelay
from tests.parts.world import World

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

VIEW = 30_078
WEEK_SECONDS = 7 * 86_400
OLD_EVENTS_SECONDS = 1.0
"""Within so long after an answer to a new order, everything old has come again."""
MONEY = ("settlements", "legs", "attempts", "credits", "journal", "postings", "deposits", "enrolments", "unmatched")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    async with Clients() as clients:
        yield clients


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pypi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with PypiRelay(tmp_path_factory.mktemp("relay")) as relay:
        yield relay.url


async def view(person: Person, relay: str, d: str) -> dict[str, Any] | None:
    """What the bot published under that `d`, as `relay` has it now: the whole event, one or none."""
    found = await person.stored(relay, kinds=[VIEW], authors=[person.bot], tag_d=[d])
    assert len(found) <= 1, "a replaceable event is there twice"
    return found[0] if found else None


async def view_that(person: Person, relay: str, d: str, wanted: Any) -> dict[str, Any]:
    """The same as soon as its content is as wanted."""

    async def there() -> dict[str, Any] | None:
        event = await view(person, relay, d)
        return event if event is not None and wanted(json.loads(event["plain"])) else None

    found: dict[str, Any] = await until(there, f"{d} at {relay}, it is {await view(person, relay, d)}")
    return found


def books(bot: Bot) -> dict[str, list[dict[str, Any]]]:
    return {table: bot.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in MONEY}


async def test_everything_works_at_the_other_relay_alone(
    world: World, clients: Clients, pypi: str, tmp_path: Path
) -> None:
    shop = await open_shop(world, tmp_path, "alone")
    move(shop, [pypi])
    address = await world.call("address", user="alone.ana", account=shop.lps[0])
    async with serving(shop.config_path) as bot:
        machine = await Machine.open(clients, shop, [pypi])
        operator = await clients.open(shop.bot.public_key, [pypi], keys=shop.operator)
        ana = await clients.open(shop.bot.public_key, [pypi])
        await enrol(operator, ana, address)
        sales = [await sell(world, shop, 100_000), await sell(world, shop, 20_000)]
        for sale, stored in zip(sales, (False, True), strict=True):
            await machine.reports(sale, stored=stored)
            await check_receipts(machine, pypi, sale)
        foreign = Sale(50_000, secrets.token_hex(32))
        await machine.reports(foreign, currency="USD")
        refused = await machine.receipt(foreign, "rejected")
        assert refused["reason"] == "currency_mismatch"
        await bot.settled()

        status = (await operator.order("status", order_id="s"))["result"]
        assert status["relays"] == [{"url": pypi, "up": True, "withholding": False}]
        await check_worklist(operator, pypi, refused["settlement"])
        await check_balance(bot, ana, pypi)
        await check_profile(operator, pypi)
    verdict = await judge(world, shop, sales)
    assert verdict.good, str(verdict)


async def enrol(operator: Person, lp: Person, address: str) -> None:
    """`ana` with a confirmed deposit."""
    assert "result" in await operator.order(
        "lp.add", {"machine": "sintra", "npub": lp.npub, "name": "ana"}, order_id="a"
    )
    assert (await lp.order("join", {"target": address}, order_id="j"))["result"]["onboarded"] is True
    deposit = await operator.order(
        "deposit.add", {"machine": "sintra", "lp": "ana", "amount": "2000000.00"}, order_id="b"
    )
    assert "result" in await operator.order("deposit.confirm", {"deposit": deposit["result"]["id"]}, order_id="c")


async def check_receipts(machine: Machine, relay: str, sale: Sale) -> None:
    """The live one, and the one that the relay keeps, say the same."""
    live = await machine.receipt(sale, "accepted")
    assert live.keys() == {"v", "type", "payment_hash", "status", "settlement", "reason"}
    assert (live["v"], live["type"], live["reason"]) == (1, "receipt", None)

    async def there() -> list[dict[str, Any]]:
        # What this relay takes while it is asked, it may send twice: as stored and as new.
        kept = {receipt["id"]: receipt for receipt in await machine.stored_receipts(relay, sale)}
        return [receipt for receipt in kept.values() if json.loads(receipt["plain"]) == live]

    [kept] = await until(there, "the same receipt, stored")
    tags = {tag[0]: tag[1] for tag in kept["tags"]}
    assert tags["p"] == machine.client.public_key
    assert int(tags["expiration"]) == kept["created_at"] + WEEK_SECONDS
    assert abs(kept["created_at"] - time.time()) < 60


async def check_worklist(operator: Person, relay: str, rejected: str) -> None:
    event = await view_that(
        operator, relay, f"satmachine:worklist:{operator.public_key}", lambda seen: seen["buckets"]["rejected"]
    )
    assert ["p", operator.public_key] in event["tags"]
    content = json.loads(event["plain"])
    assert (content["v"], content["type"]) == (1, "worklist")
    assert abs(content["updated_at"] - time.time()) < 60
    assert set(content["buckets"]) == {
        *("rejected", "errored", "stuck_pending", "stuck_processing", "unverified", "unmatched", "skipped")
    }
    [item] = content["buckets"]["rejected"]
    assert item.keys() == {"id", "machine", "status", "wire_sats", "since", "reason"}
    assert (item["id"], item["machine"], item["status"]) == (rejected, "sintra", "rejected")
    answered = (await operator.order("worklist", order_id="w"))["result"]
    assert answered["buckets"] == content["buckets"]


async def check_balance(bot: Bot, lp: Person, relay: str) -> None:
    [paid] = bot.rows(
        "SELECT sum(amount_sats) AS sats, sum(fiat_minor) AS minor, max(completed_at) AS at FROM legs"
        " WHERE status = 'completed' AND lp_id = (SELECT id FROM lps WHERE pubkey = ?)",
        lp.public_key,
    )
    d = f"satmachine:balance:{lp.public_key}"
    event = await view_that(lp, relay, d, lambda seen: seen["enrolments"][0]["sats"] == paid["sats"])
    assert ["p", lp.public_key] in event["tags"]
    content = json.loads(event["plain"])
    assert (content["v"], content["type"], content["lp"]) == (1, "lp_balance", lp.public_key)
    assert content["enrolments"] == [
        {
            "machine": "sintra",
            "currency": "GTQ",
            "deposited": "2000000.00",
            "pending": "0.00",
            "paid": f"{paid['minor'] / 100:.2f}",
            "reserved": "0.00",
            "remaining": f"{2_000_000 - paid['minor'] / 100:.2f}",
            "sats": paid["sats"],
            "average_rate": "50",
            "last_payment_at": paid["at"],
        }
    ]
    assert (await lp.order("balance", order_id="bal"))["result"]["enrolments"] == content["enrolments"]


async def check_profile(person: Person, relay: str) -> None:
    [profile] = await person.stored(relay, kinds=[0], authors=[person.bot])
    assert json.loads(profile["content"])["name"]
    [relays] = await person.stored(relay, kinds=[10_002], authors=[person.bot])
    assert relays["tags"] == [["r", relay]]
    [messages] = await person.stored(relay, kinds=[10_050], authors=[person.bot])
    assert messages["tags"] == [["relay", relay]]


async def same_at_both(machine: Machine, relays: list[str], sale: Sale) -> None:
    """Both relays brought the same live receipt, and keep the same stored one."""

    async def there() -> bool:
        kept = [event["id"] for url in relays for event in await machine.stored_receipts(url, sale)]
        return len(kept) == len(machine.receipts(sale)) == 2 and len(set(kept)) == 1

    await until(there, f"the same receipts at both relays, live ones are {machine.receipts(sale)}")
    assert [each["status"] for each in machine.receipts(sale)] == ["accepted"] * 2
    live = [
        each.id for each in machine.client.heard if each.kind == LIVE_KIND and sale.payment_hash in (each.plain or "")
    ]
    assert len(live) == 2
    assert len(set(live)) == 1


async def test_what_two_relays_bring_is_done_once(world: World, clients: Clients, pypi: str, tmp_path: Path) -> None:
    shop = await open_shop(world, tmp_path, "both")
    other = EmbeddedRelay()
    both = [await other.start(), pypi]
    move(shop, both)
    async with serving(shop.config_path) as bot:
        machine = await Machine.open(clients, shop, both)
        operator = await clients.open(shop.bot.public_key, both, keys=shop.operator)
        sales = [await sell(world, shop, 70_000), await sell(world, shop, 30_000)]
        for sale, stored in zip(sales, (False, True), strict=True):
            sent = await machine.reports(sale, stored=stored)
            assert sent["refused"] == {}
            await machine.receipt(sale, "accepted")
        assert (await operator.order("lp.list", order_id="l"))["result"]["items"]
        await bot.settled()
        # One receipt event, one answer: each came from both relays.
        for sale in sales:
            await same_at_both(machine, both, sale)
        assert len({heard.wrap for heard in operator.heard if heard.envelope == GIFT_WRAP}) == 1
        assert len(bot.rows("SELECT 1 FROM orders")) == 1

        # Sent again, the machine gets its answer again, and that is all.
        before = books(bot)
        [kept] = await machine.stored_receipts(pypi, sales[0])
        await machine.client.again(next(iter(machine.sent)))
        assert (await machine.receipt(sales[0], "duplicate"))["settlement"] == "S1"
        assert await machine.stored_receipts(pypi, sales[0]) == [kept]
        assert books(bot) == before

        await other.stop()
        sales.append(await sell(world, shop, 10_000))
        await machine.reports(sales[-1])
        await machine.receipt(sales[-1], "accepted")
        await bot.settled()
        assert "1 of 2 up" in await operator.says("status")
    verdict = await judge(world, shop, sales)
    assert verdict.good, str(verdict)


async def test_what_one_relay_refuses_arrives_by_the_other(world: World, clients: Clients, tmp_path: Path) -> None:
    """With its own settings that relay takes 4,096 characters, and slows down whoever sent more."""
    shop = await open_shop(world, tmp_path, "large")
    async with PypiRelay(tmp_path / "relay", max_content_chars=4_096) as narrow:
        both = [narrow.url, world.relay_url]
        move(shop, both)
        async with serving(shop.config_path) as bot:
            machine = await Machine.open(clients, shop, both)
            operator = await clients.open(shop.bot.public_key, both, keys=shop.operator)
            for number in range(3):
                answer = await operator.write(json.dumps({"id": number, "method": "help"}))
                assert answer.relay.rstrip("/") == world.relay_url
                assert await operator.stored(narrow.url, ids=[answer.wrap]) == []
            sale = await sell(world, shop)
            await machine.reports(sale)
            await machine.receipt(sale, "accepted")
            await bot.settled()
            assert "all 2 up" in await operator.says("status")
    verdict = await judge(world, shop, [sale])
    assert verdict.good, str(verdict)


async def test_what_a_relay_kept_is_taken_after_the_start_and_never_again(
    world: World, clients: Clients, pypi: str, tmp_path: Path
) -> None:
    shop = await open_shop(world, tmp_path, "kept")
    move(shop, [pypi])
    async with AlbysWallet(world, shop, pypi) as wallet:
        machine = await Machine.open(clients, shop, [pypi])
        operator = await clients.open(shop.bot.public_key, [pypi], keys=shop.operator)
        sales = [await sell(world, shop, 40_000), await sell(world, shop, 60_000)]
        await machine.reports(sales[0], stored=True)
        await machine.reports(sales[1])
        async with serving(shop.config_path) as bot:
            for sale in sales:
                await machine.receipt(sale, "accepted")
            await bot.settled()
            before = books(bot), bot.rows("SELECT * FROM evidence"), machine.receipts(sales[1])

        # All of it is still there: reports, requests of the bot, answers of the wallet.
        assert len(await operator.stored(pypi, kinds=[21_000], authors=[machine.client.public_key])) == 1
        assert len(await operator.stored(pypi, kinds=[23_195], authors=[shop.wallet_pubkey])) >= 2 * 6
        async with serving(shop.config_path) as bot:
            assert "Settlements: 2," in await operator.says("machine show sintra")
            await asyncio.sleep(OLD_EVENTS_SECONDS)
            assert (books(bot), bot.rows("SELECT * FROM evidence"), machine.receipts(sales[1])) == before

            # A wallet that starts anew gets every old request again, and answers it again.
            answers = len(await operator.stored(pypi, kinds=[23_195], authors=[shop.wallet_pubkey]))
            await wallet.restart()

            async def answered() -> bool:
                return len(await operator.stored(pypi, kinds=[23_195], authors=[shop.wallet_pubkey])) >= answers + 12

            await until(answered, "old requests are answered again")
            await asyncio.sleep(OLD_EVENTS_SECONDS)
            assert books(bot) == before[0]
    verdict = await judge(world, shop, sales)
    assert verdict.good, str(verdict)
