"""Pays what is owed from one wallet: legs side by side, a bounded number, one slow payee in nobody's way.

For each leg: an invoice is fetched and checked, stored as `ready`, then stored as `sent` with the signed request, and
only then published. Whatever comes back is booked by bot/wallets.py; what does not come back is for the resolver.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from bot.wallets import Wallet
from bot.workers.recollection import read_sent
from bot.workers.wakeup import Bell
from handlers import past, payment
from handlers.payment import Go, PaymentPolicy
from ledger.model import Attempt, Leg
from ledger.states import AttemptState
from nwc import bolt11
from nwc.bolt11 import BadInvoice
from nwc.invoice_rules import InvoiceRefused, InvoiceRules, check_invoice
from nwc.ports import Clock
from nwc.targets import BadTarget, TargetFailed, Targets, parse_target
from nwc.trouble import WalletTrouble
from storage import attempts, legs, wallets
from storage.attempts import NewAttempt
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

MAX_LEGS_IN_HAND: Final = 64
"""Legs that are fetched, wait for a slot or for an answer: more than are paid at once, for some payees are slow."""
MAX_LEGS_OF_ONE_PAYEE: Final = 4
"""A payee whose server is slow holds up its own legs."""
RETRY_SECONDS: Final = 5
SEARCH_AGAIN_SECONDS: Final = (5, 10, 20)
"""A wallet that does not show what it sent, asked once more after each of these, is paid from all the same, and the
operators are told: the books are seldom lost, and some wallets' lists never come."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits within which a wallet pays, from the configuration."""

    policy: PaymentPolicy
    invoices: InvoiceRules
    allow_private: bool
    own_addresses: frozenset[str]
    """Lightning addresses of the wallets that are paid from, as their connections name them."""
    in_flight: int
    """Requests that may wait for an answer at once."""
    timeout_seconds: float
    """How long one waits for it before it makes room for another."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be taken in hand."""

    ready: list[Attempt]
    due: list[Leg]
    next_at: int | None
    """When a leg that waits for its time comes due."""
    full: bool
    """Whether there was room for no more."""
    search_from: int | None = None
    """From when on the wallet's list is to be searched first for what these books forgot."""


class Payer:
    """The one task that pays from `wallet`. `may_pay` says whether the bot as a whole may: it hears its relays, it is
    not stopping, the books are in order."""

    def __init__(
        self,
        wallet: Wallet,
        db: Database,
        targets: Targets,
        clock: Clock,
        bell: Bell,
        *,
        rules: Rules,
        may_pay: Callable[[], bool],
    ) -> None:
        self._wallet = wallet
        self._db = db
        self._targets = targets
        self._clock = clock
        self._bell = bell
        self._rules = rules
        self._policy = rules.policy
        self._slots = asyncio.Semaphore(rules.in_flight)
        self._may_pay = may_pay
        self._in_hand: set[int] = set()
        self._payees: dict[int, str] = {}
        """Of the legs in hand."""
        self.held: set[int] = set()
        """Legs at whose payment a fault of ours showed after an invoice was stored: touched no more by this run."""
        self._more = False
        """Whether legs may wait for the place of one that is in hand."""
        self._unread = 0
        """How often the wallet's list was asked for in vain before its first payment."""
        self._asked_at: int | None = None
        """When it was, last."""
        self._paid_unseen_from: int | None = None
        """From when on the wallet's list is not waited for any more."""
        self._group = asyncio.TaskGroup()
        self.talking = 0
        """Requests that were published and are being waited for."""

    async def run(self, taken_up: asyncio.Event) -> None:
        """Runs for ever. `taken_up` is set once every attempt of an earlier run has been looked at."""
        async with self._group:
            await taken_up.wait()
            while True:
                await self._bell.wait(await self._start_due())

    async def _start_due(self) -> float:
        """Takes in hand what is `ready` already, then payable legs; returns the seconds until there may be more."""
        if not self._may_pay() or await self._wallet.refusal() is not None:
            return RETRY_SECONDS
        room = MAX_LEGS_IN_HAND - len(self._in_hand)
        if room <= 0:
            self._more = True
            return RETRY_SECONDS
        now = self._clock.now()
        busy = frozenset(self._in_hand | self.held)
        in_hand = Counter(self._payees.values())
        found = await self._db.read(lambda tx: self._find(tx, now, room, busy, in_hand))
        since = found.search_from
        if since is not None and (self._paid_unseen_from is None or since < self._paid_unseen_from):
            pause = SEARCH_AGAIN_SECONDS[self._unread - 1]
            if self._asked_at is None or not 0 <= now - self._asked_at < pause:
                return await self._search(since, now)
            return pause - (now - self._asked_at)
        for attempt in found.ready:
            self._take(attempt.leg_id, attempt)
        for leg in found.due:
            self._payees[leg.id] = leg.payee
            self._take(leg.id, None)
        many = max(Counter(self._payees.values()).values(), default=0)
        self._more = found.full or many >= MAX_LEGS_OF_ONE_PAYEE
        return RETRY_SECONDS if found.next_at is None else found.next_at - now

    def _find(self, tx: Tx, now: int, room: int, busy: frozenset[int], in_hand: Mapping[str, int]) -> _Found:
        name = self._wallet.name
        known = wallets.get(tx, name)
        if known is None or known.paused_at is not None:
            return _Found([], [], None, full=False)
        if known.pauses:  # it refused before: one leg at a time, until one is paid
            room = min(room, 1) if not self._in_hand else 0
        ready = [each for each in attempts.ready(tx, name) if each.leg_id not in busy and self._goes(tx, each, now)]
        ready = ready[:room]
        due = legs.payable(tx, name, now, room - len(ready), busy, MAX_LEGS_OF_ONE_PAYEE, in_hand)
        wanted = [*(each.leg_id for each in ready), *(each.id for each in due)]
        search_from = past.unsearched(tx, name, wanted) if wanted else None
        return _Found(ready, due, legs.next_payable_at(tx, name, now), len(wanted) == room, search_from)

    async def _search(self, since: int, now: int) -> float:
        """Reads what the wallet sent since then: what these books forgot is known from it. Returns the seconds until
        there may be more to do."""
        name, operators = self._wallet.name, self._policy.operators
        try:
            everything, settled = await read_sent(self._wallet.client, since)
            whole = await self._db.write(
                partial(
                    past.note_search,
                    wallet=name,
                    settled=settled,
                    everything=everything,
                    since=since,
                    operators=operators,
                    now=self._clock.now(),
                )
            )
            why = "it does not show all of it"
        except WalletTrouble as trouble:
            whole, why = False, str(trouble)
        if whole:
            self._unread, self._asked_at = 0, None
            return 0
        log.warning("wallet_list_unread", wallet=name, reason=why)
        self._unread, self._asked_at = self._unread + 1, now
        if self._unread <= len(SEARCH_AGAIN_SECONDS):
            return SEARCH_AGAIN_SECONDS[self._unread - 1]
        self._unread, self._asked_at, self._paid_unseen_from = 0, None, since
        await self._db.write(lambda tx: past.pay_unseen(tx, name, operators, self._clock.now()))
        return 0

    def _goes(self, tx: Tx, attempt: Attempt, now: int) -> bool:
        """Whether what is ready may leave, or is to be dropped; what somebody holds must not take others' places."""
        leg = legs.get(tx, attempt.leg_id)
        late = attempt.expires_at - now < self._policy.invoice_min_left
        return late or leg is None or payment.may_leave(tx, attempt, leg, self._policy, now)

    def _take(self, leg_id: int, attempt: Attempt | None) -> None:
        self._in_hand.add(leg_id)
        self._group.create_task(self._work(leg_id, attempt), name=f"pay P{leg_id}")

    async def _work(self, leg_id: int, attempt: Attempt | None) -> None:
        try:
            if attempt is None:
                attempt = await self._prepare_or_give_up(leg_id)
            if attempt is not None:
                await self._send(attempt)
        except (StorageBroken, asyncio.CancelledError):
            raise
        except Exception:
            # A fault of ours with an invoice that may have left: nothing is tried with it until somebody has looked.
            log.exception("leg_held", leg=f"P{leg_id}", wallet=self._wallet.name)
            self.held.add(leg_id)
        finally:
            self._in_hand.discard(leg_id)
            self._payees.pop(leg_id, None)
        if self._more:
            self._bell.ring()

    async def _prepare_or_give_up(self, leg_id: int) -> Attempt | None:
        """A fault of ours before an invoice is stored has had no effect in the world: it costs the leg a try."""
        try:
            return await self._prepare(leg_id)
        except (StorageBroken, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("leg_not_prepared", leg=f"P{leg_id}", wallet=self._wallet.name)
            reason = "a fault of this program: its log says more"
            await self._db.write(lambda tx: payment.not_fetched(tx, leg_id, reason, self._policy, self._clock.now()))
            return None

    async def _prepare(self, leg_id: int) -> Attempt | None:
        """From an open leg to an attempt that is ready."""
        go, leg = await self._db.write(lambda tx: payment.open_leg(tx, leg_id, self._policy, self._clock.now()))
        if go is not Go.YES or leg is None:
            return None
        try:
            new = await self._fetch(leg)
        except TargetFailed as failed:
            await self._not_fetched(leg, failed)
            return None
        except (BadTarget, BadInvoice, InvoiceRefused) as refused:
            reason = str(refused)
            await self._db.write(lambda tx: payment.not_fetched(tx, leg_id, reason, self._policy, self._clock.now()))
            return None
        if not self._may_pay():
            return None
        return await self._db.write(lambda tx: payment.ready(tx, leg_id, new, self._policy, self._clock.now()))

    async def _not_fetched(self, leg: Leg, failed: TargetFailed) -> None:
        now = self._clock.now()
        reason = str(failed)
        log.info("target_failed", leg=f"P{leg.id}", reason=reason)
        if failed.reason == "out_of_range":
            await self._db.write(lambda tx: payment.unpayable(tx, leg.id, reason, now))
        else:
            await self._db.write(lambda tx: payment.not_fetched(tx, leg.id, reason, self._policy, now))

    async def _fetch(self, leg: Leg) -> NewAttempt:
        """Asks the payee for an invoice and checks it. The most dangerous call of the program: see payouts."""
        if leg.target is None:
            raise AssertionError(f"open leg P{leg.id} without a target")
        target = parse_target(leg.target, allow_private=self._rules.allow_private)
        if target.value in self._rules.own_addresses:
            raise BadTarget(
                "{target} is the address of a wallet that we pay from: a payment to ourselves", target=target.shown
            )
        fetched = await self._targets.fetch_invoice(target, leg.due_msat, f"satmachine P{leg.id}")
        invoice = bolt11.decode(fetched.invoice_text)
        warning = check_invoice(
            invoice,
            self._rules.invoices,
            amount_msat=leg.due_msat,
            now=self._clock.now(),
            description_hash=fetched.description_hash,
        )
        if warning:
            log.info("invoice_warning", leg=f"P{leg.id}", warning=warning)
        return NewAttempt(
            payment_hash=invoice.payment_hash,
            invoice=invoice.text,
            amount_msat=leg.due_msat,
            payee_key=invoice.payee,
            expires_at=invoice.expires_at,
            verify_url=fetched.verify_url,
        )

    async def _send(self, attempt: Attempt) -> None:
        """From ready to sent, then out; waits for an answer no longer than the time for one."""
        async with self._slots:
            if not self._may_pay() or attempt.state is not AttemptState.READY:
                return
            try:
                await self._wallet.client.ready()
                metadata = await self._db.read(lambda tx: past.metadata(tx, attempt.leg_id))
                now = self._clock.now()  # nothing is waited for until it is signed: the clock may leap meanwhile
                request = self._wallet.client.prepare_pay(
                    attempt.invoice,
                    expires_at=payment.request_lifetime(attempt, self._policy, now),
                    metadata=metadata,
                )
            except WalletTrouble as trouble:
                log.info("wallet_not_ready", wallet=self._wallet.name, reason=str(trouble))
                return  # it stays ready, and is taken in hand again
            if not await self._db.write(lambda tx: payment.send(tx, attempt.payment_hash, request, self._policy, now)):
                return
            self.talking += 1
            try:
                await self._wallet.publish_and_wait(request, self._rules.timeout_seconds)
            finally:
                self.talking -= 1
