"""A retry plans what failed and nothing that was paid."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.retry import Retry, check_retry, retry
from ledger.errors import Code, Refusal
from ledger.model import Leg, Settlement
from ledger.money import PPM
from ledger.states import LegStatus, LegType, SettlementStatus
from tests.ledger.build import cash_in, leg, platform, rule, settlement, standing

ERRORED = settlement(status=SettlementStatus.ERRORED)
FEE = leg(id=1)
SPLIT = leg(id=2, type=LegType.OPERATOR_SPLIT, amount_sats=5_000)
DCA = leg(id=3, type=LegType.DCA, amount_sats=100_000, lp_id=1, fiat_minor=200_000)


def stand(made: Leg, status: LegStatus) -> Leg:
    return leg(
        id=made.id, type=made.type, amount_sats=made.amount_sats, lp_id=made.lp_id, fiat_minor=made.fiat_minor,
        status=status,
    )  # fmt: skip


def retried(legs: Sequence[Leg], made: Settlement = ERRORED, unresolved: Sequence[int] = ()) -> Retry:
    return retry(made, legs, unresolved, platform(), rule(PPM), [standing(1, 200_000)])


def test_what_failed_is_voided_and_planned_again() -> None:
    done = retried([stand(FEE, LegStatus.FAILED), stand(SPLIT, LegStatus.COMPLETED), stand(DCA, LegStatus.FAILED)])
    assert [one.id for one in done.voided] == [1, 3]
    assert [(one.type, one.amount_sats) for one in done.planned] == [
        (LegType.SUPER_FEE, 3_000),
        (LegType.DCA, 100_000),
    ]


@pytest.mark.parametrize("status", [LegStatus.COMPLETED, LegStatus.SKIPPED, LegStatus.REFUNDED, LegStatus.PENDING])
def test_every_other_leg_stands(status: LegStatus) -> None:
    done = retried([stand(FEE, status), stand(SPLIT, LegStatus.FAILED), stand(DCA, status)])
    assert [one.id for one in done.voided] == [2]
    assert [(one.type, one.amount_sats) for one in done.planned] == [(LegType.OPERATOR_SPLIT, 5_000)]


def test_a_second_retry_plans_no_more_than_the_first() -> None:
    legs = [stand(FEE, LegStatus.COMPLETED), stand(SPLIT, LegStatus.COMPLETED), stand(DCA, LegStatus.VOIDED)]
    legs += [leg(id=4, type=LegType.DCA, amount_sats=60_000, lp_id=1, status=LegStatus.COMPLETED)]
    legs += [leg(id=5, type=LegType.DCA, amount_sats=40_000, lp_id=1, status=LegStatus.FAILED)]
    done = retried(legs)
    assert [one.id for one in done.voided] == [5]
    assert sum(one.amount_sats for one in done.planned) == 40_000


def test_a_cash_in_has_no_principal_to_share_and_a_refund_is_no_part_of_it() -> None:
    made = cash_in(status=SettlementStatus.ERRORED)
    back = leg(id=9, type=LegType.REFUND, amount_sats=77, status=LegStatus.VOIDED)
    done = retried([stand(FEE, LegStatus.FAILED), stand(SPLIT, LegStatus.COMPLETED), back], made)
    assert [(one.type, one.amount_sats) for one in done.planned] == [(LegType.SUPER_FEE, 3_000)]


def test_legs_that_owe_more_than_the_settlement_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="owe more"):
        retried([stand(FEE, LegStatus.COMPLETED), leg(id=8, amount_sats=1, status=LegStatus.COMPLETED)])


@pytest.mark.parametrize("status", sorted(set(SettlementStatus) - {SettlementStatus.ERRORED}))
def test_only_an_errored_settlement(status: SettlementStatus) -> None:
    with pytest.raises(Refusal, match=status.value) as refused:
        check_retry(settlement(status=status), [], ())
    assert (refused.value.code, refused.value.field) == (Code.BAD_STATE, "settlement")


def test_not_while_it_is_unknown_what_became_of_a_payment() -> None:
    legs = [stand(FEE, LegStatus.FAILED), stand(DCA, LegStatus.FAILED)]
    with pytest.raises(Refusal, match="P3: wait") as refused:
        check_retry(ERRORED, legs, [3])
    assert (refused.value.code, refused.value.field) == (Code.UNRESOLVED_PAYMENT, "settlement")
    assert check_retry(ERRORED, legs, [2]) == tuple(legs)


@given(st.lists(st.sampled_from(LegStatus), min_size=3, max_size=3))
def test_standing_and_planned_legs_are_all_that_is_owed(states: list[LegStatus]) -> None:
    legs = [stand(made, status) for made, status in zip((FEE, SPLIT, DCA), states, strict=True)]
    done = retried(legs)
    standing_sats = sum(made.amount_sats for made in legs if made.status not in (LegStatus.FAILED, LegStatus.VOIDED))
    assert standing_sats + sum(one.amount_sats for one in done.planned) == ERRORED.owed_sats
