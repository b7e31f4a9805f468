"""A claimed settlement becomes legs: platform fee, operator splits, then the LPs' shares of the principal.

Every sat that is owed is in exactly one leg; what can't be paid is a skipped leg with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ledger.fees import TxType
from ledger.model import Leg, LpStanding, PlannedLeg, Platform, Settlement, SplitRule
from ledger.sharing import largest_remainder, share_principal
from ledger.states import LegStatus, LegType

NOBODY = "none"


def plan(
    settlement: Settlement,
    platform: Platform,
    rule: SplitRule | None,
    lps: Sequence[LpStanding],
    *,
    super_fee_sats: int,
    operator_fee_sats: int,
    principal_sats: int,
) -> tuple[PlannedLeg, ...]:
    """The legs for the three sums that are still unplanned: all of the settlement, or after a retry what was voided.

    `lps` are in the order of their enrolment, which breaks ties.
    """
    legs = (
        *_platform_leg(super_fee_sats, platform),
        *_split_legs(operator_fee_sats, rule),
        *(_dca_legs(settlement, principal_sats, lps) if settlement.tx_type is TxType.CASH_OUT else ()),
    )
    owed = super_fee_sats + operator_fee_sats
    owed += principal_sats if settlement.tx_type is TxType.CASH_OUT else 0
    assert sum(leg.amount_sats for leg in legs) == owed, "a plan lost or made sats"
    return legs


def still_due(settlement: Settlement, standing: Iterable[Leg]) -> dict[LegType, int]:
    """What of a settlement no leg owes or has paid, by the type of leg that would: sats. Voided legs don't count; one
    that its payee gave back does, for it was paid once."""
    left = settlement.owed
    for leg in standing:
        if leg.type in left and leg.status is not LegStatus.VOIDED:
            left[leg.type] -= leg.amount_sats
    assert min(left.values()) >= 0, f"the legs of S{settlement.id} owe more than it does"
    return left


def _platform_leg(amount_sats: int, platform: Platform) -> tuple[PlannedLeg, ...]:
    if amount_sats == 0:
        return ()
    if not platform.target:
        return (_skipped(LegType.SUPER_FEE, amount_sats, "platform", "the platform has no target"),)
    return (PlannedLeg(LegType.SUPER_FEE, LegStatus.PENDING, amount_sats, "platform", platform.target, "platform"),)


def _split_legs(amount_sats: int, rule: SplitRule | None) -> tuple[PlannedLeg, ...]:
    if amount_sats == 0:
        return ()
    if rule is None:
        return (_skipped(LegType.OPERATOR_SPLIT, amount_sats, "operator", "no split rule is set"),)
    sats = largest_remainder(amount_sats, [share.fraction_ppm for share in rule.shares])
    return tuple(
        PlannedLeg(
            LegType.OPERATOR_SPLIT,
            LegStatus.PENDING,
            amount,
            split_payee(share.target),
            share.target,
            share.label,
        )
        for share, amount in zip(rule.shares, sats, strict=True)
        if amount
    )


def split_payee(target: str) -> str:
    """The account of a split's payee: by target, so that it outlives the rule; hashed, for a target may be a secret."""
    return f"split:{hashlib.sha256(target.encode()).hexdigest()[:16]}"


def _dca_legs(settlement: Settlement, principal_sats: int, lps: Sequence[LpStanding]) -> tuple[PlannedLeg, ...]:
    if principal_sats == 0:
        return ()
    eligible = {lp.lp_id: lp for lp in lps if lp.eligible}
    shared = share_principal(
        principal_sats,
        [(lp.lp_id, lp.available_minor) for lp in eligible.values()],
        settlement.currency,
        settlement.exchange_rate,
    )
    legs = [
        PlannedLeg(
            LegType.DCA,
            LegStatus.PENDING,
            share.sats,
            f"lp:{share.lp_id}",
            eligible[share.lp_id].target,
            eligible[share.lp_id].name,
            lp_id=share.lp_id,
            fiat_minor=share.fiat_minor,
        )
        for share in shared.shares
    ]
    if shared.remainder_sats:
        reason = "the LPs' balances are used up" if shared.shares else "no LP with a balance is there"
        legs.append(_skipped(LegType.DCA, shared.remainder_sats, "principal", reason))
    return tuple(legs)


def _skipped(kind: LegType, amount_sats: int, label: str, reason: str) -> PlannedLeg:
    return PlannedLeg(kind, LegStatus.SKIPPED, amount_sats, NOBODY, None, label, reason=reason)
