"""When an alarm is told of: at once, after an hour and so on for a day, then daily, and when it is over.

A cause that comes back within an hour after it was over is the same alarm: it goes on where it was, and is told again
only when its next reminder is due; the end of what nobody was told of is not told either. So a cause that comes and
goes every minute takes two messages for each reminder at most. The clock may jump: nothing that was missed is made up
for, and no reminder is ever further away than a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

HOUR: Final = 3_600
DAY: Final = 86_400
RETURNS_WITHIN: Final = HOUR
"""A cause that comes back so soon, in seconds, is the same alarm."""
UNTIL_CLEARED: Final = 253_402_300_799
"""In `silenced_until`: for as long as it lasts."""


class Cause(StrEnum):
    """What can be wrong for a while."""

    BOOKS = "books"
    PAST = "past"
    BOOKS_UNCHECKED = "books_unchecked"
    DEAF = "deaf"
    CLOCK_OFF = "clock_off"
    DISK_LOW = "disk_low"
    RECONCILE = "reconcile"
    WALLET_NO_BALANCE = "wallet_no_balance"
    WALLET_QUOTA = "wallet_quota"
    WALLET_REVOKED = "wallet_revoked"
    WALLET_RATE_LIMITED = "wallet_rate_limited"
    WALLET_UNFIT = "wallet_unfit"
    WALLET_GONE = "wallet_gone"
    WALLET_UNREACHABLE = "wallet_unreachable"
    WALLET_LOW = "wallet_low"
    FORGOTTEN = "forgotten"
    CAP_DAY = "cap_day"
    CAP_HOUR = "cap_hour"
    CAP_IN_FLIGHT = "cap_in_flight"
    PAYMENT_UNRESOLVED = "payment_unresolved"
    SETTLEMENT_STUCK = "settlement_stuck"
    SETTLEMENT_UNVERIFIED = "settlement_unverified"
    CASH_LOW = "cash_low"
    BOX_FULL = "box_full"
    CASH_GAP = "cash_gap"
    MACHINE_SILENT = "machine_silent"
    FEE_MISMATCH = "fee_mismatch"
    REPORTS_MISSING = "reports_missing"
    DEPOSIT_PENDING = "deposit_pending"
    RELAY_DOWN = "relay_down"
    RELAY_WITHHOLDS = "relay_withholds"


WALLET_STOPS: Final = (
    Cause.WALLET_NO_BALANCE,
    Cause.WALLET_QUOTA,
    Cause.WALLET_REVOKED,
    Cause.WALLET_RATE_LIMITED,
    Cause.WALLET_UNFIT,
)
"""What is said of one connection of a wallet, and not of the next."""
ORDER: Final[Mapping[Cause, int]] = {cause: place for place, cause in enumerate(Cause)}
"""As they are declared: the most pressing first."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Times are unix seconds."""

    id: int
    """0: not stored yet."""
    cause: Cause
    subject: str
    """What has it, such as `machine:3`, `wallet:main`, `S12`; empty: the bot as a whole."""
    facts: Mapping[str, Any]
    """The values of its sentence."""
    mark: str
    """Tells one state of the cause from another."""
    raised_at: int
    remind_at: int
    reminders: int = 0
    told: bool = True
    """Whether anybody was told that it is there, since it last came."""
    silenced_until: int | None = None
    silenced_by: str | None = None
    cleared_at: int | None = None

    def silenced(self, now: int) -> bool:
        return self.silenced_until is not None and now < self.silenced_until


class Tell(StrEnum):
    """What is said of an alarm."""

    NEW = "new"
    STILL = "still"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Change:
    """What an alarm becomes, and what is said of that."""

    alarm: Alarm
    tell: Tell | None = None


Key = tuple[Cause, str]
"""A cause and what has it: there is one open alarm of both at most."""


def pause(raised_at: int, now: int) -> int:
    """Seconds between two reminders."""
    return HOUR if now - raised_at < DAY else DAY


def raised(known: Alarm | None, fresh: Alarm, now: int) -> Change | None:
    """The cause is there. `known`: its open alarm, or the last one that is over; `fresh`: the alarm that it would be,
    were it new. None: nothing changes."""
    if known is None or (known.cleared_at is not None and not 0 <= now - known.cleared_at < RETURNS_WITHIN):
        return Change(replace(fresh, raised_at=now, remind_at=now + HOUR), Tell.NEW)
    returns = known.cleared_at is not None
    merged = replace(known, facts=fresh.facts, mark=fresh.mark, cleared_at=None, told=known.told and not returns)
    another = known.mark != fresh.mark and not known.silenced(now)
    if another or (returns and _due(known, now)):
        return Change(_told(merged, now), Tell.NEW)
    return Change(merged) if merged != known else None


def looked_at(known: Alarm, now: int) -> Change | None:
    """An open alarm, some time later: whether it is time for a reminder. None: nothing changes."""
    if _due(known, now):
        return Change(replace(_told(known, now), reminders=known.reminders + 1), Tell.STILL)
    latest = now + DAY
    return Change(replace(known, remind_at=latest)) if known.remind_at > latest else None


def cleared(known: Alarm, now: int) -> Change:
    """The cause is gone. Told where anybody had been told that it was there."""
    over = replace(known, cleared_at=now, told=False)
    if known.silenced_until == UNTIL_CLEARED:
        over = replace(over, silenced_until=None, silenced_by=None)
    return Change(over, Tell.OVER if known.told else None)


def decide(known: Mapping[Key, Alarm], found: Mapping[Key, Alarm | None], now: int) -> list[Change]:
    """What a look at everything changes. `known`: the open alarms, and of what is found the last that are over.
    `found`: what is wrong, each as it would be were it new; None: nobody can tell just now, so what is open stays."""
    changes: dict[Key, Change] = {}
    for key, fresh in found.items():
        change = raised(known.get(key), fresh, now) if fresh is not None else None
        if change is not None:
            changes[key] = change
    for key, alarm in known.items():
        if alarm.cleared_at is None and key not in found:
            changes[key] = cleared(alarm, now)
        elif alarm.cleared_at is None and (key not in changes or changes[key].tell is None):
            again = looked_at(changes[key].alarm if key in changes else alarm, now)
            if again is not None:
                changes[key] = again
    return list(changes.values())


def _due(known: Alarm, now: int) -> bool:
    return now >= known.remind_at and not known.silenced(now)


def _told(alarm: Alarm, now: int) -> Alarm:
    return replace(alarm, told=True, remind_at=now + pause(alarm.raised_at, now))
