"""When the books are compared with the wallets by themselves, and what the operators hear of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.workers.reconciling import RETRY_SECONDS, SETTLE_SECONDS, Reconciling
from handlers.reconciliation import Difference, Reconciliation, WalletList
from ledger.errors import Code, Refusal
from ledger.facts import Violation
from tests.fresh import open_fresh
from tests.handlers.desk import BOSS, Desk

DAY = 86_400


@dataclass
class Office:
    """Where it is done; `found` is what the next comparison finds."""

    desk: Desk
    every: int = DAY
    found: list[str] | Exception = field(default_factory=list)
    done_at: list[int] = field(default_factory=list)
    worker: Reconciling = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.worker = Reconciling(
            self.reconcile, self.desk.db, self, every_seconds=lambda: self.every, operators=frozenset({BOSS})
        )

    def now(self) -> int:
        return self.desk.now

    def monotonic(self) -> float:
        return float(self.desk.now)

    async def reconcile(self) -> Reconciliation:
        self.done_at.append(self.desk.now)
        if isinstance(self.found, Exception):
            raise self.found
        differences = [Difference(Violation("not_in_wallet", ref, "not there"), "main") for ref in self.found]
        return Reconciliation(differences, 0, {}, [WalletList("main", 0, 0, complete=True)])

    async def passes(self, seconds: int, step: int = 3_600) -> None:
        """It looks so often."""
        until = self.desk.now + seconds
        while self.desk.now < until:
            self.desk.now = min(until, self.desk.now + step)
            await self.worker.look()

    async def told(self) -> list[str]:
        return [dm["text"] for dm in await self.desk.dms(BOSS)]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    db = await open_fresh(tmp_path / "books.db")
    yield Office(Desk(db))
    await db.close()


async def test_once_a_day_and_not_at_the_start(office: Office) -> None:
    began = office.desk.now
    await office.worker.look()
    assert office.done_at == []
    await office.passes(3 * DAY)
    assert len(office.done_at) == 3 or (len(office.done_at) == 2 and office.done_at[0] > began + DAY - 7_200)
    assert {after - before for before, after in zip(office.done_at, office.done_at[1:], strict=False)} <= {
        DAY,
        DAY + 3_600,
    }


async def test_restarts_neither_hurry_nor_stop_it(office: Office) -> None:
    """A bot that is restarted every hour still compares once a day; one that was down comes to it after a while."""
    for _ in range(49):
        office.restart()
        await office.passes(3_600)
    assert 1 <= len(office.done_at) <= 3
    before = len(office.done_at)
    office.desk.now += 2 * DAY
    office.restart()
    await office.worker.look()
    assert len(office.done_at) == before
    await office.passes(SETTLE_SECONDS, step=60)
    assert len(office.done_at) == before + 1


async def test_what_differs_is_told_once_until_it_changes(office: Office) -> None:
    office.found = ["P1", "P2"]
    await office.passes(3 * DAY)
    (first,) = await office.told()
    assert first.startswith("Books and wallets differ: 2 differences.")
    office.found = ["P2"]
    await office.passes(2 * DAY)
    assert len(await office.told()) == 2
    office.found = []
    await office.passes(2 * DAY)
    assert (await office.told())[2] == "Over: Books and wallets differ, in points: 1."
    office.found = ["P2"]
    await office.passes(2 * DAY)
    assert len(await office.told()) == 4


async def test_never_where_the_configuration_says_so(office: Office) -> None:
    office.every = 0
    await office.passes(3 * DAY, step=3_600)
    assert office.done_at == []


@pytest.mark.parametrize("error", [Refusal(Code.BAD_STATE, "busy"), ValueError("a fault")])
async def test_what_fails_is_tried_again_within_hours(office: Office, error: Exception) -> None:
    office.found = error
    with capture_logs() as logged:
        await office.passes(DAY + 3 * RETRY_SECONDS)
    assert {each["event"] for each in logged} == {"not_reconciled"}
    assert len(office.done_at) >= 2
    assert office.done_at[1] - office.done_at[0] <= RETRY_SECONDS + 3_600
    assert await office.told() == []


async def test_a_clock_that_was_far_ahead_does_not_put_it_off_for_ever(office: Office) -> None:
    office.desk.now += 400 * DAY
    await office.worker.look()
    office.desk.now -= 400 * DAY
    await office.passes(DAY + 7_200)
    assert office.done_at
