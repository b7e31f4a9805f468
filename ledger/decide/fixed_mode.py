"""What an LP in fixed mode is paid this time: at most its daily limit, at most what is left of its fiat."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from ledger.money import fiat_digits


def due_today(available_minor: int, daily_limit: str | None, currency: str, paid_today_minor: int) -> int:
    """Minor units of `currency`. `daily_limit` is decimal text, None stands for no limit; `paid_today_minor` is what
    was paid since the day began, or is on its way."""
    if daily_limit is None:
        return max(0, available_minor)
    limit = int(Decimal(daily_limit).scaleb(fiat_digits(currency)).to_integral_value(rounding=ROUND_FLOOR))
    return max(0, min(available_minor, limit - paid_today_minor))
