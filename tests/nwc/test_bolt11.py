"""BOLT 11: the published vectors, another library as judge, and what strangers might send instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bolt11 as judge
import pytest
from bech32 import bech32_decode, bech32_encode
from coincurve import PrivateKey

from nwc.bolt11 import BadInvoice, Hop, decode
from tests.nwc.made import (
    HASH,
    NODE_KEY,
    NOW,
    Field,
    field,
    groups_of,
    invoice,
    number_field,
    signed_invoice,
    standard_fields,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "bolt11.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["why"])
def test_published_valid_invoices(vector: dict[str, Any]) -> None:
    found = decode(vector["text"])
    for name in vector.keys() - {"why", "text", "routes", "features", "metadata"}:
        assert getattr(found, name) == vector[name], name
    hops = [
        [[hop.pubkey, hop.short_channel_id, hop.fee_base_msat, hop.fee_ppm, hop.cltv_delta] for hop in route]
        for route in found.routes
    ]
    assert hops == vector.get("routes", [])
    assert found.features == set(vector.get("features", []))
    assert found.metadata == (bytes.fromhex(vector["metadata"]) if "metadata" in vector else None)
    assert found.text == vector["text"].lower()


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["why"])
def test_published_invalid_invoices(vector: dict[str, Any]) -> None:
    with pytest.raises(BadInvoice, match=vector["says"]):
        decode(vector["text"])


@pytest.mark.parametrize("network", ["bc", "tb", "bcrt"])
@pytest.mark.parametrize("amount_msat", [None, 1, 1_000, 123_456_789])
def test_another_library_agrees(network: str, amount_msat: int | None) -> None:
    text = invoice(amount_msat, network=network, more=[number_field("c", 144)])
    ours, theirs = decode(text), judge.decode(text)
    assert ours.amount_msat == theirs.amount_msat == amount_msat
    assert ours.payment_hash == theirs.payment_hash == HASH
    assert ours.payee == theirs.payee == NODE_KEY
    assert ours.created_at == theirs.date == NOW
    assert ours.expiry_seconds == theirs.expiry == 3600
    assert ours.min_final_cltv == theirs.min_final_cltv_expiry == 144
    assert ours.description == theirs.description == "coffee"


def test_what_another_library_writes_is_read() -> None:
    key = "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734"
    tags = judge.Tags.from_dict(
        {"payment_hash": HASH, "payment_secret": "11" * 32, "description": "x", "expire_time": 60}
    )
    text = judge.encode(judge.Bolt11("bc", NOW, tags, judge.MilliSatoshi(21_000)), key)
    found = decode(text)
    assert (found.amount_msat, found.payment_hash, found.expires_at) == (21_000, HASH, NOW + 60)
    assert found.payee == PrivateKey.from_hex(key).public_key.format().hex()


@pytest.mark.parametrize(
    ("prefix", "amount_msat"),
    [
        ("lnbc1m", 100_000_000),
        ("lnbc1u", 100_000),
        ("lnbc1n", 100),
        ("lnbc10p", 1),
        ("lnbc21000000", 21_000_000 * 10**11),
        ("lnbc3", 3 * 10**11),
        ("lntbs5u", 500_000),
    ],
)
def test_amounts(prefix: str, amount_msat: int) -> None:
    assert decode(signed_invoice(prefix, standard_fields())).amount_msat == amount_msat


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("lnbc1p", "fraction"),
        ("lnbc11p", "fraction"),
        ("lnbc0u", "malformed"),
        ("lnbc01u", "malformed"),
        ("lnbc-1u", "malformed"),
        ("lnbc1.5u", "malformed"),
        ("lnbc1k", "malformed"),
        ("lnbc21000001", "more bitcoin"),
        ("lnbc9999999999999999999", "malformed"),
        ("lnltc1u", "no known network"),
        ("lnbcr1u", "no known network"),
        ("lntbss", "no known network"),
        ("bc", "no known network"),
    ],
)
def test_wrong_prefixes(prefix: str, says: str) -> None:
    with pytest.raises(BadInvoice, match=says):
        decode(signed_invoice(prefix, standard_fields()))


HASH_FIELD = field("p", bytes(32))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([field("d", b"x")], "no payment hash"),
        ([("p", [1] * 51)], "no payment hash"),
        ([HASH_FIELD, field("p", b"\x01" * 32)], "field p twice"),
        ([HASH_FIELD, field("s", bytes(32)), field("s", bytes(32))], "field s twice"),
        ([HASH_FIELD, number_field("x", 60), number_field("x", 3600)], "field x twice"),
        ([HASH_FIELD, number_field("c", 18), number_field("c", 19)], "field c twice"),
        ([HASH_FIELD, number_field("x", 2**50)], "out of reason"),
        ([("p", [0] * 51 + [1])], "padding"),
        ([HASH_FIELD, ("r", [1] * 10)], "route"),
        ([HASH_FIELD, ("r", [])], "route"),
        ([HASH_FIELD, number_field("9", 1 << 20)], r"features .*\[20\]"),
        ([HASH_FIELD, field("n", b"\x02" * 33)], "not signed by the payee"),
    ],
)
def test_wrong_fields(fields: list[Field], says: str) -> None:
    with pytest.raises(BadInvoice, match=says):
        decode(signed_invoice("lnbc1u", fields))


def test_odd_features_are_ignored_and_known_ones_taken() -> None:
    bits = 1 << 8 | 1 << 14 | 1 << 17 | 1 << 24 | 1 << 48 | 1 << 149
    assert decode(invoice(more=[number_field("9", bits)])).features == {8, 14, 17, 24, 48, 149}


def test_the_payee_named_must_have_signed_and_then_the_recovery_number_is_free() -> None:
    named = field("n", bytes.fromhex(NODE_KEY))
    for number in range(4):
        text = signed_invoice("lnbc1u", [*standard_fields(), named], recovery=number)
        assert decode(text).payee == NODE_KEY


def test_a_high_s_signature_is_a_signature() -> None:
    """Some signers don't normalize; nodes pay such invoices."""
    assert decode(signed_invoice("lnbc1u", standard_fields(), high_s=True)).payee == NODE_KEY


@pytest.mark.parametrize("recovery", [4, 31])
def test_an_impossible_recovery_number_is_refused(recovery: int) -> None:
    with pytest.raises(BadInvoice, match="signature"):
        decode(signed_invoice("lnbc1u", standard_fields(), recovery=recovery))


def parts_of(text: str) -> tuple[str, list[int]]:
    prefix, data = bech32_decode(text)
    assert prefix is not None
    assert data is not None
    return prefix, data


def test_every_changed_character_is_noticed() -> None:
    text = invoice()
    for at, letter in enumerate(text):
        other = "p" if letter == "q" else "q"
        with pytest.raises(BadInvoice):
            decode(text[:at] + other + text[at + 1 :])


def test_a_changed_amount_with_a_right_checksum_changes_who_signed() -> None:
    _, data = parts_of(invoice(100_000))
    forged = bech32_encode("lnbc2000000p", data)
    assert decode(forged).payee != NODE_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "ln1",
        "lnbc1",
        "LNBC1",
        "lnbc1qqqqqq",
        "lnbc1" + "q" * 7_090,
        "lnbc1bbbbbbb",
        "\u212anbc1qqqqqq",
        "lñbc1qqqqqq",
    ],
)
def test_other_texts(text: str) -> None:
    with pytest.raises(BadInvoice):
        decode(text)


def test_a_field_cut_short() -> None:
    prefix, data = parts_of(invoice())
    whole = data[: -104 - 3]
    for tail in ([1], [1, 0], [1, 0, 5], [1, 31, 31, 1]):
        with pytest.raises(BadInvoice, match="cut short"):
            decode(bech32_encode(prefix, whole[:7] + tail + data[-104:]))


def test_descriptions_of_any_bytes() -> None:
    text = signed_invoice("lnbc1u", [field("p", bytes.fromhex(HASH)), field("d", b"\xff\xfe")])
    assert decode(text).description == "\ufffd\ufffd"
    assert decode(signed_invoice("lnbc1u", [field("p", bytes.fromhex(HASH))])).description is None


def test_the_dearest_route_counts() -> None:
    def hop(base: int, ppm: int) -> bytes:
        return bytes([2]) * 33 + bytes(8) + base.to_bytes(4, "big") + ppm.to_bytes(4, "big") + bytes(2)

    found = decode(invoice(more=[field("r", hop(1, 0)), field("r", hop(1_000, 10_000) + hop(0, 100_000))]))
    # 100,000 msat; the last hop takes 10 %, the one before 1,000 msat and 1 % of 110,000 msat.
    assert found.hint_fee_msat(100_000) == 10_000 + 1_000 + 1_100
    assert decode(invoice()).hint_fee_msat(100_000) == 0


def test_a_hop_of_a_route_byte_by_byte() -> None:
    raw = bytes(range(2, 35)) + bytes(range(41, 49)) + bytes(range(51, 55)) + bytes(range(61, 65)) + bytes([71, 72])
    found = decode(invoice(more=[field("r", raw)])).routes
    expected = Hop(
        pubkey=bytes(range(2, 35)).hex(),
        short_channel_id=0x292A2B2C2D2E2F30,
        fee_base_msat=0x33343536,
        fee_ppm=0x3D3E3F40,
        cltv_delta=0x4748,
    )
    assert found == ((expected,),)


def test_the_longest_times_and_the_first_unknown_features() -> None:
    text = signed_invoice("lnbc1u", [field("p", bytes.fromhex(HASH)), number_field("x", 2**40)])
    assert decode(text).expires_at == NOW + 2**40
    many = sum(1 << bit for bit in range(20, 34, 2))
    with pytest.raises(BadInvoice, match=r"\[20, 22, 26, 28, 30\]$"):
        decode(signed_invoice("lnbc1u", [field("p", bytes.fromhex(HASH)), number_field("9", many)]))


def test_secrets_of_the_invoice_are_not_in_its_repr() -> None:
    assert "11" * 32 not in repr(decode(invoice()))


def test_groups_of_is_big_endian() -> None:
    assert groups_of(33, 3) == [0, 1, 1]
