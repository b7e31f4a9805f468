"""`lp settle`, `fixed run`: the operator has LPs paid what they still have in a machine."""

from __future__ import annotations

from typing import Any

from handlers import fixed_mode, lp_settle
from handlers.commands import lookup
from handlers.commands.fields import FiatAmount, Key, Name, Note, Params, Rate
from handlers.commands.payments import leg_shape
from handlers.commands.registry import command
from handlers.context import Context
from handlers.fixed_mode import Round
from handlers.lp_settle import Wanted
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.model import Machine
from ledger.money import decimal_text, fiat_text, parse_fiat
from nwc.keys import npub_of
from storage import payee_credits, reports, switches
from storage.lps import Lp


class LpSettle(Params):
    machine: Key
    lp: Key
    rate: Rate
    amount: FiatAmount | None = None
    wallet: Name | None = None
    note: Note | None = None


def _preview(ctx: Context, params: LpSettle) -> dict[str, Any]:
    at, who, wanted = _wanted(ctx, params)
    decided = lp_settle.check(ctx.tx, at, who, wanted, configured=ctx.settings.wallets, now=ctx.now)
    lookup.check_cap(ctx, decided.leg.amount_sats, "amount")
    return {
        "machine": at.name,
        "lp": who.pubkey,
        "npub": npub_of(who.pubkey),
        "name": who.name,
        "fiat_amount": fiat_text(decided.leg.fiat_minor, at.fiat),
        "currency": at.fiat,
        "capped": wanted.fiat_minor is not None and decided.leg.fiat_minor < wanted.fiat_minor,
        "rate": decimal_text(wanted.rate),
        "sats": decided.leg.amount_sats,
        "credit_sats": min(decided.leg.amount_sats, payee_credits.open_sats(ctx.tx, decided.leg.payee)),
        "to": lookup.shown_target(decided.leg.target),
        "wallet": decided.wallet,
        "waits_for": _waits_for(ctx, at, who),
        "remaining": fiat_text(decided.remaining_minor, at.fiat),
        "replaced": [f"P{leg.id}" for leg in decided.replaced],
    }


@command(
    "lp settle",
    roles=OPERATOR,
    money=_preview,
    short=("settle",),
    places=("machine", "lp", "rate", "amount"),
    rest="note",
    example="lp settle sintra ana rate=50",
)
def lp_settle_(ctx: Context, params: LpSettle) -> dict[str, Any]:
    """Pays an LP what is left of its fiat, or a part of it, at a rate that you state (sats for one unit of fiat)."""
    at, who, wanted = _wanted(ctx, params)
    decided, leg = lp_settle.settle(
        ctx.tx, at, who, wanted, configured=ctx.settings.wallets, note=params.note, by=ctx.sender, now=ctx.now
    )
    row = reports.leg(ctx.tx, leg.id)
    assert row is not None
    return {
        **leg_shape(row),
        "machine": at.name,
        "currency": at.fiat,
        "rate": decimal_text(wanted.rate),
        "wallet": leg.wallet,
        "remaining": fiat_text(decided.remaining_minor, at.fiat),
    }


def _waits_for(ctx: Context, at: Machine, who: Lp) -> str | None:
    """What somebody has to do before it can leave."""
    if switches.frozen(ctx.tx, who.id):
        return "unfreeze"
    paused = switches.paused(ctx.tx) or switches.paused(ctx.tx, switches.of_machine(at.id))
    return "resume" if paused else None


class FixedRun(Params):
    machine: Key | None = None


def _round(ctx: Context, params: FixedRun) -> Round:
    if not ctx.settings.fixed_mode.times:
        raise Refusal(
            Code.BAD_STATE,
            "fixed mode is off: set times in [fixed_mode] of the configuration, then LPs can choose it with prefs set",
        )
    at = lookup.machine(ctx, params.machine) if params.machine else None
    found = fixed_mode.plan(ctx.tx, at, ctx.settings.fixed_mode, configured=ctx.settings.wallets, now=ctx.now)
    if not found.planned and found.obstacles:
        name, why = found.obstacles[0]
        raise Refusal(Code.BAD_STATE, "nobody can be paid now. {name}: {why}", field="machine", name=name, why=why)
    if not found.planned:
        raise Refusal(Code.BAD_STATE, "no LP in fixed mode has anything to get now", field="machine")
    return found


def _run_preview(ctx: Context, params: FixedRun) -> dict[str, Any]:
    found = _round(ctx, params)
    return {
        "payments": [
            {
                "machine": each.machine.name,
                "lp": each.lp.pubkey,
                "name": each.lp.name,
                "fiat_amount": fiat_text(each.decided.leg.fiat_minor, each.machine.fiat),
                "currency": each.machine.fiat,
                "rate": decimal_text(each.wanted.rate),
                "sats": each.decided.leg.amount_sats,
                "to": lookup.shown_target(each.decided.leg.target),
                "wallet": each.decided.wallet,
                "replaced": [f"P{leg.id}" for leg in each.decided.replaced],
            }
            for each in found.planned
        ],
        "left_out": [{"name": name, "reason": str(why)} for name, why in found.obstacles],
    }


@command("fixed run", roles=OPERATOR, money=_run_preview, places=("machine",), example="fixed run sintra")
def fixed_run(ctx: Context, params: FixedRun) -> dict[str, Any]:
    """Pays the LPs in fixed mode now, each at most its daily limit, at the machine's last rate."""
    found = _round(ctx, params)
    made = fixed_mode.run(
        ctx.tx, found, command="fixed run", configured=ctx.settings.wallets, by=ctx.sender, now=ctx.now
    )
    rows = [reports.leg(ctx.tx, leg.id) for leg in made]
    return {
        "payments": [{**leg_shape(row), "machine": row.machine} for row in rows if row is not None],
        "left_out": [{"name": name, "reason": str(why)} for name, why in found.obstacles],
    }


def _wanted(ctx: Context, params: LpSettle) -> tuple[Machine, Lp, Wanted]:
    at = lookup.machine(ctx, params.machine)
    fiat_minor = None if params.amount is None else parse_fiat(params.amount, at.fiat)
    return at, lookup.lp(ctx, params.lp), Wanted(params.rate, fiat_minor, params.wallet)
