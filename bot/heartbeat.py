"""Whether an order such as `pause` would arrive now: a small event to ourselves goes through every relay and returns.

A relay may be connected, answer every question, take every event and still deliver nothing new. Only what was sent
and came back live, by the subscription that orders take, shows that it delivers. A relay that takes these events and
gives none back withholds; when none gives anything back for long, the bot is deaf and pays nothing new.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bot.clock import SystemClock
from bot.delivery import PublishResult
from bot.pool import RelayState
from handlers.relay_trouble import Silence
from nwc.event import Event
from nwc.ports import Cipher

log = structlog.get_logger(__name__)

LIVE_KIND: Final = 21_000
"""Ephemeral, and what machines report by: a relay that refuses it would refuse them, too."""
STORED_KIND: Final = 1_059
"""What orders come in: for relays that take no ephemeral event."""
KEEP_SECONDS: Final = 600
"""A relay that keeps a beat may forget it then (NIP-40)."""
ENOUGH_BEATS: Final = 3
"""A relay that gave back none of so many withholds."""
_KEPT_BEATS: Final = 200
_SAYS_NOTHING_OF_KINDS: Final = ("rate-limited", "error")
"""Refusals (NIP-01) after which another kind would fare no better."""


class Delivering(Protocol):
    """The relays, as far as this needs them: `bot.pool.Pool`."""

    def states(self) -> Mapping[str, RelayState]: ...

    async def publish(
        self, event: Event, min_acks: int = 1, seconds: float | None = None, *, through: Collection[str] | None = None
    ) -> PublishResult: ...

    def listen_anew(self, url: str) -> None: ...

    def reconnect(self, url: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """By the clock on the wall, which may be set, and by the one that only counts."""

    at: int
    monotonic: float

    def seconds_until(self, now: Moment) -> float:
        """The longer of the two: neither a clock that was set back nor a machine that slept makes time not pass."""
        return max(now.at - self.at, now.monotonic - self.monotonic)


@dataclass(slots=True)
class Echo:
    """What one relay makes of our beats."""

    heard: Moment | None = None
    """When the newest beat that came back was sent, or another event came."""
    owed: Moment | None = None
    """When the oldest beat was sent that it took, after which it gave nothing back."""
    unanswered: int = 0
    """How many it took since then."""
    asked_again: bool = False
    """Whether the subscription was made anew since it owes."""
    stored: bool = False
    """It takes no ephemeral beat."""
    withholding: bool = False


class Heartbeat:
    """Told by the relays what comes live (`bot.inbox.Pulse`); `run` is the one task that sends."""

    def __init__(
        self,
        relays: Delivering,
        cipher: Cipher,
        clock: SystemClock,
        *,
        deaf_after_seconds: Callable[[], int],
        every_seconds: float,
        on_hearing: Callable[[], None],
    ) -> None:
        """`on_hearing` is called when the bot hears after it did not."""
        self._relays, self._cipher, self._clock = relays, cipher, clock
        self._deaf_after, self._every, self._on_hearing = deaf_after_seconds, every_seconds, on_hearing
        self._began = self._now()
        self._heard: Moment | None = None
        self._echoes: dict[str, Echo] = {}
        self._beats: OrderedDict[str, Moment] = OrderedDict()
        self._wake = asyncio.Event()
        self._deaf_logged = False
        self.silence: Silence | None = None
        """The last time of deafness that is over."""

    # --- what is known -----------------------------------------------------------------------------------------------

    def deaf(self) -> bool:
        """Whether an order could not have reached the bot for so long, or nothing shows yet that one can."""
        return self._heard is None or self._heard.seconds_until(self._now()) > self._deaf_after()

    def withholding(self) -> frozenset[str]:
        """The relays that take events and give none back."""
        return frozenset(url for url, echo in self._echoes.items() if echo.withholding)

    def delivering(self) -> frozenset[str]:
        """The relays that have given something back since they last owed it."""
        return frozenset(url for url, echo in self._echoes.items() if echo.heard and not echo.withholding)

    # --- what relays say (Pulse) -------------------------------------------------------------------------------------

    def take_beat(self, url: str, event: Event, live: bool) -> bool:
        """True for one of our beats, which is nobody else's business."""
        sent = self._beats.get(event.id)
        if sent is not None and live:
            self._hear(url, sent)
        return sent is not None

    def hear_live(self, url: str) -> None:
        """Something else came in live that was not seen before."""
        self._hear(url, self._now())

    def hear_listening(self, url: str) -> None:
        """The relay has taken our subscription: what it is worth is seen at once."""
        self._wake.set()

    def _hear(self, url: str, of: Moment) -> None:
        echo = self._echoes.setdefault(url, Echo())
        if echo.heard is None or echo.heard.monotonic < of.monotonic:
            echo.heard = of
        echo.owed, echo.unanswered, echo.asked_again = None, 0, False
        if echo.withholding:
            log.info("relay_delivers_again", relay=url)
        echo.withholding = False
        if self._heard is not None and self._heard.monotonic > of.monotonic:
            return
        was_deaf, now = self.deaf(), self._now()
        missing = now.monotonic - (self._heard or self._began).monotonic
        self._heard = of
        if was_deaf and not self.deaf():
            if missing > self._deaf_after():  # or else it is the clock that was set
                self.silence = Silence(now.at - int(missing), now.at)
                log.warning("hearing_again", after_seconds=int(missing))
            self._deaf_logged = False
            self._on_hearing()

    # --- beating -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Beats for ever: at once when a relay begins to listen, and every so often."""
        while True:
            self._wake.clear()
            await self.beat()
            if self.deaf() and not self._deaf_logged and self._began.seconds_until(self._now()) > self._deaf_after():
                log.error("deaf", relays=len(self._relays.states()))
                self._deaf_logged = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._every, max(1.0, self._deaf_after() / 4))):
                    await self._wake.wait()

    async def beat(self) -> None:
        """One beat through every relay that listens; returns when each has said whether it took it."""
        listening = [url for url, state in self._relays.states().items() if state.listening]
        for url, echo in self._echoes.items():
            if url not in listening:
                echo.owed, echo.unanswered = None, 0  # it is away: that is another trouble
        for url in listening:
            self._look_at(url, self._echoes.setdefault(url, Echo()))
        refused = await self._send([url for url in listening if not self._echoes[url].stored], stored=False)
        for url in refused:
            self._echoes[url].stored = True
        for url in await self._send([url for url in listening if self._echoes[url].stored], stored=True):
            self._echoes[url].stored = False

    def _look_at(self, url: str, echo: Echo) -> None:
        """What it owes: the subscription may have been lost there, or the connection be of no use."""
        if echo.owed is None:
            return
        if not echo.asked_again:
            echo.asked_again = True
            self._relays.listen_anew(url)
        # Several, so that a process that stood still for a while accuses nobody when it goes on.
        late = self._clock.monotonic() - echo.owed.monotonic >= self._deaf_after()
        if late and echo.unanswered >= ENOUGH_BEATS and not echo.withholding:
            log.warning("relay_withholds", relay=url)
            echo.withholding = True
            self._relays.reconnect(url)

    async def _send(self, urls: list[str], *, stored: bool) -> list[str]:
        """Those of `urls` that refused this form of beat."""
        if not urls:
            return []
        event = self._make(stored=stored)
        sent = self._beats[event.id] = self._now()
        if len(self._beats) > _KEPT_BEATS:
            self._beats.popitem(last=False)
        result = await self._relays.publish(event, min_acks=len(urls), through=urls)
        for url in result.accepted:
            echo = self._echoes[url]
            if echo.heard is None or echo.heard.monotonic < sent.monotonic:
                echo.owed = echo.owed or sent
                echo.unanswered += 1
        return [url for url, reason in result.refused.items() if not reason.startswith(_SAYS_NOTHING_OF_KINDS)]

    def _make(self, *, stored: bool) -> Event:
        """It says nothing: a few random letters, so that each is another event."""
        now = self._clock.now()
        tags = [["p", self._cipher.public_key], ["expiration", str(now + KEEP_SECONDS)]]
        return self._cipher.sign(STORED_KIND if stored else LIVE_KIND, tags, secrets.token_urlsafe(12), now)

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())
