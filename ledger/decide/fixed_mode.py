"""LPs in fixed mode: what each is paid this time, and at which rate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import accumulate
from typing import Final

from ledger.errors import Said, said
from ledger.money import PPM, decimal_text, fiat_digits

DAY: Final = 86_400
WEEK: Final = 7 * DAY
MAX_MOVE_PPM: Final = 250_000
"""How far a day's rate may be from that of the week before, as a part of it."""
LEAST_SOLD: Final = 10
"""A rate may pay ten times the fiat that was sold at it, no more."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A proven transaction that the machine itself reported."""

    rate: Decimal
    """Sats for one unit of fiat."""
    fiat_minor: int
    at: int


def due_today(available_minor: int, daily_limit: str | None, currency: str, paid_today_minor: int) -> int:
    """Minor units of `currency`. `daily_limit` is decimal text, None stands for no limit; `paid_today_minor` is what
    was paid since the day began, or is on its way."""
    if daily_limit is None:
        return max(0, available_minor)
    limit = int(Decimal(daily_limit).scaleb(fiat_digits(currency)).to_integral_value(rounding=ROUND_FLOOR))
    return max(0, min(available_minor, limit - paid_today_minor))


def rate_of(sales: Sequence[Sale], due_minor: int, now: int, max_age_seconds: int) -> Decimal | Said:
    """The rate at which `due_minor` of fiat may be paid to a machine's LPs, or why there is none.

    A machine reports its rates itself, and nobody looks at a scheduled payment before it is made. So one sale does not
    set the rate: it is the median of a day, by fiat, it must be near that of the week before, and enough must have been
    sold at it.
    """
    if not any(now - sale.at <= max_age_seconds for sale in sales):
        return said(
            "no rate is known there: its last settlement is more than {minutes} min ago", minutes=max_age_seconds // 60
        )
    day = max(DAY, max_age_seconds)
    recent = [sale for sale in sales if now - sale.at <= day]
    before = [sale for sale in sales if day < now - sale.at <= day + WEEK]
    rate = _median(recent)
    if before:
        usual = _median(before)
        if abs(rate - usual) * PPM > usual * MAX_MOVE_PPM:
            return said(
                "its rate of {rate} sats is far from the {usual} of the week before: pay with lp settle",
                rate=decimal_text(rate),
                usual=decimal_text(usual),
            )
    if sum(sale.fiat_minor for sale in recent) * LEAST_SOLD < due_minor:
        return said("too little was sold there in a day to go by its rate: pay with lp settle")
    return rate


def _median(sales: Sequence[Sale]) -> Decimal:
    """Half of the fiat was sold at this rate or a lower one."""
    ordered = sorted(sales, key=lambda sale: sale.rate)
    sold = list(accumulate(sale.fiat_minor for sale in ordered))
    return ordered[bisect_left(sold, (sold[-1] + 1) // 2)].rate
