"""NIP-47 messages: requests written, answers and notifications read by hand.

Every answer of a wallet becomes one of the types here. One that can't be understood becomes a MalformedAnswer, which
says nothing about any payment; nothing is raised. Amounts are msat, times unix seconds, keys and hashes lower-case hex.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from nwc.foreign import parse_json, plain

INFO_KIND = 13194
REQUEST_KIND = 23194
RESPONSE_KIND = 23195
NOTIFICATION_KINDS = (23196, 23197)  # in NIP-04 and in NIP-44

PAY_INVOICE = "pay_invoice"
MAKE_INVOICE = "make_invoice"
LOOKUP_INVOICE = "lookup_invoice"
LIST_TRANSACTIONS = "list_transactions"
GET_BALANCE = "get_balance"
GET_INFO = "get_info"

MAX_CHARS = 512 * 1024
_MAX_ROWS = 5_000
_HEX_64 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_AMOUNT_MSAT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PayResult:
    """`pay_invoice` succeeded, says the wallet. `preimage` None: none given, or not 32 bytes of hex."""

    preimage: str | None
    fees_paid_msat: int | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """An invoice or a payment as a wallet shows it. `state` None: the wallet does not give it (older NIP-47)."""

    direction: Literal["incoming", "outgoing"]
    payment_hash: str
    amount_msat: int
    state: str | None = None
    settled_at: int | None = None
    preimage: str | None = None
    fees_paid_msat: int | None = None
    invoice: str | None = None
    description: str | None = None
    created_at: int | None = None
    expires_at: int | None = None
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """One page of `list_transactions`. `unreadable`: how many of its rows could not be understood."""

    rows: tuple[Transaction, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    amount_msat: int


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """`get_info`. `network` as the wallet names it, usually mainnet, testnet, signet or regtest."""

    pubkey: str | None
    network: str | None
    alias: str | None
    methods: tuple[str, ...]
    notifications: tuple[str, ...]
    color: str | None = None
    block_height: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The wallet refused or failed. `code` as it came, known to NIP-47 or not. About a payment it says nothing."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class MalformedAnswer:
    """Something came that is no answer that NIP-47 knows. About a payment it says nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Notification:
    """`type` is payment_sent, payment_received or another word; `transaction` None where it could not be read."""

    type: str
    transaction: Transaction | None


Answer = PayResult | Transaction | TransactionPage | Balance | NodeInfo | ErrorAnswer | MalformedAnswer


class _Malformed(ValueError):
    pass


def request_text(method: str, params: Mapping[str, object]) -> str:
    """The plain text of a request, before encryption."""
    return json.dumps({"method": method, "params": params}, ensure_ascii=False, separators=(",", ":"))


def parse_answer(method: str, text: str) -> Answer:
    """The answer to a request for `method`. Never raises."""
    try:
        body = _object(parse_json(text, max_chars=MAX_CHARS), "answer")
        named = body.get("result_type")
        error = body.get("error")
        if error is not None:
            return _error(error)
        if named is not None and named != method:
            raise _Malformed(f"the answer is for {plain(str(named), 40)}, not {method}")
        return _RESULTS[method](_object(body.get("result"), "result"))
    except ValueError as wrong:
        return MalformedAnswer(plain(str(wrong)))


def parse_notification(text: str) -> Notification | MalformedAnswer:
    """A notification event's plain text. Never raises."""
    try:
        body = _object(parse_json(text, max_chars=MAX_CHARS), "notification")
        kind = body.get("notification_type")
        if not isinstance(kind, str):
            raise _Malformed("the notification names no type")
    except ValueError as wrong:
        return MalformedAnswer(plain(str(wrong)))
    try:
        return Notification(plain(kind, 40), _transaction(_object(body.get("notification"), "notification")))
    except _Malformed:
        return Notification(plain(kind, 40), None)


def _error(raw: object) -> ErrorAnswer:
    if isinstance(raw, str):
        return ErrorAnswer("OTHER", plain(raw))
    fields = _object(raw, "error")
    code, message = fields.get("code"), fields.get("message")
    return ErrorAnswer(
        plain(code, 60) if isinstance(code, str) and code.strip() else "OTHER",
        plain(message) if isinstance(message, str) else "",
    )


def _pay_result(raw: Mapping[str, object]) -> PayResult:
    return PayResult(_hex_or_none(raw.get("preimage")), _amount_or_none(raw.get("fees_paid")))


def _transaction(raw: Mapping[str, object]) -> Transaction:
    """Strict where money hangs on it: direction, hash, amount, state, settled_at. The rest is None when odd."""
    direction = raw.get("type")
    if direction not in ("incoming", "outgoing"):
        raise _Malformed("a transaction must be incoming or outgoing")
    payment_hash = _hex_or_none(raw.get("payment_hash"))
    if payment_hash is None:
        raise _Malformed("a transaction must have a payment_hash of 64 hex characters")
    amount_msat = _amount_or_none(raw.get("amount"))
    if amount_msat is None:
        raise _Malformed("the amount of a transaction must be an integer of msat")
    state = raw.get("state")
    if state is not None and not isinstance(state, str):
        raise _Malformed("the state of a transaction must be text")
    settled_at = raw.get("settled_at")
    if settled_at is not None and _time_or_none(settled_at) is None:
        raise _Malformed("settled_at must be a time")
    metadata = raw.get("metadata")
    return Transaction(
        direction="incoming" if direction == "incoming" else "outgoing",
        payment_hash=payment_hash,
        amount_msat=amount_msat,
        state=state.strip().lower() or None if state else None,
        settled_at=_time_or_none(settled_at) or None,  # some wallets write 0 for "not settled"
        preimage=_hex_or_none(raw.get("preimage")),
        fees_paid_msat=_amount_or_none(raw.get("fees_paid")),
        invoice=_text_or_none(raw.get("invoice")),
        description=_text_or_none(raw.get("description")),
        created_at=_time_or_none(raw.get("created_at")),
        expires_at=_time_or_none(raw.get("expires_at")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _page(raw: Mapping[str, object]) -> TransactionPage:
    rows = raw.get("transactions")
    if rows is None:
        return TransactionPage(())  # some wallets write null for an empty list
    if not isinstance(rows, list):
        raise _Malformed("transactions must be a list")
    read: list[Transaction] = []
    unreadable = max(0, len(rows) - _MAX_ROWS)
    for row in rows[:_MAX_ROWS]:
        try:
            read.append(_transaction(_object(row, "transaction")))
        except _Malformed:
            unreadable += 1
    return TransactionPage(tuple(read), unreadable)


def _made_invoice(raw: Mapping[str, object]) -> Transaction:
    """`make_invoice` answers a transaction, of which many wallets give the invoice alone."""
    invoice = _text_or_none(raw.get("invoice"))
    if not invoice:
        raise _Malformed("the wallet made no invoice")
    payment_hash = _hex_or_none(raw.get("payment_hash")) or ""
    return Transaction("incoming", payment_hash, _amount_or_none(raw.get("amount")) or 0, invoice=invoice)


def _balance(raw: Mapping[str, object]) -> Balance:
    balance = raw.get("balance")
    if type(balance) is not int or abs(balance) > _MAX_AMOUNT_MSAT:
        raise _Malformed("the balance must be an integer of msat")
    return Balance(balance)


def _node_info(raw: Mapping[str, object]) -> NodeInfo:
    pubkey, network, alias, color = raw.get("pubkey"), raw.get("network"), raw.get("alias"), raw.get("color")
    return NodeInfo(
        pubkey=pubkey.lower() if isinstance(pubkey, str) and pubkey else None,
        network=plain(network, 20).lower() if isinstance(network, str) and network else None,
        alias=plain(alias, 60) if isinstance(alias, str) and alias else None,
        methods=_words(raw.get("methods")),
        notifications=_words(raw.get("notifications")),
        color=plain(color, 20).lower() if isinstance(color, str) and color else None,
        block_height=_amount_or_none(raw.get("block_height")),
    )


_RESULTS: Mapping[str, Callable[[Mapping[str, object]], Answer]] = {
    PAY_INVOICE: _pay_result,
    MAKE_INVOICE: _made_invoice,
    LOOKUP_INVOICE: _transaction,
    LIST_TRANSACTIONS: _page,
    GET_BALANCE: _balance,
    GET_INFO: _node_info,
}


def _object(raw: object, name: str) -> dict[str, object]:
    if not isinstance(raw, dict):
        raise _Malformed(f"the {name} must be an object")
    return raw


def _hex_or_none(raw: object) -> str | None:
    return raw.lower() if isinstance(raw, str) and _HEX_64.fullmatch(raw) else None


def _amount_or_none(raw: object) -> int | None:
    return raw if type(raw) is int and 0 <= raw <= _MAX_AMOUNT_MSAT else None


def _time_or_none(raw: object) -> int | None:
    """Whole seconds. Some wallets give a fraction of a second, which is dropped."""
    seconds = int(raw) if type(raw) is float else raw
    return seconds if type(seconds) is int and 0 <= seconds <= 2**53 else None


def _text_or_none(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _words(raw: object) -> tuple[str, ...]:
    return tuple(plain(word, 60) for word in raw[:100] if isinstance(word, str)) if isinstance(raw, list) else ()
