"""The bot holds its payments: a rule of the books is broken. Nothing new is paid until they hold again, or an operator
has looked and says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from handlers import past
from handlers.alarms import telling
from ledger.alarms import Cause
from ledger.facts import Violation
from ledger.invariants import CASH_RULES
from storage import alarms, attempts, holds, journal, violations
from storage.db import Tx
from storage.settlements import mark_view

SHOWN: Final = 3
"""So many broken rules are named in one message."""
LISTED: Final = frozenset({"wallet_amount", "paid_twice"})
"""Rules that a wallet's list breaks, not the books: only another list shows that they hold again."""
_CAUSES: Final = {holds.BOOKS: Cause.BOOKS, holds.PAST: Cause.PAST}


def hold_books(tx: Tx, found: Iterable[Violation], operators: Iterable[str], now: int) -> bool:
    """Notes what is broken, and holds all payments for it; the operators are told once. False where there is nothing,
    or nothing that an operator has not accepted, or that is of the cash in machines alone."""
    broken = [each for each in _that_hold(tx, found) if violations.note(tx, each, now)]
    if not broken:
        return False
    first, some = broken[0], shapes(broken[:SHOWN])
    reason = f"the rule {first.name} is broken by {first.ref}: {first.detail}"
    if holds.put(tx, holds.BOOKS, reason, now):
        mark_view(tx, "worklist")
        facts = {"violations": some, "count": len(broken)}
        journal.record(tx, at=now, who="satmachine", command="hold", target=holds.BOOKS, after=facts)
        telling.raise_(tx, Cause.BOOKS, "", facts, operators, now, mark=reason)
    return True


def recheck(tx: Tx, found: Sequence[Violation], now: int) -> bool:
    """After a check of the whole books: what is mended is forgotten, and with the last of it the hold ends. True where
    it does."""
    there = _that_hold(tx, found)
    for each in there:
        violations.note(tx, each, now)
    violations.keep_only(tx, there, looked_for=lambda rule: rule not in LISTED)
    return violations.number(tx) == 0 and _lift(tx, holds.BOOKS, now)


def checked(tx: Tx, found: Sequence[Violation], operators: Iterable[str], now: int) -> None:
    """After a check of the whole books that nobody asked for: what an operator lived with and is mended is forgotten:
    it holds payments when it breaks again. What holds them now stays until somebody has it checked: `recheck`."""
    telling.over(tx, Cause.BOOKS_UNCHECKED, "", operators, now)
    alarms.forget(tx, Cause.BOOKS_UNCHECKED, "", now)  # payments wait for it each time: it is news each time
    there = _that_hold(tx, found)
    violations.keep_only(tx, there, looked_for=lambda rule: rule not in LISTED, accepted=True)


def unchecked(tx: Tx, operators: Iterable[str], now: int) -> None:
    """Payments wait for a check of the whole books, which took too long: the operators are told."""
    telling.raise_(tx, Cause.BOOKS_UNCHECKED, "", {}, operators, now)


def lift(tx: Tx, name: str, *, by: str, now: int) -> bool:
    """By the word of the operator with the public key `by`, who lives with what is broken. False: nothing held."""
    if name == holds.BOOKS:
        violations.accept(tx, by, now)
    if name == holds.PAST:
        past.lift(tx, now)
    return _lift(tx, name, now)


def shapes(found: Iterable[Violation]) -> list[dict[str, str]]:
    """As JSON shows them."""
    return [{"rule": each.name, "ref": each.ref, "detail": each.detail} for each in found]


def named(tx: Tx, violation: Violation) -> Violation:
    """People know an attempt by the payment that it is for."""
    leg_id = attempts.leg_of(tx, violation.ref)
    return violation if leg_id is None else replace(violation, ref=f"P{leg_id}")


def _that_hold(tx: Tx, found: Iterable[Violation]) -> list[Violation]:
    return [named(tx, each) for each in found if each.name not in CASH_RULES]


def _lift(tx: Tx, name: str, now: int) -> bool:
    """Whoever has it lifted knows of it."""
    lifted = holds.lift(tx, name)
    if lifted:
        alarms.forget(tx, _CAUSES[name], "", now)
        mark_view(tx, "worklist")
    return lifted
