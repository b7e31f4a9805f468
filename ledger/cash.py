"""The cash in a machine: which notes a cash-out took, which come back, and how long the rest will last.

A bay is known by its position; several may hold one denomination. Denominations are whole units of the machine's
currency, amounts are minor units; `unit_minor` is how many of those make one unit. Nothing here is certain: what is
believed to be in a bay follows from reports, and what no bay can have had is `unplaced`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.money import fiat_digits

MOST_BAYS: Final = 64
MOST_NOTES: Final = 1_000_000
LARGEST_NOTE: Final = 1_000_000_000
MOST_CASH: Final = 10**12
"""Whole units in all bays together: sums stay far inside SQLite's integers."""
DAY: Final = 86_400
HISTORY_SECONDS: Final = 28 * DAY
LEAST_HISTORY_SECONDS: Final = 3 * DAY
MOST_DAYS: Final = 999
"""A forecast beyond this says no more than that."""
MOST_NAMED: Final = 10
"""Named notes that come to more than so many times their cash-out are a mistake in the report, not in the bays."""
_MOST_STEPS: Final = 10_000


class MoveKind(StrEnum):
    """Why the cash that is believed to be in a machine changed."""

    FOUND = "found"
    DISPENSED = "dispensed"
    NOT_DISPENSED = "not_dispensed"
    REFILLED = "refilled"
    SET = "set"
    INSERTED = "inserted"
    EMPTIED = "emptied"


BOX_KINDS: Final = frozenset({MoveKind.INSERTED, MoveKind.EMPTIED})
"""Moves without a position that are of the box; all others without one are of what is unplaced."""


@dataclass(frozen=True, slots=True)
class Bay:
    position: int
    denomination: int
    count: int
    """Notes that are believed to be in it."""
    reported_denomination: int
    reported_count: int
    differs_since: int | None = None
    """Since when what is believed is not what is reported, unix seconds."""
    left_out_since: int | None = None
    """Since when the machine's states leave this bay out; None: the newest shows it."""

    @property
    def amount(self) -> int:
        """In whole units."""
        return self.denomination * self.count

    @property
    def reported_amount(self) -> int:
        """In whole units; nothing where the machine left it out."""
        return 0 if self.left_out_since is not None else self.reported_denomination * self.reported_count

    @property
    def as_reported(self) -> bool:
        """Whether the machine says just what is believed."""
        reported = (self.reported_denomination, self.reported_count)
        return self.left_out_since is None and (self.denomination, self.count) == reported


@dataclass(frozen=True, slots=True)
class Notes:
    """So many notes in a bay."""

    position: int
    denomination: int
    notes: int

    @property
    def amount(self) -> int:
        """In whole units."""
        return self.denomination * self.notes


@dataclass(frozen=True, slots=True)
class Dispensed:
    """What a machine says of the notes of a cash-out: from which bays, or only which bills (denomination to number)."""

    bays: tuple[Notes, ...] = ()
    bills: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """How the cash of a machine changes: `notes` are added (or, below zero, taken), `unplaced_minor` is what no bay is
    known for, below zero where more must be there than the bays show. `assumed`: nobody said which notes."""

    notes: tuple[Notes, ...]
    unplaced_minor: int
    assumed: bool


def unit_minor(currency: str) -> int:
    """Minor units of one whole unit."""
    return int(10 ** fiat_digits(currency))


def believed_minor(bays: Iterable[Bay], unplaced_minor: int, unit: int) -> int:
    """All that is believed to be in the bays."""
    return sum(bay.amount for bay in bays) * unit - unplaced_minor


def plausible(said: Dispensed | None, fiat_minor: int, unit: int) -> Dispensed | None:
    """What a machine says of the notes of a cash-out; None where that can't be of this one."""
    if said is None:
        return None
    bills = sum(denomination * number for denomination, number in (said.bills or {}).items())
    most = max(sum(each.amount for each in said.bays), bills)
    return said if most * unit <= MOST_NAMED * fiat_minor else None


def dispense(bays: Sequence[Bay], fiat_minor: int, unit: int, said: Dispensed | None) -> Change:
    """The notes that a cash-out of `fiat_minor` took: those that the machine names, else those that make the amount,
    the largest first. What a bay can't have had, and what the named notes leave of the amount, is unplaced."""
    left = {bay.position: Notes(bay.position, bay.denomination, bay.count) for bay in bays}
    if said is not None and said.bays:
        taken, lost = _from_bays(left, said.bays)
    elif said is not None and said.bills:
        taken, lost = _by_bills(left, said.bills)
    else:
        made = make_up(list(left.values()), fiat_minor, unit)
        if made is None:
            return Change((), fiat_minor, assumed=True)
        return Change(tuple(_less(each) for each in made), 0, assumed=True)
    named = (sum(each.amount for each in taken) + lost) * unit
    return Change(tuple(_less(each) for each in taken), lost * unit + max(0, fiat_minor - named), assumed=False)


def make_up(from_: Sequence[Notes], amount_minor: int, unit: int) -> tuple[Notes, ...] | None:
    """Notes out of these that make the amount exactly, the largest first; None where none do."""
    whole, rest = divmod(amount_minor, unit)
    if rest or whole < 0:
        return None
    stock: dict[int, int] = {}
    for each in from_:
        stock[each.denomination] = stock.get(each.denomination, 0) + each.notes
    numbers = _numbers(sorted(((d, n) for d, n in stock.items() if n > 0), reverse=True), whole)
    if numbers is None:
        return None
    made = []
    for each in sorted(from_, key=lambda notes: notes.position):
        number = min(each.notes, numbers.get(each.denomination, 0))
        if number > 0:
            numbers[each.denomination] -= number
            made.append(Notes(each.position, each.denomination, number))
    return tuple(made)


def give_back(taken: Sequence[Notes], unplaced_minor: int, amount_minor: int, unit: int) -> Change:
    """What a cash-out took and did not dispense is in the machine: first what nobody knew the bay of, then of the notes
    `taken` those that make the rest; what can't be made so is unplaced below zero."""
    from_unplaced = min(max(0, unplaced_minor), amount_minor)
    made = make_up(taken, amount_minor - from_unplaced, unit)
    if made is None:
        return Change((), -amount_minor, assumed=True)
    return Change(made, -from_unplaced, assumed=bool(made))


def take_again(bays: Sequence[Bay], given: Sequence[Notes], amount_minor: int, unit: int) -> Change:
    """It was dispensed after all: of the notes that were `given` back those that make the amount, where they are still
    there; else it is unplaced."""
    there = {bay.position: bay for bay in bays}
    still = [
        Notes(each.position, each.denomination, min(each.notes, there[each.position].count))
        for each in given
        if each.position in there and there[each.position].denomination == each.denomination
    ]
    made = make_up(still, amount_minor, unit)
    if made is None:
        return Change((), amount_minor, assumed=True)
    return Change(tuple(_less(each) for each in made), 0, assumed=True)


def days_left(notes: int, dispensed: int, seconds: int) -> int | None:
    """Whole days until `notes` are gone, if they go as fast as the `dispensed` ones in the last `seconds`. None where
    that is too short a time, or nothing went."""
    if seconds < LEAST_HISTORY_SECONDS or dispensed <= 0:
        return None
    return min(MOST_DAYS, notes * seconds // (dispensed * DAY))


def _from_bays(left: Mapping[int, Notes], said: Sequence[Notes]) -> tuple[list[Notes], int]:
    """What these bays had of it, and what they had not, in whole units."""
    taken: list[Notes] = []
    lost = 0
    for each in said:
        bay = left.get(each.position)
        had = min(each.notes, bay.notes) if bay is not None and bay.denomination == each.denomination else 0
        if had:
            taken.append(Notes(each.position, each.denomination, had))
        lost += (each.notes - had) * each.denomination
    return taken, lost


def _by_bills(left: Mapping[int, Notes], bills: Mapping[int, int]) -> tuple[list[Notes], int]:
    """Bays in the order of their positions, while they have such notes."""
    taken: list[Notes] = []
    lost = 0
    for denomination, number in sorted(bills.items()):
        for position in sorted(left):
            bay = left[position]
            had = min(number, bay.notes) if bay.denomination == denomination else 0
            if had:
                taken.append(Notes(position, denomination, had))
                number -= had  # noqa: PLW2901 - what is still to be found
        lost += number * denomination
    return taken, lost


def _less(notes: Notes) -> Notes:
    return Notes(notes.position, notes.denomination, -notes.notes)


def _numbers(stock: Sequence[tuple[int, int]], whole: int) -> dict[int, int] | None:
    """How many of each denomination make `whole`: as many of the larger ones as can be. Gives up after some steps."""
    dead: set[tuple[int, int]] = set()
    steps = 0

    def search(place: int, rest: int) -> dict[int, int] | None:
        nonlocal steps
        if rest == 0:
            return {}
        if place == len(stock) or (place, rest) in dead:
            return None
        denomination, there = stock[place]
        for number in range(min(there, rest // denomination), -1, -1):
            steps += 1
            if steps > _MOST_STEPS:
                return None
            found = search(place + 1, rest - number * denomination)
            if found is not None:
                return {denomination: number, **found}
        dead.add((place, rest))
        return None

    return search(0, whole)
