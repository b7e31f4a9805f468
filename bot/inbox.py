"""Lets an event through once, checked: copies from other relays are dropped, forgeries are counted.

An event that comes live again well after it was taken is let through as a repeat: an ATM without a receipt sends the
same bytes again, and has to be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.page import Take, Verified
from bot.seen import Seen, Sight
from nwc.event import Event

log = structlog.get_logger(__name__)

OnEvent = Callable[[Event, str, bool], bool | None]
"""Called with event, relay address and whether its author sent it again. Must not block.

False says "no room now": the event is forgotten here, and stored events are gone through again. Ephemeral ones are lost
then, as if no relay had been there to hear them; who sends those repeats them.
"""


class Pulse(Protocol):
    """Who judges by what comes live whether relays deliver."""

    def take_beat(self, url: str, event: Event, live: bool) -> bool:
        """True for an event that is only a sign of life, also as a copy; its signature was not checked. One that the
        relay had kept shows nothing."""
        ...

    def hear_live(self, url: str) -> None:
        """A genuine event came in that was not seen before."""
        ...

    def hear_listening(self, url: str) -> None:
        """The relay has opened all subscriptions."""
        ...


@dataclass(slots=True)
class Counts:
    """What came in since the start, for metrics."""

    taken: int = 0
    copies: int = 0
    repeats: int = 0
    forged: int = 0
    unreadable: int = 0
    no_room: int = 0


class Inbox:
    """Between all relays of a `Relays` and its owner."""

    def __init__(self, on_event: OnEvent, seen: Seen, no_room: Callable[[], None]) -> None:
        self.counts = Counts()
        self.pulse: Pulse | None = None
        self._on_event, self._seen, self._no_room = on_event, seen, no_room

    def entrance(self, url: str) -> Take:
        """Where the events of one relay go in."""

        def take(event: Event, verified: Verified, live: bool) -> None:
            self._take(url, event, verified, live)

        return take

    def _take(self, url: str, event: Event, verified: Verified, live: bool) -> None:
        if self.pulse is not None and self.pulse.take_beat(url, event, live):
            return
        now = asyncio.get_running_loop().time()
        sight = self._seen.look(event.id, now)
        repeat = sight is Sight.AGAIN and live
        if sight is not Sight.NEW and not repeat:
            self.counts.copies += 1
        elif not verified():
            self.counts.forged += 1
            if self.counts.forged.bit_count() == 1:  # who forges one forges many: less and less often
                log.warning("event_forged", relay=url, event_id=event.id, kind=event.kind, forged=self.counts.forged)
        elif self._on_event(event, url, repeat) is False:
            self.counts.no_room += 1
            self._no_room()
        else:
            self.counts.taken += 1
            self.counts.repeats += repeat
            self._seen.take(event.id, now)
            if live and not repeat and self.pulse is not None:
                self.pulse.hear_live(url)
