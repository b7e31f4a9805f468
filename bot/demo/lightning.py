"""A Lightning network in one process: accounts with msat, signed invoices, payments that move msat once per hash.

Everything that happens is a record of an append-only log, in memory and, where a path is given, on disk: what an
account holds follows from the log alone, so that a test can count double payments and losses from the wallets' and
the payees' side, whatever became of the bot. The state survives the process: `LightningNetwork(log_path=...)` reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.demo.books import Account, Books, Invoice, Payment, PaymentState
from bot.demo.invoices import Hop, Terms, encode, node_id
from nwc.ports import Clock

Watcher = Callable[[Payment], None]


class LightningError(Exception):
    """Why something was not paid. `code` is stable, the sentence is for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(slots=True)
class Route:
    """How the way to one payee behaves: how long it takes, whether it holds, how many payments fail first."""

    delay_seconds: float = 0.0
    held: bool = False
    failures_left: int = 0
    reason: str = "no route to the payee"


@dataclass(frozen=True, slots=True)
class Odd:
    """What payees get wrong about an invoice: another chain, another time, a preimage used before."""

    chain: str | None = None
    created_at: int | None = None
    preimage: bytes | None = None


class LightningNetwork:
    """The network. What happened is in `books`; here is what can be done.

    `routes` says how the way to a payee behaves. Payments between accounts of one node are free, others cost
    `fee_base_msat` + `fee_ppm`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        chain: str = "regtest",
        log_path: Path | None = None,
        seed: bytes | None = None,
        fee_base_msat: int = 0,
        fee_ppm: int = 0,
    ) -> None:
        self.clock = clock
        self.fee_base_msat = fee_base_msat
        self.fee_ppm = fee_ppm
        self.routes: dict[str, Route] = {}
        self.books = Books(log_path)
        if not self.books.opened:
            self._record("opened", seed=(seed or secrets.token_bytes(32)).hex(), chain=chain)
        self._seed = bytes.fromhex(self.books.opened["seed"])
        self.chain = str(self.books.opened["chain"])
        self._watchers: list[Watcher] = []
        self._done: dict[int, asyncio.Event] = {}
        self._travelling: set[asyncio.Task[None]] = set()

    def _record(self, kind: str, **what: Any) -> None:
        self.books.record(self.clock.now(), kind, **what)

    # -- accounts and invoices ---------------------------------------------------------------------------------------

    def add_account(self, name: str, balance_msat: int = 0, *, node: str | None = None) -> Account:
        """The account, made and funded if it was not there. Each has a node of its own unless `node` names one."""
        if name not in self.books.accounts:
            self._record("account", name=name, node=node or name)
            self.fund(name, balance_msat)
        return self.books.accounts[name]

    def fund(self, name: str, amount_msat: int) -> None:
        """Msat out of nowhere, or back into it where negative: the only change of the sum of all accounts."""
        if amount_msat:
            self._record("funded", account=name, amount_msat=amount_msat)

    def node_key(self, account: str) -> bytes:
        """The secret key of the node that the account is on."""
        return hashlib.sha256(self._seed + b"/node/" + self.books.accounts[account].node.encode()).digest()

    def node_id(self, account: str) -> str:
        return node_id(self.node_key(account))

    def make_invoice(
        self,
        account: str,
        amount_msat: int | None,
        *,
        description: str = "",
        description_hash: str | None = None,
        expiry_seconds: int = 3600,
        min_final_cltv: int = 18,
        hints: tuple[tuple[Hop, ...], ...] = (),
        metadata: dict[str, Any] | None = None,
        odd: Odd | None = None,
    ) -> Invoice:
        """A new invoice of `account`, with what is `odd` about it. ValueError for terms that BOLT 11 can't say."""
        odd = odd or Odd()
        preimage = odd.preimage or secrets.token_bytes(32)
        created_at = self.clock.now() if odd.created_at is None else odd.created_at
        terms = Terms(
            chain=odd.chain or self.chain,
            amount_msat=amount_msat,
            payment_hash=hashlib.sha256(preimage).hexdigest(),
            payment_secret=secrets.token_hex(32),
            created_at=created_at,
            description=description,
            description_hash=description_hash,
            expiry_seconds=expiry_seconds,
            min_final_cltv=min_final_cltv,
            hints=hints,
        )
        bolt11 = encode(terms, self.node_key(account))
        invoice = Invoice(
            bolt11=bolt11,
            payment_hash=terms.payment_hash,
            account=account,
            amount_msat=amount_msat,
            description=description,
            description_hash=description_hash,
            created_at=created_at,
            expires_at=created_at + expiry_seconds,
            metadata=metadata,
            preimage=preimage.hex(),
        )
        self._record("invoice", invoice=asdict(invoice))
        return self.books.newest_invoice(account)

    # -- payments ----------------------------------------------------------------------------------------------------

    def fee_msat(self, payer: str, payee: str, amount_msat: int) -> int:
        if self.books.accounts[payer].node == self.books.accounts[payee].node:
            return 0
        return self.fee_base_msat + amount_msat * self.fee_ppm // 1_000_000

    def start(
        self,
        payer: str,
        bolt11: str,
        *,
        amount_msat: int | None = None,
        metadata: dict[str, Any] | None = None,
        even_expired: bool = False,
    ) -> Payment:
        """A payment in flight: msat reserved, nothing moved, nobody working on it yet.

        `even_expired` is for wallets that pay expired invoices of their own. Raises LightningError: `unknown_invoice`,
        `already_paid`, `already_pending`, `expired`, `bad_amount`, `insufficient_balance`.
        """
        invoice = self.books.invoice_of(bolt11)
        if invoice is None:
            raise LightningError("unknown_invoice", "no node of this network made that invoice")
        if live := self.books.live_payment(invoice.payment_hash):
            already = "already_paid" if live.state == "settled" else "already_pending"
            raise LightningError(already, f"the invoice is {already.replace('_', ' ')}")
        if self.clock.now() >= invoice.expires_at and not even_expired:
            raise LightningError("expired", "the invoice has expired")
        if invoice.amount_msat is None:
            amount = amount_msat or 0
        else:
            amount = invoice.amount_msat
            if amount_msat not in (None, amount):
                raise LightningError("bad_amount", "the amount differs from the invoice's")
        if amount <= 0:
            raise LightningError("bad_amount", "the invoice leaves the amount to the payer and none was given")
        fee_msat = self.fee_msat(payer, invoice.account, amount)
        if amount + fee_msat > self.books.accounts[payer].spendable_msat:
            raise LightningError("insufficient_balance", "the balance does not cover amount and fee")
        self._record(
            "started", payer=payer, bolt11=invoice.bolt11, amount_msat=amount, fee_msat=fee_msat, metadata=metadata
        )
        return self.books.payments[-1]

    def settle(self, payment: Payment) -> None:
        """The payment arrives: msat move, once."""
        if payment.state != "pending":
            raise LightningError("not_pending", f"the payment is {payment.state}")
        self._record("settled", payment=payment.id)
        self._finish(payment)
        for watcher in tuple(self._watchers):
            watcher(payment)

    def fail(self, payment: Payment, reason: str) -> None:
        """The payment is given up and its msat are free again."""
        if payment.state != "pending":
            raise LightningError("not_pending", f"the payment is {payment.state}")
        self._record("failed", payment=payment.id, reason=reason)
        self._finish(payment)

    def send(self, payment: Payment, delay_seconds: float | None = None) -> None:
        """Sets a payment on its way: it ends by itself, as its route says, whether anybody waits for it or not."""
        task = asyncio.get_running_loop().create_task(self._travel(payment, delay_seconds))
        self._travelling.add(task)
        task.add_done_callback(self._travelling.discard)

    async def wait(self, payment: Payment, timeout_seconds: float) -> PaymentState:
        """The state of the payment once it is final, or `pending` after the timeout."""
        if payment.state == "pending":
            done = self._done.setdefault(payment.id, asyncio.Event())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await done.wait()
        return payment.state

    async def pay(
        self,
        payer: str,
        bolt11: str,
        *,
        amount_msat: int | None = None,
        metadata: dict[str, Any] | None = None,
        timeout_seconds: float = 30.0,
    ) -> Payment:
        """Pays and waits. Raises LightningError as `start`, `payment_failed`, or `in_flight` after the timeout."""
        payment = self.start(payer, bolt11, amount_msat=amount_msat, metadata=metadata)
        self.send(payment)
        state = await self.wait(payment, timeout_seconds)
        if state == "failed":
            raise LightningError("payment_failed", payment.reason or "the payment failed")
        if state == "pending":
            raise LightningError("in_flight", "the payment is still under way")
        return payment

    async def _travel(self, payment: Payment, delay_seconds: float | None) -> None:
        route = self.routes.get(payment.payee, Route())
        delay = route.delay_seconds if delay_seconds is None else delay_seconds
        if delay > 0:
            await asyncio.sleep(delay)
        if payment.state != "pending" or route.held:
            return
        if route.failures_left > 0:
            route.failures_left -= 1
            self.fail(payment, route.reason)
        else:
            self.settle(payment)

    def release(self, payee: str) -> list[Payment]:
        """Lets everything arrive that is held on its way to `payee`, and what comes after it."""
        self.routes.pop(payee, None)
        held = [payment for payment in self.books.payments if payment.payee == payee and payment.state == "pending"]
        for payment in held:
            self.settle(payment)
        return held

    def _finish(self, payment: Payment) -> None:
        if done := self._done.pop(payment.id, None):
            done.set()

    def watch(self, watcher: Watcher) -> None:
        """Calls `watcher` with every payment that settles."""
        self._watchers.append(watcher)

    def resume(self) -> None:
        """After a restart: what was under way goes on, as nodes do."""
        for payment in self.books.payments:
            if payment.state == "pending":
                self.send(payment)

    async def close(self) -> None:
        """Stops what is under way and closes the log; nothing is lost, `resume` takes it up."""
        for task in tuple(self._travelling):
            task.cancel()
        await asyncio.gather(*self._travelling, return_exceptions=True)
        self.books.close()
