"""`cassette …`: what a machine's bays hold. Only the machine's own report makes bays, and no machine has sent one."""

from __future__ import annotations

from typing import Annotated, Any, Final, NoReturn

from handlers.commands import lookup
from handlers.commands.fields import Key, Params, between
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal

_MOST_BAYS: Final = 99
_MOST_NOTES: Final = 100_000
_LARGEST_NOTE: Final = 10_000_000
Position = Annotated[int, between(1, _MOST_BAYS)]


class CassetteMachine(Params):
    machine: Key


class CassetteSet(Params):
    machine: Key
    position: Position
    denomination: Annotated[int, between(1, _LARGEST_NOTE)] | None = None
    count: Annotated[int, between(0, _MOST_NOTES)] | None = None


@command("cassette list", roles=OPERATOR, short=("cassettes",), places=("machine",), example="cassette list sintra")
def cassette_list(ctx: Context, params: CassetteMachine) -> dict[str, Any]:
    """The bays of a machine: denomination and count, as they are believed and as the machine reported them."""
    _not_reported(ctx, params.machine)


@command(
    "cassette set",
    roles=OPERATOR,
    changes=True,
    places=("machine", "position"),
    example="cassette set sintra 1 count=180",
)
def cassette_set(ctx: Context, params: CassetteSet) -> dict[str, Any]:
    """Changes denomination or count of a bay that is there."""
    if params.denomination is None and params.count is None:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: cassette set sintra 1 count=180")
    _not_reported(ctx, params.machine)


@command("cassette publish", roles=OPERATOR, changes=True, places=("machine",), example="cassette publish sintra")
def cassette_publish(ctx: Context, params: CassetteMachine) -> dict[str, Any]:
    """Sends the machine what its bays are believed to hold."""
    _not_reported(ctx, params.machine)


def _not_reported(ctx: Context, text: str) -> NoReturn:
    at = lookup.machine(ctx, text)
    raise Refusal(
        Code.NOT_FOUND,
        "{machine} has not reported its cassettes: there is nothing to see or to change until it does",
        field="machine",
        machine=at.name,
    )
