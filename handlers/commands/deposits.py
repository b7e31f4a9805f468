"""`deposit …`: fiat that LPs bring, recorded by the operator and confirmed once it is in the cassette."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo

from handlers import notices
from handlers.cash import refill
from handlers.commands import cash_shapes, lookup, shapes
from handlers.commands.fields import DepositId, FiatAmount, Key, Note, Params, bad, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.cash import unit_minor
from ledger.errors import Code, Refusal, said
from ledger.money import MAX_FIAT_MINOR, parse_fiat
from ledger.states import DepositStatus
from storage import cash, deposits, lps, machines
from storage.deposits import Deposit
from storage.lps import Enrolment

_MAX_BAYS_CHARS: Final = 1_000


class DepositAdd(Params):
    machine: Key
    lp: Key
    amount: FiatAmount
    note: Note | None = None


class DepositNamed(Params):
    deposit: DepositId


class DepositChange(Params):
    deposit: DepositId
    amount: FiatAmount | None = None
    note: Note | None = None


def _bays(value: Any, info: ValidationInfo) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or len(text) > _MAX_BAYS_CHARS:
        raise bad(info, said('bays with their notes, such as bays="1=50 2=25", or one bay, such as bays=1'))
    return text.strip()


class DepositConfirm(DepositChange):
    bays: Annotated[str, BeforeValidator(_bays)] | None = None


class DepositList(Paged):
    machine: Key | None = None
    lp: Key | None = None
    status: Literal["pending", "confirmed", "deleted"] | None = None


@command(
    "deposit add",
    roles=OPERATOR,
    changes=True,
    short=("deposit",),
    places=("machine", "lp", "amount"),
    rest="note",
    example="deposit sintra ana 2000",
)
def deposit_add(ctx: Context, params: DepositAdd) -> dict[str, Any]:
    """Records fiat that an LP brings, in the machine's currency; it counts once it is confirmed."""
    at = lookup.machine(ctx, params.machine)
    who = lookup.lp(ctx, params.lp)
    enrolled = lookup.enrolment(ctx, at, who)
    if who.target is None:
        raise Refusal(
            Code.NOT_ONBOARDED,
            "{lp} has not said where the sats go: ask for a message “join” with a Lightning address first",
            field="lp",
            lp=who.name,
        )
    amount_minor = _amount(params.amount, at.fiat, enrolled)
    stored = deposits.insert(
        ctx.tx,
        machine_id=at.id,
        lp_id=who.id,
        amount_minor=amount_minor,
        currency=at.fiat,
        note=params.note,
        by=ctx.sender,
        now=ctx.now,
    )
    result = shapes.deposit(stored)
    ctx.record(f"D{stored.id}", after=result)
    return result


@command(
    "deposit set",
    roles=OPERATOR,
    changes=True,
    places=("deposit", "amount"),
    rest="note",
    example="deposit set D7 1500",
)
def deposit_set(ctx: Context, params: DepositChange) -> dict[str, Any]:
    """Changes amount or note of a deposit that is still pending."""
    found = pending(ctx, params.deposit)
    if params.amount is None and params.note is None:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: deposit set D7 1500")
    changed = _changed(ctx, found, params)
    result = shapes.deposit(changed)
    ctx.record(f"D{found.id}", before=_said(found), after=_said(changed))
    return result


@command("deposit delete", roles=OPERATOR, changes=True, places=("deposit",), example="deposit delete D7")
def deposit_delete(ctx: Context, params: DepositNamed) -> dict[str, Any]:
    """Strikes a pending deposit that never came."""
    found = pending(ctx, params.deposit)
    deleted = deposits.delete(ctx.tx, found)
    ctx.record(f"D{found.id}", before=_said(found), after=_said(deleted))
    return shapes.deposit(deleted)


@command(
    "deposit confirm",
    roles=OPERATOR,
    changes=True,
    places=("deposit", "amount"),
    rest="note",
    example='deposit confirm D7 bays="1=50 2=25"',
)
def deposit_confirm(ctx: Context, params: DepositConfirm) -> dict[str, Any]:
    """The fiat is in the cassette: from now on it counts for the LP. With an amount: what was really counted."""
    found = pending(ctx, params.deposit)
    confirmed = deposits.confirm(ctx.tx, _changed(ctx, found, params), ctx.now)
    notices.deposit_confirmed(ctx.tx, confirmed, ctx.now)
    at = machines.get(ctx.tx, confirmed.machine_id)
    assert at is not None, "a deposit without its machine"
    result, after = shapes.deposit(confirmed), _said(confirmed)
    if params.bays is None:
        cash.note_gap(ctx.tx, at.id, unit_minor(at.fiat), ctx.now)
    else:
        amount, by = confirmed.amount_minor, ctx.sender
        notes = refill(ctx.tx, at, params.bays, amount, deposit_id=found.id, who=by, now=ctx.now)
        after["bays"] = {str(each.position): each.notes for each in notes}
        result["cassettes"] = cash_shapes.bays(ctx.tx, at, ctx.now)
        result["refilled"] = after["bays"]
    ctx.record(f"D{found.id}", before=_said(found), after=after)
    return result


@command("deposit list", roles=OPERATOR, short=("deposits",), places=("machine", "lp"), example="deposit list sintra")
def deposit_list(ctx: Context, params: DepositList) -> Listing:
    """Deposits, the newest first."""
    rows = deposits.page(
        ctx.tx,
        machine_id=lookup.machine(ctx, params.machine).id if params.machine else None,
        lp_id=lookup.lp(ctx, params.lp).id if params.lp else None,
        status=params.status,
        before_id=number_of("D", params.before, "before") if params.before else None,
        limit=params.limit + 1,
    )
    return listing(rows, params.limit, lambda row: f"D{row.id}", shapes.deposit)


def pending(ctx: Context, deposit_id: int) -> Deposit:
    """A deposit that may still change. Refuses `not_found`, `bad_state`."""
    found = deposits.get(ctx.tx, deposit_id)
    if found is None:
        raise Refusal(Code.NOT_FOUND, "there is no deposit D{id}: deposit list", field="deposit", id=deposit_id)
    if found.status is not DepositStatus.PENDING:
        raise Refusal(
            Code.BAD_STATE,
            "D{id} is {status}: only a pending one can change",
            field="deposit",
            id=deposit_id,
            status=found.status,
        )
    return found


def _changed(ctx: Context, found: Deposit, params: DepositChange) -> Deposit:
    """The deposit with the amount and the note that are given, in its own currency as ever."""
    amount_minor, note = found.amount_minor, params.note or found.note
    if params.amount is not None:
        enrolled = lps.enrolment(ctx.tx, found.machine_id, found.lp_id)
        assert enrolled is not None, "a deposit without its enrolment"
        amount_minor = _amount(params.amount, found.currency, enrolled, instead_of=found.amount_minor)
    if (amount_minor, note) == (found.amount_minor, found.note):
        return found
    return deposits.change(ctx.tx, found, amount_minor=amount_minor, note=note)


def _said(found: Deposit) -> dict[str, Any]:
    """What an order can change of a deposit, for the audit log."""
    shape = shapes.deposit(found)
    return {key: shape[key] for key in ("status", "amount", "note")}


def _amount(text: str, currency: str, enrolled: Enrolment, *, instead_of: int = 0) -> int:
    minor = parse_fiat(text, currency)
    if minor == 0:
        raise Refusal(Code.BAD_REQUEST, "amount must be more than 0", field="amount")
    if enrolled.deposited_minor + enrolled.pending_minor - instead_of + minor > MAX_FIAT_MINOR:
        raise Refusal(Code.BAD_REQUEST, "amount is too large together with the deposits before", field="amount")
    return minor
