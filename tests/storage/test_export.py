"""Rows to take away: in the order of their keys without sorting, one at a time, to be taken up again after any."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from storage import export
from storage.db import Tx
from storage.export import OWN_SHEETS, SHEETS, Row, Wanted
from tests.handlers.atm import TWENTIES, Atm
from tests.handlers.conftest import desk, owed, till
from tests.handlers.desk import Desk
from tests.handlers.till import Till

__all__ = ["desk", "owed", "till"]

MANY = 30_000
EVERY = [*((what, None) for what in SHEETS), *((what, 1) for what in OWN_SHEETS)]


def read(tx: Tx, wanted: Wanted) -> list[Row]:
    return list(export.rows(tx, wanted, lambda target: f"<{target}>"))


@pytest.mark.parametrize(("what", "lp_id"), EVERY)
async def test_nothing_is_sorted(desk: Desk, what: str, lp_id: int | None) -> None:
    """A million rows would be held in memory for that."""

    def work(tx: Tx) -> list[str]:
        statements: list[str] = []
        tx.sql.set_trace_callback(statements.append)
        read(tx, Wanted(what, since=1, until=2, lp_id=lp_id, after=(1, 0)))
        tx.sql.set_trace_callback(None)
        assert statements
        return [row["detail"] for each in statements for row in tx.all(f"EXPLAIN QUERY PLAN {each}")]

    plan = await desk.tx(work)
    assert [line for line in plan if "TEMP B-TREE" in line and "LAST TERM" not in line] == SUBQUERIES.get(what, [])


SUBQUERIES = {"trail": ["USE TEMP B-TREE FOR ORDER BY"] * 2}
"""The attempts of one payment, of which the best is taken."""


@pytest.mark.parametrize(("what", "lp_id"), EVERY)
async def test_reading_goes_on_after_any_row(owed: Till, what: str, lp_id: int | None) -> None:
    await owed.paid(3, 1)
    await owed.paid(4, 2)
    await Atm(owed.desk).state(TWENTIES)

    def work(tx: Tx) -> None:
        whole = read(tx, Wanted(what, lp_id=lp_id))
        assert whole
        assert len({row.cursor for row in whole}) == len(whole) == export.count(tx, Wanted(what, lp_id=lp_id))
        for place, row in enumerate(whole, 1):
            after = export.cursor_of(row.cursor)
            assert after is not None
            rest = Wanted(what, lp_id=lp_id, after=after)
            assert read(tx, rest) == whole[place:]
            assert export.count(tx, rest) == len(whole) - place
        columns = export.columns(Wanted(what, lp_id=lp_id))
        assert {len(row.cells) for row in whole} == {len(columns)}
        assert len({column.name for column in columns}) == len(columns)

    await owed.desk.tx(work)


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "1-2-3", "1.5", "9" * 18, "\uff11"])
def test_what_is_no_cursor(text: str) -> None:
    assert export.cursor_of(text) is None


async def test_memory_stays_flat(desk: Desk) -> None:
    """However many rows there are, never more than a few of them at a time."""

    def work(tx: Tx) -> None:
        tx.run(
            "INSERT INTO audit (id, at, who, command, target, after, hash) WITH RECURSIVE n (i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT i, i, 'satmachine', 'pause', 'sintra', '{\"paused\":true}', i FROM n",
            (MANY,),
        )

    await desk.tx(work)

    def measure(tx: Tx) -> tuple[int, int]:
        rows: Iterator[Row] = export.rows(tx, Wanted("audit"), lambda target: target)
        next(rows)
        tracemalloc.start()
        number = 1 + sum(1 for _ in rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return number, peak

    number, peak = await desk.db.read(measure)
    assert number == MANY
    assert peak < 100_000
