"""What the events that a machine publishes of itself have in common: whose they are, which is the newest, and whether
the machine was seen by it. Such events replace one another: what relays bring late or again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from handlers.wire.bad_event import BadEvent
from nwc.event import Event
from storage import inbox
from storage.db import Tx

FUTURE_SECONDS: Final = 900
"""An event dated further ahead would shut out all that follow until then."""


class Heard(StrEnum):
    """What became of an event by which a machine tells of itself."""

    TAKEN = "taken"
    OLD = "old"
    """A newer one, or this one, is known already."""
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Sighting:
    """When an event came. `live`: as its machine sent it; else a relay had kept it, for nobody knows how long."""

    now: int
    live: bool

    def seen_at(self, event: Event) -> int:
        """When the machine was there to say this, unix seconds."""
        return self.now if self.live else min(self.now, event.created_at)


def newer(event: Event, event_id: str | None, created_at: int | None) -> bool:
    """Whether it replaces what is known (NIP-01): it is later, or of the same second with the lower id."""
    if event_id is None or created_at is None:
        return True
    return event.created_at > created_at or (event.created_at == created_at and event.id < event_id)


def from_the_future(event: Event, now: int) -> BadEvent | None:
    """Why an event is not taken that is dated too far ahead."""
    if event.created_at <= now + FUTURE_SECONDS:
        return None
    return BadEvent("from_the_future", f"it is dated {event.created_at - now} s ahead: the machine's clock is wrong")


def refuse(tx: Tx, what: str, bad: BadEvent) -> BadEvent:
    """Counts why an event of a machine is not taken. Nothing else changes, and there is no row for it: with a stolen
    key they are as many as somebody likes. Returns what is to be told of it."""
    inbox.count(tx, f"{what}_{bad.reason}")
    return bad
