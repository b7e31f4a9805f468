"""Alarms: what is wrong for a while, each cause once for each subject. When they are told of is ledger/alarms.py."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from ledger.alarms import Alarm, Cause, Change, Key, cleared, raised
from storage.db import Tx

KEEP_SECONDS: Final = 30 * 86_400


def raise_(tx: Tx, cause: Cause, subject: str, facts: Mapping[str, Any], now: int, *, mark: str = "") -> Change | None:
    """The cause is there; None where there is nothing to say of it now. `mark` tells one state of it from another: a
    worse one is told at once, whatever was told before. `facts` are values for JSON."""
    change = raised(last(tx, cause, subject), Alarm(0, cause, subject, facts, mark, now, now), now)
    return _to_tell(keep(tx, change)) if change is not None else None


def clear(tx: Tx, cause: Cause, subject: str, now: int) -> Change | None:
    """The cause is gone; None where there is nothing to say of that."""
    known = get_open(tx, cause, subject)
    return _to_tell(keep(tx, cleared(known, now))) if known is not None else None


def forget(tx: Tx, cause: Cause, subject: str, now: int) -> bool:
    """The cause is gone, by somebody's word: nobody is told, and when it comes back it is news. False where there was
    nothing to forget."""
    known = last(tx, cause, subject)
    if known is None:
        return False
    over = replace(cleared(known, known.cleared_at or now).alarm, remind_at=0, silenced_until=None, silenced_by=None)
    keep(tx, Change(over))
    return True


def keep(tx: Tx, change: Change) -> Change:
    """Stores it; the same, with the alarm's number."""
    alarm = change.alarm
    values = {
        "cause": alarm.cause.value,
        "subject": alarm.subject,
        "facts": json.dumps(alarm.facts, separators=(",", ":"), ensure_ascii=False),
        "mark": alarm.mark,
        "raised_at": alarm.raised_at,
        "reminders": alarm.reminders,
        "remind_at": alarm.remind_at,
        "told": int(alarm.told),
        "silenced_until": alarm.silenced_until,
        "silenced_by": alarm.silenced_by,
        "cleared_at": alarm.cleared_at,
    }
    if alarm.id:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        tx.run(f"UPDATE alarms SET {columns} WHERE id = :id", {**values, "id": alarm.id})  # noqa: S608
    else:
        alarm = replace(alarm, id=tx.insert("alarms", **values))
    tx.touch("alarms")
    return Change(alarm, change.tell)


def silence(tx: Tx, alarm: Alarm, until: int | None, by: str) -> Alarm:
    """No reminder until then, by the word of the operator with the public key `by`; None: no longer silenced."""
    silenced = replace(alarm, silenced_until=until, silenced_by=by if until is not None else None)
    keep(tx, Change(silenced))
    return silenced


def get(tx: Tx, alarm_id: int) -> Alarm | None:
    row = tx.one("SELECT * FROM alarms WHERE id = ?", (alarm_id,))
    return _from_row(row) if row else None


def get_open(tx: Tx, cause: Cause, subject: str) -> Alarm | None:
    row = tx.one("SELECT * FROM alarms WHERE cause = ? AND subject = ? AND cleared_at IS NULL", (cause.value, subject))
    return _from_row(row) if row else None


def open_(tx: Tx, subject: str | None = None) -> list[Alarm]:
    """What is wrong now, or with this subject alone, the oldest first."""
    rows = tx.all(
        "SELECT * FROM alarms WHERE cleared_at IS NULL AND (:subject IS NULL OR subject = :subject) ORDER BY id",
        {"subject": subject},
    )
    return [_from_row(row) for row in rows]


def of_machine(tx: Tx, machine_id: int) -> list[Alarm]:
    """What is wrong now with a machine and its bays, the oldest first."""
    rows = tx.all(
        "SELECT * FROM alarms WHERE cleared_at IS NULL AND (subject = ? OR subject GLOB ?) ORDER BY id",
        (f"machine:{machine_id}", f"bay:{machine_id}:*"),
    )
    return [_from_row(row) for row in rows]


def number_open(tx: Tx) -> int:
    row = tx.one("SELECT count(*) AS number FROM alarms WHERE cleared_at IS NULL")
    return int(row["number"]) if row else 0


def raised_since(tx: Tx, since: int, until: int) -> dict[Cause, int]:
    """How many alarms of each cause were raised in that time, open or over."""
    rows = tx.all(
        "SELECT cause, count(*) AS number FROM alarms WHERE raised_at > ? AND raised_at <= ? GROUP BY cause",
        (since, until),
    )
    return {Cause(row["cause"]): row["number"] for row in rows}


def known(tx: Tx, keys: Iterable[Key]) -> dict[Key, Alarm]:
    """The open alarms, and of these causes the last ones that are over."""
    found = {(each.cause, each.subject): each for each in open_(tx)}
    for key in keys:
        if key not in found and (over := last(tx, *key)) is not None:
            found[key] = over
    return found


def drop_old(tx: Tx, now: int) -> None:
    """Forgets what has long been over."""
    tx.run("DELETE FROM alarms WHERE cleared_at < ?", (now - KEEP_SECONDS,))


def last(tx: Tx, cause: Cause, subject: str) -> Alarm | None:
    """The open one, or the one that was over last."""
    found = get_open(tx, cause, subject)
    if found is not None:
        return found
    row = tx.one(
        "SELECT * FROM alarms WHERE cause = ? AND subject = ? AND cleared_at IS NOT NULL"
        " ORDER BY cleared_at DESC, id DESC LIMIT 1",
        (cause.value, subject),
    )
    return _from_row(row) if row else None


def _to_tell(change: Change) -> Change | None:
    return change if change.tell is not None else None


def _from_row(row: sqlite3.Row) -> Alarm:
    return Alarm(
        id=row["id"],
        cause=Cause(row["cause"]),
        subject=row["subject"],
        facts=json.loads(row["facts"]),
        mark=row["mark"],
        raised_at=row["raised_at"],
        remind_at=row["remind_at"],
        reminders=row["reminders"],
        told=bool(row["told"]),
        silenced_until=row["silenced_until"],
        silenced_by=row["silenced_by"],
        cleared_at=row["cleared_at"],
    )
