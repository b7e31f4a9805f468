"""`pause`, `resume`: nothing is paid, everywhere or from one machine, while everything goes on being recorded."""

from __future__ import annotations

from typing import Any

from handlers import holding, wallet_trouble
from handlers.commands import holds as held
from handlers.commands import lookup
from handlers.commands.fields import Key, Params
from handlers.commands.registry import command
from handlers.context import Context, Question
from handlers.roles import OPERATOR
from ledger.errors import Refusal
from storage import holds, legs, switches
from storage.settlements import mark_view
from storage.switches import PAYMENTS, Switch


class Pause(Params):
    machine: Key | None = None


@command("pause", roles=OPERATOR, changes=True, places=("machine",), example="pause sintra")
def pause(ctx: Context, params: Pause) -> dict[str, Any]:
    """Nothing more is paid, until resume. What is on its way can't be called back."""
    return _say(ctx, params, paused=True)


@command("resume", roles=OPERATOR, changes=True, places=("machine",), example="resume sintra")
def resume(ctx: Context, params: Pause) -> dict[str, Any]:
    """Pays again; wallets that had stopped for lack of sats are tried again too."""
    checked = params.machine is None and _recheck(ctx)
    return _say(ctx, params, paused=False) | {"checked": checked}


def _recheck(ctx: Context) -> bool:
    """Where the books were found broken, all of them are checked once more; True where they hold by now. What can't be
    checked stays held."""
    if holds.get(ctx.tx, holds.BOOKS) is None:
        return False
    try:
        found = ctx.ask(Question("verify"))
    except Refusal:
        return False
    return holding.recheck(ctx.tx, found, ctx.now)


def _say(ctx: Context, params: Pause, *, paused: bool) -> dict[str, Any]:
    """Follows the time at which the order was said: an older one that comes late changes nothing."""
    at = lookup.machine(ctx, params.machine) if params.machine else None
    name = switches.of_machine(at.id) if at else PAYMENTS
    before = switches.paused(ctx.tx, name)
    # What a clock ahead of ours dates in the future must not outlast what is said later.
    said_at = min(ctx.message.said_at, ctx.now)
    obeyed = switches.say(ctx.tx, name, Switch(paused, said_at, ctx.sender, None))
    if obeyed and not paused:
        wallet_trouble.resumed(ctx.tx, at.wallet if at else None, ctx.now)
        legs.try_capped_now(ctx.tx, ctx.now, machine_id=at.id if at else None)
    mark_view(ctx.tx, "worklist")
    after = switches.get(ctx.tx, name)
    assert after is not None
    ctx.record(at.name if at else "payments", before={"paused": before}, after={"paused": after.paused})
    return {
        "machine": at.name if at else None,
        "paused": after.paused,
        "since": after.said_at,
        "obeyed": obeyed,
        "all_paused": switches.paused(ctx.tx),
        "checked": False,
        "holds": held.shapes(ctx.tx),
    }
