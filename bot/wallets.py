"""A machine's wallet in operation: its connection, what is waited for from it, and whether it may pay.

What comes from the wallet is booked here at once, whoever asked for it and however late it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from handlers import payment, wallet_trouble
from handlers.payment import PaymentPolicy
from ledger.states import AttemptState
from nwc.client import WalletClient
from nwc.evidence import classify_answer, classify_notification
from nwc.messages import Answer, ErrorAnswer, MalformedAnswer, Notification, PayResult
from nwc.ports import Clock
from nwc.requests import SignedRequest, missing_methods
from nwc.trouble import WalletTrouble
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

MAX_WORDS_WAITING: Final = 2_000
CLOCK_SECONDS: Final = 120
USABLE_LOOK_SECONDS: Final = 1.0
UNUSABLE_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class _Word:
    """Something the wallet said that is to be booked."""

    request_id: str | None
    answer: Answer | None
    notification: Notification | None
    at: int


@dataclass(slots=True)
class Wallet:
    """One `[wallets.NAME]`. `client` is set right after construction, for it calls back here."""

    name: str
    quarantine_override: int
    db: Database
    clock: Clock
    policy: PaymentPolicy
    operators: Callable[[], frozenset[str]]
    on_usable: Callable[[], None]
    """Called when the wallet can be asked from now on."""
    on_payment: Callable[[str], None]
    """Called with the hash of a payment that the wallet says came in or went out: a settlement may wait for it."""
    finds_profile: bool = False
    """Whether the configuration leaves it to the bot what kind of wallet this is."""
    client: WalletClient = field(init=False)
    listening: Callable[[], bool] = field(init=False)
    """Whether its answers can be heard."""
    last_answer_at: int | None = None
    trials: dict[str, asyncio.Future[Answer]] = field(default_factory=dict)
    """Who waits for the answer to a request that pays the wallet itself, by the request's id."""
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    _words: asyncio.Queue[_Word] = field(default_factory=lambda: asyncio.Queue(MAX_WORDS_WAITING))

    # --- readiness ---------------------------------------------------------------------------------------------------

    async def refusal(self) -> str | None:
        """Why nothing can be paid from this wallet now; None if it can."""
        if not self.listening():
            return "none of its relays is connected"
        try:
            info = await self.client.ready()
        except WalletTrouble as trouble:
            return str(trouble)
        missing = missing_methods(info)
        if missing:
            return f"it does not offer {', '.join(missing)}: payments from it could not be followed up"
        return None

    async def can_be_heard(self, within_seconds: float) -> bool:
        """Whether its answers can be heard now or so soon: a question may come while the bot is just starting."""
        deadline = asyncio.get_running_loop().time() + within_seconds
        while not self.listening():
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(UNUSABLE_LOOK_SECONDS)
        return True

    def clock_agrees(self) -> bool:
        """Whether its newest answer was dated, a moment ago, as our own clock would have."""
        difference = self.client.clock_difference(CLOCK_SECONDS)
        return difference is not None and abs(difference) <= CLOCK_SECONDS

    # --- paying ------------------------------------------------------------------------------------------------------

    async def publish_and_wait(self, request: SignedRequest, seconds: float) -> None:
        """Publishes a stored request and returns when an answer to it or the proof is booked, or after so many seconds.

        Says nothing about the payment: what came of it is in the database.
        """
        answered = self._waiting.setdefault(request.payment_hash, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await self.client.publish(request)
                await answered.wait()
        except TimeoutError:
            log.info("payment_unanswered", wallet=self.name, payment_hash=request.payment_hash)
        finally:
            self._waiting.pop(request.payment_hash, None)

    def stop_waiting(self, payment_hash: str) -> None:
        """There is nothing more to wait for: whoever waits for an answer about this payment makes room for another."""
        if (waiter := self._waiting.get(payment_hash)) is not None:
            waiter.set()

    # --- what comes --------------------------------------------------------------------------------------------------

    def on_answer(self, request_id: str, answer: Answer) -> None:
        """An answer to a payment request of ours, early or late."""
        trial = self.trials.get(request_id)
        if trial is not None:
            self.last_answer_at = self.clock.now()
            if not trial.done():
                trial.set_result(answer)
            return
        self._take(_Word(request_id, answer, None, self.clock.now()))

    def on_notification(self, notification: Notification) -> None:
        self._take(_Word(None, None, notification, self.clock.now()))

    def _take(self, word: _Word) -> None:
        self.last_answer_at = word.at
        try:
            self._words.put_nowait(word)
        except asyncio.QueueFull:
            # Nothing is lost for good: look-ups find what an answer would have told.
            log.warning("wallet_too_talkative", wallet=self.name)

    async def run(self) -> None:
        """Books what the wallet says, many at once so that one commit serves all of them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_usable())
            room = asyncio.Semaphore(128)
            while True:
                word = await self._words.get()
                await room.acquire()
                group.create_task(self._book(word)).add_done_callback(lambda _: room.release())

    async def _watch_usable(self) -> None:
        """Tells at once when the wallet can be asked, at the start and after each time that it could not."""
        was = False
        while True:
            usable = self.listening() and self.client.info is not None
            if usable and not was:
                self.on_usable()
            was = usable
            await asyncio.sleep(USABLE_LOOK_SECONDS if usable else UNUSABLE_LOOK_SECONDS)

    async def _book(self, word: _Word) -> None:
        try:
            if word.request_id is not None and word.answer is not None:
                await self._book_answer(word.request_id, word.answer, word.at)
            elif word.notification is not None:
                await self._book_notification(word.notification, word.at)
        except StorageBroken:
            raise
        except Exception:
            log.exception("wallet_word_not_booked", wallet=self.name)

    async def _book_answer(self, request_id: str, answer: Answer, at: int) -> None:
        def work(tx: Tx) -> str | None:
            unsure = isinstance(answer, ErrorAnswer | MalformedAnswer)
            payment_hash, first = payment.answered(tx, request_id, at, ask_soon=unsure, policy=self.policy)
            if payment_hash is None:
                return None
            found = classify_answer(payment_hash, answer)
            code = {"code": answer.code} if isinstance(answer, ErrorAnswer) else None
            payment.learn(tx, payment_hash, found, source="pay", asked_at=at, policy=self.policy, now=at, extra=code)
            if first and isinstance(answer, ErrorAnswer):
                wallet_trouble.heed(tx, self.name, request_id, payment_hash, answer, self.operators(), at)
            return payment_hash

        payment_hash = await self.db.write(work)
        if not isinstance(answer, PayResult):
            log.info("payment_answer", wallet=self.name, payment_hash=payment_hash, answer=type(answer).__name__)
        if payment_hash is not None:
            self.stop_waiting(payment_hash)

    async def _book_notification(self, notification: Notification, at: int) -> None:
        row = notification.transaction
        if row is None:
            return
        if notification.type == "payment_sent":
            found = classify_notification(row.payment_hash, notification)
            state = await self.db.write(
                lambda tx: payment.learn(
                    tx, row.payment_hash, found, source="notification", asked_at=at, policy=self.policy, now=at
                )
            )
            if state is AttemptState.SETTLED:
                self.stop_waiting(row.payment_hash)
        self.on_payment(row.payment_hash)
