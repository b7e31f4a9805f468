"""Wallets as they are met in the field: each a way of acting on NIP-47 requests that has cost somebody money.

They differ from the honest wallet in what they say; the msat move on the Lightning network all the same, once per hash,
and its books tell the truth. `make("lnbits", ...)` builds one by name. Times are seconds of the wallet's clock, but for
`..._after_seconds`, which really pass; None there means: when the test says so (`settle_now`).
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Iterable
from typing import Any

from bot.demo.books import Payment
from bot.demo.wallet_behaviour import Entry
from bot.demo.wallet_messages import Reply, Request, WalletError
from bot.demo.wallet_service import HostedWallet
from tests.parts.field_wallets import Alby, Lnbits
from tests.parts.personality import Personality
from tests.parts.tricks import Trick, with_preimage


class Honest(Personality):
    """What NIP-47 says."""


class Sloppy(Personality):
    """Does everything it is asked, and loses, delays, doubles, reorders and garbles its answers. Seeded."""

    name = "sloppy"

    def __init__(self, tricks: Iterable[Trick] = (), *, seed: int = 1, latest_seconds: float = 0.3) -> None:
        super().__init__(tricks)
        self.latest_seconds = latest_seconds
        self._chance = random.Random(seed)
        self._held_back: deque[tuple[Request, Reply]] = deque()

    async def send(self, wallet: HostedWallet, request: Request, reply: Reply) -> None:
        ways = ["plain", "lost", "late", "twice", "held"]
        if request.method == "pay_invoice" and reply.result is not None:
            ways += ["wrong_preimage_first", "error_first"]
        late = self._chance.uniform(0, self.latest_seconds)
        match self._chance.choice(ways):
            case "lost":
                return
            case "held":
                # Out of order: it leaves after the answer to a later request, if there ever is one.
                self._held_back.append((request, reply))
                return
            case "late":
                await asyncio.sleep(late)
            case "twice":
                await wallet.respond(request, reply)
                await asyncio.sleep(late)
            case "wrong_preimage_first":
                await wallet.respond(request, with_preimage(reply, secrets.token_hex(32)))
                await asyncio.sleep(late)
            case "error_first":
                error = WalletError("PAYMENT_FAILED", "no route")
                await wallet.respond(request, Reply(request.method, error=error))
                await asyncio.sleep(late)
        await wallet.respond(request, reply)
        while self._held_back:
            await wallet.respond(*self._held_back.popleft())

    async def settled(self, wallet: HostedWallet, payment: Payment) -> None:
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            await super().settled(wallet, payment)


class Liar(Personality):
    """Says PAYMENT_FAILED while the payment is under way, and for `blind_seconds` that it knows nothing of it."""

    name = "liar"

    def __init__(
        self, tricks: Iterable[Trick] = (), *, settle_after_seconds: float | None = 0.5, blind_seconds: int = 2
    ) -> None:
        super().__init__(tricks)
        self.settle_after_seconds = settle_after_seconds
        self.blind_seconds = blind_seconds

    async def pay_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        payment = self.earlier_payment(wallet, params)
        if payment is None:
            payment = self.start_payment(wallet, params)
            if self.settle_after_seconds is not None:
                wallet.network.send(payment, self.settle_after_seconds)
        if payment.state == "settled":
            return self.paid(payment, payment.state)
        raise WalletError("PAYMENT_FAILED", "the payment timed out")

    def find(self, wallet: HostedWallet, payment_hash: str) -> Entry | None:
        entry = super().find(wallet, payment_hash)
        return None if entry is not None and self._hides(wallet, entry) else entry

    def listed(self, wallet: HostedWallet, entries: list[Entry], unpaid: bool) -> list[Entry]:
        shown = super().listed(wallet, entries, unpaid)
        return [entry for entry in shown if not self._hides(wallet, entry)]

    def _hides(self, wallet: HostedWallet, entry: Entry) -> bool:
        young = entry.created_at + self.blind_seconds > wallet.clock.now()
        return entry.outgoing and entry.state == "pending" and young


class Refusing(Personality):
    """Takes `first` payments, then refuses each with `code`. The base of the wallets that can't or may not pay."""

    code = "OTHER"
    sentence = ""

    def __init__(self, tricks: Iterable[Trick] = (), *, first: int = 0) -> None:
        super().__init__(tricks)
        self.left = first

    async def pay_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        if self.earlier_payment(wallet, params) is None:
            if self.left <= 0:
                raise WalletError(self.code, self.sentence)
            self.left -= 1
        return await super().pay_invoice(wallet, params)


class Broke(Refusing):
    """Has nothing left after `first` payments, and says so in its balance."""

    name = "broke"
    code = "INSUFFICIENT_BALANCE"
    sentence = "not enough funds for the amount and a fee reserve"

    def get_balance(self, wallet: HostedWallet) -> dict[str, Any]:
        return super().get_balance(wallet) if self.left > 0 else {"balance": 0}


class Quota(Refusing):
    """Has funds, but the connection's budget is used up after `first` payments."""

    name = "quota"
    code = "QUOTA_EXCEEDED"
    sentence = "the connection has exceeded its spending quota"


class Revoked(Personality):
    """The connection was revoked after `first` requests: every further one, also a lookup, is UNAUTHORIZED."""

    name = "revoked"

    def __init__(self, tricks: Iterable[Trick] = (), *, first: int = 0) -> None:
        super().__init__(tricks)
        self.left = first

    async def act(self, wallet: HostedWallet, request: Request) -> dict[str, Any]:
        if self.left <= 0:
            raise WalletError("UNAUTHORIZED", "this public key has no wallet connected")
        self.left -= 1
        return await super().act(wallet, request)


class Silent(Personality):
    """Answers nothing of `methods` (none given: nothing at all). `pays`: it does what it was asked all the same."""

    name = "silent"

    def __init__(self, tricks: Iterable[Trick] = (), *, pays: bool = False, methods: Iterable[str] = ()) -> None:
        super().__init__(tricks)
        self.pays = pays
        self.silent_methods = frozenset(methods)

    async def answer(self, wallet: HostedWallet, request: Request) -> Reply | None:
        if self.silent_methods and request.method not in self.silent_methods:
            return await super().answer(wallet, request)
        if self.pays:
            await super().answer(wallet, request)
        return None

    async def settled(self, wallet: HostedWallet, payment: Payment) -> None:
        if self.silent_methods:
            await super().settled(wallet, payment)


class RateLimited(Personality):
    """Acts on `requests` in each `window_seconds` of its clock, and answers RATE_LIMITED to the others."""

    name = "ratelimited"

    def __init__(self, tricks: Iterable[Trick] = (), *, requests: int = 2, window_seconds: int = 1) -> None:
        super().__init__(tricks)
        self.requests = requests
        self.window_seconds = window_seconds
        self._window = 0
        self._left = 0

    async def act(self, wallet: HostedWallet, request: Request) -> dict[str, Any]:
        window = wallet.clock.now() // self.window_seconds
        if window != self._window:
            self._window, self._left = window, self.requests
        if self._left <= 0:
            raise WalletError("RATE_LIMITED", "too many requests, try again in a few seconds")
        self._left -= 1
        return await super().act(wallet, request)


PERSONALITIES: dict[str, type[Personality]] = {
    kind.name: kind for kind in (Honest, Lnbits, Alby, Sloppy, Liar, Broke, Quota, Revoked, Silent, RateLimited)
}


def make(name: str, **options: Any) -> Personality:
    """The personality of that name. `tricks` may be Trick objects or their fields as dicts, the rest is its own."""
    tricks = [trick if isinstance(trick, Trick) else Trick(**trick) for trick in options.pop("tricks", ())]
    return PERSONALITIES[name](tricks, **options)
