"""Finds out what became of attempts that were sent, until it is known; and takes up what an earlier run left.

It asks the wallet, and where that is not enough the wallet's list and the payee. It publishes again the same bytes,
or a new request for the same invoice, and releases an attempt only when nothing is missing for that (ledger).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from bot.wallets import Wallet
from bot.workers.wakeup import Bell
from handlers import past, payment
from handlers.payment import PaymentPolicy
from ledger.decide.attempt import Dossier, counts_from, may_pay_again, resend_due, same_wallet
from ledger.model import Attempt
from ledger.states import AttemptState, EvidenceClass
from nwc.evidence import Evidence, Listing, classify_list, classify_lookup, classify_verify, says_not_found
from nwc.fetch import FetchFailed, GuardedHttp
from nwc.lnurl import PayeeRefused, check_verify
from nwc.messages import Transaction
from nwc.ports import Clock
from nwc.requests import SignedRequest
from nwc.trouble import WalletError, WalletTrouble
from storage import attempts
from storage.db import Database
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

ASK_AT_ONCE: Final = 8
BATCH: Final = 256
ALL: Final = 1_000_000
LIST_MARGIN_SECONDS: Final = 3_600
"""A wallet's clock may be behind ours when it dates a payment."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Of the wallet's list, all that it sent and what of it was paid; None where it did not answer."""

    number: int
    asked_at: int
    everything: Listing | None
    settled: Listing | None


class Resolver:
    """The one task that follows up the attempts of `wallet`."""

    def __init__(
        self,
        wallet: Wallet,
        db: Database,
        http: GuardedHttp,
        clock: Clock,
        bell: Bell,
        *,
        policy: PaymentPolicy,
        ask_seconds: float,
        clock_sane: Callable[[], bool],
        may_pay: Callable[[], bool],
    ) -> None:
        self._wallet = wallet
        self._db = db
        self._http = http
        self._clock = clock
        self._bell = bell
        self._policy = policy
        self._ask_seconds = ask_seconds
        self._clock_sane = clock_sane
        self._may_pay = may_pay
        self._asking = asyncio.Semaphore(ASK_AT_ONCE)
        self._reading = asyncio.Lock()
        self._readings = 0
        """How often the wallet's list was begun to be read."""
        self._read: _Reading | None = None
        self._list_since: list[int] = []
        """From when on those need it who wait for it."""
        self._in_hand: set[str] = set()
        self.loaded = False
        """Whether the attempts of an earlier run are known."""
        self.taken_up = asyncio.Event()
        """Set once each attempt that was there at the start has been looked at: only then is anything new paid."""

    async def run(self) -> None:
        left = await self._due(limit=ALL)
        self.loaded = True
        async with asyncio.TaskGroup() as group:
            first = [group.create_task(self._look(attempt)) for attempt in left]
            group.create_task(self._all_taken_up(first))
            while True:
                for attempt in await self._due():
                    group.create_task(self._look(attempt), name=f"resolve {attempt.payment_hash[-8:]}")
                await self._bell.wait(await self._seconds_to_next())

    async def _seconds_to_next(self) -> float:
        """No longer than the shortest delay of a look-up: what is sent meanwhile is not announced to this task."""
        now, soonest = self._clock.now(), self._policy.attempt.resolve[0]
        at = await self._db.read(lambda tx: attempts.next_check_at(tx, self._wallet.name, now))
        return soonest if at is None else min(at - now, soonest)

    async def _all_taken_up(self, first: list[asyncio.Task[None]]) -> None:
        if first:
            await asyncio.wait(first)
        self.taken_up.set()

    async def _due(self, limit: int = BATCH) -> list[Attempt]:
        now = self._clock.now()
        busy = frozenset(self._in_hand)
        due = await self._db.read(lambda tx: attempts.to_check(tx, self._wallet.name, now, limit, busy))
        self._in_hand.update(attempt.payment_hash for attempt in due)
        return due

    async def _look(self, attempt: Attempt) -> None:
        payment_hash = attempt.payment_hash
        try:
            async with self._asking:
                await self._resolve(payment_hash)
        except (StorageBroken, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("attempt_held", payment_hash=payment_hash, wallet=self._wallet.name)
            return  # a fault of ours: it stays in hand, untouched, until somebody has looked
        self._in_hand.discard(payment_hash)

    async def _resolve(self, payment_hash: str) -> None:
        dossier = await self._dossier(payment_hash)
        if dossier is None or dossier.attempt.state not in (AttemptState.SENT, AttemptState.CLAIMED):
            return
        await self._publish_again(dossier)
        found = await self._ask(dossier.attempt)
        if found is EvidenceClass.NEGATIVE and dossier.attempt.state is AttemptState.SENT:
            now = self._clock.now()
            if now >= counts_from(dossier, self._policy.attempt):
                await self._try_to_release(dossier.attempt)
            elif now < dossier.attempt.expires_at + self._policy.attempt.release_margin:
                await self._pay_again(payment_hash)
        await self._db.write(lambda tx: payment.checked(tx, payment_hash, self._policy, self._clock.now()))

    async def _dossier(self, payment_hash: str) -> Dossier | None:
        return await self._db.read(lambda tx: attempts.dossier(tx, payment_hash, self._wallet.quarantine_override))

    async def _publish_again(self, dossier: Dossier) -> None:
        """The same bytes once more, where no answer came and the request still lives."""
        request = resend_due(dossier, self._clock.now(), self._policy.attempt)
        if request is None or not self._may_pay():
            return
        payment_hash, policy = dossier.attempt.payment_hash, self._policy
        text = await self._db.write(
            lambda tx: payment.say_again(tx, payment_hash, request.event_id, policy, self._clock.now())
        )
        if text is not None:
            await self._wallet.client.publish(SignedRequest.load(text, payment_hash))

    async def _pay_again(self, payment_hash: str) -> None:
        """A further request for the same invoice, where none lives any more and the wallet knows nothing of it."""
        dossier = await self._dossier(payment_hash)
        if dossier is not None and not same_wallet(dossier):
            await self._ask_control(dossier.attempt)
            dossier = await self._dossier(payment_hash)
        now = self._clock.now()
        if dossier is None or not self._may_pay() or not may_pay_again(dossier, now, self._policy.attempt):
            return
        leg_id = dossier.attempt.leg_id
        request = self._wallet.client.prepare_pay(
            dossier.attempt.invoice,
            expires_at=payment.request_lifetime(dossier.attempt, self._policy, now),
            metadata=await self._db.read(lambda tx: past.metadata(tx, leg_id)),
        )
        if await self._db.write(lambda tx: payment.pay_again(tx, payment_hash, request, self._policy, now)):
            await self._wallet.client.publish(request)

    async def _ask(self, attempt: Attempt) -> EvidenceClass:
        """A look-up, and where that reads both ways the list; both are stored. What it came to."""
        asked_at = self._clock.now()
        looked_up = await self._look_up(attempt.payment_hash)
        found = classify_lookup(attempt.payment_hash, looked_up)
        if found.cls is EvidenceClass.AMBIGUOUS:
            listed = await self._ask_list(attempt)
            if listed is EvidenceClass.NEGATIVE:  # the list decides what the look-up meant
                found = Evidence(EvidenceClass.NEGATIVE, found.source, None, f"{found.detail}; by the list: not paid")
            elif listed in (EvidenceClass.PROOF, EvidenceClass.CLAIM):
                return listed
        if found.cls is not EvidenceClass.NONE:  # silence is no evidence, and would fill the disk
            await self._learn(attempt.payment_hash, found, "lookup", asked_at)
        return found.cls

    async def _look_up(self, payment_hash: str) -> Transaction | WalletTrouble:
        try:
            found = await self._wallet.client.lookup_invoice(payment_hash, self._ask_seconds)
        except WalletTrouble as trouble:
            return trouble
        self._wallet.last_answer_at = self._clock.now()
        return found

    async def _ask_list(self, attempt: Attempt) -> EvidenceClass:
        reading = await self._read_list(attempt.created_at - LIST_MARGIN_SECONDS)
        if reading.everything is None or reading.settled is None:
            return EvidenceClass.NONE
        found = classify_list(attempt.payment_hash, reading.settled, reading.everything)
        await self._learn(attempt.payment_hash, found, "list", reading.asked_at)
        return found.cls

    async def _read_list(self, since: int) -> _Reading:
        """What the wallet sent since then, asked from here on. Many wait for it where many payments are in doubt: who
        comes while it is being read shares the next reading with all others who do."""
        begun = self._readings
        self._list_since.append(since)
        try:
            async with self._reading:
                if self._read is None or self._read.number <= begun:
                    self._readings += 1
                    self._read = await self._read_list_anew(self._readings, min(self._list_since))
                return self._read
        finally:
            self._list_since.remove(since)
            if not self._list_since:
                self._read = None  # it may be long

    async def _read_list_anew(self, number: int, since: int) -> _Reading:
        asked_at = self._clock.now()
        try:
            # In this order: what settles in between is then in both, or in the one that counts as settled.
            everything = await self._wallet.client.list_transactions(since, direction="outgoing", unpaid=True)
            settled = await self._wallet.client.list_transactions(since, direction="outgoing")
        except WalletTrouble:
            return _Reading(number, asked_at, None, None)
        return _Reading(number, asked_at, everything, settled)

    async def _try_to_release(self, attempt: Attempt) -> None:
        """Gathers what a release takes besides the look-up; the decision is made with the rows, in one commit."""
        if await self._ask_list(attempt) is not EvidenceClass.NEGATIVE:
            return
        await self._ask_control(attempt)
        if attempt.verify_url is not None:
            await self._ask_payee(attempt, attempt.verify_url)
        missing = await self._db.write(
            lambda tx: payment.release(
                tx,
                attempt.payment_hash,
                self._wallet.quarantine_override,
                self._policy,
                self._clock.now(),
                clock_sane=self._clock_sane() and self._wallet.clock_agrees(),
            )
        )
        log.info("release", payment_hash=attempt.payment_hash, missing=list(missing))

    async def _ask_control(self, attempt: Attempt) -> None:
        asked_at = self._clock.now()
        control = await self._db.read(lambda tx: attempts.control_hash(tx, attempt))
        if control is None:
            return
        known, direction = control
        looked_up = await self._look_up(known)
        cls = EvidenceClass.NONE
        if isinstance(looked_up, WalletError) and says_not_found(looked_up):
            cls = EvidenceClass.NEGATIVE
        elif isinstance(looked_up, Transaction) and (looked_up.payment_hash, looked_up.direction) == (known, direction):
            settled = looked_up.state == "settled" or (looked_up.state is None and looked_up.settled_at is not None)
            cls = EvidenceClass.PROOF if settled else EvidenceClass.NEGATIVE
        await self._db.write(
            lambda tx: payment.note_control(tx, attempt.payment_hash, cls, asked_at=asked_at, now=self._clock.now())
        )

    async def _ask_payee(self, attempt: Attempt, url: str) -> None:
        asked_at = self._clock.now()
        try:
            answer = await check_verify(self._http, url, attempt.invoice)
        except (FetchFailed, PayeeRefused) as failed:
            log.info("verify_failed", payment_hash=attempt.payment_hash, reason=str(failed))
            return
        await self._learn(attempt.payment_hash, classify_verify(attempt.payment_hash, answer), "verify", asked_at)

    async def _learn(self, payment_hash: str, found: Evidence, source: str, asked_at: int) -> None:
        now = self._clock.now()
        state = await self._db.write(
            lambda tx: payment.learn(
                tx, payment_hash, found, source=source, asked_at=asked_at, policy=self._policy, now=now
            )
        )
        if state is AttemptState.SETTLED:
            self._wallet.stop_waiting(payment_hash)
