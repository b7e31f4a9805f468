"""`forgotten list`, `match`, `drop`: payments that were sent and that the books do not know, for they were a copy from
before."""

from __future__ import annotations

import re
from typing import Any, Final

from handlers import past
from handlers.commands.fields import Key, Note, Params, PaymentId
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import shown
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.model import Leg
from storage import forgotten, legs
from storage.forgotten import Forgotten

_MOST: Final = 200
_ALL: Final = 1_000_000
_END: Final = re.compile(r"[0-9a-f]{8,64}")


class Nothing(Params):
    pass


class ForgottenMatch(Params):
    hash_end: Key
    payment: PaymentId


class ForgottenDrop(Params):
    hash_end: Key
    reason: Note


@command("forgotten list", roles=OPERATOR, example="forgotten list")
def forgotten_list(ctx: Context, params: Nothing) -> dict[str, Any]:
    """Payments that were sent and that the restored books do not know, and have not met their leg yet."""
    waiting = forgotten.waiting(ctx.tx)
    return {
        **past.shape(ctx.tx, ctx.settings.wallets),
        "forgotten": [past.shape_of(ctx.tx, each) for each in waiting[:_MOST]],
    }


def _preview(ctx: Context, params: ForgottenDrop) -> dict[str, Any]:
    return past.shape_of(ctx.tx, _named(ctx, params.hash_end))


def _match_preview(ctx: Context, params: ForgottenMatch) -> dict[str, Any]:
    return {**past.shape_of(ctx.tx, _named(ctx, params.hash_end)), "payment": f"P{_fitting(ctx, params).id}"}


@command(
    "forgotten match",
    roles=OPERATOR,
    money=_match_preview,
    places=("hash_end", "payment"),
    example="forgotten match 1f2e3d4c P40",
)
def forgotten_match(ctx: Context, params: ForgottenMatch) -> dict[str, Any]:
    """You know that it paid this: the payment is followed up with it, and is not made again."""
    found, leg = _named(ctx, params.hash_end), _fitting(ctx, params)
    before = past.shape_of(ctx.tx, found)
    past.match(ctx.tx, found, leg, ctx.now)
    ctx.record(f"P{leg.id}", before=before, after={"matched": found.fact.payment_hash})
    return {**before, "payment": f"P{leg.id}"}


@command(
    "forgotten drop",
    roles=OPERATOR,
    money=_preview,
    places=("hash_end",),
    rest="reason",
    example='forgotten drop 1f2e3d4c "it was my own payment, from the wallet\'s app"',
)
def forgotten_drop(ctx: Context, params: ForgottenDrop) -> dict[str, Any]:
    """It stands in the way of no payment any more: you know that it paid nothing that is owed here."""
    found = past.shape_of(ctx.tx, _named(ctx, params.hash_end))
    forgotten.drop(ctx.tx, found["payment_hash"])
    ctx.record(found["payment_hash"], before=found, after={"dropped": True, "reason": params.reason})
    return found


def _fitting(ctx: Context, params: ForgottenMatch) -> Leg:
    """Refuses `not_found`, `bad_state`."""
    leg = legs.get(ctx.tx, params.payment)
    if leg is None:
        raise Refusal(Code.NOT_FOUND, "there is no payment P{id}: payment list", field="payment", id=params.payment)
    found = _named(ctx, params.hash_end)
    if leg.id not in forgotten.fitting(ctx.tx, found, _ALL):
        raise Refusal(
            Code.BAD_STATE,
            "P{id} is not open for this very amount in wallet {wallet}: forgotten list says what it may be, "
            "or how its transaction is shared out anew",
            field="payment",
            id=leg.id,
            wallet=found.fact.wallet,
        )
    return leg


def _named(ctx: Context, hash_end: str) -> Forgotten:
    """Refuses `bad_request`, `not_found`."""
    end = hash_end.lower()
    if not _END.fullmatch(end):
        raise Refusal(
            Code.BAD_REQUEST, "hash_end must be the last 8 digits of the payment hash, or more", field="hash_end"
        )
    ending = forgotten.ending_in(ctx.tx, end)
    found = forgotten.get(ctx.tx, ending[0]) if len(ending) == 1 else None
    if found is None:
        raise Refusal(
            Code.NOT_FOUND,
            "no forgotten payment, or more than one, ends in {end}: forgotten list",
            field="hash_end",
            end=shown(end),
        )
    return found
