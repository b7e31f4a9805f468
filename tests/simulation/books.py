"""The real schema in memory, and a look at what each commit changed.

`Books` outlives the bots that use it, as a file does; `SimDatabase` is what one bot has of it.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ledger.invariants import check_leg, check_settlement
from ledger.states import ATTEMPT_CHANGES, LEG_CHANGES, SETTLEMENT_CHANGES
from storage import db as real
from storage.db import Tx, _finish, _Job, _seen, witness_path
from storage.facts import Facts
from storage.migrate import migrate
from storage.verify import Report, check_books
from storage.witness import Witness
from tests.simulation.clockwork import Clockwork

if TYPE_CHECKING:
    from tests.simulation.life import Life

T = TypeVar("T")

_WATCH = """
CREATE TEMP TABLE moves (kind TEXT, ref TEXT, was TEXT, became TEXT, leg_id INTEGER, settlement_id INTEGER);
CREATE TEMP TRIGGER watch_attempt AFTER INSERT ON attempts BEGIN
    INSERT INTO moves VALUES ('attempt', NEW.payment_hash, NULL, NEW.state, NEW.leg_id, NULL); END;
CREATE TEMP TRIGGER watch_attempts AFTER UPDATE OF state ON attempts WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO moves VALUES ('attempt', NEW.payment_hash, OLD.state, NEW.state, NEW.leg_id, NULL); END;
CREATE TEMP TRIGGER watch_request AFTER INSERT ON requests BEGIN
    INSERT INTO moves SELECT 'request', NEW.event_id, NULL, 'made', leg_id, NULL FROM attempts
        WHERE payment_hash = NEW.payment_hash; END;
CREATE TEMP TRIGGER watch_leg AFTER INSERT ON legs BEGIN
    INSERT INTO moves VALUES ('leg', NEW.id, NULL, NEW.status, NEW.id, NEW.settlement_id); END;
CREATE TEMP TRIGGER watch_legs AFTER UPDATE OF status ON legs WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO moves VALUES ('leg', NEW.id, OLD.status, NEW.status, NEW.id, NEW.settlement_id); END;
CREATE TEMP TRIGGER watch_credit AFTER UPDATE OF credit_sats ON legs WHEN OLD.credit_sats <> NEW.credit_sats BEGIN
    INSERT INTO moves VALUES ('credit', NEW.id, OLD.credit_sats, NEW.credit_sats, NEW.id, NULL); END;
CREATE TEMP TRIGGER watch_settlement AFTER INSERT ON settlements BEGIN
    INSERT INTO moves VALUES ('settlement', NEW.id, NULL, NEW.status, NULL, NEW.id); END;
CREATE TEMP TRIGGER watch_settlements AFTER UPDATE OF status ON settlements WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO moves VALUES ('settlement', NEW.id, OLD.status, NEW.status, NULL, NEW.id); END;
"""
_OURS: Final = frozenset(re.findall(r"CREATE TEMP \w+ (\w+)", _WATCH))
_NO_LOOP: Final = asyncio.new_event_loop()
"""Of futures that nobody waits for."""
_CHANGES = {
    "attempt": {(was.value, became.value) for was, became in ATTEMPT_CHANGES},
    "leg": {(was.value, became.value) for was, became in LEG_CHANGES},
    "settlement": {(was.value, became.value) for was, became in SETTLEMENT_CHANGES},
}


@dataclass(slots=True)
class Books:
    """What is committed, and the witness beside it."""

    clockwork: Clockwork
    folder: Path
    """Where the witness is."""
    raw: sqlite3.Connection = field(init=False)
    commits: int = 0
    moved: bool = False
    """Whether the last commit took an attempt from one state to another."""

    def __post_init__(self) -> None:
        self.raw = sqlite3.connect(":memory:", isolation_level=None, cached_statements=2_000)
        real._settings(self.raw)
        self.raw.execute("PRAGMA temp_store = MEMORY")
        migrate(self.raw, Path("memory"))
        self.raw.executescript(_WATCH)

    def reopen(self) -> Witness:
        """A process opens them: what belonged to the connection of the one before is gone."""
        for row in self.rows("SELECT type, name FROM sqlite_temp_master WHERE type IN ('table', 'trigger')"):
            if row["name"] not in _OURS:
                self.raw.execute(f"DROP {row['type']} IF EXISTS temp.{row['name']}")
        return Witness(witness_path(self.folder / "satmachine.db"))

    def write(self, work: Callable[[Tx], T], witness: Witness) -> T:
        """One job alone."""
        job = _Job(work, asyncio.Future(loop=_NO_LOOP))
        self.commit([job])
        self.testify([job], witness)
        if job.error is not None:
            raise job.error
        return cast(T, job.result)

    def commit(self, batch: list[_Job[Any]]) -> set[str]:
        """One transaction, and then the invariants of what it touched. Raises where nothing of it is stored."""
        touched, error = real._transact(self.raw, batch)
        if error is not None:
            self.clockwork.problem(f"database: {error!r}")
            raise error
        self.commits += 1
        moves = self.rows("SELECT * FROM moves")
        self.moved = any(move["kind"] == "attempt" for move in moves)
        if moves:
            self.raw.execute("DELETE FROM moves")
            self._check(moves)
        return touched

    def testify(self, batch: list[_Job[Any]], witness: Witness) -> None:
        error = real._testify(self.raw, batch, witness)
        if error is not None:
            self.clockwork.problem(f"witness: {error!r}")

    def read(self, work: Callable[[Tx], T]) -> T:
        return work(Tx(self.raw))

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self.raw.execute(query, values).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        row = self.raw.execute(query, values).fetchone()
        return row[0] if row else None

    # --- invariants --------------------------------------------------------------------------------------------------

    def _check(self, moves: list[sqlite3.Row]) -> None:
        legs: set[int] = set()
        whole: set[int] = set()
        for kind, ref, was, became, leg_id, settlement_id in moves:
            self.clockwork.note(f"{kind} {ref[:8]} P{leg_id} S{settlement_id}: {was} -> {became}")
            if was is not None and kind in _CHANGES and (was, became) not in _CHANGES[kind]:
                self.clockwork.problem(f"state_change P{leg_id} {kind} {ref}: {was} to {became}")
            if settlement_id is not None:
                whole.add(settlement_id)
            elif leg_id is not None:
                legs.add(leg_id)
        facts = Facts(Tx(self.raw))
        for settlement_id in sorted(whole):
            found = facts.settlement(settlement_id)
            self._report(check_settlement(found) if found else (), f"S{settlement_id}")
        for leg_id in sorted(legs):
            leg = facts.leg(leg_id)
            if leg is not None and leg.leg.settlement_id not in whole:
                self._report(check_leg(leg), f"P{leg_id}")
        self._report(facts.unreadable, "rows")

    def _report(self, violations: Any, where: str) -> None:
        for wrong in violations:
            self.clockwork.problem(f"{wrong.name} {where} {wrong.ref}: {wrong.detail}")

    def check_all(self) -> None:
        """The whole books, as `verify` does."""
        report = Report()
        check_books(Tx(self.raw), report)
        self._report(report.violations, "books")


class SimDatabase:
    """Stands for `storage.db.Database` in one life of the bot: what waits together is committed together, durable or
    not done at all."""

    def __init__(self, books: Books, life: Life) -> None:
        self._books = books
        self._life = life
        self._jobs: list[_Job[Any]] = []
        self._listeners: list[Callable[[set[str]], None]] = []
        self._followers: list[tuple[str, Callable[[Tx], Any], Callable[[Any], None]]] = []
        self._busy = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.path = books.folder / "satmachine.db"
        self.witness = books.reopen()

    def on_commit(self, listener: Callable[[set[str]], None]) -> None:
        self._listeners.append(listener)

    def follow(self, name: str, read: Callable[[Tx], T], listener: Callable[[T], None]) -> None:
        self._followers.append((name, read, listener))

    def before_commit(self, listener: Callable[[list[Any]], None]) -> None:
        """Only saves time."""

    async def write(self, work: Callable[[Tx], T]) -> T:
        """As the real one: whoever waits may be cancelled, the job is done all the same."""
        self._life.check()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_seen)
        self._jobs.append(_Job(work, future))
        self._wake()
        return await future

    async def read(self, work: Callable[[Tx], T]) -> T:
        self._life.check()
        await asyncio.sleep(0)
        return self._books.read(work)

    async def read_apart(self, work: Callable[[Tx], T], *, seconds: float) -> T:
        await asyncio.sleep(self._life.clockwork.between(0, min(1.0, seconds)))
        return self._books.read(work)

    async def close(self) -> None:
        self.witness.close()

    # --- inside ---

    def _wake(self) -> None:
        if self._busy or not self._jobs:
            return
        self._busy = True
        loop, clock = asyncio.get_running_loop(), self._life.clockwork
        if clock.chance.random() < 0.03:  # a disk that takes its time
            loop.call_later(clock.between(0.001, 0.2), self._commit)
        else:
            loop.call_soon(self._commit)

    def _danger(self) -> float:
        scenery = self._life.world.scenery
        return scenery.danger if self._books.moved and scenery.steps_of_a_life else 0.0

    def _commit(self) -> None:
        batch, self._jobs = self._jobs, []
        if self._life.dies_here("before a commit"):
            return
        touched = self._books.commit(batch)
        if self._life.dies_here("between commit and witness"):
            return
        self._books.testify(batch, self.witness)
        if self._life.dies_here("after a commit", self._danger()):
            return
        for job in batch:
            _finish(job, job.error)
        for followed, read, listener in self._followers:
            if followed in touched:
                listener(self._books.read(read))
        for name in sorted(touched):  # one by one: the order of a set is another one in each process
            for listener in self._listeners:
                listener({name})
        self._busy = False
        self._wake()
