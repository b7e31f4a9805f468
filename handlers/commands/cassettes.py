"""`cassette …`: what a machine's bays hold. Only the machine's own report makes bays."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from handlers import published
from handlers.cash import check_held
from handlers.commands import cash_shapes, lookup
from handlers.commands.fields import Key, Params, bad, between
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.cash import LARGEST_NOTE, MOST_BAYS, MOST_NOTES, Bay, Change, MoveKind, unit_minor
from ledger.errors import Code, Refusal, said
from ledger.model import Machine
from storage import cash, cassettes
from storage.cash import Cause

Position = Annotated[int, between(1, MOST_BAYS)]


def _nothing(value: Any, info: ValidationInfo) -> int:
    if value not in (0, "0") or isinstance(value, bool):
        raise bad(info, said("0: all bays are counted, and nothing is missing that nobody knows the bay of"))
    return 0


class CassetteMachine(Params):
    machine: Key


class CassetteSet(Params):
    machine: Key
    position: Position
    denomination: Annotated[int, between(1, LARGEST_NOTE)] | None = None
    count: Annotated[int, between(0, MOST_NOTES)] | None = None
    unplaced: Annotated[int, BeforeValidator(_nothing)] | None = None


@command("cassette list", roles=OPERATOR, short=("cassettes",), places=("machine",), example="cassette list sintra")
def cassette_list(ctx: Context, params: CassetteMachine) -> dict[str, Any]:
    """The bays of a machine: denomination and count, as they are believed and as the machine reported them."""
    at, _ = _reported(ctx, params.machine)
    return cash_shapes.cash_of(ctx.tx, at, ctx.now)


@command(
    "cassette set",
    roles=OPERATOR,
    changes=True,
    places=("machine", "position"),
    example="cassette set sintra 1 count=180",
)
def cassette_set(ctx: Context, params: CassetteSet) -> dict[str, Any]:
    """Changes denomination or count of a bay that is there: what you counted in it is believed from now on."""
    if params.denomination is None and params.count is None:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: cassette set sintra 1 count=180")
    at, found = _reported(ctx, params.machine)
    bay = next((each for each in found if each.position == params.position), None)
    if bay is None:
        raise Refusal(
            Code.NOT_FOUND,
            "{machine} has no bay {position}: it reported {names}",
            field="position",
            machine=at.name,
            position=params.position,
            names=", ".join(str(each.position) for each in found),
        )
    denomination = bay.denomination if params.denomination is None else params.denomination
    count = bay.count if params.count is None else params.count
    check_held(denomination, count, "count")
    unit, cause = unit_minor(at.fiat), Cause(MoveKind.SET, ctx.sender, ctx.now)
    unplaced = cash.box(ctx.tx, at.id).unplaced_minor
    cash.set_bay(ctx.tx, at.id, bay, denomination=denomination, count=count, unit=unit, cause=cause)
    if params.unplaced is not None and unplaced:
        cash.change(ctx.tx, at.id, Change((), -unplaced, assumed=False), unit, cause)
    result = cash_shapes.cash_of(ctx.tx, at, ctx.now)
    before: dict[str, Any] = {"position": bay.position, "denomination": bay.denomination, "count": bay.count}
    after: dict[str, Any] = {"position": bay.position, "denomination": denomination, "count": count}
    if params.unplaced is not None:
        before["unplaced_minor"], after["unplaced_minor"] = unplaced, 0
    ctx.record(at.name, before=before, after=after)
    return result


@command("cassette publish", roles=OPERATOR, changes=True, places=("machine",), example="cassette publish sintra")
def cassette_publish(ctx: Context, params: CassetteMachine) -> dict[str, Any]:
    """Sends the machine what its bays are believed to hold; its next report shows whether it took that."""
    at, found = _reported(ctx, params.machine)
    shown = [each for each in found if each.left_out_since is None]
    if not shown:
        raise Refusal(
            Code.BAD_STATE,
            "{machine} has no bay in its last report: there is nothing to send until it reports them again",
            field="machine",
            machine=at.name,
        )
    published.cassette_config(ctx.tx, at, shown, ctx.now)
    ctx.record(at.name, after={str(each.position): [each.denomination, each.count] for each in shown})
    return cash_shapes.cash_of(ctx.tx, at, ctx.now)


def _reported(ctx: Context, text: str) -> tuple[Machine, list[Bay]]:
    at = lookup.machine(ctx, text)
    found = cassettes.bays(ctx.tx, at.id)
    if found:
        return at, found
    raise Refusal(
        Code.NOT_FOUND,
        "{machine} has not reported its cassettes: there is nothing to see or to change until it does",
        field="machine",
        machine=at.name,
    )
