"""Operators, LPs and strangers give one running bot orders from apps and programs that are not ours: nostr-tools, and
applesauce with its own NIP-17.

An app is told no more than a person is: the bot's npub. It finds where to write by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio

from bot.demo.relay import EmbeddedRelay
from bot.nostr import Keys
from tests.crash.shop import until
from tests.interop.bots import Bot, configure, serving
from tests.interop.clients import DIRECT_MESSAGE, GIFT_WRAP, Clients, Person
from tests.parts.world import World

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

LATER_SECONDS = 0.6
"""An event that comes again so much later is no copy from another relay: it was sent again."""
TWO_DAYS = 2 * 86_400
DM_RELAYS = 10_050
RELAY_LISTS = [10_002, DM_RELAYS]
DEAD = "ws://127.0.0.1:9"


class Office:
    """A bot with a wallet for each machine that is to come, and two operators. It is found at one relay, and reads
    direct messages at two others."""

    operator: Person
    """Her app is made of nostr-tools."""
    partner: Person
    """His of applesauce."""

    def __init__(self, world: World, clients: Clients, sauce: Clients, directory: Path) -> None:
        self.world, self.clients, self.sauce, self.directory = world, clients, sauce, directory
        self.keys = Keys.generate()
        self.index = world.relay_url
        self._relays = [EmbeddedRelay() for _ in range(3)]
        self._serving = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        first, second, self.mailbox = [await relay.start() for relay in self._relays]
        self.dm_relays = (first, second)
        operator, partner = Keys.generate(), Keys.generate()
        names = ("main", "east", "west", "north", "south", "night", "port")
        self._config = configure(
            self.directory,
            keys=self.keys,
            relays=[self.index],
            dm_relays=self.dm_relays,
            operators=[operator.npub, partner.npub],
            wallets={name: (await self.world.call("wallet", account=name))["uri"] for name in names},
        )
        await self._begin()
        self._looking = await self.program()
        await until(self._is_listed, "the bot says where it reads")
        self.operator = await self.app(self.clients, mailbox=self.mailbox, keys=operator)
        self.partner = await self.app(self.sauce, mailbox=self.mailbox, keys=partner)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.aclose()
        for relay in self._relays:
            await relay.stop()

    async def app(self, library: Clients, **given: Any) -> Person:
        return await library.app(self.keys.public_key, self.index, **given)

    async def program(self, keys: Keys | None = None, *relays: str) -> Person:
        """One that needs no looking up."""
        return await self.clients.open(self.keys.public_key, relays or self.dm_relays, keys=keys)

    def answers(self, message_id: str) -> int:
        """How many the bot has made to this message."""
        query = "SELECT 1 FROM outbox WHERE json_extract(body, '$.answers') = ?"
        return len(self.bot.rows(query, message_id))

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """The bot is not running meanwhile."""
        await self._serving.aclose()
        try:
            yield
        finally:
            await self._begin()

    async def _begin(self) -> None:
        self.bot: Bot = await self._serving.enter_async_context(serving(self._config))

    async def _is_listed(self) -> bool:
        """Whether everything that says where it reads is there to be looked up."""
        return len(await self._looking.stored(self.index, kinds=RELAY_LISTS, authors=[self.keys.public_key])) == 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    clients, sauce = Clients(), Clients("applesauce.mjs")
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(each) for each in (clients, sauce)))
        yield await stack.enter_async_context(Office(world, clients, sauce, tmp_path_factory.mktemp("bot")))


def urls(relays: Iterable[str]) -> set[str]:
    """Without the slash that a library puts at their end."""
    return {relay.rstrip("/") for relay in relays}


async def test_an_app_writes_where_the_bot_says_and_nowhere_else(office: Office) -> None:
    operator = office.operator
    assert urls(operator.relays) == set(office.dm_relays)
    sent = await operator.send("whoami")
    answer = await operator.answer(sent["id"])
    assert (answer.envelope, answer.kind, answer.pubkey) == (GIFT_WRAP, DIRECT_MESSAGE, office.keys.public_key)
    assert answer.tags == (("p", operator.public_key), ("e", sent["id"], "", "reply"))
    assert abs(answer.created_at - time.time()) < 60

    [order] = await operator.stored(office.dm_relays[0], ids=[sent["wrap"]])
    assert await operator.stored(office.dm_relays[1], ids=[sent["wrap"]]) == [order]
    for relay in (office.index, office.mailbox):
        assert await operator.stored(relay, kinds=[GIFT_WRAP], tag_p=[office.keys.public_key]) == []
    [reply] = await operator.stored(office.mailbox, ids=[answer.wrap])
    authors = {order["pubkey"], reply["pubkey"], operator.public_key, office.keys.public_key}
    assert len(authors) == 4
    for wrap, to in ((order, office.keys.public_key), (reply, operator.public_key)):
        assert wrap["tags"] == [["p", to]]
        assert time.time() - TWO_DAYS - 60 < wrap["created_at"] <= time.time()


async def test_people_write_text(office: Office, world: World) -> None:
    operator, atm = office.operator, Keys.generate()
    ana, stranger = await office.app(office.clients, mailbox=office.mailbox), await office.app(office.clients)
    first, second = [await world.call("address", user=user, account=user) for user in ("ana", "anita")]
    assert "machine add" in await operator.says("help")
    added = await operator.says(f"machine add {atm.npub} sintra main GTQ cash_out_fee=5%")
    assert added.startswith("sintra: GTQ, wallet main, active")
    assert (await ana.says(f"join {first}")).startswith(f"Noted: your sats would go to {first}.")
    told = await operator.hears(lambda heard: ana.npub in (heard.plain or ""), "that somebody wants to join")
    applicant = (told.plain or "").split(":", 1)[0]
    assert f"lp add MACHINE {applicant} NAME" in (told.plain or "")
    assert "ana is enrolled at sintra." in await operator.says(f"lp add sintra {applicant} ana")
    await ana.hears(lambda heard: "You are enrolled as an LP at sintra" in (heard.plain or ""), "a welcome")

    deposit = await operator.says("deposit sintra ana 2000")
    assert "2,000.00, ana at sintra, pending" in deposit
    assert "Q2,000.00 not yet confirmed" in await ana.says("balance")
    assert "confirmed" in await operator.says(f"deposit confirm {deposit.split()[0]}")
    assert "sintra: Q2,000.00 of Q2,000.00 left" in await ana.says("balance")

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
    unanswered = await stranger.send("whoami again")
    assert "operator" in await operator.says("whoami")
    assert office.answers(unanswered["id"]) == 0


async def test_programs_send_json(office: Office, world: World) -> None:
    operator, atm = office.operator, Keys.generate()
    ben = await office.app(office.clients)
    address = await world.call("address", user="ben", account="ben")
    machine = {"npub": atm.public_key, "name": "east", "wallet": "east", "fiat": "GTQ"}
    added = (await operator.order("machine.add", machine, order_id="m"))["result"]
    assert (added["machine"], added["pubkey"], added["npub"]) == ("east", atm.public_key, atm.npub)
    enrolled = await operator.order("lp.add", {"machine": "east", "npub": ben.npub, "name": "ben"}, order_id="l")
    assert (enrolled["id"], enrolled["result"]["onboarded"]) == ("l", False)

    deposit = {"machine": "east", "lp": "ben", "amount": "2000.00"}
    refused = (await operator.order("deposit.add", deposit, order_id="d0"))["error"]
    assert (refused["code"], refused["field"]) == ("not_onboarded", "lp")
    assert (await ben.order("join", {"target": address}, order_id="j"))["result"]["onboarded"] is True
    before = office.bot.rows("SELECT id FROM deposits")
    first = await operator.order("deposit.add", deposit, order_id="d")
    assert first["result"]["status"] == "pending"
    assert await operator.order("deposit.add", deposit, order_id="d") == first
    other = await operator.order("deposit.add", deposit | {"amount": "1"}, order_id="d")
    assert other["error"]["code"] == "conflict"
    confirmed = await operator.order("deposit.confirm", {"deposit": first["result"]["id"]}, order_id="c")
    assert (confirmed["result"]["status"], confirmed["result"]["amount"]) == ("confirmed", "2000.00")
    assert len(office.bot.rows("SELECT id FROM deposits")) == len(before) + 1

    rule = {"machine": "east", "legs": [{"fraction": "1", "target": address, "label": "Ops"}]}
    asked = (await operator.order("splits.set", rule, order_id="s"))["error"]
    assert (asked["code"], asked["preview"]["legs"][0]["target"]) == ("confirm_required", address)
    assert office.bot.rows("SELECT * FROM split_rules") == []
    assert (await operator.order("splits.set", rule, order_id="s", confirm=True))["result"]["source"] == "machine"

    status = (await operator.order("status", order_id="st"))["result"]
    assert status["paused"] is False
    assert status["relays"] == [
        {"url": url, "up": True, "withholding": False} for url in (office.index, *office.dm_relays)
    ]
    assert sum(status["worklist"].values()) == 0
    assert (await operator.order("pause", order_id="p"))["result"]["paused"] is True
    assert (await operator.order("resume", order_id="r"))["result"]["paused"] is False
    worklist = (await operator.order("worklist", order_id="w"))["result"]
    assert (worklist["type"], worklist["buckets"]["skipped"]) == ("worklist", [])

    balance = (await ben.order("balance", order_id="b"))["result"]
    assert (balance["lp"], balance["enrolments"][0]["remaining"]) == (ben.public_key, "2000.00")
    assert (await ben.order("machine.add", machine, order_id="x"))["error"]["code"] == "forbidden"
    assert (await ben.order("no.such", order_id="y"))["error"]["code"] == "unknown_command"


async def test_answers_go_where_the_sender_reads(office: Office) -> None:
    reader = await office.app(office.clients, mailbox=office.mailbox, says=[DEAD, office.mailbox])
    answer = await reader.write("help")
    assert urls([answer.relay]) == {office.mailbox}
    for relay in (office.index, *office.dm_relays):
        assert await reader.stored(relay, kinds=[GIFT_WRAP], tag_p=[reader.public_key]) == []

    silent = await office.app(office.clients)
    lost = await office.app(office.clients, says=[DEAD, "http://no.relay"])
    for app, lists in ((silent, 0), (lost, 1)):
        assert urls([(await app.write("help")).relay]) <= set(office.dm_relays)
        found = await app.stored(office.dm_relays[0], kinds=[DM_RELAYS], authors=[app.public_key])
        assert len(found) == lists


async def test_a_long_answer_comes_in_numbered_parts(office: Office, world: World) -> None:
    dora = await enrolled(office, world, "north", "dora")
    notes = [f"note {number}: {'ñ' * 1_900}" for number in range(1, 10)]
    deposits = [{"machine": "north", "lp": "dora", "amount": "100.00", "note": note} for note in notes]
    await asyncio.gather(*(office.operator.order("deposit.add", each, order_id=each["note"][:6]) for each in deposits))
    sent = await dora.send("export deposits")
    await dora.hears(lambda heard: heard.names(sent["id"]) and "(2/2)" in (heard.plain or ""), "the second part")
    await dora.hears(lambda heard: heard.names(sent["id"]) and "(1/2)" in (heard.plain or ""), "the first part")
    parts = sorted(heard.plain or "" for heard in dora.answers(sent["id"]).values())
    assert [part.split("\n", 1)[0] for part in parts] == ["(1/2)", "(2/2)"]
    text = "\n".join(part.split("\n", 1)[1] for part in parts)
    assert [text.count(note) for note in notes] == [1] * len(notes)


async def enrolled(office: Office, world: World, machine: str, name: str) -> Person:
    """An LP who has joined, at a machine of that name with the wallet of that name."""
    address = await world.call("address", user=name, account=name)
    lp = await office.app(office.clients)
    await office.operator.says(f"machine add {Keys.generate().npub} {machine} {machine} GTQ")
    await office.operator.says(f"lp add {machine} {lp.npub} {name}")
    assert address in await lp.says(f"join {address}")
    return lp


async def test_an_order_that_arrives_more_than_once_is_done_once(office: Office, world: World) -> None:
    """From two relays at once, as nearly every one; later from the second relay; and in another wrap."""
    await enrolled(office, world, "south", "eva")
    operator = office.operator
    first, second = [await office.program(operator.keys, relay) for relay in office.dm_relays]
    wrapped = await first.send("deposit south eva 300")
    signed = await first.publish(DIRECT_MESSAGE, "deposit south eva 400", encrypt=True)
    assert urls([(await operator.answer(wrapped["id"])).relay]) == {office.mailbox}
    await first.answer(signed["id"])

    await asyncio.sleep(LATER_SECONDS)
    assert await office.clients.carry(*office.dm_relays, ids=[wrapped["wrap"], signed["id"]]) == 2
    await first.rewrap(wrapped["id"])
    for program in (first, second):  # by each relay something that comes after all that
        await program.signed("status")
    assert office.answers(wrapped["id"]) == office.answers(signed["id"]) == 1
    found = (await operator.order("deposit.list", {"lp": "eva"}, order_id="e"))["result"]["items"]
    assert sorted(deposit["amount"] for deposit in found) == ["300.00", "400.00"]


async def test_what_was_sent_while_the_bot_was_down_is_done_once(office: Office) -> None:
    operator, program = office.operator, await office.program(office.operator.keys)
    await operator.says(f"machine add {Keys.generate().npub} night night GTQ")
    fay, gus = Keys.generate(), Keys.generate()
    async with office.closed():
        wrapped = await operator.send(f"lp add night {fay.npub} fay", age=TWO_DAYS)  # as old as a wrap may be
        signed = await program.publish(DIRECT_MESSAGE, f"lp add night {gus.npub} gus", encrypt=True)
    assert "fay is enrolled at night." in ((await operator.answer(wrapped["id"])).plain or "")
    assert "gus is enrolled at night." in ((await program.answer(signed["id"])).plain or "")
    async with office.closed():
        pass
    # The relays bring all that they have once more, and then what is asked now.
    found = (await operator.order("lp.list", {"machine": "night"}, order_id="n"))["result"]["items"]
    assert sorted(each["name"] for each in found) == ["fay", "gus"]
    assert office.answers(wrapped["id"]) == office.answers(signed["id"]) == 1


async def test_another_library_writes_and_reads(office: Office, world: World) -> None:
    """It makes `nostr:npub1…` of an npub that somebody types, and sends the message to whom it names as well."""
    partner, hal = office.partner, await office.app(office.sauce, mailbox=office.mailbox)
    assert urls(partner.relays) == set(office.dm_relays)
    machine = {"npub": Keys.generate().npub, "name": "port", "wallet": "port", "fiat": "GTQ"}
    assert (await partner.order("machine.add", machine, order_id="p"))["result"]["machine"] == "port"

    first, second = [await world.call("address", user=user, account=user) for user in ("hal", "halina")]
    assert first in await hal.says(f"join {first}")
    await partner.hears(lambda heard: hal.npub in (heard.plain or ""), "that somebody wants to join")

    sent = await partner.send(f"lp add port {hal.npub} hal")
    assert sent["content"] == f"lp add port nostr:{hal.npub} hal"
    answer = await partner.answer(sent["id"])
    assert (answer.plain or "").startswith("hal is enrolled at port.")
    assert answer.tags == (("p", partner.public_key), ("e", sent["id"], "", "reply"))
    to = {wrap["tags"][0][1]: wrap for wrap in sent["wraps"]}
    assert set(to) == {office.keys.public_key, partner.public_key, hal.public_key}
    assert urls(to[office.keys.public_key]["relays"]) == set(office.dm_relays)
    welcome = await hal.hears(lambda heard: "You are enrolled as an LP at port" in (heard.plain or ""), "a welcome")
    assert urls([answer.relay, welcome.relay]) == {office.mailbox}

    offered = await hal.says(f"join {second}")
    assert offered.startswith("This would happen:")
    assert f"your sats go to {second}" in await hal.says(f"confirm {offered.rsplit('confirm ', 1)[1].strip()}")
    assert "is for operators" in await hal.says("pause")


async def test_signed_orders_are_answered_in_kind_and_those_of_strangers_not(office: Office) -> None:
    operator = await office.program(office.operator.keys)
    cleo, stranger = await office.program(), await office.program()
    asked = await stranger.publish(DIRECT_MESSAGE, "help", encrypt=True)
    answer = await operator.signed(f"machine add {Keys.generate().npub} west west GTQ")
    assert (answer.envelope, answer.kind, answer.pubkey) == (DIRECT_MESSAGE, DIRECT_MESSAGE, office.keys.public_key)
    assert ("p", operator.public_key) in answer.tags
    assert (answer.plain or "").startswith("west: GTQ")
    await operator.signed(f"lp add west {cleo.npub} cleo")
    assert "is for operators" in ((await cleo.signed("pause")).plain or "")
    counted = await cleo.signed(json.dumps({"id": 7, "method": "balance"}))
    assert (counted.content["id"], counted.content["result"]["lp"]) == (7, cleo.public_key)
    assert not any(heard.names(asked["id"]) for heard in stranger.heard)
    assert stranger.heard == []
    to_stranger = "SELECT 1 FROM outbox WHERE json_extract(body, '$.to') = ?"
    assert office.bot.rows(to_stranger, stranger.public_key) == []
