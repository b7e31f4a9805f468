"""The numbers that machines give to their reports, and which of them never came.

A machine counts from 1, and its reports come in any order: the newest first after a time offline, some of them days
late, each more than once. A count begins anew where a lower number comes with a later time than the highest one had;
what was missing of the count before stays missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from storage.db import Tx

MOST_MISSING: Final = 1_000
"""Of one machine. A number so much higher than the last is no gap: the machine counts otherwise from there on."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Neighbouring numbers that did not come, both included; noticed at `since` (unix seconds)."""

    first: int
    last: int
    since: int


def came(tx: Tx, machine_id: int, seq: int, settlement_id: int, reported_at: int, *, fresh: bool, now: int) -> None:
    """A report with this number came. `reported_at` is the machine's own time of it. `fresh`: no report of that payment
    came before; one that is only repeated changes nothing but what was missing."""
    at = min(reported_at, now)
    count = tx.one("SELECT * FROM sequences WHERE machine_id = ?", (machine_id,))
    if count is None:
        tx.insert(
            "sequences", machine_id=machine_id, highest=seq, began_at=at, newest_at=at, first_settlement=settlement_id
        )
        return
    of_this_count = at >= count["began_at"]
    was_missing = tx.run(
        "DELETE FROM missing_reports WHERE machine_id = :machine AND seq = :seq AND began_at ="
        " CASE WHEN :this THEN :began"
        " ELSE (SELECT min(began_at) FROM missing_reports WHERE machine_id = :machine AND seq = :seq) END",
        {"machine": machine_id, "seq": seq, "this": of_this_count, "began": count["began_at"]},
    ).rowcount
    if was_missing or not fresh:
        return
    if seq > count["highest"] and of_this_count:
        _note_missing(tx, count, seq, now)
        tx.run(
            "UPDATE sequences SET highest = ?, newest_at = max(newest_at, ?) WHERE machine_id = ?",
            (seq, at, machine_id),
        )
    elif seq <= count["highest"] and at > count["newest_at"]:
        tx.run(
            "UPDATE sequences SET highest = ?, began_at = ?, newest_at = ?, first_settlement = ? WHERE machine_id = ?",
            (seq, at, at, settlement_id, machine_id),
        )


def _note_missing(tx: Tx, count: sqlite3.Row, seq: int, now: int) -> None:
    """The numbers between the highest so far and `seq`. What came with a clock that was wrong is there all the same."""
    known = tx.one("SELECT count(*) AS number FROM missing_reports WHERE machine_id = ?", (count["machine_id"],))
    if known is None or known["number"] + seq - count["highest"] > MOST_MISSING:
        return
    for missing in range(count["highest"] + 1, seq):
        tx.run(
            "INSERT OR IGNORE INTO missing_reports (machine_id, began_at, seq, noticed_at)"
            " SELECT :machine, :began_at, :seq, :now WHERE NOT EXISTS (SELECT 1 FROM settlements"
            " WHERE machine_id = :machine AND seq = :seq AND id >= :first)",
            {
                "machine": count["machine_id"],
                "began_at": count["began_at"],
                "seq": missing,
                "now": now,
                "first": count["first_settlement"],
            },
        )


def gaps(tx: Tx, machine_id: int, until: int) -> tuple[Gap, ...]:
    """What was noticed missing by `until` and has not come: the oldest count first, the lowest number first."""
    rows = tx.all(
        "SELECT seq, began_at, noticed_at FROM missing_reports WHERE machine_id = ? AND noticed_at <= ?"
        " ORDER BY began_at, seq",
        (machine_id, until),
    )
    return _joined(rows)


def machines_with_gaps(tx: Tx, until: int) -> list[tuple[str, int]]:
    """The names of the machines of which reports are missing that long, and how many."""
    rows = tx.all(
        "SELECT m.name, count(*) AS number FROM missing_reports r JOIN machines m ON m.id = r.machine_id"
        " WHERE r.noticed_at <= ? GROUP BY m.id ORDER BY m.name",
        (until,),
    )
    return [(row["name"], row["number"]) for row in rows]


def machines_missing(tx: Tx) -> list[int]:
    """The ids of the machines of which any report is missing."""
    return [row["machine_id"] for row in tx.all("SELECT DISTINCT machine_id FROM missing_reports")]


def take_untold(tx: Tx, until: int) -> list[tuple[int, str]]:
    """The machines of which something was noticed missing by `until` and nobody was told of it, by id and name; it is
    told from now on."""
    rows = tx.run(
        "UPDATE missing_reports SET told = 1 WHERE told = 0 AND noticed_at <= ?"
        " RETURNING machine_id, (SELECT name FROM machines WHERE id = machine_id) AS machine",
        (until,),
    ).fetchall()
    found = {(int(row["machine_id"]), str(row["machine"])) for row in rows}
    return sorted(found, key=lambda machine: machine[1])


def forget(tx: Tx, until: int) -> set[int]:
    """Drops what was noticed missing by then: nobody waits for it any more. The ids of the machines of which nothing is
    missing with that."""
    dropped = tx.run("DELETE FROM missing_reports WHERE noticed_at <= ? RETURNING machine_id", (until,)).fetchall()
    return {row["machine_id"] for row in dropped}.difference(machines_missing(tx) if dropped else ())


def _joined(rows: Iterable[sqlite3.Row]) -> tuple[Gap, ...]:
    """Neighbours of one count as one gap, since the earlier notice of the two."""
    found: list[Gap] = []
    began_at = None
    for row in rows:
        seq, since = row["seq"], row["noticed_at"]
        if found and began_at == row["began_at"] and found[-1].last == seq - 1:
            found[-1] = Gap(found[-1].first, seq, min(found[-1].since, since))
        else:
            found.append(Gap(seq, seq, since))
        began_at = row["began_at"]
    return tuple(found)
