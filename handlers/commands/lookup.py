"""What a name stands for: machines, LPs, keys, targets, as people write them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from handlers.context import Context
from handlers.replies.plain import shown
from ledger.errors import Code, Refusal
from ledger.model import Machine, Settlement
from nwc.keys import BadPublicKey, parse_public_key
from nwc.targets import BadTarget, Target, parse_target
from storage import lps, machines, settlements
from storage.lps import Enrolment, Lp


def public_key(text: str, field: str) -> str:
    """64 hex characters from npub or hex. Refuses `bad_request`."""
    try:
        return parse_public_key(text)
    except BadPublicKey as wrong:
        raise Refusal(Code.BAD_REQUEST, f"{field}: {wrong}", field=field) from None


def looks_like_key(text: str) -> bool:
    """Whether a name could be taken for a key."""
    lower = text.lower()
    return lower.startswith(("npub1", "nsec1", "nostr:")) or (
        len(lower) == 64 and set(lower) <= set("0123456789abcdef")
    )


def machine(ctx: Context, text: str, field: str = "machine") -> Machine:
    """By slug, hex or npub. Refuses `not_found` with the nearest name."""
    if looks_like_key(text):
        found = machines.by_pubkey(ctx.tx, public_key(text, field))
    else:
        found = machines.by_name(ctx.tx, text.lower())
    if found is None:
        raise _not_found("machine", text, machines.names(ctx.tx), field)
    return found


def lp(ctx: Context, text: str, field: str = "lp") -> Lp:
    """By name, hex or npub. Refuses `not_found` with the nearest name."""
    if looks_like_key(text):
        found = lps.by_pubkey(ctx.tx, public_key(text, field))
    else:
        found = lps.by_name(ctx.tx, text)
    if found is None:
        raise _not_found("LP", text, lps.names(ctx.tx), field)
    return found


def enrolment(ctx: Context, at: Machine, who: Lp) -> Enrolment:
    found = lps.enrolment(ctx.tx, at.id, who.id)
    if found is None:
        raise Refusal(
            Code.NOT_FOUND, f"{who.name} is not enrolled at {at.name}: lp add {at.name} {who.name}", field="lp"
        )
    return found


def own_lp(ctx: Context) -> Lp:
    """The sender as an LP."""
    found = lps.by_pubkey(ctx.tx, ctx.sender)
    if found is None:
        raise Refusal(Code.FORBIDDEN, "you are no LP here yet: ask the operator to enrol you")
    return found


def settlement(ctx: Context, settlement_id: int) -> Settlement:
    found = settlements.get(ctx.tx, settlement_id)
    if found is None:
        raise Refusal(Code.NOT_FOUND, f"there is no settlement S{settlement_id}", field="settlement")
    return found


def target(ctx: Context, text: str, field: str = "target") -> Target:
    """Where sats can go again and again. Syntax only; refuses `target_error`."""
    try:
        found = parse_target(text, allow_private=ctx.settings.allow_private_targets)
    except BadTarget as wrong:
        raise Refusal(Code.TARGET_ERROR, f"{field}: {wrong}", field=field) from None
    if found.kind == "bolt11":
        raise Refusal(
            Code.TARGET_ERROR,
            f"{field}: an invoice can be paid only once: give a Lightning address such as ana@example.com",
            field=field,
        )
    return found


def shown_target(text: str | None) -> str | None:
    """A stored target as people may see it: never the secret of a wallet connection."""
    if text is None:
        return None
    try:
        return parse_target(text, allow_private=True).shown
    except BadTarget:
        return "a target that can't be read"


def _not_found(what: str, text: str, names: Sequence[str], field: str) -> Refusal:
    near = difflib.get_close_matches(text.lower(), names, n=1, cutoff=0.5)
    if near:
        hint = f"do you mean {near[0]}?"
    elif names:
        hint = f"there are {', '.join(names[:10])}" if len(names) > 1 else f"there is {names[0]}"
    else:
        hint = "there is none yet: machine add" if what == "machine" else "there is none yet: lp add"
    return Refusal(Code.NOT_FOUND, f"there is no {what} “{shown(text)}”: {hint}", field=field)
