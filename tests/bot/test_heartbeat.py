"""When the bot is deaf, which relay withholds, and what is done about it; no network."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from bot.delivery import PublishResult
from bot.heartbeat import KEEP_SECONDS, LIVE_KIND, STORED_KIND, Heartbeat
from bot.nostr import Keys
from bot.pool import RelayState
from handlers.relay_trouble import Silence
from nwc.event import Event
from tests.bot.test_daemon import HandClock

NOW = 1_790_000_000
EVERY, DEAF_AFTER = 30, 120
ONE, TWO = "wss://one.example", "wss://two.example"


@dataclass
class Relays:
    """Two relays that take what they are given, and deliver it when `beat` below says so."""

    refuse: dict[int, str] = field(default_factory=dict)
    """Kinds that relay one refuses, and what it says then."""
    down: set[str] = field(default_factory=set)
    sent: list[tuple[str, Event]] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)

    def states(self) -> dict[str, RelayState]:
        return {url: RelayState(url not in self.down, url not in self.down, None) for url in (ONE, TWO)}

    async def publish(
        self, event: Event, min_acks: int = 1, seconds: float | None = None, *, through: Collection[str] | None = None
    ) -> PublishResult:
        urls = set(through or ())
        assert min_acks == len(urls)
        refused = {ONE: self.refuse[event.kind]} if ONE in urls and event.kind in self.refuse else {}
        self.sent += [(url, event) for url in sorted(urls)]
        return PublishResult(accepted=frozenset(urls - refused.keys()), refused=refused)

    def listen_anew(self, url: str) -> None:
        self.done.append(("listen anew", url))

    def reconnect(self, url: str) -> None:
        self.done.append(("reconnect", url))


class Heart:
    """A heartbeat whose every beat is sent by hand, and comes back from those relays that `delivering` names."""

    def __init__(self) -> None:
        self.clock, self.relays, self.rung = HandClock(NOW), Relays(), 0
        self.keys = Keys.generate()
        self.heartbeat = Heartbeat(
            self.relays,
            self.keys.cipher(),
            self.clock,
            deaf_after_seconds=lambda: DEAF_AFTER,
            every_seconds=EVERY,
            on_hearing=self.ring,
        )

    def ring(self) -> None:
        self.rung += 1

    async def beat(self, *delivering: str, times: int = 1) -> None:
        """So many beats, one every EVERY seconds, the last of them just now."""
        for number in range(times):
            if number:
                self.clock.advance(EVERY)
            before = len(self.relays.sent)
            await self.heartbeat.beat()
            for url, event in self.relays.sent[before:]:
                if url in delivering:
                    assert self.heartbeat.take_beat(url, event, live=True)


@pytest.fixture
def heart() -> Heart:
    return Heart()


async def test_deaf_until_the_first_beat_comes_back(heart: Heart) -> None:
    assert heart.heartbeat.deaf()
    await heart.beat()
    assert heart.heartbeat.deaf(), "taken is not heard"
    await heart.beat(ONE)
    assert not heart.heartbeat.deaf()
    assert (heart.rung, heart.heartbeat.silence) == (1, None)


async def test_deaf_when_relays_take_everything_and_deliver_nothing(heart: Heart) -> None:
    """They answer, they say OK: still no `pause` would arrive."""
    await heart.beat(ONE, TWO)
    for seconds, deaf in ((DEAF_AFTER, False), (1, True)):
        heart.clock.advance(seconds)
        await heart.beat()
        assert heart.heartbeat.deaf() is deaf
    heart.clock.advance(500)
    await heart.beat(TWO)
    assert not heart.heartbeat.deaf()
    assert heart.rung == 2, "payments go on at once"
    assert heart.heartbeat.silence == Silence(NOW, NOW + DEAF_AFTER + 501)


async def test_one_relay_that_delivers_is_enough(heart: Heart) -> None:
    await heart.beat(ONE, times=10)
    assert not heart.heartbeat.deaf()
    assert (heart.heartbeat.withholding(), heart.heartbeat.delivering()) == (frozenset({TWO}), frozenset({ONE}))


async def test_what_a_relay_withholds_is_asked_for_anew_and_then_by_another_connection(heart: Heart) -> None:
    await heart.beat(ONE, TWO)
    heart.clock.advance(EVERY)
    await heart.beat(ONE)
    assert heart.relays.done == []
    heart.clock.advance(EVERY)
    await heart.beat(ONE)
    assert heart.relays.done == [("listen anew", TWO)]
    heart.clock.advance(DEAF_AFTER - EVERY)
    await heart.beat(ONE)
    assert not heart.heartbeat.withholding(), "it may have been us who stood still"
    heart.clock.advance(1)
    await heart.beat(ONE, times=9)
    assert heart.heartbeat.withholding() == {TWO}
    assert heart.relays.done == [("listen anew", TWO), ("reconnect", TWO)]
    await heart.beat(ONE, TWO)
    assert (heart.heartbeat.withholding(), heart.heartbeat.delivering()) == (frozenset(), frozenset({ONE, TWO}))


async def test_a_relay_that_is_down_withholds_nothing(heart: Heart) -> None:
    await heart.beat(ONE)
    heart.relays.down.add(TWO)
    heart.clock.advance(EVERY)
    await heart.beat(ONE, times=10)
    assert not heart.heartbeat.withholding()
    assert {url for url, _ in heart.relays.sent[2:]} == {ONE}


async def test_a_beat_that_comes_too_late_is_not_heard(heart: Heart) -> None:
    """A relay that delivers after minutes would bring `pause` after minutes."""
    await heart.beat()
    late = dict(heart.relays.sent)[ONE]
    heart.clock.advance(DEAF_AFTER + 1)
    assert heart.heartbeat.take_beat(ONE, late, live=True)
    assert heart.heartbeat.deaf()


async def test_any_other_live_event_is_heard_too(heart: Heart) -> None:
    heart.heartbeat.hear_live(TWO)
    assert not heart.heartbeat.deaf()
    stranger = heart.keys.cipher().sign(LIVE_KIND, (), "not one of ours", NOW)
    assert not heart.heartbeat.take_beat(ONE, stranger, live=True)


@pytest.mark.parametrize("set_by", [-86_400, 86_400])
async def test_a_clock_that_is_set_makes_nobody_hear_and_tells_of_no_silence(heart: Heart, set_by: int) -> None:
    """Set back, what was heard lies ahead for a day; set ahead, it seems a day ago until the next beat."""
    await heart.beat(ONE)
    heart.clock.wall += set_by
    assert heart.heartbeat.deaf() is (set_by > 0)
    await heart.beat(ONE)
    assert not heart.heartbeat.deaf()
    assert heart.heartbeat.silence is None
    assert not heart.heartbeat.withholding()
    heart.clock.advance(DEAF_AFTER + 1)
    assert heart.heartbeat.deaf()


async def test_the_beat_takes_the_way_of_an_order_where_ephemeral_events_are_refused(heart: Heart) -> None:
    heart.relays.refuse = {LIVE_KIND: "blocked: kind not allowed"}
    await heart.beat(ONE, TWO)
    assert [(url, event.kind) for url, event in heart.relays.sent] == [
        (ONE, LIVE_KIND),
        (TWO, LIVE_KIND),
        (ONE, STORED_KIND),
    ]
    assert heart.heartbeat.delivering() == {ONE, TWO}
    sent = heart.relays.sent[-1][1]
    assert sent.tag_values("p") == (heart.keys.public_key,)
    assert sent.tag("expiration") == str(NOW + KEEP_SECONDS)
    heart.relays.sent.clear()
    await heart.beat(ONE)
    assert [(url, event.kind) for url, event in heart.relays.sent] == [(TWO, LIVE_KIND), (ONE, STORED_KIND)]


async def test_a_relay_that_refuses_both_is_tried_both_ways_and_owes_nothing(heart: Heart) -> None:
    heart.relays.refuse = {LIVE_KIND: "restricted: members", STORED_KIND: "restricted: members"}
    await heart.beat(times=10)
    assert [event.kind for url, event in heart.relays.sent if url == ONE] == [LIVE_KIND, STORED_KIND] * 10
    assert heart.heartbeat.withholding() == {TWO}


async def test_being_told_to_slow_down_changes_no_way(heart: Heart) -> None:
    heart.relays.refuse = {LIVE_KIND: "rate-limited: slow down"}
    await heart.beat(times=3)
    assert {event.kind for _, event in heart.relays.sent} == {LIVE_KIND}
