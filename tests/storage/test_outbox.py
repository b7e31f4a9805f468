"""The outbox: everything leaves, in its lane; a replaceable event once for each content, as the same bytes, in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage import outbox
from storage.db import Database, Tx
from storage.outbox import Outgoing
from tests.fresh import open_fresh

NOW = 1_790_000_000
PEER, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_fresh(tmp_path / "books.db")
    yield opened
    await opened.close()


def put(tx: Tx, content: str, *, d: str = "view", now: int = NOW, meaning: str | None = None) -> None:
    outbox.put_replaceable(
        tx, kind=30_078, d=d, tags=[["p", PEER]], content=content, encrypt_to=PEER, now=now, meaning=meaning
    )


def waiting(tx: Tx, now: int = NOW, limit: int = 100) -> list[Outgoing]:
    return outbox.due(tx, now, limit)


def sign(tx: Tx, outgoing: Outgoing, now: int) -> str | None:
    """The text, if one is to be published; made of content and time so that each version differs."""
    return outbox.sign_once(tx, outgoing, now, lambda at: f"{outgoing.body['content']} at {at - NOW}")


async def test_once_signed_it_stays_the_same_bytes(database: Database) -> None:
    """Tried again minutes later, after a crash, by another run: what a relay may have is what it gets."""

    def work(tx: Tx) -> list[str | None]:
        put(tx, "a")
        found = [sign(tx, waiting(tx)[0], NOW)]
        outbox.put_off(tx, waiting(tx)[0], error="no", now=NOW, delay=60)
        found += [sign(tx, waiting(tx, NOW + 60)[0], NOW + 60)]
        return found

    assert await database.write(work) == ["a at 0", "a at 0"]
    again = await database.write(lambda tx: sign(tx, waiting(tx, NOW + 60)[0], NOW + 9_999))
    assert again == "a at 0"


async def test_its_time_grows_also_within_one_second_and_when_the_clock_goes_back(database: Database) -> None:
    """Relays keep the newest by its own date: one that is not later than the one before would be lost."""

    def work(tx: Tx) -> list[str | None]:
        found = []
        for content, now in (("a", NOW), ("b", NOW), ("c", NOW - 86_400), ("d", NOW + 10), ("e", NOW + 10)):
            put(tx, content, now=now)
            outgoing = waiting(tx, NOW + 10)[0]
            found.append(sign(tx, outgoing, now))
            outbox.done(tx, outgoing.id)
        return found

    assert await database.write(work) == ["a at 0", "b at 1", "c at 2", "d at 10", "e at 11"]


async def test_what_is_superseded_is_not_published(database: Database) -> None:
    """Three versions of one view wait, and one of another: of each only the last is signed, in order."""

    def work(tx: Tx) -> list[str | None]:
        for content in "abc":
            put(tx, content)
        put(tx, "x", d="other")
        found = []
        while due := waiting(tx):
            assert len({outgoing.coordinate for outgoing in due}) == len(due), "of each coordinate one at a time"
            for outgoing in due:
                found.append(sign(tx, outgoing, NOW))
                if found[-1] is not None:
                    outbox.done(tx, outgoing.id)
        return found

    assert await database.write(work) == [None, "x at 0", None, "c at 0"]


async def test_a_later_version_waits_for_the_one_that_is_signed(database: Database) -> None:
    """The first is on its way to a slow relay: the second must not overtake it, and comes after it."""

    def work(tx: Tx) -> tuple[list[int], list[str | None]]:
        put(tx, "a")
        first = waiting(tx)[0]
        texts = [sign(tx, first, NOW)]
        put(tx, "b")
        overtaking = [outgoing.id for outgoing in waiting(tx) if outgoing.id != first.id]
        texts.append(sign(tx, waiting(tx)[0], NOW))
        outbox.done(tx, first.id)
        texts.append(sign(tx, waiting(tx)[0], NOW))
        return overtaking, texts

    found = await database.write(work)
    assert found[0] == []
    assert found[1][-1] == "b at 1"


async def test_unchanged_content_is_not_published(database: Database) -> None:
    """Neither what was published last, nor a change that was undone before anybody saw it."""

    def publish(tx: Tx) -> list[str | None]:
        found = []
        while due := waiting(tx):
            found.append(sign(tx, due[0], NOW))
            outbox.done(tx, due[0].id)
        return found

    def work(tx: Tx) -> list[list[str | None]]:
        found = []
        for contents in ("a", "a", "ba", "ab", "b", "a"):
            for content in contents:
                put(tx, content)
            found.append(publish(tx))
        return found

    assert await database.write(work) == [["a at 0"], [], [None, None], ["b at 1"], [], ["a at 2"]]


async def test_what_must_differ_may_be_less_than_the_content(database: Database) -> None:
    """A view that tells its own time is not published every minute for that."""

    def work(tx: Tx) -> list[int]:
        found = []
        for content, meaning in (("1 at noon", "1"), ("1 at one", "1"), ("2 at two", "2")):
            put(tx, content, meaning=meaning)
            due = waiting(tx)
            found.append(len(due))
            for outgoing in due:
                sign(tx, outgoing, NOW)
                outbox.done(tx, outgoing.id)
        return found

    assert await database.write(work) == [1, 0, 1]


async def test_the_same_view_for_two_readers_is_two_events(database: Database) -> None:
    def work(tx: Tx) -> int:
        for reader in (PEER, OTHER):
            outbox.put_replaceable(tx, kind=30_078, d="x", tags=[], content="a", encrypt_to=reader, now=NOW)
        return len(waiting(tx))

    assert await database.write(work) == 2


async def test_strangers_come_after_all_others(database: Database) -> None:
    """Whenever they wrote."""

    def work(tx: Tx) -> list[str]:
        for number in range(3):
            outbox.put_dm(tx, to=OTHER, text=f"s{number}", answers=None, signed=False, now=NOW, stranger=True)
            outbox.put_dm(tx, to=PEER, text=f"a{number}", answers=None, signed=False, now=NOW)
        return [outgoing.body["text"] for outgoing in waiting(tx, limit=5)]

    assert await database.write(work) == ["a0", "a1", "a2", "s0", "s1"]


async def test_a_clock_that_was_ahead_leaves_nothing_waiting(database: Database) -> None:
    """It said next year when a message was put off; an hour from now at the latest it is tried, and what is due
    sooner, done or given up is left alone."""

    def work(tx: Tx) -> list[int]:
        for number in range(4):
            outbox.put_dm(tx, to=PEER, text=str(number), answers=None, signed=False, now=NOW)
        late, soon, given_up, done = waiting(tx)
        outbox.put_off(tx, late, error="x", now=NOW, delay=500_000)
        outbox.put_off(tx, soon, error="x", now=NOW, delay=60)
        outbox.put_off(tx, given_up, error="x", now=NOW, delay=10**9)
        outbox.done(tx, done.id)
        outbox.no_later_than(tx, NOW + 3_600)
        assert outbox.next_due_at(tx, NOW) == NOW + 60
        return [row["next_try_at"] - NOW for row in tx.all("SELECT next_try_at FROM outbox ORDER BY id")]

    assert await database.write(work) == [3_600, 60, 10**9, 0]


async def test_a_life_ends(database: Database) -> None:
    """An answer to an order is of no use after hours, a notice is for days; then it is given up, and forgotten."""

    def work(tx: Tx) -> list[bool]:
        for answers in (None, "ab" * 32):
            outbox.put_dm(tx, to=PEER, text="x", answers=answers, signed=False, now=NOW)
        at = NOW + outbox.ANSWER_LIFE_SECONDS
        found = [outbox.put_off(tx, outgoing, error="x", now=at, delay=5) for outgoing in waiting(tx, at)]
        outbox.forget_done(tx, at)
        return [*found, len(waiting(tx, at + 5)) == 1, tx.one("SELECT 1 FROM outbox WHERE state <> 'waiting'") is None]

    assert await database.write(work) == [True, False, True, True]


async def test_what_relays_should_have_is_known_as_it_was_signed(database: Database) -> None:
    """Neither what was replaced, nor what still waits to leave, nor what has expired, nor what is not to be kept."""

    def publish(tx: Tx, content: str, d: str, **more: Any) -> None:
        outbox.put_replaceable(tx, kind=1, d=d, tags=[], content=content, encrypt_to=None, now=NOW, **more)

    def work(tx: Tx) -> list[list[tuple[str, str]]]:
        for content, d in (("a", "one"), ("b", "one"), ("c", "two")):
            publish(tx, content, d)
            for outgoing in waiting(tx):
                sign(tx, outgoing, NOW)
                outbox.done(tx, outgoing.id)
        publish(tx, "soon over", "brief", expires_in=60)
        publish(tx, "receipt", "receipt", keep=False)
        for outgoing in waiting(tx):
            sign(tx, outgoing, NOW)
            outbox.done(tx, outgoing.id)
        found = [outbox.kept(tx, "", 10, NOW), outbox.kept(tx, "1:one:", 1, NOW + 60)]
        publish(tx, "d", "two")
        found.append(outbox.kept(tx, "", 10, NOW + 60))
        outbox.let_go(tx, "1:two:")
        outbox.take_over(tx, "1:one:", NOW + 500)
        found.append(outbox.kept(tx, "", 10, NOW))
        publish(tx, "b", "one")
        publish(tx, "c", "two")
        return [*found, [(each.body["content"], sign(tx, each, NOW) or "") for each in waiting(tx)]]

    one, two = ("1:one:", "b at 1"), ("1:two:", "c at 0")
    brief = ("1:brief:", "soon over at 0")
    again = [("b", "b at 501"), ("c", "c at 1")]
    assert await database.write(work) == [[brief, one, two], [two], [one], [brief], again]


async def test_what_waits_is_not_put_again(database: Database) -> None:
    """However often it is said while no relay can be reached; what differs is, and the last word counts."""

    def work(tx: Tx) -> list[bool]:
        news = []
        for content in ("a", "a", "b", "b", "a"):
            news.append(outbox.is_news(tx, outbox.coordinate_of(30_078, "view", PEER), content))
            put(tx, content)
        return [*news, len(tx.all("SELECT 1 FROM outbox")) == 3]

    assert await database.write(work) == [True, False, True, False, True, True]
