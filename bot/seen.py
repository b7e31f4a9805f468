"""Tells a new event from a copy by another relay, and a copy from an event that its author sends again.

Memory only and bounded: what must never be acted on twice is guarded by the database. Here it is about work and
answers: three relays bring an event three times within moments; an ATM without a receipt sends the same bytes again.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum


class Sight(Enum):
    """What an event id is, at this moment."""

    NEW = "not seen before, or so long ago that it is forgotten"
    COPY = "seen moments ago"
    AGAIN = "seen, but not lately"


class Seen:
    """The last `limit` event ids and when each was taken. Times are seconds of a monotonic clock."""

    def __init__(self, limit: int, again_after_seconds: float) -> None:
        self._limit = limit
        self._again_after_seconds = again_after_seconds
        self._taken_at: OrderedDict[str, float] = OrderedDict()

    def look(self, event_id: str, now: float) -> Sight:
        taken_at = self._taken_at.get(event_id)
        if taken_at is None:
            return Sight.NEW
        return Sight.AGAIN if now - taken_at >= self._again_after_seconds else Sight.COPY

    def take(self, event_id: str, now: float) -> None:
        """From now on this id is seen. Only for events whose signature holds, or a forgery would hide the real one."""
        self._taken_at[event_id] = now
        self._taken_at.move_to_end(event_id)
        if len(self._taken_at) > self._limit:
            self._taken_at.popitem(last=False)
