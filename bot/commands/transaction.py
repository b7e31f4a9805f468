"""One customer transaction as a machine reports it, from what was typed: what can be worked out need not be said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bot.commands.terminal import USAGE, Quit
from ledger.errors import Refusal
from ledger.money import decimal_text, fiat_digits, fiat_text, parse_decimal, sats_to_fiat

_HEX_64: Final = re.compile(r"[0-9a-fA-F]{64}")
_RATE_DIGITS: Final = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Typed:
    """The options of `atm settle` that describe the transaction. None: not given."""

    tx_type: str
    principal_sats: int
    wire_sats: int | None
    fee_sats: int | None
    fiat_amount: str | None
    currency: str
    exchange_rate: str | None
    payment_hash: str | None = None
    txid: str | None = None
    seq: int | None = None


def report(typed: Typed, created_at: int) -> dict[str, Any]:
    """The content of a settlement event (docs/protocol.md), apart from a payment hash that is not known yet.

    Amounts that contradict each other are passed on as they are: how the bot takes them may be what is tried out.
    Raises Quit.
    """
    if typed.tx_type not in ("cash_out", "cash_in"):
        raise Quit(USAGE, "--tx-type: is cash_out or cash_in")
    wire, fee = _sats(typed)
    try:
        fiat, rate = _fiat(typed)
    except Refusal as refusal:
        raise Quit(USAGE, f"{refusal.message}") from None
    return {
        "v": 1,
        "type": "settlement",
        "source": "bitspire",
        "tx_type": typed.tx_type,
        **({"payment_hash": hash_of(typed.payment_hash)} if typed.payment_hash else {}),
        "wire_sats": wire,
        "principal_sats": typed.principal_sats,
        "fee_sats": fee,
        "fiat_amount": fiat,
        "currency": typed.currency,
        "exchange_rate": rate,
        "created_at": created_at,
        **({"txid": typed.txid} if typed.txid is not None else {}),
        **({"seq": typed.seq} if typed.seq is not None else {}),
    }


def hash_of(text: str) -> str:
    """Raises Quit."""
    if not _HEX_64.fullmatch(text):
        raise Quit(USAGE, "--payment-hash: is 64 hex characters")
    return text.lower()


def _sats(typed: Typed) -> tuple[int, int]:
    """Wire and fee: cash_out adds the fee to the principal, cash_in takes it off."""
    sign = 1 if typed.tx_type == "cash_out" else -1
    if typed.wire_sats is not None and typed.fee_sats is not None:
        return typed.wire_sats, typed.fee_sats
    if typed.wire_sats is not None:
        return typed.wire_sats, sign * (typed.wire_sats - typed.principal_sats)
    if typed.fee_sats is not None:
        return typed.principal_sats + sign * typed.fee_sats, typed.fee_sats
    raise Quit(USAGE, "give --fee-sats or --wire-sats: the other one follows from the principal")


def _fiat(typed: Typed) -> tuple[str, str]:
    """Amount of fiat and rate (sats per one unit of fiat). Raises Quit, Refusal."""
    fiat = None if typed.fiat_amount is None else parse_decimal(typed.fiat_amount, "--fiat-amount")
    rate = None if typed.exchange_rate is None else parse_decimal(typed.exchange_rate, "--exchange-rate")
    if typed.fiat_amount is not None and typed.exchange_rate is not None:
        return typed.fiat_amount, typed.exchange_rate
    if rate:
        fiat_digits(typed.currency)
        return fiat_text(sats_to_fiat(typed.principal_sats, typed.currency, rate), typed.currency), decimal_text(rate)
    if fiat:
        return decimal_text(fiat), decimal_text((Decimal(typed.principal_sats) / fiat).quantize(_RATE_DIGITS))
    raise Quit(USAGE, "give --fiat-amount or --exchange-rate, above zero: the other one follows from the principal")
