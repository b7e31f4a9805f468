"""What is entered by hand must add up like what a machine reports; the field that is wrong is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.decide.entry import enter
from ledger.decide.landing import Landed, Landing, LandingPolicy
from ledger.errors import Code, Refusal
from ledger.fees import FeeRates, TxType
from ledger.model import Settlement
from ledger.money import MAX_FIAT_MINOR, MAX_SATS
from ledger.states import SettlementStatus
from tests.ledger.build import machine, platform, report, settlement

POLICY = LandingPolicy(rate_tolerance=Decimal("0.02"), reject_fee_mismatch=False)


def entered(
    *,
    active: bool = True,
    known: Settlement | None = None,
    own_leg: int | None = None,
    policy: LandingPolicy = POLICY,
    **changes: Any,
) -> Landing:
    return enter(report(**changes), machine(active=active), platform(), policy, known=known, own_leg=own_leg)


@pytest.mark.parametrize("active", [True, False])
def test_a_good_one_lands_with_its_fees_whether_the_machine_is_active_or_not(active: bool) -> None:
    landing = entered(active=active)
    assert (landing.outcome, landing.status, landing.reason) == (Landed.NEW, SettlementStatus.UNVERIFIED, None)
    assert (landing.fees.platform_fee_sats, landing.fees.operator_fee_sats) == (3_000, 5_000)


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"currency": "EUR"}, "currency", "the machine's currency is GTQ"),
        ({"wire_sats": 0}, "wire_sats", "must be positive"),
        ({"principal_sats": -1}, "principal_sats", "must be positive"),
        ({"fee_sats": -1}, "fee_sats", "the fee not negative"),
        ({"fiat_minor": 0}, "fiat_amount", "must be positive"),
        ({"exchange_rate": Decimal(0)}, "exchange_rate", "must be positive"),
        ({"wire_sats": MAX_SATS + 1}, "wire_sats", "more sats than there are"),
        ({"principal_sats": MAX_SATS + 1}, "principal_sats", "more sats than there are"),
        ({"fee_sats": MAX_SATS + 1}, "fee_sats", "more sats than there are"),
        ({"fiat_minor": MAX_FIAT_MINOR + 1}, "fiat_amount", "more fiat"),
        ({"wire_sats": 92_000}, "wire_sats", "wire is not principal plus fee"),
        ({"tx_type": TxType.CASH_IN}, "wire_sats", "wire is not principal less fee"),
        ({"fee_sats": 50_001, "wire_sats": 150_001}, "fee_sats", "more than half of the principal"),
        ({"fiat_minor": 100_000}, "fiat_amount", "too far from the principal"),
    ],
)
def test_what_does_not_add_up_is_refused_with_its_field(changes: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        entered(**changes)
    assert (refused.value.code, refused.value.field) == (Code.BAD_REQUEST, field)
    assert says in refused.value.message


def test_a_mismatch_is_refused_where_the_policy_says_so() -> None:
    off: dict[str, Any] = {"fee_sats": 8_101, "wire_sats": 108_101}
    assert entered(**off).fees.mismatch_out_of_tolerance
    with pytest.raises(Refusal, match=r"differs by \+101 sats") as refused:
        entered(**off, policy=LandingPolicy(Decimal("0.02"), reject_fee_mismatch=True))
    assert (refused.value.code, refused.value.field) == (Code.BAD_REQUEST, "fee_sats")


@pytest.mark.parametrize(
    ("known", "own_leg", "says"),
    [
        (
            SettlementStatus.REJECTED,
            None,
            (
                "this payment is settlement S12 already, which was rejected: show S12 says why. "
                "Without payment_hash it is entered on your word"
            ),
        ),
        (SettlementStatus.PROCESSED, None, "this payment is settlement S12 already, processed: settlement show S12"),
        (SettlementStatus.PROCESSED, 40, "this payment is settlement S12 already, processed: settlement show S12"),
        (None, 40, "this payment is our own, P40: no customer made it"),
    ],
)
def test_a_payment_that_is_known_is_named(known: SettlementStatus | None, own_leg: int | None, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        entered(known=settlement(status=known) if known else None, own_leg=own_leg, wire_sats=-5)
    assert (refused.value.code, refused.value.field) == (Code.CONFLICT, "payment_hash")
    assert refused.value.message == says


def test_the_fees_are_those_of_its_direction() -> None:
    landing = enter(
        report(tx_type=TxType.CASH_IN, wire_sats=92_000),
        machine(operator_fees=FeeRates(cash_in_ppm=10_000, cash_out_ppm=50_000)),
        platform(),
        POLICY,
        known=None,
        own_leg=None,
    )
    assert landing.fees.operator_fee_sats == 1_000
