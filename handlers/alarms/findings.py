"""What a look at everything finds, and what the running process knows beside the books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ledger.alarms import Cause


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that is there. Without facts: one that is told by whoever finds it, or of which nobody can tell just now;
    then an alarm that is open stays, and none is raised."""

    cause: Cause
    subject: str
    facts: Mapping[str, Any] | None = None
    mark: str = ""


class Clock(StrEnum):
    """Ours, as others' answers show it."""

    RIGHT = "right"
    AHEAD = "ahead"
    BEHIND = "behind"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Down:
    """Since when something is away, unix seconds, and for how many seconds as a clock counts that nobody sets."""

    at: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Outside:
    """What the process sees of the world at this moment. Seconds are counted by a clock that nobody sets."""

    heard_for: int
    """For how many seconds without a break machines could be heard, and the clock was not set."""
    deaf_since: int | None = None
    """Since when no relay is heard, unix seconds; None: they are heard."""
    relays: Mapping[str, Down | None] = field(default_factory=dict)
    """The configured ones; None: it is up."""
    delivering: frozenset[str] = frozenset()
    """Relays that are known to give back what is sent."""
    wallets: Mapping[str, int] = field(default_factory=dict)
    """Of each configured wallet for how many seconds it gave no answer."""
    clock: Clock = Clock.UNKNOWN
    disk_free_mb: int | None = None
    """Where the database lies; None: unknown."""
