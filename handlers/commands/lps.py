"""`lp …`: the operator enrols LPs at machines and looks at their balances. Where their sats go is theirs alone."""

from __future__ import annotations

from typing import Any

from handlers import replies
from handlers.commands import lookup, shapes
from handlers.commands.fields import Key, Name, Params, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from nwc.keys import npub_of
from storage import lps, outbox
from storage.lps import Lp


class LpAdd(Params):
    machine: Key
    npub: Key
    name: Name | None = None


class LpList(Paged):
    machine: Key | None = None
    lp: Key | None = None


class LpShow(Params):
    lp: Key
    machine: Key | None = None


@command(
    "lp add",
    roles=OPERATOR,
    changes=True,
    places=("machine", "npub", "name"),
    example="lp add sintra npub1… ana",
)
def lp_add(ctx: Context, params: LpAdd) -> dict[str, Any]:
    """Enrols an LP at a machine; the LP itself then says with join where its sats go."""
    at = lookup.machine(ctx, params.machine)
    who = _known(ctx, params)
    if who is None:
        pubkey = lookup.public_key(params.npub, "npub")
        if pubkey == ctx.settings.bot_pubkey:
            raise Refusal(Code.BAD_REQUEST, "npub is the bot's own key: give the LP's", field="npub")
        name = _free_name(ctx, params.name) if params.name else _default_name(ctx, pubkey)
        who = lps.insert(ctx.tx, pubkey=pubkey, name=name, now=ctx.now)
    if lps.enrolment(ctx.tx, at.id, who.id) is not None:
        raise Refusal(Code.CONFLICT, f"{who.name} is enrolled at {at.name} already", field="npub")
    lps.enrol(ctx.tx, at.id, who.id, ctx.now)
    _welcome_applicant(ctx, who, at.name)
    enrolled = lps.enrolment(ctx.tx, at.id, who.id)
    assert enrolled is not None
    result = shapes.enrolment(enrolled)
    ctx.record(who.name, after={"machine": at.name, "lp": who.pubkey, "onboarded": enrolled.onboarded})
    return result


@command("lp list", roles=OPERATOR, short=("lps",), places=("machine",), example="lp list sintra")
def lp_list(ctx: Context, params: LpList) -> Listing:
    """Enrolments with their balances, the newest first."""
    machine_id = lookup.machine(ctx, params.machine).id if params.machine else None
    lp_id = lookup.lp(ctx, params.lp).id if params.lp else None
    before = number_of("E", params.before, "before") if params.before else None
    rows = lps.enrolments(ctx.tx, machine_id=machine_id, lp_id=lp_id, before_id=before, limit=params.limit + 1)
    return listing(rows, params.limit, lambda row: f"E{row.id}", shapes.enrolment)


@command("lp show", roles=OPERATOR, places=("lp", "machine"), example="lp show ana")
def lp_show(ctx: Context, params: LpShow) -> dict[str, Any]:
    """One LP: whether it has joined, and what it has at each machine."""
    who = lookup.lp(ctx, params.lp)
    if params.machine:
        found = [lookup.enrolment(ctx, lookup.machine(ctx, params.machine), who)]
    else:
        found = lps.enrolments(ctx.tx, lp_id=who.id)[::-1]
    shown = [shapes.enrolment(each) for each in found]
    return {
        **(shown[0] if len(shown) == 1 else {}),
        "lp": who.pubkey,
        "npub": npub_of(who.pubkey),
        "name": who.name,
        "onboarded": who.onboarded_at is not None,
        "mode": who.mode.value,
        "frozen": who.frozen,
        "enrolments": shown,
    }


def _known(ctx: Context, params: LpAdd) -> Lp | None:
    """The LP, where it is enrolled somewhere else already: by key, or by the name it has here."""
    if lookup.looks_like_key(params.npub):
        who = lps.by_pubkey(ctx.tx, lookup.public_key(params.npub, "npub"))
    else:
        who = lookup.lp(ctx, params.npub, "npub")
    if who is not None and params.name and params.name.lower() != who.name.lower():
        raise Refusal(Code.CONFLICT, f"this key is {who.name} already: leave the name out", field="name")
    return who


def _free_name(ctx: Context, name: str) -> str:
    if lookup.looks_like_key(name):
        raise Refusal(Code.BAD_REQUEST, "name looks like a key: choose a name such as ana", field="name")
    if lps.by_name(ctx.tx, name) is not None:
        raise Refusal(Code.CONFLICT, f"there is an LP {name} already: choose another name", field="name")
    return name


def _default_name(ctx: Context, pubkey: str) -> str:
    name = f"lp-{pubkey[:8]}"
    return name if lps.by_name(ctx.tx, name) is None else f"lp-{pubkey[:32]}"


def _welcome_applicant(ctx: Context, who: Lp, machine_name: str) -> None:
    """Somebody who had joined before is onboarded with the target given then, and told."""
    target = lps.applicant(ctx.tx, who.pubkey)
    if target is None:
        return
    if who.target is None:
        lps.set_target(ctx.tx, who.id, target, ctx.now)
    lps.forget_applicant(ctx.tx, who.pubkey)
    text = replies.render("notice enrolled", {"machine": machine_name, "target": lookup.shown_target(target)})
    outbox.put_dm(ctx.tx, to=who.pubkey, text=text, answers=None, signed=False, now=ctx.now)
