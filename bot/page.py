"""The answer of one relay to one question, while it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.catch_up import PageFailed
from bot.query import Query
from nwc.event import Event

Verified = Callable[[], bool]
"""Checks an event's id and signature. Apart, because most events are copies and need no check."""
Take = Callable[[Event, Verified, bool], None]
"""Called with an event that answers one of our subscriptions, its check, and whether it came live."""


class Page:
    """The answer to one question, as it comes in: handed on to `take`, or kept (at most `limit`) where that is None."""

    def __init__(self, query: Query, since: int, until: int | None, limit: int, take: Take | None) -> None:
        self.query, self.since, self.until, self.limit, self.take = query, since, until, limit, take
        self.found: dict[str, int] = {}
        self.kept: list[tuple[Event, Verified]] = []
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, event: Event, verified: Verified) -> bool:
        """False for an event that nobody asked for."""
        if not self.query.matches(event) or event.created_at < self.since:
            return False
        if self.until is not None and event.created_at > self.until:
            return False
        self.found[event.id] = event.created_at
        if self.take is not None:
            self.take(event, verified, False)
        elif len(self.kept) < self.limit:
            self.kept.append((event, verified))
        return True

    def finish(self, failure: str | None = None) -> None:
        if self.end.done():
            return
        if failure is None:
            self.end.set_result(None)
        else:
            self.end.set_exception(PageFailed(failure))
            self.end.exception()  # looked at: perhaps nobody waits any more
