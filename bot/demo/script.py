"""The play, before it is played: who is in it, what each customer does, what everybody gets in the end. Pure.

The amounts are the same in every run, and whole bills. The first customer buys cash for exactly 100,000 sats, so that
3 % and 5 % read as 3,000 and 5,000 sats. With real coins (mainnet) everything is a hundredth of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice

MACHINE = "sintra"
WALLET = "main"
CURRENCY = "GTQ"
PLATFORM = "platform"
PLATFORM_PERCENT = 3
OPERATOR_PERCENT = 5
SPLITS = ((60, "sofia"), (40, "mateo"))
"""How the operator fee is shared: percent and payee."""
LP_NAMES = ("ana", "beto", "carla", "diego", "elena")
SATS_PER_UNIT = 50
"""Sats for one quetzal."""

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
_AT_LEAST = 1_000
_SPARE = 2
"""LPs bring so many times what is sold, so that there is something left for those who join and play on."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One customer at the machine. Sats; `fiat` in whole units of CURRENCY. `number` counts from 1."""

    number: int
    cash_out: bool
    principal_sats: int

    @property
    def tx_type(self) -> str:
        return "cash_out" if self.cash_out else "cash_in"

    @property
    def platform_fee_sats(self) -> int:
        return self.principal_sats * PLATFORM_PERCENT // 100

    @property
    def operator_fee_sats(self) -> int:
        return self.principal_sats * OPERATOR_PERCENT // 100

    @property
    def fee_sats(self) -> int:
        return self.platform_fee_sats + self.operator_fee_sats

    @property
    def wire_sats(self) -> int:
        """What moves on Lightning: the customer pays principal and fee, or gets the principal less the fee."""
        return self.principal_sats + self.fee_sats if self.cash_out else self.principal_sats - self.fee_sats

    @property
    def fiat(self) -> int:
        return self.principal_sats // SATS_PER_UNIT


def sales(count: int, *, network: str = "regtest", cash_in: bool = True) -> tuple[Sale, ...]:
    """What `count` customers do. Without `cash_in` they all buy cash: nobody is there to be paid."""
    divisor = _MAINNET_DIVISOR if network == "mainnet" else 1
    chosen = islice(cycle(_SALES), count)
    return tuple(
        Sale(number, kind == "cash_out" or not cash_in, sats // divisor)
        for number, (kind, sats) in enumerate(chosen, 1)
    )


def deposits(planned: tuple[Sale, ...], lps: int) -> tuple[int, ...]:
    """Whole units of CURRENCY that each of the LPs brings: different amounts, together more than is sold."""
    sold = sum(sale.fiat for sale in planned if sale.cash_out) or _AT_LEAST
    weights = tuple(islice(cycle(_DEPOSIT_WEIGHTS), lps))
    step = 100 if sold > 1_000 else 1
    return tuple(-(-sold * _SPARE * weight // (sum(weights) * step)) * step for weight in weights)


def lp_names(count: int) -> tuple[str, ...]:
    return tuple(LP_NAMES[index] if index < len(LP_NAMES) else f"lp{index + 1}" for index in range(count))
