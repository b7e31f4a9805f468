"""Paging through a relay's stored events, whatever its limit; no network."""

from __future__ import annotations

import asyncio

import pytest

from bot.catch_up import PageFailed, catch_up
from bot.line import Line
from bot.seen import Seen, Sight


class Shelf:
    """A relay's stored events of one query, which gives at most `cap` at a time, newest first, lowest id first."""

    def __init__(self, events: dict[str, int], cap: int, *, lists: bool = True, fails_at: int = 0) -> None:
        self.events, self.cap, self.lists, self.fails_at = events, cap, lists, fails_at
        self.given: set[str] = set()
        self.reads = 0

    async def read(self, since: int, until: int | None, limit: int) -> dict[str, int]:
        self.reads += 1
        if self.reads == self.fails_at:
            raise PageFailed("closed")
        fits = [(-at, i) for i, at in self.events.items() if since <= at and (until is None or at <= until)]
        page = {i: -at for at, i in sorted(fits)[: min(limit, self.cap)]}
        self.given |= page.keys()
        return page

    async def read_ids(self, ids: tuple[str, ...]) -> dict[str, int]:
        page = {i: self.events[i] for i in ids[: self.cap] if i in self.events}
        self.given |= page.keys()
        return page

    async def list_ids(self, second: int) -> set[str] | None:
        return {i for i, at in self.events.items() if at == second} if self.lists else None


def spread(count: int, seconds: int) -> dict[str, int]:
    return {f"{n:05}": 1_000 + n % seconds for n in range(count)}


@pytest.mark.parametrize("cap", [60, 100, 500])
@pytest.mark.parametrize("seconds", [1, 2, 7, 100, 5_000])
async def test_everything_is_read(cap: int, seconds: int) -> None:
    shelf = Shelf(spread(2_000, seconds), cap)
    assert await catch_up(shelf, 0)
    assert shelf.given == shelf.events.keys()


async def test_listed_but_not_given_is_told() -> None:
    shelf = Shelf(spread(700, 1), 500)
    withheld = max(shelf.events)

    async def read_ids(ids: tuple[str, ...]) -> dict[str, int]:
        return {i: shelf.events[i] for i in ids if i != withheld}

    shelf.read_ids = read_ids  # type: ignore[method-assign]
    assert await catch_up(shelf, 0) is False


async def test_a_full_second_of_a_relay_that_lists_nothing_is_told() -> None:
    shelf = Shelf({**spread(700, 1), "before": 999}, 500, lists=False)
    assert await catch_up(shelf, 0) is False
    assert "before" in shelf.given
    assert len(shelf.given) == 501


async def test_short_pages_and_an_empty_relay_end_quickly() -> None:
    empty = Shelf({}, 500)
    assert await catch_up(empty, 0)
    assert empty.reads == 1
    few = Shelf(spread(3, 1), 500, lists=False)
    assert await catch_up(few, 0)
    assert few.reads <= 3


async def test_since_is_kept() -> None:
    shelf = Shelf(spread(1_000, 1_000), 100)
    assert await catch_up(shelf, 1_500)
    assert shelf.given == {i for i, at in shelf.events.items() if at >= 1_500}


async def test_a_failed_page_is_no_end() -> None:
    with pytest.raises(PageFailed):
        await catch_up(Shelf(spread(2_000, 2_000), 500, fails_at=3), 0)


async def test_a_relay_without_end_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.catch_up.MAX_PAGES", 3)
    assert await catch_up(Shelf(spread(2_000, 2_000), 100), 0) is False


def test_seen_tells_copies_from_repeats_and_forgets() -> None:
    seen = Seen(limit=2, again_after_seconds=5.0)
    assert seen.look("a", 0.0) is Sight.NEW
    seen.take("a", 0.0)
    assert seen.look("a", 4.9) is Sight.COPY
    assert seen.look("a", 5.0) is Sight.AGAIN
    seen.take("a", 5.0)
    assert seen.look("a", 6.0) is Sight.COPY
    seen.take("b", 6.0)
    seen.take("c", 6.0)
    assert seen.look("a", 20.0) is Sight.NEW
    assert seen.look("b", 20.0) is Sight.AGAIN


@pytest.mark.parametrize("turns", range(5))
async def test_who_waits_for_something_to_ask_ends_when_told(turns: int) -> None:
    """Also so few turns of the loop after it has come."""
    event = asyncio.Event()
    waiting = asyncio.create_task(Line._within(event, 60))
    await asyncio.sleep(0.01)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    if waiting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await waiting
