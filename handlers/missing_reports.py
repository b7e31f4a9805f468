"""Machines number their reports: operators learn which numbers never came, and can look for what was paid for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from handlers import notices
from storage import sequences
from storage.db import Tx
from storage.sequences import Gap

GAP_SECONDS: Final = 600
"""Reports come in any order, and late: a number is missing only after so long."""
KEEP_SECONDS: Final = 30 * 86_400


def tell(tx: Tx, operators: Iterable[str], now: int) -> None:
    """Each missing number is told of once."""
    for machine, gaps in sequences.take_untold(tx, now - GAP_SECONDS):
        notices.tell(tx, operators, "notice missing reports", {"machine": machine, "missing": shape(gaps)}, now)
    sequences.forget(tx, now - KEEP_SECONDS)


def of_machine(tx: Tx, machine_id: int, now: int) -> list[dict[str, Any]]:
    """What is missing now of a machine's reports."""
    return shape(sequences.gaps(tx, machine_id, now - GAP_SECONDS))


def of_all(tx: Tx, now: int) -> list[dict[str, Any]]:
    """How many reports of which machines are missing now."""
    return [{"machine": name, "count": count} for name, count in sequences.machines_with_gaps(tx, now - GAP_SECONDS)]


def shape(gaps: Sequence[Gap]) -> list[dict[str, Any]]:
    return [{"first": gap.first, "last": gap.last, "since": gap.since} for gap in gaps]
