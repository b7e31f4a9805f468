"""Two wallets as they are met in the field, after their own code: LNbits with its NWC provider, and Alby Hub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from bot.demo.books import Payment
from bot.demo.lightning import LightningError
from bot.demo.wallet_behaviour import Entry
from bot.demo.wallet_messages import Encryption, Reply, Request, WalletError, text_param
from bot.demo.wallet_service import HostedWallet
from nwc.event import Event
from tests.parts.personality import Personality, own_invoice_first
from tests.parts.tricks import Trick

ZERO_PREIMAGE = "0" * 64
_ALBY_TAKES_REQUESTS_SECONDS = 6 * 3600


class Lnbits(Personality):
    """LNbits with its NWC provider: NIP-04 alone, no `state`, and rows that look settled without being it."""

    name = "lnbits"
    encryptions: tuple[Encryption, ...] = ("nip04",)
    tells_encryption = False
    pays_expired = True
    most_rows = 10
    # One provider serves all wallets; a failed invoice that is paid again hangs it for every one of them.
    hung: ClassVar[bool] = False

    def __init__(self, tricks: Iterable[Trick] = (), *, hangs_on_failed: bool = False) -> None:
        super().__init__(tricks)
        self.hangs_on_failed = hangs_on_failed
        type(self).hung = False

    def first_sight(self, event: Event) -> bool:
        return True

    def admits(self, wallet: HostedWallet, event: Event) -> bool:
        return super().admits(wallet, event) and not type(self).hung

    def decrypt(self, wallet: HostedWallet, event: Event) -> Request | None:
        return super().decrypt(wallet, event) if "?iv=" in event.content else None

    def code_of(self, error: LightningError) -> str:
        return "INTERNAL" if error.code == "unknown_invoice" else "PAYMENT_FAILED"

    def earlier_payment(self, wallet: HostedWallet, params: dict[str, Any]) -> Payment | None:
        invoice = wallet.network.books.invoice_of(text_param(params, "invoice"))
        for payment in wallet.network.books.payments_of(invoice.payment_hash) if invoice else ():
            if payment.payer != wallet.account:
                continue
            if payment.state == "failed" and self.hangs_on_failed:
                type(self).hung = True
                raise asyncio.CancelledError
            already = {"settled": "Internal invoice already paid.", "pending": "Payment is still pending."}
            raise WalletError("PAYMENT_FAILED", already.get(payment.state, "Payment failed before, no second try."))
        return None

    def paid(self, payment: Payment, state: str) -> dict[str, Any]:
        result = super().paid(payment, state)
        del result["fees_paid"]
        return result

    def make_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        asked = params.get("amount")
        if type(asked) is not int or asked < 1000:
            raise WalletError("INTERNAL", "Missing amount")
        made = super().make_invoice(wallet, params | {"amount": asked // 1000 * 1000})
        return made | {"amount": asked}

    def lookup_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        try:
            return super().lookup_invoice(wallet, params)
        except WalletError as error:
            raise WalletError("INTERNAL", "Payment not found") from error

    def get_info(self, wallet: HostedWallet) -> dict[str, Any]:
        """No key of a node, and nothing about the chain."""
        told = super().get_info(wallet) | {"alias": "LNbits", "color": "", "block_height": 0, "block_hash": ""}
        del told["pubkey"]
        return told

    def find(self, wallet: HostedWallet, payment_hash: str) -> Entry | None:
        return own_invoice_first(self, wallet, payment_hash, super().find(wallet, payment_hash))

    def listed(self, wallet: HostedWallet, entries: list[Entry], unpaid: bool) -> list[Entry]:
        """Real rows: what settled, payments under way, with `unpaid` open invoices. What failed is not there."""
        shown = super().listed(wallet, entries, unpaid)
        return [entry for entry in shown if entry.state in ("settled", "pending")]

    def show(self, wallet: HostedWallet, entry: Entry) -> dict[str, Any]:
        line = super().show(wallet, entry)
        del line["state"]
        line["metadata"] = {}
        if entry.state == "failed":
            line |= {"settled_at": entry.created_at, "preimage": ZERO_PREIMAGE}
        if not entry.outgoing and entry.state != "settled":
            line |= {"settled_at": entry.created_at, "preimage": entry.invoice.preimage}
        return line


class Alby(Personality):
    """Alby Hub: drops a request event that it has seen, knows no `expiration`, calls nearly every error INTERNAL.

    `asleep` keeps requests; `wake` acts on those up to 6 h old. The next `flips` payments are shown as failed at first
    and settle after `flip_after_seconds` (LDK). Lists go by the time of the last change and hide what is not settled
    unless `unpaid` is asked for.
    """

    name = "alby"
    methods = (*Personality.methods, "get_budget")

    def __init__(
        self,
        tricks: Iterable[Trick] = (),
        *,
        flips: int = 0,
        flip_after_seconds: float | None = 0.3,
        node: Literal["ldk", "lnd"] = "ldk",
    ) -> None:
        super().__init__(tricks)
        self.node = node
        self.flips = flips
        self.flip_after_seconds = flip_after_seconds
        self.asleep = False
        self._kept: list[Event] = []
        self._called_failed: set[int] = set()

    def admits(self, wallet: HostedWallet, event: Event) -> bool:
        self.received.append(event)
        if self.asleep:
            self._kept.append(event)
            return False
        if event.created_at < wallet.clock.now() - _ALBY_TAKES_REQUESTS_SECONDS:
            return False
        return self.first_sight(event)

    def wake(self, wallet: HostedWallet) -> int:
        """Acts on what came while asleep. How many requests that were."""
        kept, self._kept, self.asleep = self._kept, [], False
        for event in kept:
            wallet.service.take(event)
        return len(kept)

    async def answer(self, wallet: HostedWallet, request: Request) -> Reply | None:
        return await super().answer(wallet, request) if request.event.pubkey == wallet.client else None

    def code_of(self, error: LightningError) -> str:
        return "INSUFFICIENT_BALANCE" if error.code == "insufficient_balance" else "INTERNAL"

    def get_info(self, wallet: HostedWallet) -> dict[str, Any]:
        """The node that it brings along has a fixed name and colour; LND has those that its owner chose."""
        told = super().get_info(wallet) | {"metadata": {"id": 1, "name": "satmachine"}, "lud16": None}
        return told | ({"alias": "NWC", "color": "#897FFF"} if self.node == "ldk" else {"color": "#3399ff"})

    async def pay_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        if self.flips > 0 and self.earlier_payment(wallet, params) is None:
            self.flips -= 1
            payment = self.start_payment(wallet, params)
            self._called_failed.add(payment.id)
            if self.flip_after_seconds is not None:
                wallet.network.send(payment, self.flip_after_seconds)
            raise WalletError("INTERNAL", "payment failed")
        return await super().pay_invoice(wallet, params)

    def earlier_payment(self, wallet: HostedWallet, params: dict[str, Any]) -> Payment | None:
        payment = super().earlier_payment(wallet, params)
        if payment is not None:
            already = "been paid" if payment.state == "settled" else "a payment that is pending"
            raise WalletError("INTERNAL", f"this invoice has already {already}")
        return None

    def paid(self, payment: Payment, state: str) -> dict[str, Any]:
        if state != "settled":
            raise WalletError("INTERNAL", payment.reason or "the payment timed out")
        return super().paid(payment, state)

    def find(self, wallet: HostedWallet, payment_hash: str) -> Entry | None:
        entry = own_invoice_first(self, wallet, payment_hash, super().find(wallet, payment_hash))
        return self._as_told(entry) if entry else None

    def entries(self, wallet: HostedWallet) -> list[Entry]:
        return [self._as_told(entry) for entry in super().entries(wallet)]

    def moment(self, entry: Entry) -> int:
        settled_at = entry.payment.settled_at if entry.payment else entry.invoice.settled_at
        return settled_at or entry.created_at

    def listed(self, wallet: HostedWallet, entries: list[Entry], unpaid: bool) -> list[Entry]:
        shown = super().listed(wallet, entries, unpaid)
        return [entry for entry in shown if unpaid or entry.state == "settled"]

    def _as_told(self, entry: Entry) -> Entry:
        if entry.payment is not None and entry.state == "pending" and entry.payment.id in self._called_failed:
            return Entry(entry.invoice, entry.payment, "failed")
        return entry
