"""Embedded relays, keys and a way to wait for something with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import nostr_sdk as sdk
import pytest

from bot.clock import SystemClock
from bot.demo.relay import send_at_once
from bot.nostr import Keys
from bot.timings import Timings
from nwc.event import Event

HURRY = Timings(
    retry_seconds=1.0,
    retry_ask_seconds=0.1,
    page_seconds=5.0,
    publish_seconds=3.0,
    repeat_after_seconds=0.4,
    probe_after_seconds=60.0,
    heartbeat_seconds=0.3,
)


async def until(true: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Returns as soon as `true()`; fails the test when that takes longer than `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


@dataclass
class Heard:
    """What came out of a Relays, in order."""

    events: list[tuple[Event, str, bool]] = field(default_factory=list)
    room: bool = True

    def __call__(self, event: Event, url: str, repeat: bool) -> bool:
        if self.room:
            self.events.append((event, url, repeat))
        return self.room

    @property
    def ids(self) -> list[str]:
        return [event.id for event, _, _ in self.events]

    @property
    def repeats(self) -> list[str]:
        return [event.id for event, _, repeat in self.events if repeat]


class EmbeddedRelay:
    """The library's own relay, on one port, that can be stopped and started; stopping forgets what was stored."""

    def __init__(self, port: int = 0, *, auth: bool = False) -> None:
        builder = sdk.LocalRelayBuilder().addr("127.0.0.1")
        builder = builder.rate_limit(sdk.RateLimit(max_reqs=100_000, notes_per_minute=10_000_000))
        if auth:
            builder = builder.nip42(sdk.LocalRelayBuilderNip42(mode=sdk.LocalRelayBuilderNip42Mode.BOTH))
        self._builder = builder
        self._port = port
        self._relay: sdk.LocalRelay | None = None
        self.url = ""

    async def start(self) -> None:
        builder = self._builder.port(self._port) if self._port else self._builder
        self._relay = builder.build()
        await self._relay.run()
        self.url = str(await self._relay.url()).rstrip("/")
        self._port = int(self.url.rsplit(":", 1)[1])
        send_at_once(self._port)

    def stop(self) -> None:
        if self._relay is not None:
            self._relay.shutdown()
            self._relay = None


@pytest.fixture
async def relay() -> AsyncIterator[EmbeddedRelay]:
    embedded = EmbeddedRelay()
    await embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def second_relay() -> AsyncIterator[EmbeddedRelay]:
    embedded = EmbeddedRelay()
    await embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
def keys() -> Keys:
    return Keys.generate()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def heard() -> Heard:
    return Heard()
