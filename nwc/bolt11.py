"""A Lightning invoice, read strictly (BOLT 11): what it asks, who asks it, until when.

Signature and payee are verified. A field that says twice what must be said once is refused: the wallet might follow
the other one, and then we would watch a payment hash that nobody pays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bech32 import CHARSET
from coincurve import PublicKey

from ledger.errors import BadText
from nwc import bech32

MAX_CHARS = 7_089  # what the biggest QR code holds
DEFAULT_EXPIRY_SECONDS = 3_600
DEFAULT_MIN_FINAL_CLTV = 18
NETWORKS = {"bc": "mainnet", "tb": "testnet", "tbs": "signet", "bcrt": "regtest"}
# var_onion_optin, payment_secret, basic_mpp, option_route_blinding, option_payment_metadata (BOLT 9).
KNOWN_FEATURES = frozenset({8, 14, 16, 24, 48})

_PREFIX = re.compile(r"ln(bcrt|bc|tbs|tb)(?:([1-9][0-9]{0,17})([munp])?)?")
_PICO_BTC_PER = {"m": 10**9, "u": 10**6, "n": 10**3, "p": 1, None: 10**12}
_PICO_BTC_PER_MSAT = 10
_MAX_MSAT = 21_000_000 * 10**11
_SIGNATURE_GROUPS = 104
_TIME_GROUPS = 7
_HOP_BYTES = 51
_MAX_SECONDS = 2**40


class BadInvoice(BadText):
    """The text is no invoice that BOLT 11 allows to pay. The message says why, in words fit to show."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a private route. Fees: base in msat, proportional in parts per million."""

    pubkey: str
    short_channel_id: int
    fee_base_msat: int
    fee_ppm: int
    cltv_delta: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """A genuine invoice. `amount_msat` None: it leaves the amount to the payer. Times are unix seconds, keys hex."""

    text: str
    network: str
    amount_msat: int | None
    payment_hash: str
    payee: str
    created_at: int
    expiry_seconds: int
    description: str | None = None
    description_hash: str | None = None
    payment_secret: str | None = field(default=None, repr=False)
    min_final_cltv: int = DEFAULT_MIN_FINAL_CLTV
    routes: tuple[tuple[Hop, ...], ...] = ()
    features: frozenset[int] = frozenset()
    metadata: bytes | None = field(default=None, repr=False)
    has_fallback: bool = False

    @property
    def expires_at(self) -> int:
        """Unix seconds; from then on the payee should not accept it."""
        return self.created_at + self.expiry_seconds

    def hint_fee_msat(self, amount_msat: int) -> int:
        """The fee in msat of the dearest private route that the invoice names, for an amount sent over it."""
        return max((_route_fee(route, amount_msat) for route in self.routes), default=0)


@lru_cache(maxsize=256)  # an invoice is looked at several times on its way to being paid
def decode(text: str) -> Invoice:
    """Reads and verifies an invoice; `text` is the bare bech32. Raises BadInvoice and nothing else."""
    try:
        prefix, data = bech32.decode(text, MAX_CHARS)
        network, amount_msat = _prefix(prefix)
        if len(data) < _TIME_GROUPS + _SIGNATURE_GROUPS:
            raise BadInvoice("the invoice is cut short")
        signed, signature = data[:-_SIGNATURE_GROUPS], bech32.to_bytes(data[-_SIGNATURE_GROUPS:])
        tags = _Tags.read(signed[_TIME_GROUPS:])
        payment_hash = tags.once("p", 52)
        if payment_hash is None:
            raise BadInvoice("the invoice has no payment hash")
        named = tags.once("n", 53)
        hashed, secret = tags.first("h", 52), tags.once("s", 52)
        return Invoice(
            text=text.lower(),
            network=network,
            amount_msat=amount_msat,
            payment_hash=bech32.to_bytes(payment_hash).hex(),
            payee=_payee(prefix, signed, signature, bech32.to_bytes(named) if named else None),
            created_at=bech32.to_int(signed[:_TIME_GROUPS]),
            expiry_seconds=tags.number("x", DEFAULT_EXPIRY_SECONDS),
            description=_description(tags.first("d")),
            description_hash=bech32.to_bytes(hashed).hex() if hashed else None,
            payment_secret=bech32.to_bytes(secret).hex() if secret else None,
            min_final_cltv=tags.number("c", DEFAULT_MIN_FINAL_CLTV),
            routes=tuple(_route(groups) for groups in tags.all("r")),
            features=_features(tags.once("9")),
            metadata=_metadata(tags.first("m")),
            has_fallback=bool(tags.all("f")),
        )
    except bech32.BadBech32 as wrong:
        raise BadInvoice("the invoice can't be read: {why}", why=wrong.said) from None


def _prefix(prefix: str) -> tuple[str, int | None]:
    """The network and the amount in msat. An amount of parts of a msat is refused, one that is left out is None."""
    found = _PREFIX.fullmatch(prefix)
    if found is None:
        raise BadInvoice("the invoice is for no known network, or its amount is malformed")
    currency, digits, multiplier = found.groups()
    if digits is None:
        return NETWORKS[currency], None
    amount_msat, rest = divmod(int(digits) * _PICO_BTC_PER[multiplier], _PICO_BTC_PER_MSAT)
    if rest:
        raise BadInvoice("the invoice asks for a fraction of a millisatoshi")
    if amount_msat > _MAX_MSAT:
        raise BadInvoice("the invoice asks for more bitcoin than there will ever be")
    return NETWORKS[currency], amount_msat


@dataclass(frozen=True, slots=True)
class _Tags:
    """The tagged fields of an invoice, by letter, in their order, each as groups of 5 bits."""

    fields: dict[str, list[list[int]]]

    @classmethod
    def read(cls, groups: list[int]) -> _Tags:
        fields: dict[str, list[list[int]]] = {}
        at = 0
        while at < len(groups):
            length = bech32.to_int(groups[at + 1 : at + 3])
            end = at + 3 + length
            if end > len(groups):
                raise BadInvoice("a field of the invoice is cut short")
            fields.setdefault(CHARSET[groups[at]], []).append(groups[at + 3 : end])
            at = end
        return cls(fields)

    def all(self, letter: str, length: int | None = None) -> list[list[int]]:
        """The fields with that letter; where a length is due, those of another length are skipped (BOLT 11)."""
        return [groups for groups in self.fields.get(letter, []) if length is None or len(groups) == length]

    def first(self, letter: str, length: int | None = None) -> list[int] | None:
        found = self.all(letter, length)
        return found[0] if found else None

    def once(self, letter: str, length: int | None = None) -> list[int] | None:
        found = self.all(letter, length)
        if len(found) > 1:
            raise BadInvoice("the invoice has the field {letter} twice", letter=letter)
        return found[0] if found else None

    def number(self, letter: str, default: int) -> int:
        groups = self.once(letter)
        if groups is None:
            return default
        value = bech32.to_int(groups)
        if value > _MAX_SECONDS:
            raise BadInvoice("the number in the field {letter} of the invoice is out of reason", letter=letter)
        return value


def _payee(prefix: str, signed: Sequence[int], signature: bytes, named: bytes | None) -> str:
    """The public key that signed. Where the invoice names its payee, that key must have signed."""
    bits = len(signed) * 5
    padding = -bits % 8
    message = (bech32.to_int(signed) << padding).to_bytes((bits + padding) // 8, "big")
    digest = hashlib.sha256(prefix.encode() + message).digest()
    if named is None:
        payee = _recover(signature, digest)
        if payee is None:
            raise BadInvoice("the signature of the invoice is not valid")
        return payee
    # With a named payee the recovery number may be anything, so each is tried.
    if named.hex() not in [_recover(signature[:64] + bytes([number]), digest) for number in range(4)]:
        raise BadInvoice("the invoice is not signed by the payee that it names")
    return named.hex()


def _recover(signature: bytes, digest: bytes) -> str | None:
    try:
        return PublicKey.from_signature_and_message(signature, digest, hasher=None).format().hex()
    except Exception:  # noqa: BLE001  the library raises bare Exception for a signature that fits no key
        return None


def _description(groups: list[int] | None) -> str | None:
    return None if groups is None else _whole_bytes(groups).decode("utf-8", "replace")


def _metadata(groups: list[int] | None) -> bytes | None:
    return None if groups is None else _whole_bytes(groups)


def _whole_bytes(groups: list[int]) -> bytes:
    """Text of a payee needs no exact padding to be understood: what is left over is dropped."""
    bits = len(groups) * 5
    return (bech32.to_int(groups) >> bits % 8).to_bytes(bits // 8, "big")


def _route(groups: list[int]) -> tuple[Hop, ...]:
    raw = _whole_bytes(groups)
    if not raw or len(raw) % _HOP_BYTES:
        raise BadInvoice("a private route of the invoice is malformed")
    return tuple(_hop(raw[at : at + _HOP_BYTES]) for at in range(0, len(raw), _HOP_BYTES))


def _hop(raw: bytes) -> Hop:
    return Hop(
        pubkey=raw[:33].hex(),
        short_channel_id=int.from_bytes(raw[33:41], "big"),
        fee_base_msat=int.from_bytes(raw[41:45], "big"),
        fee_ppm=int.from_bytes(raw[45:49], "big"),
        cltv_delta=int.from_bytes(raw[49:51], "big"),
    )


def _route_fee(route: tuple[Hop, ...], amount_msat: int) -> int:
    """Each hop charges for what it forwards, the fees of the hops behind it included (BOLT 7)."""
    total = amount_msat
    for hop in reversed(route):
        total += hop.fee_base_msat + total * hop.fee_ppm // 1_000_000
    return total - amount_msat


def _features(groups: list[int] | None) -> frozenset[int]:
    vector = bech32.to_int(groups or [])
    features = frozenset(bit for bit in range(vector.bit_length()) if vector >> bit & 1)
    unknown = sorted(bit for bit in features if bit % 2 == 0 and bit not in KNOWN_FEATURES)
    if unknown:
        raise BadInvoice("the invoice requires features that are not known here: {bits}", bits=unknown[:5])
    return features
