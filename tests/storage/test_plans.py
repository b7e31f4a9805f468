"""Lists find their rows by an index: how long an answer takes must not depend on how old the books are.

SQLite plans by the schema alone here, so that an empty database has the plans of a large one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storage import beacons, cash, deposits, lps, reports
from storage import settlements as settlements_of
from storage.db import Tx
from storage.reports import LegFilter
from tests.bench.crowd import EVERY_SECONDS, FEW, NOW, open_crowd
from tests.handlers.conftest import desk
from tests.handlers.desk import Desk

__all__ = ["desk"]

AT = {"since": 3, "until": 9}
LP_AT_MACHINE = "legs_lp (lp_id=? AND machine_id=?"


def settlements(**wanted: Any) -> Callable[[Tx], object]:
    return lambda tx: reports.settlements_page(tx, **wanted, limit=2)


def legs(**wanted: Any) -> Callable[[Tx], object]:
    return lambda tx: reports.legs_page(tx, LegFilter(**wanted), before_id=50, limit=2)


def deposited(**wanted: Any) -> Callable[[Tx], object]:
    anything = {"machine_id": None, "lp_id": None, "status": None}
    return lambda tx: deposits.page(tx, **{**anything, **wanted}, before_id=9, limit=2)


def enrolments(**wanted: Any) -> Callable[[Tx], object]:
    return lambda tx: lps.enrolments(tx, **wanted, before_id=9, limit=2)


def plans(tx: Tx, read: Callable[[Tx], object]) -> list[str]:
    """What SQLite does for each statement of `read`, in its words."""
    statements: list[str] = []
    tx.sql.set_trace_callback(statements.append)
    read(tx)
    tx.sql.set_trace_callback(None)
    return [row["detail"] for statement in statements for row in tx.all(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize(
    ("read", "plan"),
    [
        (settlements(), "SCAN s USING INDEX settlements_time"),
        (settlements(before_id=5), "settlements_time (created_at<?)"),
        (settlements(**AT), "settlements_time (created_at>? AND created_at<?)"),
        (settlements(machine_id=1, before_id=5), "settlements_machine (machine_id=? AND created_at<?)"),
        (settlements(machine_id=1, **AT), "settlements_machine (machine_id=? AND created_at>? AND created_at<?)"),
        (settlements(status="errored"), "settlements_aside (status=?)"),
        (settlements(status="refunded", **AT), "settlements_aside (status=? AND created_at>? AND created_at<?)"),
        (settlements(status="rejected", machine_id=1), "settlements_aside_machine (machine_id=? AND status=?)"),
        (settlements(status="pending"), "settlements_open (status=?)"),
        (settlements(status="unverified", machine_id=1, before_id=5), "settlements_open (status=?)"),
        (legs(), "l USING INTEGER PRIMARY KEY (rowid<?)"),
        (legs(settlement_id=1, status="failed", lp_id=1), "legs_settlement (settlement_id=?)"),
        (legs(lp_id=1, machine_id=1, voided=False, **AT), LP_AT_MACHINE + " AND created_at>? AND created_at<?)"),
        (legs(lp_id=1, machine_id=1), LP_AT_MACHINE + " AND created_at<?)"),
        (legs(lp_id=1, status="skipped"), "legs_aside_lp (lp_id=? AND status=? AND rowid<?)"),
        (
            legs(lp_id=1, machine_id=1, type="settlement"),
            "legs_odd_lp (lp_id=? AND type=? AND machine_id=? AND created_at<?)",
        ),
        (legs(status="failed"), "legs_aside (status=? AND rowid<?)"),
        (legs(status="voided", type="dca"), "legs_aside_type (type=? AND status=? AND rowid<?)"),
        (legs(type="refund"), "legs_odd (type=? AND rowid<?)"),
        (legs(status="pending", lp_id=1), "SCAN l USING INDEX legs_payable"),
        (deposited(), "d USING INTEGER PRIMARY KEY (rowid<?)"),
        (deposited(machine_id=1), "deposits_machine (machine_id=? AND rowid<?)"),
        (deposited(lp_id=1), "deposits_lp (lp_id=? AND rowid<?)"),
        (deposited(machine_id=1, lp_id=1), "deposits_place (machine_id=? AND lp_id=? AND rowid<?)"),
        (deposited(status="pending"), "deposits_aside (status=? AND rowid<?)"),
        (deposited(status="deleted", machine_id=1), "deposits_aside_machine (machine_id=? AND status=? AND rowid<?)"),
        (deposited(status="deleted", lp_id=1), "deposits_aside_lp (lp_id=? AND status=? AND rowid<?)"),
        (enrolments(machine_id=1), "enrolments_machine (machine_id=? AND rowid<?)"),
        (enrolments(lp_id=1), "enrolments_lp (lp_id=? AND rowid<?)"),
        (lambda tx: lps.by_name(tx, "Ana"), "lps_name (name=?)"),
        (lambda tx: reports.worklist_facts(tx, 9, 30, 600), "settlements_open (status=? AND changed_at<?)"),
        (lambda tx: beacons.of_key(tx, "ab"), "m USING COVERING INDEX sqlite_autoindex_machines_1 (pubkey=?)"),
        (lambda tx: beacons.of_key(tx, "ab"), "b USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            lambda tx: cash.dispensed(tx, 1, [1], NOW),
            "cash_moves_place (machine_id=? AND position=? AND at>? AND at<?)",
        ),
        (lambda tx: cash.moves(tx, settlement_id=1), "cash_moves_settlement (settlement_id=?)"),
        (lambda tx: cash.moved(tx, 1), "cash_moves_settlement (settlement_id=?)"),
        (
            lambda tx: cash.counted_since(tx, 1, [1], sold_at=NOW, settlement_id=1),
            "cash_moves_place (machine_id=? AND position=? AND at>?)",
        ),
        (
            lambda tx: cash.counted_since(tx, 1, [], sold_at=NOW, settlement_id=1),
            "cash_moves USING INTEGER PRIMARY KEY (rowid>?)",
        ),
        (lambda tx: cash.note_gap(tx, 1, 100, NOW), "bays USING PRIMARY KEY (machine_id=?)"),
        (
            lambda tx: settlements_of.newest_fee_fits(tx, 1, 9),
            "settlements_fees (machine_id=? AND tx_type=? AND created_at>?)",
        ),
        (
            lambda tx: reports.worklist_counts(tx, 9, 30, 600),
            "COVERING INDEX settlements_open (status=? AND changed_at<?)",
        ),
    ],
)
async def test_no_list_goes_through_everything(desk: Desk, read: Callable[[Tx], object], plan: str) -> None:
    found = await desk.tx(lambda tx: plans(tx, read))
    assert any(plan in step for step in found), found
    assert not [step for step in found if step.startswith("SCAN") and " USING " not in step], found


async def test_pages_give_everything_once(tmp_path: Path) -> None:
    """Rows of one moment, pages that end among them, an LP at many machines: the same as one long page."""
    db = await open_crowd(tmp_path / "crowd.db", FEW)
    began, ends = FEW.began_at + 30 * EVERY_SECONDS, NOW - 20 * EVERY_SECONDS
    asked: list[Callable[[Tx, int | None, int], list[tuple[int, int]]]] = [
        *(partial(_settlements_page, wanted) for wanted in ({}, {"machine_id": 2}, {"status": "rejected"})),
        *(partial(_settlements_page, wanted) for wanted in ({"since": began, "until": ends}, {"until": ends})),
        *(partial(_legs_page, LegFilter(lp_id=1, **wanted)) for wanted in _OF_LP),
        partial(_legs_page, LegFilter(lp_id=1, since=began, until=ends)),
        *(
            partial(_legs_page, wanted)
            for wanted in (LegFilter(), LegFilter(status="failed"), LegFilter(type="refund"))
        ),
    ]
    try:
        for ask in asked:
            whole = await db.read(lambda tx, ask=ask: ask(tx, None, 1_000))  # type: ignore[misc]
            assert whole == sorted(whole, reverse=True)
            pages, before = [], None
            while page := await db.read(lambda tx, ask=ask, before=before: ask(tx, before, 3)):  # type: ignore[misc]
                pages += page
                before = page[-1][1]
            assert len(whole) > 3
            assert pages == whole
    finally:
        await db.close()


_OF_LP: list[dict[str, Any]] = [{}, {"machine_id": 2}, {"type": "dca"}, {"voided": False, "until": NOW}]


def _settlements_page(wanted: dict[str, Any], tx: Tx, before: int | None, limit: int) -> list[tuple[int, int]]:
    rows = reports.settlements_page(tx, **wanted, before_id=before, limit=limit)
    return [(row.settlement.created_at, row.settlement.id) for row in rows]


def _legs_page(wanted: LegFilter, tx: Tx, before: int | None, limit: int) -> list[tuple[int, int]]:
    rows = reports.legs_page(tx, wanted, before_id=before, limit=limit)
    return [(row.leg.created_at, row.leg.id) for row in rows]
