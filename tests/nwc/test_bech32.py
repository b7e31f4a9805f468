"""Bech32 by the examples of BIP 173, and what is wrong with the others."""

from __future__ import annotations

import pytest
from bech32 import bech32_encode

from nwc.bech32 import BadBech32, decode, encode, to_bytes, to_int


@pytest.mark.parametrize(
    ("text", "prefix", "data"),
    [
        ("A12UEL5L", "a", []),
        ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef", list(range(32))),
        ("11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j", "1", [0] * 82),
        ("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "split", None),
        (bech32_encode("!", [1]), "!", [1]),
        (bech32_encode("~", [1]), "~", [1]),
    ],
)
def test_good_ones(text: str, prefix: str, data: list[int] | None) -> None:
    found = decode(text, len(text))
    assert found[0] == prefix
    assert data is None or found[1] == data
    assert decode(bech32_encode(*found), 90) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A12UEL5L" * 12, "longer than 90 characters"),
        ("A12uEL5L", "upper and lower case are mixed"),
        ("a12uel5ł", "a letter that bech32 does not have"),
        ("a12uel5b", "a letter that bech32 does not have"),
        ("pzry9x0s0muk", "no bech32 text"),
        ("1pzry9x0s0muk", "no bech32 text"),
        ("a12uel5", "no bech32 text"),
        ("\x201nwldj5", "no bech32 text"),
        ("\x7f1axkwrx", "no bech32 text"),
        ("a12uel5q", "the checksum does not match: a character is wrong or missing"),
    ],
)
def test_what_is_wrong_with_others(text: str, says: str) -> None:
    with pytest.raises(BadBech32) as wrong:
        decode(text, 90)
    assert str(wrong.value) == says


def test_bytes_and_back() -> None:
    text = encode("a", b"\xff\x00\x10")
    assert to_bytes(decode(text, 90)[1]) == b"\xff\x00\x10"
    assert to_int([1, 0, 31]) == 1 << 10 | 31


@pytest.mark.parametrize("groups", [[0], [0, 1], [31, 31, 31]])
def test_a_padding_that_is_not_empty(groups: list[int]) -> None:
    with pytest.raises(BadBech32) as wrong:
        to_bytes(groups)
    assert str(wrong.value) == "the padding is not empty"
