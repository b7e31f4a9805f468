"""Cash follows the settlements: what is proven has moved notes, once.

Called in the transaction that decides about the settlement, so that a crash or a repeat changes nothing. What goes
wrong here stops no settlement: it is undone by itself, counted and logged, and `verify` shows what is missing. Before
a machine has reported its bays nothing is known of them, and cash-outs move nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from handlers.wire.cassettes import read_dispensed
from ledger.cash import (
    DAY,
    MOST_CASH,
    MOST_NOTES,
    Bay,
    Change,
    Dispensed,
    MoveKind,
    Notes,
    dispense,
    give_back,
    plausible,
    take_again,
    unit_minor,
)
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Machine, Settlement
from ledger.money import fiat_text
from ledger.states import SettlementStatus
from storage import cash, cassettes, inbox, settlements
from storage.cash import Cause
from storage.db import Tx
from storage.errors import is_broken
from storage.orders import undone_on_error

_POSITION: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_REFILL: Final = re.compile(r"([0-9]{1,6})[=:]([0-9]{1,9})", re.ASCII)
_LATE_SECONDS: Final = 30 * DAY
"""A report may come so long after its sale. A machine that dates it earlier than that has a wrong clock."""


def proven(tx: Tx, found: Settlement, *, who: str, now: int) -> None:
    """A cash-out took notes from the bays, a cash-in filled the box. `who`: the key of the machine that reported it, or
    of the operator who entered it. A second time nothing moves."""
    _apart(tx, lambda: _proven(tx, found, who, now))


def corrected(tx: Tx, settlement_id: int, *, fully_refunded: bool = False, who: str, now: int) -> None:
    """The operator has said how much of a cash-out was dispensed: what was not is in the machine. A customer who is
    refunded everything got no cash, unless it was said before how much; a refund of a part says nothing of the cash."""
    _apart(tx, lambda: _corrected(tx, settlement_id, fully_refunded, who, now))


def _apart(tx: Tx, work: Callable[[], None]) -> None:
    try:
        with undone_on_error(tx):
            work()
    except Exception as error:
        if is_broken(error):
            raise
        inbox.count(tx, "cash_faults")
        tx.faults.append(error)


def _proven(tx: Tx, found: Settlement, who: str, now: int) -> None:
    if cash.has_moved(tx, found.id):
        return
    if found.tx_type is TxType.CASH_IN:
        cash.insert(tx, found.machine_id, found.fiat_minor, Cause(MoveKind.INSERTED, who, now, found.id))
        emptied_at = cash.box(tx, found.machine_id).emptied_at
        if emptied_at is not None and emptied_at > _sold_at(found):
            cash.was_emptied(tx, found.machine_id, found.fiat_minor, Cause(MoveKind.EMPTIED, who, now))
        return
    bays = cassettes.bays(tx, found.machine_id)
    if not bays:
        return
    unit = unit_minor(found.currency)
    said = plausible(read_dispensed(settlements.notes_dispensed(tx, found.id)), found.fiat_minor, unit)
    change = dispense(bays, found.fiat_minor, unit, said)
    counted = _counted_since(tx, found, bays)
    cash.change(tx, found.machine_id, change, unit, Cause(MoveKind.DISPENSED, who, now, found.id))
    missing = replace(change, unplaced_minor=_missing_in_counts(bays, counted, said, change, unit))
    _keep_counts(tx, found.machine_id, missing, {*counted, None}, unit, Cause(MoveKind.SET, who, now))


def _missing_in_counts(
    bays: list[Bay], counted: Collection[int | None], said: Dispensed | None, change: Change, unit: int
) -> int:
    """Of what a cash-out leaves unplaced, that which the counts of bays already lack, in minor units."""
    if None in counted or all(bay.position in counted for bay in bays):
        return change.unplaced_minor
    if said is None or not said.bays:
        return 0
    named = sum(each.amount for each in said.bays if each.position in counted)
    return (named + sum(each.amount for each in change.notes if each.position in counted)) * unit


def _corrected(tx: Tx, settlement_id: int, fully_refunded: bool, who: str, now: int) -> None:
    found = settlements.get(tx, settlement_id)
    assert found is not None
    unit = unit_minor(found.currency)
    moved, taken, given, unplaced = cash.moved(tx, found.id)
    if not moved:
        cash.note_gap(tx, found.machine_id, unit, now)
        return
    unsaid = found.status is SettlementStatus.REFUNDED and found.landed is None
    nothing = unsaid and fully_refunded
    more = sum(notes.amount for notes in taken) * unit + unplaced - (0 if nothing else found.fiat_minor)
    if more == 0 or (unsaid and not nothing and more > 0):
        cash.note_gap(tx, found.machine_id, unit, now)
        return
    bays = cassettes.bays(tx, found.machine_id)
    if more > 0:
        change = give_back(_still(bays, taken), unplaced, more, unit)
    else:
        change = take_again(bays, given, -more, unit)
    counted = _counted_since(tx, found, bays)
    cash.change(tx, found.machine_id, change, unit, Cause(MoveKind.NOT_DISPENSED, who, now, found.id))
    _keep_counts(tx, found.machine_id, change, counted, unit, Cause(MoveKind.SET, who, now))


def _keep_counts(
    tx: Tx, machine_id: int, made: Change, counted: Collection[int | None], unit: int, cause: Cause
) -> None:
    """What was counted after a cash-out had the notes in it that it did not dispense, and lacked those that it did:
    those counts stay. `counted`: bays by position, None for what is unplaced."""
    notes = [Notes(each.position, each.denomination, -each.notes) for each in made.notes if each.position in counted]
    unplaced = -made.unplaced_minor if None in counted else 0
    if notes or unplaced:
        cash.change(tx, machine_id, Change(tuple(notes), unplaced, assumed=True), unit, cause)


def _counted_since(tx: Tx, found: Settlement, bays: list[Bay]) -> set[int | None]:
    """Bays by position, None for what is unplaced, that were counted after a cash-out."""
    positions = [bay.position for bay in bays]
    return cash.counted_since(tx, found.machine_id, positions, sold_at=_sold_at(found), settlement_id=found.id)


def _sold_at(found: Settlement) -> int:
    """When the cash moved in truth: as the machine says, if it can be so, else when its report came."""
    late = found.created_at - found.reported_at
    return found.reported_at if 0 <= late <= _LATE_SECONDS else found.created_at


def _still(bays: list[Bay], taken: list[Notes]) -> list[Notes]:
    """Those of these notes that can lie in their bays again."""
    there = {bay.position: bay for bay in bays}
    return [
        each
        for each in taken
        if (bay := there.get(each.position)) is not None
        and bay.denomination == each.denomination
        and bay.count + each.notes <= MOST_NOTES
    ]


def refill(
    tx: Tx, machine: Machine, text: str, amount_minor: int, *, deposit_id: int, who: str, now: int
) -> tuple[Notes, ...]:
    """The fiat of a deposit is in these bays: `1=50 2=25` for so many notes in each, `1` for all of it in one. Refuses
    what is no bay, and notes that do not come to the amount."""
    bays = {bay.position: bay for bay in cassettes.bays(tx, machine.id)}
    if not bays:
        raise Refusal(
            Code.BAD_STATE,
            "{machine} has not reported its cassettes: confirm the deposit without bays",
            field="bays",
            machine=machine.name,
        )
    unit = unit_minor(machine.fiat)
    notes = _single(text, bays, amount_minor, unit) or _several(text, bays)
    total = sum(each.amount for each in notes) * unit
    if total != amount_minor:
        raise Refusal(
            Code.BAD_REQUEST,
            "{field}: these notes come to {notes} {fiat} and the deposit is {amount} {fiat}",
            field="bays",
            notes=fiat_text(total, machine.fiat),
            amount=fiat_text(amount_minor, machine.fiat),
            fiat=machine.fiat,
        )
    for each in notes:
        check_held(bays[each.position].denomination, bays[each.position].count + each.notes, "bays")
    cause = Cause(MoveKind.REFILLED, who, now, deposit_id=deposit_id)
    cash.change(tx, machine.id, Change(notes, 0, assumed=False), unit, cause)
    return notes


def check_held(denomination: int, count: int, field: str) -> None:
    """Refuses more than a bay can be believed to hold."""
    if count > MOST_NOTES or denomination * count > MOST_CASH:
        raise Refusal(Code.BAD_REQUEST, "{field}: so many notes are in no bay", field=field)


def _single(text: str, bays: Mapping[int, Bay], amount_minor: int, unit: int) -> tuple[Notes, ...]:
    """All of it in one bay."""
    if not _POSITION.fullmatch(text.strip()):
        return ()
    bay = _bay(text.strip(), bays)
    notes, rest = divmod(amount_minor, bay.denomination * unit)
    if rest or not notes:
        raise Refusal(
            Code.BAD_REQUEST,
            "{field}: notes of {denomination} do not make up the deposit: name the bays with their notes, such as"
            ' bays="1=50 2=25"',
            field="bays",
            denomination=bay.denomination,
        )
    return (Notes(bay.position, bay.denomination, notes),)


def _several(text: str, bays: Mapping[int, Bay]) -> tuple[Notes, ...]:
    found: dict[int, Notes] = {}
    for part in text.replace(",", " ").split():
        match = _REFILL.fullmatch(part)
        if match is None:
            raise Refusal(
                Code.BAD_REQUEST,
                '{field} must be a bay and its notes for each, such as bays="1=50 2=25", or one bay, such as bays=1',
                field="bays",
            )
        bay = _bay(match[1], bays)
        if bay.position in found:
            raise Refusal(Code.BAD_REQUEST, "{field} names bay {position} twice", field="bays", position=bay.position)
        found[bay.position] = Notes(bay.position, bay.denomination, int(match[2]))
    return tuple(each for each in found.values() if each.notes)


def _bay(position: str, bays: Mapping[int, Bay]) -> Bay:
    bay = bays.get(int(position))
    if bay is None:
        raise Refusal(
            Code.NOT_FOUND,
            "there is no bay {position}: known are {names}",
            field="bays",
            position=int(position),
            names=", ".join(str(each) for each in bays),
        )
    return bay
