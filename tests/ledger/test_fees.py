"""Fees are fractions of the principal, and their cap is exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Code, Refusal
from ledger.fees import FeeRates, TxType, check_cap, fees_of
from ledger.money import MAX_SATS
from tests.ledger.build import ppm

CAP = 150_000


def both(percent: str) -> FeeRates:
    return FeeRates(ppm(percent), ppm(percent))


def test_3_and_5_percent_of_a_principal_of_100_000_sats() -> None:
    fees = fees_of(100_000, 8_000, TxType.CASH_OUT, both("3"), both("5"))
    assert (fees.platform_fee_sats, fees.operator_fee_sats, fees.fee_mismatch_sats) == (3_000, 5_000, 0)
    assert not fees.mismatch_out_of_tolerance


def test_the_platform_gets_3_000_sats_and_not_240() -> None:
    """Once the rate was taken of the reported *fee*: 3 % of 8,000 paid the platform 240 sats instead of 3,000."""
    assert fees_of(100_000, 8_000, TxType.CASH_OUT, both("3"), both("5")).platform_fee_sats == 3_000


def test_each_direction_has_its_own_rates() -> None:
    platform, operator = FeeRates(10_000, 20_000), FeeRates(30_000, 40_000)
    cash_in = fees_of(1_000, 40, TxType.CASH_IN, platform, operator)
    cash_out = fees_of(1_000, 60, TxType.CASH_OUT, platform, operator)
    assert (cash_in.platform_fee_sats, cash_in.operator_fee_sats, cash_in.fee_mismatch_sats) == (10, 30, 0)
    assert (cash_out.platform_fee_sats, cash_out.operator_fee_sats, cash_out.fee_mismatch_sats) == (20, 40, 0)


@pytest.mark.parametrize(
    ("principal", "off", "warned"),
    [
        (100_000, 100, False), (100_000, 101, True), (100_000, -100, False), (100_000, -101, True),
        (999, 1, False), (999, 2, True), (2_999, 2, False), (2_999, 3, True), (500, -1, False), (500, -2, True),
    ],
)  # fmt: skip
def test_a_mismatch_warns_beyond_a_thousandth_or_one_sat(principal: int, off: int, warned: bool) -> None:
    fees = fees_of(principal, off, TxType.CASH_OUT, FeeRates(0, 0), FeeRates(0, 0))
    assert fees.fee_mismatch_sats == off
    assert fees.mismatch_out_of_tolerance is warned


@given(
    st.integers(1, MAX_SATS),
    st.integers(0, MAX_SATS),
    st.sampled_from(TxType),
    st.integers(0, CAP),
    st.integers(0, CAP),
)
def test_fees_and_mismatch_are_always_the_reported_fee(
    principal: int, fee: int, tx_type: TxType, x: int, y: int
) -> None:
    fees = fees_of(principal, fee, tx_type, FeeRates(x, x), FeeRates(y, y))
    assert fees.platform_fee_sats + fees.operator_fee_sats + fees.fee_mismatch_sats == fee
    assert 0 <= fees.platform_fee_sats <= principal
    assert abs(fees.platform_fee_sats * 1_000_000 - principal * x) <= 500_000


def test_10_and_5_percent_are_allowed() -> None:
    check_cap(both("10"), [("sintra", both("5"))], CAP)


def test_one_millionth_more_is_refused_and_the_machine_named() -> None:
    with pytest.raises(Refusal) as refused:
        check_cap(both("10"), [("sintra", both("5")), ("porto", FeeRates(ppm("5"), ppm("5") + 1))], CAP)
    assert refused.value.code is Code.CAP_EXCEEDED
    assert refused.value.field == "cash_out_fee"
    assert refused.value.extra == {"machines": ["porto"]}
    assert "porto (cash_out 0.150001)" in refused.value.message
    assert "at most 0.15" in refused.value.message
    assert "sintra" not in refused.value.message


def test_every_machine_that_breaks_the_cap_is_named_once() -> None:
    with pytest.raises(Refusal) as refused:
        check_cap(both("10"), [("the cash_out one", both("6")), ("b", FeeRates(60_000, 0))], CAP)
    assert refused.value.field == "cash_in_fee"
    assert refused.value.extra == {"machines": ["b", "the cash_out one"]}


def test_no_machine_breaks_no_cap() -> None:
    check_cap(both("100"), [], CAP)
