"""`alarm …`, `threshold …`, `digest`: what is wrong now, from when on it is, and the day in one message."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo

from handlers.alarms import digest as digests
from handlers.alarms import telling
from handlers.alarms.limits import OF_MACHINES
from handlers.commands import lookup
from handlers.commands.fields import Key, Params, between, number_of
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.alarms import HOUR, LONGEST_SILENCE, UNTIL_CLEARED, Alarm
from ledger.errors import Code, Refusal
from ledger.model import Machine
from storage import alarms, machines, thresholds

_DEFAULT: Final = -1
_MOST: Final = 10_000_000_000


def _alarm_id(value: Any, info: ValidationInfo) -> int:
    return number_of("N", value, info.field_name)


def _threshold(value: Any, info: ValidationInfo) -> int:
    """A whole number, or `default` for the configuration's."""
    if isinstance(value, str) and value.strip().lower() == "default":
        return _DEFAULT
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) < 12:
        text = int(text)
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text <= _MOST:
        return text
    raise Refusal(
        Code.BAD_REQUEST,
        "{field} must be a whole number, 0 for never, or default",
        field=info.field_name,
    )


Threshold = Annotated[int, BeforeValidator(_threshold)]


class Nothing(Params):
    pass


class AlarmSilence(Params):
    alarm: Annotated[int, BeforeValidator(_alarm_id)]
    hours: Annotated[int, between(0, LONGEST_SILENCE // HOUR)] = 24
    until: Literal["cleared"] | None = None


class ThresholdSet(Params):
    machine: Key
    silent_minutes: Threshold | None = None
    cash_low_notes: Threshold | None = None
    wallet_low_sats: Threshold | None = None


class ThresholdList(Params):
    machine: Key | None = None


@command("alarm list", roles=OPERATOR, short=("alarms", "alarmas"), example="alarm list")
def alarm_list(ctx: Context, params: Paged) -> Listing:
    """What is wrong now and since when, the newest first."""
    before = number_of("N", params.before, "before") if params.before else None
    found = [each for each in reversed(alarms.open_(ctx.tx)) if before is None or each.id < before]
    return listing(
        found[: params.limit + 1], params.limit, lambda each: f"N{each.id}", lambda each: telling.shape(each, ctx.now)
    )


@command(
    "alarm silence",
    roles=OPERATOR,
    changes=True,
    places=("alarm", "hours"),
    short=("silence",),
    example="alarm silence N3 hours=24",
)
def alarm_silence(ctx: Context, params: AlarmSilence) -> dict[str, Any]:
    """No reminders of an alarm for some hours, or until it is over; hours=0 ends that. Its end is told all the same."""
    found = _open(ctx, params.alarm)
    before = {"silenced_until": found.silenced_until}
    until = UNTIL_CLEARED if params.until is not None else ctx.now + params.hours * HOUR
    silenced = alarms.silence(ctx.tx, found, until if until > ctx.now else None, ctx.sender)
    ctx.record(f"N{found.id}", before=before, after={"silenced_until": silenced.silenced_until})
    return telling.shape(silenced, ctx.now)


@command(
    "threshold set",
    roles=OPERATOR,
    changes=True,
    places=("machine",),
    example="threshold set sintra silent_minutes=240 cash_low_notes=100",
)
def threshold_set(ctx: Context, params: ThresholdSet) -> dict[str, Any]:
    """From when on something of one machine is wrong, where that is not the configuration's word."""
    found = lookup.machine(ctx, params.machine)
    given = {name: getattr(params, name) for name in OF_MACHINES if getattr(params, name) is not None}
    if not given:
        raise Refusal(
            Code.BAD_REQUEST, "nothing to change is named, for example: threshold set sintra silent_minutes=240"
        )
    before = thresholds.of_machine(ctx.tx, found.id)
    thresholds.put(ctx.tx, found.id, {name: None if value == _DEFAULT else value for name, value in given.items()})
    ctx.record(found.name, before=before, after=thresholds.of_machine(ctx.tx, found.id))
    return _thresholds(ctx, found)


@command("threshold list", roles=OPERATOR, short=("thresholds",), places=("machine",), example="threshold list")
def threshold_list(ctx: Context, params: ThresholdList) -> dict[str, Any]:
    """From when on something is wrong: the configuration's word, and machines that have their own."""
    if params.machine is not None:
        found = [lookup.machine(ctx, params.machine)]
    else:
        own = thresholds.of_all(ctx.tx)
        found = [each for machine_id in sorted(own) if (each := machines.get(ctx.tx, machine_id)) is not None]
    return {
        "configuration": ctx.settings.limits.of_any_machine(),
        "items": [_thresholds(ctx, each) for each in found],
        "next": None,
    }


@command("digest", roles=OPERATOR, apart=True, short=("resumen",), example="digest")
def digest(ctx: Context, params: Nothing) -> dict[str, Any]:
    """Yesterday, what lies in machines and wallets, and what is wrong: as it is sent once a day."""
    return digests.facts(ctx.tx, ctx.settings.digest.zone, ctx.now)


def _open(ctx: Context, alarm_id: int) -> Alarm:
    found = alarms.get(ctx.tx, alarm_id)
    if found is None:
        raise Refusal(Code.NOT_FOUND, "there is no alarm N{id}: alarm list", field="alarm", id=alarm_id)
    if found.cleared_at is not None:
        raise Refusal(Code.BAD_STATE, "N{id} is over: alarm list", field="alarm", id=alarm_id)
    return found


def _thresholds(ctx: Context, machine: Machine) -> dict[str, Any]:
    own = thresholds.of_machine(ctx.tx, machine.id)
    everywhere = ctx.settings.limits.of_any_machine()
    return {"machine": machine.name, "thresholds": everywhere | own, "own": sorted(own)}
