"""Machines number their reports: operators learn which numbers never came, and can look for what was paid for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from handlers.alarms import telling
from ledger.alarms import Cause
from storage import alarms, sequences
from storage.db import Tx
from storage.sequences import Gap

GAP_SECONDS: Final = 600
"""Reports come in any order, and late: a number is missing only after so long."""
KEEP_SECONDS: Final = 30 * 86_400
SHOWN: Final = 20


def tell(tx: Tx, operators: Iterable[str], now: int) -> None:
    """Of each machine the first that is missing is told of at once; what is missed later, with a reminder."""
    for machine_id, machine in sequences.take_untold(tx, now - GAP_SECONDS):
        facts = {"machine": machine, "missing": of_machine(tx, machine_id, now)[:SHOWN]}
        telling.raise_(tx, Cause.REPORTS_MISSING, _subject(machine_id), facts, operators, now)
    for machine_id in sequences.forget(tx, now - KEEP_SECONDS):
        alarms.forget(tx, Cause.REPORTS_MISSING, _subject(machine_id), now)


def of_machine(tx: Tx, machine_id: int, now: int) -> list[dict[str, Any]]:
    """What is missing now of a machine's reports."""
    return shape(sequences.gaps(tx, machine_id, now - GAP_SECONDS))


def of_all(tx: Tx, now: int) -> list[dict[str, Any]]:
    """How many reports of which machines are missing now."""
    return [{"machine": name, "count": count} for name, count in sequences.machines_with_gaps(tx, now - GAP_SECONDS)]


def _subject(machine_id: int) -> str:
    """Of alarms."""
    return f"machine:{machine_id}"


def shape(gaps: Sequence[Gap]) -> list[dict[str, Any]]:
    return [{"first": gap.first, "last": gap.last, "since": gap.since} for gap in gaps]
