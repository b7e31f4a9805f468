"""LPs in fixed mode are paid on a schedule instead of with every cash-out; an order may do it at once, too.

Each payment is an `lp settle` (handlers/lp_settle.py) of at most the LP's daily limit, from the machine's own wallet,
at the rate of the machine's last settlement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from handlers import lp_settle, notices
from handlers.lp_settle import Wanted
from ledger.decide.fixed_mode import due_today
from ledger.decide.lp_settle import LpSettlement
from ledger.errors import Refusal, Said, said
from ledger.model import EnrolmentStatus, Leg, LpMode, Machine
from storage import legs, lps, machines, meta, settlements
from storage.db import Tx
from storage.lps import Enrolment, Lp

LAST_SLOT_KEY: Final = "fixed_mode_slot"
LATE_SECONDS: Final = 3_600
"""A bot that comes back so long after a time still pays for it; later the next time will do."""


@dataclass(frozen=True, slots=True)
class FixedMode:
    """The `[fixed_mode]` section, and how old a rate may be."""

    times: tuple[str, ...]
    """`HH:MM` in `zone`; none: fixed mode is off."""
    zone: tzinfo
    max_rate_age_seconds: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One LP at one machine that would be paid now."""

    machine: Machine
    lp: Lp
    wanted: Wanted
    decided: LpSettlement


@dataclass(frozen=True, slots=True)
class Round:
    """What a run would do: whom it pays, and what it can't do."""

    planned: tuple[Planned, ...]
    obstacles: tuple[tuple[str, Said], ...]
    """Machine's or LP's name, and why it is left out."""


def plan(tx: Tx, only: Machine | None, policy: FixedMode, *, configured: Collection[str], now: int) -> Round:
    """Looks at every active machine, or at `only` one. `configured` are the names of the wallets."""
    planned: list[Planned] = []
    obstacles: list[tuple[str, Said]] = []
    for machine in machines.active(tx) if only is None else [only]:
        waiting = [
            (enrolled, who) for enrolled in lps.enrolments(tx, machine_id=machine.id) if (who := _fixed(tx, enrolled))
        ]
        if not waiting:
            continue
        rate = _rate(tx, machine, now - policy.max_rate_age_seconds)
        if rate is None:
            minutes = policy.max_rate_age_seconds // 60
            why = said("no rate is known there: its last settlement is more than {minutes} min ago", minutes=minutes)
            obstacles.append((machine.name, why))
            continue
        for enrolled, who in reversed(waiting):
            wanted = _wanted(tx, machine, enrolled, who, rate, policy, now)
            if wanted is None:
                continue
            try:
                decided = lp_settle.check(tx, machine, who, wanted, configured=configured, now=now)
                planned.append(Planned(machine, who, wanted, decided))
            except Refusal as refusal:
                obstacles.append((who.name, refusal.said))
    return Round(tuple(planned), tuple(obstacles))


def run(tx: Tx, found: Round, *, command: str, configured: Collection[str], by: str, now: int) -> list[Leg]:
    """Makes the payments that were planned in this same transaction."""
    made = []
    for each in found.planned:
        _, leg = lp_settle.settle(
            tx, each.machine, each.lp, each.wanted, configured=configured, note=None, by=by, now=now, command=command
        )
        made.append(leg)
    return made


def run_scheduled(
    tx: Tx, policy: FixedMode, *, configured: Collection[str], operators: Collection[str], now: int
) -> list[Leg]:
    """What the schedule asks for by now, once for each time of it. The operators are told what stood in the way."""
    slot = _last_slot(policy, now)
    known = meta.get(tx, LAST_SLOT_KEY)
    if slot is None or (known is not None and slot <= int(known)):
        return []
    meta.put(tx, LAST_SLOT_KEY, str(slot))
    if known is None or now - slot > LATE_SECONDS:
        return []  # nothing was promised before the bot first ran, nor is yesterday's payment made up for
    found = plan(tx, None, policy, configured=configured, now=now)
    made = run(tx, found, command="fixed run", configured=configured, by="satmachine", now=now)
    if found.obstacles:
        told = {"obstacles": [{"name": name, "why": why} for name, why in found.obstacles]}
        notices.tell(tx, operators, "notice fixed mode", told, now)
    return made


def next_slot(policy: FixedMode, now: int) -> int | None:
    """When the schedule next asks for something, unix seconds."""
    return min((slot for slot in _slots(policy, now, days=(0, 1, 2)) if slot > now), default=None)


def _last_slot(policy: FixedMode, now: int) -> int | None:
    return max((slot for slot in _slots(policy, now, days=(-1, 0)) if slot <= now), default=None)


def _slots(policy: FixedMode, now: int, days: Sequence[int]) -> list[int]:
    today = datetime.fromtimestamp(now, UTC).astimezone(policy.zone).date()
    return [
        int(datetime.combine(today + timedelta(days=day), time.fromisoformat(at), policy.zone).timestamp())
        for day in days
        for at in policy.times
    ]


def _fixed(tx: Tx, enrolled: Enrolment) -> Lp | None:
    """The LP, where it is in fixed mode, active and has joined, and has something left."""
    who = lps.get(tx, enrolled.lp_id)
    left = enrolled.deposited_minor - enrolled.paid_minor - enrolled.reserved_minor
    active = enrolled.status is EnrolmentStatus.ACTIVE and enrolled.onboarded and left > 0
    return who if who is not None and who.mode is LpMode.FIXED and active else None


def _rate(tx: Tx, machine: Machine, since: int) -> Decimal | None:
    found = settlements.last_rate(tx, machine.id)
    return found[0] if found is not None and found[1] >= since else None


def _wanted(
    tx: Tx, machine: Machine, enrolled: Enrolment, who: Lp, rate: Decimal, policy: FixedMode, now: int
) -> Wanted | None:
    midnight = (
        datetime.fromtimestamp(now, UTC).astimezone(policy.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    paid_today = legs.ordered_fiat(tx, machine.id, who.id, int(midnight.timestamp()))
    left = enrolled.deposited_minor - enrolled.paid_minor - enrolled.reserved_minor
    fiat_minor = due_today(left, who.daily_limit, machine.fiat, paid_today)
    return Wanted(rate, fiat_minor) if fiat_minor else None
