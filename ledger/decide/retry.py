"""An errored settlement is planned again: what failed is voided and owed anew, what was paid is never paid again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ledger.decide.distribution import plan, still_due
from ledger.errors import Code, Refusal
from ledger.model import Leg, LpStanding, PlannedLeg, Platform, Settlement, SplitRule
from ledger.states import LegStatus, LegType, SettlementStatus


@dataclass(frozen=True, slots=True)
class Retry:
    voided: tuple[Leg, ...]
    planned: tuple[PlannedLeg, ...]


def check_retry(settlement: Settlement, legs: Sequence[Leg], unresolved: Collection[int]) -> tuple[Leg, ...]:
    """The failed legs, all of which may be voided. `unresolved` are ids of legs with an attempt in sent or claimed.

    Refuses `bad_state` and `unresolved_payment`.
    """
    if settlement.status is not SettlementStatus.ERRORED:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is {status}: only an errored settlement can be retried",
            field="settlement",
            id=settlement.id,
            status=settlement.status,
        )
    # Also of a leg that was replaced before: a wallet that says now that it paid it means these same sats.
    refuse_unresolved(unresolved)
    return tuple(leg for leg in legs if leg.status is LegStatus.FAILED)


def refuse_unresolved(unresolved: Collection[int], field: str = "settlement") -> None:
    """Refuses `unresolved_payment` where there are ids of legs with an attempt of which the wallet has not said what
    became."""
    if unresolved:
        raise Refusal(
            Code.UNRESOLVED_PAYMENT,
            "the wallet has not said what became of {payments}: wait until it has",
            field=field,
            payments=", ".join(f"P{leg_id}" for leg_id in sorted(unresolved)),
        )


def retry(
    settlement: Settlement,
    legs: Sequence[Leg],
    unresolved: Collection[int],
    platform: Platform,
    rule: SplitRule | None,
    lps: Sequence[LpStanding],
) -> Retry:
    """Voids the failed legs and plans what is owed and in no standing leg, to today's targets and balances."""
    failed = check_retry(settlement, legs, unresolved)
    left = still_due(settlement, [leg for leg in legs if leg.status is not LegStatus.FAILED])
    planned = plan(
        settlement,
        platform,
        rule,
        lps,
        super_fee_sats=left[LegType.SUPER_FEE],
        operator_fee_sats=left[LegType.OPERATOR_SPLIT],
        principal_sats=left[LegType.DCA],
    )
    return Retry(failed, planned)
