"""`payment …`: legs, the attempts at paying them, and what happens next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal

from handlers import payment, settlement_orders
from handlers.commands import audit, lookup, shapes
from handlers.commands.fields import Key, Note, Params, PaymentId, SettlementId, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.model import Leg
from ledger.states import AttemptState, LegStatus
from storage import attempts, audit_log, holds, legs, payee_credits, reports, stories, switches, wallets
from storage.reports import LegFilter, LegRow

_AUDIT: Final = 20
"""So many lines of the audit log are told with one payment."""
LegTypes = Literal["super_fee", "operator_split", "dca", "settlement", "autoforward", "refund"]
LegStatuses = Literal["pending", "completed", "failed", "skipped", "voided", "refunded"]


class PaymentList(Paged):
    settlement: SettlementId | None = None
    lp: Key | None = None
    type: LegTypes | None = None
    status: LegStatuses | None = None


class PaymentNamed(Params):
    payment: PaymentId


class PaymentRelease(Params):
    payment: PaymentId
    hash_end: Key
    reason: Note


@command(
    "payment list",
    roles=OPERATOR,
    short=("payments",),
    places=("settlement",),
    example="payment list status=failed",
)
def payment_list(ctx: Context, params: PaymentList) -> Listing:
    """Payments, the newest first."""
    if params.settlement is not None:
        lookup.settlement(ctx, params.settlement)
    wanted = LegFilter(
        settlement_id=params.settlement,
        lp_id=lookup.lp(ctx, params.lp).id if params.lp else None,
        type=params.type,
        status=params.status,
    )
    before = number_of("P", params.before, "before") if params.before else None
    rows = reports.legs_page(ctx.tx, wanted, before_id=before, limit=params.limit + 1)
    return listing(rows, params.limit, lambda row: f"P{row.leg.id}", leg_shape)


@command("payment show", roles=OPERATOR, short=("show P",), places=("payment",), example="payment show P40")
def payment_show(ctx: Context, params: PaymentNamed) -> dict[str, Any]:
    """One payment: every attempt with the evidence about it, and what happens next."""
    row = reports.leg(ctx.tx, params.payment)
    if row is None:
        raise Refusal(Code.NOT_FOUND, "there is no payment P{id}: payment list", field="payment", id=params.payment)
    lines = audit_log.of_payment(ctx.tx, row.leg.id, _AUDIT)
    return {
        **leg_shape(row),
        "machine": row.machine,
        "wallet": row.leg.wallet,
        "credit_sats": row.leg.credit_sats,
        "tries": row.leg.tries,
        "paid_twice": _paid_twice(ctx, row.leg.id),
        "attempts": [
            {**each, "requests": [asdict(made) for made in stories.requests_of(ctx.tx, each["payment_hash"])]}
            for each in attempt_shapes(ctx, row.leg.id)
        ],
        "audit": [audit.shape(ctx, line) for line in lines],
        "next": _next(ctx, row.leg),
    }


def _paid_twice(ctx: Context, leg_id: int) -> dict[str, int] | None:
    """What the payee got beyond its due, and how much of it no next payment has set off yet."""
    made = [payee_credits.of_payment(ctx.tx, each.payment_hash) for each in attempts.of_leg(ctx.tx, leg_id)]
    found = [each for each in made if each is not None]
    return {"sats": sum(sats for sats, _ in found), "open_sats": sum(left for _, left in found)} if found else None


def _release_preview(ctx: Context, params: PaymentRelease) -> dict[str, Any]:
    attempt = payment.check_release(ctx.tx, params.payment, params.hash_end, ctx.now)
    row = reports.leg(ctx.tx, params.payment)
    assert row is not None
    # A control look-up is about another payment: its word would be taken for one about this one.
    told = [
        seen
        for each in reports.attempts_of(ctx.tx, params.payment)
        if each.attempt.payment_hash == attempt.payment_hash
        for seen in each.evidence
        if seen.source != "control"
    ]
    return {
        **leg_shape(row),
        "machine": row.machine,
        "wallet": attempt.wallet,
        "payment_hash": attempt.payment_hash,
        "state": attempt.state.value,
        "sent_at": attempt.sent_at,
        "expires_at": attempt.expires_at,
        "expired": attempt.expires_at <= ctx.now,
        "last_word": told[-1].cls if told else None,
    }


@command(
    "payment release",
    roles=OPERATOR,
    money=_release_preview,
    short=("release",),
    places=("payment", "hash_end"),
    rest="reason",
    example='payment release P40 1f2e3d4c "the wallet was closed, its node shows no such payment"',
)
def payment_release(ctx: Context, params: PaymentRelease) -> dict[str, Any]:
    """Decides in the wallet's place that a payment in doubt will never arrive, so that it can be made again."""
    attempt = payment.release_by_operator(
        ctx.tx,
        params.payment,
        params.hash_end,
        params.reason,
        by=ctx.sender,
        policy=ctx.settings.payments,
        now=ctx.now,
    )
    row = reports.leg(ctx.tx, params.payment)
    assert row is not None
    return {**leg_shape(row), "machine": row.machine, "released": attempt.payment_hash, "next": _next(ctx, row.leg)}


@command("payment withdraw", roles=OPERATOR, changes=True, places=("payment",), example="payment withdraw P41")
def payment_withdraw(ctx: Context, params: PaymentNamed) -> dict[str, Any]:
    """Gives up a refund or an lp settle that is not paid; what it owed stays in the wallet."""
    settlement_orders.withdraw(ctx.tx, params.payment, by=ctx.sender, now=ctx.now)
    row = reports.leg(ctx.tx, params.payment)
    assert row is not None
    return {**leg_shape(row), "machine": row.machine}


def leg_shape(row: LegRow) -> dict[str, Any]:
    return shapes.leg(row.leg, lp_pubkey=row.lp_pubkey, preimage=row.preimage, fees_msat=row.fees_msat)


def attempt_shapes(ctx: Context, leg_id: int, most_evidence: int = 1_000) -> list[dict[str, Any]]:
    """The attempts of a leg, oldest first, each with the newest evidence about it."""
    return [
        {
            "payment_hash": row.attempt.payment_hash,
            "state": row.attempt.state.value,
            "amount_msat": row.attempt.amount_msat,
            "created_at": row.attempt.created_at,
            "sent_at": row.attempt.sent_at,
            "settled_at": row.attempt.settled_at,
            "ended_at": row.ended_at,
            "expires_at": row.attempt.expires_at,
            "next_check_at": row.attempt.next_check_at if row.attempt.state in _LOOKED_FOR else None,
            "end_reason": row.end_reason,
            "preimage": row.attempt.preimage,
            "fees_msat": row.attempt.fees_msat,
            "surplus": row.attempt.surplus,
            "evidence": [
                {
                    "class": seen.cls,
                    "source": seen.source,
                    "asked_at": seen.asked_at,
                    "received_at": seen.received_at,
                    "detail": seen.detail,
                }
                for seen in row.evidence[max(0, len(row.evidence) - most_evidence) :]
            ],
        }
        for row in reports.attempts_of(ctx.tx, leg_id)
    ]


_LOOKED_FOR = (AttemptState.READY, AttemptState.SENT, AttemptState.CLAIMED)


def _next(ctx: Context, leg: Leg) -> dict[str, Any]:
    """What happens next and when (unix seconds, null: nothing is due): a word that programs can rely on."""
    if leg.status is LegStatus.FAILED:
        return {"step": "retry_by_operator", "at": None}
    if leg.status is not LegStatus.PENDING:
        return {"step": "nothing", "at": None}
    wallet = wallets.get(ctx.tx, leg.wallet)
    if wallet is not None and not wallet.configured:
        return {"step": "wait_for_connection", "at": None}
    live = next((each for each in attempts.of_leg(ctx.tx, leg.id) if each.state in _LOOKED_FOR), None)
    if live is not None:
        step = {AttemptState.READY: "send", AttemptState.SENT: "ask_wallet", AttemptState.CLAIMED: "look_for_proof"}
        return {"step": step[live.state], "at": live.next_check_at}
    if holds.any(ctx.tx):
        return {"step": "wait_for_hold", "at": None}
    if switches.paused(ctx.tx):
        return {"step": "wait_for_resume", "at": None}
    if switches.paused(ctx.tx, switches.of_machine(leg.machine_id)):
        return {"step": "wait_for_resume", "at": None, "machine": lookup.machine_name(ctx, leg.machine_id)}
    if wallets.paused(ctx.tx, leg.wallet):
        return {"step": "wait_for_wallet", "at": None}
    if not legs.may_be_paid(ctx.tx, leg):
        return {"step": "wait_for_unfreeze", "at": None}
    return {"step": "get_invoice", "at": leg.next_try_at}
