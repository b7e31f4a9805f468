"""What lands is this machine's, new, and adds up: or it is rejected and says why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.landing import NO_FEES, Landed, LandingPolicy, land
from ledger.errors import Code
from ledger.fees import FeeRates, TxType
from ledger.model import SettlementReport
from ledger.money import MAX_FIAT_MINOR, MAX_SATS
from ledger.states import SettlementStatus
from tests.ledger.build import machine, platform, report, settlement

POLICY = LandingPolicy(rate_tolerance=Decimal("0.02"), reject_fee_mismatch=False)


def test_a_good_report_is_unverified_with_its_fees() -> None:
    landing = land(report(), machine(), platform(), None, POLICY)
    assert (landing.outcome, landing.status) == (Landed.NEW, SettlementStatus.UNVERIFIED)
    assert (landing.reason, landing.detail) == (None, None)
    assert (landing.fees.platform_fee_sats, landing.fees.operator_fee_sats) == (3_000, 5_000)
    assert landing.fees.fee_mismatch_sats == 0


def test_a_cash_in_pays_out_what_is_left() -> None:
    landing = land(report(tx_type=TxType.CASH_IN, wire_sats=92_000), machine(), platform(), None, POLICY)
    assert landing.status is SettlementStatus.UNVERIFIED
    assert landing.fees.fee_mismatch_sats == 0


def test_a_machine_may_take_no_fee() -> None:
    landing = land(report(fee_sats=0, wire_sats=100_000), machine(), platform(), None, POLICY)
    assert landing.status is SettlementStatus.UNVERIFIED
    assert landing.fees.fee_mismatch_sats == -8_000


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"currency": "EUR"}, Code.CURRENCY_MISMATCH, "EUR reported, the machine's currency is GTQ"),
        ({"wire_sats": 0}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"wire_sats": -108_000}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"principal_sats": 0, "wire_sats": 8_000}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"fiat_minor": 0}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"fee_sats": -1, "wire_sats": 99_999}, Code.BAD_ARITHMETIC, "the fee not negative"),
        ({"exchange_rate": Decimal(0)}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"exchange_rate": Decimal(-50)}, Code.BAD_ARITHMETIC, "must be positive"),
        ({"wire_sats": 2**63 - 1}, Code.BAD_ARITHMETIC, "more sats than there are"),
        ({"principal_sats": MAX_SATS + 1}, Code.BAD_ARITHMETIC, "more sats than there are"),
        ({"fee_sats": MAX_SATS + 1}, Code.BAD_ARITHMETIC, "more sats than there are"),
        ({"fiat_minor": MAX_FIAT_MINOR + 1}, Code.BAD_ARITHMETIC, "more fiat"),
        ({"wire_sats": 108_001}, Code.BAD_ARITHMETIC, "wire is not principal plus fee for cash_out"),
        ({"wire_sats": 92_000}, Code.BAD_ARITHMETIC, "wire is not principal plus fee for cash_out"),
        ({"tx_type": TxType.CASH_IN}, Code.BAD_ARITHMETIC, "wire is not principal less fee for cash_in"),
        ({"fiat_minor": 100_000}, Code.BAD_ARITHMETIC, "too far from the principal"),
        ({"exchange_rate": Decimal(100)}, Code.BAD_ARITHMETIC, "too far from the principal"),
    ],
)
def test_what_does_not_add_up_is_rejected(changes: dict[str, Any], code: Code, says: str) -> None:
    landing = land(report(**changes), machine(), platform(), None, POLICY)
    assert (landing.outcome, landing.status, landing.reason) == (Landed.NEW, SettlementStatus.REJECTED, code)
    assert says in (landing.detail or "")
    assert landing.fees == NO_FEES


@pytest.mark.parametrize(("fee_sats", "good"), [(50_000, True), (50_001, False)])
def test_a_fee_of_more_than_half_the_principal_is_rejected(fee_sats: int, good: bool) -> None:
    """A cash-in of 1 sat with a principal of 100,000,000 would have paid out 8,000,000 sats of fees on it."""
    cash_in = report(tx_type=TxType.CASH_IN, fee_sats=fee_sats, wire_sats=100_000 - fee_sats)
    landing = land(cash_in, machine(), platform(), None, POLICY)
    assert (landing.status is SettlementStatus.UNVERIFIED) is good
    assert good or landing.reason is Code.BAD_ARITHMETIC


def test_the_fees_are_those_of_its_direction_and_nothing_is_owed_on_what_is_rejected() -> None:
    two_ways = machine(operator_fees=FeeRates(cash_in_ppm=10_000, cash_out_ppm=50_000))
    cash_in = report(tx_type=TxType.CASH_IN, wire_sats=92_000)
    assert land(cash_in, two_ways, platform(), None, POLICY).fees.operator_fee_sats == 1_000
    assert land(report(), two_ways, platform(), None, POLICY).fees.operator_fee_sats == 5_000
    assert land(report(wire_sats=1), two_ways, platform("100"), None, POLICY).fees == NO_FEES


@pytest.mark.parametrize(
    "changes",
    [
        {"wire_sats": 1, "principal_sats": 1, "fee_sats": 0, "fiat_minor": 1, "exchange_rate": Decimal(100)},
        {"wire_sats": 1_000, "principal_sats": 1_000, "fee_sats": 0, "exchange_rate": Decimal("0.5")},
        {
            "wire_sats": MAX_SATS, "principal_sats": MAX_SATS, "fee_sats": 0, "fiat_minor": MAX_FIAT_MINOR,
            "exchange_rate": Decimal(MAX_SATS) * 100 / MAX_FIAT_MINOR,
        },
    ],
)  # fmt: skip
def test_the_least_and_the_most_that_land(changes: dict[str, Any]) -> None:
    assert land(report(**changes), machine(), platform(), None, POLICY).status is SettlementStatus.UNVERIFIED


def test_a_deactivated_machine_is_rejected() -> None:
    landing = land(report(), machine(active=False), platform(), None, POLICY)
    assert (landing.status, landing.reason) == (SettlementStatus.REJECTED, Code.UNKNOWN_MACHINE)
    assert "sintra is deactivated" in (landing.detail or "")


@pytest.mark.parametrize(
    ("fiat_minor", "tolerance", "good"),
    [
        (204_000, "0.02", True), (204_001, "0.02", False), (196_000, "0.02", True), (195_999, "0.02", False),
        (200_002, "0", True), (200_003, "0", False), (199_998, "0", True), (199_997, "0", False),
    ],
)  # fmt: skip
def test_fiat_times_rate_may_be_off_by_the_tolerance_or_one_sat(fiat_minor: int, tolerance: str, good: bool) -> None:
    policy = replace(POLICY, rate_tolerance=Decimal(tolerance))
    landing = land(report(fiat_minor=fiat_minor), machine(), platform(), None, policy)
    assert (landing.status is SettlementStatus.UNVERIFIED) is good


@pytest.mark.parametrize(("off", "status"), [(100, "unverified"), (101, "rejected"), (-101, "rejected")])
def test_a_mismatch_is_rejected_where_the_policy_says_so(off: int, status: str) -> None:
    off_report = report(fee_sats=8_000 + off, wire_sats=108_000 + off)
    landing = land(off_report, machine(), platform(), None, replace(POLICY, reject_fee_mismatch=True))
    assert landing.status.value == status
    assert landing.fees.fee_mismatch_sats == off
    if status == "rejected":
        assert landing.outcome is Landed.NEW
        assert landing.reason is Code.FEE_MISMATCH
        assert f"{off:+,} sats" in (landing.detail or "")
    recorded = land(off_report, machine(), platform(), None, POLICY)
    assert recorded.status is SettlementStatus.UNVERIFIED
    assert recorded.fees == landing.fees


def test_the_same_report_again_is_a_duplicate_whatever_the_machine_is_now() -> None:
    stored = settlement(status=SettlementStatus.PROCESSED)
    again = report(reported_at=1, txid="other", exchange_rate=Decimal("50.0"))
    landing = land(again, machine(active=False), platform("9"), stored, POLICY)
    assert (landing.outcome, landing.status, landing.reason) == (Landed.DUPLICATE, SettlementStatus.PROCESSED, None)
    assert (landing.detail, landing.fees) == (None, NO_FEES)


@pytest.mark.parametrize(
    "changes",
    [
        {"tx_type": TxType.CASH_IN},
        {"wire_sats": 1},
        {"principal_sats": 1},
        {"fee_sats": 1},
        {"fiat_minor": 1},
        {"currency": "EUR"},
        {"exchange_rate": Decimal("50.01")},
    ],
)
def test_the_same_hash_with_anything_else_is_a_conflict(changes: dict[str, Any]) -> None:
    landing = land(report(**changes), machine(), platform(), settlement(), POLICY)
    assert (landing.outcome, landing.reason) == (Landed.CONFLICT, Code.AMOUNT_CONFLICT)
    assert (landing.status, landing.fees) == (SettlementStatus.PROCESSING, NO_FEES)
    assert report().payment_hash[-8:] in (landing.detail or "")


@given(
    st.builds(
        SettlementReport,
        payment_hash=st.just("cd" * 32),
        tx_type=st.sampled_from(TxType),
        wire_sats=st.integers(-(2**63), 2**63 - 1),
        principal_sats=st.integers(-(2**63), 2**63 - 1),
        fee_sats=st.integers(-(2**63), 2**63 - 1),
        fiat_minor=st.integers(-(2**63), 2**63 - 1),
        currency=st.just("GTQ"),
        exchange_rate=st.decimals(-(10**12), 10**12, allow_nan=False, places=8),
        reported_at=st.just(0),
    )
)
def test_any_numbers_land_and_only_those_that_add_up_are_owed(wild: SettlementReport) -> None:
    landing = land(wild, machine(), platform(), None, POLICY)
    assert landing.outcome is Landed.NEW
    if landing.status is SettlementStatus.UNVERIFIED:
        sign = 1 if wild.tx_type is TxType.CASH_OUT else -1
        assert wild.wire_sats == wild.principal_sats + sign * wild.fee_sats
        assert min(wild.wire_sats, wild.principal_sats, wild.fiat_minor) > 0
    else:
        assert landing.reason is Code.BAD_ARITHMETIC
