"""What an LP says for itself: `join`, `balance`, `history`. Anybody may join; the operator enrols."""

from __future__ import annotations

from typing import Any

from handlers import notices
from handlers.commands import lookup
from handlers.commands.fields import Key, Params, TargetText, When, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.payments import LegTypes, leg_shape
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import ANYBODY, LP
from ledger.errors import Code, Refusal
from ledger.views import lp_balance
from nwc.keys import npub_of
from nwc.targets import Target
from storage import lps, reports
from storage.lps import Lp
from storage.reports import LegFilter

MOST_APPLICANTS = 100


class Join(Params):
    target: TargetText


class Balance(Params):
    machine: Key | None = None


class History(Paged):
    machine: Key | None = None
    since: When | None = None
    until: When | None = None
    type: LegTypes | None = None


def _change(ctx: Context, params: Join) -> dict[str, Any] | None:
    return change_of_target(ctx, params.target)


def change_of_target(ctx: Context, text: str) -> dict[str, Any] | None:
    """What a new target for the sender's sats would change. Only another one than the one there is needs a
    confirmation: None for any other."""
    lps.take_due_targets(ctx.tx, ctx.now)
    who = lps.by_pubkey(ctx.tx, ctx.sender)
    target = lookup.target(ctx, text)
    if who is None or who.target is None or target.value == (who.next_target or who.target):
        return None
    now = target.value == who.target
    return {
        "target": target.shown,
        "replaces": lookup.shown_target(who.next_target or who.target),
        "cooldown_seconds": 0 if now else ctx.settings.target_cooldown_seconds,
    }


@command(
    "join",
    roles=ANYBODY,
    changes=True,
    money=_change,
    short=("unirse",),
    places=("target",),
    example="join ana@example.com",
)
def join(ctx: Context, params: Join) -> dict[str, Any]:
    """Says where your sats go. The first time it is used at once; a change waits and has to be confirmed."""
    target = lookup.target(ctx, params.target)
    who = lps.by_pubkey(ctx.tx, ctx.sender)
    if who is None:
        return _apply(ctx, target.value)
    return {"status": "onboarded", "onboarded": True, **targets(set_target(ctx, who, target), ctx.now)}


def set_target(ctx: Context, who: Lp, target: Target) -> Lp:
    """The first target is used at once; another one once the cool-down is over. The old one takes a change back."""
    if who.target is None or ctx.settings.target_cooldown_seconds == 0:
        changed = lps.set_target(ctx.tx, who.id, target.value, ctx.now)
    elif target.value == who.target:
        changed = lps.set_next_target(ctx.tx, who.id, None, None) if who.next_target else who
    elif target.value == who.next_target:
        changed = who
    else:
        starts_at = ctx.now + ctx.settings.target_cooldown_seconds
        changed = lps.set_next_target(ctx.tx, who.id, target.value, starts_at)
    if changed != who:
        ctx.record(who.name, before=targets(who, ctx.now), after=targets(changed, ctx.now))
        if who.target is not None:
            _warn(ctx, who, changed)
    return changed


def _warn(ctx: Context, who: Lp, changed: Lp) -> None:
    """Somebody else may have the LP's key: whoever can do something about it is told, the LP itself too."""
    replaced = lookup.shown_target(who.next_target or who.target)
    told = {"name": who.name, "replaces": replaced, **targets(changed, ctx.now)}
    notices.tell(ctx.tx, [who.pubkey], "notice target changed", told, ctx.now)
    operators = ctx.settings.operators_to_tell - {who.pubkey}
    notices.tell(ctx.tx, operators, "notice lp target changed", told, ctx.now)


@command("balance", roles=LP, short=("saldo",), places=("machine",), example="balance")
def balance(ctx: Context, params: Balance) -> dict[str, Any]:
    """What you brought, what was paid, what remains, at each machine."""
    pubkey, enrolments = reports.lp_balance_facts(ctx.tx, lookup.own_lp(ctx).id)
    if params.machine:
        name = _own_machine(ctx, params.machine)[1]
        enrolments = [each for each in enrolments if each.machine == name]
    return lp_balance(pubkey, enrolments, ctx.now, limit=64_000)


@command("history", roles=LP, short=("historial",), places=("machine",), example="history since=2026-01-01")
def history(ctx: Context, params: History) -> Listing:
    """Your payments, the newest first."""
    wanted = LegFilter(
        lp_id=lookup.own_lp(ctx).id,
        machine_id=_own_machine(ctx, params.machine)[0] if params.machine else None,
        type=params.type,
        since=params.since,
        until=params.until,
        voided=False,
    )
    before = number_of("P", params.before, "before") if params.before else None
    rows = reports.legs_page(ctx.tx, wanted, before_id=before, limit=params.limit + 1)
    return listing(
        rows, params.limit, lambda row: f"P{row.leg.id}", lambda row: {**leg_shape(row), "machine": row.machine}
    )


def _own_machine(ctx: Context, text: str) -> tuple[int, str]:
    """A machine at which the sender is enrolled; of any other it learns nothing."""
    refused = Refusal(Code.NOT_FOUND, "you are not enrolled at such a machine: say balance", field="machine")
    try:
        found = lookup.machine(ctx, text)
    except Refusal as error:
        raise (refused if error.code is Code.NOT_FOUND else error) from None
    if lps.enrolment(ctx.tx, found.id, lookup.own_lp(ctx).id) is None:
        raise refused
    return found.id, found.name


def targets(who: Lp, now: int) -> dict[str, Any]:
    """Where the sats of an LP go, as people may see it. A change whose time has come is in force."""
    due = who.next_target_at is not None and who.next_target_at <= now
    return {
        "target": lookup.shown_target(who.next_target if due else who.target),
        "next_target": None if due else lookup.shown_target(who.next_target),
        "next_target_at": None if due else who.next_target_at,
    }


def _apply(ctx: Context, target: str) -> dict[str, Any]:
    """Somebody who is not enrolled yet is kept, and the operators hear of it, once."""
    new = lps.applicant(ctx.tx, ctx.sender) is None
    if new and lps.applicants(ctx.tx) >= MOST_APPLICANTS:
        raise Refusal(Code.FORBIDDEN, "too many people wait to be enrolled: ask the operator to enrol you first")
    shown = lookup.shown_target(target)
    lps.keep_applicant(ctx.tx, ctx.sender, target, ctx.now)
    if new:
        ctx.record(f"applicant {ctx.sender[:8]}", after={"pubkey": ctx.sender, "target": shown})
        _tell_operators(ctx, shown)
    return {
        "status": "applicant",
        "onboarded": False,
        "target": shown,
        "next_target": None,
        "next_target_at": None,
    }


def _tell_operators(ctx: Context, shown: str | None) -> None:
    applicant = lps.applicant(ctx.tx, ctx.sender)
    assert applicant is not None
    told = {"id": f"A{applicant.id}", "npub": npub_of(ctx.sender), "target": shown}
    notices.tell(ctx.tx, ctx.settings.operators_to_tell, "notice applicant", told, ctx.now)
