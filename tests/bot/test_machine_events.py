"""What machines publish of themselves, from the relay to the books: recognised by what it is, heard from its author."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from bot.intake import MACHINES_AT_ONCE, OWN_KINDS, Intake, machine_subscriptions
from bot.nostr import Keys
from bot.questions import Questions
from bot.workers.wakeup import Bells
from handlers.context import Live
from ledger.fees import FeeRates
from nwc.event import Event
from storage import machines, wallets
from storage.db import Database, Tx
from tests.bot.test_intake import FAST, Ears
from tests.handlers.atm import TWENTIES, state
from tests.handlers.desk import SETTINGS, key
from tests.parts.clocks import MovableClock


@dataclass
class Field:
    """An intake at work with one machine registered, and what that machine publishes."""

    intake: Intake
    db: Database
    relays: Ears
    bot: Keys
    atm: Keys
    clock: MovableClock

    def event(
        self, kind: int, d: str, content: Any, *, by: Keys | None = None, to: str | None = None, sealed: bool = True
    ) -> Event:
        author = by or self.atm
        text = content if isinstance(content, str) else json.dumps(content)
        recipient = to or self.bot.public_key
        tags = [["d", d], *([["p", recipient]] if sealed else [])]
        text = author.cipher().nip44_encrypt(recipient, text) if sealed else text
        return author.cipher().sign(kind, tags, text, self.clock.now())

    async def hear(self, event: Event, *, kept: bool = False, repeat: bool = False) -> None:
        if kept:
            self.relays.behind.add(FAST)
        assert self.intake.on_event(event, FAST, repeat)
        self.relays.behind.clear()

    async def until(self, statement: str, expected: Any) -> None:
        def look(tx: Tx) -> Any:
            row = tx.one(statement)
            return row[0] if row is not None else None

        async with asyncio.timeout(5):
            while await self.db.read(look) != expected:
                await asyncio.sleep(0.01)

    async def counted(self, name: str) -> None:
        await self.until(f"SELECT value FROM counters WHERE name = '{name}'", 1)


async def add(db: Database, name: str, pubkey: str, wallet: str) -> None:
    def work(tx: Tx) -> None:
        wallets.register(tx, wallet, wallet_pubkey=key(wallet), client_pubkey=key(f"{wallet} client"), now=0)
        machines.insert(
            tx, pubkey=pubkey, name=name, wallet=wallet, fiat="GTQ", location=None, fees=FeeRates(0, 0), now=0
        )

    await db.write(work)


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    bot, atm, clock, relays, bells = Keys.generate(), Keys.generate(), MovableClock(), Ears(), Bells()
    db = await Database.open(tmp_path / "books.db")
    db.on_commit(bells.touched)
    await add(db, "sintra", atm.public_key, "main")
    settings = replace(SETTINGS, bot_pubkey=bot.public_key)
    intake = Intake(
        db,
        bot,
        clock,
        bells.for_names("machines"),
        cast(Questions, SimpleNamespace()),
        policy=lambda: pytest.fail("nothing is reported here"),
        settings=lambda: settings,
        live=lambda: Live((), frozenset(), clock.now()),
        relays=lambda: relays,
    )
    task = asyncio.create_task(intake.run())
    made = Field(intake, db, relays, bot, atm, clock)
    async with asyncio.timeout(5):
        while not relays.asked:
            await asyncio.sleep(0.01)
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await db.close()


LEVEL = "SELECT json_extract(fields, '$.cash_level') FROM beacons"


async def test_a_beacon_is_known_by_its_content(field: Field) -> None:
    atm = field.atm.public_key
    for d, level in ((f"bitspire-beacon:{atm}", "ok"), ("atm-status", "low"), ("", "full")):
        await field.hear(field.event(30_078, d, {"cash_level": level}, sealed=False))
        await field.until(LEVEL, level)
        field.clock.advance(1)


async def test_a_state_is_known_by_its_name_or_its_content(field: Field) -> None:
    await field.hear(field.event(30_078, f"bitspire-cassettes-state:{field.atm.public_key}", state(TWENTIES)))
    await field.until("SELECT sum(count) FROM bays", 140)
    field.clock.advance(1)
    await field.hear(field.event(30_078, "my-cassettes", state({**TWENTIES, 3: (20, 5)})))
    await field.until("SELECT sum(count) FROM bays", 145)
    await field.until("SELECT count(*) FROM inbox", 2)


async def test_telemetry_is_opened(field: Field) -> None:
    await field.hear(field.event(30_079, f"bitspire-telemetry:{field.atm.public_key}", '{"disk": 0.5}'))
    await field.until("SELECT body FROM telemetry", '{"disk": 0.5}')


async def test_what_a_relay_kept_was_said_when_it_is_dated(field: Field) -> None:
    event = field.event(30_078, "", {"cash_level": "ok"}, sealed=False)
    field.clock.advance(3_600)
    await field.hear(event, kept=True)
    await field.until("SELECT last_seen_at FROM machines", event.created_at)


WRONG: list[tuple[str, Callable[[Field], Event]]] = [
    (
        "cassettes_of_another_machine",
        lambda f: f.event(30_078, f"bitspire-cassettes-state:{key('other')}", state(TWENTIES)),
    ),
    (
        "cassettes_sealed",
        lambda f: f.event(
            30_078, f"bitspire-cassettes-state:{f.atm.public_key}", state(TWENTIES), to=Keys.generate().public_key
        ),
    ),
    ("cassettes_unreadable", lambda f: f.event(30_078, f"bitspire-cassettes-state:{f.atm.public_key}", "nonsense")),
    ("telemetry_sealed", lambda f: f.event(30_079, "", "plain", sealed=False)),
    ("beacon_unreadable", lambda f: f.event(30_078, f"bitspire-beacon:{f.atm.public_key}", "{", sealed=False)),
]


@pytest.mark.parametrize(("name", "make"), WRONG, ids=[name for name, _ in WRONG])
async def test_what_is_wrong_is_counted(field: Field, name: str, make: Callable[[Field], Event]) -> None:
    event = make(field)
    await field.hear(event)
    await field.counted(name)
    await field.hear(event, repeat=True)
    await field.hear(field.event(30_078, "", {"cash_level": "ok"}, sealed=False))
    await field.until(LEVEL, "ok")
    await field.counted(name)
    for table in ("bays", "cassettes", "telemetry"):
        await field.until(f"SELECT count(*) FROM {table}", 0)


async def test_what_is_none_of_ours_is_passed_over(field: Field) -> None:
    """Receipts of another operator, notes of another program, another key's beacon, more than anybody says."""
    stranger = Keys.generate()
    atm = field.atm.public_key
    for event in (
        field.event(30_078, "bitspire-receipt:00", '{"type":"receipt"}', to=stranger.public_key),
        field.event(30_078, "draft", '{"text":"hello"}'),
        field.event(30_078, "draft", '{"text":"hello"}', sealed=False),
        field.event(30_078, "draft", "hello", sealed=False),
        field.event(30_078, f"bitspire-beacon:{atm}", {"cash_level": "low"}, by=stranger, sealed=False),
        field.event(30_079, f"bitspire-telemetry:{atm}", "x" * 1_000_000, sealed=False),
    ):
        await field.hear(event)
    await field.hear(field.event(30_078, "", {"cash_in": True}, sealed=False))
    await field.until("SELECT fields FROM beacons", '{"cash_in":true}')
    await field.until("SELECT count(*) FROM inbox", 0)
    await field.until("SELECT group_concat(name || value) FROM counters", "oversized1")
    assert field.intake.counts == {"oversized": 1}


async def test_the_log_has_a_line_a_minute_for_each_reason(field: Field) -> None:
    """A machine whose key is stolen can be wrong as often as somebody likes."""

    async def wrong(times: int, *, first: int) -> None:
        for number in range(first, first + times):
            await field.hear(
                field.event(30_078, f"bitspire-beacon:{field.atm.public_key}", f"{{{number}", sealed=False)
            )
        await field.until("SELECT value FROM counters WHERE name = 'beacon_unreadable'", first + times)

    with structlog.testing.capture_logs() as lines:
        await wrong(20, first=0)
        await field.hear(field.event(30_079, "", "plain", sealed=False))
        await field.counted("telemetry_sealed")
        field.clock.advance(60)
        await wrong(1, first=20)
    assert [(line["event"], line["reason"], line["times"]) for line in lines] == [
        ("event_refused", "unreadable", 1),
        ("event_refused", "sealed", 1),
        ("event_refused", "unreadable", 20),
    ]


async def test_machines_are_listened_to_from_when_they_are_registered(field: Field) -> None:
    (asked,) = field.relays.asked.values()
    assert (asked.query.authors, asked.query.kinds, asked.since) == ((field.atm.public_key,), OWN_KINDS, 0)
    late = Keys.generate()
    await add(field.db, "late", late.public_key, "second")
    async with asyncio.timeout(5):
        while late.public_key not in field.relays.asked[asked.name].query.authors:
            await asyncio.sleep(0.01)
    await field.hear(field.event(30_078, "", {"cash_level": "low"}, by=late, sealed=False))
    await field.until(LEVEL, "low")
    for machine_id in (1, 2):
        await field.db.write(lambda tx, gone=machine_id: machines.remove(tx, gone))  # type: ignore[misc]
    async with asyncio.timeout(5):
        while field.relays.asked:
            await asyncio.sleep(0.01)


def test_many_machines_are_asked_for_in_a_few_questions() -> None:
    keys = [f"{number:064x}" for number in range(1_000)]
    asked = machine_subscriptions(keys)
    assert [len(each.query.authors) for each in asked] == [MACHINES_AT_ONCE] * 4
    assert sorted(author for each in asked for author in each.query.authors) == keys
    more = machine_subscriptions([*keys, "f" * 64])
    assert more[:4] == asked, "those that are open stay as they are"
    assert machine_subscriptions([]) == []
