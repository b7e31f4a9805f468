"""When an alarm is told of: at once, after an hour and so on for a day, then daily, and when it is over.

A cause that comes back within an hour after it was over is the same alarm: it goes on where it was, and is told again
only when its next reminder is due; the end of what nobody was told of is not told either. So a cause that comes and
goes every minute takes two messages for each reminder at most. One that becomes worse than it was told is told at once;
one that becomes better waits for its reminder. Reminders of one cause come together, and where very many of one cause
come one by one, the rest waits for them. The clock may jump: nothing that was missed is made up for, and no reminder is
ever further away than a day.
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
MOST_NEW: Final = 10
"""After so many alarms of one cause within an hour further ones wait for the next reminder."""
LONGEST_SILENCE: Final = 8_760 * HOUR
"""In seconds: what an operator can ask for."""
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
    """In which state the cause was when it was last told: one that is worse is told at once."""
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


def raised(known: Alarm | None, fresh: Alarm, now: int, *, waits: bool = False) -> Change | None:
    """The cause is there. `known`: its open alarm, or the last one that is over; `fresh`: the alarm that it would be,
    were it new. `waits`: it is told with the next reminder, not now. None: nothing changes."""
    if known is None or (known.cleared_at is not None and not 0 <= now - known.cleared_at < RETURNS_WITHIN):
        new = replace(fresh, raised_at=now, remind_at=now + HOUR, told=not waits)
        return Change(new, None if waits else Tell.NEW)
    returns = known.cleared_at is not None
    merged = replace(known, facts=fresh.facts, cleared_at=None, told=known.told and not returns)
    worse = is_worse(known.cause, known.mark, fresh.mark) and not known.silenced(now)
    if (worse and not waits) or (returns and _due(known, now)):
        return Change(replace(_told(merged, now), mark=fresh.mark), Tell.NEW)
    return Change(merged) if merged != known else None


def is_worse(cause: Cause, told: str, is_now: str) -> bool:
    """Whether one state of a cause is so much worse than the one that was told that it does not wait for a reminder. Of
    most causes another state is another fault."""
    if cause is Cause.REPORTS_MISSING:
        return False
    if cause is Cause.CASH_LOW:
        return is_now == "empty" and told != "empty"
    if cause is Cause.CASH_GAP and told and is_now:
        before, after = int(told), int(is_now)
        return (before < 0) is not (after < 0) or abs(after) >= 2 * abs(before)
    return told != is_now


def looked_at(known: Alarm, now: int, mark: str | None = None, *, along: bool = False) -> Change | None:
    """An open alarm, some time later: whether it is time for a reminder. `mark`: its state, where it is known; `along`:
    others of its cause are told, and its own time is less than an hour away. None: nothing changes."""
    if _due(known, now, HOUR if along else 0):
        told = replace(_told(known, now), mark=known.mark if mark is None else mark)
        if not known.told:
            return Change(told, Tell.NEW)
        return Change(replace(told, reminders=known.reminders + 1), Tell.STILL)
    mended = _mended(known, now)
    return Change(mended) if mended != known else None


def cleared(known: Alarm, now: int) -> Change:
    """The cause is gone. Told where anybody had been told that it was there."""
    over = replace(known, cleared_at=now, told=False)
    if known.silenced_until == UNTIL_CLEARED:
        over = replace(over, silenced_until=None, silenced_by=None)
    return Change(over, Tell.OVER if known.told else None)


def decide(
    known: Mapping[Key, Alarm], found: Mapping[Key, Alarm | None], now: int, lately: Mapping[Cause, int] | None = None
) -> list[Change]:
    """What a look at everything changes. `known`: the open alarms, and of what is found the last that are over.
    `found`: what is wrong, each as it would be were it new; None: nobody can tell just now, so what is open stays.
    `lately`: how many alarms of each cause were raised within the last hour."""
    changes: dict[Key, Change] = {}
    for key, fresh in found.items():
        if fresh is not None:
            waits = lately is not None and lately.get(fresh.cause, 0) >= MOST_NEW
            change = raised(known.get(key), fresh, now, waits=waits)
            if change is not None:
                changes[key] = change
    lasting = [key for key, alarm in known.items() if alarm.cleared_at is None and key in found]
    due = {known[key].cause for key in lasting if _due(known[key], now)}
    for key in lasting:
        if key not in changes or changes[key].tell is None:
            alarm, fresh = changes[key].alarm if key in changes else known[key], found[key]
            again = looked_at(alarm, now, fresh.mark if fresh is not None else None, along=alarm.cause in due)
            if again is not None:
                changes[key] = again
    for key, alarm in known.items():
        if alarm.cleared_at is None and key not in found:
            changes[key] = cleared(alarm, now)
    return list(changes.values())


def _due(known: Alarm, now: int, early: int = 0) -> bool:
    """`early`: by so many seconds."""
    return now >= known.remind_at - early and not known.silenced(now)


def _mended(known: Alarm, now: int) -> Alarm:
    """Where the clock was ahead when its times were set, neither a reminder nor the end of a silence is further away
    than a day."""
    latest, until = now + DAY, known.silenced_until
    asked = until is not None and until != UNTIL_CLEARED
    if known.remind_at <= latest and not (asked and until is not None and until > now + LONGEST_SILENCE):
        return known
    if asked and until is not None:
        until = min(until, latest)
    return replace(known, remind_at=min(known.remind_at, latest), silenced_until=until)


def _told(alarm: Alarm, now: int) -> Alarm:
    return replace(alarm, told=True, remind_at=now + pause(alarm.raised_at, now))
