"""Finds out what orders must know before they can be answered, beside everything else.

An order that asks was undone, with nothing kept. Once the answer is there it is handled again with it, in a second
transaction. Until that is committed its message counts as not taken: a stop or a crash in between loses nothing, for
relays bring it again and it is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from handlers.context import Answer, Ask, Question
from handlers.reconciliation import Reconciliation
from handlers.wallet_test import WalletTest
from handlers.wallet_trial import WalletTrial
from ledger.errors import Code, Refusal
from ledger.facts import Violation
from storage.db import Database
from storage.errors import StorageBroken, TookTooLong

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
OPEN_PER_SENDER: Final = 10
OPEN: Final = 1_000
READ_SECONDS: Final = 60
WAIT_SECONDS: Final = 900
"""For anything but a check of all the books, its turn included."""
_UNLIMITED: Final = frozenset({"reconcile", "verify"})

Again = Callable[[Answer], Awaitable[None]]
"""Handles the message again; returns once that is committed."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A question that waits for its answer."""

    ask: Ask
    again: Again


class Questions:
    """Answers so many questions at once; the others wait for their turn."""

    def __init__(
        self,
        db: Database,
        *,
        test_wallet: Callable[[str], Awaitable[WalletTest]],
        try_wallet: Callable[[str], Awaitable[WalletTrial]],
        reconcile: Callable[[], Awaitable[Reconciliation]],
        verify: Callable[[], Awaitable[Sequence[Violation]]],
    ) -> None:
        """The first three may raise Refusal, `verify` TookTooLong; it and `reconcile` may take what time they take."""
        self._db = db
        self._test_wallet = test_wallet
        self._try_wallet = try_wallet
        self._reconcile = reconcile
        self._verify = verify
        self._open: dict[str, str] = {}
        """Senders, by the id of the message that asks."""
        self._queue: asyncio.Queue[_Open] = asyncio.Queue(OPEN)
        self._reconciling = False

    def put(self, ask: Ask, again: Again) -> Refusal | None:
        """Takes a question; `again` is called with its answer. Never waits.

        The same message once more, in whatever envelope, changes nothing. A Refusal is the answer to a sender of whom
        too many questions are open.
        """
        message = ask.message
        if message.id in self._open:
            return None
        mine = sum(sender == message.sender for sender in self._open.values())
        if mine >= OPEN_PER_SENDER or len(self._open) >= OPEN:
            return Refusal(
                Code.RATE_LIMITED,
                "{count} of your questions are still being looked into: wait for their answers",
                count=mine,
            )
        self._open[message.id] = message.sender
        self._queue.put_nowait(_Open(ask, again))
        return None

    async def run(self) -> None:
        """Runs for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._answer_one_by_one())

    async def _answer_one_by_one(self) -> None:
        while True:
            waiting = await self._queue.get()
            try:
                await waiting.again(Answer(await self._answer(waiting.ask.question)))
            finally:
                del self._open[waiting.ask.message.id]

    async def _answer(self, question: Question) -> Any:
        """What was found, or the Refusal that says why there is nothing."""
        try:
            async with asyncio.timeout(None if question.kind in _UNLIMITED else WAIT_SECONDS):
                return await self._find_out(question)
        except Refusal as refusal:
            return refusal
        except TimeoutError:
            return Refusal(Code.INTERNAL, "that took too long, nothing was done: try again later")
        except StorageBroken:
            raise
        except TookTooLong:
            return Refusal(
                Code.INTERNAL, "the books are too long to be compared here: run satmachine verify on the host"
            )
        except Exception:  # a bug in one question must not stop the others
            log.exception("question_failed", kind=question.kind)
            return Refusal(Code.INTERNAL, "that went wrong here, nothing was done: look at the log, try again later")

    async def _find_out(self, question: Question) -> Any:
        if question.read is not None:
            return await self._read(question)
        if question.kind == "wallet" and question.wallet is not None:
            return await self._test_wallet(question.wallet)
        if question.kind == "trial" and question.wallet is not None:
            return await self._try_wallet(question.wallet)
        if question.kind == "reconcile":
            return await self.reconcile_alone()
        if question.kind == "verify":
            return await self._verify()
        raise AssertionError(f"nobody answers {question.kind}")

    async def _read(self, question: Question) -> Any:
        assert question.read is not None
        try:
            return await self._db.read_apart(question.read, seconds=READ_SECONDS)
        except TookTooLong:
            raise Refusal(
                Code.BAD_REQUEST,
                "that is more than can be read in {seconds} s: ask for less with since and until, "
                "or run it on the host: satmachine export",
                seconds=READ_SECONDS,
            ) from None

    async def reconcile_alone(self) -> Reconciliation:
        """Refuses `bad_state` while that is being done already."""
        if self._reconciling:
            raise Refusal(Code.BAD_STATE, "the books are being compared already: the result comes when that is done")
        self._reconciling = True
        try:
            return await self._reconcile()
        finally:
            self._reconciling = False
