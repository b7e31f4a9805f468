"""What a name stands for: machines, LPs, keys, targets, as people write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, Final

from handlers.context import Context
from handlers.replies.plain import shown
from ledger.errors import Code, Refusal, Said, said
from ledger.model import Machine, Settlement
from nwc.keys import BadPublicKey, parse_public_key
from nwc.targets import BadTarget, Target, parse_target
from storage import lps, machines, settlements
from storage.lps import Enrolment, Lp

_ID: Final = re.compile(r"[ADPS][0-9]+", re.ASCII | re.IGNORECASE)


def public_key(text: str, field: str) -> str:
    """64 hex characters from npub or hex. Refuses `bad_request`."""
    try:
        return parse_public_key(text)
    except BadPublicKey as wrong:
        raise Refusal(Code.BAD_REQUEST, "{field}: {why}", field=field, why=wrong.said) from None


def looks_like_key(text: str) -> bool:
    """Whether a name could be taken for a key."""
    lower = text.lower()
    return lower.startswith(("npub1", "nprofile1", "nsec1", "nostr:")) or (
        len(lower) == 64 and set(lower) <= set("0123456789abcdef")
    )


def check_name(name: str) -> None:
    """Refuses a name that could be taken for a key or for an id such as A3 or D7."""
    if looks_like_key(name) or _ID.fullmatch(name):
        raise Refusal(Code.BAD_REQUEST, "name looks like a key or an id: choose another one", field="name")


def machine(ctx: Context, text: str, field: str = "machine") -> Machine:
    """By slug, hex or npub. Refuses `not_found` with the nearest name."""
    if looks_like_key(text):
        found = machines.by_pubkey(ctx.tx, public_key(text, field))
    else:
        found = machines.by_name(ctx.tx, text.lower())
    if found is None:
        none_yet = said("there is none yet: machine add")
        raise Refusal(
            Code.NOT_FOUND,
            "there is no machine “{name}”: {hint}",
            field=field,
            **_nothing(text, machines.names(ctx.tx), none_yet),
        )
    return found


def lp(ctx: Context, text: str, field: str = "lp") -> Lp:
    """By name, hex or npub. Refuses `not_found` with the nearest name."""
    if looks_like_key(text):
        found = lps.by_pubkey(ctx.tx, public_key(text, field))
    else:
        found = lps.by_name(ctx.tx, text)
    if found is None:
        none_yet = said("there is none yet: lp add")
        raise Refusal(
            Code.NOT_FOUND,
            "there is no LP “{name}”: {hint}",
            field=field,
            **_nothing(text, lps.names(ctx.tx), none_yet),
        )
    return found


def enrolment(ctx: Context, at: Machine, who: Lp) -> Enrolment:
    found = lps.enrolment(ctx.tx, at.id, who.id)
    if found is None:
        raise Refusal(
            Code.NOT_FOUND,
            "{lp} is not enrolled at {machine}: lp add {machine} {lp}",
            field="lp",
            lp=who.name,
            machine=at.name,
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
        raise Refusal(Code.NOT_FOUND, "there is no settlement S{id}", field="settlement", id=settlement_id)
    return found


def target(ctx: Context, text: str, field: str = "target", *, once: bool = False) -> Target:
    """Where sats can go again and again, or, for `once`, an invoice too. Syntax only; refuses `target_error`."""
    try:
        found = parse_target(text, allow_private=ctx.settings.allow_private_targets)
    except BadTarget as wrong:
        raise Refusal(Code.TARGET_ERROR, "{field}: {why}", field=field, why=wrong.said) from None
    if found.kind == "bolt11" and not once:
        raise Refusal(
            Code.TARGET_ERROR,
            "{field}: an invoice can be paid only once: give a Lightning address such as ana@example.com",
            field=field,
        )
    return found


def check_cap(ctx: Context, amount_sats: int, field: str) -> None:
    """Refuses `cap_exceeded` for a payment that the payer would let fail."""
    most = ctx.settings.payments.max_leg_sats
    if amount_sats > most:
        raise Refusal(
            Code.CAP_EXCEEDED,
            "{sats:,} sats are over the cap of {most:,} sats for one payment: pay it in parts",
            field=field,
            sats=amount_sats,
            most=most,
        )


def machine_name(ctx: Context, machine_id: int) -> str:
    found = machines.get(ctx.tx, machine_id)
    assert found is not None, "a machine with history is never removed"
    return found.name


def shown_target(text: str | None) -> str | None:
    """A stored target as people may see it: never the secret of a wallet connection."""
    if text is None:
        return None
    try:
        return parse_target(text, allow_private=True).shown
    except BadTarget:
        return "a target that can't be read"


def _nothing(text: str, names: Sequence[str], none_yet: Said) -> dict[str, Any]:
    """What a refusal says of a name that is unknown: the nearest one, or those that there are."""
    near = difflib.get_close_matches(text.lower(), names, n=1, cutoff=0.5)
    hint = none_yet
    if near:
        hint = said("do you mean {name}?", name=near[0])
    elif names:
        hint = said("known are {names}", names=", ".join(names[:10]))
    return {"name": shown(text), "hint": hint}
