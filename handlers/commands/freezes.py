"""`target freeze`, `target unfreeze`: nothing is paid to one payee, by an operator's word or, of an LP, by its own.

The two words are two switches. What an LP says of itself never lifts what an operator said, in whatever order the two
come in; an operator lifts both. The platform and partners are no LPs: they are named by where their sats go, or by a
payment to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from handlers import notices
from handlers.commands import lookup
from handlers.commands.fields import Key, Note, Params
from handlers.commands.own import targets
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import LP, OPERATOR, Role
from ledger.decide.distribution import split_payee
from ledger.errors import Code, Refusal
from ledger.model import Leg
from nwc.keys import npub_of
from nwc.targets import BadTarget, parse_target
from storage import legs, lps, platform, splits, switches
from storage.lps import Lp
from storage.switches import Switch

PLATFORM: Final = "platform"
_PAYMENT: Final = re.compile(r"[Pp][0-9]{1,15}")


class Freeze(Params):
    lp: Key | None = None
    reason: Note | None = None


class Unfreeze(Params):
    lp: Key | None = None


@command(
    "target freeze",
    roles=OPERATOR | LP,
    changes=True,
    short=("freeze",),
    places=("lp",),
    rest="reason",
    example="freeze ana",
)
def target_freeze(ctx: Context, params: Freeze) -> dict[str, Any]:
    """Nothing more is paid to this LP, until unfreeze. What is on its way can't be called back."""
    said = Switch(True, _said_at(ctx), ctx.sender, params.reason)
    payee = _payee(ctx, params.lp)
    return _say_of_payee(ctx, payee, said) if payee is not None else _say(ctx, _whom(ctx, params.lp), said)


@command(
    "target unfreeze", roles=OPERATOR | LP, changes=True, short=("unfreeze",), places=("lp",), example="unfreeze ana"
)
def target_unfreeze(ctx: Context, params: Unfreeze) -> dict[str, Any]:
    """Pays this LP again. An LP lifts only what it froze itself."""
    payee = _payee(ctx, params.lp)
    if payee is not None:
        return _say_of_payee(ctx, payee, Switch(False, _said_at(ctx), ctx.sender, None))
    who = _whom(ctx, params.lp)
    if not _operator(ctx) and switches.paused(ctx.tx, switches.of_lp(who.id)):
        raise Refusal(Code.FORBIDDEN, "the operator has frozen your payments: write to the operator")
    return _say(ctx, who, Switch(False, _said_at(ctx), ctx.sender, None))


def _operator(ctx: Context) -> bool:
    return Role.OPERATOR in ctx.roles


def _said_at(ctx: Context) -> int:
    """What a clock ahead of ours dates in the future must not outlast what is said later."""
    return min(ctx.message.said_at, ctx.now)


@dataclass(frozen=True, slots=True)
class _Payee:
    """A payee that is no LP."""

    payee: str
    name: str
    """As it is typed in these orders."""
    target: str | None


def _payee(ctx: Context, text: str | None) -> _Payee | None:
    """Whom an operator names by a payment's id, by `platform` or by a target; None where it may be an LP."""
    if text is None or not _operator(ctx) or lps.by_name(ctx.tx, text) is not None:
        return None
    if leg := _leg(ctx, text):
        return _Payee(leg.payee, f"P{leg.id}", leg.target) if leg.lp_id is None else None
    of_platform = platform.load(ctx.tx).target
    if text.lower() == PLATFORM:
        return _Payee(PLATFORM, PLATFORM, of_platform)
    try:
        target = parse_target(text, allow_private=ctx.settings.allow_private_targets)
    except BadTarget:
        return None
    if target.value == of_platform:
        return _Payee(PLATFORM, PLATFORM, of_platform)
    return _Payee(split_payee(target.value), target.shown, target.value) if splits.known(ctx.tx, target.value) else None


def _leg(ctx: Context, text: str) -> Leg | None:
    """The payment that is named, if one is. Refuses `not_found`."""
    if not _PAYMENT.fullmatch(text):
        return None
    found = legs.get(ctx.tx, int(text[1:]))
    if found is None:
        raise Refusal(Code.NOT_FOUND, "there is no payment P{id}: payment list", field="lp", id=int(text[1:]))
    return found


def _say_of_payee(ctx: Context, who: _Payee, said: Switch) -> dict[str, Any]:
    name = switches.of_payee(who.payee)
    before = switches.get(ctx.tx, name)
    obeyed = switches.say(ctx.tx, name, said)
    after = switches.get(ctx.tx, name)
    assert after is not None
    ctx.record(who.name, before={"frozen": before is not None and before.paused}, after={"frozen": after.paused})
    return {
        "lp": None,
        "npub": None,
        "name": who.name,
        "yourself": False,
        "frozen": after.paused,
        "by": "operator" if after.paused else None,
        "reason": after.reason if after.paused else None,
        "since": after.said_at,
        "obeyed": obeyed,
        "target": lookup.shown_target(who.target),
        "next_target": None,
        "next_target_at": None,
    }


def _whom(ctx: Context, text: str | None) -> Lp:
    """An operator names an LP, or a payment to it; an LP means itself, and of others it learns nothing."""
    own = lps.by_pubkey(ctx.tx, ctx.sender)
    if text is not None and _operator(ctx):
        leg = _leg(ctx, text)
        paid = lps.get(ctx.tx, leg.lp_id) if leg is not None and leg.lp_id is not None else None
        return paid or lookup.lp(ctx, text)
    if own is None:
        raise Refusal(Code.BAD_REQUEST, "lp is missing, for example: freeze ana", field="lp")
    if text is not None and text.lower() not in (own.name.lower(), own.pubkey, npub_of(own.pubkey)):
        raise Refusal(Code.FORBIDDEN, "you can do this for yourself only: leave the name out", field="lp")
    return own


def _say(ctx: Context, who: Lp, said: Switch) -> dict[str, Any]:
    """Follows the time at which it was said, as pause and resume do."""
    before = _state(ctx, who)
    name = switches.of_lp(who.id) if _operator(ctx) else switches.of_lp_itself(who.id)
    obeyed = switches.say(ctx.tx, name, said)
    if _operator(ctx) and not said.paused and switches.paused(ctx.tx, switches.of_lp_itself(who.id)):
        name = switches.of_lp_itself(who.id)
        obeyed = switches.say(ctx.tx, name, said) and obeyed
    after = _state(ctx, who)
    ctx.record(who.name, before=before, after=after)
    standing = switches.get(ctx.tx, name)
    assert standing is not None
    result = {
        "lp": who.pubkey,
        "npub": npub_of(who.pubkey),
        "name": who.name,
        "yourself": who.pubkey == ctx.sender,
        **after,
        "since": standing.said_at,
        "obeyed": obeyed,
        **targets(who, ctx.now),
    }
    if (before["frozen"], before["by"]) != (after["frozen"], after["by"]):
        _tell(ctx, who, result)
    return result


def _state(ctx: Context, who: Lp) -> dict[str, Any]:
    for by, name in (("operator", switches.of_lp(who.id)), ("lp", switches.of_lp_itself(who.id))):
        switch = switches.get(ctx.tx, name)
        if switch is not None and switch.paused:
            return {"frozen": True, "by": by, "reason": switch.reason}
    return {"frozen": False, "by": None, "reason": None}


def _tell(ctx: Context, who: Lp, result: dict[str, Any]) -> None:
    """The other side: the LP of what an operator did, the operators of what the LP did."""
    what = "frozen" if result["frozen"] else "unfrozen"
    if not _operator(ctx):
        notices.tell(ctx.tx, ctx.settings.operators_to_tell, f"notice lp {what}", result, ctx.now)
    elif who.pubkey != ctx.sender and result["by"] != "lp":
        notices.tell(ctx.tx, [who.pubkey], f"notice {what}", result, ctx.now)
