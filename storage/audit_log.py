"""The audit log as people read it: who did what to what, the newest first."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from storage.db import Tx

PLATFORM: Final = "platform"
"""The target of what concerns the platform."""
_SELECT: Final = "SELECT u.*, p.name AS lp FROM audit u LEFT JOIN lps p ON p.pubkey = u.who WHERE "


@dataclass(frozen=True, slots=True)
class Line:
    id: int
    at: int
    who: str
    """A public key, or `satmachine` for what the bot did by its own rules."""
    lp: str | None
    """The name of who did it, where that is an LP."""
    command: str
    target: str | None
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines; None for all."""

    target: str | None = None
    since: int | None = None
    """The search ends at the first older line, for lines are written in the order of time."""
    before_id: int | None = None
    seen_by: str | None = None
    """Only what this public key did, or what concerns the platform."""


def page(tx: Tx, wanted: LineFilter, limit: int) -> list[Line]:
    """The newest first."""
    given = [
        ("u.target = :target", wanted.target),
        ("u.id < :before", wanted.before_id),
        (
            "u.id IN (SELECT id FROM audit WHERE target = :platform UNION SELECT id FROM audit WHERE who = :who)",
            wanted.seen_by,
        ),
    ]
    where = " AND ".join(["1", *(clause for clause, value in given if value is not None)])
    values = {"target": wanted.target, "before": wanted.before_id, "who": wanted.seen_by, "platform": PLATFORM}
    found: list[Line] = []
    for row in tx.run(f"{_SELECT}{where} ORDER BY u.id DESC LIMIT {int(limit)}", values):
        if wanted.since is not None and row["at"] < wanted.since:
            break
        found.append(_line(row))
    return found


def of_settlement(tx: Tx, settlement_id: int, limit: int) -> list[Line]:
    """The newest lines about a settlement and its payments, the oldest of them first."""
    rows = tx.all(
        _SELECT + "u.target IN (SELECT 'S' || :id UNION ALL SELECT 'P' || id FROM legs WHERE settlement_id = :id)"  # noqa: S608
        " ORDER BY u.id DESC LIMIT :limit",
        {"id": settlement_id, "limit": limit},
    )
    return [_line(row) for row in reversed(rows)]


def of_payment(tx: Tx, leg_id: int, limit: int) -> list[Line]:
    """The newest lines about a payment, the oldest of them first."""
    return page(tx, LineFilter(target=f"P{leg_id}"), limit)[::-1]


def known(tx: Tx, target: str) -> bool:
    """Whether there is a line about exactly this."""
    return tx.one("SELECT 1 FROM audit WHERE target = ? LIMIT 1", (target,)) is not None


def _line(row: sqlite3.Row) -> Line:
    return Line(
        row["id"],
        row["at"],
        row["who"],
        row["lp"],
        row["command"],
        row["target"],
        json.loads(row["before"]) if row["before"] is not None else None,
        json.loads(row["after"]) if row["after"] is not None else None,
    )
