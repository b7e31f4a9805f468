"""The resolver at the start: every payment that an earlier run left is asked about before anything new is paid."""

from __future__ import annotations

import asyncio
import hashlib
from typing import cast

import pytest

from bot.workers.resolver import BATCH, Resolver
from handlers import payment
from ledger.states import EvidenceClass
from nwc.event import Event
from nwc.evidence import Listing
from nwc.fetch import GuardedHttp
from nwc.requests import SignedRequest
from storage import legs
from storage.attempts import NewAttempt
from storage.db import Tx
from tests.bot.workers.on_a_wire import Bank, DeskClock, becomes, bell_for, running
from tests.handlers.till import POLICY, Till
from tests.ledger.build import hash_of


def send_all(tx: Tx, now: int) -> int:
    """Every open leg has an invoice and its request left; how many."""
    due = legs.payable(tx, "main", now, 1_000, (), 1_000)
    for number, leg in enumerate(due):
        new = NewAttempt(hash_of(number), "lnbc1", leg.due_msat, None, now + 3_600, None)
        assert payment.ready(tx, leg.id, new, POLICY, now) is not None
        event = Event(hashlib.sha256(b"%d" % number).hexdigest(), "ab" * 32, now, 23_194, (), "sealed", "00" * 64)
        assert payment.send(tx, hash_of(number), SignedRequest(event, hash_of(number), now + 600), POLICY, now)
    return len(due)


def resolver_of(till: Till, bank: Bank) -> Resolver:
    return Resolver(
        bank.wallet(),
        till.desk.db,
        cast(GuardedHttp, None),
        DeskClock(till),
        bell_for(till, "attempts"),
        policy=POLICY,
        ask_seconds=30,
        clock_sane=lambda: True,
        may_pay=lambda: False,
    )


async def test_the_first_pass_takes_all(till: Till, bank: Bank) -> None:
    """More attempts were left than a later pass takes at a time: `taken_up` waits for each of them, for a payer that
    starts earlier would spend what those may have spent."""
    for number in range(140):
        await till.desk.cash_out(number, platform_fee_sats=3_000)
    for _ in range(3):
        await till.desk.distribute()
    left = await till.desk.tx(lambda tx: send_all(tx, till.now))
    assert left > BATCH
    till.advance(10)
    resolver = resolver_of(till, bank)
    async with running(resolver.run()):
        await asyncio.wait_for(resolver.taken_up.wait(), 10)
        assert len(set(bank.looked_up)) == left
        assert await till.desk.count("SELECT count(*) FROM attempts WHERE checks = 0") == 0


async def test_one_that_gets_no_answer_is_waited_for(owed: Till, bank: Bank) -> None:
    """`loaded` says that the list is known; only an answer, or the end of the time for one, makes it taken up."""
    await owed.sent(3, 1)
    owed.advance(10)
    bank.silent_about.add("lookup_invoice")
    resolver = resolver_of(owed, bank)

    async def loaded() -> bool:
        return resolver.loaded and bool(bank.looked_up or resolver._in_hand)

    async with running(resolver.run()):
        await becomes(loaded, "it was asked about")
        assert not resolver.taken_up.is_set()


async def test_with_nothing_left_it_is_taken_up_at_once(till: Till, bank: Bank) -> None:
    resolver = resolver_of(till, bank)
    async with running(resolver.run()):
        await asyncio.wait_for(resolver.taken_up.wait(), 2)
    assert bank.looked_up == []


async def test_payments_in_doubt_share_a_reading_of_the_wallets_list(
    till: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists are long and slow. None is taken that was asked for before it was needed, or that begins too late."""
    resolver, clock = resolver_of(till, bank), till.now

    async def read(since: int) -> tuple[int, int]:
        reading = await resolver._read_list(since)
        assert reading.settled is not None
        assert reading.settled.complete
        return reading.number, reading.asked_at

    listed = list[int]()

    async def slow_list(since: int, **_: object) -> Listing:
        listed.append(since)
        await asyncio.sleep(0.02)
        return Listing((), True)

    monkeypatch.setattr(resolver._wallet.client, "list_transactions", slow_list)
    first = asyncio.create_task(read(clock))
    await asyncio.sleep(0)
    others = [asyncio.create_task(read(clock - ago)) for ago in (10, 0, 20, 5)]
    found = [await each for each in (first, *others)]
    assert [number for number, _ in found] == [1, 2, 2, 2, 2]
    assert listed == [clock, clock, clock - 20, clock - 20]
    till.advance(60)
    assert await read(clock) == (3, clock + 60)


async def test_a_reading_that_fails_decides_nothing(owed: Till, bank: Bank) -> None:
    await owed.sent(3, 1)
    bank.silent_about.add("list_transactions")
    resolver = resolver_of(owed, bank)
    resolver._wallet.client._timeout_seconds = 0.05
    attempt = await owed.attempt(1)
    async with running(resolver._wallet.run()):
        assert await resolver._ask_list(attempt) is EvidenceClass.NONE
    assert await owed.desk.count("SELECT count(*) FROM evidence") == 0
