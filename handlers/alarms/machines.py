"""What is wrong with machines: silent, out of cash, a full box, cash or reports missing, other fees than those set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from handlers.alarms.findings import Finding, Outside
from handlers.alarms.limits import CASH_LOW, SILENT, Thresholds
from ledger.alarms import Cause
from ledger.money import fiat_text
from storage import fleet, sequences
from storage.db import Tx
from storage.fleet import Machine

BOX_FULL_PERCENT: Final = 90
GAP_SECONDS: Final = 3_600
"""What is believed and what is explained may differ for a while: a report is late, a refill not entered yet."""
FEES_IN_A_ROW: Final = 3
"""So many transactions with other fees than those that are set: the machine does not use them."""


def subject(machine_id: int) -> str:
    return f"machine:{machine_id}"


def find(tx: Tx, machines: Iterable[Machine], outside: Outside, thresholds: Thresholds, now: int) -> Iterator[Finding]:
    active = {each.id: each for each in machines}
    for machine in active.values():
        yield from _silent(machine, outside, thresholds.of(machine.id, SILENT) * 60, now)
        yield from _fees(machine)
        yield from _box(machine, now)
    yield from _cash(tx, active, thresholds)
    for machine_id in sequences.machines_missing(tx):
        yield Finding(Cause.REPORTS_MISSING, subject(machine_id))


def _silent(machine: Machine, outside: Outside, after: int, now: int) -> Iterator[Finding]:
    """Silence counts only while the machine could have been heard."""
    seen = machine.seen_at
    if not after or now - seen <= after:
        return
    if outside.deaf_since is not None or outside.heard_for <= after:
        yield Finding(Cause.MACHINE_SILENT, subject(machine.id))
    else:
        yield Finding(Cause.MACHINE_SILENT, subject(machine.id), {"machine": machine.name, "at": seen})


def _fees(machine: Machine) -> Iterator[Finding]:
    if machine.warned == FEES_IN_A_ROW:
        facts = {"machine": machine.name, "count": FEES_IN_A_ROW}
        yield Finding(Cause.FEE_MISMATCH, subject(machine.id), facts)


def _box(machine: Machine, now: int) -> Iterator[Finding]:
    if machine.box_limit_minor and machine.box_minor * 100 >= machine.box_limit_minor * BOX_FULL_PERCENT:
        facts = {
            "machine": machine.name,
            "amount": fiat_text(machine.box_minor, machine.fiat),
            "limit": fiat_text(machine.box_limit_minor, machine.fiat),
            "currency": machine.fiat,
        }
        yield Finding(Cause.BOX_FULL, subject(machine.id), facts)
    if not machine.gap_minor or machine.gap_since is None:
        return
    if now - machine.gap_since < GAP_SECONDS:  # one that is open is not over because it has become another
        yield Finding(Cause.CASH_GAP, subject(machine.id))
    else:
        gap = {
            "machine": machine.name,
            "amount": fiat_text(abs(machine.gap_minor), machine.fiat),
            "currency": machine.fiat,
            "missing": machine.gap_minor < 0,
            "at": machine.gap_since,
        }
        yield Finding(Cause.CASH_GAP, subject(machine.id), gap, mark=str(machine.gap_minor))


def _cash(tx: Tx, active: dict[int, Machine], thresholds: Thresholds) -> Iterator[Finding]:
    """Bay by bay, as it is believed; what a machine says in its beacon counts where no bay explains it."""
    known = {}
    for machine_id, found in groupby(fleet.bays(tx), lambda bay: bay.machine_id):
        machine = active.get(machine_id)
        if machine is None:
            continue
        low = thresholds.of(machine_id, CASH_LOW)
        for bay in found:
            if low and bay.count <= low:
                known[machine_id] = True
                facts: dict[str, Any] = {
                    "machine": machine.name,
                    "position": bay.position,
                    "denomination": bay.denomination,
                    "currency": machine.fiat,
                    "count": bay.count,
                }
                yield Finding(Cause.CASH_LOW, f"bay:{machine_id}:{bay.position}", facts, mark=_level(bay.count))
    for machine in active.values():
        if machine.cash_level not in ("low", "empty") or not thresholds.of(machine.id, CASH_LOW):
            continue
        if machine.id in known:
            yield Finding(Cause.CASH_LOW, subject(machine.id))
        else:
            said = {"machine": machine.name, "level": machine.cash_level}
            yield Finding(Cause.CASH_LOW, subject(machine.id), said, mark=machine.cash_level)


def _level(count: int) -> str:
    return "low" if count else "empty"
