"""The play, before it is played: who is in it, what each customer does, what everybody gets in the end. Pure.

The amounts are the same in every run, and whole bills. The first customer buys cash for exactly 100,000 sats, so that
3 % and 5 % read as 3,000 and 5,000 sats. With real coins (mainnet) everything is a hundredth of that. What customers
take at a visitor's machine follows from what its LPs have there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice

from bot.atm.cash import Cassette
from bot.demo import rates
from ledger.fees import FeeRates
from ledger.money import PPM, fiat_digits, fiat_to_sats, share_ppm

MACHINE = "sintra"
SECOND = "plaza"
"""The demo's own machines. The second one is there where the demo's own wallets are."""
WALLETS = {MACHINE: "main", SECOND: "plaza"}
SPARE_WALLET = "second"
"""Nobody's yet: for the machine that a visitor registers."""
CURRENCY = "GTQ"
PLATFORM = "platform"
PLATFORM_PERCENT = 3
OPERATOR_PERCENT = 5
SPLITS = ((60, "sofia"), (40, "mateo"))
"""How the operator fee is shared: percent and payee."""
LP_NAMES = ("ana", "beto", "carla", "diego", "elena")
SATS_PER_UNIT = int(rates.sats_per_unit(CURRENCY))
"""Sats for one quetzal."""

PAUSE_SECONDS = 4.0
"""Between two customers."""

_DEPOSIT_WEIGHTS = (30, 25, 20, 15, 10)
_SALES = (
    ("cash_out", 100_000),
    ("cash_in", 50_000),
    ("cash_out", 30_000),
    ("cash_out", 150_000),
    ("cash_in", 20_000),
    ("cash_out", 60_000),
    ("cash_out", 80_000),
    ("cash_in", 100_000),
    ("cash_out", 40_000),
    ("cash_out", 120_000),
    ("cash_in", 30_000),
    ("cash_out", 200_000),
)
_MAINNET_DIVISOR = 100
_MOST_SATS = 200_000
"""No customer of a visitor's machine takes more."""
_AT_LEAST = 1_000
_NOTES, _NOTES_OF_MAINNET = (100, 20), (5, 1)
_LOW_PERCENT = 65
_SPARE = 2
"""LPs bring so many times what is sold, so that there is something left for those who join and play on."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One customer at a machine. Sats; `fiat` in whole units of `currency`. `number` counts from 1: at the demo's own
    machines together, and at the visitor's."""

    number: int
    cash_out: bool
    principal_sats: int
    fiat: int
    at: str = ""
    """The name of the visitor's machine; empty: one of the demo's own."""
    home: str = MACHINE
    """Which of the demo's own."""
    currency: str = CURRENCY
    rate: Decimal = Decimal(SATS_PER_UNIT)
    """Sats for one unit."""
    bill: int = rates.smallest_bill(CURRENCY)
    platform_ppm: int = PLATFORM_PERCENT * PPM // 100
    operator_ppm: int = OPERATOR_PERCENT * PPM // 100

    @property
    def tx_type(self) -> str:
        return "cash_out" if self.cash_out else "cash_in"

    @property
    def platform_fee_sats(self) -> int:
        return share_ppm(self.principal_sats, self.platform_ppm)

    @property
    def operator_fee_sats(self) -> int:
        return share_ppm(self.principal_sats, self.operator_ppm)

    @property
    def fee_sats(self) -> int:
        return self.platform_fee_sats + self.operator_fee_sats

    @property
    def wire_sats(self) -> int:
        """What moves on Lightning: the customer pays principal and fee, or gets the principal less the fee."""
        return self.principal_sats + self.fee_sats if self.cash_out else self.principal_sats - self.fee_sats

    @property
    def cash(self) -> str:
        """`2,000 GTQ`."""
        return f"{self.fiat:,} {self.currency}"


def sales(
    count: int, *, network: str = "regtest", cash_in: bool = True, homes: Sequence[str] = (MACHINE,)
) -> tuple[Sale, ...]:
    """What `count` customers do, at these machines by turns. Without `cash_in` they all buy cash: nobody is there to be
    paid."""
    divisor = _MAINNET_DIVISOR if network == "mainnet" else 1
    chosen = islice(cycle(_SALES), count)
    return tuple(
        Sale(
            number,
            kind == "cash_out" or not cash_in,
            sats // divisor,
            sats // divisor // SATS_PER_UNIT,
            home=homes[(number - 1) % len(homes)],
        )
        for number, (kind, sats) in enumerate(chosen, 1)
    )


def visit(number: int, at: str, currency: str, remaining_minor: int, platform: FeeRates, own: FeeRates) -> Sale | None:
    """What the next customer of a visitor's machine takes: a quarter of what its LPs have left, in whole bills, so that
    each leaves something. None where they have too little for one more."""
    rate, bill = rates.sats_per_unit(currency), rates.smallest_bill(currency)
    left = remaining_minor // 10 ** fiat_digits(currency)
    if left < 2 * bill:
        return None
    wanted = min(left // 4, int(_MOST_SATS / rate))
    fiat = max(wanted // bill, 1) * bill
    principal = fiat_to_sats(fiat * 10 ** fiat_digits(currency), currency, rate)
    return Sale(
        number=number,
        cash_out=True,
        principal_sats=principal,
        fiat=fiat,
        at=at,
        home="",
        currency=currency,
        rate=rate,
        bill=bill,
        platform_ppm=platform.cash_out_ppm,
        operator_ppm=own.cash_out_ppm,
    )


def sold_at(planned: Iterable[Sale], home: str) -> int:
    """Whole units of CURRENCY that customers buy at one of the demo's own machines."""
    return sum(sale.fiat for sale in planned if sale.cash_out and not sale.at and sale.home == home)


def deposits(planned: Iterable[Sale], lps: int, home: str = MACHINE) -> tuple[int, ...]:
    """Whole units of CURRENCY that each LP brings to a machine: different amounts, together more than is sold."""
    sold = sold_at(planned, home) or _AT_LEAST
    weights = tuple(islice(cycle(_DEPOSIT_WEIGHTS), lps))
    step = 100 if sold > 1_000 else 1
    return tuple(-(-sold * _SPARE * weight // (sum(weights) * step)) * step for weight in weights)


@dataclass(frozen=True, slots=True)
class Filling:
    """What a machine's bays hold at first, and from how few notes in one on its operator wants to be told."""

    bays: Mapping[int, Cassette]
    low: int


def filling(planned: Iterable[Sale], brought: int, home: str, *, network: str = "regtest") -> Filling:
    """`brought` is what the LPs brought there. The second machine has so few large notes that they run low."""
    large, small = _NOTES_OF_MAINNET if network == "mainnet" else _NOTES
    sold = sold_at(planned, home) or min(_AT_LEAST, brought // _SPARE)
    number = min(-(-sold * (3 if home == MACHINE else 2) // (2 * large)), brought // large)
    bays = {1: Cassette(small, (brought - number * large) // small), 2: Cassette(large, number)}
    return Filling(bays, 0 if home == MACHINE else number * _LOW_PERCENT // 100)


def lp_names(count: int) -> tuple[str, ...]:
    return tuple(LP_NAMES[index] if index < len(LP_NAMES) else f"lp{index + 1}" for index in range(count))
