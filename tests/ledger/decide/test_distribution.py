"""A plan accounts for every sat, in the order platform, operator, LPs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.distribution import plan, split_payee
from ledger.fees import TxType
from ledger.model import EnrolmentStatus, LpMode, LpStanding, PlannedLeg, Settlement, SplitRule
from ledger.money import PPM
from ledger.states import LegStatus, LegType
from tests.ledger.build import cash_in, platform, rule, settlement, standing


def planned(
    made: Settlement, lps: list[LpStanding], split: SplitRule | None = None, target: str | None = "super@example.com"
) -> tuple[PlannedLeg, ...]:
    return plan(
        made,
        platform(target=target),
        split or rule(600_000, 400_000),
        lps,
        super_fee_sats=made.platform_fee_sats,
        operator_fee_sats=made.operator_fee_sats,
        principal_sats=made.principal_sats,
    )


def test_a_cash_out_pays_platform_partners_and_lps() -> None:
    legs = planned(settlement(), [standing(1, 300_000), standing(2, 100_000)])
    assert legs == (
        PlannedLeg(LegType.SUPER_FEE, LegStatus.PENDING, 3_000, "platform", "super@example.com", "platform"),
        PlannedLeg(
            LegType.OPERATOR_SPLIT, LegStatus.PENDING, 3_000, split_payee("p1@example.com"), "p1@example.com", "P1"
        ),
        PlannedLeg(
            LegType.OPERATOR_SPLIT, LegStatus.PENDING, 2_000, split_payee("p2@example.com"), "p2@example.com", "P2"
        ),
        PlannedLeg(LegType.DCA, LegStatus.PENDING, 75_000, "lp:1", "lp1@example.com", "lp1", 1, 150_000),
        PlannedLeg(LegType.DCA, LegStatus.PENDING, 25_000, "lp:2", "lp2@example.com", "lp2", 2, 50_000),
    )


def test_a_cash_in_owes_the_fees_alone() -> None:
    legs = planned(cash_in(), [standing(1, 300_000)])
    assert [leg.type for leg in legs] == [LegType.SUPER_FEE, LegType.OPERATOR_SPLIT, LegType.OPERATOR_SPLIT]
    assert sum(leg.amount_sats for leg in legs) == 8_000


@pytest.mark.parametrize("target", [None, ""])
def test_a_platform_without_a_target_is_skipped_with_its_amount(target: str | None) -> None:
    first = planned(settlement(), [], target=target)[0]
    assert (first.type, first.status, first.amount_sats) == (LegType.SUPER_FEE, LegStatus.SKIPPED, 3_000)
    assert (first.payee, first.target, first.reason) == ("none", None, "the platform has no target")
    assert first.label == "platform"


def test_no_split_rule_skips_the_operator_fee() -> None:
    made = settlement()
    legs = plan(made, platform(), None, [], super_fee_sats=0, operator_fee_sats=5_000, principal_sats=0)
    assert legs == (
        PlannedLeg(
            LegType.OPERATOR_SPLIT, LegStatus.SKIPPED, 5_000, "none", None, "operator", reason="no split rule is set"
        ),
    )


def test_sums_of_nothing_make_no_legs() -> None:
    assert plan(settlement(), platform(), None, [], super_fee_sats=0, operator_fee_sats=0, principal_sats=0) == ()


def test_one_sat_finds_its_lp() -> None:
    legs = plan(
        settlement(), platform(), None, [standing(1, 300)], super_fee_sats=0, operator_fee_sats=0, principal_sats=1
    )
    assert [(leg.status, leg.amount_sats, leg.lp_id) for leg in legs] == [(LegStatus.PENDING, 1, 1)]


def test_a_share_of_no_sats_makes_no_leg() -> None:
    made = settlement()
    legs = plan(made, platform(), rule(999_999, 1), [], super_fee_sats=0, operator_fee_sats=10, principal_sats=0)
    assert [(leg.amount_sats, leg.label) for leg in legs] == [(10, "P1")]


@pytest.mark.parametrize(
    "left_out",
    [
        standing(1, 300_000, status=EnrolmentStatus.PAUSED),
        standing(1, 300_000, mode=LpMode.FIXED),
        standing(1, 300_000, target=None),
        standing(1, 0),
        standing(1, -1),
    ],
)
def test_only_active_onboarded_flow_lps_with_a_balance_get_a_share(left_out: LpStanding) -> None:
    alone = planned(settlement(), [left_out])[-1]
    assert (alone.type, alone.status, alone.amount_sats) == (LegType.DCA, LegStatus.SKIPPED, 100_000)
    assert (alone.lp_id, alone.fiat_minor, alone.reason) == (None, 0, "no LP with a balance is there")
    beside = planned(settlement(), [left_out, standing(2, 200_000)])
    assert [(leg.lp_id, leg.amount_sats) for leg in beside if leg.type is LegType.DCA] == [(2, 100_000)]


def test_what_no_balance_can_take_is_recorded() -> None:
    last, rest = planned(settlement(), [standing(1, 50_000)])[-2:]
    assert (last.lp_id, last.amount_sats, last.fiat_minor) == (1, 25_000, 50_000)
    assert (rest.status, rest.amount_sats, rest.label) == (LegStatus.SKIPPED, 75_000, "principal")
    assert rest.reason == "the LPs' balances are used up"


def test_a_payee_is_known_by_its_target_which_stays_secret() -> None:
    secret = "nostr+walletconnect://x?secret=" + "ab" * 32
    assert split_payee("a@example.com") == split_payee("a@example.com") != split_payee("b@example.com")
    assert split_payee("a@example.com") == "split:08168cd80dfd534a"
    assert split_payee(secret).startswith("split:")
    assert "ab" * 4 not in split_payee(secret)
    shown = repr(
        (platform(target=secret), standing(1, 1, target=secret), rule(PPM), planned(settlement(), [], target=secret))
    )
    assert "secret=" not in shown
    assert "p1@example.com" not in shown


@given(
    st.sampled_from(TxType),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**11),
    st.lists(st.integers(1, PPM), max_size=6),
    st.lists(
        st.tuples(st.integers(-5, 10**9), st.sampled_from(LpMode), st.sampled_from(EnrolmentStatus), st.booleans()),
        max_size=6,
    ),
    st.booleans(),
    st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 10**6), st.integers(0, 6)),
)
def test_every_sat_is_in_exactly_one_leg(
    tx_type: TxType,
    super_fee: int,
    operator_fee: int,
    principal: int,
    fractions: list[int],
    lps: list[tuple[int, LpMode, EnrolmentStatus, bool]],
    has_target: bool,
    rate: Decimal,
) -> None:
    legs = plan(
        settlement(tx_type=tx_type, exchange_rate=rate),
        platform(target="x" if has_target else None),
        rule(*fractions) if fractions else None,
        [
            standing(n, available, mode=mode, status=status, target="t" if onboarded else None)
            for n, (available, mode, status, onboarded) in enumerate(lps, 1)
        ],
        super_fee_sats=super_fee,
        operator_fee_sats=operator_fee,
        principal_sats=principal,
    )
    sums = dict.fromkeys(LegType, 0)
    for leg in legs:
        assert leg.amount_sats > 0
        assert leg.status in (LegStatus.PENDING, LegStatus.SKIPPED)
        assert (leg.status is LegStatus.SKIPPED) == (leg.reason is not None) == (leg.target is None)
        sums[leg.type] += leg.amount_sats
        if leg.lp_id is not None:
            available, mode, status, onboarded = lps[leg.lp_id - 1]
            assert (mode, status, onboarded) == (LpMode.FLOW, EnrolmentStatus.ACTIVE, True)
            assert 0 <= leg.fiat_minor <= available
    assert sums[LegType.SUPER_FEE] == super_fee
    assert sums[LegType.OPERATOR_SPLIT] == operator_fee
    assert sums[LegType.DCA] == (principal if tx_type is TxType.CASH_OUT else 0)
