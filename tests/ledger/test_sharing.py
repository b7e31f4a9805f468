"""Shares are integers that add up exactly; nobody gets more than its balance is worth."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import fiat_to_sats_floor, sats_to_fiat
from ledger.sharing import LpShare, largest_remainder, share_principal

WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=12)


@given(st.integers(0, 21 * 10**14), WEIGHTS.filter(any))
def test_shares_add_up_and_are_within_one_of_the_exact_ones(total: int, weights: list[int]) -> None:
    shares = largest_remainder(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)


@given(st.integers(0, 10**9), st.integers(1, 20))
def test_ties_go_to_the_earlier(total: int, count: int) -> None:
    shares = largest_remainder(total, [7] * count)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] <= 1


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (101, [1, 1, 1], [34, 34, 33]),
        (10, [600_000, 400_000], [6, 4]),
        (1, [1, 2], [0, 1]),
        (1, [0, 0, 5], [0, 0, 1]),
        (5, [333_333, 333_333, 333_334], [2, 1, 2]),
        (0, [0, 0], [0, 0]),
        (0, [], []),
    ],
)
def test_the_rest_goes_to_the_largest_remainder(total: int, weights: list[int], shares: list[int]) -> None:
    assert largest_remainder(total, weights) == shares


NEGATIVE = "largest_remainder shares non-negative integers only"
NOBODY = "nothing to share the total among: all weights are 0"


@pytest.mark.parametrize(
    ("total", "weights", "says"), [(-1, [1], NEGATIVE), (1, [-1, 2], NEGATIVE), (1, [], NOBODY), (1, [0], NOBODY)]
)
def test_what_cannot_be_shared_is_a_bug(total: int, weights: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        largest_remainder(total, weights)


def lps(*available: int) -> list[tuple[int, int]]:
    return list(enumerate(available, 1))


def test_in_proportion_to_what_is_available() -> None:
    shared = share_principal(100_000, lps(300_000, 100_000), "GTQ", Decimal(50))
    assert shared.shares == (LpShare(1, 75_000, 150_000), LpShare(2, 25_000, 50_000))
    assert shared.remainder_sats == 0


def test_who_has_less_than_its_share_is_worth_is_capped_and_spends_all() -> None:
    """1,000.01 GTQ at 50 sats buy 50,000 sats and a half: all of the fiat is used up, the rest finds nobody."""
    shared = share_principal(100_000, lps(100_001), "GTQ", Decimal(50))
    assert shared.shares == (LpShare(1, 50_000, 100_001),)
    assert shared.remainder_sats == 50_000


def test_nobody_there() -> None:
    shared = share_principal(100_000, [], "GTQ", Decimal(50))
    assert (shared.shares, shared.remainder_sats) == ((), 100_000)


def test_room_for_exactly_the_principal() -> None:
    shared = share_principal(100_000, lps(100_000, 100_000), "GTQ", Decimal(50))
    assert [share.sats for share in shared.shares] == [50_000, 50_000]
    assert shared.remainder_sats == 0


def test_a_sat_that_a_cap_refuses_goes_to_the_next_largest_remainder() -> None:
    """Exact are 2.29, 1.42, 0.47 and 1.82 sats. Two go to the largest remainders: the fourth, then the third, which
    can't take a whole one, so the second; not the first, though it has the largest balance."""
    shared = share_principal(6, lps(340, 210, 70, 270), "GTQ", Decimal(1))
    assert shared.shares == (LpShare(1, 2, 200), LpShare(2, 2, 210), LpShare(4, 2, 270))
    assert shared.remainder_sats == 0


def test_the_rest_goes_round_again_where_caps_leave_few() -> None:
    """Three with a balance worth less than a sat take part in the proportion and can take nothing."""
    shared = share_principal(3, lps(90, 90, 90, 400), "GTQ", Decimal(1))
    assert shared.shares == (LpShare(4, 3, 300),)
    assert shared.remainder_sats == 0


def test_a_share_of_no_sats_is_none() -> None:
    shared = share_principal(1, lps(100, 100, 0), "GTQ", Decimal(50))
    assert shared.shares == (LpShare(1, 1, 2),)


@given(
    st.integers(0, 10**10),
    st.lists(st.integers(0, 10**9), max_size=10),
    st.sampled_from(["GTQ", "JPY", "KWD"]),
    st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 10**6), st.integers(0, 6)),
)
def test_no_sat_is_lost_and_no_balance_overdrawn(
    principal: int, available: list[int], currency: str, rate: Decimal
) -> None:
    shared = share_principal(principal, lps(*available), currency, rate)
    assert sum(share.sats for share in shared.shares) + shared.remainder_sats == principal
    room = sum(fiat_to_sats_floor(minor, currency, rate) for minor in available)
    assert shared.remainder_sats == max(0, principal - room)
    for share in shared.shares:
        minor = available[share.lp_id - 1]
        cap = fiat_to_sats_floor(minor, currency, rate)
        assert 0 < share.sats <= cap
        assert 0 <= share.fiat_minor <= minor
        assert share.fiat_minor == (
            minor if share.sats == cap else min(minor, sats_to_fiat(share.sats, currency, rate))
        )
        exact = principal * minor // sum(available)
        assert share.sats >= min(cap, exact)
    assert [share.lp_id for share in shared.shares] == sorted({share.lp_id for share in shared.shares})


@given(st.integers(1, 10**6), st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.integers(1, 200))
def test_shares_without_binding_caps_are_the_largest_remainder(principal: int, available: list[int], rate: int) -> None:
    shared = share_principal(principal, lps(*available), "JPY", Decimal(rate))
    plain = largest_remainder(principal, available)
    if all(share <= minor * rate for share, minor in zip(plain, available, strict=True)):
        assert [share for share in plain if share] == [share.sats for share in shared.shares]
