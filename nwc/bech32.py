"""Bech32 (BIP 173) without its limit of 90 characters, as BOLT 11, LNURL (LUD-01) and npub (NIP-19) use it.

Charset, checksum and regrouping come from the `bech32` package. Its decoder says no more than None: ours says what is
wrong, stops at `max_chars`, and takes no letters that only look like ASCII once their case has changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bech32 import CHARSET, bech32_encode, bech32_hrp_expand, bech32_polymod, convertbits

from ledger.errors import BadText

_VALUE = {letter: value for value, letter in enumerate(CHARSET)}


class BadBech32(BadText):
    """The text is no bech32: mixed case, a foreign letter, a wrong checksum, too long or too short."""


def decode(text: str, max_chars: int) -> tuple[str, list[int]]:
    """The human-readable part in lower case and the data as groups of 5 bits, checksum removed. Raises BadBech32."""
    if len(text) > max_chars:
        raise BadBech32("longer than {most} characters", most=max_chars)
    lower = text.lower()
    if not text.isascii():
        raise BadBech32("a letter that bech32 does not have")
    if text not in (lower, text.upper()):
        raise BadBech32("upper and lower case are mixed")
    prefix, _, rest = lower.rpartition("1")
    if not prefix or len(rest) < 6 or not all(33 <= ord(c) <= 126 for c in prefix):
        raise BadBech32("no bech32 text")
    try:
        data = [_VALUE[c] for c in rest]
    except KeyError:
        raise BadBech32("a letter that bech32 does not have") from None
    if bech32_polymod(bech32_hrp_expand(prefix) + data) != 1:
        raise BadBech32("the checksum does not match: a character is wrong or missing")
    return prefix, data[:-6]


def encode(prefix: str, data: bytes) -> str:
    """Whole bytes as bech32 text."""
    return bech32_encode(prefix, convertbits(data, 8, 5) or [])


def to_bytes(groups: Sequence[int]) -> bytes:
    """Groups of 5 bits as bytes; BadBech32 where more than 4 bits, or a bit that is set, would be left over."""
    whole = convertbits(groups, 5, 8, False)
    if whole is None:
        raise BadBech32("the padding is not empty")
    return bytes(whole)


def to_int(groups: Sequence[int]) -> int:
    """Groups of 5 bits as one big-endian number."""
    value = 0
    for group in groups:
        value = value << 5 | group
    return value
