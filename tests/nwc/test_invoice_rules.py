"""Which invoices are paid, and what is said of the others."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from nwc.bolt11 import decode
from nwc.invoice_rules import InvoiceRefused, InvoiceRules, check_invoice
from tests.nwc.made import NODE_KEY, NOW, field, invoice, number_field

RULES = InvoiceRules(network="mainnet")
WANTED = 100_000
HOP = bytes([2]) * 33 + bytes(8) + (9_000).to_bytes(4, "big") + (20_000).to_bytes(4, "big") + bytes(2)


def test_a_good_invoice_passes() -> None:
    assert check_invoice(decode(invoice(WANTED)), RULES, amount_msat=WANTED, now=NOW) is None


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (invoice(WANTED + 1), "invoice_amount", "100001 msat, 100000 msat were asked"),
        (invoice(WANTED - 1), "invoice_amount", "99999"),
        (invoice(WANTED * 1_000), "invoice_amount", "100000000 msat"),
        (invoice(None), "invoice_amount", "no amount"),
        (invoice(WANTED, network="tb"), "invoice_network", "testnet, not mainnet"),
        (invoice(WANTED, network="tbs"), "invoice_network", "signet"),
        (invoice(WANTED, network="bcrt"), "invoice_network", "regtest"),
        (invoice(WANTED, created_at=NOW - 3_600), "invoice_expired", "has expired"),
        (invoice(WANTED, created_at=NOW - 3_421), "invoice_expired", "expires in 179 s"),
        (invoice(WANTED, more=[number_field("c", 1_009)]), "invoice_cltv", "1009 blocks"),
        (invoice(WANTED, more=[field("r", HOP)]), "invoice_fee", "11000 msat"),
        (invoice(WANTED, preimage=bytes(32)), "invoice_hash", "everybody knows"),
    ],
)
def test_what_is_refused(text: str, code: str, says: str) -> None:
    with pytest.raises(InvoiceRefused, match=says) as refused:
        check_invoice(decode(text), RULES, amount_msat=WANTED, now=NOW)
    assert refused.value.code == code
    assert str(refused.value.said) == str(refused.value)


def test_the_edges_pass() -> None:
    edge = invoice(WANTED, created_at=NOW - 3_420, more=[number_field("c", 1_008)])
    assert check_invoice(decode(edge), RULES, amount_msat=WANTED, now=NOW) is None
    dear = decode(invoice(WANTED, more=[field("r", HOP)]))
    assert check_invoice(dear, replace(RULES, hint_fee_floor_msat=11_000), amount_msat=WANTED, now=NOW) is None
    assert check_invoice(dear, replace(RULES, max_hint_fee_ppm=110_000), amount_msat=WANTED, now=NOW) is None


def test_a_payment_to_ourselves_is_refused() -> None:
    with pytest.raises(InvoiceRefused, match="ourselves") as refused:
        check_invoice(decode(invoice(WANTED)), replace(RULES, own_payees={NODE_KEY}), amount_msat=WANTED, now=NOW)
    assert refused.value.code == "invoice_own"


def test_a_wrong_description_hash_is_a_warning() -> None:
    wanted = hashlib.sha256(b"[]").hexdigest()
    right = decode(invoice(WANTED, more=[field("h", bytes.fromhex(wanted))]))
    assert check_invoice(right, RULES, amount_msat=WANTED, now=NOW, description_hash=wanted) is None
    warning = check_invoice(decode(invoice(WANTED)), RULES, amount_msat=WANTED, now=NOW, description_hash=wanted)
    assert warning == "the invoice does not carry the hash of the payee's description"
