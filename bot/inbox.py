"""Lets an event through once, checked: copies from other relays are dropped, forgeries are counted.

An event that comes live again well after it was taken is let through as a repeat: an ATM without a receipt sends the
same bytes again, and has to be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

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
        self._on_event, self._seen, self._no_room = on_event, seen, no_room

    def entrance(self, url: str) -> Take:
        """Where the events of one relay go in."""

        def take(event: Event, verified: Verified, live: bool) -> None:
            self._take(url, event, verified, live)

        return take

    def _take(self, url: str, event: Event, verified: Verified, live: bool) -> None:
        now = asyncio.get_running_loop().time()
        sight = self._seen.look(event.id, now)
        repeat = sight is Sight.AGAIN and live
        if sight is not Sight.NEW and not repeat:
            self.counts.copies += 1
        elif not verified():
            self.counts.forged += 1
            log.warning("event_forged", relay=url, event_id=event.id, kind=event.kind)
        elif self._on_event(event, url, repeat) is False:
            self.counts.no_room += 1
            self._no_room()
        else:
            self.counts.taken += 1
            self.counts.repeats += repeat
            self._seen.take(event.id, now)
