"""`report`: what a stretch of time brought and cost, from the books."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from handlers.commands import lookup
from handlers.commands.fields import Key, Params, When
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.money import fiat_text
from ledger.states import LegType
from storage import figures
from storage.figures import Stretch, Volume


class Report(Params):
    machine: Key | None = None
    since: When | None = None
    until: When | None = None


@command("report", roles=OPERATOR, apart=True, places=("machine", "since", "until"), example="report sintra")
def report(ctx: Context, params: Report) -> dict[str, Any]:
    """Volume, fees, payments, costs and profit of this month, or of the time between since and until."""
    at = lookup.machine(ctx, params.machine) if params.machine else None
    until = ctx.now + 1 if params.until is None else params.until
    since = month_of(until - 1) if params.since is None else params.since
    if until <= since:
        raise Refusal(Code.BAD_REQUEST, "until must be later than since", field="until")
    machine_id = at.id if at else None
    found = figures.figures(ctx.tx, Stretch(since, until, machine_id))
    still = figures.open_now(ctx.tx, machine_id)
    sats = found.paid.sats
    return {
        "machine": at.name if at else None,
        "since": since,
        "until": until,
        "cash_out": _volume(found.volume[TxType.CASH_OUT]),
        "cash_in": _volume(found.volume[TxType.CASH_IN]),
        "fees": {
            "platform_sats": found.platform_fee_sats,
            "operator_sats": found.operator_fee_sats,
            "mismatch_sats": found.fee_mismatch_sats,
        },
        "paid": {
            "lps_sats": found.paid.to_lps_sats,
            "lps_fiat": _fiat(found.paid.fiat),
            "partners_sats": sats[LegType.OPERATOR_SPLIT],
            "platform_sats": sats[LegType.SUPER_FEE],
            "customers_sats": sats[LegType.REFUND],
        },
        "refunded_settlements": found.refunded_settlements,
        "skipped_sats": found.skipped_sats,
        "routing_msat": found.routing_msat,
        "profit_msat": found.profit_msat,
        "open": {
            "lps": [
                {
                    "currency": currency,
                    "remaining": fiat_text(still.remaining[currency], currency),
                    "reserved": fiat_text(still.reserved[currency], currency),
                }
                for currency in sorted(still.remaining)
            ],
            "payments": still.payments,
            "payments_sats": still.payments_sats,
        },
    }


def month_of(at: int) -> int:
    """When the month began, in UTC, that this time lies in."""
    first = datetime.fromtimestamp(max(0, at), UTC).replace(day=1, hour=0, minute=0, second=0)
    return int(first.timestamp())


def _volume(found: Volume) -> dict[str, Any]:
    return {
        "settlements": found.settlements,
        "principal_sats": found.principal_sats,
        "fiat": _fiat(found.fiat),
    }


def _fiat(amounts: Counter[str]) -> list[dict[str, str]]:
    return [{"currency": each, "amount": fiat_text(amounts[each], each)} for each in sorted(amounts)]
