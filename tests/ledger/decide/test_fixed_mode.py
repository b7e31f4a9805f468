"""What an LP in fixed mode is due, and when a machine's sales may set the rate that it is paid at."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.decide.fixed_mode import DAY, WEEK, Sale, due_today, rate_of
from ledger.errors import Said
from tests.ledger.build import T

HOUR = 3_600


def sale(seconds_ago: int, rate: str, fiat_minor: int) -> Sale:
    return Sale(Decimal(rate), fiat_minor, T - seconds_ago)


def rate(*sales: Sale, due_minor: int = 1_000, max_age_seconds: int = HOUR) -> Decimal | str:
    found = rate_of(sales, due_minor, T, max_age_seconds)
    return str(found) if isinstance(found, Said) else found


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        # one sale alone, as old as it may be
        ([sale(0, "50", 1_000)], "50"),
        ([sale(HOUR, "50", 1_000)], "50"),
        # the median by fiat, of the lower side where two halves meet; not the middle sale, not the newest
        ([sale(0, "2000", 1), sale(9, "50", 1_000), sale(8, "51", 400)], "50"),
        ([sale(0, "60", 500), sale(0, "50", 500)], "50"),
        ([sale(0, "60", 501), sale(0, "50", 500)], "60"),
        ([sale(0, "60", 1), sale(0, "70", 1), sale(0, "50", 100)], "50"),
        # a day is exactly that, and so is the week before it
        ([sale(0, "50", 10), sale(DAY, "60", 1_000)], "60"),
        ([sale(0, "50", 1_000), sale(DAY, "90", 10)], "50"),
        ([sale(0, "50", 1_000), sale(DAY + WEEK + 1, "1", 9_000)], "50"),
        # the rate may be a quarter away from that of the week before, and no more
        ([sale(0, "62.5", 1_000), sale(DAY + 1, "50", 9_000)], "62.5"),
        ([sale(0, "37.5", 1_000), sale(DAY + WEEK, "50", 9_000)], "37.5"),
        # enough was sold at it
        ([sale(0, "50", 60), sale(DAY, "50", 40)], "50"),
    ],
)
def test_the_rate_of_a_day(sales: list[Sale], expected: str) -> None:
    assert rate(*sales) == Decimal(expected)


@pytest.mark.parametrize("sales", [[], [sale(HOUR + 1, "50", 9_000)]])
def test_without_a_fresh_sale_there_is_no_rate(sales: list[Sale]) -> None:
    assert rate(*sales) == "no rate is known there: its last settlement is more than 60 min ago"


@pytest.mark.parametrize("moved", ["62.51", "37.49"])
@pytest.mark.parametrize("seconds_ago", [DAY + 1, DAY + WEEK])
def test_a_rate_far_from_that_of_the_week_before_is_left_to_a_person(moved: str, seconds_ago: int) -> None:
    said = rate(sale(0, moved, 1_000), sale(seconds_ago, "50", 9_000))
    assert said == f"its rate of {moved} sats is far from the 50 of the week before: pay with lp settle"


def test_where_a_rate_may_be_older_than_a_day_the_day_is_as_long() -> None:
    assert rate(sale(DAY + HOUR, "50", 1_000), sale(0, "70", 1), max_age_seconds=DAY + HOUR) == Decimal(50)


@pytest.mark.parametrize(("sold", "due", "enough"), [(100, 1_000, True), (99, 1_000, False), (100, 1_001, False)])
def test_a_rate_pays_ten_times_what_was_sold_at_it(sold: int, due: int, enough: bool) -> None:
    expected = Decimal(50) if enough else "too little was sold there in a day to go by its rate: pay with lp settle"
    assert rate(sale(0, "50", sold), due_minor=due) == expected


@pytest.mark.parametrize(
    ("available", "limit", "currency", "paid", "due"),
    [
        (150_000, None, "GTQ", 0, 150_000),
        (150_000, None, "GTQ", 40_000, 150_000),
        (150_000, "400.5", "GTQ", 0, 40_050),
        (150_000, "400.999", "GTQ", 0, 40_099),
        (150_000, "400", "GTQ", 30_000, 10_000),
        (150_000, "400", "GTQ", 50_000, 0),
        (5_000, "400", "GTQ", 0, 5_000),
        (9_000, "400.7", "JPY", 0, 400),
        (1, None, "GTQ", 0, 1),
        (0, None, "GTQ", 0, 0),
        (-1, None, "GTQ", 0, 0),
    ],
)
def test_what_is_due_today(available: int, limit: str | None, currency: str, paid: int, due: int) -> None:
    assert due_today(available, limit, currency, paid) == due
