"""The notes in a machine: in bays by position, and in the box for customers' notes. Whole units of one currency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.cash import LARGEST_NOTE, MOST_BAYS, MOST_NOTES, Notes, make_up

_TYPED: Final = re.compile(r"([0-9]{1,3})=([0-9]{1,12})x([0-9]{1,9})")
_LOW_PERCENT: Final = 20
_FULL_PERCENT: Final = 95


@dataclass(frozen=True, slots=True)
class Cassette:
    """What one bay holds."""

    denomination: int
    count: int

    @property
    def amount(self) -> int:
        return self.denomination * self.count


@dataclass(slots=True)
class Cash:
    bays: dict[int, Cassette] = field(default_factory=dict)
    box: int = 0
    """What customers put in."""
    full: int = 0
    """What the bays held when they were filled last."""

    @property
    def amount(self) -> int:
        return sum(bay.amount for bay in self.bays.values())

    @property
    def level(self) -> str:
        """As a beacon says it: full, ok, low or empty."""
        if not self.amount:
            return "empty"
        percent = self.amount * 100 // max(self.full, self.amount)
        return "low" if percent < _LOW_PERCENT else "full" if percent >= _FULL_PERCENT else "ok"

    def fill(self, bays: Mapping[int, Cassette]) -> None:
        """These bays hold this from now on."""
        self.bays |= bays
        self.full = self.amount

    def notes_for(self, amount: int) -> tuple[Notes, ...] | None:
        """Notes that make the amount, the largest first; None where the bays have none that do."""
        held = [Notes(position, bay.denomination, bay.count) for position, bay in sorted(self.bays.items())]
        return make_up(held, amount, 1)

    def dispense(self, notes: Iterable[Notes]) -> None:
        for each in notes:
            bay = self.bays[each.position]
            self.bays[each.position] = Cassette(bay.denomination, bay.count - each.notes)


def typed_bays(words: Iterable[str]) -> dict[int, Cassette]:
    """`1=20x180`: bay 1 holds 180 notes of 20. Raises ValueError, fit to show."""
    bays: dict[int, Cassette] = {}
    for word in words:
        read = _TYPED.fullmatch(word)
        if read is None:
            raise ValueError(f"{word} is no bay: it is written POSITION=DENOMINATIONxCOUNT, such as 1=20x180")
        position, denomination, count = map(int, read.groups())
        if position in bays:
            raise ValueError(f"bay {position} is given twice")
        bays[position] = _checked(position, denomination, count)
    return bays


def positions(bays: Mapping[int, Cassette]) -> dict[str, Any]:
    """Bays as cassette states and configs have them (docs/protocol.md)."""
    return {
        str(position): {"denomination": bay.denomination, "count": bay.count} for position, bay in sorted(bays.items())
    }


def read_positions(value: object) -> dict[int, Cassette]:
    """The reverse. Raises ValueError, fit to show."""
    if not isinstance(value, dict):
        raise ValueError("positions must be an object")
    if len(value) > MOST_BAYS:
        raise ValueError(f"more than {MOST_BAYS} bays")
    bays: dict[int, Cassette] = {}
    for name, held in value.items():
        if not re.fullmatch(r"[1-9][0-9]?", name) or not isinstance(held, dict):
            raise ValueError(f"{name[:20]!r} is no bay")
        denomination, count = held.get("denomination"), held.get("count")
        if type(denomination) is not int or type(count) is not int:
            raise ValueError(f"bay {name}: denomination and count must be whole numbers")
        bays[int(name)] = _checked(int(name), denomination, count)
    return bays


def _checked(position: int, denomination: int, count: int) -> Cassette:
    if not 1 <= position <= MOST_BAYS:
        raise ValueError(f"bay {position}: positions go from 1 to {MOST_BAYS}")
    if not 1 <= denomination <= LARGEST_NOTE:
        raise ValueError(f"bay {position}: the denomination must be from 1 to {LARGEST_NOTE:,}")
    if not 0 <= count <= MOST_NOTES:
        raise ValueError(f"bay {position}: the count must be from 0 to {MOST_NOTES:,}")
    return Cassette(denomination, count)
