"""`hold lift`: an operator has looked at what the bot holds its payments for, and lives with it."""

from __future__ import annotations

from typing import Any

from handlers import holding, past
from handlers.commands.fields import Name, Note, Params
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import shown
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from storage import forgotten, holds, violations
from storage.db import Tx
from storage.holds import Hold


class HoldLift(Params):
    hold: Name
    reason: Note


def shape(tx: Tx, hold: Hold) -> dict[str, Any]:
    """A hold as JSON shows it, with the broken rules behind it."""
    found: dict[str, Any] = {"name": hold.name, "since": hold.since, "reason": hold.reason}
    if hold.name == holds.BOOKS:
        found |= {
            "violations": holding.shapes(violations.standing(tx, holding.SHOWN)),
            "count": violations.number(tx),
        }
    if hold.name == holds.PAST:
        looked_for = past.state(tx)
        found |= {"forgotten": len(forgotten.waiting(tx)), "read": looked_for.read if looked_for else []}
    return found


def shapes(tx: Tx) -> list[dict[str, Any]]:
    """All that holds, in the order of time."""
    return [shape(tx, hold) for hold in holds.all(tx)]


def _preview(ctx: Context, params: HoldLift) -> dict[str, Any]:
    found = shape(ctx.tx, _named(ctx, params.hold))
    if found["name"] == holds.PAST:
        found["unread"] = sorted(set(ctx.settings.wallets) - set(found["read"]))
    return found


@command(
    "hold lift",
    roles=OPERATOR,
    money=_preview,
    places=("hold",),
    rest="reason",
    example='hold lift books "the row was damaged, I have compared it with the wallet"',
)
def hold_lift(ctx: Context, params: HoldLift) -> dict[str, Any]:
    """Has payments go on although the bot held them: you have looked at the cause, and live with it."""
    hold = shape(ctx.tx, _named(ctx, params.hold))
    holding.lift(ctx.tx, hold["name"], by=ctx.sender, now=ctx.now)
    ctx.record(hold["name"], before=hold, after={"reason": params.reason})
    return {"lifted": hold["name"], "holds": shapes(ctx.tx)}


def _named(ctx: Context, name: str) -> Hold:
    """Refuses `not_found`."""
    found = holds.get(ctx.tx, name.lower())
    if found is None:
        raise Refusal(
            Code.NOT_FOUND, "nothing is held by the name “{hold}”: say status", field="hold", hold=shown(name)
        )
    return found
