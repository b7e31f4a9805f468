"""Relays that fail as real ones do: what is lost, doubled, closed, kept, or dead without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.heartbeat import Heartbeat
from bot.nostr import Keys
from bot.query import OVERLAP_SECONDS, Query, Subscription
from bot.relays import Relays
from bot.timings import Timings
from nwc.event import Event
from tests.bot.conftest import HURRY, EmbeddedRelay, Heard, until
from tests.bot.raw_relay import Peer, RawRelay
from tests.bot.test_daemon import HandClock
from tests.bot.trick_relay import TrickRelay, Tunnel, owes_lastingly

DAY, YEAR = 86_400, 365 * 86_400
NOW = SystemClock().now()
LIVE, STORED = 21_000, 78


def signed(keys: Keys, text: str, kind: int = LIVE, at: int = NOW) -> Event:
    return keys.cipher().sign(kind, (), text, at)


def all_of(keys: Keys, since: int = NOW) -> Subscription:
    return Subscription("all", Query(kinds=(LIVE, STORED), authors=(keys.public_key,)), since)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def listen(
    stack: AsyncExitStack, urls: list[str], heard: Heard, keys: Keys, clock: SystemClock, timings: Timings = HURRY
) -> Relays:
    """Connected to all of them, and subscribed."""
    relays = Relays(urls, keys, heard, clock, timings=timings)
    relays.subscribe(all_of(keys))
    await stack.enter_async_context(relays)
    await until(lambda: all(state.listening for state in relays.states().values()), "listening at all")
    return relays


async def test_each_event_five_times_from_three_relays_in_different_order(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    three = [await stack.enter_async_context(TrickRelay(copies=5).running()) for _ in range(3)]
    relays = await listen(stack, [relay.url for relay in three], heard, keys, clock)
    events = [signed(keys, str(number), kind) for number, kind in enumerate([LIVE, STORED] * 4)]
    for shift, relay in enumerate(three):
        assert isinstance(relay, TrickRelay)
        for event in [*events[shift * 3 :], *events[: shift * 3]]:
            await relay.deliver(event.to_dict())
    await until(lambda: relays.counts.copies >= 8 * 15 - 8, "every copy came")
    assert sorted(heard.ids) == sorted(event.id for event in events)
    assert heard.repeats == []


async def test_a_relay_that_keeps_ephemeral_events_and_gives_them_at_each_connection(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    relay = TrickRelay(keeps_ephemeral=True)
    kept = [signed(keys, str(number)) for number in range(3)]
    relay.events = [event.to_dict() for event in kept]
    await stack.enter_async_context(relay.running())
    relays = await listen(stack, [relay.url], heard, keys, clock)
    await until(lambda: len(heard.ids) == 3, "what it kept")
    before = relays.counts.copies
    for peer in list(relay.peers):
        peer.drop()
    await until(lambda: relays.counts.copies >= before + 3, "all of it again")
    assert (len(heard.ids), heard.repeats) == (3, [])


@pytest.mark.parametrize(
    "reason",
    [
        "auth-required: who are you",
        "blocked: not you",
        "duplicate: again",
        "error: shutting down",
        "invalid: filter",
        "mute: nobody listens",
        "pow: 20 bits",
        "rate-limited: slow down",
        "restricted: members only",
        "unsupported: filter",
        "",
    ],
)
async def test_closed_for_whatever_reason_it_is_asked_again(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard, reason: str
) -> None:
    relay = TrickRelay(closed=[reason, reason])
    await stack.enter_async_context(relay.running())
    await listen(stack, [relay.url], heard, keys, clock)
    event = signed(keys, "live")
    await relay.deliver(event.to_dict())
    await until(lambda: heard.ids == [event.id], "what comes then")
    assert relay.connections == 1


@pytest.mark.parametrize("asks_first", [True, False], ids=["before REQ", "after CLOSED"])
async def test_it_says_who_it_is_when_it_is_asked(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard, asks_first: bool
) -> None:
    """Some relays ask at once, some when something is wanted of them."""
    admitted: list[dict[str, Any]] = []

    async def welcome(peer: Peer) -> None:
        if asks_first:
            await peer.say("AUTH", "a challenge")

    async def handle(peer: Peer, message: list[Any]) -> None:
        if message[0] == "AUTH":
            admitted.append(message[1])
            await peer.say("OK", message[1]["id"], True, "")
        elif message[0] == "REQ" and not admitted:
            await peer.say("CLOSED", message[1], "auth-required: we serve only members")
            if not asks_first:
                await peer.say("AUTH", "a challenge")
        elif message[0] == "REQ":
            await peer.say("EOSE", message[1])

    relay = RawRelay(handle, welcome)
    await stack.enter_async_context(relay.running())
    # The wait after a refusal would be ten seconds: it must not come to that.
    await listen(stack, [relay.url], heard, keys, clock, replace(HURRY, retry_ask_seconds=10.0))
    answer = admitted[0]
    assert (answer["kind"], answer["pubkey"]) == (22_242, keys.public_key)
    assert {tag[0]: tag[1].rstrip("/") for tag in answer["tags"]} == {"relay": relay.url, "challenge": "a challenge"}


async def test_a_connection_that_is_dead_without_a_word_is_found(
    stack: AsyncExitStack, relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    """No byte comes or goes, and nothing says so. Within 90 s another connection hears again: here all waits are
    shorter, and their sum is checked as it is in production."""
    usual = Timings()
    assert usual.probe_after_seconds + usual.page_seconds + usual.retry_seconds + usual.page_seconds < 90
    hurry = replace(HURRY, probe_after_seconds=0.3, page_seconds=0.3)
    tunnel = await stack.enter_async_context(Tunnel(int(relay.url.rsplit(":", 1)[1])).running())
    relays = await listen(stack, [tunnel.url], heard, keys, clock, hurry)
    async with Relays([relay.url], None, lambda event, url, repeat: None, clock, timings=HURRY) as sender:
        await until(sender.connected, "sender up")
        tunnel.freeze()
        missed = signed(keys, "sent into the dead connection", STORED)
        await sender.publish(missed)
        assert relays.connected(), "so it seems"
        # Sum of the waits, the library's own second for a new connection, and a busy machine.
        await until(lambda: heard.ids == [missed.id], "what was stored meanwhile", 6.0)
        await until(relays.listening, "listening again")
        live = signed(keys, "live")
        await sender.publish(live)
        await until(lambda: live.id in heard.ids, "live again")


@pytest.mark.parametrize("off_by", [-YEAR, -DAY, DAY, YEAR])
async def test_events_by_clocks_that_are_wrong(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard, off_by: int
) -> None:
    """What comes live comes whatever its time. Of what is stored, a year ago is not asked for; the newest one comes."""
    kept, live = signed(keys, "kept", STORED, NOW + off_by), signed(keys, "live", at=NOW + off_by)
    newest = signed(keys, "newest", STORED, max(NOW, NOW + off_by))
    relay = TrickRelay()
    relay.events = [kept.to_dict(), newest.to_dict()]
    await stack.enter_async_context(relay.running())
    relays = await listen(stack, [relay.url], heard, keys, clock)
    await relay.deliver(live.to_dict())
    await until(lambda: bool(relays.caught_up("all")) and live.id in heard.ids, "all that comes")
    assert set(heard.ids) == {live.id, newest.id, *([kept.id] if off_by > -YEAR else [])}


@pytest.mark.parametrize("set_by", [-3 * DAY, 3 * DAY, YEAR])
async def test_our_own_clock_was_wrong_when_it_was_last_caught_up(
    stack: AsyncExitStack, keys: Keys, heard: Heard, set_by: int
) -> None:
    """Then it is set right, and the connection is lost: what is stored meanwhile is asked for all the same."""
    clock = HandClock(NOW + set_by)
    relay = TrickRelay()
    await stack.enter_async_context(relay.running())
    relays = await listen(stack, [relay.url], heard, keys, clock)
    await until(lambda: relays.caught_up("all") == {relay.url: NOW + set_by}, "caught up")
    clock.wall = NOW + 60
    missed = signed(keys, "stored while away", STORED, NOW + 30)
    relay.events.append(missed.to_dict())
    relay.peers[0].drop()
    await until(lambda: heard.ids == [missed.id], "what was stored")


async def test_each_relay_is_read_from_where_it_was_left(
    stack: AsyncExitStack, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    """One that could not be reached for days has what the others never got."""
    lost, met = [await stack.enter_async_context(TrickRelay().running()) for _ in range(2)]
    relays = Relays([lost.url, met.url], keys, heard, clock, timings=HURRY)
    relays.subscribe(all_of(keys), {lost.url: NOW - 9 * DAY})
    await stack.enter_async_context(relays)
    await until(lambda: len(relays.caught_up("all")) == 2, "both are caught up")

    def since(relay: RawRelay) -> set[int]:
        return {heard[2]["since"] for heard in relay.heard if heard[0] == "REQ" and "since" in heard[2]}

    assert since(lost) == {NOW - 9 * DAY - OVERLAP_SECONDS}
    assert since(met) == {NOW - OVERLAP_SECONDS}


async def test_the_heart_beats_through_every_relay_and_shows_which_one_withholds(
    stack: AsyncExitStack, relay: EmbeddedRelay, keys: Keys, heard: Heard
) -> None:
    """Over real connections: one relay is good, one withholds, one takes gift wraps only, one says no and delivers."""

    def wraps_only(event: dict[str, Any]) -> tuple[bool, str]:
        return (True, "") if event["kind"] == 1_059 else (False, "blocked: kind not allowed")

    mute, inbox, liar = TrickRelay(withholds=True), TrickRelay(answer=wraps_only), TrickRelay()
    liar.tricks.answer = lambda event: (False, "error: could not store it")
    for each in (mute, inbox, liar):
        await stack.enter_async_context(each.running())
    clock = HandClock(NOW)
    relays = Relays([relay.url, mute.url, inbox.url, liar.url], keys, heard, clock, timings=HURRY)
    me = keys.public_key
    relays.subscribe(Subscription("for-us", Query(kinds=(1_059, 14, 21_000, 78), p=(me,)), NOW))
    rung: list[None] = []
    heartbeat = Heartbeat(
        relays,
        keys.cipher(),
        clock,
        deaf_after_seconds=lambda: 120,
        every_seconds=0.05,
        on_hearing=lambda: rung.append(None),
    )
    relays.watch(heartbeat)
    await stack.enter_async_context(relays)
    beating = asyncio.create_task(heartbeat.run())
    stack.callback(beating.cancel)
    good = {relay.url, inbox.url, liar.url}
    await until(lambda: heartbeat.delivering() == good, "all but one deliver")
    assert rung == [None]
    assert not heartbeat.deaf()
    await until(lambda: owes_lastingly(heartbeat, relays, mute.url), "the one owes a beat")
    clock.advance(121)
    await until(lambda: heartbeat.withholding() == {mute.url}, "the one is found")
    await until(lambda: not heartbeat.deaf(), "the others are heard")
    assert heard.ids == [], "a beat is nobody else's business"
    mute.tricks.withholds = False
    await until(lambda: heartbeat.delivering() == {*good, mute.url}, "it delivers again")
    assert not heartbeat.withholding()
