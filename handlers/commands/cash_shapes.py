"""The cash of a machine as JSON shows it: bays by position, the box, and what does not add up."""

from __future__ import annotations

from typing import Any

from ledger.cash import Bay, believed_minor, days_left, unit_minor
from ledger.model import Machine
from ledger.money import fiat_text
from storage import cash, cassettes
from storage.cash import Box
from storage.db import Tx


def bay(found: Bay, days: int | None) -> dict[str, Any]:
    """`days_left`: until all notes of its denomination are gone, as fast as they went lately."""
    return {
        "denomination": found.denomination,
        "count": found.count,
        "reported_denomination": found.reported_denomination,
        "reported_count": found.reported_count,
        "differs_since": found.differs_since,
        "left_out_since": found.left_out_since,
        "days_left": days,
    }


def bays(tx: Tx, machine: Machine, now: int) -> dict[str, Any]:
    """By position."""
    found = cassettes.bays(tx, machine.id)
    days = forecast(tx, machine, found, now)
    return {str(each.position): bay(each, days[each.denomination]) for each in found}


def forecast(tx: Tx, machine: Machine, found: list[Bay], now: int) -> dict[int, int | None]:
    """Whole days until there are no notes of a denomination, by denomination; None where nobody can tell yet."""
    went, seconds = cash.dispensed(tx, machine.id, [each.position for each in found], now)
    notes: dict[int, int] = {}
    for each in found:
        notes[each.denomination] = notes.get(each.denomination, 0) + each.count
    return {kind: days_left(number, went.get(kind, 0), seconds) for kind, number in notes.items()}


def cash_of(tx: Tx, machine: Machine, now: int) -> dict[str, Any]:
    """All that is known of the cash of a machine that has reported its bays."""
    found = cassettes.bays(tx, machine.id)
    box = cash.box(tx, machine.id)
    state = cassettes.state(tx, machine.id)
    unit = unit_minor(machine.fiat)

    def fiat(minor: int) -> str:
        return fiat_text(minor, machine.fiat)

    believed = believed_minor(found, box.unplaced_minor, unit)
    reported = sum(each.reported_amount for each in found) * unit
    differing = [each.differs_since for each in found if each.differs_since is not None]
    return {
        "machine": machine.name,
        "currency": machine.fiat,
        "reported_at": state.received_at if state is not None else None,
        "cassettes": bays(tx, machine, now),
        "believed": fiat(believed),
        "reported": fiat(reported),
        "differs_since": min(differing, default=None),
        "unplaced": fiat(box.unplaced_minor),
        "explained": fiat(box.explained_minor),
        "gap": fiat(box.gap_minor),
        "gap_since": box.gap_since,
        **box_shape(box, machine),
        "config_sent_at": state.config_at if state is not None else None,
        "config_applied_at": state.applied_at if state is not None else None,
    }


def box_shape(box: Box, machine: Machine) -> dict[str, Any]:
    return {
        "box": fiat_text(box.box_minor, machine.fiat),
        "box_limit": fiat_text(box.limit_minor, machine.fiat) if box.limit_minor is not None else None,
        "box_emptied_at": box.emptied_at,
    }
