"""What the tests of `nwc` are made of: invoices signed by hand, a cipher that seals openly, a wallet on a wire."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import count

from bech32 import CHARSET, bech32_encode, convertbits
from coincurve import PrivateKey

from nwc.event import Event
from nwc.uri import WalletUri

PREIMAGE = bytes(range(32))
HASH = hashlib.sha256(PREIMAGE).hexdigest()
ZEROS = "0" * 64
NOW = 1_790_000_000
NODE = PrivateKey(b"\x07" * 32)
NODE_KEY = NODE.public_key.format().hex()
WALLET = "aa" * 32
CLIENT = "bb" * 32
URI = WalletUri(WALLET, ("wss://relay.example.com",), "01" * 32)

Field = tuple[str, Sequence[int]]
_nonces = count()


def groups_of(value: int, length: int) -> list[int]:
    return [value >> 5 * (length - 1 - at) & 31 for at in range(length)]


def field(letter: str, raw: bytes) -> Field:
    return letter, convertbits(raw, 8, 5) or []


def number_field(letter: str, value: int) -> Field:
    length = 1
    while value >> 5 * length:
        length += 1
    return letter, groups_of(value, length)


def standard_fields(preimage: bytes = PREIMAGE, expiry_seconds: int = 3600) -> list[Field]:
    return [
        field("p", hashlib.sha256(preimage).digest()),
        field("s", b"\x11" * 32),
        field("d", b"coffee"),
        number_field("x", expiry_seconds),
    ]


def signed_invoice(
    prefix: str,
    fields: Sequence[Field],
    *,
    created_at: int = NOW,
    key: PrivateKey = NODE,
    recovery: int | None = None,
    high_s: bool = False,
) -> str:
    """BOLT 11 from its parts. `recovery` writes another recovery number than the right one."""
    data = groups_of(created_at, 7)
    for letter, groups in fields:
        data += [CHARSET.index(letter), *groups_of(len(groups), 2), *groups]
    message = prefix.encode() + bytes(convertbits(data, 5, 8, True) or [])
    signature = key.sign_recoverable(hashlib.sha256(message).digest(), hasher=None)
    if high_s:
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        s = order - int.from_bytes(signature[32:64], "big")
        signature = signature[:32] + s.to_bytes(32, "big") + bytes([signature[64] ^ 1])
    if recovery is not None:
        signature = signature[:64] + bytes([recovery])
    return str(bech32_encode(prefix, data + (convertbits(signature, 8, 5) or [])))


def invoice(
    amount_msat: int | None = 100_000,
    *,
    network: str = "bc",
    preimage: bytes = PREIMAGE,
    created_at: int = NOW,
    expiry_seconds: int = 3600,
    more: Sequence[Field] = (),
    key: PrivateKey = NODE,
) -> str:
    amount = "" if amount_msat is None else f"{amount_msat * 10}p"
    fields = [*standard_fields(preimage, expiry_seconds), *more]
    return signed_invoice(f"ln{network}{amount}", fields, created_at=created_at, key=key)


class HandClock:
    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


def sealed(form: str, author: str, reader: str, text: str) -> str:
    """A payload that anybody can read and only the right pair opens: enough to see who is asked to open what."""
    nonce = next(_nonces)
    inside = base64.b64encode(json.dumps([form, sorted([author, reader]), text, nonce]).encode()).decode()
    return inside + ("?iv=AAAA" if form == "nip04" else "")


def opened(form: str, reader: str, author: str, payload: str) -> str:
    try:
        found = json.loads(base64.b64decode(payload.removesuffix("?iv=AAAA"), validate=True))
    except ValueError:
        raise ValueError("no payload") from None
    if found[:2] != [form, sorted([author, reader])]:
        raise ValueError("not for this pair")
    return str(found[2])


class OpenCipher:
    """A Cipher whose seals the tests can read. Counts what it was asked to open."""

    def __init__(self, public_key: str = CLIENT) -> None:
        self.public_key = public_key
        self.opened = 0

    def sign(self, kind: int, tags: Sequence[Sequence[str]], content: str, created_at: int) -> Event:
        body = [0, self.public_key, created_at, kind, [list(tag) for tag in tags], content]
        event_id = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        return Event(event_id, self.public_key, created_at, kind, tuple(map(tuple, tags)), content, "00" * 64)

    def nip44_encrypt(self, peer: str, text: str) -> str:
        return sealed("nip44", self.public_key, peer, text)

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        self.opened += 1
        return opened("nip44", self.public_key, peer, payload)

    def nip04_encrypt(self, peer: str, text: str) -> str:
        return sealed("nip04", self.public_key, peer, text)

    def nip04_decrypt(self, peer: str, payload: str) -> str:
        self.opened += 1
        return opened("nip04", self.public_key, peer, payload)


def info_event(
    content: str = "pay_invoice lookup_invoice list_transactions get_balance make_invoice get_info",
    tags: Sequence[Sequence[str]] = (("encryption", "nip44_v2 nip04"), ("notifications", "payment_sent")),
    created_at: int = NOW,
    author: str = WALLET,
    kind: int = 13194,
) -> Event:
    return OpenCipher(author).sign(kind, tags, content, created_at)


class WireToWallet:
    """A Wire with a wallet at its other end: `answer(method, params, request)` gives the bodies that it sends back."""

    def __init__(self, info: Event | None) -> None:
        self.info = info
        self.info_asked = 0
        self.accepts = True
        self.up = True
        self.sent: list[Event] = []
        self.requests: list[dict[str, object]] = []
        self.answer: Callable[[str, dict[str, object], Event], list[str]] = lambda method, params, request: []
        self.deliver: Callable[[Event], object] = lambda event: None

    async def publish(self, event: Event) -> bool:
        self.sent.append(event)
        form = "nip04" if "?iv=" in event.content else "nip44"
        request = json.loads(opened(form, WALLET, event.pubkey, event.content))
        self.requests.append(request)
        for number, body in enumerate(self.answer(request["method"], request["params"], event)):
            self.deliver(response(event.id, body, form=form, created_at=NOW + number))
        return self.accepts

    async def fetch_info(self, wallet_pubkey: str) -> Event | None:
        assert wallet_pubkey == WALLET
        self.info_asked += 1
        return self.info

    def connected(self) -> bool:
        return self.up


def response(
    request_id: str,
    body: str,
    *,
    form: str = "nip44",
    author: str = WALLET,
    kind: int = 23195,
    created_at: int = NOW,
) -> Event:
    content = sealed(form, author, CLIENT, body)
    return OpenCipher(author).sign(kind, (("p", CLIENT), ("e", request_id)), content, created_at)


def result_text(method: str, result: object) -> str:
    return json.dumps({"result_type": method, "error": None, "result": result})


def error_text(method: str, code: str, message: str = "") -> str:
    return json.dumps({"result_type": method, "error": {"code": code, "message": message}, "result": None})


def row(**changes: object) -> dict[str, object]:
    """A transaction as a wallet writes it."""
    base: dict[str, object] = {
        "type": "outgoing",
        "payment_hash": HASH,
        "amount": 100_000,
        "fees_paid": 10,
        "created_at": NOW,
        "metadata": {},
    }
    return {key: value for key, value in (base | changes).items() if value is not ...}
