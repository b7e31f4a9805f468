"""Questions are answered beside everything else: so many at once, none for ever, none in silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot import questions
from bot.questions import AT_ONCE, OPEN_PER_SENDER, Questions
from handlers.context import Answer, Ask, Message, Question
from ledger.errors import Refusal
from storage.db import Database, Tx
from tests.bot.conftest import until
from tests.fresh import open_fresh
from tests.handlers.desk import BOSS, WELL, key

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@dataclass
class Counter:
    """Where questions are put, and the answers that came."""

    db: Database
    wallet: Callable[[str], Awaitable[Any]]
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    questions: Questions = field(init=False)

    def __post_init__(self) -> None:
        async def reconcile() -> Any:
            raise AssertionError

        async def test(name: str) -> Any:
            self.asked.append(name)
            return await self.wallet(name)

        self.questions = Questions(self.db, test_wallet=test, try_wallet=test, reconcile=reconcile, verify=reconcile)

    def put(self, name: str, question: Question | None = None, *, sender: str = BOSS) -> Refusal | None:
        async def again(answer: Answer) -> None:
            self.answers[name] = answer.value

        message = Message(name, sender, "", 0, signed=False)
        return self.questions.put(Ask(question or Question("wallet", wallet=name), message), again)


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    db = await open_fresh(tmp_path / "books.db")

    async def well(name: str) -> Any:
        return WELL

    made = Counter(db, well)
    task = asyncio.create_task(made.questions.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await db.close()


async def test_one_message_is_one_question(counter: Counter) -> None:
    assert (counter.put("a"), counter.put("a")) == (None, None)
    await until(lambda: "a" in counter.answers, "an answer")
    assert (counter.asked, counter.answers) == (["a"], {"a": WELL})


async def test_so_many_at_once_and_so_many_of_one_person(counter: Counter) -> None:
    go_on = asyncio.Event()

    async def slow(name: str) -> Any:
        await go_on.wait()
        return name

    counter.wallet = slow
    people = [key(f"person {number}") for number in range(AT_ONCE)]
    for number in range(OPEN_PER_SENDER):
        assert counter.put(f"boss {number}") is None
    for number, person in enumerate(people):
        assert counter.put(f"other {number}", sender=person) is None
    refused = counter.put("one too many")
    assert refused is not None
    assert (refused.code.value, str(OPEN_PER_SENDER) in refused.message) == ("rate_limited", True)
    await until(lambda: len(counter.asked) == AT_ONCE, "the first are asked")
    await asyncio.sleep(0.02)
    assert len(counter.asked) == AT_ONCE
    go_on.set()
    await until(lambda: len(counter.answers) == OPEN_PER_SENDER + AT_ONCE, "all are answered")
    assert counter.put("one more") is None


async def test_a_fault_or_a_refusal_is_an_answer(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def faulty(name: str) -> Any:
        if name == "hangs":
            await asyncio.sleep(60)
        raise KeyError(name)

    counter.wallet = faulty
    monkeypatch.setattr(questions, "WAIT_SECONDS", 0.05)
    for name in ("breaks", "hangs"):
        counter.put(name)
        await until(lambda name=name: name in counter.answers, "an answer")  # type: ignore[misc]
        assert isinstance(counter.answers[name], Refusal)
        assert counter.answers[name].code.value == "internal"
    counter.put("broken books", Question("reconcile"))
    await until(lambda: "broken books" in counter.answers, "an answer")
    assert counter.answers["broken books"].code.value == "internal"


async def test_what_takes_too_long_to_read_ends_with_the_way_out(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(tx: Tx) -> Any:
        return tx.one(ENDLESS)

    monkeypatch.setattr(questions, "READ_SECONDS", 0.05)
    counter.put("long", Question("read", read=endless))
    counter.put("short", Question("read", read=lambda tx: 7))
    await until(lambda: len(counter.answers) == 2, "answers")
    assert counter.answers["short"] == 7
    refusal = counter.answers["long"]
    assert (refusal.code.value, "since and until" in refusal.message) == ("bad_request", True)
