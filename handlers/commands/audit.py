"""`audit`: who did what, and how it was before and after."""

from __future__ import annotations

import re
from typing import Any, Final

from handlers.commands import lookup
from handlers.commands.fields import Key, When, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import shown
from handlers.roles import OPERATOR, PLATFORM, Role
from ledger.errors import Code, Refusal
from storage import audit_log, lps, machines
from storage.audit_log import Line, LineFilter

BOT: Final = "satmachine"
_ID: Final = re.compile(r"[SPD]\d+", re.ASCII | re.IGNORECASE)


class Audit(Paged):
    target: Key | None = None
    since: When | None = None


@command("audit", roles=OPERATOR | PLATFORM, apart=True, places=("target",), example="audit S12")
def audit(ctx: Context, params: Audit) -> Listing:
    """Who did what, the newest first: to one thing, or to everything."""
    everything = Role.OPERATOR in ctx.roles
    target = None
    if params.target is not None:
        target = _target(ctx, params.target) if everything else _plain(params.target)
    wanted = LineFilter(
        target=target,
        since=params.since,
        before_id=number_of("", params.before, "before") if params.before else None,
        seen_by=None if everything else ctx.sender,
    )
    lines = audit_log.page(ctx.tx, wanted, params.limit + 1)
    found = listing(lines, params.limit, lambda line: str(line.id), lambda line: shape(ctx, line))
    found["target"] = target
    return found


def shape(ctx: Context, line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "at": line.at,
        "who": line.who,
        "name": name_of(ctx, line.who, line.lp),
        "command": line.command,
        "target": line.target,
        "before": line.before,
        "after": line.after,
    }


def name_of(ctx: Context, who: str, lp: str | None = None) -> str | None:
    """The LP's name, or else the role in which somebody is known here; None for one who is known no more."""
    if lp is not None and (Role.OPERATOR in ctx.roles or who == ctx.sender):
        return lp
    if who in ctx.settings.operators or who == ctx.settings.bot_pubkey:
        return "operator"
    if who in ctx.settings.platforms:
        return "platform"
    return BOT if who == BOT else None


def _plain(text: str) -> str:
    return text.upper() if _ID.fullmatch(text) else text


def _target(ctx: Context, text: str) -> str:
    """As it stands in the log: an id, or the name of a machine or an LP, also one that it had before."""
    if _ID.fullmatch(text):
        return text.upper()
    if audit_log.known(ctx.tx, text):
        return text
    if lookup.looks_like_key(text):
        pubkey = lookup.public_key(text, "target")
        found = machines.by_pubkey(ctx.tx, pubkey) or lps.by_pubkey(ctx.tx, pubkey)
    else:
        found = machines.by_name(ctx.tx, text.lower()) or lps.by_name(ctx.tx, text)
    if found is None:
        raise Refusal(
            Code.NOT_FOUND,
            "there is nothing about “{target}” in the audit log: name an id such as S12, P40 or D7, a machine, an LP, "
            "or platform",
            field="target",
            target=shown(text),
        )
    return found.name
