"""Watches the books: a broken rule holds all payments within a second, whoever broke it.

What the program changes is checked right after its commit. When somebody else's connection has written, nothing new is
paid until all of the books have been checked, beside everything else; so they are at the start and once a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from handlers import holding
from ledger.facts import Violation
from ledger.invariants import check_enrolment, check_leg, check_settlement
from nwc.ports import Clock
from storage import changes, holds
from storage.changes import Changes
from storage.db import Database, Tx
from storage.errors import StorageBroken, TookTooLong
from storage.facts import Facts
from storage.holds import Hold
from storage.verify import MAX_LISTED, check_everything, look_quickly

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.25
ENROLMENTS_SECONDS: Final = 60.0
"""The sums of an LP at a machine are over all that it ever had: they are formed so often at most."""
WHOLE_SECONDS: Final = 86_400.0
READ_SECONDS: Final = 3_600
"""For all of the books."""
RETRY_SECONDS: Final = 60.0
"""After a check that took longer, where payments wait for it."""
AT_A_TIME: Final = 50
"""So many settlements are read together: other reads wait meanwhile."""


class Auditor:
    """The one task that watches the books of `db`."""

    def __init__(self, db: Database, clock: Clock, *, operators: frozenset[str], on_clear: Callable[[], None]) -> None:
        """`on_clear` is called when payments may go on."""
        self._db = db
        self._clock = clock
        self._operators = operators
        self._on_clear = on_clear
        self._version: int | None = None
        self._suspicious = 0
        """How often somebody else was seen to write."""
        self._checked = 0
        """Up to which of these times the books were checked since."""
        self._looked = False
        """Whether the sums were looked at since the start."""
        self._wanted = asyncio.Event()
        self._enrolments: set[int] = set()
        self.held: tuple[Hold, ...] = ()
        """What holds all payments."""

    def may_pay(self) -> bool:
        """Whether nothing is held, and nobody else has written into the books since they were checked."""
        return self._looked and not self.held and self._checked == self._suspicious

    def checking(self) -> bool:
        """Whether payments wait for the books to be checked."""
        return self._checked != self._suspicious

    async def run(self) -> None:
        """Runs for ever."""
        await self._db.write(changes.watch)
        await self._look()
        await self._hold(await self._db.read_apart(look_quickly, seconds=READ_SECONDS))
        self._looked = True
        self._on_clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check_whole_books())
            group.create_task(self._check_enrolments())
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                await self._look()

    # --- what was changed --------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        found, held = await self._db.write(_take)
        lifted, self.held = bool(self.held and not held), held
        if lifted:
            self._on_clear()
        if self._version not in (None, found.version):
            log.warning("written_by_others")
            self._suspicious += 1
            self._wanted.set()
        self._version = found.version
        self._enrolments |= found.enrolments
        if found.any:
            await self._check(found)

    async def _check(self, found: Changes) -> None:
        of_legs, alone = await self._db.read(lambda tx: changes.settlements_of(tx, found.legs))
        settlements, legs = sorted(found.settlements | of_legs), sorted(alone)
        for first in range(0, max(len(settlements), len(legs)), AT_A_TIME):
            part = slice(first, first + AT_A_TIME)
            await self._hold(await self._db.read(partial(_broken, settlements=settlements[part], legs=legs[part])))

    async def _check_enrolments(self) -> None:
        while True:
            await asyncio.sleep(ENROLMENTS_SECONDS)
            ids, self._enrolments = self._enrolments, set()
            for enrolment_id in sorted(ids):
                await self._hold(await self._db.read(partial(_broken_sums, enrolment_id=enrolment_id)))

    # --- everything --------------------------------------------------------------------------------------------------

    async def check_all(self) -> list[Violation]:
        """All that is wrong with the books. Raises TookTooLong."""
        report = await self._db.read_apart(check_everything, seconds=READ_SECONDS)
        log.info("books_checked", violations=len(report.violations) + report.more, **report.counts)
        return report.violations

    async def _check_whole_books(self) -> None:
        while True:
            before, wait = self._suspicious, WHOLE_SECONDS
            self._wanted.clear()
            try:
                found = await self.check_all()
            except StorageBroken:
                raise
            except TookTooLong:
                log.error("books_not_checked", reason="they are too long to be read in time")
                if self.checking():
                    wait = RETRY_SECONDS
                    await self._hold([], lambda tx: holding.unchecked(tx, self._operators, self._clock.now()))
            except Exception:  # what nobody can read to its end is broken, too
                log.exception("books_not_checked")
                await self._hold([Violation("file", "database", "it can't be read to the end")])
                self._checked = before
            else:
                complete = len(found) < MAX_LISTED
                await self._hold(found, self._checked_whole(found) if complete else None)
                self._checked = before
                self._on_clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    def _checked_whole(self, found: list[Violation]) -> Callable[[Tx], None]:
        return partial(holding.checked, found=found, operators=self._operators, now=self._clock.now())

    async def _hold(self, found: list[Violation], also: Callable[[Tx], None] | None = None) -> None:
        """Returns when it is held, where anything is broken that no operator has accepted. `also` is done in the same
        commit, first."""
        if not found and also is None:
            return
        for each in found[: holding.SHOWN]:
            log.error("books_broken", rule=each.name, ref=each.ref, detail=each.detail)
        self.held = await self._db.write(lambda tx: _put(tx, found, also, self._operators, self._clock.now()))


def _take(tx: Tx) -> tuple[Changes, tuple[Hold, ...]]:
    return changes.take(tx), tuple(holds.all(tx))


def _put(
    tx: Tx, found: list[Violation], also: Callable[[Tx], None] | None, operators: frozenset[str], now: int
) -> tuple[Hold, ...]:
    if also is not None:
        also(tx)
    holding.hold_books(tx, found, operators, now)
    return tuple(holds.all(tx))


def _broken(tx: Tx, settlements: list[int], legs: list[int]) -> list[Violation]:
    facts = Facts(tx)
    found: list[Violation] = []
    for settlement_id in settlements:
        settlement = facts.settlement(settlement_id)
        found += check_settlement(settlement) if settlement is not None else ()
    for leg_id in legs:
        leg = facts.leg(leg_id)
        found += check_leg(leg) if leg is not None else ()
    return [*found, *facts.unreadable]


def _broken_sums(tx: Tx, enrolment_id: int) -> list[Violation]:
    facts = Facts(tx)
    found = [violation for each in facts.enrolments(enrolment_id) for violation in check_enrolment(each)]
    return [*found, *facts.unreadable]
