"""What the nouns derive from their own fields."""

from __future__ import annotations

from dataclasses import replace

from ledger.states import LegStatus, LegType
from tests.ledger.build import LANDED, cash_in, leg, report, scaled, settlement, standing


def test_a_settlement_owes_both_fees_and_for_cash_out_the_principal() -> None:
    fees = {LegType.SUPER_FEE: 3_000, LegType.OPERATOR_SPLIT: 5_000}
    assert settlement().owed == {**fees, LegType.DCA: 100_000}
    assert cash_in().owed == {**fees, LegType.DCA: 0}


def test_what_a_scaled_settlement_landed_with_stays_known() -> None:
    made = settlement()
    assert made.as_landed == made.amounts == LANDED
    assert (made.wire_moved_sats, made.undispensed_sats) == (108_000, 0)
    half = scaled()
    assert half.as_landed == LANDED
    assert (half.wire_moved_sats, half.undispensed_sats) == (108_000, 54_000)


def test_a_report_is_compared_with_what_landed() -> None:
    """The machine knows nothing of what the operator did since: its report, sent again, is no conflict."""
    assert report().same_amounts(scaled())
    assert not report(
        wire_sats=54_000, principal_sats=50_000, fee_sats=4_000, fiat_minor=100_000
    ).same_amounts(scaled())  # fmt: skip


def test_the_mismatch_is_what_the_fee_is_off() -> None:
    assert LANDED.fee_mismatch_sats == 0
    assert replace(LANDED, fee_sats=7_900).fee_mismatch_sats == -100


def test_a_leg_is_due_less_what_a_credit_covers() -> None:
    assert leg().due_msat == 3_000_000
    assert leg(credit_sats=1).due_msat == 2_999_000
    assert leg(credit_sats=3_000, status=LegStatus.COMPLETED).due_msat == 0


def test_an_lp_with_nothing_left_is_not_eligible() -> None:
    assert standing(1, 1).eligible
    assert not standing(1, 0).eligible
    assert not standing(1, -1).eligible
