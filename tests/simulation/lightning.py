"""What is true of money: who made which invoice, which hash was paid, when, from which wallet.

Doubles and losses are counted from this alone. The assumptions of the promise live here and nowhere else: a hash is
settled once at most, and a wallet starts no payment when the invoice's expiry, a margin and the wallet profile's
quarantine are over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.simulation.clockwork import Clockwork
from tests.simulation.plain import invoice_text

MARGIN_SECONDS = 600
"""`release_margin_seconds`: what the bot gives on top of an invoice's expiry."""


@dataclass(slots=True)
class Invoice:
    text: str
    payment_hash: str
    preimage: str
    amount_msat: int
    payee: str
    created_at: int
    expires_at: int
    settled_at: int | None = None


@dataclass(slots=True)
class Payment:
    """An attempt of a wallet to pay an invoice. `settled` and `failed` are what is true, whatever the wallet says."""

    invoice: Invoice
    wallet: str
    leg: str
    started_at: int
    honest_after: int
    """From then on the wallet says what is true of it."""
    state: str = "in_flight"
    ends_at: float = 0.0
    """When it settles or fails, unix seconds."""
    settled_at: int | None = None
    fee_msat: int = 0
    unseen_until: int = 0
    """Until then the wallet says that it knows no such payment."""
    failed_until: int = 0
    """Until then the wallet says that it failed."""
    lookup_blind: bool = False
    """Look-ups don't find it, the list has it."""
    keeps_preimage: bool = False
    """The wallet shows no preimage."""
    to_the_edge: bool = False
    """It is under way for longer than the quarantine lasts."""
    forgotten: bool = False
    """The wallet has lost it."""

    @property
    def payment_hash(self) -> str:
        return self.invoice.payment_hash


@dataclass(slots=True)
class Lightning:
    clockwork: Clockwork
    invoices: dict[str, Invoice] = field(default_factory=dict)
    """By text."""
    by_hash: dict[str, Invoice] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    """All that were ever started."""

    def make_invoice(self, payee: str, amount_msat: int, expiry_seconds: int) -> Invoice:
        preimage = self.clockwork.chance.randbytes(32)
        now = self.clockwork.now()
        payment_hash = hashlib.sha256(preimage).hexdigest()
        text = invoice_text(amount_msat, payment_hash, now, expiry_seconds)
        made = Invoice(text, payment_hash, preimage.hex(), amount_msat, payee, now, now + expiry_seconds)
        self.invoices[text] = self.by_hash[payment_hash] = made
        return made

    def may_start(self, invoice: Invoice, quarantine_seconds: int) -> bool:
        """Whether a wallet may begin to pay this now, by the assumptions."""
        return invoice.settled_at is None and self.clockwork.now() <= last_start(invoice, quarantine_seconds)

    def start(self, invoice: Invoice, wallet: str, leg: str, quarantine_seconds: int) -> Payment:
        payment = Payment(
            invoice, wallet, leg, self.clockwork.now(), honest_after=honest_after(invoice, quarantine_seconds)
        )
        self.payments.append(payment)
        self.clockwork.note(f"START {leg} {invoice.payment_hash[:8]} by {wallet}")
        return payment

    def settle(self, payment: Payment) -> bool:
        """Moves the money, once for each hash."""
        if payment.state != "in_flight":
            return False
        if payment.invoice.settled_at is not None:
            payment.state = "failed"
            return False
        payment.state = "settled"
        payment.invoice.settled_at = payment.settled_at = self.clockwork.now()
        self.clockwork.note(f"PAID {payment.leg} {payment.payment_hash[:8]} by {payment.wallet}")
        return True

    def fail(self, payment: Payment) -> None:
        if payment.state == "in_flight":
            payment.state = "failed"
            self.clockwork.note(f"FAILED {payment.leg} {payment.payment_hash[:8]}")

    def paid(self) -> list[Payment]:
        return [payment for payment in self.payments if payment.state == "settled"]


def honest_after(invoice: Invoice, quarantine_seconds: int) -> int:
    """The bot counts what a wallet says from the end of margin and quarantine on."""
    return invoice.expires_at + max(MARGIN_SECONDS, quarantine_seconds)


def last_start(invoice: Invoice, quarantine_seconds: int) -> int:
    return honest_after(invoice, quarantine_seconds) - 5
