"""Which invoices are paid: the checks between an invoice that came back and an attempt that is `ready`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from ledger.errors import Worded, said
from nwc.bolt11 import Invoice

MAX_MIN_FINAL_CLTV = 1_008
_HASH_OF_ZEROS = hashlib.sha256(bytes(32)).hexdigest()


class InvoiceRefused(Worded):
    """This invoice is not paid. `code` is stable, the sentence says it to people."""

    def __init__(self, code: str, template: str, /, **values: object) -> None:
        super().__init__(template, **values)
        self.code = code


@dataclass(frozen=True, slots=True)
class InvoiceRules:
    """The limits. `max_hint_fee_ppm` of the amount, but never less than `hint_fee_floor_msat`, which private routes
    may cost; `own_payees` are node keys (hex) that would be a payment to ourselves."""

    network: str
    min_left_seconds: int = 180
    max_hint_fee_ppm: int = 10_000
    hint_fee_floor_msat: int = 10_000
    max_min_final_cltv: int = MAX_MIN_FINAL_CLTV
    own_payees: Collection[str] = frozenset()


def check_invoice(
    invoice: Invoice, rules: InvoiceRules, *, amount_msat: int, now: int, description_hash: str | None = None
) -> str | None:
    """Raises InvoiceRefused unless the invoice is for exactly `amount_msat` and within the rules.

    `now` is unix seconds. Returns a warning where the description hash is not the one expected: LUD-06 once asked
    for it and dropped it, so honest services get it wrong. Whether the hash was seen before is the caller's to ask.
    """
    if invoice.network != rules.network:
        raise InvoiceRefused(
            "invoice_network",
            "the invoice is for {network}, not {wanted}",
            network=invoice.network,
            wanted=rules.network,
        )
    if invoice.amount_msat is None:
        raise InvoiceRefused("invoice_amount", "the invoice names no amount")
    if invoice.amount_msat != amount_msat:
        raise InvoiceRefused(
            "invoice_amount",
            "the invoice is for {amount} msat, {due} msat were asked for",
            amount=invoice.amount_msat,
            due=amount_msat,
        )
    left = invoice.expires_at - now
    if left < rules.min_left_seconds:
        what = said("the invoice has expired") if left <= 0 else said("the invoice expires in {left} s", left=left)
        raise InvoiceRefused(
            "invoice_expired", "{what}: {seconds} s are needed", what=what, seconds=rules.min_left_seconds
        )
    if invoice.min_final_cltv > rules.max_min_final_cltv:
        raise InvoiceRefused(
            "invoice_cltv",
            "the invoice may hold the payment for {blocks} blocks after the last hop",
            blocks=invoice.min_final_cltv,
        )
    fee_msat = invoice.hint_fee_msat(amount_msat)
    if fee_msat > max(amount_msat * rules.max_hint_fee_ppm // 1_000_000, rules.hint_fee_floor_msat):
        raise InvoiceRefused("invoice_fee", "the private route to the payee costs {fee} msat", fee=fee_msat)
    if invoice.payee in rules.own_payees:
        raise InvoiceRefused("invoice_own", "the invoice is our own: a payment to ourselves")
    if invoice.payment_hash == _HASH_OF_ZEROS:
        raise InvoiceRefused("invoice_hash", "everybody knows the preimage of this invoice: it would prove nothing")
    if description_hash is not None and invoice.description_hash != description_hash:
        return "the invoice does not carry the hash of the payee's description"
    return None
