"""`lp …`: the operator enrols LPs at machines and looks at their balances. Where their sats go is theirs alone."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from handlers import notices, published
from handlers.commands import lookup, shapes
from handlers.commands.fields import ApplicantId, Key, Name, Params, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import typed
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.model import EnrolmentStatus
from ledger.money import fiat_text
from nwc.keys import npub_of
from storage import lps, people, switches
from storage.lps import Applicant, Enrolment, Lp

_APPLICANT: Final = re.compile(r"A[0-9]{1,15}", re.ASCII | re.IGNORECASE)


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


class LpSet(Params):
    machine: Key
    lp: Key
    name: Name | None = None
    status: Literal["active", "paused"] | None = None


class LpRemove(Params):
    machine: Key | None = None
    lp: Key


class ApplicantNamed(Params):
    applicant: ApplicantId


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
        pubkey = _key(ctx, params.npub)
        if pubkey == ctx.settings.bot_pubkey:
            raise Refusal(Code.BAD_REQUEST, "npub is the bot's own key: give the LP's", field="npub")
        name = _free_name(ctx, params.name) if params.name else _default_name(ctx, pubkey)
        who = lps.insert(ctx.tx, pubkey=pubkey, name=name, now=ctx.now)
    if lps.enrolment(ctx.tx, at.id, who.id) is not None:
        raise Refusal(
            Code.CONFLICT, "{lp} is enrolled at {machine} already", field="npub", lp=who.name, machine=at.name
        )
    lps.enrol(ctx.tx, at.id, who.id, ctx.now)
    spoken = people.chosen_language(ctx.tx, ctx.sender)
    if spoken is not None and people.chosen_language(ctx.tx, who.pubkey) is None:
        people.set_language(ctx.tx, who.pubkey, spoken)
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
        "frozen": switches.frozen(ctx.tx, who.id),
        "enrolments": shown,
    }


@command(
    "lp set",
    roles=OPERATOR,
    changes=True,
    places=("machine", "lp"),
    example="lp set sintra ana status=paused",
)
def lp_set(ctx: Context, params: LpSet) -> dict[str, Any]:
    """Changes an LP's name, or pauses it at one machine: a paused LP gets no share of what comes."""
    at = lookup.machine(ctx, params.machine)
    who = lookup.lp(ctx, params.lp)
    enrolled = lookup.enrolment(ctx, at, who)
    if params.name is None and params.status is None:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: lp set sintra ana status=paused")
    if params.name is not None:
        lps.rename(ctx.tx, who.id, _free_name(ctx, params.name, who))
    if params.status is not None:
        lps.set_status(ctx.tx, enrolled, EnrolmentStatus(params.status))
    changed = lps.enrolment(ctx.tx, at.id, who.id)
    assert changed is not None
    result = shapes.enrolment(changed)
    ctx.record(
        changed.lp,
        before={"machine": at.name, "name": who.name, "status": enrolled.status.value},
        after={"machine": at.name, "name": changed.lp, "status": changed.status.value},
    )
    return result


@command("lp remove", roles=OPERATOR, changes=True, places=("machine", "lp"), example="lp remove sintra ana")
def lp_remove(ctx: Context, params: LpRemove) -> dict[str, Any]:
    """Takes back an enrolment that was never used, and the LP with its last one; others are paused instead."""
    who = lookup.lp(ctx, params.lp)
    left = lps.enrolments(ctx.tx, lp_id=who.id)
    at = lookup.machine(ctx, params.machine) if params.machine else None
    if at is not None:
        enrolled = lookup.enrolment(ctx, at, who)
        _check_unused(ctx, enrolled)
        lps.unenrol(ctx.tx, enrolled)
        left = [each for each in left if each.id != enrolled.id]
    elif left:
        raise Refusal(
            Code.BAD_REQUEST,
            "machine is missing, {lp} is enrolled at {machines}: lp remove {machine} {lp}",
            field="machine",
            lp=typed(who.name),
            machine=left[0].machine,
            machines=", ".join(each.machine for each in left[:10]),
        )
    if not left:
        _remove(ctx, who)
    ctx.record(who.name, before={"machine": at.name if at else None, "lp": who.pubkey}, after={"gone": not left})
    return {
        "machine": at.name if at else None,
        "lp": who.pubkey,
        "npub": npub_of(who.pubkey),
        "name": who.name,
        "removed": True,
        "gone": not left,
    }


@command("lp applicants", roles=OPERATOR, short=("applicants",), example="lp applicants")
def lp_applicants(ctx: Context, params: Paged) -> Listing:
    """Who has joined and is not enrolled yet, the newest first."""
    before = number_of("A", params.before, "before") if params.before else None
    rows = lps.applicants_page(ctx.tx, before_id=before, limit=params.limit + 1)
    return listing(rows, params.limit, lambda row: f"A{row.id}", _applicant_shape)


@command("lp dismiss", roles=OPERATOR, changes=True, places=("applicant",), example="lp dismiss A3")
def lp_dismiss(ctx: Context, params: ApplicantNamed) -> dict[str, Any]:
    """Forgets an applicant, who is not told and may join again."""
    found = _applicant(ctx, params.applicant, "applicant")
    lps.forget_applicant(ctx.tx, found.pubkey)
    shape = _applicant_shape(found)
    ctx.record(f"A{found.id}", before=shape)
    return shape


def _check_unused(ctx: Context, enrolled: Enrolment) -> None:
    left_minor = enrolled.deposited_minor - enrolled.paid_minor - enrolled.reserved_minor
    if left_minor:
        raise Refusal(
            Code.BAD_STATE,
            "{lp} has {amount} left at {machine}: pay it with lp settle, then lp set {machine} {lp} status=paused",
            field="lp",
            lp=typed(enrolled.lp),
            machine=enrolled.machine,
            amount=f"{fiat_text(left_minor, enrolled.currency)} {enrolled.currency}",
        )
    if lps.has_history(ctx.tx, enrolled.machine_id, enrolled.lp_id):
        raise Refusal(
            Code.BAD_STATE,
            "{lp} has deposits or payments at {machine}, and records are kept: lp set {machine} {lp} status=paused",
            field="lp",
            lp=typed(enrolled.lp),
            machine=enrolled.machine,
        )


def _remove(ctx: Context, who: Lp) -> None:
    """What was published to it before says that it is enrolled somewhere: that is taken back."""
    lps.remove(ctx.tx, who)
    published.no_balance(ctx.tx, who.pubkey, ctx.now)
    if who.pubkey not in ctx.settings.operators | ctx.settings.platforms:
        people.forget(ctx.tx, who.pubkey)


def _applicant_shape(found: Applicant) -> dict[str, Any]:
    return {
        "id": f"A{found.id}",
        "lp": found.pubkey,
        "npub": npub_of(found.pubkey),
        "target": lookup.shown_target(found.target),
        "since": found.created_at,
    }


def _known(ctx: Context, params: LpAdd) -> Lp | None:
    """The LP, where it is enrolled somewhere else already: by key, or by the name it has here."""
    if lookup.looks_like_key(params.npub) or _APPLICANT.fullmatch(params.npub):
        who = lps.by_pubkey(ctx.tx, _key(ctx, params.npub))
    else:
        who = lookup.lp(ctx, params.npub, "npub")
    if who is not None and params.name and params.name.lower() != who.name.lower():
        raise Refusal(Code.CONFLICT, "this key is {lp} already: leave the name out", field="name", lp=who.name)
    return who


def _key(ctx: Context, text: str) -> str:
    """The public key that an npub, hex or the id of an applicant stands for."""
    if not _APPLICANT.fullmatch(text):
        return lookup.public_key(text, "npub")
    return _applicant(ctx, number_of("A", text, "npub"), "npub").pubkey


def _applicant(ctx: Context, applicant_id: int, field: str) -> Applicant:
    found = lps.applicant_by_id(ctx.tx, applicant_id)
    if found is None:
        raise Refusal(Code.NOT_FOUND, "there is no applicant A{id}: lp applicants", field=field, id=applicant_id)
    return found


def _free_name(ctx: Context, name: str, own: Lp | None = None) -> str:
    lookup.check_name(name)
    holder = lps.by_name(ctx.tx, name)
    if holder is not None and (own is None or holder.id != own.id):
        raise Refusal(Code.CONFLICT, "there is an LP {name} already: choose another name", field="name", name=name)
    return name


def _default_name(ctx: Context, pubkey: str) -> str:
    name = f"lp-{pubkey[:8]}"
    return name if lps.by_name(ctx.tx, name) is None else f"lp-{pubkey[:32]}"


def _welcome_applicant(ctx: Context, who: Lp, machine_name: str) -> None:
    """Somebody who had joined before is onboarded with the target given then, and told."""
    applicant = lps.applicant(ctx.tx, who.pubkey)
    if applicant is None:
        return
    if who.target is None:
        lps.set_target(ctx.tx, who.id, applicant.target, ctx.now)
    lps.forget_applicant(ctx.tx, who.pubkey)
    told = {"machine": machine_name, "target": lookup.shown_target(applicant.target)}
    notices.tell(ctx.tx, [who.pubkey], "notice enrolled", told, ctx.now)
