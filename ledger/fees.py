"""Fees are fractions of the principal, never of the fee.

A fee once taken as 3 % of the *fee* paid the platform 240 sats on a principal of 100,000 where 3,000 were owed; the
regression test keeps that story.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import Code, Refusal
from ledger.money import fraction_text, share_ppm


class TxType(StrEnum):
    CASH_OUT = "cash_out"
    """The customer pays sats and takes fiat: wire = principal + fee, incoming."""
    CASH_IN = "cash_in"
    """The customer puts fiat in and gets sats: wire = principal - fee, outgoing."""


@dataclass(frozen=True, slots=True)
class FeeRates:
    """One party's fee for each direction, in parts per million of the principal."""

    cash_in_ppm: int
    cash_out_ppm: int

    def of(self, tx_type: TxType) -> int:
        return self.cash_in_ppm if tx_type is TxType.CASH_IN else self.cash_out_ppm


@dataclass(frozen=True, slots=True)
class Fees:
    platform_fee_sats: int
    operator_fee_sats: int
    fee_mismatch_sats: int
    """Reported fee less the two above."""
    mismatch_out_of_tolerance: bool


def fees_of(principal_sats: int, fee_sats: int, tx_type: TxType, platform: FeeRates, operator: FeeRates) -> Fees:
    """Both fees on `principal_sats`, half to even, and how far the reported `fee_sats` is from their sum."""
    platform_fee_sats = share_ppm(principal_sats, platform.of(tx_type))
    operator_fee_sats = share_ppm(principal_sats, operator.of(tx_type))
    mismatch = fee_sats - platform_fee_sats - operator_fee_sats
    return Fees(platform_fee_sats, operator_fee_sats, mismatch, abs(mismatch) > max(1, principal_sats // 1000))


def check_cap(platform: FeeRates, operators: Iterable[tuple[str, FeeRates]], max_total_ppm: int) -> None:
    """Refuses (`cap_exceeded`) when platform and operator fee together pass the cap; exactly the cap is allowed.

    `operators` are machines by name with their rates; every one that breaks the cap is named.
    """
    broken = [
        (name, label, x + y)
        for name, rates in operators
        for label, x, y in (
            ("cash_in", platform.cash_in_ppm, rates.cash_in_ppm),
            ("cash_out", platform.cash_out_ppm, rates.cash_out_ppm),
        )
        if x + y > max_total_ppm
    ]
    if broken:
        raise Refusal(
            Code.CAP_EXCEEDED,
            "platform and operator fee together may be at most {most}: {broken}",
            field=f"{broken[0][1]}_fee",
            extra={"machines": sorted({name for name, _, _ in broken})},
            most=fraction_text(max_total_ppm),
            broken=", ".join(f"{name} ({label} {fraction_text(total)})" for name, label, total in broken),
        )
