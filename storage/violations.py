"""Rules of the books that were found broken. Those that no operator has accepted keep payments held."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ledger.facts import Violation
from storage.db import Tx


def note(tx: Tx, violation: Violation, now: int) -> bool:
    """Keeps it; False where an operator lives with this rule being broken there. Details may change meanwhile: those of
    an account do with each payment."""
    tx.run(
        "INSERT INTO violations (rule, ref, detail, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT (rule, ref) DO NOTHING",
        (violation.name, violation.ref, violation.detail, now),
    )
    row = tx.one("SELECT accepted_by FROM violations WHERE rule = ? AND ref = ?", (violation.name, violation.ref))
    return row is None or row["accepted_by"] is None


def standing(tx: Tx, limit: int) -> list[Violation]:
    """The oldest of those that nobody has accepted."""
    rows = tx.all(
        "SELECT rule, ref, detail FROM violations WHERE accepted_by IS NULL ORDER BY seen_at, rowid LIMIT ?", (limit,)
    )
    return [Violation(row["rule"], row["ref"], row["detail"]) for row in rows]


def number(tx: Tx) -> int:
    """How many nobody has accepted."""
    row = tx.one("SELECT count(*) AS number FROM violations WHERE accepted_by IS NULL")
    return row["number"] if row else 0


def accept(tx: Tx, who: str, now: int) -> None:
    """The operator with this public key has looked at all of them: they hold nothing any more, as long as they last. A
    damaged file is not lived with, for whatever is damaged in it goes by one name: the next check finds it anew."""
    tx.run("DELETE FROM violations WHERE rule = 'file'")
    tx.run("UPDATE violations SET accepted_by = ?, accepted_at = ? WHERE accepted_by IS NULL", (who, now))


def keep_only(tx: Tx, found: Iterable[Violation], *, looked_for: Callable[[str], bool], accepted: bool = False) -> None:
    """Forgets those that a check did not find any more: whatever breaks them later is news. `looked_for` says of which
    rules that check is the judge; `accepted`: only those that an operator lives with."""
    there = {(each.name, each.ref) for each in found}
    for row in tx.all("SELECT rule, ref FROM violations WHERE accepted_by IS NOT NULL OR NOT ?", (accepted,)):
        if looked_for(row["rule"]) and (row["rule"], row["ref"]) not in there:
            tx.run("DELETE FROM violations WHERE rule = ? AND ref = ?", (row["rule"], row["ref"]))
