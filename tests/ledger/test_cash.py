"""Which notes a cash-out takes: never more than there are, nothing unaccounted for; and how long they last."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cash import (
    DAY,
    LEAST_HISTORY_SECONDS,
    MOST_DAYS,
    Bay,
    Change,
    Dispensed,
    Notes,
    believed_minor,
    days_left,
    dispense,
    give_back,
    make_up,
    plausible,
    take_again,
    unit_minor,
)

UNIT = 100


def bay(position: int, denomination: int, count: int) -> Bay:
    return Bay(position, denomination, count, denomination, count)


def bays(**places: tuple[int, int]) -> list[Bay]:
    """`b1=(20, 3)`: three notes of 20 in bay 1."""
    return [bay(int(name[1:]), *held) for name, held in places.items()]


def total(change: Change) -> int:
    """What it takes, in minor units."""
    return -sum(each.amount for each in change.notes) * UNIT + change.unplaced_minor


def taken(change: Change) -> dict[int, int]:
    return {each.position: -each.notes for each in change.notes}


NUMBERS = st.integers(0, 40)
BAYS = st.lists(st.tuples(st.sampled_from([1, 5, 20, 50, 100]), NUMBERS), max_size=8).map(
    lambda held: [bay(place, *each) for place, each in enumerate(held, 1)]
)
SAID = st.one_of(
    st.none(),
    st.lists(
        st.builds(Notes, st.integers(1, 9), st.sampled_from([5, 20, 50]), st.integers(1, 60)),
        unique_by=lambda notes: notes.position,
    ).map(lambda notes: Dispensed(tuple(notes))),
    st.dictionaries(st.sampled_from([5, 20, 50]), st.integers(1, 60)).map(lambda bills: Dispensed((), bills)),
)


@given(BAYS, st.integers(1, 500_000), SAID)
def test_no_bay_gives_more_than_it_has_and_nothing_is_lost(
    held: list[Bay], fiat_minor: int, said: Dispensed | None
) -> None:
    change = dispense(held, fiat_minor, UNIT, said)
    left = {each.position: each.count for each in held}
    kinds = {each.position: each.denomination for each in held}
    assert len({each.position for each in change.notes}) == len(change.notes)
    for each in change.notes:
        assert 0 < -each.notes <= left[each.position]
        assert each.denomination == kinds[each.position]
    named = 0
    if said is not None:
        named = sum(each.amount for each in said.bays) or sum(d * n for d, n in (said.bills or {}).items())
    assert total(change) == max(fiat_minor, named * UNIT)
    assert change.unplaced_minor >= 0
    assert change.assumed is (named == 0)


@given(BAYS, st.integers(1, 500_000), SAID, st.integers(0, 100))
def test_what_was_not_dispensed_comes_back_and_goes_again(
    held: list[Bay], fiat_minor: int, said: Dispensed | None, percent: int
) -> None:
    out = dispense(held, fiat_minor, UNIT, said)
    notes = [Notes(each.position, each.denomination, -each.notes) for each in out.notes]
    more = total(out) * percent // 100
    back = give_back(notes, out.unplaced_minor, more, UNIT)
    assert total(back) == -more
    there = {each.position: each.notes for each in notes}
    assert all(0 < each.notes <= there[each.position] for each in back.notes)
    after = [
        bay(
            each.position,
            each.denomination,
            each.count + sum(n.notes for n in (*out.notes, *back.notes) if n.position == each.position),
        )
        for each in held
    ]
    again = take_again(after, back.notes, more, UNIT)
    assert total(again) == more
    counts = {each.position: each.count for each in after}
    assert all(counts[each.position] + each.notes >= 0 for each in again.notes)


@given(BAYS, st.integers(0, 60_000))
def test_notes_that_make_an_amount_make_it_exactly(held: list[Bay], amount: int) -> None:
    stock = [Notes(each.position, each.denomination, each.count) for each in held]
    made = make_up(stock, amount, UNIT)
    if made is not None:
        assert sum(each.amount for each in made) * UNIT == amount
        there = {each.position: each.notes for each in stock}
        assert all(0 < each.notes <= there[each.position] for each in made)


@given(st.lists(st.tuples(st.sampled_from([2, 5, 20]), st.integers(0, 4)), max_size=4), st.integers(0, 120))
def test_notes_are_found_where_there_are_any(held: list[tuple[int, int]], whole: int) -> None:
    """Against trying every number of every bay."""
    sums = {0}
    for denomination, count in held:
        sums = {each + denomination * number for each in sums for number in range(count + 1)}
    stock = [Notes(place, denomination, count) for place, (denomination, count) in enumerate(held, 1)]
    assert (make_up(stock, whole * UNIT, UNIT) is not None) is (whole in sums)


def test_the_machine_names_bays() -> None:
    said = Dispensed((Notes(1, 20, 3), Notes(2, 20, 2)))
    change = dispense(bays(b1=(20, 100), b2=(20, 1)), 10_000, UNIT, said)
    assert (taken(change), change.unplaced_minor, change.assumed) == ({1: 3, 2: 1}, 2_000, False)


def test_what_fits_no_bay_is_unplaced() -> None:
    said = Dispensed((Notes(1, 50, 1), Notes(7, 20, 1)))
    change = dispense(bays(b1=(20, 100)), 7_000, UNIT, said)
    assert (taken(change), change.unplaced_minor) == ({}, 7_000)


def test_the_machine_names_fewer_notes_than_were_paid() -> None:
    change = dispense(bays(b1=(20, 100)), 10_000, UNIT, Dispensed((Notes(1, 20, 3),)))
    assert (taken(change), change.unplaced_minor) == ({1: 3}, 4_000)


def test_the_machine_names_bills() -> None:
    held = bays(b1=(20, 2), b2=(50, 5), b3=(20, 9))
    change = dispense(held, 17_000, UNIT, Dispensed((), {20: 6, 50: 1}))
    assert (taken(change), change.unplaced_minor, change.assumed) == ({1: 2, 3: 4, 2: 1}, 0, False)
    assert dispense(held, 10_000, UNIT, Dispensed((), {100: 1})).unplaced_minor == 10_000


def test_the_machine_names_none() -> None:
    held = bays(b1=(20, 5), b2=(50, 5), b3=(20, 5))
    for amount, expected in ((17_000, {2: 3, 1: 1}), (6_000, {1: 3}), (25_000, {2: 5}), (14_000, {1: 2, 2: 2})):
        change = dispense(held, amount, UNIT, None)
        assert (taken(change), change.unplaced_minor, change.assumed) == (expected, 0, True)
    for amount in (1_000, 10_050, 100_000):
        assert (taken(dispense(held, amount, UNIT, None)), dispense(held, amount, UNIT, None).unplaced_minor) == (
            {},
            amount,
        )


def test_what_is_unplaced_comes_back_first() -> None:
    change = give_back([Notes(1, 20, 3)], 4_000, 6_000, UNIT)
    assert ([(each.position, each.notes) for each in change.notes], change.unplaced_minor) == ([(1, 1)], -4_000)
    odd = give_back([Notes(1, 20, 3)], 0, 1_000, UNIT)
    assert (odd.notes, odd.unplaced_minor) == ((), -1_000)


def test_hard_amounts_end_soon() -> None:
    """As many denominations as there are bays, and none of them fits."""
    held = [bay(place, 2 * (1_000 + place), 1_000_000) for place in range(1, 65)]
    began = time.process_time()
    change = dispense(held, 99_999_999_999 * UNIT, UNIT, None)
    assert change.unplaced_minor == 99_999_999_999 * UNIT
    assert time.process_time() - began < 1


@given(NUMBERS, st.integers(1, 1_000), st.integers(LEAST_HISTORY_SECONDS, 28 * DAY))
def test_a_forecast_goes_by_what_went(notes: int, went: int, seconds: int) -> None:
    days = days_left(notes, went, seconds)
    assert days is not None
    assert 0 <= days <= MOST_DAYS
    if days < MOST_DAYS:
        assert days * DAY * went <= notes * seconds < (days + 1) * DAY * went
    more = days_left(notes + 1, went, seconds)
    assert more is not None
    assert more >= days
    assert (days_left(notes, went + 1, seconds) or 0) <= days


def test_without_history_there_is_no_forecast() -> None:
    assert days_left(100, 50, LEAST_HISTORY_SECONDS - 1) is None
    assert days_left(100, 0, 28 * DAY) is None
    assert days_left(100, -3, 28 * DAY) is None
    assert days_left(100, 50, 10 * DAY) == 20
    assert days_left(10**6, 1, 28 * DAY) == MOST_DAYS


@pytest.mark.parametrize(("currency", "unit"), [("GTQ", 100), ("JPY", 1), ("KWD", 1_000)])
def test_a_note_is_whole_units(currency: str, unit: int) -> None:
    assert unit_minor(currency) == unit


def test_what_is_believed_and_what_is_reported() -> None:
    agreed = bay(1, 20, 3)
    assert (agreed.amount, agreed.reported_amount, agreed.as_reported) == (60, 60, True)
    less = Bay(2, 50, 4, 50, 3)
    assert (less.amount, less.reported_amount, less.as_reported) == (200, 150, False)
    left_out = Bay(3, 10, 1, 10, 1, left_out_since=5)
    assert (left_out.amount, left_out.reported_amount, left_out.as_reported) == (10, 0, False)
    assert believed_minor([agreed, less], 1_500, UNIT) == 24_500


@pytest.mark.parametrize(
    ("said", "is_plausible"),
    [
        (None, False),
        (Dispensed(bays=(Notes(1, 20, 50),)), True),
        (Dispensed(bays=(Notes(1, 20, 51),)), False),
        (Dispensed(bills={20: 50}), True),
        (Dispensed(bays=(Notes(1, 20, 1),), bills={20: 51}), False),
    ],
)
def test_notes_that_cannot_be_of_this_transaction_were_not_said(said: Dispensed | None, is_plausible: bool) -> None:
    """Ten times the amount at most: 100 units here, which is 10,000 minor ones."""
    assert plausible(said, 10_000, UNIT) == (said if is_plausible else None)
