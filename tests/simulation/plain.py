"""Keys and invoices without cryptography: whose words they are is said openly. Fast, and the same in every run."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nwc.bolt11 import BadInvoice, Invoice
from nwc.event import Event

_SIG = "00" * 64
_PAYEE_KEY = "02" + "11" * 32
_INVOICE = re.compile(r"lnbcrt([0-9]+)p1([0-9a-f]{64})at([0-9]+)for([0-9]+)")


class PlainCipher:
    """Implements `nwc.ports.Cipher`. What it seals says in clear for which pair it is."""

    numbers = itertools.count()
    """In the place of chance: two encryptions of one text differ. Begun anew with each simulation."""

    def __init__(self, public_key: str) -> None:
        self._public_key = public_key

    @property
    def public_key(self) -> str:
        return self._public_key

    def sign(self, kind: int, tags: Sequence[Sequence[str]], content: str, created_at: int) -> Event:
        frozen = tuple(tuple(tag) for tag in tags)
        body = f"{self._public_key}\0{created_at}\0{kind}\0{frozen}\0{content}"
        return Event(
            hashlib.sha256(body.encode()).hexdigest(), self._public_key, created_at, kind, frozen, content, _SIG
        )

    def nip44_encrypt(self, peer: str, text: str) -> str:
        return f"{self._pair(peer)} {next(PlainCipher.numbers)} {text}"

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        pair, _, rest = payload.partition(" ")
        if pair != self._pair(peer):
            raise ValueError("not for this pair")
        return rest.partition(" ")[2]

    def nip04_encrypt(self, peer: str, text: str) -> str:
        return self.nip44_encrypt(peer, text) + "?iv="

    def nip04_decrypt(self, peer: str, payload: str) -> str:
        return self.nip44_decrypt(peer, payload.removesuffix("?iv="))

    def _pair(self, peer: str) -> str:
        first, second = sorted((self._public_key[:16], peer[:16]))
        return first + second


@dataclass(frozen=True, slots=True)
class PlainKeys:
    """Stands for `bot.nostr.Keys`."""

    public_key: str

    @classmethod
    def parse(cls, secret: str) -> PlainKeys:
        return cls(hashlib.sha256(secret.encode()).hexdigest())

    @property
    def npub(self) -> str:
        return f"npub1{self.public_key[:8]}"

    def cipher(self) -> PlainCipher:
        return PlainCipher(self.public_key)


def wrap_dm(keys: PlainKeys, peer: str, text: str, reply_to: str | None, created_at: int) -> tuple[Event, str]:
    event = make_direct(keys, peer, text, reply_to, created_at)
    return event, event.id


def make_direct(keys: PlainKeys, peer: str, text: str, reply_to: str | None, created_at: int) -> Event:
    cipher = keys.cipher()
    return cipher.sign(14, [("p", peer), ("e", reply_to or "")], cipher.nip44_encrypt(peer, text), created_at)


def invoice_text(amount_msat: int, payment_hash: str, created_at: int, expiry_seconds: int) -> str:
    return f"lnbcrt{amount_msat * 10}p1{payment_hash}at{created_at}for{expiry_seconds}"


def decode_invoice(text: str) -> Invoice:
    """Stands for `nwc.bolt11.decode`."""
    found = _INVOICE.fullmatch(text)
    if found is None:
        raise BadInvoice("no invoice of this world")
    amount, payment_hash, created_at, expiry_seconds = found.groups()
    return Invoice(text, "regtest", int(amount) // 10, payment_hash, _PAYEE_KEY, int(created_at), int(expiry_seconds))
