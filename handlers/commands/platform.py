"""`platform …`: the platform's fee and where it is paid, set by the platform alone."""

from __future__ import annotations

from typing import Any

from handlers import published
from handlers.commands import lookup
from handlers.commands.fields import Fraction, Params, TargetText
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR, PLATFORM
from ledger.errors import Code, Refusal
from ledger.fees import FeeRates, check_cap
from ledger.model import Platform
from ledger.money import fraction_text
from storage import journal, machines, platform
from storage.db import Tx


class PlatformSet(Params):
    cash_in_fee: Fraction | None = None
    cash_out_fee: Fraction | None = None
    target: TargetText | None = None


class Nothing(Params):
    pass


@command("platform show", roles=PLATFORM | OPERATOR, short=("platform",), example="platform show")
def platform_show(ctx: Context, params: Nothing) -> dict[str, Any]:
    """The platform fee for each direction, and where it is paid."""
    return _shape(platform.load(ctx.tx))


@command(
    "platform set",
    roles=PLATFORM,
    changes=True,
    example="platform set cash_in_fee=2% cash_out_fee=3% target=fees@example.com",
)
def platform_set(ctx: Context, params: PlatformSet) -> dict[str, Any]:
    """Sets the platform fee, checked against every active machine, and its target (`none` for no target)."""
    before = platform.load(ctx.tx)
    if params.cash_in_fee is None and params.cash_out_fee is None and params.target is None:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: platform set cash_out_fee=3%")
    fees = FeeRates(
        before.fees.cash_in_ppm if params.cash_in_fee is None else params.cash_in_fee,
        before.fees.cash_out_ppm if params.cash_out_fee is None else params.cash_out_fee,
    )
    active = machines.active(ctx.tx)
    check_cap(fees, [(each.name, each.operator_fees) for each in active], ctx.settings.max_total_fee_ppm)
    after = Platform(fees, _target(ctx, params.target, before.target))
    platform.save(ctx.tx, after)
    if fees != before.fees:
        for each in active:
            published.fee_config(ctx.tx, each, ctx.now)
    ctx.record("platform", before=_shape(before), after=_shape(after))
    return _shape(after)


def start(tx: Tx, values: Platform, now: int) -> None:
    """The start values of the configuration, where none were ever in force."""
    if platform.start(tx, values):
        journal.record(tx, at=now, who="satmachine", command="start values", target="platform", after=_shape(values))


def _target(ctx: Context, text: str | None, before: str | None) -> str | None:
    if text is None:
        return before
    return None if text.lower() == "none" else lookup.target(ctx, text).value


def _shape(found: Platform) -> dict[str, Any]:
    return {
        "cash_in_fee": fraction_text(found.fees.cash_in_ppm),
        "cash_out_fee": fraction_text(found.fees.cash_out_ppm),
        "target": lookup.shown_target(found.target),
    }
