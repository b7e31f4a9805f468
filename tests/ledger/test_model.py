"""What the nouns derive from their own fields."""

from __future__ import annotations

from ledger.states import LegStatus
from tests.ledger.build import cash_in, leg, settlement, standing


def test_a_settlement_owes_both_fees_and_for_cash_out_the_principal() -> None:
    assert settlement().owed_sats == 108_000
    assert cash_in().owed_sats == 8_000


def test_a_leg_is_due_less_what_a_credit_covers() -> None:
    assert leg().due_msat == 3_000_000
    assert leg(credit_sats=1).due_msat == 2_999_000
    assert leg(credit_sats=3_000, status=LegStatus.COMPLETED).due_msat == 0


def test_an_lp_with_nothing_left_is_not_eligible() -> None:
    assert standing(1, 1).eligible
    assert not standing(1, 0).eligible
    assert not standing(1, -1).eligible
