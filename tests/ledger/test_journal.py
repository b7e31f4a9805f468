"""Every event of the business is booked to zero, and the chain shows what was touched."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import journal as books
from ledger.fees import FeeRates, TxType, fees_of
from ledger.journal import GENESIS, Entry, Posting, chain_hash
from ledger.model import PlannedLeg
from ledger.states import LegStatus, LegType
from tests.ledger.build import LANDED, cash_in, leg, scaled, settlement


def rows(entry: Entry) -> dict[tuple[str, str], int]:
    totals: Counter[tuple[str, str]] = Counter()
    for posting in entry.postings:
        assert posting.amount
        totals[posting.account, posting.commodity] += posting.amount
    return dict(totals)


def test_a_cash_out_that_is_accepted() -> None:
    entry = books.settlement_accepted(settlement(wire_sats=108_010, fee_sats=8_010, fee_mismatch_sats=10))
    assert (entry.kind, entry.ref) == ("settlement.accepted", "S12")
    assert rows(entry) == {
        ("assets:wallet:main", "msat"): 108_010_000,
        ("liabilities:due:principal:m1", "msat"): -100_000_000,
        ("liabilities:due:platform:m1", "msat"): -3_000_000,
        ("liabilities:due:operator:m1", "msat"): -5_000_000,
        ("income:mismatch:m1", "msat"): -10_000,
        ("assets:cash:m1", "GTQ"): -200_000,
        ("equity:exchange:m1", "GTQ"): 200_000,
    }


def test_a_cash_in_that_is_accepted() -> None:
    entry = books.settlement_accepted(cash_in(wire_sats=92_010, fee_sats=7_990, fee_mismatch_sats=-10))
    assert rows(entry) == {
        ("assets:wallet:main", "msat"): -92_010_000,
        ("equity:exchange:m1", "msat"): 100_000_000,
        ("liabilities:due:platform:m1", "msat"): -3_000_000,
        ("liabilities:due:operator:m1", "msat"): -5_000_000,
        ("income:mismatch:m1", "msat"): 10_000,
        ("assets:cash:m1", "GTQ"): 200_000,
        ("equity:exchange:m1", "GTQ"): -200_000,
    }


@given(
    st.sampled_from(TxType),
    st.integers(1, 10**12),
    st.integers(0, 10**11),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_every_accepted_settlement_balances(tx_type: TxType, principal: int, fee: int, x: int, y: int) -> None:
    fees = fees_of(principal, fee, tx_type, FeeRates(x, x), FeeRates(y, y))
    books.settlement_accepted(
        settlement(
            tx_type=tx_type,
            wire_sats=principal + fee if tx_type is TxType.CASH_OUT else principal - fee,
            principal_sats=principal,
            fee_sats=fee,
            platform_fee_sats=fees.platform_fee_sats,
            operator_fee_sats=fees.operator_fee_sats,
            fee_mismatch_sats=fees.fee_mismatch_sats,
        )
    )


def test_a_cash_out_that_is_scaled() -> None:
    """Half of the cash stayed in the machine: half of the wire is the customer's, and as much less is due to others."""
    half = replace(LANDED, wire_sats=54_010, principal_sats=50_000, fee_sats=4_010, platform_fee_sats=1_500,
                   operator_fee_sats=2_500, fiat_minor=100_000)  # fmt: skip
    entry = books.settlement_scaled(settlement(), half)
    assert (entry.kind, entry.ref) == ("settlement.scaled", "S12")
    assert rows(entry) == {
        ("liabilities:due:principal:m1", "msat"): 50_000_000,
        ("liabilities:due:platform:m1", "msat"): 1_500_000,
        ("liabilities:due:operator:m1", "msat"): 2_500_000,
        ("income:mismatch:m1", "msat"): -10_000,
        ("liabilities:undispensed:m1", "msat"): -53_990_000,
        ("assets:cash:m1", "GTQ"): 100_000,
        ("equity:exchange:m1", "GTQ"): -100_000,
    }
    back = rows(books.settlement_scaled(scaled(), LANDED))
    there = rows(books.settlement_scaled(settlement(), scaled().amounts))
    assert back == {key: -amount for key, amount in there.items()}
    assert books.settlement_scaled(settlement(), LANDED).postings == ()


def test_what_is_not_due_any_more_is_kept_for_the_refund() -> None:
    due = {LegType.SUPER_FEE: 0, LegType.OPERATOR_SPLIT: 2_500, LegType.DCA: 50_000}
    entry = books.settlement_refunded(scaled(), due)
    assert (entry.kind, entry.ref) == ("settlement.refunded", "S12")
    assert rows(entry) == {
        ("liabilities:due:operator:m1", "msat"): 2_500_000,
        ("liabilities:due:principal:m1", "msat"): 50_000_000,
        ("liabilities:undispensed:m1", "msat"): 54_000_000,
        ("equity:kept:m1", "msat"): -106_500_000,
    }


def test_legs_move_what_is_due_to_those_who_get_it() -> None:
    planned = [
        PlannedLeg(LegType.SUPER_FEE, LegStatus.SKIPPED, 3_000, "none", None, "platform", reason="no target"),
        PlannedLeg(LegType.OPERATOR_SPLIT, LegStatus.PENDING, 5_000, "split:aa", "a@example.com", "A"),
        PlannedLeg(LegType.DCA, LegStatus.PENDING, 100_000, "lp:7", "b@example.com", "B", lp_id=7, fiat_minor=200_000),
        PlannedLeg(LegType.REFUND, LegStatus.PENDING, 40, "customer:12", "c@example.com", "customer"),
    ]
    entry = books.legs_planned("S12", 1, planned)
    assert (entry.kind, entry.ref) == ("legs.planned", "S12")
    assert rows(entry) == {
        ("liabilities:due:platform:m1", "msat"): 3_000_000,
        ("liabilities:due:operator:m1", "msat"): 5_000_000,
        ("liabilities:due:principal:m1", "msat"): 100_000_000,
        ("equity:kept:m1", "msat"): -3_000_000 + 40_000,
        ("liabilities:payable:split:aa", "msat"): -5_000_000,
        ("liabilities:payable:lp:7", "msat"): -100_000_000,
        ("liabilities:payable:customer:12", "msat"): -40_000,
    }
    assert books.legs_planned("S12", 1, []).postings == ()


def test_a_completed_leg_comes_out_of_the_wallet_less_the_credit() -> None:
    entry = books.leg_completed(leg(credit_sats=1_000, status=LegStatus.COMPLETED), 700)
    assert (entry.kind, entry.ref) == ("leg.completed", "P40")
    assert rows(entry) == {
        ("liabilities:payable:platform", "msat"): 3_000_000,
        ("assets:receivable:platform", "msat"): -1_000_000,
        ("assets:wallet:main", "msat"): -2_000_700,
        ("expenses:routing:main", "msat"): 700,
    }


def test_a_completed_dca_leg_lowers_what_the_lp_has_in_fiat() -> None:
    entry = books.leg_completed(leg(type=LegType.DCA, lp_id=7, payee="lp:7", fiat_minor=6_000), 0)
    assert rows(entry) == {
        ("liabilities:payable:lp:7", "msat"): 3_000_000,
        ("assets:wallet:main", "msat"): -3_000_000,
        ("liabilities:lp:l7:m1", "GTQ"): 6_000,
        ("equity:exchange:m1", "GTQ"): -6_000,
    }


def test_a_leg_that_is_skipped_or_voided_owes_nobody() -> None:
    assert rows(books.leg_skipped(leg())) == {
        ("liabilities:payable:platform", "msat"): 3_000_000,
        ("equity:kept:m1", "msat"): -3_000_000,
    }
    assert rows(books.leg_voided(leg())) == {
        ("liabilities:payable:platform", "msat"): 3_000_000,
        ("liabilities:due:platform:m1", "msat"): -3_000_000,
    }
    assert (books.leg_skipped(leg()).kind, books.leg_skipped(leg()).ref) == ("leg.skipped", "P40")
    assert (books.leg_voided(leg()).kind, books.leg_voided(leg()).ref) == ("leg.voided", "P40")


def test_a_second_payment_is_owed_to_us() -> None:
    entry = books.surplus_paid(leg(), 2_500_000, 300)
    assert (entry.kind, entry.ref) == ("leg.surplus", "P40")
    assert rows(entry) == {
        ("assets:receivable:platform", "msat"): 2_500_000,
        ("assets:wallet:main", "msat"): -2_500_300,
        ("expenses:routing:main", "msat"): 300,
    }


def test_a_confirmed_deposit_is_cash_that_the_lp_owns() -> None:
    entry = books.deposit_confirmed(7, 1, 3, 200_000, "GTQ")
    assert (entry.kind, entry.ref) == ("deposit.confirmed", "D7")
    assert rows(entry) == {("assets:cash:m1", "GTQ"): 200_000, ("liabilities:lp:l3:m1", "GTQ"): -200_000}


@pytest.mark.parametrize("leg_type", LegType)
def test_what_is_voided_comes_back_to_where_it_was_due(leg_type: LegType) -> None:
    planned = PlannedLeg(leg_type, LegStatus.PENDING, 3_000, "platform", None, "x")
    there = rows(books.legs_planned("S12", 1, [planned]))
    back = rows(books.leg_voided(leg(type=leg_type)))
    assert {key: there[key] + back[key] for key in there} == dict.fromkeys(there, 0)


@pytest.mark.parametrize("leg_type", [LegType.SUPER_FEE, LegType.OPERATOR_SPLIT, LegType.DCA])
def test_a_skipped_leg_that_is_voided_gives_back_what_it_kept(leg_type: LegType) -> None:
    skipped = PlannedLeg(leg_type, LegStatus.SKIPPED, 3_000, "none", None, "x", reason="no target")
    there = rows(books.legs_planned("S12", 1, [skipped]))
    back = rows(books.leg_voided(leg(type=leg_type, status=LegStatus.SKIPPED, payee="none")))
    assert {key: there[key] + back[key] for key in there} == dict.fromkeys(there, 0)


@pytest.mark.parametrize("leg_type", [LegType.REFUND, LegType.SETTLEMENT])
def test_what_was_kept_and_is_kept_again_is_no_entry(leg_type: LegType) -> None:
    assert books.leg_voided(leg(type=leg_type, status=LegStatus.SKIPPED)).postings == ()


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(AssertionError, match=r"unbalanced x entry for S1: \{'msat': 1"):
        Entry("x", "S1", (Posting("a", "msat", 2), Posting("b", "msat", -1), Posting("c", "GTQ", 0)))
    with pytest.raises(AssertionError, match="unbalanced"):
        Entry("x", "S1", (Posting("a", "msat", 1), Posting("b", "GTQ", -1)))


def test_the_hash_covers_every_column_and_the_order() -> None:
    postings = (Posting("a", "msat", 1), Posting("b", "msat", -1))
    right = chain_hash(GENESIS, 1, 2, "kind", "ref", postings)
    others = [
        chain_hash("1" * 64, 1, 2, "kind", "ref", postings),
        chain_hash(GENESIS, 2, 2, "kind", "ref", postings),
        chain_hash(GENESIS, 1, 3, "kind", "ref", postings),
        chain_hash(GENESIS, 1, 2, "kinds", "ref", postings),
        chain_hash(GENESIS, 1, 2, "kind", "reff", postings),
        chain_hash(GENESIS, 1, 2, "kind", "ref", postings[::-1]),
        chain_hash(GENESIS, 1, 2, "kind", "ref", postings[:1]),
        *(
            chain_hash(GENESIS, 1, 2, "kind", "ref", (replace(postings[0], **change), postings[1]))
            for change in ({"account": "c"}, {"commodity": "GTQ"}, {"amount": 3})
        ),
    ]
    assert len({right, *others}) == 1 + len(others)
    assert right == chain_hash(GENESIS, 1, 2, "kind", "ref", iter(postings))
    assert len(right) == 64


def test_the_chain_is_the_same_in_every_version() -> None:
    """Books that exist must still verify: this value may never change."""
    entry = books.deposit_confirmed(7, 1, 3, 5, "GTQ")
    found = chain_hash(GENESIS, 1, 1_790_000_000, entry.kind, entry.ref, entry.postings)
    assert found == "986d5766b4ef3e947de986596f441350c223ce7c27302b54eb96026b7239b2a6"


def test_only_what_took_fiat_off_an_lp_books_it() -> None:
    for made in (leg(fiat_minor=5), leg(lp_id=3), leg()):
        entry = books.leg_completed(made, 0)
        assert {posting.commodity for posting in entry.postings} == {"msat"}
    with_lp = books.leg_completed(leg(lp_id=3, fiat_minor=5), 0)
    assert rows(with_lp)["liabilities:lp:l3:m1", "GTQ"] == 5


def test_what_is_hashed_never_changes() -> None:
    """Every journal that is out there was chained like this."""
    text = f'["{GENESIS}",1,2,"k","D\\u00e9",[["a","msat",5],["b","msat",-5]]]'
    postings = (Posting("a", "msat", 5), Posting("b", "msat", -5))
    assert chain_hash(GENESIS, 1, 2, "k", "Dé", postings) == hashlib.sha256(text.encode()).hexdigest()
