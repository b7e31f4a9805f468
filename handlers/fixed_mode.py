"""LPs in fixed mode are paid on a schedule instead of with every cash-out; an order may do it at once, too.

Each payment is an `lp settle` (handlers/lp_settle.py) of at most the LP's daily limit, from the machine's own wallet,
at the rate of the machine's own settlements (ledger/decide/fixed_mode.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from handlers import lp_settle, notices
from handlers.lp_settle import Wanted
from ledger.decide.fixed_mode import DAY, WEEK, due_today, rate_of
from ledger.decide.lp_settle import LpSettlement
from ledger.errors import Refusal, Said, said
from ledger.model import EnrolmentStatus, Leg, LpMode, Machine
from storage import journal, legs, lps, machines, meta, settlements
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
    max_leg_sats: int
    """What would be more is left to the operator."""


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
        due = [(who, _due(tx, machine, enrolled, who, policy, now)) for enrolled, who in reversed(waiting)]
        since = now - DAY - WEEK - policy.max_rate_age_seconds
        sales = settlements.sales_since(tx, machine.id, since)
        rate = rate_of(sales, sum(fiat for _, fiat in due), now, policy.max_rate_age_seconds)
        if isinstance(rate, Said):
            obstacles.append((machine.name, rate))
            continue
        for who, fiat_minor in due:
            if not fiat_minor:
                continue
            wanted = Wanted(rate, fiat_minor)
            try:
                decided = lp_settle.check(tx, machine, who, wanted, configured=configured, now=now)
            except Refusal as refusal:
                obstacles.append((who.name, refusal.said))
                continue
            if decided.leg.amount_sats > policy.max_leg_sats:
                obstacles.append((who.name, _over_cap(decided.leg.amount_sats, policy)))
            else:
                planned.append(Planned(machine, who, wanted, decided))
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
    if slot is None or (known is not None and slot <= int(known) <= now):
        return []  # a time that is still to come was noted by a clock that was ahead: it says nothing
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


def _due(tx: Tx, machine: Machine, enrolled: Enrolment, who: Lp, policy: FixedMode, now: int) -> int:
    """What an LP is to get now, in minor units."""
    here = datetime.fromtimestamp(now, UTC).astimezone(policy.zone)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    paid_today = legs.ordered_fiat(tx, machine.id, who.id, int(midnight.timestamp()))
    left = enrolled.deposited_minor - enrolled.paid_minor - enrolled.reserved_minor
    return due_today(left, who.daily_limit, machine.fiat, paid_today)


def _over_cap(sats: int, policy: FixedMode) -> Said:
    return said(
        "{sats:,} sats are over the cap of {most:,} sats for one payment: pay it in parts",
        sats=sats,
        most=policy.max_leg_sats,
    )


def end(tx: Tx, operators: Collection[str], now: int) -> list[Lp]:
    """The configuration has no times any more: LPs in fixed mode have their share of cash-outs again, and everybody
    concerned is told. Nobody waits for a time that never comes."""
    ended = lps.all_to_flow(tx)
    for who in ended:
        journal.record(
            tx,
            at=now,
            who="satmachine",
            command="fixed mode off",
            target=who.name,
            before={"mode": "fixed"},
            after={"mode": "flow"},
        )
        notices.tell(tx, [who.pubkey], "notice fixed mode off", {}, now)
    if ended:
        notices.tell(tx, operators, "notice fixed mode ended", {"names": [who.name for who in ended]}, now)
    return ended
