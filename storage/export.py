"""Whole tables of the books as rows, for people to take away: read from one snapshot, one row at a time.

However long a table is, memory stays flat: each is read in the order of its keys, which no query has to sort for. The
oldest rows come first, and reading can be taken up again after any of them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from ledger.journal import SATS
from ledger.money import fiat_text, fraction_text
from storage.db import Tx, open_snapshot
from storage.errors import StorageError
from storage.migrate import migration_files, version_of

_LAST: Final = 10**16
"""Comes after every id."""
_CURSOR: Final = re.compile(r"(\d{1,17})(?:-(\d{1,17}))?", re.ASCII)
Shown = Callable[[str], str | None]


class Kind(Enum):
    """What a cell holds, so that it can be written rightly in each format."""

    TEXT = "text"
    """Words, some of them from outside."""
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    """Unix seconds."""
    RATE = "rate"
    """Decimal text, as it is stored."""
    FIAT = "fiat"
    """Stored in minor units of the row's currency, given out as decimal text."""
    AMOUNT = "amount"
    """Of the row's commodity: msat as a number, fiat as decimal text."""
    FRACTION = "fraction"
    """Stored in parts per million, given out as decimal text."""
    TARGET = "target"
    """May be stored with a secret; given out as people may see it."""
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    sql: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class _Table:
    """Where rows come from, in the order of `keys`. The first table of `source` decides about that order, so
    everything else is joined to it by LEFT JOIN."""

    columns: tuple[Column, ...]
    source: str
    keys: tuple[str, ...]
    at: str
    """The time that `since` and `until` are about."""
    where: str = "1"
    first: int = 0
    """Its keys begin after this one, where a table follows another one in the same sheet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; None for all. `until` is not included; `after` is a row's cursor."""

    what: str
    since: int | None = None
    until: int | None = None
    lp_id: int | None = None
    """Only what belongs to this LP, and only the columns that are its business."""
    after: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    cursor: str
    cells: tuple[Any, ...]


def _columns(names: str, prefix: str, kind: Kind = Kind.TEXT) -> tuple[Column, ...]:
    return tuple(Column(name, f"{prefix}.{name}", kind) for name in names.split())


def _id(letter: str, sql: str, name: str = "id") -> Column:
    return Column(name, f"'{letter}' || {sql}")


_MACHINES: Final = _Table(
    columns=(
        Column("machine", "m.name"),
        *_columns("pubkey wallet fiat location", "m"),
        Column("active", "m.active", Kind.FLAG),
        Column("cash_in_fee", "m.cash_in_ppm", Kind.FRACTION),
        Column("cash_out_fee", "m.cash_out_ppm", Kind.FRACTION),
        Column("paused", "coalesce(w.paused, 0)", Kind.FLAG),
        *_columns("last_seen_at created_at", "m", Kind.TIME),
    ),
    source="machines m LEFT JOIN switches w ON w.name = 'machine:' || m.id",
    keys=("m.id",),
    at="m.created_at",
)
_LPS: Final = _Table(
    columns=(
        Column("machine", "m.name"),
        Column("lp", "p.pubkey"),
        Column("name", "p.name"),
        Column("status", "e.status"),
        Column("onboarded", "p.onboarded_at IS NOT NULL", Kind.FLAG),
        Column(
            "frozen",
            "EXISTS (SELECT 1 FROM switches w WHERE w.paused = 1"
            " AND w.name IN ('lp:' || p.id, 'lp:' || p.id || ':itself'))",
            Kind.FLAG,
        ),
        Column("mode", "p.mode"),
        Column("target", "p.target", Kind.TARGET),
        Column("next_target", "p.next_target", Kind.TARGET),
        Column("next_target_at", "p.next_target_at", Kind.TIME),
        Column("daily_limit", "p.daily_limit", Kind.RATE),
        Column("deposited", "e.deposited_minor", Kind.FIAT),
        Column("pending", "e.pending_minor", Kind.FIAT),
        Column("paid", "e.paid_minor", Kind.FIAT),
        Column("reserved", "e.reserved_minor", Kind.FIAT),
        Column("remaining", "e.deposited_minor - e.paid_minor - e.reserved_minor", Kind.FIAT),
        Column("currency", "m.fiat"),
        Column("sats", "e.paid_sats", Kind.NUMBER),
        Column("last_payment_at", "e.last_payment_at", Kind.TIME),
        Column("onboarded_at", "p.onboarded_at", Kind.TIME),
        Column("created_at", "coalesce(e.created_at, p.created_at)", Kind.TIME),
    ),
    source="lps p LEFT JOIN enrolments e ON e.lp_id = p.id LEFT JOIN machines m ON m.id = e.machine_id",
    keys=("p.id", "e.id"),
    at="coalesce(e.created_at, p.created_at)",
)
_OF_DEPOSITS: Final = "deposits d LEFT JOIN machines m ON m.id = d.machine_id LEFT JOIN lps p ON p.id = d.lp_id"
_DEPOSITS: Final = _Table(
    columns=(
        _id("D", "d.id"),
        Column("machine", "m.name"),
        Column("lp", "p.pubkey"),
        Column("name", "p.name"),
        Column("amount", "d.amount_minor", Kind.FIAT),
        *_columns("currency status note created_by", "d"),
        *_columns("created_at confirmed_at", "d", Kind.TIME),
    ),
    source=_OF_DEPOSITS,
    keys=("d.id",),
    at="d.created_at",
)
_OWN_DEPOSITS: Final = _Table(
    columns=tuple(column for column in _DEPOSITS.columns if column.name not in ("lp", "name", "created_by")),
    source=_OF_DEPOSITS,
    keys=("d.id",),
    at="d.created_at",
    where="d.lp_id = :lp AND d.status <> 'deleted'",
)
_SETTLEMENTS: Final = _Table(
    columns=(
        _id("S", "s.id"),
        Column("machine", "m.name"),
        *_columns("status tx_type payment_hash", "s"),
        *_columns(
            "wire_sats principal_sats fee_sats platform_fee_sats operator_fee_sats fee_mismatch_sats", "s", Kind.NUMBER
        ),
        Column("fiat_amount", "s.fiat_minor", Kind.FIAT),
        Column("currency", "s.currency"),
        Column("exchange_rate", "s.exchange_rate", Kind.RATE),
        *_columns(
            "landed_wire_sats landed_principal_sats landed_fee_sats landed_platform_fee_sats landed_operator_fee_sats",
            "s",
            Kind.NUMBER,
        ),
        Column("landed_fiat_amount", "s.landed_fiat_minor", Kind.FIAT),
        *_columns("reason detail wallet entered_by proof", "s"),
        Column("proof_checked_at", "s.proof_checked_at", Kind.TIME),
        *_columns("txid source", "s"),
        Column("seq", "s.seq", Kind.NUMBER),
        *_columns("event_id receipt", "s"),
        *_columns("reported_at created_at changed_at processed_at", "s", Kind.TIME),
        Column("notes", "(SELECT group_concat(n.text, ' | ') FROM settlement_notes n WHERE n.settlement_id = s.id)"),
    ),
    source="settlements s LEFT JOIN machines m ON m.id = s.machine_id",
    keys=("s.id",),
    at="s.created_at",
)
_OF_PAYMENTS: Final = (
    "legs l LEFT JOIN machines m ON m.id = l.machine_id LEFT JOIN lps p ON p.id = l.lp_id"
    " LEFT JOIN attempts a ON a.leg_id = l.id AND a.state = 'settled' AND a.surplus = 0"
)
_PAYMENTS: Final = _Table(
    columns=(
        _id("P", "l.id"),
        _id("S", "l.settlement_id", "settlement"),
        Column("machine", "m.name"),
        *_columns("wallet type status", "l"),
        *_columns("amount_sats credit_sats", "l", Kind.NUMBER),
        Column("fiat_amount", "l.fiat_minor", Kind.FIAT),
        Column("currency", "l.currency"),
        Column("lp", "p.pubkey"),
        Column("label", "l.label"),
        Column("to", "l.target", Kind.TARGET),
        Column("reason", "l.reason"),
        Column("tries", "l.tries", Kind.NUMBER),
        *_columns("created_at completed_at", "l", Kind.TIME),
        *_columns("payment_hash preimage", "a"),
        Column("fees_msat", "coalesce(a.fees_msat, 0)", Kind.NUMBER),
    ),
    source=_OF_PAYMENTS,
    keys=("l.id",),
    at="l.created_at",
)
_OWN: Final = "id settlement machine type status amount_sats fiat_amount currency to reason created_at completed_at"
_OWN_PAYMENTS: Final = _Table(
    columns=tuple(column for column in _PAYMENTS.columns if column.name in _OWN.split()),
    source=_OF_PAYMENTS,
    keys=("l.id",),
    at="l.created_at",
    where="+l.lp_id = :lp AND l.status <> 'voided'",  # its index is in the order of time, not of the keys
)
_ATTEMPTS: Final = _Table(
    columns=(
        Column("payment_hash", "a.payment_hash"),
        _id("P", "a.leg_id", "payment"),
        _id("S", "l.settlement_id", "settlement"),
        Column("machine", "m.name"),
        *_columns("wallet state", "a"),
        *_columns("amount_msat fees_msat", "a", Kind.NUMBER),
        Column("surplus", "a.surplus", Kind.FLAG),
        *_columns("payee_key invoice", "a"),
        *_columns("created_at expires_at sent_at settled_at ended_at", "a", Kind.TIME),
        *_columns("end_reason preimage", "a"),
        Column("evidence", "(SELECT count(*) FROM evidence e WHERE e.payment_hash = a.payment_hash)", Kind.NUMBER),
    ),
    source="attempts a LEFT JOIN legs l ON l.id = a.leg_id LEFT JOIN machines m ON m.id = l.machine_id",
    keys=("a.rowid",),
    at="a.created_at",
)
_CASH: Final = _Table(
    columns=(
        Column("id", "c.id", Kind.NUMBER),
        Column("at", "c.at", Kind.TIME),
        Column("machine", "m.name"),
        Column("kind", "c.kind"),
        Column(
            "place",
            "CASE WHEN c.position IS NOT NULL THEN 'bay ' || c.position"
            " WHEN c.kind IN ('inserted', 'emptied') THEN 'box' ELSE 'unplaced' END",
        ),
        *_columns("denomination notes", "c", Kind.NUMBER),
        Column("amount", "c.amount_minor", Kind.FIAT),
        Column("counted", "c.counted_minor", Kind.FIAT),
        Column("currency", "m.fiat"),
        Column("assumed", "c.assumed", Kind.FLAG),
        Column("who", "c.who"),
        _id("S", "c.settlement_id", "settlement"),
        _id("D", "c.deposit_id", "deposit"),
    ),
    source="cash_moves c LEFT JOIN machines m ON m.id = c.machine_id",
    keys=("c.id",),
    at="c.at",
)
_JOURNAL: Final = _Table(
    columns=(
        _id("J", "j.id"),
        Column("at", "j.at", Kind.TIME),
        *_columns("kind ref", "j"),
        Column("position", "t.position", Kind.NUMBER),
        *_columns("account commodity", "t"),
        Column("amount", "t.amount", Kind.AMOUNT),
        Column("hash", "j.hash"),
    ),
    source="journal j LEFT JOIN postings t ON t.entry_id = j.id",
    keys=("j.id", "t.position"),
    at="j.at",
)
_AUDIT: Final = _Table(
    columns=(
        Column("id", "u.id", Kind.NUMBER),
        Column("at", "u.at", Kind.TIME),
        Column("who", "u.who"),
        Column("name", "p.name"),
        *_columns("command target", "u"),
        *_columns("before after", "u", Kind.JSON),
        Column("hash", "u.hash"),
    ),
    source="audit u LEFT JOIN lps p ON p.pubkey = u.who",
    keys=("u.id",),
    at="u.at",
)
_TRAIL_COLUMNS: Final = (
    _id("S", "s.id", "settlement"),
    Column("machine", "m.name"),
    Column("reported_at", "s.reported_at", Kind.TIME),
    Column("arrived_at", "s.created_at", Kind.TIME),
    *_columns("event_id payment_hash tx_type", "s"),
    Column("settlement_status", "s.status"),
    *_columns(
        "wire_sats principal_sats fee_sats platform_fee_sats operator_fee_sats fee_mismatch_sats", "s", Kind.NUMBER
    ),
    Column("fiat_amount", "s.fiat_minor", Kind.FIAT),
    Column("currency", "coalesce(s.currency, l.currency)"),
    Column("exchange_rate", "s.exchange_rate", Kind.RATE),
    Column("landed_wire_sats", "s.landed_wire_sats", Kind.NUMBER),
    *_columns("entered_by proof", "s"),
    Column("proof_checked_at", "s.proof_checked_at", Kind.TIME),
    _id("P", "l.id", "payment"),
    *_columns("type status", "l"),
    *_columns("amount_sats credit_sats", "l", Kind.NUMBER),
    Column("payment_fiat", "l.fiat_minor", Kind.FIAT),
    Column("lp", "p.pubkey"),
    Column("label", "l.label"),
    Column("to", "l.target", Kind.TARGET),
    Column("reason", "l.reason"),
    Column("planned_at", "l.created_at", Kind.TIME),
    Column("wallet", "coalesce(l.wallet, s.wallet)"),
    Column("attempts", "(SELECT count(*) FROM attempts t WHERE t.leg_id = l.id)", Kind.NUMBER),
    Column("attempt", "a.payment_hash"),
    Column("attempt_state", "a.state"),
    *_columns("sent_at settled_at", "a", Kind.TIME),
    Column("preimage", "a.preimage"),
    Column("fees_msat", "a.fees_msat", Kind.NUMBER),
    Column("completed_at", "l.completed_at", Kind.TIME),
)
_TRAIL_JOINS: Final = (
    " LEFT JOIN lps p ON p.id = l.lp_id"
    " LEFT JOIN attempts a ON a.rowid = (SELECT t.rowid FROM attempts t WHERE t.leg_id = l.id"
    " ORDER BY t.state = 'settled' AND t.surplus = 0 DESC, t.rowid DESC LIMIT 1)"
)
_TRAIL: Final = _Table(
    columns=_TRAIL_COLUMNS,
    source="settlements s LEFT JOIN machines m ON m.id = s.machine_id LEFT JOIN legs l ON l.settlement_id = s.id"
    + _TRAIL_JOINS,
    keys=("s.id", "l.id"),
    at="s.created_at",
)
_TRAIL_OF_ORDERS: Final = _Table(
    columns=_TRAIL_COLUMNS,
    source="legs l LEFT JOIN settlements s ON s.id = l.settlement_id LEFT JOIN machines m ON m.id = l.machine_id"
    + _TRAIL_JOINS,
    keys=(str(_LAST), "l.id"),
    at="l.created_at",
    where="l.settlement_id IS NULL",
    first=_LAST,
)

SHEETS: Final[dict[str, tuple[_Table, ...]]] = {
    "machines": (_MACHINES,),
    "lps": (_LPS,),
    "deposits": (_DEPOSITS,),
    "settlements": (_SETTLEMENTS,),
    "payments": (_PAYMENTS,),
    "attempts": (_ATTEMPTS,),
    "cash": (_CASH,),
    "journal": (_JOURNAL,),
    "audit": (_AUDIT,),
    "trail": (_TRAIL, _TRAIL_OF_ORDERS),
}
"""What can be exported. `trail`: from the transaction to where each sat went, one row for each payment with the attempt
that paid it, or else the last one; a transaction without payments has one row too."""
OWN_SHEETS: Final[dict[str, tuple[_Table, ...]]] = {"deposits": (_OWN_DEPOSITS,), "payments": (_OWN_PAYMENTS,)}
"""What an LP can have of its own."""


def columns(wanted: Wanted) -> tuple[Column, ...]:
    return _tables(wanted)[0].columns


def cursor_of(text: str) -> tuple[int, int] | None:
    """The place that a row's cursor names; None for what is none."""
    match = _CURSOR.fullmatch(text)
    return (int(match[1]), int(match[2] or 0)) if match else None


def rows(tx: Tx, wanted: Wanted, shown: Shown) -> Iterator[Row]:
    """The rows, the oldest first, one at a time. `shown` gives a stored target as people may see it."""
    for table in _tables(wanted):
        convert = _converters(table, shown)
        keys = [f"coalesce({key}, 0)" for key in table.keys]
        select = ", ".join([*keys, *(column.sql for column in table.columns)])
        statement, values = _statement(table, wanted, select)
        ordered = f"{statement} ORDER BY {', '.join(key for key in table.keys if not key.isdecimal())}"
        cursor = tx.run(ordered, values)
        cursor.row_factory = None
        depth = len(keys)
        for found in cursor:
            cells = list(found[depth:])
            for place, change in convert:
                cells[place] = change(cells)
            yield Row("-".join(map(str, found[:depth])), tuple(cells))


def count(tx: Tx, wanted: Wanted) -> int:
    """How many rows that are."""
    total = 0
    for table in _tables(wanted):
        statement, values = _statement(table, wanted, "count(*) AS number")
        row = tx.one(statement, values)
        total += row["number"] if row else 0
    return total


@contextmanager
def snapshot(path: Path) -> Iterator[Tx]:
    """The database at `path` as it is now, beside a running bot or without one. Raises StorageError."""
    with closing(open_snapshot(path)) as raw:
        if version_of(raw) != len(migration_files()):
            raise StorageError(f"{path.name} has the schema of another version: `satmachine check` says more")
        try:
            raw.execute("BEGIN")
            yield Tx(raw)
        except sqlite3.Error as error:
            raise StorageError(f"{path.name} can't be read to the end: {error}: restore a backup") from None


def _tables(wanted: Wanted) -> tuple[_Table, ...]:
    return (SHEETS if wanted.lp_id is None else OWN_SHEETS)[wanted.what]


def _statement(table: _Table, wanted: Wanted, select: str) -> tuple[str, dict[str, int | None]]:
    """Only the conditions that are given, so that the database can use its indexes. The texts are all from above."""
    values: dict[str, int | None] = {}
    where = [table.where]
    if wanted.lp_id is not None:
        values["lp"] = wanted.lp_id
    if wanted.since is not None:
        where.append(f"+{table.at} >= :since")  # by the keys alone is nothing sorted
        values["since"] = wanted.since
    if wanted.until is not None:
        where.append(f"+{table.at} < :until")
        values["until"] = wanted.until
    if wanted.after is not None:
        first, *second = table.keys
        values["first"], values["second"] = wanted.after
        if table.first and wanted.after[0] < table.first:
            pass  # the cursor is of the table before
        elif not second:
            where.append(f"{first} > :first")
        else:
            where.append(f"{first} >= :first AND ({first} > :first OR coalesce({second[0]}, 0) > :second)")
    return f"SELECT {select} FROM {table.source} WHERE {' AND '.join(where)}", values  # noqa: S608


def _converters(table: _Table, shown: Shown) -> list[tuple[int, Callable[[Sequence[Any]], Any]]]:
    """For each column that is not given out as it is stored: its place, and what makes the cell of the row."""
    names = [column.name for column in table.columns]
    currency = names.index("currency") if "currency" in names else -1
    commodity = names.index("commodity") if "commodity" in names else -1
    return [
        (place, _converter(column.kind, place, commodity if column.kind is Kind.AMOUNT else currency, shown))
        for place, column in enumerate(table.columns)
        if column.kind in (Kind.FIAT, Kind.AMOUNT, Kind.FRACTION, Kind.FLAG, Kind.TARGET)
    ]


def _converter(kind: Kind, place: int, unit: int, shown: Shown) -> Callable[[Sequence[Any]], Any]:
    def fiat(cells: Sequence[Any]) -> Any:
        return None if cells[place] is None else fiat_text(cells[place], cells[unit])

    def amount(cells: Sequence[Any]) -> Any:
        return cells[place] if cells[unit] == SATS else fiat(cells)

    def fraction(cells: Sequence[Any]) -> Any:
        return None if cells[place] is None else fraction_text(cells[place])

    def flag(cells: Sequence[Any]) -> Any:
        return None if cells[place] is None else bool(cells[place])

    def target(cells: Sequence[Any]) -> Any:
        return None if cells[place] is None else shown(cells[place])

    return {
        Kind.FIAT: fiat, Kind.AMOUNT: amount, Kind.FRACTION: fraction, Kind.FLAG: flag, Kind.TARGET: target,
    }[kind]  # fmt: skip
