"""The publisher among strangers: whoever writes to the bot with a relay that answers nothing delays nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import cast

import pytest

from bot.contacts import Contacts
from bot.delivery import PublishResult
from bot.nostr import Keys, unwrap
from bot.relays import Relays
from bot.workers.publisher import STRANGERS_AT_ONCE, Publisher
from handlers import notices
from handlers.wire import receipt
from nwc.event import Event
from storage import orders, outbox
from storage.db import Tx
from tests.bot.workers.on_a_wire import DeskClock, becomes, bell_for, count, running
from tests.handlers.till import Till

WAITING = "SELECT count(*) FROM outbox WHERE state = 'waiting'"


@dataclass
class Air:
    """The relays as a publisher sees them, and where people want their messages: strangers' relays swallow them."""

    strangers: set[str]
    swallowed: int = 0
    accepts: bool = True
    published: list[Event] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    def connected(self) -> bool:
        return True

    async def dm_relays(self, pubkey: str) -> tuple[str, ...]:
        if pubkey in self.strangers:
            self.swallowed += 1
            await self.end.wait()
        return ()

    async def publish(self, event: Event) -> PublishResult:
        self.published.append(event)
        if not self.accepts:
            return PublishResult(refused={"wss://one.example": "rate-limited"})
        return PublishResult(frozenset({"wss://one.example"}))


BEGUN = asyncio.Event()
BEGUN.set()


def publisher_of(till: Till, air: Air) -> Publisher:
    return Publisher(
        till.desk.db,
        cast(Relays, air),
        cast(Contacts, air),
        Keys.generate(),
        DeskClock(till),
        bell_for(till, "outbox"),
    )


@pytest.fixture
def strangers() -> list[str]:
    return [Keys.generate().public_key for _ in range(60)]


async def test_strangers_go_behind_all_others(till: Till, strangers: list[str]) -> None:
    """Sixty strangers wrote, each naming a relay that takes a connection and says nothing. They have four places, and
    only while nobody else waits: a machine's receipt and the operator's message leave at once, before and after."""
    operator, atm = Keys.generate().public_key, Keys.generate().public_key
    air = Air(set(strangers))

    def write(tx: Tx) -> None:
        tx.run("DELETE FROM outbox")
        for stranger in strangers:
            outbox.put_dm(tx, to=stranger, text="hello", answers="ab" * 32, signed=False, now=till.now, stranger=True)
        notices.tell(tx, [operator], "notice wallet rate_limited", {"wallet": "main"}, till.now)

    await till.desk.tx(write)
    async with running(publisher_of(till, air).run(BEGUN)):
        await count(till, WAITING, is_=60)

        async def full() -> bool:
            return air.swallowed == STRANGERS_AT_ONCE

        await becomes(full, "the strangers' places are taken")
        await till.desk.tx(
            lambda tx: receipt.send(
                tx, machine_pubkey=atm, payment_hash="cd" * 32, status="accepted", settlement_id=1, reason=None,
                stored=True, now=till.now,
            )
        )  # fmt: skip
        await count(till, WAITING, is_=60)
        assert air.swallowed == STRANGERS_AT_ONCE
        assert {event.kind for event in air.published} == {1_059, 21_000, 30_078}
        air.end.set()
        await count(till, WAITING, is_=0)


async def test_a_message_is_made_ready_while_it_is_committed_and_leaves_for_its_row_alone(till: Till) -> None:
    """What was made ready for a message that was then undone never leaves, though the next has its number."""
    person, other = Keys.generate(), Keys.generate()
    air = Air(set())
    made: list[list[outbox.Coming]] = []
    publisher = publisher_of(till, air)
    make_ready = publisher._make_ready

    def put(tx: Tx, to: Keys, text: str) -> None:
        outbox.put_dm(tx, to=to.public_key, text=text, answers="ab" * 32, signed=False, now=till.now)

    def undone(tx: Tx) -> None:
        with contextlib.suppress(ValueError), orders.undone_on_error(tx):
            put(tx, other, "undone")
            raise ValueError

    def noted(coming: list[outbox.Coming]) -> None:
        made.append(coming)
        make_ready(coming)

    publisher._make_ready = noted  # type: ignore[method-assign]
    await till.desk.tx(lambda tx: tx.run("DELETE FROM outbox"))
    async with running(publisher.run(BEGUN)):
        await till.desk.tx(undone)
        await till.desk.tx(lambda tx: put(tx, person, "said"))
        await count(till, WAITING, is_=0)
    assert [[each.text for each in coming] for coming in made] == [["undone"], ["said"]]
    assert [unwrap(person, event).content for event in air.published] == ["said"]


async def test_what_no_relay_takes_is_tried_again_later_and_given_up(till: Till) -> None:
    air = Air(set(), accepts=False)

    def write(tx: Tx) -> None:
        tx.run("DELETE FROM outbox")
        notices.tell(tx, [Keys.generate().public_key], "notice wallet rate_limited", {"wallet": "main"}, till.now)

    await till.desk.tx(write)
    async with running(publisher_of(till, air).run(BEGUN)):
        for tries, delay in enumerate((2, 5, 15, 60, 300, 300), 1):
            await count(till, "SELECT count(*) FROM outbox WHERE tries = ?", tries, is_=1)
            assert await till.desk.count("SELECT next_try_at FROM outbox") == till.now + delay
            till.advance(delay)
            await till.desk.tx(lambda tx: tx.touch("outbox"))
        await count(till, "SELECT count(*) FROM outbox WHERE tries = 7", is_=1)
        till.advance(outbox.LIFE_SECONDS)
        await till.desk.tx(lambda tx: tx.touch("outbox"))
        await count(till, "SELECT count(*) FROM outbox WHERE state = 'given_up' AND error = 'rate-limited'", is_=1)
    assert len({event.id for event in air.published}) == len(air.published), "each try is a new envelope"


async def test_what_no_relay_takes_is_looked_at_again_in_time(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else happens: the publisher waits for the next try, and not for as long as an empty outbox allows."""
    publisher = publisher_of(till, Air(set(), accepts=False))
    waits, wait = list[float](), publisher._bell.wait

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await wait(seconds)

    def write(tx: Tx) -> None:
        tx.run("DELETE FROM outbox")
        notices.tell(tx, [Keys.generate().public_key], "notice wallet rate_limited", {"wallet": "main"}, till.now)

    async def waits_for_it() -> bool:
        return waits[-1:] == [2]

    monkeypatch.setattr(publisher._bell, "wait", noted)
    await till.desk.tx(write)
    async with running(publisher.run(BEGUN)):
        await becomes(waits_for_it, "two seconds are waited")
    assert await till.desk.count("SELECT tries FROM outbox") == 1


async def test_a_replaceable_event_is_tried_again_as_the_same_bytes(till: Till) -> None:
    """A relay may have it although it said no: another version with a newer time would be another event."""
    air = Air(set(), accepts=False)

    def write(tx: Tx) -> None:
        tx.run("DELETE FROM outbox")
        outbox.put_replaceable(tx, kind=30_078, d="x", tags=[], content="c", encrypt_to=None, now=till.now)

    await till.desk.tx(write)
    async with running(publisher_of(till, air).run(BEGUN)):
        await count(till, "SELECT count(*) FROM outbox WHERE tries = 1", is_=1)
        till.advance(2)
        air.accepts = True
        await till.desk.tx(lambda tx: tx.touch("outbox"))
        await count(till, WAITING, is_=0)
    assert len(air.published) == 2
    assert air.published[0] == air.published[1]
