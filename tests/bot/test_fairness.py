"""Who comes first, and how much of strangers is read."""

from __future__ import annotations

from bot.fairness import READ_AT_ONCE, READ_OF_ONE, SECONDS_FOR_ONE_MORE, Queues, Strangers
from tests.parts.clocks import MovableClock


async def test_what_is_signed_comes_first_and_wraps_are_not_passed_over() -> None:
    queues: Queues[int] = Queues(10)
    for number in range(10):
        assert queues.put(number, sealed=True)
        assert queues.put(100 + number, sealed=False)
    assert await queues.take(4, 2) == [100, 101, 102, 103, 0, 1]
    assert await queues.take(100, 2) == [104, 105, 106, 107, 108, 109, 2, 3]
    assert await queues.take(100, 100) == [4, 5, 6, 7, 8, 9]


async def test_wraps_take_no_room_from_what_is_signed() -> None:
    queues: Queues[str] = Queues(2)
    assert [queues.put("wrap", sealed=True) for _ in range(3)] == [True, True, False]
    assert [queues.put("report", sealed=False) for _ in range(3)] == [True, True, False]


def test_strangers_are_read_at_a_bounded_rate() -> None:
    clock = MovableClock()
    strangers = Strangers(clock)
    assert sum(strangers.may_be_read(f"key {number}") for number in range(500)) == READ_AT_ONCE
    clock.advance(SECONDS_FOR_ONE_MORE * 3)
    assert sum(strangers.may_be_read(f"other {number}") for number in range(500)) == 3
    clock.advance(86_400)
    assert sum(strangers.may_be_read("the same") for _ in range(500)) == READ_OF_ONE
    clock.advance(60)
    assert strangers.may_be_read("the same")


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    clock = MovableClock()
    strangers = Strangers(clock)
    clock.advance(-10_000)
    assert strangers.may_be_read("key")
