"""What cash is worth in sats in the demo, for any currency that a visitor registers a machine with. Pure.

Round figures of the right order, with the quetzal at 50 sats: they are for reading, not for trading.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ledger.money import fiat_digits

SATS_PER_UNIT: Final = {
    currency: Decimal(sats)
    for sats, currencies in {
        "1000": "BHD KWD OMR",
        "500": "FKP GBP GIP JOD KYD SHP",
        "400": "BMD BSD CHF EUR PAB USD",
        "200": "ANG AUD AWG AZN BAM BBD BGN BND BZD CAD FJD NZD SGD TOP WST XCD XCG",
        "100": "AED BRL BYN GEL ILS LYD MYR PEN PGK PLN QAR RON SAR TMT TND",
        "50": "BOB CNY DKK GTQ HKD MAD MOP NOK SBD SEK SVC TJS TTD UYI",
        "20": "BWP CUP CZK ERN GHS HNL LSL MDL MVR MXN NAD SCR SLE STN SZL TRY ZAR ZMW ZWG",
        "10": "EGP MRU MUR NIO SRD THB TWD UAH UYU VED VES",
        "5": "AFN ALL BTN DOP ETB GMD INR KGS MKD MZN PHP RUB",
        "4": "BDT CVE DZD HTG ISK JMD JPY KES NPR RSD SSP VUV XPF",
        "2": "DJF GYD LKR LRD PKR YER",
        "1": "AMD CRC HUF KMF KZT SDG SOS XAF XOF",
        "0.4": "AOA ARS CLP IQD KPW KRW NGN RWF",
        "0.2": "BIF CDF MMK MWK TZS",
        "0.1": "COP KHR MGA MNT UGX",
        "0.05": "GNF PYG",
        "0.02": "IDR LAK SYP UZS VND",
        "0.01": "IRR",
        "0.005": "LBP",
    }.items()
    for currency in currencies.split()
}
_BILL_SATS: Final = 1_000
"""The smallest bill is worth at least this much."""


def sats_per_unit(currency: str) -> Decimal:
    """Refuses what is no currency."""
    fiat_digits(currency)
    return SATS_PER_UNIT[currency]


def smallest_bill(currency: str) -> int:
    """The smallest bill that a machine gives, in whole units: 20 GTQ, 5 USD, 500 JPY."""
    rate, size = sats_per_unit(currency), 1
    while True:
        for bill in (size, 2 * size, 5 * size):
            if bill * rate >= _BILL_SATS:
                return bill
        size *= 10
