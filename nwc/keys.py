"""Public keys as people write them: 64 hex characters, npub or nprofile (NIP-19). Whatever passes here is a real key.

Public keys only, and no Nostr library: secret keys live in `bot.nostr`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from coincurve import PublicKeyXOnly

from ledger.errors import BadText
from nwc.bech32 import BadBech32, decode, encode, to_bytes

_HEX_64 = re.compile(r"[0-9a-f]{64}")
_NPUB_CHARS = 63
_NPROFILE_CHARS = 500


class BadPublicKey(BadText):
    """The text is no public key. The message says why, in words for the person who typed it."""


def parse_public_key(text: str) -> str:
    """64 lower-case hex characters from hex, npub or nprofile, `nostr:` in front allowed: apps that complete names put
    nprofiles into messages. Raises BadPublicKey."""
    word = text.strip().removeprefix("nostr:")
    lower = word.lower()
    if lower.startswith(("nsec1", "ncryptsec1")):
        raise BadPublicKey("that is a secret key, never send or show it to anybody: an npub is wanted")
    if lower.startswith("nprofile1"):
        key = _from_nprofile(word)
    else:
        key = lower if _HEX_64.fullmatch(lower) else _from_npub(word)
    if not is_public_key(key):
        raise BadPublicKey("no such public key can exist: a character must be wrong")
    return key


@lru_cache(maxsize=4_096)
def npub_of(pubkey: str) -> str:
    """The npub of a public key in hex. Raises BadPublicKey unless it is 64 lower-case hex characters."""
    if not _HEX_64.fullmatch(pubkey):
        raise BadPublicKey("a public key has 64 hex characters")
    return encode("npub", bytes.fromhex(pubkey))


def is_public_key(text: str) -> bool:
    """Whether `text` is 64 lower-case hex characters and the x of a point of secp256k1 (BIP 340)."""
    if not _HEX_64.fullmatch(text):
        return False
    try:
        PublicKeyXOnly(bytes.fromhex(text))
    except ValueError:
        return False
    return True


def _from_npub(word: str) -> str:
    try:
        prefix, groups = decode(word, _NPUB_CHARS)
        raw = to_bytes(groups) if prefix == "npub" else b""
    except BadBech32 as bad:
        raise BadPublicKey("a public key is an npub or 64 hex characters ({why})", why=bad.said) from None
    if prefix != "npub":
        raise BadPublicKey("a public key is an npub or 64 hex characters")
    if len(raw) != 32:
        raise BadPublicKey("the npub is too short")
    return raw.hex()


def _from_nprofile(word: str) -> str:
    """The key among the type-length-value entries; the relays in it are not looked at."""
    try:
        raw = to_bytes(decode(word, _NPROFILE_CHARS)[1])
    except BadBech32 as bad:
        raise BadPublicKey("the nprofile can't be read ({why})", why=bad.said) from None
    while len(raw) >= 2:
        kind, length = raw[0], raw[1]
        value, raw = raw[2 : 2 + length], raw[2 + length :]
        if kind == 0 and length == len(value) == 32:
            return value.hex()
    raise BadPublicKey("there is no public key in the nprofile")
