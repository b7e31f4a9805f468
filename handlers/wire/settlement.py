"""Reads an ATM's settlement (docs/protocol.md): every field checked, amounts exact, nothing believed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from ledger.errors import Code, Refusal, Said, said
from ledger.fees import TxType
from ledger.model import SettlementReport
from ledger.money import MAX_FIAT_MINOR, fiat_digits
from nwc.foreign import parse_json, plain

MAX_CHARS: Final = 65_535
_HEX_64 = re.compile(r"[0-9a-fA-F]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DECIMAL = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_INT_64: Final = 2**63
_MAX_NOTES_CHARS: Final = 8_192


class BadSettlement(Exception):
    """Can't be read as a settlement. `payment_hash` is there when at least that could be read."""

    def __init__(self, refusal: Refusal, payment_hash: str | None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.payment_hash = payment_hash


def parse_settlement(text: str) -> SettlementReport:
    """The report in the decrypted content of an event. Raises BadSettlement, and nothing else."""
    try:
        body = parse_json(text, max_chars=MAX_CHARS, exact_decimals=True)
        if not isinstance(body, dict):
            raise ValueError("the content must be a JSON object")
    except ValueError as error:
        raise BadSettlement(
            Refusal(Code.BAD_PAYLOAD, "the report can't be read: {why}", why=plain(str(error))), None
        ) from None
    raw_hash = body.get("payment_hash")
    payment_hash = raw_hash.lower() if isinstance(raw_hash, str) and _HEX_64.fullmatch(raw_hash) else None
    try:
        if payment_hash is None:
            raise _bad("payment_hash", said("must be 64 hex characters"))
        return _report(body, payment_hash)
    except Refusal as refusal:
        raise BadSettlement(refusal, payment_hash) from None


def _report(body: Mapping[str, object], payment_hash: str) -> SettlementReport:
    version = body.get("v", 1)
    if type(version) is not int or version != 1:
        raise _bad("v", said("names a version that is not known here: 1 is"))
    if body.get("type", "settlement") != "settlement":
        raise _bad("type", said("must be settlement"))
    tx_type = body.get("tx_type")
    if tx_type not in ("cash_out", "cash_in"):
        raise _bad("tx_type", said("must be cash_out or cash_in"))
    currency = body.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise _bad("currency", said("must be three capitals (ISO 4217)"))
    try:
        digits = fiat_digits(currency)
    except Refusal as refusal:
        raise Refusal(Code.CURRENCY_MISMATCH, "{why}", field="currency", why=refusal.said) from None
    return SettlementReport(
        payment_hash=payment_hash,
        tx_type=TxType(tx_type),
        wire_sats=_sats(body, "wire_sats"),
        principal_sats=_sats(body, "principal_sats"),
        fee_sats=_sats(body, "fee_sats"),
        fiat_minor=_fiat_minor(_decimal(body, "fiat_amount"), digits, currency),
        currency=currency,
        exchange_rate=_decimal(body, "exchange_rate"),
        reported_at=_time(body, "created_at"),
        txid=_text(body, "txid", 128),
        source=_text(body, "source", 64),
        seq=_sequence(body),
        notes_dispensed=_notes(body),
    )


def _bad(field: str, what: Said) -> Refusal:
    return Refusal(Code.BAD_PAYLOAD, "{field} {what}", field=field, what=what)


def _sats(body: Mapping[str, object], field: str) -> int:
    value = body.get(field)
    if type(value) is not int:
        raise _bad(field, said("must be a JSON integer of sats"))
    if not -_INT_64 < value < _INT_64:
        raise Refusal(Code.BAD_ARITHMETIC, "{field} is more sats than there are", field=field)
    return value


def _decimal(body: Mapping[str, object], field: str) -> Decimal:
    value = body.get(field)
    if type(value) is int or isinstance(value, Decimal):
        text = format(value, "f") if -40 < Decimal(value).adjusted() < 40 else ""
    else:
        text = value if isinstance(value, str) else ""
    if not _DECIMAL.fullmatch(text):
        raise _bad(field, said('must be a decimal number or a string of one, such as "2000.00"'))
    return Decimal(text)


def _fiat_minor(amount: Decimal, digits: int, currency: str) -> int:
    minor = amount.scaleb(digits)
    if minor != minor.to_integral_value():
        raise _bad(
            "fiat_amount",
            said("may have {digits} digits after the point in {currency}", digits=digits, currency=currency),
        )
    if abs(minor) > MAX_FIAT_MINOR:
        raise Refusal(Code.BAD_ARITHMETIC, "fiat_amount is out of bounds", field="fiat_amount")
    return int(minor)


def _time(body: Mapping[str, object], field: str) -> int:
    value = body.get(field)
    if type(value) is not int or not 0 <= value < 2**53:
        raise _bad(field, said("must be a time in unix seconds"))
    return value


def _text(body: Mapping[str, object], field: str, limit: int) -> str | None:
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise _bad(field, said("must be text of at most {most} characters", most=limit))
    return plain(value, limit)


def _sequence(body: Mapping[str, object]) -> int | None:
    value = body.get("seq")
    if value is None:
        return None
    if type(value) is not int or not 1 <= value < _INT_64:
        raise _bad("seq", said("must be an integer from 1"))
    return value


def _notes(body: Mapping[str, object]) -> str | None:
    """What notes were dispensed, kept as it came: the amounts of the settlement don't depend on it."""
    kept = {}
    for field in ("bills", "cassettes"):
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise _bad(field, said("must be an object"))
        kept[field] = value
    if not kept:
        return None
    text = json.dumps(kept, separators=(",", ":"), default=str)
    if len(text) > _MAX_NOTES_CHARS:
        raise _bad("cassettes", said("is too long"))
    return text
