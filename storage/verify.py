"""Holds the books against their own rules: the file, both hash chains, every sum, every payment. Changes nothing.

It reads one consistent snapshot, beside a running bot or without one. The rules are those of `ledger.invariants` and
`ledger.balances`; here they are given everything that is stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from ledger.balances import check_accounts, expected, read_journal
from ledger.facts import LegFacts, SettlementFacts, Violation
from ledger.invariants import check_cash, check_credits, check_enrolment, check_leg, check_seals, check_settlement
from storage.db import Tx, open_snapshot
from storage.errors import StorageError
from storage.facts import Facts
from storage.migrate import migration_files, version_of

UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)
"""What comes of reading a damaged file: SQLite's own errors name what they found in it, and that may be no text."""
DAMAGED: Final = ("file", "database")
"""Rule and subject of what SQLite itself finds wrong with its file."""
MAX_LISTED: Final = 1_000


@dataclass(slots=True)
class Report:
    """What differs. `counts`: how many settlements, legs, attempts, entries … were looked at."""

    violations: list[Violation] = field(default_factory=list)
    """The first thousand; `more` counts the others."""
    more: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, found: Iterable[Violation]) -> None:
        for violation in found:
            if len(self.violations) < MAX_LISTED:
                self.violations.append(violation)
            else:
                self.more += 1

    @property
    def clean(self) -> bool:
        return not self.violations


def verify_file(path: Path) -> Report:
    """Everything there is to check about the database at `path`. Raises StorageError where it can't be read at all."""
    with closing(open_snapshot(path)) as raw:
        try:
            version = _schema(raw, path)
            if version < len(migration_files()):
                raise StorageError(f"{path.name} has the schema of an older version: `satmachine run` migrates it")
            raw.execute("BEGIN")
            report = Report()
            _check_all(Tx(raw), report)
        except UNREADABLE as error:
            raise StorageError(f"{path.name} can't be read to the end: {error}: restore a backup") from None
        return report


def inspect_file(path: Path) -> None:
    """Whether `satmachine run` can use the database at `path`, as far as a look tells. Raises StorageError."""
    with closing(open_snapshot(path)) as raw:
        try:
            _schema(raw, path)
            damage = [violation.detail for violation in _check_file(raw)]
        except UNREADABLE as error:
            damage = [str(error)]
    if damage:
        raise StorageError(f"{path.name} is damaged ({damage[0]}): restore a backup")


def check_everything(tx: Tx) -> Report:
    """The file and the books, as this transaction sees them."""
    report = Report()
    _check_all(tx, report)
    return report


def _check_all(tx: Tx, report: Report) -> None:
    """Pages that lead to each other in a circle would be read for ever: the books of a damaged file are not."""
    found = list(_check_file(tx.sql))
    report.add(found)
    if DAMAGED not in {(violation.name, violation.ref) for violation in found}:
        check_books(tx, report)


def look_quickly(tx: Tx) -> list[Violation]:
    """The sums that SQL can form by itself, so that a bot need not pay before they were looked at."""
    return [
        Violation(rule, row["ref"], row["detail"])
        for rule, statement in _SUMS.items()
        for row in tx.all(f"{statement} LIMIT {MAX_LISTED}")
    ]


_SUMS: Final = {
    "journal_balance": (
        "SELECT commodity AS ref, 'all entries sum to ' || sum(amount) AS detail FROM postings"
        " GROUP BY commodity HAVING sum(amount) <> 0"
    ),
    "one_live_attempt": (
        "SELECT 'P' || leg_id AS ref, count(*) || ' live attempts' AS detail FROM attempts"
        " WHERE state IN ('ready', 'sent', 'claimed') GROUP BY leg_id HAVING count(*) > 1"
    ),
    "one_settled_attempt": (
        "SELECT 'P' || leg_id AS ref, count(*) || ' attempts settled, none of them as surplus' AS detail FROM attempts"
        " WHERE state = 'settled' AND surplus = 0 GROUP BY leg_id HAVING count(*) > 1"
    ),
    "completed_without_payment": (
        "SELECT 'P' || l.id AS ref, (l.amount_sats - l.credit_sats) * 1000 || ' msat were due, '"
        " || coalesce(sum(a.amount_msat), 0) || ' settled' AS detail FROM legs l"
        " LEFT JOIN attempts a ON a.leg_id = l.id AND a.state = 'settled' AND a.surplus = 0"
        " WHERE l.status IN ('completed', 'refunded') GROUP BY l.id"
        " HAVING coalesce(sum(a.amount_msat), 0) <> (l.amount_sats - l.credit_sats) * 1000"
    ),
    "negative_balance": (
        "SELECT 'L' || lp_id || '@m' || machine_id AS ref,"
        " deposited_minor - paid_minor - reserved_minor || ' minor units' AS detail FROM enrolments"
        " WHERE deposited_minor - paid_minor - reserved_minor < 0"
    ),
}


def check_books(tx: Tx, report: Report) -> None:
    """Adds to `report` what is wrong with the books as this transaction sees them."""
    facts = Facts(tx)
    reading = read_journal(facts.journal())
    report.add(reading.violations)
    report.add(Violation("audit_chain", f"A{number}", "its hash does not fit") for number in facts.audit_breaks())
    must = expected(_settlements(facts, report), _other_legs(facts, report), facts.deposits(), facts.trials())
    report.add(check_accounts(must, reading))
    for enrolment in facts.enrolments():
        report.add(check_enrolment(enrolment))
    report.add(check_credits(facts.credits(), facts.legs_with_credit()))
    report.add(check_seals(facts.seals()))
    report.add(check_cash(facts.cash()))
    report.add(facts.unreadable)
    report.add(_other_bytes(tx))
    report.counts = facts.counts


def _other_bytes(tx: Tx) -> Iterator[Violation]:
    """What would be said again is what was signed; the id of a request is a part of its bytes."""
    for row in tx.all("SELECT event_id FROM requests WHERE event <> '' AND instr(event, event_id) = 0 LIMIT 20"):
        yield Violation("request_bytes", row["event_id"], "its stored bytes are of another request")


def _settlements(facts: Facts, report: Report) -> Iterator[SettlementFacts]:
    """Each is checked on its way to being added up, so that they are read once."""
    for settlement in facts.settlements():
        report.add(check_settlement(settlement))
        yield settlement


def _other_legs(facts: Facts, report: Report) -> Iterator[LegFacts]:
    for leg in facts.other_legs():
        report.add(check_leg(leg))
        yield leg


def _schema(raw: sqlite3.Connection, path: Path) -> int:
    """The version of its schema. Raises StorageError for another program's, or a newer one."""
    version, known = version_of(raw), len(migration_files())
    if version > known:
        raise StorageError(
            f"{path.name} was written by a newer version (schema {version}, this one knows {known}): "
            "install that version, or restore an older backup"
        )
    if version == 0 and raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StorageError(f"{path.name} is a database of another program: name another file in [storage] path")
    return version


def _check_file(raw: sqlite3.Connection) -> Iterator[Violation]:
    """SQLite's own word on its file, and rows that name others which are not there."""
    for row in raw.execute("PRAGMA quick_check(20)"):
        if row[0] != "ok":
            yield Violation(*DAMAGED, str(row[0]).replace("\n", " "))
    for row in raw.execute("PRAGMA foreign_key_check"):
        yield Violation("file", f"{row[0]} {row[1]}", f"it names a row of {row[2]} that is not there")
    yield from _check_schema(raw)


def _check_schema(raw: sqlite3.Connection) -> Iterator[Violation]:
    """The tables, indexes and triggers are those of the migrations: without a trigger nothing refuses what must never
    be."""
    if version_of(raw) != len(migration_files()):
        return
    there = _schema_of(raw)
    must = _right_schema()
    for name in sorted(must.keys() | there.keys()):
        if there.get(name) != must.get(name):
            yield Violation("schema", name, f"{name} is {'not as it was made' if name in there else 'missing'}")


def _schema_of(raw: sqlite3.Connection) -> dict[str, str]:
    rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return {row[0]: row[1] for row in rows}


@cache
def _right_schema() -> dict[str, str]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        for _, file in migration_files():
            fresh.executescript(file.read_text(encoding="utf-8"))
        return _schema_of(fresh)
