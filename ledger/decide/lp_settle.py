"""The operator pays out what an LP still has in a machine, in full or in part, at a rate that the operator states."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ledger.decide.retry import refuse_unresolved
from ledger.errors import Code, Refusal
from ledger.model import Leg, LpStanding, Machine, PlannedLeg
from ledger.money import MAX_SATS, fiat_to_sats
from ledger.states import LegStatus, LegType


@dataclass(frozen=True, slots=True)
class LpSettlement:
    leg: PlannedLeg
    wallet: str
    """Where the sats come from."""
    replaced: tuple[Leg, ...]
    """Earlier ones that were not paid: their fiat is free again, and this one takes their place."""
    remaining_minor: int
    """What the LP has left after this."""


def settle_lp(
    machine: Machine,
    lp: LpStanding,
    earlier: Sequence[Leg],
    unresolved: Collection[int],
    *,
    wallet: str,
    rate: Decimal,
    fiat_minor: int | None = None,
) -> LpSettlement:
    """`rate` is in sats for one unit of fiat; of `fiat_minor` no more is paid than remains, None stands for all of it.
    `earlier` are unpaid legs of this kind of this LP at this machine. `unresolved` are ids of all its closed legs there
    with an attempt in sent or claimed: their fiat is free again, and may turn out to be paid.

    Refuses `bad_request`, `bad_state`, `not_onboarded` and `unresolved_payment`.
    """
    if not (rate.is_finite() and rate > 0):
        raise Refusal(Code.BAD_REQUEST, "rate must be above 0: sats for one unit of fiat", field="rate")
    if fiat_minor is not None and fiat_minor <= 0:
        raise Refusal(Code.BAD_REQUEST, "amount must be above 0; without it all that remains is paid", field="amount")
    if lp.target is None:
        raise Refusal(
            Code.NOT_ONBOARDED,
            "{lp} has not said yet where the sats go: ask for join with a Lightning address",
            field="lp",
            lp=lp.name,
        )
    replaced = tuple(leg for leg in earlier if leg.status in (LegStatus.FAILED, LegStatus.SKIPPED))
    refuse_unresolved(unresolved, "lp")
    if lp.available_minor <= 0:
        raise Refusal(
            Code.BAD_STATE,
            "nothing of {lp} remains at {machine}",
            field="lp",
            lp=lp.name,
            machine=machine.name,
        )
    fiat = lp.available_minor if fiat_minor is None else min(fiat_minor, lp.available_minor)
    sats = fiat_to_sats(fiat, machine.fiat, rate)
    if not 0 < sats <= MAX_SATS:
        raise Refusal(
            Code.BAD_REQUEST, "at this rate that comes to {sats:,} sats: look at the rate", field="rate", sats=sats
        )
    planned = PlannedLeg(
        LegType.SETTLEMENT,
        LegStatus.PENDING,
        sats,
        f"lp:{lp.lp_id}",
        lp.target,
        lp.name,
        lp_id=lp.lp_id,
        fiat_minor=fiat,
    )
    return LpSettlement(planned, wallet, replaced, lp.available_minor - fiat)
