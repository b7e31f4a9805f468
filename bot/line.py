"""Keeps one relay heard: its subscriptions open, its stored events caught up, its silence noticed. No Nostr library.

What the relay says is fed in by `bot.relays`; what is asked of it goes out through a `Socket`. One task (`tend`) does
whatever is owed: subscriptions that the relay closed, stored events after each reconnect and once in a while, a small
question when it has been quiet for long. A relay that is connected and answers nothing is reconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from bot.catch_up import PageFailed, catch_up
from bot.page import Page, Take, Verified
from bot.query import Filter, Query, Subscription
from bot.timings import Timings
from nwc.event import Event
from nwc.foreign import plain

log = structlog.get_logger(__name__)

ORDER_SECONDS = 10.0
"""After a connection what a relay brings is put in the order in which it was said: nothing waits longer for that."""


class Unreachable(Exception):
    """The relay can't be asked now."""


class Socket(Protocol):
    """One relay as the library gives it. `request`, `list_ids` raise Unreachable."""

    def connected(self) -> bool: ...

    def connections(self) -> int:
        """How often the relay has been connected since the start."""
        ...

    async def request(self, sub_id: str, query: Filter, *, until_stored: bool) -> None:
        """Opens a subscription; with `until_stored` it ends with the stored events."""
        ...

    async def withdraw(self, sub_id: str) -> None: ...

    async def list_ids(self, query: Filter) -> set[str] | None: ...

    def reconnect(self) -> None: ...


class Line:
    """One relay. Everything happens on one event loop."""

    def __init__(self, url: str, socket: Socket, take: Take, now: Callable[[], int], timings: Timings) -> None:
        self.url = url
        self.up = False
        self.heard_at: int | None = None
        self.strays = 0
        """Events that answered no question of ours."""
        self._socket, self._take, self._now, self._timings = socket, take, now, timings
        self._numbers = itertools.count(1)
        self._subscriptions: dict[str, Subscription] = {}
        self._open: dict[str, str] = {}  # name -> subscription id at the relay
        self._names: dict[str, str] = {}  # the other way round
        self._asked_at: dict[str, float] = {}
        self._listening: set[str] = set()  # names whose stored events have ended: what comes now is live
        self._behind: set[str] = set()
        self._missed_since: float | None = None  # since when what it kept while nobody listened is owed
        self._caught_up_at: dict[str, int] = {}
        self._pages: dict[str, Page] = {}
        self._connections = 0
        self._changed = False
        self._withdrawn: list[str] = []  # subscription ids that the relay is still to be told about
        self._refused = ""
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._quiet_since = 0.0
        self._swept_at = 0.0

    # --- what is wanted of the relay ---

    def subscribe(self, subscription: Subscription) -> None:
        """Adds a standing question, or replaces the one of the same name."""
        name = subscription.name
        if self._subscriptions.get(name) == subscription:
            return
        self._caught_up_at.pop(name, None)
        self._subscriptions[name] = subscription
        self._close(name)
        self._behind.add(name)
        self._miss()
        self._wake.set()

    def unsubscribe(self, name: str) -> None:
        self._subscriptions.pop(name, None)
        self._caught_up_at.pop(name, None)
        self._behind.discard(name)
        self._close(name)
        self._wake.set()

    def fall_behind(self) -> None:
        """Stored events are to be gone through again, because some that came could not be taken."""
        self._behind.update(self._subscriptions)
        self._wake.set()

    def listen_anew(self) -> None:
        """The relay may have lost the subscriptions, and with them what came since."""
        for name in list(self._open):
            self._close(name)
        self._miss()
        self.fall_behind()

    def caught_up_at(self, name: str) -> int | None:
        """When the stored events of a subscription were last begun to be gone through, and then were to the end."""
        return self._caught_up_at.get(name)

    @property
    def catching_up(self) -> bool:
        """Whether it brings what it kept while nobody listened here: the newest first, with what comes live between.
        For so long at most, however long it takes."""
        if not self.up or self._missed_since is None:
            return False
        return asyncio.get_running_loop().time() < self._missed_since + ORDER_SECONDS

    def _miss(self) -> None:
        self._missed_since = asyncio.get_running_loop().time()

    @property
    def listening(self) -> bool:
        """Whether every subscription is open here and its stored events have begun to come in whole."""
        return self.up and bool(self._subscriptions) and self._listening >= self._subscriptions.keys()

    # --- what the relay says ---

    def look(self) -> bool:
        """Notices that the connection came or went; to be called often. True when `up` has changed since."""
        self._notice()
        changed, self._changed = self._changed, False
        return changed

    def _notice(self) -> None:
        up, connections = self._socket.connected(), self._socket.connections()
        if connections != self._connections or not up:
            self._fail_pages("disconnected")
        if connections != self._connections and up:
            self._connections = connections
            self._listening.clear()
            self._refused = ""
            self._hurry.set()
            self.heard()
            self._asked_at = dict.fromkeys(self._open, self._quiet_since)  # the library asks again by itself
            self._miss()
            self.fall_behind()
        self._changed |= up != self.up
        self.up = up

    def heard(self) -> None:
        """The relay said something, whatever it was."""
        self.heard_at = self._now()
        self._quiet_since = asyncio.get_running_loop().time()

    def hear_event(self, sub_id: str, event: Event, verified: Verified) -> None:
        page = self._pages.get(sub_id)
        if page is not None:
            self.strays += not page.hear(event, verified)
            return
        subscription = self._subscriptions.get(self._names.get(sub_id, ""))
        if subscription is None or not subscription.query.matches(event):
            self.strays += 1
            return
        self._notice()  # what a connection so new that nobody has looked yet begins with is not live
        self._take(event, verified, subscription.name in self._listening)

    def hear_end(self, sub_id: str) -> None:
        """EOSE: the stored events have ended."""
        if sub_id in self._pages:
            self._pages[sub_id].finish()
        elif sub_id in self._names:
            self._notice()
            self._listening.add(self._names[sub_id])

    def hear_closed(self, sub_id: str, reason: str) -> None:
        """CLOSED: the relay ended a subscription; the library has forgotten it by now."""
        if sub_id in self._pages:
            self._pages[sub_id].finish(f"closed: {reason}")
        elif sub_id in self._names:
            name = self._names.pop(sub_id)
            log.warning("relay_closed_subscription", relay=self.url, subscription=name, reason=plain(reason))
            self._open.pop(name, None)
            self._listening.discard(name)
            self._behind.add(name)
            self._miss()
            self._refused = reason or "no reason given"
            self._wake.set()

    def admitted(self) -> None:
        """The relay has accepted who we are (NIP-42): what it refused is asked again at once."""
        self._refused = ""
        self._hurry.set()
        self._wake.set()

    # --- asking ---

    async def ask(
        self, query: Query, limit: int, seconds: float, *, since: int | None = None, until: int | None = None
    ) -> list[tuple[Event, Verified]]:
        """Up to `limit` stored events of a query, as the relay gives them, not verified. Raises PageFailed."""
        page = Page(query, since or 0, until, limit, None)
        await self._read(page, query.to_dict(since, until, limit), seconds)
        return page.kept

    async def read_stored(self, query: Query, since: int, until: int | None, limit: int) -> dict[str, int]:
        """Hands on one page of stored events; their ids and `created_at`. Raises PageFailed."""
        page = Page(query, since, until, limit, self._take)
        told = query.to_dict(limit=limit) if query.ids else query.to_dict(since, until, limit)
        await self._read(page, told, self._timings.page_seconds)
        return page.found

    async def list_ids(self, query: Query, second: int) -> set[str] | None:
        """All ids that the relay has of a query in one second; None where it doesn't tell (NIP-77)."""
        try:
            async with asyncio.timeout(self._timings.page_seconds):
                return await self._socket.list_ids(query.to_dict(since=second, until=second))
        except TimeoutError:
            return None

    async def tend(self) -> None:
        """Does what is owed to this relay, for ever."""
        pause = self._timings.retry_ask_seconds
        while True:
            await self._rest()
            if not self.up:
                continue
            try:
                await self._do_owed()
                pause = self._timings.retry_ask_seconds
            except (PageFailed, Unreachable) as failed:
                log.info("relay_question_failed", relay=self.url, reason=plain(str(failed)))
                await self._within(self._hurry, pause)
                pause = min(60.0, pause * 2)

    async def _rest(self) -> None:
        """Until something is owed and can be done."""
        now = asyncio.get_running_loop().time()
        if self.up and (self._behind or self._withdrawn or self._subscriptions.keys() - self._open.keys()):
            return
        probe = self._quiet_since + self._timings.probe_after_seconds
        sweep = self._swept_at + self._timings.sweep_seconds
        due = min(probe, sweep, self._unanswered_at()) - now if self.up and self._subscriptions else None
        if due is None or due > 0:
            await self._within(self._wake, due)

    def _unanswered_at(self) -> float:
        """When the relay will have left a live subscription unanswered for too long."""
        asked = [self._asked_at[name] for name in self._open if name not in self._listening]
        return min(asked, default=math.inf) + self._timings.page_seconds

    @staticmethod
    async def _within(event: asyncio.Event, seconds: float | None) -> None:
        # Not wait_for: of Python 3.11's an end is not heard that comes in the same turn as the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        event.clear()

    async def _do_owed(self) -> None:
        if self._refused:
            refused, self._refused = self._refused, ""
            raise PageFailed(f"subscription closed: {refused}")
        while self._withdrawn:
            await self._socket.withdraw(self._withdrawn.pop())
        now = asyncio.get_running_loop().time()
        if now >= self._swept_at + self._timings.sweep_seconds:
            self._swept_at = now
            self._behind.update(self._subscriptions)
        if now >= self._unanswered_at():
            for name in self._open.keys() - self._listening:
                self._close(name)
        for name in list(self._subscriptions):
            if name not in self._open and name in self._subscriptions:
                await self._listen(name)
        for name in list(self._behind):
            if name in self._subscriptions:
                await self._catch_up(self._subscriptions[name])
        if self._subscriptions and now >= self._quiet_since + self._timings.probe_after_seconds:
            await self._probe()

    async def _listen(self, name: str) -> None:
        """Opens the live subscription. It asks for one stored event only: `_catch_up` brings those, page by page."""
        sub_id = f"{name}.{next(self._numbers)}"
        self._open[name] = sub_id
        self._names[sub_id] = name
        self._asked_at[name] = asyncio.get_running_loop().time()
        self._listening.discard(name)
        try:
            await self._socket.request(sub_id, self._subscriptions[name].query.to_dict(limit=1), until_stored=False)
        except Unreachable:
            self._close(name)
            raise

    async def _catch_up(self, subscription: Subscription) -> None:
        name, started_at = subscription.name, self._now()
        # A clock that was ahead then must not hide what came meanwhile.
        since = min(started_at, self._caught_up_at.get(name, subscription.since)) - subscription.overlap_seconds
        self._behind.discard(name)
        try:
            whole = await catch_up(_Stored(self, subscription.query), max(0, since))
        except (PageFailed, Unreachable):
            self._behind.add(name)
            raise
        if not whole:
            log.warning("relay_left_events_out", relay=self.url, subscription=name)
        if self._subscriptions.get(name) == subscription and name not in self._behind:
            self._caught_up_at[name] = started_at
        if not self._behind:
            self._missed_since = None

    async def _probe(self) -> None:
        """Asks something small, to hear whether anybody is there. If not, the connection is made anew."""
        query = next(iter(self._subscriptions.values())).query
        try:
            await self.ask(query, 1, self._timings.page_seconds)
        except PageFailed:
            if self._socket.connected():
                log.warning("relay_silent", relay=self.url)
                self._socket.reconnect()
            raise

    async def _read(self, page: Page, query: Filter, seconds: float) -> None:
        sub_id = f"page.{next(self._numbers)}"
        self._pages[sub_id] = page
        try:
            async with asyncio.timeout(seconds):
                await self._socket.request(sub_id, query, until_stored=True)
                await page.end
        except (TimeoutError, Unreachable) as failed:
            await self._socket.withdraw(sub_id)
            raise PageFailed(str(failed) or "no answer") from None
        finally:
            del self._pages[sub_id]

    def _close(self, name: str) -> None:
        sub_id = self._open.pop(name, None)
        self._listening.discard(name)
        if sub_id is not None:
            self._names.pop(sub_id, None)
            self._withdrawn.append(sub_id)

    def _fail_pages(self, reason: str) -> None:
        for page in self._pages.values():
            page.finish(reason)


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored events of one query at one relay, handed on as they come. Implements `catch_up.Pages`."""

    line: Line
    query: Query

    async def read(self, since: int, until: int | None, limit: int) -> dict[str, int]:
        return await self.line.read_stored(self.query, since, until, limit)

    async def read_ids(self, ids: tuple[str, ...]) -> dict[str, int]:
        return await self.line.read_stored(replace(self.query, ids=ids), 0, None, len(ids))

    async def list_ids(self, second: int) -> set[str] | None:
        return await self.line.list_ids(self.query, second)
