"""`atm settle`: says what a machine says, and waits for the receipt that concerns it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.commands.terminal import Quit
from bot.commands.transaction import Typed, report
from bot.nostr import Keys
from bot.query import Query, Subscription
from bot.relays import Relays
from nwc import bolt11
from nwc.event import Event
from tests.bot.commands.conftest import Called, Place, run, start, write_secret
from tests.bot.conftest import HURRY, EmbeddedRelay, until
from tests.parts.world import World

HASH = "ab" * 32
Receipts = Callable[[int, dict[str, Any]], list[tuple[int, dict[str, Any]]]]
"""The how manieth report, and its content; kind and content of the receipts to send."""


def receipt(status: str, payment_hash: str = HASH, **more: Any) -> dict[str, Any]:
    plain = {
        "v": 1,
        "type": "receipt",
        "payment_hash": payment_hash,
        "status": status,
        "settlement": "S12",
        "reason": None,
    }
    return {**plain, **more}


class Receiver:
    """Takes reports as the bot does, and sends the receipts that the test wants. `heard`: events and contents."""

    def __init__(self, keys: Keys, url: str, receipts: Receipts) -> None:
        self.heard: list[tuple[Event, dict[str, Any]]] = []
        self._keys, self._receipts = keys, receipts
        self._clock = SystemClock()
        self._events: asyncio.Queue[Event] = asyncio.Queue(1_000)
        self.relays = Relays([url], keys, self._hear, self._clock, timings=HURRY)
        wanted = Query(kinds=(21_000, 78), p=(keys.public_key,))
        self.relays.subscribe(Subscription("reports", wanted, self._clock.now()))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        async with self.relays:
            await until(self.relays.listening, "the receiver listens")
            task = asyncio.create_task(self._serve())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def send(self, machine: str, kind: int, content: dict[str, Any]) -> None:
        cipher = self._keys.cipher()
        tags = [["p", machine], ["d", "bitspire-receipt:x"]]
        text = cipher.nip44_encrypt(machine, json.dumps(content))
        await self.relays.publish(cipher.sign(kind, tags, text, self._clock.now()))

    def _hear(self, event: Event, url: str, repeat: bool) -> None:
        self._events.put_nowait(event)

    async def _serve(self) -> None:
        while True:
            event = await self._events.get()
            content = json.loads(self._keys.cipher().nip44_decrypt(event.pubkey, event.content))
            self.heard.append((event, content))
            for kind, told in self._receipts(len(self.heard), content):
                await self.send(event.pubkey, kind, told)


@pytest.fixture
def machine(place: Place) -> Keys:
    keys = Keys.generate()
    write_secret(place.directory / "machine.nsec", keys.nsec())
    return keys


def options(place: Place, *more: str, payment_hash: str | None = HASH) -> list[str | Path]:
    wanted = ["--principal-sats", "100000", "--fee-sats", "3000", "--currency", "GTQ", "--exchange-rate", "50"]
    known = ["--payment-hash", payment_hash] if payment_hash else []
    key = f"file:{place.directory / 'machine.nsec'}"
    return ["atm", "settle", "--config", place.config, "--key", key, *wanted, *known, *more]


async def test_it_says_what_a_machine_says(relay_place: Place, relay: EmbeddedRelay, machine: Keys) -> None:
    async with Receiver(relay_place.bot, relay.url, lambda *_: [(21_000, receipt("accepted"))]).running() as bot:
        told = await run(*options(relay_place, "--txid", "a1b2", "--seq", "41"))
    assert (told.code, told.err) == (0, "")
    assert told.out == f"accepted, settlement S12 (payment {HASH})\n"
    event, content = bot.heard[0]
    assert (event.kind, event.pubkey, event.tags) == (21_000, machine.public_key, (("p", relay_place.bot.public_key),))
    assert abs(content.pop("created_at") - event.created_at) <= 2
    assert content == {
        "v": 1, "type": "settlement", "source": "bitspire", "txid": "a1b2", "tx_type": "cash_out", "payment_hash": HASH,
        "wire_sats": 103_000, "principal_sats": 100_000, "fee_sats": 3_000, "fiat_amount": "2000.00", "currency": "GTQ",
        "exchange_rate": "50", "seq": 41,
    }  # fmt: skip


@pytest.mark.parametrize(("status", "code"), [("accepted", 0), ("duplicate", 0), ("unverified", 0), ("rejected", 1)])
async def test_the_exit_code_follows_the_receipt(
    relay_place: Place, relay: EmbeddedRelay, machine: Keys, status: str, code: int
) -> None:
    wanted = receipt(status, reason="not_paid")
    async with Receiver(relay_place.bot, relay.url, lambda *_: [(21_000, wanted)]).running():
        told = await run(*options(relay_place, "--json"))
    assert (told.code, told.json) == (code, wanted)


async def test_a_live_report_is_repeated_until_there_is_a_receipt(
    relay_place: Place, relay: EmbeddedRelay, machine: Keys
) -> None:
    def receipts(number: int, content: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        return [(21_000, receipt("duplicate"))] if number > 1 else []

    async with Receiver(relay_place.bot, relay.url, receipts).running() as bot:
        told = await run(*options(relay_place))
    assert told.code == 0
    assert len({event.id for event, _ in bot.heard}) == 1


async def test_a_stored_report_waits_for_a_bot_that_is_away(
    relay_place: Place, relay: EmbeddedRelay, machine: Keys
) -> None:
    alone = await run(*options(relay_place, "--stored", "--timeout", "1.5"))
    assert (alone.code, alone.out) == (3, "")
    assert "no receipt within 1.5 s" in alone.err
    async with Receiver(relay_place.bot, relay.url, lambda *_: []).running() as bot:
        await until(lambda: bool(bot.heard), "the stored report is there")
    event, content = bot.heard[0]
    assert event.kind == 78
    assert event.tag("d") == f"bitspire-settlement:{HASH}"
    assert content["payment_hash"] == HASH


async def test_other_receipts_are_not_taken_for_this_one(
    relay_place: Place, relay: EmbeddedRelay, machine: Keys
) -> None:
    def receipts(number: int, content: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        other = (21_000, receipt("accepted", "cd" * 32))
        return [other, (21_000, {**receipt("accepted"), "type": "settlement"}), (21_000, receipt("rejected"))]

    bot = Receiver(relay_place.bot, relay.url, receipts)
    async with bot.running(), Receiver(Keys.generate(), relay.url, lambda *_: []).running() as stranger:
        await bot.send(machine.public_key, 30_078, receipt("accepted"))  # of an earlier report
        await stranger.send(machine.public_key, 30_078, receipt("accepted"))
        await asyncio.sleep(1.1)  # its time has whole seconds
        told = await run(*options(relay_place))
    assert told.code == 1
    assert told.out.startswith("rejected")


async def test_without_a_configuration_where_nothing_of_it_is_needed(
    relay_place: Place, relay: EmbeddedRelay, machine: Keys, tmp_path: Path
) -> None:
    relay_place.config.unlink()
    async with Receiver(relay_place.bot, relay.url, lambda *_: [(30_078, receipt("accepted"))]).running():
        told = await run(*options(relay_place, "--to", relay_place.bot.npub, "--relay", relay.url))
    assert told.code == 0


async def test_with_a_wallet_the_customer_pays_first(place: Place, machine: Keys) -> None:
    async with World() as world:
        place.write(world.relay_url)
        uri = (await world.call("wallet", account="machine"))["uri"]
        write_secret(place.directory / "machine.nwc", uri)
        world.network.add_account("customer", 200_000_000)

        def receipts(number: int, content: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
            return [(21_000, receipt("accepted", content["payment_hash"]))]

        async with Receiver(place.bot, world.relay_url, receipts).running() as bot:
            source = f"file:{place.directory / 'machine.nwc'}"
            process = await start(*options(place, "--wallet", source, payment_hash=None))
            assert process.stdout is not None
            async with asyncio.timeout(20):
                invoice = (await process.stdout.readline()).decode().strip()
                assert bot.heard == []
                await world.network.pay("customer", invoice)
                out, err = await process.communicate()
        assert (process.returncode, out.decode()) == (
            0,
            f"accepted, settlement S12 (payment {bolt11.decode(invoice).payment_hash})\n",
        )
        assert world.network.books.accounts["machine"].spendable_msat == 103_000_000
        unpaid = await run(*options(place, "--wallet", source, "--pay-timeout", "1", payment_hash=None))
        assert (unpaid.code, len(unpaid.out.splitlines())) == (3, 1)
        assert "not paid within 1 s: nothing was reported" in unpaid.err
        assert all(uri[-64:] not in text for text in (out.decode(), err.decode(), unpaid.out, unpaid.err))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tx-type", "cash"], "--tx-type: is cash_out or cash_in"),
        (["--payment-hash", "xy"], "--payment-hash: is 64 hex characters"),
        (["--fiat-amount", "many"], "--fiat-amount must be a plain decimal number"),
        (["--to", "npub1nobody"], "--to: "),
        (["--relay", "relay.example.com"], "--relay: "),
        (["--wallet", "file:x.nwc"], "leave --payment-hash out"),
        (["--key", "nsec1abc"], "--key: the secret itself"),
    ],
)
def test_wrong_usage_is_named(place: Place, machine: Keys, call: Called, more: list[str], said: str) -> None:
    told = call(*options(place, *more))
    assert (told.code, told.out) == (2, "")
    assert said in told.err


def typed(**more: Any) -> Typed:
    plain: dict[str, Any] = {"tx_type": "cash_out", "principal_sats": 100_000, "wire_sats": None, "fee_sats": 3_000,
                             "fiat_amount": None, "currency": "GTQ", "exchange_rate": "50"}  # fmt: skip
    return Typed(**{**plain, **more})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {"wire_sats": 103_000, "fiat_amount": "2000.00", "exchange_rate": "50"}),
        ({"tx_type": "cash_in"}, {"wire_sats": 97_000}),
        ({"wire_sats": 104_000, "fee_sats": None}, {"fee_sats": 4_000}),
        ({"tx_type": "cash_in", "wire_sats": 96_000, "fee_sats": None}, {"fee_sats": 4_000}),
        ({"wire_sats": 1, "fee_sats": 2}, {"wire_sats": 1, "fee_sats": 2}),
        ({"exchange_rate": None, "fiat_amount": "3000"}, {"fiat_amount": "3000", "exchange_rate": "33.333333333"}),
        ({"fiat_amount": "1.0"}, {"fiat_amount": "1.0", "exchange_rate": "50"}),
        ({"currency": "JPY"}, {"fiat_amount": "2000"}),
        ({"payment_hash": "AB" * 32}, {"payment_hash": HASH}),
    ],
)
def test_what_is_not_given_is_worked_out(given: dict[str, Any], found: dict[str, Any]) -> None:
    content = report(typed(**given), 1_790_000_000)
    assert {name: content[name] for name in found} == found
    assert content["created_at"] == 1_790_000_000


@pytest.mark.parametrize(
    "given",
    [
        {"fee_sats": None},
        {"exchange_rate": None},
        {"exchange_rate": "0"},
        {"exchange_rate": "1e3"},
        {"exchange_rate": None, "fiat_amount": "0"},
        {"currency": "XXX"},
    ],
)
def test_what_can_not_be_worked_out_is_asked_for(given: dict[str, Any]) -> None:
    with pytest.raises(Quit):
        report(typed(**given), 1_790_000_000)
