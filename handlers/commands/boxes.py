"""`box …`: where a machine keeps the notes that customers put in."""

from __future__ import annotations

from typing import Any

from handlers.commands import cash_shapes, lookup
from handlers.commands.fields import FiatAmount, Key, Params
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.cash import MoveKind
from ledger.errors import Code, Refusal
from ledger.model import Machine
from ledger.money import fiat_text, parse_fiat
from storage import cash
from storage.cash import Cause


class BoxMachine(Params):
    machine: Key


class BoxEmpty(Params):
    machine: Key
    amount: FiatAmount | None = None


class BoxSet(Params):
    machine: Key
    limit: FiatAmount


@command("box show", roles=OPERATOR, short=("box",), places=("machine",), example="box show sintra")
def box_show(ctx: Context, params: BoxMachine) -> dict[str, Any]:
    """What customers put into a machine since its box was emptied."""
    return _shape(ctx, lookup.machine(ctx, params.machine))


@command("box empty", roles=OPERATOR, changes=True, places=("machine", "amount"), example="box empty sintra 1250")
def box_empty(ctx: Context, params: BoxEmpty) -> dict[str, Any]:
    """You took the notes out of a machine's box. With the amount that you counted the difference is kept."""
    at = lookup.machine(ctx, params.machine)
    counted = parse_fiat(params.amount, at.fiat) if params.amount is not None else None
    before = _shape(ctx, at)
    believed = cash.empty(ctx.tx, at.id, counted, Cause(MoveKind.EMPTIED, ctx.sender, ctx.now))
    taken = {
        "believed": fiat_text(believed, at.fiat),
        "counted": fiat_text(counted, at.fiat) if counted is not None else None,
        "difference": fiat_text(counted - believed, at.fiat) if counted is not None else None,
    }
    result = _shape(ctx, at)
    ctx.record(at.name, before=before, after={**result, **taken})
    return {**result, **taken}


@command("box set", roles=OPERATOR, changes=True, places=("machine", "limit"), example="box set sintra limit=20000")
def box_set(ctx: Context, params: BoxSet) -> dict[str, Any]:
    """Says how much a machine's box holds, so that you are told before it is full."""
    at = lookup.machine(ctx, params.machine)
    limit = None if params.limit.lower() == "none" else parse_fiat(params.limit, at.fiat, "limit")
    if limit == 0:
        raise Refusal(Code.BAD_REQUEST, "{field} must be more than 0, or none", field="limit")
    before = _shape(ctx, at)
    cash.set_limit(ctx.tx, at.id, limit)
    result = _shape(ctx, at)
    ctx.record(at.name, before=before, after=result)
    return result


def _shape(ctx: Context, at: Machine) -> dict[str, Any]:
    box = cash.box(ctx.tx, at.id)
    return {"machine": at.name, "currency": at.fiat, **cash_shapes.box_shape(box, at)}
