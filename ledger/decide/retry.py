"""An errored settlement is planned again: what failed is voided and owed anew, what was paid is never paid again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.decide.distribution import plan
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Leg, LpStanding, PlannedLeg, Platform, Settlement, SplitRule
from ledger.states import LegStatus, LegType, SettlementStatus

_OVER: Final = frozenset({LegStatus.FAILED, LegStatus.VOIDED})
"""The legs whose sats are owed anew; every other one stands, a refunded one too: it was paid once."""


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
            f"S{settlement.id} is {settlement.status.value}: only an errored settlement can be retried",
            field="settlement",
        )
    failed = tuple(leg for leg in legs if leg.status is LegStatus.FAILED)
    in_doubt = [f"P{leg.id}" for leg in failed if leg.id in unresolved]
    if in_doubt:
        raise Refusal(
            Code.UNRESOLVED_PAYMENT,
            f"the wallet has not said what became of {', '.join(in_doubt)}: wait until it has",
            field="settlement",
        )
    return failed


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
    standing = dict.fromkeys((LegType.SUPER_FEE, LegType.OPERATOR_SPLIT, LegType.DCA), 0)
    for leg in legs:
        if leg.type in standing and leg.status not in _OVER:
            standing[leg.type] += leg.amount_sats
    principal_sats = settlement.principal_sats if settlement.tx_type is TxType.CASH_OUT else 0
    left = {
        LegType.SUPER_FEE: settlement.platform_fee_sats - standing[LegType.SUPER_FEE],
        LegType.OPERATOR_SPLIT: settlement.operator_fee_sats - standing[LegType.OPERATOR_SPLIT],
        LegType.DCA: principal_sats - standing[LegType.DCA],
    }
    assert min(left.values()) >= 0, f"the legs of S{settlement.id} owe more than it does"
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
