"""Compares what the relays keep of the bot's own events with the books (handlers/own_events.py), and gives each relay
again what it has lost of them, as it was signed.

At the start nothing is paid, and nothing at the relays replaced, before each of them has answered, or has had a few
seconds for it. Who answers later is looked at then, all of them once in a while, and each when it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import structlog

from bot.catch_up import PageFailed, catch_up
from bot.delivery import PublishResult
from bot.page import Verified
from bot.pool import RelayState
from bot.query import Query
from bot.timings import Timings
from bot.workers.wakeup import Bell
from handlers import own_events
from handlers.own_events import KIND, Own
from nwc.event import Event
from nwc.ports import Clock
from storage.db import Database

log = structlog.get_logger(__name__)

LONGEST_RETRY_SECONDS: Final = 600.0
PAGE: Final = 50
"""So many events by id; no relay known gives fewer at a time."""
MOST_AT_A_TIME: Final = 1_000
"""So much is given to one relay again, then others have their turn; what is still missing is given the next time."""


class Keeping(Protocol):
    """The relays, as far as this needs them: `bot.pool.Pool`."""

    urls: tuple[str, ...]

    def states(self) -> dict[str, RelayState]: ...

    async def read_page(
        self, url: str, query: Query, since: int | None, until: int | None, limit: int
    ) -> list[tuple[Event, Verified]]: ...

    async def list_ids(self, url: str, query: Query, second: int) -> set[str] | None: ...

    async def publish(
        self, event: Event, min_acks: int = 1, seconds: float | None = None, *, through: Collection[str] | None = None
    ) -> PublishResult: ...


class OwnEvents:
    """The one task for all relays. `answered` is set when payments need wait no longer."""

    def __init__(
        self,
        relays: Keeping,
        db: Database,
        clock: Clock,
        bell: Callable[[], Bell],
        *,
        pubkey: str,
        timings: Timings,
        operators: Callable[[], frozenset[str]],
        on_answered: Callable[[], None],
    ) -> None:
        """`bell` makes one that rings when a relay comes; `pubkey` is the bot's."""
        self.answered = asyncio.Event()
        self._relays = relays
        self._db = db
        self._clock = clock
        self._bell = bell
        self._query = Query(kinds=(KIND,), authors=(pubkey,))
        self._timings = timings
        self._operators = operators
        self._on_answered = on_answered
        self._silent = set(relays.urls)
        self._all_answered = asyncio.Event()

    async def run(self) -> None:
        """Runs for ever."""
        async with asyncio.TaskGroup() as group:
            for url in self._relays.urls:
                group.create_task(self._follow(url))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timings.own_events_seconds):
                    await self._all_answered.wait()
            self.answered.set()
            self._on_answered()

    async def _follow(self, url: str) -> None:
        bell, retry = self._bell(), self._timings.retry_ask_seconds
        while True:
            if not self._relays.states()[url].up:
                await bell.wait()
                continue
            try:
                await self._compare(url)
                self._note_answered(url)
                await self.answered.wait()
                await self._give_back(url)
            except PageFailed as failed:
                log.info("own_events_unread", relay=url, reason=str(failed))
                await asyncio.sleep(retry)
                retry = min(LONGEST_RETRY_SECONDS, retry * 2)
                continue
            retry = self._timings.retry_ask_seconds
            await self._rest(url, bell)

    def _note_answered(self, url: str) -> None:
        self._silent.discard(url)
        if not self._silent:
            self._all_answered.set()

    async def _rest(self, url: str, bell: Bell) -> None:
        """Until all is looked at again, or the relay was away and came back: it may have lost what it had."""
        loop = asyncio.get_running_loop()
        began_at, away = loop.time(), False
        while (rested := loop.time() - began_at) < self._timings.sweep_seconds:
            up = self._relays.states()[url].up
            away = away or not up
            back = away and up
            if back and rested >= self._timings.lost_seconds:
                return
            await bell.wait((self._timings.lost_seconds if back else self._timings.sweep_seconds) - rested)

    async def _compare(self, url: str) -> None:
        asked_at = self._clock.now()
        since = await self._db.read(lambda tx: own_events.compared_from(tx, url, asked_at))
        kept = _Kept(self._relays, url, self._query, self._db)
        await catch_up(kept, since)
        if kept.strange:
            log.warning("own_events_unknown", relay=url, number=len(kept.strange))
        await self._db.write(
            partial(
                own_events.note_compared,
                url=url,
                found=kept.strange,
                asked_at=asked_at,
                operators=self._operators(),
                now=self._clock.now(),
            )
        )

    async def _give_back(self, url: str) -> None:
        """What this relay should have and has not. Raises PageFailed. One event about which it says nothing, it may
        never take: that keeps no other from it."""
        after, given, silent = "", 0, 0
        while given < MOST_AT_A_TIME:
            page = await self._db.read(partial(own_events.kept, after=after, limit=PAGE, now=self._clock.now()))
            if not page:
                break
            after = page[-1][0]
            query = Query(ids=tuple(event.id for _, event in page))
            found = await self._relays.read_page(url, query, None, None, len(page))
            there = {event.id for event, _ in found}
            for event in (event for _, event in page if event.id not in there):
                result = await self._relays.publish(event, through=(url,))
                silent = silent + 1 if result.silent else 0
                if silent > 1:
                    raise PageFailed(result.silent[url])
                given += len(result.accepted)
        if given:
            log.info("own_events_given_again", relay=url, number=given)


@dataclass(slots=True)
class _Kept:
    """What one relay keeps of our own events, page by page. Implements `catch_up.Pages`."""

    relays: Keeping
    url: str
    query: Query
    db: Database
    strange: list[Own] = field(default_factory=list)
    """Genuine, and not signed by these books."""

    async def read(self, since: int, until: int | None, limit: int) -> dict[str, int]:
        return await self._take(await self.relays.read_page(self.url, self.query, since, until, limit))

    async def read_ids(self, ids: tuple[str, ...]) -> dict[str, int]:
        query = Query(kinds=self.query.kinds, authors=self.query.authors, ids=ids)
        return await self._take(await self.relays.read_page(self.url, query, None, None, len(ids)))

    async def list_ids(self, second: int) -> set[str] | None:
        return await self.relays.list_ids(self.url, self.query, second)

    async def _take(self, page: Sequence[tuple[Event, Verified]]) -> dict[str, int]:
        unsigned = await self.db.read(lambda tx: own_events.strange(tx, [event for event, _ in page]))
        for event, verified in page:
            each = own_events.own(event) if event.id in unsigned and verified() else None
            if each is not None:
                self.strange.append(each)
        return {event.id: event.created_at for event, _ in page}
