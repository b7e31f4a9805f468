"""`settlement reset|partial|note|refund|add`: what the operator can do where a transaction did not go as it should."""

from __future__ import annotations

from typing import Any, Final, Literal

from handlers import settlement_orders
from handlers.commands import lookup, shapes
from handlers.commands.fields import FiatAmount, Fraction, Key, Note, Params, Rate, SettlementId, TargetText, Whole
from handlers.commands.payments import leg_shape
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from handlers.settlement_orders import Entry
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Machine
from ledger.money import MSAT, decimal_text, fiat_text, parse_fiat
from nwc import bolt11
from nwc.targets import Target
from storage import attempts, payee_credits, reports, settlements, unmatched

_HASH_CHARS: Final = 64
_HASH_END: Final = 8


class SettlementReset(Params):
    settlement: SettlementId
    threshold_minutes: Whole | None = None


class SettlementPartial(Params):
    settlement: SettlementId
    fraction: Fraction | None = None
    sats: Whole | None = None
    note: Note


class SettlementNote(Params):
    settlement: SettlementId
    text: Note | None = None


class SettlementRefund(Params):
    settlement: SettlementId
    target: TargetText
    sats: Whole | None = None
    note: Note


class SettlementAdd(Params):
    machine: Key
    tx_type: Literal["cash_out", "cash_in"]
    payment_hash: Key | None = None
    wire_sats: Whole
    principal_sats: Whole
    fee_sats: Whole
    fiat_amount: FiatAmount
    exchange_rate: Rate
    note: Note


@command(
    "settlement reset",
    roles=OPERATOR,
    changes=True,
    short=("reset",),
    places=("settlement", "threshold_minutes"),
    example="settlement reset S12",
)
def settlement_reset(ctx: Context, params: SettlementReset) -> dict[str, Any]:
    """Takes one that is stuck out of its worker's hands: it becomes errored, so that it can be retried."""
    found = lookup.settlement(ctx, params.settlement)
    minutes = ctx.settings.stuck_after_minutes if params.threshold_minutes is None else params.threshold_minutes
    settlement_orders.reset(ctx.tx, found, threshold_minutes=minutes, by=ctx.sender, now=ctx.now)
    return _with_legs(ctx, found.id)


def _partial_preview(ctx: Context, params: SettlementPartial) -> dict[str, Any]:
    found = lookup.settlement(ctx, params.settlement)
    decided = settlement_orders.check_partial(ctx.tx, found, fraction_ppm=params.fraction, principal_sats=params.sats)
    return {
        "settlement": f"S{found.id}",
        "machine": lookup.machine_name(ctx, found.machine_id),
        "currency": found.currency,
        "was": settlement_orders.amounts_text(decided.was, found.currency),
        "to": settlement_orders.amounts_text(decided.to, found.currency),
        "voided": [f"P{leg.id}" for leg in decided.voided],
        "undispensed_sats": found.wire_moved_sats - decided.to.wire_sats,
    }


@command(
    "settlement partial",
    roles=OPERATOR,
    money=_partial_preview,
    short=("partial",),
    places=("settlement", "fraction"),
    rest="note",
    example='settlement partial S12 50% "the second bay jammed"',
)
def settlement_partial(ctx: Context, params: SettlementPartial) -> dict[str, Any]:
    """The machine gave out only part of the cash: scales the transaction to that and shares it out anew."""
    found = lookup.settlement(ctx, params.settlement)
    settlement_orders.partial(
        ctx.tx,
        found,
        fraction_ppm=params.fraction,
        principal_sats=params.sats,
        note=params.note,
        by=ctx.sender,
        now=ctx.now,
    )
    return _with_legs(ctx, found.id)


@command(
    "settlement note",
    roles=OPERATOR,
    changes=True,
    short=("note",),
    places=("settlement",),
    rest="text",
    example="note S12 the customer called, he has his cash",
)
def settlement_note(ctx: Context, params: SettlementNote) -> dict[str, Any]:
    """Adds a note to a transaction, with the time and your name, or without a text shows them; none is ever changed."""
    found = lookup.settlement(ctx, params.settlement)
    if params.text is not None:
        settlements.add_note(ctx.tx, found.id, ctx.sender, params.text, ctx.now)
        ctx.record(f"S{found.id}", after={"note": params.text})
    notes = reports.notes(ctx.tx, found.id)
    return {
        "id": f"S{found.id}",
        "notes": [{"at": note.at, "author": note.author, "text": note.text} for note in notes],
    }


def _refund_preview(ctx: Context, params: SettlementRefund) -> dict[str, Any]:
    found = lookup.settlement(ctx, params.settlement)
    if found.wallet not in ctx.settings.wallets:
        raise Refusal(
            Code.BAD_STATE,
            "wallet {wallet}, where the sats of S{id} came in, is not configured any more: put it back first",
            field="settlement",
            wallet=found.wallet,
            id=found.id,
        )
    target, sats = _customer(ctx, params)
    decided = settlement_orders.check_refund(ctx.tx, found, target=target.value, sats=sats)
    lookup.check_cap(ctx, decided.leg.amount_sats, "sats")
    return {
        "settlement": f"S{found.id}",
        "machine": lookup.machine_name(ctx, found.machine_id),
        "wallet": found.wallet,
        "to": target.shown,
        "sats": decided.leg.amount_sats,
        "credit_sats": min(decided.leg.amount_sats, payee_credits.open_sats(ctx.tx, decided.leg.payee)),
        "left_sats": decided.left_sats,
        "voided": [f"P{leg.id}" for leg in decided.voided],
    }


@command(
    "settlement refund",
    roles=OPERATOR,
    money=_refund_preview,
    short=("refund",),
    places=("settlement", "target"),
    rest="note",
    example='settlement refund S12 ana@example.com "no cash came out"',
)
def settlement_refund(ctx: Context, params: SettlementRefund) -> dict[str, Any]:
    """Pays the customer of a cash-out back, at most what came in; nothing more is shared out of it."""
    found = lookup.settlement(ctx, params.settlement)
    target, sats = _customer(ctx, params)
    _, leg = settlement_orders.refund(
        ctx.tx, found, target=target.value, sats=sats, note=params.note, by=ctx.sender, now=ctx.now
    )
    return {**_with_legs(ctx, found.id), "payment": f"P{leg.id}"}


def _entry_preview(ctx: Context, params: SettlementAdd) -> dict[str, Any]:
    at, entry = _entry(ctx, params)
    fees = settlement_orders.check_entry(ctx.tx, at, entry, policy=ctx.settings.landing).fees
    return {
        "machine": at.name,
        "tx_type": entry.tx_type.value,
        "payment_hash": entry.payment_hash,
        "wire_sats": entry.wire_sats,
        "principal_sats": entry.principal_sats,
        "fee_sats": entry.fee_sats,
        "platform_fee_sats": fees.platform_fee_sats,
        "operator_fee_sats": fees.operator_fee_sats,
        "fee_mismatch_sats": fees.fee_mismatch_sats,
        "fiat_amount": fiat_text(entry.fiat_minor, at.fiat),
        "currency": at.fiat,
        "exchange_rate": decimal_text(entry.exchange_rate),
        "proof": "operator" if entry.payment_hash is None else "wallet",
    }


@command(
    "settlement add",
    roles=OPERATOR,
    money=_entry_preview,
    rest="note",
    example="settlement add machine=sintra tx_type=cash_out payment_hash=1f2e3d4c wire_sats=108000 "
    'principal_sats=100000 fee_sats=8000 fiat_amount=2000 exchange_rate=50 note="the machine was offline"',
)
def settlement_add(ctx: Context, params: SettlementAdd) -> dict[str, Any]:
    """Enters a transaction that no machine reported; with its payment hash the wallet has to show the payment."""
    at, entry = _entry(ctx, params)
    entered = settlement_orders.enter(
        ctx.tx,
        at,
        entry,
        order_id=ctx.message.id,
        note=params.note,
        policy=ctx.settings.landing,
        by=ctx.sender,
        now=ctx.now,
    )
    return _with_legs(ctx, entered.id)


def _entry(ctx: Context, params: SettlementAdd) -> tuple[Machine, Entry]:
    at = lookup.machine(ctx, params.machine)
    return at, Entry(
        tx_type=TxType(params.tx_type),
        wire_sats=params.wire_sats,
        principal_sats=params.principal_sats,
        fee_sats=params.fee_sats,
        fiat_minor=parse_fiat(params.fiat_amount, at.fiat, "fiat_amount"),
        exchange_rate=params.exchange_rate,
        payment_hash=_payment_hash(ctx, at, params.payment_hash) if params.payment_hash else None,
    )


def _payment_hash(ctx: Context, at: Machine, text: str) -> str:
    """As it was given; of a payment on the worklist its end is enough, which is all that is shown there."""
    given = text.lower().lstrip("….")
    if len(given) == _HASH_CHARS:
        return given
    found = unmatched.ending_in(ctx.tx, at.wallet, given) if len(given) >= _HASH_END else []
    if len(found) != 1:
        raise Refusal(
            Code.BAD_REQUEST,
            "payment_hash must be 64 hex characters, or the last 8 of one of this machine's payments on the worklist",
            field="payment_hash",
        )
    return found[0]


def _customer(ctx: Context, params: SettlementRefund) -> tuple[Target, int | None]:
    """Where the customer is paid, and how much where that is said: an invoice says it, too."""
    target = lookup.target(ctx, params.target, once=True)
    if target.kind != "bolt11":
        return target, params.sats
    invoice = bolt11.decode(target.value)
    amount_msat = invoice.amount_msat or 0
    if amount_msat == 0 or amount_msat % MSAT or params.sats not in (None, amount_msat // MSAT):
        raise Refusal(
            Code.TARGET_ERROR,
            "target: the invoice is over {msat:,} msat: it must be over the sats that are refunded",
            field="target",
            msat=amount_msat,
        )
    if attempts.hash_known(ctx.tx, invoice.payment_hash):
        raise Refusal(Code.TARGET_ERROR, "target: this invoice was seen before: ask for a new one", field="target")
    if invoice.expires_at <= ctx.now:
        raise Refusal(Code.TARGET_ERROR, "target: the invoice has expired: ask for a new one", field="target")
    return target, amount_msat // MSAT


def _with_legs(ctx: Context, settlement_id: int) -> dict[str, Any]:
    row = reports.settlement(ctx.tx, settlement_id)
    assert row is not None
    return {
        **shapes.settlement(row.settlement, row.machine),
        "undispensed_sats": row.settlement.undispensed_sats,
        "legs": [leg_shape(each) for each in reports.legs_of(ctx.tx, settlement_id)],
    }
