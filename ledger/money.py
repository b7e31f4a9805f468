"""Money is integers: sats, msat, minor units of a fiat currency, and fractions in parts per million.

Text becomes money only here, exactly or not at all; a float never does. Exchange rates are `Decimal` sats per one
unit of fiat.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from ledger.errors import Code, Refusal

MSAT: Final = 1_000
PPM: Final = 1_000_000
MAX_SATS: Final = 2_100_000_000_000_000
"""All the sats there will ever be; no amount may be larger."""
MAX_FIAT_MINOR: Final = 10**15
"""Keeps sums of fiat far inside SQLite's 64-bit integers."""

_EXACT: Final = Context(prec=80, Emax=10_000, Emin=-10_000)
_DECIMAL: Final = re.compile(r"\d{1,30}(?:\.\d{1,30})?")
_ZERO_DIGITS: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE_DIGITS: Final = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO_DIGITS: Final = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()
)


def fiat_digits(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency; refuses what is no currency of that list."""
    if currency in _TWO_DIGITS:
        return 2
    if currency in _ZERO_DIGITS:
        return 0
    if currency in _THREE_DIGITS:
        return 3
    raise Refusal(
        Code.BAD_REQUEST,
        "{currency!r} is no ISO 4217 currency: use three capitals such as GTQ or EUR",
        field="fiat",
        currency=currency,
    )


def parse_decimal(text: str, field: str) -> Decimal:
    """A plain, non-negative decimal such as `2000.50`, exactly. No sign, exponent, NaN or separators."""
    if not _DECIMAL.fullmatch(text) or not text.isascii():
        raise Refusal(Code.BAD_REQUEST, "{field} must be a plain decimal number such as 2000.50", field=field)
    return _EXACT.create_decimal(text)


def parse_fiat(text: str, currency: str, field: str = "amount") -> int:
    """Minor units of `currency`. Refuses digits that the currency does not have and amounts out of bounds."""
    digits = fiat_digits(currency)
    minor = _EXACT.scaleb(parse_decimal(text, field), digits)
    if minor != minor.to_integral_value():
        raise Refusal(
            Code.BAD_REQUEST,
            "{field}: {currency} has {digits} digits after the point",
            field=field,
            currency=currency,
            digits=digits,
        )
    if minor > MAX_FIAT_MINOR:
        raise Refusal(Code.BAD_REQUEST, "{field} is too large", field=field)
    return int(minor)


def fiat_text(minor: int, currency: str) -> str:
    """`200050` GTQ as `2000.50`: the form of every JSON answer."""
    digits = fiat_digits(currency)
    sign, magnitude = ("-", -minor) if minor < 0 else ("", minor)
    if digits == 0:
        return f"{sign}{magnitude}"
    whole, part = divmod(magnitude, 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}"


def parse_fraction(text: str, field: str) -> int:
    """A fraction in parts per million from `0.03` or `3%`; refuses finer steps than a millionth and more than 1."""
    percent = text.endswith("%")
    value = _EXACT.scaleb(parse_decimal(text[:-1] if percent else text, field), 4 if percent else 6)
    if value != value.to_integral_value():
        raise Refusal(Code.BAD_REQUEST, "{field} may have at most 6 digits after the point (0.000001)", field=field)
    if value > PPM:
        raise Refusal(Code.BAD_REQUEST, "{field} may be at most 1 (100%)", field=field)
    return int(value)


def fraction_text(ppm: int) -> str:
    """`30000` as `0.03`; at least two digits after the point, so that a rate reads as one."""
    whole, part = divmod(ppm, PPM)
    return f"{whole}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"


def decimal_text(value: Decimal) -> str:
    """A rate without exponent and without trailing zeros: `50`, `0.125`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def share_of(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole`, rounded half to even, in exact integer arithmetic."""
    quotient, remainder = divmod(amount * part, whole)
    twice = 2 * remainder
    if twice > whole or (twice == whole and quotient % 2):
        quotient += 1
    return quotient


def share_ppm(amount: int, ppm: int) -> int:
    """`amount * ppm / 1e6`, rounded half to even."""
    return share_of(amount, ppm, PPM)


def fiat_to_sats_floor(minor: int, currency: str, rate: Decimal) -> int:
    """The whole sats that `minor` buys at `rate` (sats per unit of fiat), rounded down."""
    unit = _EXACT.multiply(_EXACT.scaleb(Decimal(minor), -fiat_digits(currency)), rate)
    return int(unit.to_integral_value(rounding=ROUND_FLOOR))


def fiat_to_sats(minor: int, currency: str, rate: Decimal) -> int:
    """The sats that `minor` buys at `rate` (sats per unit of fiat), half to even."""
    return int(fiat_value_in_sats(minor, currency, rate).to_integral_value(rounding=ROUND_HALF_EVEN))


def sats_to_fiat(sats: int, currency: str, rate: Decimal) -> int:
    """The minor units that `sats` are worth at `rate` (sats per unit of fiat), half to even."""
    scaled = _EXACT.scaleb(Decimal(sats), fiat_digits(currency))
    return int(_EXACT.divide(scaled, rate).to_integral_value(rounding=ROUND_HALF_EVEN))


def fiat_value_in_sats(minor: int, currency: str, rate: Decimal) -> Decimal:
    """The exact worth in sats, for comparisons with a tolerance."""
    return _EXACT.multiply(_EXACT.scaleb(Decimal(minor), -fiat_digits(currency)), rate)
