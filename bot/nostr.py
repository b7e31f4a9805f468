"""Keys and cryptography of Nostr: signing, encrypting, gift wraps. With `bot.relays` the only place of its library.

Everything here is judged as if an attacker had made it: the library checks less of a gift wrap than NIP-17 asks for
(rumor id, kinds, recipient), so those checks are ours.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import SystemRandom

import nostr_sdk as sdk
from nostr_sdk import nostr_sdk as bindings

from nwc.event import Event
from nwc.keys import is_public_key, npub_of, parse_public_key

__all__ = [
    "BadWrap",
    "Keys",
    "LocalCipher",
    "Rumor",
    "make_auth",
    "make_direct",
    "npub_of",
    "open_seal",
    "open_wrap",
    "parse_public_key",
    "unwrap",
    "verify",
    "wrap_dm",
]

DIRECT_MESSAGE = 14
SEAL = 13
GIFT_WRAP = 1059
AUTH = 22242
MAX_WRAP_CHARS = 150_000
"""A gift wrap's content at most: what NIP-44 carries, twice wrapped, is below this."""
MAX_BACKDATE_SECONDS = 2 * 86_400
_MAX_TAGS = 500
_MAX_UNIX_SECONDS = 2**53
_MAX_TIME = 2**64 - 1
_MAX_KIND = 2**16 - 1

_chance = SystemRandom()


def _write_whole(self: bindings._UniffiRustBufferBuilder, value: bytes) -> None:
    """Copies `value` to where the library reads its arguments.

    Takes the place of a loop over single bytes, which the generator of Python bindings writes: that took a
    millisecond for a gift wrap of 7 kB, more than everything else that is done with one.
    """
    with self._reserve(len(value)):
        ctypes.memmove(ctypes.addressof(self.rbuf.data.contents) + self.rbuf.len, bytes(value), len(value))


@bindings._UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK  # type: ignore[untyped-decorator]
def _go_on(handle: int, code: int) -> None:
    """Tells a waiting call of the library's to go on.

    Takes the place of one that goes through the event loop's queue for other threads even where it is called by the
    loop itself, because what was asked for is there already: that was a turn of the loop and a system call each time.
    """
    loop, future = bindings._UniffiContinuationHandleMap.remove(handle)
    if asyncio._get_running_loop() is loop:
        bindings._uniffi_set_future_result(future, code)
    else:
        loop.call_soon_threadsafe(bindings._uniffi_set_future_result, future, code)


# Of 0.45.1, which is pinned; tests/bot/test_nostr.py tells when it is not needed any more.
bindings._UniffiRustBufferBuilder.write = _write_whole  # type: ignore[method-assign]
bindings._uniffi_continuation_callback = _go_on


def words_of(failed: Exception) -> str:
    """What the library says in an error of its own; its kinds of error tell nothing, only the text does."""
    values = getattr(failed, "_values", ())
    return str(values[0]) if values else type(failed).__name__


class BadWrap(ValueError):
    """A gift wrap that is not a genuine direct message to us. Says which check failed, never the content."""


class Keys:
    """A secret key and its public key. No repr, no error of this class shows the secret."""

    def __init__(self, inner: sdk.Keys) -> None:
        self._inner = inner
        self.public_key: str = inner.public_key().to_hex()

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From nsec or 64 hex characters. Raises ValueError, without the text."""
        word = text.strip()
        try:
            if not word.startswith("nsec1") and len(word) != 64:
                raise ValueError
            return cls(sdk.Keys.parse(word))
        except (sdk.NostrSdkError, ValueError):
            raise ValueError("this is no secret key: nsec1… or 64 hex characters are") from None

    @classmethod
    def generate(cls) -> Keys:
        """A new key from the system's randomness."""
        return cls(sdk.Keys.generate())

    @property
    def npub(self) -> str:
        return npub_of(self.public_key)

    def nsec(self) -> str:
        """The secret itself: for writing a key file, nothing else."""
        return str(self._inner.secret_key().to_bech32())

    def cipher(self) -> LocalCipher:
        return LocalCipher(self._inner, self.public_key)

    def __repr__(self) -> str:
        return f"Keys({self.npub})"


class LocalCipher:
    """Signs and encrypts with a key that this process holds. Implements `nwc.ports.Cipher`."""

    def __init__(self, inner: sdk.Keys, public_key: str) -> None:
        self._inner = inner
        self._public_key = public_key

    @property
    def public_key(self) -> str:
        return self._public_key

    def sign(self, kind: int, tags: Sequence[Sequence[str]], content: str, created_at: int) -> Event:
        """The signed event (NIP-01). Raises ValueError for an empty tag or what UTF-8 can't carry."""
        try:
            digest = event_id(self._public_key, created_at, kind, tags, content)
        except ValueError as bad:
            raise ValueError(f"the event can't be signed: {bad}") from None
        signature = self._inner.sign_schnorr(bytes.fromhex(digest))
        frozen = tuple(tuple(tag) for tag in tags)
        return Event(digest, self._public_key, created_at, kind, frozen, content, signature)

    def nip44_encrypt(self, peer: str, text: str) -> str:
        return self._with_peer("nip44_encrypt", peer, text)

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        return self._with_peer("nip44_decrypt", peer, payload)

    def nip04_encrypt(self, peer: str, text: str) -> str:
        return self._with_peer("nip04_encrypt", peer, text)

    def nip04_decrypt(self, peer: str, payload: str) -> str:
        return self._with_peer("nip04_decrypt", peer, payload)

    def _with_peer(self, action: str, peer: str, text: str) -> str:
        try:
            if not is_public_key(peer):
                raise ValueError(f"{action}: the peer is no public key")
            return str(getattr(self._inner, action)(_parsed(peer), text))
        except (sdk.NostrSdkError, UnicodeError) as failed:
            reason = words_of(failed) if isinstance(failed, sdk.NostrSdkError) else "not UTF-8"
            raise ValueError(f"{action}: {reason}") from None

    def __repr__(self) -> str:
        return f"LocalCipher({npub_of(self._public_key)})"


def verify(event: Event) -> bool:
    """Whether the id is the hash of the event and the signature is its author's (NIP-01)."""
    try:
        return bool(sdk.Event.from_json(json.dumps(event.to_dict())).verify())
    except (sdk.NostrSdkError, UnicodeError):
        return False


def event_id(author: str, created_at: int, kind: int, tags: Sequence[Sequence[str]], content: str) -> str:
    """The id that an event with these fields has (NIP-01). Raises ValueError for fields that no event can have."""
    if not (is_public_key(author) and 0 <= created_at <= _MAX_TIME and 0 <= kind <= _MAX_KIND and all(tags)):
        raise ValueError("no event can have these fields")
    fields = [0, author, created_at, kind, [list(tag) for tag in tags], content]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@lru_cache(maxsize=4_096)
def _parsed(public_key: str) -> sdk.PublicKey:
    return sdk.PublicKey.parse(public_key)


@dataclass(frozen=True, slots=True)
class Rumor:
    """The unsigned message inside a gift wrap. `id` is computed here; what the sender wrote as id is not used."""

    id: str
    author: str
    created_at: int
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str


def wrap_dm(keys: Keys, peer: str, text: str, reply_to: str | None, created_at: int) -> tuple[Event, str]:
    """A direct message to `peer` as gift wrap (NIP-17, NIP-59), and the id of the rumor inside.

    The same keys, text, `reply_to` (rumor id) and `created_at` give the same rumor id however often it is wrapped, so a
    message sent again after a crash is still the same message. Seal and wrap are dated back by up to two days.
    Raises ValueError (too long, no public key).
    """
    tags = _tags(peer, reply_to)
    author = keys.public_key
    rumor_id = event_id(author, created_at, DIRECT_MESSAGE, tags, text)
    rumor = {
        "id": rumor_id,
        "pubkey": author,
        "created_at": created_at,
        "kind": DIRECT_MESSAGE,
        "tags": [list(tag) for tag in tags],
        "content": text,
    }
    cipher = keys.cipher()
    sealed = cipher.nip44_encrypt(peer, json.dumps(rumor, ensure_ascii=False))
    seal = cipher.sign(SEAL, [], sealed, _backdated(created_at))
    once = Keys.generate().cipher()
    wrapped = once.nip44_encrypt(peer, json.dumps(seal.to_dict(), ensure_ascii=False))
    return once.sign(GIFT_WRAP, [("p", peer)], wrapped, _backdated(created_at)), rumor_id


def unwrap(keys: Keys, wrap: Event) -> Rumor:
    """The direct message in a gift wrap for us, with every check of NIP-17 made. Raises BadWrap.

    Whether the message is fresh is for the caller: only the rumor's `created_at` is a real time.
    """
    return open_seal(keys, open_wrap(keys, wrap))


def open_wrap(keys: Keys, wrap: Event) -> Event:
    """The seal in a gift wrap, its signature verified: whose message it is can be judged before it is read. Raises
    BadWrap."""
    if wrap.kind != GIFT_WRAP:
        raise BadWrap("not a gift wrap")
    if len(wrap.content) > MAX_WRAP_CHARS:
        raise BadWrap("the gift wrap is too large")
    return _opened_seal(keys.cipher(), wrap)


def open_seal(keys: Keys, seal: Event) -> Rumor:
    """The direct message in what `open_wrap` gave. Raises BadWrap."""
    raw = _decrypted_json(keys.cipher(), seal.pubkey, seal.content, "seal")
    rumor = _rumor(raw)
    if rumor.author != seal.pubkey:
        raise BadWrap("the seal's author is not the rumor's author")
    if rumor.kind != DIRECT_MESSAGE:
        raise BadWrap("the rumor is no direct message")
    if not any(len(tag) > 1 and tag[0] == "p" and tag[1] == keys.public_key for tag in rumor.tags):
        raise BadWrap("the rumor is addressed to somebody else")
    return rumor


def make_direct(keys: Keys, peer: str, text: str, reply_to: str | None, created_at: int) -> Event:
    """A *signed* kind 14 for `peer`, NIP-44 inside: the envelope for programs. Raises ValueError.

    It is opened with `keys.cipher().nip44_decrypt(event.pubkey, event.content)`.
    """
    tags = _tags(peer, reply_to)
    cipher = keys.cipher()
    return cipher.sign(DIRECT_MESSAGE, tags, cipher.nip44_encrypt(peer, text), created_at)


def make_auth(keys: Keys, relay_url: str, challenge: str, created_at: int) -> Event:
    """The answer to a relay's AUTH challenge (NIP-42). Good for this relay and this challenge only."""
    return keys.cipher().sign(AUTH, [("relay", relay_url), ("challenge", challenge)], "", created_at)


def _tags(peer: str, reply_to: str | None) -> list[tuple[str, ...]]:
    return [("p", peer)] if reply_to is None else [("p", peer), ("e", reply_to, "", "reply")]


def _backdated(created_at: int) -> int:
    return max(0, created_at - _chance.randrange(MAX_BACKDATE_SECONDS))


def _opened_seal(cipher: LocalCipher, wrap: Event) -> Event:
    try:
        seal = Event.from_dict(_decrypted_json(cipher, wrap.pubkey, wrap.content, "gift wrap"))
    except BadWrap:
        raise
    except ValueError as bad:
        raise BadWrap(f"the seal is malformed: {bad}") from None
    if seal.kind != SEAL:
        raise BadWrap("what is in the gift wrap is no seal")
    if not verify(seal):
        raise BadWrap("the seal's signature is wrong")
    return seal


def _decrypted_json(cipher: LocalCipher, peer: str, payload: str, what: str) -> object:
    try:
        text = cipher.nip44_decrypt(peer, payload)
    except ValueError:
        raise BadWrap(f"the {what} can't be decrypted") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadWrap(f"what is in the {what} is no JSON") from None


def _rumor(raw: object) -> Rumor:
    if not isinstance(raw, dict):
        raise BadWrap("the rumor is no object")
    # A rumor has no signature and may have no id, so a stand-in is given for both and the rest is checked as an event.
    try:
        seen = Event.from_dict({**raw, "id": "0" * 64, "sig": "0" * 128})
        if seen.created_at > _MAX_UNIX_SECONDS or len(seen.tags) > _MAX_TAGS or not is_public_key(seen.pubkey):
            raise ValueError("a field is out of bounds")
        rumor_id = event_id(seen.pubkey, seen.created_at, seen.kind, seen.tags, seen.content)
    except ValueError as bad:
        raise BadWrap(f"the rumor is malformed: {bad}") from None
    return Rumor(rumor_id, seen.pubkey, seen.created_at, seen.kind, seen.tags, seen.content)
