"""Retry: failed legs are voided and planned again, standing ones never."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.retry import check_retry, retry
from ledger.errors import Code, Refusal
from ledger.fees import FeeRates, TxType
from ledger.model import EnrolmentStatus, Leg, LpMode, LpStanding, Platform, Settlement, SplitRule, SplitShare
from ledger.states import LegStatus, LegType, SettlementStatus

PLATFORM = Platform(FeeRates(30_000, 30_000), "super@example.com")
RULE = SplitRule(1, None, (SplitShare(1_000_000, "me@example.com", "Me"),))
ANA = LpStanding(7, "ana", "aa" * 32, "ana@example.com", LpMode.FLOW, EnrolmentStatus.ACTIVE, available_minor=1_000_000)


def settlement(**changes: Any) -> Settlement:
    """A cash-out of 100,000 sats: 3,000 for the platform, 5,000 for the operator."""
    made = Settlement(
        id=1, machine_id=1, wallet="main", status=SettlementStatus.ERRORED, reason="leg_failed", payment_hash="ab" * 32,
        tx_type=TxType.CASH_OUT, wire_sats=108_000, principal_sats=100_000, fee_sats=8_000, platform_fee_sats=3_000,
        operator_fee_sats=5_000, fee_mismatch_sats=0, fiat_minor=200_000, currency="GTQ", exchange_rate=Decimal(50),
        txid=None, created_at=0, reported_at=0, proof="settled", proof_checked_at=0, processed_at=None,
    )  # fmt: skip
    return replace(made, **changes)


def leg(number: int, kind: LegType, status: LegStatus, amount_sats: int) -> Leg:
    return Leg(
        id=number, settlement_id=1, machine_id=1, wallet="main", type=kind, status=status, amount_sats=amount_sats,
        credit_sats=0, fiat_minor=0, currency="GTQ", lp_id=7 if kind is LegType.DCA else None, payee="x",
        target="x@example.com", label="x", reason=None, tries=0, next_try_at=0, created_at=0, completed_at=None,
    )  # fmt: skip


def test_only_what_failed_is_owed_again() -> None:
    legs = [
        leg(1, LegType.SUPER_FEE, LegStatus.COMPLETED, 3_000),
        leg(2, LegType.OPERATOR_SPLIT, LegStatus.FAILED, 5_000),
        leg(3, LegType.DCA, LegStatus.COMPLETED, 60_000),
        leg(4, LegType.DCA, LegStatus.FAILED, 30_000),
        leg(5, LegType.DCA, LegStatus.SKIPPED, 10_000),
    ]
    decided = retry(settlement(), legs, (), PLATFORM, RULE, [ANA])
    assert [each.id for each in decided.voided] == [2, 4]
    assert [(each.type, each.amount_sats, each.target) for each in decided.planned] == [
        (LegType.OPERATOR_SPLIT, 5_000, "me@example.com"),
        (LegType.DCA, 30_000, "ana@example.com"),
    ]


def test_a_settlement_that_was_reset_before_it_had_legs_is_planned_whole() -> None:
    decided = retry(settlement(), [], (), PLATFORM, RULE, [ANA])
    assert decided.voided == ()
    assert sum(each.amount_sats for each in decided.planned) == 108_000


def test_cash_in_owes_no_principal() -> None:
    decided = retry(settlement(tx_type=TxType.CASH_IN, wire_sats=92_000), [], (), PLATFORM, RULE, [ANA])
    assert sum(each.amount_sats for each in decided.planned) == 8_000


def test_what_the_payee_gave_back_is_not_paid_again() -> None:
    legs = [
        leg(1, LegType.SUPER_FEE, LegStatus.REFUNDED, 3_000),
        leg(2, LegType.OPERATOR_SPLIT, LegStatus.FAILED, 5_000),
        leg(3, LegType.DCA, LegStatus.COMPLETED, 100_000),
    ]
    assert [each.amount_sats for each in retry(settlement(), legs, (), PLATFORM, RULE, [ANA]).planned] == [5_000]


@pytest.mark.parametrize("status", [status for status in SettlementStatus if status is not SettlementStatus.ERRORED])
def test_only_an_errored_settlement(status: SettlementStatus) -> None:
    with pytest.raises(Refusal) as refused:
        check_retry(settlement(status=status), [], ())
    assert (refused.value.code, refused.value.field) == (Code.BAD_STATE, "settlement")


def test_not_while_a_payment_is_in_doubt() -> None:
    failed = leg(4, LegType.DCA, LegStatus.FAILED, 100_000)
    with pytest.raises(Refusal) as refused:
        check_retry(settlement(), [failed], {4})
    assert refused.value.code is Code.UNRESOLVED_PAYMENT
    replaced = leg(5, LegType.DCA, LegStatus.VOIDED, 100_000)
    with pytest.raises(Refusal, match="P5"):
        check_retry(settlement(), [failed, replaced], {5})
    with pytest.raises(Refusal, match="P5"):
        retry(settlement(), [failed, replaced], {5}, PLATFORM, RULE, [ANA])
    assert check_retry(settlement(), [failed, replaced], ()) == (failed,)


@given(
    st.lists(st.sampled_from(list(LegStatus)), min_size=4, max_size=4),
    st.integers(min_value=0, max_value=200_000),
)
def test_standing_and_planned_legs_add_up_to_what_is_owed(statuses: list[LegStatus], available_minor: int) -> None:
    kinds = [(LegType.SUPER_FEE, 3_000), (LegType.OPERATOR_SPLIT, 5_000), (LegType.DCA, 70_000), (LegType.DCA, 30_000)]
    legs = [leg(n, kind, status, sats) for n, ((kind, sats), status) in enumerate(zip(kinds, statuses, strict=True))]
    lps = [replace(ANA, available_minor=available_minor)]
    decided = retry(settlement(), legs, (), PLATFORM, RULE, lps)
    over = (LegStatus.FAILED, LegStatus.VOIDED)
    standing = sum(each.amount_sats for each in legs if each.status not in over)
    assert standing + sum(each.amount_sats for each in decided.planned) == 108_000
    assert {each.id for each in decided.voided} == {each.id for each in legs if each.status is LegStatus.FAILED}
