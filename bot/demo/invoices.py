"""Turns the terms of an invoice into a BOLT11 string, signed by the payee's node.

Source: BOLT 11, "Invoice Protocol for Lightning Payments". It only encodes: whoever pays judges with code of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bech32 import bech32_encode, convertbits
from coincurve import PrivateKey

# The part of the prefix after "ln" for each chain, by the names that NIP-47's get_info uses.
CHAIN_PREFIXES = {"mainnet": "bc", "testnet": "tb", "signet": "tbs", "regtest": "bcrt"}

# Units of the amount in the prefix, the largest first, in tenths of a millisatoshi (the smallest is a pico-bitcoin).
_UNITS = (("", 10**12), ("m", 10**9), ("u", 10**6), ("n", 10**3), ("p", 1))

# Tagged fields by their bech32 letter.
_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PAYMENT_HASH, _PAYMENT_SECRET, _DESCRIPTION, _DESCRIPTION_HASH = "p", "s", "d", "h"
_EXPIRY, _MIN_FINAL_CLTV, _ROUTE_HINT, _FEATURES = "x", "c", "r", "9"

# var_onion_optin (bit 8) and payment_secret (bit 14), both compulsory, as every node of today writes them.
_FEATURE_BITS = (1 << 8) | (1 << 14)
_MOST_WORDS_IN_A_FIELD = 1023


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a private route to the payee: the node to reach and what it takes for forwarding."""

    node_id: str
    short_channel_id: int
    fee_base_msat: int
    fee_ppm: int
    cltv_delta: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What an invoice says. `amount_msat` None leaves the amount to the payer; exactly one description is written:
    the hash (64 hex characters) where there is one, the text otherwise. `created_at` is unix seconds."""

    chain: str
    amount_msat: int | None
    payment_hash: str
    payment_secret: str
    created_at: int
    description: str = ""
    description_hash: str | None = None
    expiry_seconds: int | None = 3600
    min_final_cltv: int | None = 18
    hints: tuple[tuple[Hop, ...], ...] = ()


def encode(terms: Terms, node_key: bytes) -> str:
    """The BOLT11 string, lower case, signed with `node_key` (32 bytes). Raises ValueError for terms it can't say."""
    prefix = "ln" + CHAIN_PREFIXES[terms.chain] + amount_text(terms.amount_msat)
    words = _number_words(terms.created_at, length=7) + _fields(terms)
    signature = PrivateKey(node_key).sign_recoverable(prefix.encode() + _padded_bytes(words))
    return bech32_encode(prefix, words + _bytes_words(signature))


def amount_text(amount_msat: int | None) -> str:
    """The amount as the prefix carries it: the shortest form, empty for None."""
    if amount_msat is None:
        return ""
    if amount_msat <= 0:
        raise ValueError("an invoice asks for at least 1 msat")
    tenths = amount_msat * 10
    for letter, unit in _UNITS:
        if tenths % unit == 0:
            return f"{tenths // unit}{letter}"
    raise AssertionError("the smallest unit divides everything")


def node_id(node_key: bytes) -> str:
    """The public key of a node, compressed, 66 hex characters."""
    return PrivateKey(node_key).public_key.format(compressed=True).hex()


def _fields(terms: Terms) -> list[int]:
    words = _field(_PAYMENT_HASH, _bytes_words(bytes.fromhex(terms.payment_hash)))
    words += _field(_PAYMENT_SECRET, _bytes_words(bytes.fromhex(terms.payment_secret)))
    if terms.description_hash is not None:
        words += _field(_DESCRIPTION_HASH, _bytes_words(bytes.fromhex(terms.description_hash)))
    else:
        words += _field(_DESCRIPTION, _bytes_words(terms.description.encode()))
    if terms.expiry_seconds is not None:
        words += _field(_EXPIRY, _number_words(terms.expiry_seconds))
    if terms.min_final_cltv is not None:
        words += _field(_MIN_FINAL_CLTV, _number_words(terms.min_final_cltv))
    for route in terms.hints:
        words += _field(_ROUTE_HINT, _bytes_words(b"".join(_hop_bytes(hop) for hop in route)))
    return words + _field(_FEATURES, _number_words(_FEATURE_BITS))


def _field(letter: str, words: Sequence[int]) -> list[int]:
    if len(words) > _MOST_WORDS_IN_A_FIELD:
        raise ValueError("a field of an invoice holds at most 639 bytes")
    return [_LETTERS.index(letter), len(words) // 32, len(words) % 32, *words]


def _hop_bytes(hop: Hop) -> bytes:
    return (
        bytes.fromhex(hop.node_id)
        + hop.short_channel_id.to_bytes(8, "big")
        + hop.fee_base_msat.to_bytes(4, "big")
        + hop.fee_ppm.to_bytes(4, "big")
        + hop.cltv_delta.to_bytes(2, "big")
    )


def _number_words(number: int, length: int | None = None) -> list[int]:
    """Big-endian groups of five bits, as few as possible or exactly `length`."""
    words = [number & 31]
    while number := number >> 5:
        words.append(number & 31)
    if length is not None:
        if len(words) > length:
            raise ValueError(f"a number does not fit {length} groups of five bits")
        words += [0] * (length - len(words))
    return words[::-1]


def _bytes_words(data: Iterable[int]) -> list[int]:
    return _regrouped(data, 8, 5)


def _padded_bytes(words: Sequence[int]) -> bytes:
    """The bits of `words`, filled up with zeros to whole bytes: what the signature covers."""
    return bytes(_regrouped(words, 5, 8))


def _regrouped(groups: Iterable[int], from_bits: int, to_bits: int) -> list[int]:
    regrouped = convertbits(groups, from_bits, to_bits, True)
    if regrouped is None:
        raise ValueError(f"a group has more than {from_bits} bits")
    return list(regrouped)
