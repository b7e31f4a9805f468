"""`chart`: sats received and what they cost, over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from handlers.commands import lookup
from handlers.commands.fields import Key, Params
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import LP, OPERATOR, Role
from ledger.errors import Code, Refusal
from ledger.money import fiat_text
from ledger.views import average_cost, average_rate
from storage import figures
from storage.figures import Received

MOST: Final = 60
"""So many periods, the latest."""
UNIT_SATS: Final = 100_000
"""The cost is told for so many sats."""
Period = Literal["day", "week", "month"]


class Chart(Params):
    period: Period = "month"
    lp: Key | None = None


@command("chart", roles=OPERATOR | LP, apart=True, places=("period", "lp"), example="chart week")
def chart(ctx: Context, params: Chart) -> dict[str, Any]:
    """Sats received and their cost in fiat, by day, week or month."""
    lp_id, name = _whose(ctx, params.lp)
    today = datetime.fromtimestamp(ctx.now, UTC).date()
    starts = [_begin(today, params.period)]
    while len(starts) < MOST:
        starts.append(_begin(starts[-1] - timedelta(days=1), params.period))
    found = figures.received_by_day(ctx.tx, lp_id, _unix(starts[-1]))
    by_start: dict[date, list[Received]] = {}
    for each in found:
        by_start.setdefault(_begin(datetime.fromtimestamp(each.at, UTC).date(), params.period), []).append(each)
    shown = [start for start in reversed(starts) if by_start and start >= min(by_start)]
    return {
        "lp": name,
        "period": params.period,
        "items": [{"since": _unix(start), **_sums(by_start.get(start, ()))} for start in shown],
        "total": _sums(figures.received_ever(ctx.tx, lp_id)),
    }


def _whose(ctx: Context, text: str | None) -> tuple[int | None, str | None]:
    """The LP whose payments are shown; None for all of them, which only an operator sees."""
    if Role.OPERATOR in ctx.roles:
        found = lookup.lp(ctx, text) if text is not None else None
        return (found.id, found.name) if found is not None else (None, None)
    own = lookup.own_lp(ctx)
    if text is not None and text.lower() != own.name.lower():
        raise Refusal(Code.FORBIDDEN, "you see what you received yourself: chart", field="lp")
    return own.id, own.name


def _begin(day: date, period: Period) -> date:
    """The first day of the period that a day lies in; weeks begin on Monday."""
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period == "week" else day


def _unix(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _sums(found: Iterable[Received]) -> dict[str, Any]:
    """`rate`: sats per unit of fiat; `cost`: fiat for 100,000 sats. Null where no fiat was taken for them."""
    by_currency: dict[str, tuple[int, int]] = {}
    for each in found:
        sats, fiat = by_currency.get(each.currency, (0, 0))
        by_currency[each.currency] = (sats + each.sats, fiat + each.fiat_minor)
    return {
        "sats": sum(sats for sats, _ in by_currency.values()),
        "fiat": [_cost(currency, *both) for currency, both in sorted(by_currency.items())],
    }


def _cost(currency: str, sats: int, fiat_minor: int) -> dict[str, Any]:
    cost = average_cost(sats, fiat_minor, UNIT_SATS)
    return {
        "currency": currency,
        "sats": sats,
        "amount": fiat_text(fiat_minor, currency),
        "rate": average_rate(sats, fiat_minor, currency),
        "cost": None if cost is None else fiat_text(cost, currency),
    }
