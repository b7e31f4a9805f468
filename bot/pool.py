"""A set of relays as one: listening at all of them, publishing at as many as needed. Knows no Nostr library.

What `on_event` is given has been asked for, is well-formed, and has a genuine id and signature. Stored events are
brought again after each reconnect (bot.line): that an event is acted on once is for the database to see to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, Self

import structlog

from bot import line as lines
from bot.catch_up import PageFailed
from bot.delivery import NotAccepted, PublishResult, gather_acks
from bot.inbox import Counts, Inbox, OnEvent, Pulse
from bot.line import Line
from bot.page import Verified
from bot.query import BadRelayUrl, Query, Subscription, relay_url
from bot.seen import Seen
from bot.timings import Timings
from nwc.event import Event
from nwc.ports import Clock

log = structlog.get_logger(__name__)

SEEN_EVENTS = 50_000
MAX_GUESTS = 16
MAX_PUBLISH_TO = 5
MAX_SENDINGS = 2_000
"""Sendings under way, over all relays. Beyond that publishing answers `silent` at once."""
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RelayState:
    """One relay now. `last_heard_at` is unix seconds."""

    up: bool
    listening: bool
    """Subscribed, and stored events have begun to come."""
    last_heard_at: int | None


class Socket(lines.Socket, Protocol):
    """One relay, also for sending. Both raise NotAccepted and end within `seconds`."""

    async def connect(self, seconds: float) -> None: ...

    async def send(self, event: Event, seconds: float) -> None: ...


class Hearer(Protocol):
    """Who is told what the relay at `url` says."""

    def hear_any(self, url: str) -> None: ...

    def hear_event(self, url: str, sub_id: str, event: Event, verified: Verified) -> None: ...

    def hear_unreadable(self, url: str) -> None: ...

    def hear_end(self, url: str, sub_id: str) -> None: ...

    def hear_closed(self, url: str, sub_id: str, reason: str) -> None: ...

    def hear_admitted(self, url: str) -> None: ...


class Sockets(Protocol):
    """Makes connections, and tells a Hearer what comes in."""

    async def add(self, url: str, *, reconnect: bool) -> Socket: ...

    async def remove(self, url: str) -> None: ...

    async def connect(self) -> None: ...

    async def pump(self, hearer: Hearer) -> None: ...

    async def shutdown(self) -> None: ...


@dataclass(slots=True)
class _Guest:
    """A relay that is connected for a message only."""

    users: int = 0
    idle_since: float = 0.0


class Pool:
    """A set of relays that are listened to and published at. One event loop; `async with`, or `start` and `close`."""

    def __init__(
        self,
        urls: Iterable[str],
        sockets: Sockets,
        on_event: OnEvent,
        clock: Clock,
        timings: Timings,
        on_state: Callable[[str, bool], None] | None,
    ) -> None:
        self.urls = tuple(dict.fromkeys(relay_url(url) for url in urls))
        self._network, self._on_state, self._clock, self._timings = sockets, on_state, clock, timings
        self._inbox = Inbox(on_event, Seen(SEEN_EVENTS, timings.repeat_after_seconds), self._fall_behind)
        self._lines: dict[str, Line] = {}
        self._sockets: dict[str, Socket] = {}
        self._guests: dict[str, _Guest] = {}
        self._admission = asyncio.Lock()
        self._subscriptions: dict[str, tuple[Subscription, Mapping[str, Subscription]]] = {}
        self._sendings: set[asyncio.Task[None]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._end: asyncio.Future[None] | None = None

    # --- life ---

    async def start(self) -> None:
        """Begins to connect and to listen; doesn't wait for any relay."""
        self._end = asyncio.get_running_loop().create_future()
        for url in self.urls:
            await self._add(url, guest=False)
        self._spawn("pump", self._network.pump(self))
        self._spawn("watch", self._watch())
        for url, line in self._lines.items():
            self._spawn(url, line.tend())
        await self._network.connect()

    async def wait_closed(self) -> None:
        """Returns after `close`. Raises what broke one of the tasks here (a bug): to be supervised by the owner."""
        if self._end is None:
            raise RuntimeError("not started")
        await asyncio.shield(self._end)

    async def close(self) -> None:
        """Ends everything within `Timings.close_seconds`. A sending under way is given up."""
        tasks = [*self._sendings, *(task for name, task in self._tasks.items() if name != "pump")]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(self._timings.close_seconds):
                await self._network.shutdown()
                if "pump" in self._tasks:
                    await asyncio.wait({self._tasks["pump"]})  # it ends by itself
        except TimeoutError:
            log.warning("relays_close_slow")
            self._tasks["pump"].cancel()
        if self._end is not None and not self._end.done():
            self._end.set_result(None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()
        if self._end is not None:
            self._end.result()

    # --- listening ---

    def watch(self, pulse: Pulse) -> None:
        """From now on `pulse` is told what comes live, and when a relay has opened the subscriptions."""
        self._inbox.pulse = pulse

    def subscribe(self, subscription: Subscription, since: Mapping[str, int] | None = None) -> None:
        """Asks all relays, those of later too. The same name again replaces the question. `since`: other times than
        the subscription's for some relays, by address."""
        asked = {url: replace(subscription, since=at) for url, at in (since or {}).items()}
        self._subscriptions[subscription.name] = (subscription, asked)
        for url in self.urls:
            if url in self._lines:
                self._lines[url].subscribe(asked.get(url, subscription))

    def listen_anew(self, url: str) -> None:
        """Makes the subscriptions at this relay anew: it may have lost them."""
        self._lines[url].listen_anew()

    def reconnect(self, url: str) -> None:
        self._sockets[url].reconnect()

    def caught_up(self, name: str) -> dict[str, int]:
        """Until when the stored events of a subscription were gone through to the end, by relay, in unix seconds."""
        found = {url: line.caught_up_at(name) for url, line in self._lines.items() if url in self.urls}
        return {url: at for url, at in found.items() if at is not None}

    def catching_up(self) -> frozenset[str]:
        """Our relays that bring what they kept while nobody listened, in no order that means anything."""
        return frozenset(url for url in self.urls if url in self._lines and self._lines[url].catching_up)

    def unsubscribe(self, name: str) -> None:
        self._subscriptions.pop(name, None)
        for line in self._lines.values():
            line.unsubscribe(name)

    async def fetch_one(self, query: Query, seconds: float = 5.0, *, limit: int = 20) -> Event | None:
        """The newest genuine event of a query at the relays that are connected; None says little: nobody gave one."""
        asked = [line.ask(query, limit, seconds) for line in self._lines.values() if line.up]
        found: list[Event] = []
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException):
                if not isinstance(answer, PageFailed):
                    raise answer
                continue
            found += [event for event, verified in answer if verified()]
        # The newest replaces the others; of two in one second the lower id does (NIP-01).
        return min(found, key=lambda event: (-event.created_at, event.id), default=None)

    async def read_page(
        self, url: str, query: Query, since: int | None, until: int | None, limit: int
    ) -> list[tuple[Event, Verified]]:
        """The newest stored events of a query at one of our relays, each with its check. Raises PageFailed."""
        return await self._lines[url].ask(query, limit, self._timings.page_seconds, since=since, until=until)

    async def list_ids(self, url: str, query: Query, second: int) -> set[str] | None:
        """All ids that this relay has of a query in one second; None where it doesn't tell. Raises PageFailed."""
        try:
            return await self._lines[url].list_ids(query, second)
        except lines.Unreachable as failed:
            raise PageFailed(str(failed)) from None

    # --- publishing ---

    async def publish(
        self, event: Event, min_acks: int = 1, seconds: float | None = None, *, through: Collection[str] | None = None
    ) -> PublishResult:
        """Sends to all our relays, or `through` some of them; returns when `min_acks` accepted, the others go on. Never
        raises for a network."""
        urls = self.urls if through is None else tuple(url for url in self.urls if url in through)
        return await self._publish(event, urls, min_acks, seconds)

    async def publish_to(
        self, urls: Iterable[str], event: Event, min_acks: int = 1, seconds: float | None = None
    ) -> PublishResult:
        """The same to other relays, say those that a recipient reads (kind 10050); connects for as long as needed.

        At most 5 of `urls` are used, which come from strangers: what is no plain ws:// or wss:// address is `silent`.
        """
        good: list[str] = []
        bad: dict[str, str] = {}
        for url in islice(urls, MAX_PUBLISH_TO):
            try:
                good.append(relay_url(url))
            except BadRelayUrl as reason:
                bad[url[:100]] = str(reason)
        result = await self._publish(event, tuple(dict.fromkeys(good)), min_acks, seconds)
        return replace(result, silent={**result.silent, **bad})

    async def _publish(
        self, event: Event, urls: tuple[str, ...], min_acks: int, seconds: float | None
    ) -> PublishResult:
        seconds = self._timings.publish_seconds if seconds is None else seconds
        if len(self._sendings) + len(urls) > MAX_SENDINGS:
            return PublishResult(silent=dict.fromkeys(urls, "too many events are being sent"))
        tasks = {url: asyncio.create_task(self._send(url, event, seconds)) for url in urls}
        for task in tasks.values():
            self._sendings.add(task)
            task.add_done_callback(self._sent)
        return await gather_acks(tasks, min_acks, seconds)

    async def _send(self, url: str, event: Event, seconds: float) -> None:
        if url in self.urls and url in self._sockets:
            await self._sockets[url].send(event, seconds)
            return
        started_at = asyncio.get_running_loop().time()
        guest, socket = await self._admit(url)
        guest.users += 1
        try:
            await socket.connect(seconds)
            await socket.send(event, seconds - (asyncio.get_running_loop().time() - started_at))
        finally:
            guest.users -= 1
            guest.idle_since = asyncio.get_running_loop().time()

    async def _admit(self, url: str) -> tuple[_Guest, Socket]:
        """A relay that is not one of ours, connected or about to be. Raises NotAccepted when all places are busy."""
        async with self._admission:
            if url not in self._guests:
                if len(self._guests) >= MAX_GUESTS:
                    idle = [(guest.idle_since, url) for url, guest in self._guests.items() if not guest.users]
                    if not idle:
                        raise NotAccepted("too many relays are connected", refused=False)
                    await self._dismiss(min(idle)[1])
                await self._add(url, guest=True)
                self._guests[url] = _Guest(idle_since=asyncio.get_running_loop().time())
            return self._guests[url], self._sockets[url]

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sendings.discard(task)
        if not task.cancelled() and not isinstance(task.exception(), NotAccepted | None):
            self._break(task)

    # --- state ---

    @property
    def counts(self) -> Counts:
        return self._inbox.counts

    def states(self) -> dict[str, RelayState]:
        """Our relays now, by address."""
        lines = ((url, self._lines.get(url)) for url in self.urls)
        return {
            url: RelayState(line.up, line.listening, line.heard_at) if line else RelayState(False, False, None)
            for url, line in lines
        }

    def guests(self) -> tuple[str, ...]:
        """Relays that are connected for a message only."""
        return tuple(self._guests)

    def connected(self) -> bool:
        """Whether at least one of our relays is connected."""
        return any(state.up for state in self.states().values())

    def listening(self) -> bool:
        """Whether at least one of our relays has all subscriptions open."""
        return any(state.listening for state in self.states().values())

    # --- inside ---

    async def _add(self, url: str, *, guest: bool) -> None:
        socket = await self._network.add(url, reconnect=not guest)
        line = Line(url, socket, self._inbox.entrance(url), self._clock.now, self._timings)
        self._sockets[url], self._lines[url] = socket, line
        if not guest:
            for subscription, asked in self._subscriptions.values():
                line.subscribe(asked.get(url, subscription))

    async def _dismiss(self, url: str) -> None:
        del self._guests[url], self._sockets[url], self._lines[url]
        await self._network.remove(url)

    async def _dismiss_idle(self) -> None:
        async with self._admission:
            now = asyncio.get_running_loop().time()
            for url, guest in list(self._guests.items()):
                if not guest.users and now - guest.idle_since >= self._timings.guest_idle_seconds:
                    await self._dismiss(url)

    async def _watch(self) -> None:
        """Notices connections that come and go."""
        while True:
            for url in self.urls:
                line = self._lines[url]
                if line.look():
                    log.info("relay_up" if line.up else "relay_down", relay=url)
                    if self._on_state is not None:
                        self._on_state(url, line.up)
            await self._dismiss_idle()
            await asyncio.sleep(_LOOK_SECONDS)

    # --- what relays say (Hearer) ---

    def hear_any(self, url: str) -> None:
        self._lines[url].heard()

    def hear_event(self, url: str, sub_id: str, event: Event, verified: Verified) -> None:
        self._lines[url].hear_event(sub_id, event, verified)

    def hear_unreadable(self, url: str) -> None:
        self.counts.unreadable += 1

    def hear_end(self, url: str, sub_id: str) -> None:
        line = self._lines[url]
        before = line.listening
        line.hear_end(sub_id)
        if line.listening and not before and self._inbox.pulse is not None:
            self._inbox.pulse.hear_listening(url)

    def hear_closed(self, url: str, sub_id: str, reason: str) -> None:
        self._lines[url].hear_closed(sub_id, reason)

    def hear_admitted(self, url: str) -> None:
        self._lines[url].admitted()

    def _fall_behind(self) -> None:
        for url in self.urls:
            self._lines[url].fall_behind()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"relays-{name}")
        self._tasks[name] = task
        task.add_done_callback(self._break)

    def _break(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and self._end is not None and not self._end.done():
            self._end.set_exception(failure)
