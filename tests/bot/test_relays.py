"""Relays over sockets: the library's embedded relay, and raw ones that misbehave on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.nostr import Keys
from bot.query import BadRelayUrl, Query, Subscription
from bot.relays import Relays
from nwc.event import Event
from tests.bot.conftest import HURRY, EmbeddedRelay, Heard, until
from tests.bot.raw_relay import Peer, RawRelay

NOW = SystemClock().now()
SETTLEMENT, STORED = 21_000, 78


def signed(keys: Keys, text: str, kind: int = STORED, tags: Sequence[Sequence[str]] = (), at: int = NOW) -> Event:
    return keys.cipher().sign(kind, tags, text, at)


def all_of(keys: Keys, *kinds: int, since: int = NOW) -> Subscription:
    return Subscription("all", Query(kinds=kinds or (STORED, SETTLEMENT), authors=(keys.public_key,)), since)


def listener(urls: Sequence[str], heard: Heard, clock: SystemClock, subscription: Subscription) -> Relays:
    relays = Relays(urls, None, heard, clock, timings=HURRY)
    relays.subscribe(subscription)
    return relays


def publisher(urls: Sequence[str], clock: SystemClock) -> Relays:
    return Relays(urls, None, lambda event, url, repeat: None, clock, timings=HURRY)


async def test_live_event_comes_once_from_three_relays(
    relay: EmbeddedRelay, second_relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    urls = [relay.url, second_relay.url]
    async with listener(urls, heard, clock, all_of(keys)) as relays, publisher(urls, clock) as sender:
        await until(lambda: all(s.listening for s in relays.states().values()), "listening at both")
        await until(lambda: all(s.up for s in sender.states().values()), "sender up")
        event = signed(keys, "one", SETTLEMENT)
        result = await sender.publish(event, min_acks=2)
        assert result.accepted == set(urls)
        last = signed(keys, "last", SETTLEMENT)
        await sender.publish(last, min_acks=2)
        await until(lambda: relays.counts.copies == 2, "the copies")
        assert heard.ids == [event.id, last.id]
        assert heard.repeats == []
        assert heard.events[0][0] == event
        assert all(state.last_heard_at is not None for state in relays.states().values())


async def test_same_event_sent_again_later_is_a_repeat(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    async with listener([relay.url], heard, clock, all_of(keys)) as relays, publisher([relay.url], clock) as sender:
        await until(relays.listening, "listening")
        await until(sender.connected, "sender up")
        event = signed(keys, "no receipt yet", SETTLEMENT)
        for _ in range(2):
            await sender.publish(event)
        await until(lambda: relays.counts.copies == 1, "the copy within the window is dropped")
        await asyncio.sleep(HURRY.repeat_after_seconds)
        await sender.publish(event)
        await until(lambda: len(heard.events) == 2, "the repeat")
        assert heard.ids == [event.id, event.id]
        assert heard.repeats == [event.id]


@pytest.mark.parametrize("spread", [1, 40, 3_000], ids=["all in one second", "in 40 seconds", "each in its own"])
async def test_two_thousand_stored_events_from_a_relay_that_gives_500(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard, spread: int
) -> None:
    start = NOW - 4_000
    events = [signed(keys, str(n), at=start + n % spread) for n in range(2_000)]
    await stored(relay, clock, events)
    async with listener([relay.url], heard, clock, all_of(keys, since=start)) as relays:
        await until(lambda: len(heard.events) >= 2_000, "all of them", 20)
        assert set(heard.ids) == {event.id for event in events}
        assert len(heard.ids) == 2_000
        assert relays.counts.forged == 0


async def stored(relay: EmbeddedRelay, clock: SystemClock, events: Sequence[Event]) -> None:
    async with publisher([relay.url], clock) as sender:
        await until(sender.connected, "sender up")
        for at in range(0, len(events), 500):
            results = await asyncio.gather(*(sender.publish(event) for event in events[at : at + 500]))
            assert all(result.accepted for result in results)


async def test_stored_events_before_since_and_overlap_are_left(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    old, edge, new = (signed(keys, text, at=at) for text, at in (("old", 999), ("edge", 1_000), ("new", 1_100)))
    await stored(relay, clock, [old, edge, new])
    subscription = Subscription("all", Query(kinds=(STORED,), p=()), since=1_060, overlap_seconds=60)
    async with listener([relay.url], heard, clock, subscription) as relays:
        await until(lambda: edge.id in heard.ids, "what lies in the overlap")
        await until(relays.listening, "listening")
    assert set(heard.ids) == {edge.id, new.id}


async def test_reconnects_and_catches_up_after_a_relay_restart(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    states: list[bool] = []
    relays = Relays([relay.url], None, heard, clock, timings=HURRY, on_state=lambda url, up: states.append(up))
    relays.subscribe(all_of(keys))
    async with relays:
        await until(relays.listening, "listening")
        relay.stop()
        await until(lambda: not relays.connected(), "the loss is noticed")
        assert relays.listening() is False
        await relay.start()
        missed = signed(keys, "while away")
        await stored(relay, clock, [missed])
        # An EOSE that comes before anybody has noticed the new connection once counted for the old one: 5 s deaf.
        await until(lambda: missed.id in heard.ids, "what was stored while away", 4)
        await until(relays.listening, "listening again", 4)
        async with publisher([relay.url], clock) as sender:
            await until(sender.connected, "sender up")
            live = signed(keys, "live again", SETTLEMENT)
            await sender.publish(live)
            await until(lambda: live.id in heard.ids, "live events again")
        await until(lambda: states == [True, False, True], "told of each change")


async def test_no_room_brings_the_event_again(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    heard.room = False
    async with listener([relay.url], heard, clock, all_of(keys)) as relays, publisher([relay.url], clock) as sender:
        await until(relays.listening, "listening")
        await until(sender.connected, "sender up")
        event = signed(keys, "queue is full")
        await sender.publish(event)
        await until(lambda: relays.counts.no_room >= 2, "offered more than once")
        heard.room = True
        await until(lambda: heard.ids == [event.id], "taken when there is room")


async def test_a_bug_in_the_listener_is_loud(relay: EmbeddedRelay, keys: Keys, clock: SystemClock) -> None:
    def broken(event: Event, url: str, repeat: bool) -> None:
        raise ZeroDivisionError

    await stored(relay, clock, [signed(keys, "x")])
    relays = Relays([relay.url], None, broken, clock, timings=HURRY)
    relays.subscribe(all_of(keys))
    await relays.start()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(relays.wait_closed(), 10)
    await relays.close()


async def test_a_subscription_can_be_replaced_and_ended(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    other = Keys.generate()
    mine, theirs = signed(keys, "mine"), signed(other, "theirs")
    await stored(relay, clock, [mine, theirs])
    async with listener([relay.url], heard, clock, all_of(keys)) as relays, publisher([relay.url], clock) as sender:
        await until(lambda: heard.ids == [mine.id], "the first author")
        relays.subscribe(all_of(other))
        await until(lambda: heard.ids == [mine.id, theirs.id], "the second author")
        await until(sender.connected, "sender up")
        await until(relays.listening, "listening")
        late, later = signed(keys, "no longer wanted", SETTLEMENT), signed(other, "wanted", SETTLEMENT)
        await sender.publish(late)
        await sender.publish(later)
        await until(lambda: later.id in heard.ids, "the second author, live")
        assert late.id not in heard.ids
        relays.unsubscribe("all")
        assert relays.listening() is False


async def test_a_relay_that_wants_to_know_who_we_are(keys: Keys, clock: SystemClock, heard: Heard) -> None:
    strict = EmbeddedRelay(auth=True)
    await strict.start()
    try:
        async with Relays([strict.url], keys, heard, clock, timings=HURRY) as relays:
            relays.subscribe(all_of(keys))
            await until(relays.listening, "subscribed after authentication")
            event = signed(keys, "admitted", SETTLEMENT)
            result = await relays.publish(event)
            assert result.accepted == {strict.url}
            await until(lambda: event.id in heard.ids, "our own event comes back")
        async with publisher([strict.url], clock) as stranger:
            await until(stranger.connected, "up")
            refused = await stranger.publish(signed(keys, "x"))
            assert list(refused.refused) == [strict.url]
            assert refused.refused[strict.url].startswith("auth-required")
    finally:
        strict.stop()


async def test_fetch_one_gives_the_newest_genuine_event(
    relay: EmbeddedRelay, second_relay: EmbeddedRelay, keys: Keys, clock: SystemClock
) -> None:
    old, new = signed(keys, "old", 10_050, at=NOW - 10), signed(keys, "new", 10_050, at=NOW - 5)
    await stored(relay, clock, [old])
    await stored(second_relay, clock, [new])
    async with publisher([relay.url, second_relay.url, "ws://127.0.0.1:1"], clock) as relays:
        await until(lambda: sum(s.up for s in relays.states().values()) == 2, "both up")
        assert await relays.fetch_one(Query(kinds=(10_050,), authors=(keys.public_key,))) == new
        assert await relays.fetch_one(Query(kinds=(0,), authors=(keys.public_key,))) is None


@pytest.mark.parametrize(
    "url", ["http://a.b", "wss://u:p@a.b", "wss://", "wss://a b", "ws://a.b/#x", "wss://a.b:99999"]
)
def test_bad_relay_addresses(url: str, clock: SystemClock) -> None:
    with pytest.raises(BadRelayUrl):
        publisher([url], clock)


async def test_closing_is_quick_also_with_dead_relays(clock: SystemClock, heard: Heard, keys: Keys) -> None:
    relays = listener(["ws://127.0.0.1:1", "ws://127.0.0.1:2"], heard, clock, all_of(keys))
    await relays.start()
    async with asyncio.timeout(2):
        await relays.close()
        await relays.wait_closed()


# --- relays that misbehave -------------------------------------------------------------------------------------------


def scripted(*says: Sequence[Any], then: Sequence[Sequence[Any]] = ()) -> RawRelay:
    """Answers each REQ of a live subscription with `says`, EOSE and `then`; "SUB" is its id. Pages are empty."""

    async def handle(peer: Peer, message: list[Any]) -> None:
        if message[0] == "REQ":
            live = not message[1].startswith("page.")
            for said in [*(says if live else ()), ("EOSE", "SUB"), *(then if live else ())]:
                await peer.say(*(message[1] if part == "SUB" else part for part in said))

    return RawRelay(handle)


async def test_a_forgery_neither_passes_nor_hides_the_real_event(keys: Keys, clock: SystemClock, heard: Heard) -> None:
    real, other = signed(keys, "genuine"), signed(keys, "other")
    wrong_signature = {**real.to_dict(), "sig": other.sig}
    tampered = {**real.to_dict(), "content": "tampered"}
    last = signed(keys, "last")
    relay = scripted(
        ("EVENT", "SUB", wrong_signature),
        ("EVENT", "SUB", tampered),
        ("EVENT", "SUB", real.to_dict()),
        ("EVENT", "SUB", wrong_signature),
        ("EVENT", "SUB", tampered),
        ("EVENT", "SUB", last.to_dict()),
    )
    async with relay.running(), listener([relay.url], heard, clock, all_of(keys)):
        await until(lambda: last.id in heard.ids, "the end of the script")
        assert [event for event, _, _ in heard.events] == [real, last]


async def test_a_tampered_repeat_does_not_pass(keys: Keys, clock: SystemClock, heard: Heard) -> None:
    real, last = signed(keys, "genuine"), signed(keys, "last")
    tampered = {**real.to_dict(), "content": "tampered"}
    sent = asyncio.Event()

    async def handle(peer: Peer, message: list[Any]) -> None:
        if message[0] != "REQ":
            return
        await peer.say("EOSE", message[1])
        if not message[1].startswith("page."):
            await peer.say("EVENT", message[1], real.to_dict())
            await asyncio.sleep(HURRY.repeat_after_seconds + 0.1)
            for event in (tampered, last.to_dict()):
                await peer.say("EVENT", message[1], event)
            sent.set()

    async with RawRelay(handle).running() as relay, listener([relay.url], heard, clock, all_of(keys)) as relays:
        await until(lambda: last.id in heard.ids, "the end of the script")
        assert [event for event, _, _ in heard.events] == [real, last]
        assert relays.counts.forged == 1


async def test_off_filter_and_unreadable_messages_are_dropped(keys: Keys, clock: SystemClock, heard: Heard) -> None:
    stranger = Keys.generate()
    last = signed(keys, "last")
    relay = scripted(
        ("EVENT", "SUB", signed(stranger, "not asked for").to_dict()),
        ("EVENT", "SUB", signed(keys, "another kind", 1).to_dict()),
        ("EVENT", "nobody", signed(keys, "unknown subscription").to_dict()),
        ("EVENT", "SUB", {"id": "x"}),
        ("EVENT", "SUB", {**signed(keys, "huge time").to_dict(), "created_at": 2**64}),
        ("NONSENSE", 1),
        ("NOTICE", "be nice"),
        ("EVENT", "SUB", last.to_dict()),
    )
    async with relay.running(), listener([relay.url], heard, clock, all_of(keys)):
        await until(lambda: heard.ids == [last.id], "only what was asked for")


async def test_closed_subscriptions_are_opened_again(keys: Keys, clock: SystemClock, heard: Heard) -> None:
    event = signed(keys, "second try")
    times = 0

    async def handle(peer: Peer, message: list[Any]) -> None:
        nonlocal times
        if message[0] != "REQ":
            return
        if message[1].startswith("page."):
            await peer.say("EOSE", message[1])
            return
        times += 1
        if times == 1:
            await peer.say("CLOSED", message[1], "error: not now")
        else:
            await peer.say("EOSE", message[1])
            await peer.say("EVENT", message[1], event.to_dict())

    async with RawRelay(handle).running() as relay, listener([relay.url], heard, clock, all_of(keys)) as relays:
        await until(lambda: heard.ids == [event.id], "after CLOSED")
        assert relays.listening()
        assert times == 2


async def test_a_connected_relay_that_says_nothing_is_connected_anew(
    keys: Keys, clock: SystemClock, heard: Heard
) -> None:
    silent = True

    async def handle(peer: Peer, message: list[Any]) -> None:
        if message[0] == "REQ" and not silent:
            await peer.say("EOSE", message[1])

    hurry = replace_timings(probe_after_seconds=0.2, page_seconds=0.3)
    async with RawRelay(handle).running() as relay:
        relays = Relays([relay.url], None, heard, clock, timings=hurry)
        relays.subscribe(all_of(keys))
        async with relays:
            await until(relays.connected, "up")
            silent = False
            await until(relays.listening, "listening")
            silent = True
            await until(lambda: relay.connections >= 2, "a new connection")
            silent = False
            await until(relays.listening, "listening again")


def replace_timings(**changes: float) -> Any:
    from dataclasses import replace

    return replace(HURRY, **changes)


# --- publishing ------------------------------------------------------------------------------------------------------


def answering(*ok: Any) -> RawRelay:
    """Answers each EVENT with OK and `ok`; with nothing if that is empty."""

    async def handle(peer: Peer, message: list[Any]) -> None:
        if message[0] == "EVENT" and ok:
            await peer.say("OK", message[1]["id"], *ok)

    return RawRelay(handle)


async def test_publishing_waits_for_the_quorum_only(relay: EmbeddedRelay, keys: Keys, clock: SystemClock) -> None:
    async with answering().running() as mute:
        urls = [relay.url, mute.url, "ws://127.0.0.1:1"]
        async with publisher(urls, clock) as relays:
            await until(lambda: sum(s.up for s in relays.states().values()) == 2, "both up")
            started = asyncio.get_running_loop().time()
            result = await relays.publish(signed(keys, "quick"))
            assert asyncio.get_running_loop().time() - started < 1.0
            assert result.accepted == {relay.url}
            assert mute.url in result.pending
            result = await relays.publish(signed(keys, "all"), min_acks=3, seconds=0.5)
            assert result.accepted == {relay.url}
            assert set(result.silent) == {mute.url, "ws://127.0.0.1:1"}
            assert result.pending == frozenset()


async def test_refusals_are_told_apart_from_silence_and_duplicates_are_accepted(keys: Keys, clock: SystemClock) -> None:
    refusing, having = answering(False, "blocked: not you"), answering(False, "duplicate: have it")
    async with refusing.running(), having.running(), publisher([refusing.url, having.url], clock) as relays:
        await until(lambda: all(s.up for s in relays.states().values()), "both up")
        result = await relays.publish(signed(keys, "x"), min_acks=2)
        assert result.accepted == {having.url}
        assert result.refused == {refusing.url: "blocked: not you"}
        assert not result.silent


async def test_publishing_with_no_relay_up_is_silent_at_once(keys: Keys, clock: SystemClock) -> None:
    async with publisher(["ws://127.0.0.1:1"], clock) as relays:
        result = await asyncio.wait_for(relays.publish(signed(keys, "x")), 5)
        assert not result.accepted
        assert set(result.silent) == {"ws://127.0.0.1:1"}


async def test_publishing_to_the_relays_of_a_recipient(
    relay: EmbeddedRelay, second_relay: EmbeddedRelay, keys: Keys, clock: SystemClock
) -> None:
    hurry = replace_timings(guest_idle_seconds=0.2)
    relays = Relays([relay.url], None, lambda event, url, repeat: None, clock, timings=hurry)
    async with relays:
        await until(relays.connected, "up")
        there = [second_relay.url, "http://not.a.relay", relay.url]
        event = signed(keys, "for you")
        result = await relays.publish_to(there, event, min_acks=2)
        assert result.accepted == {relay.url, second_relay.url}
        assert "http://not.a.relay" in result.silent
        assert (await relays.publish_to([second_relay.url], signed(keys, "two"))).accepted == {second_relay.url}
        await until(lambda: not relays.guests(), "the guest is dismissed")
        assert (await relays.publish_to([second_relay.url], signed(keys, "three"))).accepted == {second_relay.url}
        assert set(relays.states()) == {relay.url}
        nobody = await relays.publish_to(["ws://127.0.0.1:1"], event, seconds=2)
        assert set(nobody.silent) == {"ws://127.0.0.1:1"}


async def test_the_number_of_guests_is_bounded(
    relay: EmbeddedRelay, keys: Keys, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.pool.MAX_GUESTS", 2)
    async with publisher([], clock) as relays:
        for number in range(4):
            result = await relays.publish_to([f"{relay.url}/{number}"], signed(keys, str(number)))
            assert len(result.accepted) == 1
            assert len(relays.guests()) <= 2
