"""Operators, LPs and strangers give the running bot orders from clients that are not ours (nostr-tools)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.demo.relay import EmbeddedRelay
from bot.nostr import Keys
from tests.interop.bots import configure, serving
from tests.interop.clients import DIRECT_MESSAGE, GIFT_WRAP, Clients, Heard
from tests.parts.world import World

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

QUIET_SECONDS = 0.7
"""So long is waited for what must not come, after something that was asked later has come."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    async with Clients() as clients:
        yield clients


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailbox() -> AsyncIterator[str]:
    """A relay that the bot is not told of."""
    relay = EmbeddedRelay()
    yield await relay.start()
    await relay.stop()


class Office:
    """A bot with an empty database, one wallet, and an operator whose client is connected."""

    def __init__(self, world: World, clients: Clients, directory: Path) -> None:
        self.world, self.clients, self.directory = world, clients, directory
        self.bot, self.atm = Keys.generate(), Keys.generate()

    async def open(self) -> Path:
        relays = [self.world.relay_url]
        self.operator = await self.clients.open(self.bot.public_key, relays)
        wallet = await self.world.call("wallet", account=self.bot.public_key[:8])
        return configure(
            self.directory,
            keys=self.bot,
            relays=relays,
            operators=[self.operator.npub],
            wallet_uri=wallet["uri"],
        )


@pytest.fixture
def office(world: World, clients: Clients, tmp_path: Path) -> Office:
    return Office(world, clients, tmp_path)


async def test_people_write_text(office: Office, world: World, clients: Clients) -> None:
    config = await office.open()
    operator = office.operator
    ana, stranger = [await clients.open(office.bot.public_key, [world.relay_url]) for _ in range(2)]
    first, second = [await world.call("address", user=user, account=user) for user in ("ana", "anita")]
    async with serving(config):
        answer = await operator.write("help")
        assert (answer.envelope, answer.kind, answer.pubkey) == (GIFT_WRAP, DIRECT_MESSAGE, office.bot.public_key)
        assert abs(answer.created_at - time.time()) < 60
        assert "machine add" in (answer.plain or "")

        added = await operator.says(f"machine add {office.atm.npub} sintra main GTQ cash_out_fee=5%")
        assert added.startswith("sintra: GTQ, wallet main, active")
        assert (await ana.says(f"join {first}")).startswith(f"Noted: your sats would go to {first}.")
        told = await operator.hears(lambda heard: ana.npub in (heard.plain or ""), "that somebody wants to join")
        assert f"lp add MACHINE {ana.npub} NAME" in (told.plain or "")
        assert "ana is enrolled at sintra." in await operator.says(f"lp add sintra {ana.npub} ana")
        await ana.hears(lambda heard: "You are enrolled as an LP at sintra" in (heard.plain or ""), "a welcome")

        assert "D1 2,000.00 GTQ, ana at sintra, pending" in await operator.says("deposit sintra ana 2000")
        assert "0.00 GTQ of 0.00 GTQ left, 2,000.00 GTQ not yet confirmed" in await ana.says("balance")
        assert "confirmed" in await operator.says("deposit confirm D1")
        assert "sintra: 2,000.00 GTQ of 2,000.00 GTQ left" in await ana.says("balance")

        assert "Running, payments are on." in await operator.says("status")
        assert "Nothing needs a person" in await operator.says("worklist")
        assert "Payments are paused." in await operator.says("pause")
        assert "All payments are paused: resume" in await operator.says("status")
        assert (await operator.says("resume")) == "Payments are on."
        assert "Running, payments are on." in await operator.says("status")
        assert "worklist" in await operator.says("worklst")

        offered = await ana.says(f"join {second}")
        assert offered.startswith("This would happen:")
        code = offered.rsplit("confirm ", 1)[1].strip()
        assert "nothing waits for this code" in await operator.says(f"confirm {code}")
        assert f"your sats go to {second}, until then to {first}" in await ana.says(f"confirm {code}")
        assert "is for operators" in await ana.says("deposit sintra ana 9000")

        assert "You have no role here yet" in await stranger.says("whoami")
        before = len(stranger.heard)
        await clients.call("dm", name=stranger.name, text="whoami again")
        assert "operator" in await operator.says("whoami")
        await asyncio.sleep(QUIET_SECONDS)
        assert len(stranger.heard) == before


async def test_programs_send_json(office: Office, world: World, clients: Clients) -> None:
    config = await office.open()
    operator = office.operator
    ana = await clients.open(office.bot.public_key, [world.relay_url])
    address = await world.call("address", user="ben", account="ben")
    async with serving(config) as bot:
        machine = {"npub": office.atm.public_key, "name": "sintra", "wallet": "main", "fiat": "GTQ"}
        added = (await operator.order("machine.add", machine, order_id="m"))["result"]
        assert (added["machine"], added["pubkey"], added["npub"]) == ("sintra", office.atm.public_key, office.atm.npub)
        enrolled = await operator.order("lp.add", {"machine": "sintra", "npub": ana.npub, "name": "ana"}, order_id="l")
        assert (enrolled["id"], enrolled["result"]["onboarded"]) == ("l", False)

        deposit = {"machine": "sintra", "lp": "ana", "amount": "2000.00"}
        refused = (await operator.order("deposit.add", deposit, order_id="d0"))["error"]
        assert (refused["code"], refused["field"]) == ("not_onboarded", "lp")
        assert (await ana.order("join", {"target": address}, order_id="j"))["result"]["onboarded"] is True
        first = await operator.order("deposit.add", deposit, order_id="d")
        assert first["result"]["status"] == "pending"
        assert await operator.order("deposit.add", deposit, order_id="d") == first
        other = await operator.order("deposit.add", deposit | {"amount": "1"}, order_id="d")
        assert other["error"]["code"] == "conflict"
        confirmed = await operator.order("deposit.confirm", {"deposit": first["result"]["id"]}, order_id="c")
        assert (confirmed["result"]["status"], confirmed["result"]["amount"]) == ("confirmed", "2000.00")
        assert len(bot.rows("SELECT id FROM deposits")) == 1

        rule = {"legs": [{"fraction": "1", "target": address, "label": "Ops"}]}
        asked = (await operator.order("splits.set", rule, order_id="s"))["error"]
        assert (asked["code"], asked["preview"]["legs"][0]["target"]) == ("confirm_required", address)
        assert bot.rows("SELECT * FROM split_rules") == []
        assert (await operator.order("splits.set", rule, order_id="s", confirm=True))["result"]["source"] == "default"

        status = (await operator.order("status", order_id="st"))["result"]
        assert (status["paused"], status["relays"]) == (False, [{"url": world.relay_url, "up": True}])
        assert sum(status["worklist"].values()) == 0
        assert (await operator.order("pause", order_id="p"))["result"]["paused"] is True
        assert (await operator.order("resume", order_id="r"))["result"]["paused"] is False
        worklist = (await operator.order("worklist", order_id="w"))["result"]
        assert (worklist["type"], worklist["buckets"]["skipped"]) == ("worklist", [])

        balance = (await ana.order("balance", order_id="b"))["result"]
        assert (balance["lp"], balance["enrolments"][0]["remaining"]) == (ana.public_key, "2000.00")
        assert (await ana.order("machine.add", machine, order_id="x"))["error"]["code"] == "forbidden"
        assert (await ana.order("no.such", order_id="y"))["error"]["code"] == "unknown_command"


async def test_answers_go_where_the_sender_reads(office: Office, world: World, clients: Clients, mailbox: str) -> None:
    config = await office.open()
    async with serving(config):
        reader = await clients.open(office.bot.public_key, [world.relay_url], inbox=[mailbox])
        await reader.publish(10_050, tags=[["relay", "ws://127.0.0.1:9"], ["relay", mailbox]])
        answer = await reader.write("help")
        assert answer.relay.rstrip("/") == mailbox
        assert await reader.stored(world.relay_url, kinds=[GIFT_WRAP], tag_p=[reader.public_key]) == []

        lost = await clients.open(office.bot.public_key, [world.relay_url])
        await lost.publish(10_050, tags=[["relay", "ws://127.0.0.1:9"], ["relay", "http://no.relay"]])
        assert (await lost.write("help")).relay.rstrip("/") == world.relay_url


async def test_signed_orders_are_answered_in_kind_and_those_of_strangers_not(
    office: Office, world: World, clients: Clients
) -> None:
    config = await office.open()
    operator = office.operator
    ana, stranger = [await clients.open(office.bot.public_key, [world.relay_url]) for _ in range(2)]
    async with serving(config) as bot:
        asked = await stranger.publish(DIRECT_MESSAGE, "help", encrypt=True)
        answer = await operator.signed(f"machine add {office.atm.npub} sintra main GTQ")
        assert (answer.envelope, answer.kind, answer.pubkey) == (DIRECT_MESSAGE, DIRECT_MESSAGE, office.bot.public_key)
        assert ("p", operator.public_key) in answer.tags
        assert (answer.plain or "").startswith("sintra: GTQ")
        await operator.signed(f"lp add sintra {ana.npub} ana")
        assert "is for operators" in ((await ana.signed("pause")).plain or "")
        counted = await ana.signed(json.dumps({"id": 7, "method": "balance"}))
        assert (counted.content["id"], counted.content["result"]["lp"]) == (7, ana.public_key)

        sent = await operator.publish(DIRECT_MESSAGE, "whoami", encrypt=True)
        await operator.answer(sent["id"])
        await operator.again(sent["id"])
        await asyncio.sleep(QUIET_SECONDS)
        await operator.again(sent["id"])
        await operator.signed("status")
        await asyncio.sleep(QUIET_SECONDS)
        assert len([heard for heard in operator.heard if heard.names(sent["id"])]) == 1
        assert not any(heard.names(asked["id"]) for heard in stranger.heard)
        assert stranger.heard == []
        assert bot.rows("SELECT 1 FROM outbox WHERE json_extract(body, '$.to') = ?", stranger.public_key) == []


async def test_an_order_sent_while_the_bot_was_down_is_done_once(office: Office, clients: Clients) -> None:
    config = await office.open()
    operator = office.operator
    sent = await clients.call("dm", name=operator.name, text=f"machine add {office.atm.npub} sintra main GTQ")
    later = await operator.publish(DIRECT_MESSAGE, "pause", encrypt=True)
    async with serving(config):
        assert ((await operator.answer(sent["id"])).plain or "").startswith("sintra: GTQ")
        assert "paused" in ((await operator.answer(later["id"])).plain or "")
    async with serving(config) as bot:
        await clients.call("again", name=operator.name, id=sent["wrap"])
        assert "sintra: GTQ, wallet main, active" in await operator.says("machine list")
        await asyncio.sleep(QUIET_SECONDS)

        def answers(message_id: str) -> list[Heard]:
            return [heard for heard in operator.heard if heard.names(message_id)]

        assert len(answers(sent["id"])) == len(answers(later["id"])) == 1
        assert len(bot.rows("SELECT id FROM machines")) == 1
