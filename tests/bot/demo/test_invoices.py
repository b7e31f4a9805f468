"""Invoices as the PyPI library `bolt11` reads them, a decoder that shares no code with the encoder."""

from __future__ import annotations

import bolt11
import pytest
from bolt11.models.tags import TagChar
from coincurve import PrivateKey

from bot.demo.invoices import CHAIN_PREFIXES, Hop, Terms, amount_text, encode, node_id

NODE_KEY = bytes(range(1, 33))
PAYMENT_HASH = "00" * 31 + "01"
SECRET = "22" * 32


def terms(**changes: object) -> Terms:
    fields: dict[str, object] = {
        "chain": "regtest",
        "amount_msat": 2_500_000,
        "payment_hash": PAYMENT_HASH,
        "payment_secret": SECRET,
        "created_at": 1_790_000_000,
    }
    return Terms(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("chain", ["mainnet", "testnet", "regtest"])
def test_a_whole_invoice_reads_back(chain: str) -> None:
    hop = Hop(node_id(b"\x07" * 32), 0x0102030405060708, 1000, 250, 40)
    text = encode(
        terms(chain=chain, description="café ☕", expiry_seconds=600, min_final_cltv=144, hints=((hop,),)), NODE_KEY
    )

    read = bolt11.decode(text)

    assert read.currency == CHAIN_PREFIXES[chain]
    assert read.amount_msat == 2_500_000
    assert read.payment_hash == PAYMENT_HASH
    assert read.payment_secret == SECRET
    assert read.description == "café ☕"
    assert read.date == 1_790_000_000
    assert read.expiry == 600
    assert read.min_final_cltv_expiry == 144
    assert read.payee == PrivateKey(NODE_KEY).public_key.format().hex()
    hints = read.tags.get(TagChar.route_hint)
    assert hints is not None
    assert hints.data.routes[0].public_key == hop.node_id
    assert hints.data.routes[0].ppm_fee == 250


def test_a_description_hash_stands_in_for_the_description() -> None:
    read = bolt11.decode(encode(terms(description="gone", description_hash="ab" * 32), NODE_KEY))

    assert read.description_hash == "ab" * 32
    assert read.description is None


def test_an_invoice_can_leave_the_amount_to_the_payer() -> None:
    text = encode(terms(amount_msat=None), NODE_KEY)

    assert text.startswith("lnbcrt1")
    assert bolt11.decode(text).amount_msat is None


@pytest.mark.parametrize(
    ("amount_msat", "text"),
    [
        (1, "10p"),
        (999, "9990p"),
        (1000, "10n"),
        (100_000, "1u"),
        (2_500_000, "25u"),
        (103_000_000, "1030u"),
        (100_000_000, "1m"),
        (100_000_000_000, "1"),
        (2_100_000_000_000_000_000, "21000000"),
    ],
)
def test_amounts_take_the_shortest_form(amount_msat: int, text: str) -> None:
    assert amount_text(amount_msat) == text
    assert bolt11.decode(encode(terms(amount_msat=amount_msat), NODE_KEY)).amount_msat == amount_msat


@pytest.mark.parametrize("amount_msat", [0, -1])
def test_nothing_is_no_amount(amount_msat: int) -> None:
    with pytest.raises(ValueError, match="at least 1 msat"):
        encode(terms(amount_msat=amount_msat), NODE_KEY)


def test_terms_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="639 bytes"):
        encode(terms(description="x" * 640), NODE_KEY)
    with pytest.raises(ValueError, match="groups of five bits"):
        encode(terms(created_at=2**35), NODE_KEY)
    assert bolt11.decode(encode(terms(description="x" * 639), NODE_KEY)).description == "x" * 639
