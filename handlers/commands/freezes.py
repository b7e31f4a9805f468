"""`target freeze`, `target unfreeze`: nothing is paid to one LP, by an operator's word or by its own.

The two words are two switches. What an LP says of itself never lifts what an operator said, in whatever order the two
come in; an operator lifts both.
"""

from __future__ import annotations

from typing import Any

from handlers import notices
from handlers.commands import lookup
from handlers.commands.fields import Key, Note, Params
from handlers.commands.own import targets
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import LP, OPERATOR, Role
from ledger.errors import Code, Refusal
from nwc.keys import npub_of
from storage import lps, switches
from storage.lps import Lp
from storage.switches import Switch


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
    return _say(ctx, _whom(ctx, params.lp), Switch(True, _said_at(ctx), ctx.sender, params.reason))


@command(
    "target unfreeze", roles=OPERATOR | LP, changes=True, short=("unfreeze",), places=("lp",), example="unfreeze ana"
)
def target_unfreeze(ctx: Context, params: Unfreeze) -> dict[str, Any]:
    """Pays this LP again. An LP lifts only what it froze itself."""
    who = _whom(ctx, params.lp)
    if not _operator(ctx) and switches.paused(ctx.tx, switches.of_lp(who.id)):
        raise Refusal(Code.FORBIDDEN, "the operator has frozen your payments: write to the operator")
    return _say(ctx, who, Switch(False, _said_at(ctx), ctx.sender, None))


def _operator(ctx: Context) -> bool:
    return Role.OPERATOR in ctx.roles


def _said_at(ctx: Context) -> int:
    """What a clock ahead of ours dates in the future must not outlast what is said later."""
    return min(ctx.message.said_at, ctx.now)


def _whom(ctx: Context, text: str | None) -> Lp:
    """An operator names an LP, an LP means itself; of others it learns nothing."""
    own = lps.by_pubkey(ctx.tx, ctx.sender)
    if text is not None and _operator(ctx):
        return lookup.lp(ctx, text)
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
