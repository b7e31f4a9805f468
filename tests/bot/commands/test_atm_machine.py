"""`atm beacon`, `telemetry`, `cassettes`, `run`: a machine that is played says and does what a real one would."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.nostr import Keys
from bot.query import Query, Subscription
from bot.relays import Relays
from nwc import bolt11
from nwc.event import Event
from tests.bot.commands.conftest import Called, Place, run, start, write_secret
from tests.bot.conftest import HURRY, EmbeddedRelay, until
from tests.parts.forks import Forked
from tests.parts.world import World

FEES = {"v": 1, "cash_in_fee": "0.05", "cash_out_fee": "0.03"}


class Peer:
    """The bot's end: hears what a machine says, answers each report, sends configs. `heard` by kind."""

    def __init__(self, keys: Keys, url: str, machine: str) -> None:
        self.heard: list[tuple[Event, dict[str, Any]]] = []
        self.status: Callable[[int], str] = lambda number: "accepted" if number == 1 else "duplicate"
        self._keys, self._machine = keys, machine
        self._clock = SystemClock()
        self._events: asyncio.Queue[Event] = asyncio.Queue(1_000)
        self._reports: dict[str, int] = {}
        self.relays = Relays([url], keys, self._hear, self._clock, timings=HURRY)
        wanted = Query(kinds=(21_000, 78, 30_078, 30_079), authors=(machine,))
        self.relays.subscribe(Subscription("machine", wanted, self._clock.now()))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Peer]:
        async with self.relays:
            await until(self.relays.listening, "the peer listens")
            task = asyncio.create_task(self._serve())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def told(self, d: str) -> list[dict[str, Any]]:
        """Contents of what the machine said under this name."""
        return [content for event, content in self.heard if (event.tag("d") or "").startswith(d)]

    def reports(self) -> list[dict[str, Any]]:
        return [content for event, content in self.heard if event.kind == 21_000]

    async def send(self, d: str, content: dict[str, Any], *, kind: int = 30_078, ahead: int = 0) -> None:
        text = self._keys.cipher().nip44_encrypt(self._machine, json.dumps(content))
        tags = [["p", self._machine], ["d", f"{d}:{self._machine}"]]
        await self.relays.publish(self._keys.cipher().sign(kind, tags, text, self._clock.now() + ahead))

    def _hear(self, event: Event, url: str, repeat: bool) -> None:
        self._events.put_nowait(event)

    async def _serve(self) -> None:
        while True:
            event = await self._events.get()
            text = event.content
            if event.tag("p"):
                text = self._keys.cipher().nip44_decrypt(event.pubkey, text)
            content = json.loads(text)
            self.heard.append((event, content))
            if event.kind == 21_000:
                number = self._reports[content["payment_hash"]] = self._reports.get(content["payment_hash"], 0) + 1
                word = {"v": 1, "type": "receipt", "payment_hash": content["payment_hash"], "settlement": "S1"}
                await self.send("x", {**word, "status": self.status(number), "reason": None}, kind=21_000)


@pytest.fixture
def machine(place: Place) -> Keys:
    keys = Keys.generate()
    write_secret(place.directory / "machine.nsec", keys.nsec())
    return keys


def command(place: Place, name: str, *more: str | Path) -> list[str | Path]:
    return ["atm", name, "--config", place.config, "--key", f"file:{place.directory / 'machine.nsec'}", *more]


@pytest.fixture
async def peer(relay_place: Place, relay: EmbeddedRelay, machine: Keys) -> AsyncIterator[Peer]:
    async with Peer(relay_place.bot, relay.url, machine.public_key).running() as peer:
        yield peer


async def test_it_says_what_it_is(relay_place: Place, machine: Keys, peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text('{"limits": {"cash_out": 5000}, "name": "Old"}')
    told = await run(
        *command(relay_place, "beacon", "--file", tmp_path / "more.json", "--name", "Sintra", "--cash-out"),
        *("--no-cash-in", "--cash-level", "low", "--json"),
    )
    said = {"limits": {"cash_out": 5000}, "name": "Sintra", "cash_out": True, "cash_in": False, "cash_level": "low"}
    assert (told.code, told.err) == (0, "")
    assert told.json["published"] == said
    await until(lambda: bool(peer.heard), "the beacon is there", seconds=30)
    event, content = peer.heard[0]
    assert (event.kind, content, event.tags) == (30_078, said, (("d", f"bitspire-beacon:{machine.public_key}"),))


async def test_telemetry_is_for_the_bot_alone(relay_place: Place, machine: Keys, peer: Peer) -> None:
    told = await run(*command(relay_place, "telemetry", "-"), typed='{"cpu": 40}')
    assert told.code == 0
    await until(lambda: bool(peer.heard), "the telemetry is there", seconds=30)
    event, content = peer.heard[0]
    assert (event.kind, event.tag("d"), content) == (30_079, f"bitspire-telemetry:{machine.public_key}", {"cpu": 40})


@contextlib.asynccontextmanager
async def running(*arguments: str | Path) -> AsyncIterator[Forked]:
    """A machine that runs until the test has seen enough; it is stopped in order, and ends with exit code 0."""
    process = await start(*arguments)
    try:
        yield process
        process.stop()
        async with asyncio.timeout(20):
            _, err = await process.communicate()
        assert (process.returncode, err.decode()) == (0, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_cassettes_follow_what_the_bot_sends(relay_place: Place, peer: Peer, tmp_path: Path) -> None:
    """It takes the newest config, says so, and takes none twice or of another time; an impossible one it refuses."""
    memory = tmp_path / "atm.json"
    first = {"1": {"denomination": 20, "count": 180}, "2": {"denomination": 20, "count": 175}}
    await peer.send("bitspire-cassettes", {"v": 1, "positions": {"1": {"denomination": 50, "count": 9}}}, ahead=-60)
    follow = command(relay_place, "cassettes", "1=20x180", "2=20x175", "--follow", "--state", memory)
    async with running(*follow):
        await until(lambda: len(peer.told("bitspire-cassettes-state")) == 1, "its first state", seconds=30)
        changed = {"1": {"denomination": 20, "count": 500}, "2": {"denomination": 20, "count": 175}}
        await peer.send("bitspire-cassettes", {"v": 1, "positions": changed}, ahead=1)
        await until(lambda: len(peer.told("bitspire-cassettes-state")) == 2, "its state after the config", seconds=30)
        await peer.send("bitspire-cassettes", {"v": 1, "positions": {"7": {"denomination": 20, "count": 1}}}, ahead=2)
        await peer.send("bitspire-cassettes", {"v": 1, "positions": changed}, ahead=3)
        await until(
            lambda: len(peer.told("bitspire-cassettes-state")) == 3, "its state after the next config", seconds=30
        )
    assert [each["positions"] for each in peer.told("bitspire-cassettes-state")] == [first, changed, changed]
    assert json.loads(memory.read_text())["bays"] == changed
    told = await run(*command(relay_place, "cassettes", "--state", memory, "--json"))
    assert told.json["published"]["positions"] == changed
    at = [event.created_at for event, _ in peer.heard]
    assert len(set(at)) == len(at), "a relay keeps the latest"


class Shop:
    """A machine's wallet and a customer's, real, and the machine as a process."""

    def __init__(self, place: Place, world: World, peer: Peer, memory: Path) -> None:
        self.place, self.world, self.peer, self.memory = place, world, peer, memory

    def command(self, *more: str) -> list[str | Path]:
        given = ["--currency", "GTQ", "--rate", "50", "--wallet", f"file:{self.place.directory / 'machine.nwc'}"]
        return command(self.place, "run", *given, "--state", self.memory, "--beat", "0.3", "--json", *more)


@pytest.fixture
async def shop(place: Place, machine: Keys, tmp_path: Path) -> AsyncIterator[Shop]:
    async with World() as world:
        place.write(world.relay_url)
        uri = (await world.call("wallet", account="machine"))["uri"]
        write_secret(place.directory / "machine.nwc", uri)
        world.network.add_account("customer", 200_000_000)
        await world.call("fund", account="machine", amount_msat=100_000_000)
        async with Peer(place.bot, world.relay_url, machine.public_key).running() as peer:
            await peer.send("bitspire-fees", FEES)
            yield Shop(place, world, peer, tmp_path / "atm.json")


class Talking:
    """What a machine prints, line by line, and what is typed into it."""

    def __init__(self, process: Forked) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def say(self, order: str) -> None:
        self.process.type_line(order)

    async def until(self, event: str) -> dict[str, Any]:
        """The next line of that kind."""
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                self.lines.append(said)
                if said["event"] == event:
                    return said
        raise AssertionError(f"it ended without {event}: {self.lines}")


async def test_a_whole_machine(shop: Shop) -> None:
    """Customers come in both directions and are really paid; notes come out of its bays, once too few of them; a
    receipt is lost, a report is repeated; and what it must not forget it knows when it is started again."""
    world, peer = shop.world, shop.peer
    talking = Talking(await start(*shop.command("--bay", "1=20x10", "--bay", "2=100x5", "--name", "Sintra")))
    process = talking.process
    talking.say("out 240")
    invoice = await talking.until("invoice")
    assert invoice["sats"] == 12_360
    await world.network.pay("customer", invoice["invoice"])
    assert (await talking.until("dispensed"))["amount"] == 240
    assert (await talking.until("receipt"))["status"] == "accepted"
    talking.say("out 100 dispense=60 repeat=1")
    await world.network.pay("customer", (await talking.until("invoice"))["invoice"])
    assert [(await talking.until("receipt"))["status"] for _ in range(2)] == ["accepted", "duplicate"]
    cheap = await world.call("invoice", account="customer", amount_msat=2_000_000)
    right = await world.call("invoice", account="customer", amount_msat=2_375_000)
    talking.say(f"in 50 {cheap['bolt11']}")
    talking.say("out 30")
    talking.say("nonsense")
    talking.say(f"in 50 {right['bolt11']}")
    assert (await talking.until("inserted"))["sats"] == 2_375
    assert (await talking.until("receipt"))["status"] == "accepted"
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert process.returncode == 1, "some orders could not be done"
    assert [line.split(":")[0] for line in err.decode().splitlines() if not line.startswith(("out", "in ", "price"))][
        :3
    ] == [
        "the invoice must be for 2,375 sats",
        "the bays have no notes that make 30 GTQ",
        "this can't be done",
    ]
    reports = peer.reports()
    assert [each["seq"] for each in reports] == [1, 2, 2, 3]
    assert reports[0]["bills"] == {"100": 2, "20": 2}
    assert reports[0]["cassettes"]["2"] == {"denomination": 100, "dispensed": 2}
    assert (reports[1]["fiat_amount"], reports[1]["bills"]) == ("100.00", {"20": 3})
    assert (reports[3]["tx_type"], reports[3]["wire_sats"], reports[3]["fee_sats"]) == ("cash_in", 2_375, 125)
    assert world.network.books.accounts["machine"].spendable_msat == (100_000 + 12_360 + 5_150 - 2_375) * 1_000
    kept = json.loads(shop.memory.read_text())
    assert (kept["seq"], kept["box"], kept["unreported"], kept["fees"]) == (3, 50, [], {
        "cash_in_fee": "0.05", "cash_out_fee": "0.03"})  # fmt: skip
    assert peer.told("bitspire-cassettes-state")[-1]["positions"] == kept["bays"] == {
        "1": {"denomination": 20, "count": 5}, "2": {"denomination": 100, "count": 3}}  # fmt: skip
    beacon = peer.told("bitspire-beacon")[-1]
    assert beacon.items() >= {"cash_out": True, "cash_in": True, "fiat": "GTQ", "name": "Sintra"}.items()
    assert peer.told("bitspire-telemetry")


async def test_a_report_that_nobody_hears_outlives_the_machine(shop: Shop) -> None:
    """Nobody answers, and the machine is switched off; at its next start it reports again by itself."""
    world, peer = shop.world, shop.peer
    peer.status = lambda number: "lost"
    talking = Talking(await start(*shop.command("--bay", "1=20x10", "--timeout", "1", "out 20 lost=3")))
    invoice = (await talking.until("invoice"))["invoice"]
    await world.network.pay("customer", invoice)
    async with asyncio.timeout(20):
        _, err = await talking.process.communicate()
    assert talking.process.returncode == 3
    assert "no receipt" in err.decode()
    assert [each["seq"] for each in json.loads(shop.memory.read_text())["unreported"]] == [1]
    peer.status = lambda number: "accepted"
    again = Talking(await start(*shop.command()))
    assert (await again.until("receipt"))["status"] == "accepted"
    again.say("quit")
    async with asyncio.timeout(20):
        await again.process.communicate()
    assert json.loads(shop.memory.read_text())["unreported"] == []
    first, last = peer.reports()[0], peer.reports()[-1]
    assert first == last
    assert last["payment_hash"] == bolt11.decode(invoice).payment_hash


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["beacon"], "nothing to say"),
        (["beacon", "--cash-level", "much"], "--cash-level: is one of full, ok, low, empty"),
        (["beacon", "--file", "none.json"], "--file: none.json: No such file"),
        (["telemetry", "none.json"], "FILE: none.json"),
        (["cassettes"], "give what is in the bays"),
        (["cassettes", "1=20"], "1=20 is no bay"),
        (["run", "--currency", "XXX", "--rate", "50"], "--currency: "),
        (["run", "--currency", "GTQ", "--rate", "0"], "--rate: must be above zero"),
        (["run", "--currency", "GTQ", "--rate", "many"], "--rate must be a plain decimal number"),
        (["run", "--currency", "GTQ", "--rate", "50", "out much"], "the amount must be a whole number"),
        (["run", "--currency", "GTQ", "--rate", "50", "out 20 lost=99"], "lost and repeat go up to 20"),
        (["run", "--currency", "GTQ", "--rate", "50", "give 20"], "this can't be done: give 20"),
        (["run", "--currency", "GTQ", "--rate", "50", "--bay", "x"], "x is no bay"),
        (["run", "--currency", "GTQ", "--rate", "50", "--wallet", "file:none.nwc"], "--wallet: "),
        (["run", "--currency", "GTQ", "--rate", "50", "--state", "."], "--state: ."),
    ],
)
def test_wrong_usage_is_named(place: Place, machine: Keys, call: Called, arguments: list[str], said: str) -> None:
    told = call(*command(place, *arguments))
    assert (told.code, told.out) == (2, "")
    assert said in told.err
