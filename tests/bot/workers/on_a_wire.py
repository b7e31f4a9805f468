"""Real wallets and workers over the real books, with the relay taken out: a wire gives each request to `Bank`.

Time stands still but for what a test adds to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.wallets import Wallet
from bot.workers.wakeup import Bell, Bells
from nwc import bolt11
from nwc.client import WalletClient
from nwc.event import Event
from nwc.targets import FetchedInvoice, Target
from tests.handlers.desk import BOSS
from tests.handlers.till import POLICY, Till
from tests.nwc.made import URI, OpenCipher, WireToWallet, error_text, info_event, invoice, result_text, row


@dataclass
class DeskClock:
    till: Till

    def now(self) -> int:
        return self.till.now


@dataclass
class Bank:
    """Payees that make invoices, and the wallet that pays them: `silent_about` names methods it does not answer."""

    till: Till
    silent_about: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    """Payees, as often as they were asked for an invoice."""
    looked_up: list[str] = field(default_factory=list)
    incoming: dict[str, int] = field(default_factory=dict)
    """Payments of customers in this wallet: msat by hash."""
    away: dict[str, asyncio.Event] = field(default_factory=dict)
    """Payees that answer when theirs is set."""
    poison: set[str] = field(default_factory=set)
    """Payees at whom our own program trips."""
    held: set[str] = field(default_factory=set)
    """Payees who hold what they are paid: the wallet has nothing to answer yet."""
    paid: list[str] = field(default_factory=list)
    """Payees, as often as the wallet was told to pay them."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """What the wallet's list shows."""
    listed: int = 0
    """How often it was asked for it."""
    _payees: dict[str, str] = field(default_factory=dict)
    _preimages: dict[str, bytes] = field(default_factory=dict)

    def wallet(self, name: str = "main") -> Wallet:
        wire = WireToWallet(info_event())
        wire.answer = self._answer
        clock = DeskClock(self.till)
        wallet = Wallet(
            name=name,
            quarantine_override=0,
            db=self.till.desk.db,
            clock=clock,
            policy=POLICY,
            operators=lambda: frozenset({BOSS}),
            on_usable=lambda: None,
            on_payment=lambda _: None,
        )
        wallet.client = WalletClient(URI, wire, OpenCipher(), clock, wallet.on_answer, wallet.on_notification)
        wallet.listening = wire.connected
        wire.deliver = wallet.client.receive
        return wallet

    async def fetch_invoice(self, target: Target, amount_msat: int, comment: str = "") -> FetchedInvoice:
        self.asked.append(target.value)
        if target.value in self.poison:
            raise RuntimeError("a fault of ours")
        if target.value in self.away:
            await self.away[target.value].wait()
        preimage = hashlib.sha256(f"preimage {len(self._preimages)}".encode()).digest()
        payment_hash = hashlib.sha256(preimage).hexdigest()
        self._preimages[payment_hash], self._payees[payment_hash] = preimage, target.value
        return FetchedInvoice(invoice(amount_msat, preimage=preimage, created_at=self.till.now))

    def _answer(self, method: str, params: dict[str, object], event: Event) -> list[str]:
        if method in self.silent_about:
            return []
        if method == "pay_invoice":
            payment_hash = bolt11.decode(str(params["invoice"])).payment_hash
            self.paid.append(self._payees[payment_hash])
            if self._payees[payment_hash] in self.held:
                return []
            return [result_text(method, {"preimage": self._preimages[payment_hash].hex(), "fees_paid": 0})]
        if method == "lookup_invoice":
            payment_hash = str(params["payment_hash"])
            self.looked_up.append(payment_hash)
            if payment_hash in self.incoming:
                amount = self.incoming[payment_hash]
                shown = row(type="incoming", payment_hash=payment_hash, amount=amount, state="settled", settled_at=1)
                return [result_text(method, shown)]
            return [error_text(method, "NOT_FOUND")]
        if method == "list_transactions":
            self.listed += 1
            return [result_text(method, {"transactions": self.sent})]
        return [result_text(method, {"balance": 10**9})]


def bell_for(till: Till, *names: str) -> Bell:
    """Rung by commits, as in the running bot."""
    bells = Bells()
    till.desk.db.on_commit(bells.touched)
    return bells.for_names(*names)


@contextlib.asynccontextmanager
async def running(*workers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """They run until the end of the block; what one of them raises is raised there."""
    tasks = [asyncio.create_task(worker) for worker in workers]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def becomes(true: Callable[[], Awaitable[bool]], what: str, seconds: float = 4.0) -> None:
    """Returns as soon as `true()`; fails the test when that takes longer than `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await true():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


async def count(till: Till, statement: str, *values: Any, is_: int) -> None:
    """Returns as soon as the statement counts so many."""

    async def there() -> bool:
        return await till.desk.count(statement, *values) == is_

    try:
        await becomes(there, f"{is_}: {statement}")
    except AssertionError as error:
        legs = "SELECT id, status, tries, reason, next_try_at FROM legs"
        rows = await till.desk.tx(lambda tx: [tuple(row) for row in tx.all(legs)])
        raise AssertionError(f"{error}\n{rows}\n{await till.desk.count(statement, *values)}, now {till.now}") from None
