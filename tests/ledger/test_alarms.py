"""When an alarm is told of. Whatever happens, and whatever the clock does: not too often, and its end once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.alarms import (
    DAY,
    HOUR,
    MOST_NEW,
    ORDER,
    UNTIL_CLEARED,
    Alarm,
    Cause,
    Change,
    Key,
    Tell,
    cleared,
    decide,
    is_worse,
    looked_at,
    raised,
)

NOW = 1_790_000_000
KEY: Key = (Cause.MACHINE_SILENT, "machine:3")


def fresh(now: int = NOW, mark: str = "", **facts: object) -> Alarm:
    return Alarm(0, *KEY, facts, mark, now, now)


class Table:
    """One cause of one subject, as the database would keep it, and all that was told of it."""

    def __init__(self) -> None:
        self.alarm: Alarm | None = None
        self.told: list[tuple[int, Tell]] = []
        self.writes = 0

    def see(self, there: bool | None, now: int, mark: str = "") -> None:
        """None: nobody can tell."""
        found: dict[Key, Alarm | None] = {} if there is False else {KEY: fresh(now, mark) if there else None}
        known = {KEY: self.alarm} if self.alarm is not None else {}
        for change in decide(known, found, now):
            self.take(change, now)

    def take(self, change: Change | None, now: int) -> None:
        if change is not None:
            self.alarm = replace(change.alarm, id=1)
            self.writes += 1
            if change.tell is not None:
                self.told.append((now, change.tell))

    def times(self, tell: Tell | None = None) -> list[int]:
        return [at - NOW for at, each in self.told if tell in (None, each)]


def test_it_is_told_at_once_then_hourly_for_a_day_then_daily_and_when_it_is_over() -> None:
    table = Table()
    for minute in range(4 * 24 * 60):
        table.see(True, NOW + minute * 60)
    table.see(False, NOW + 4 * DAY)
    assert table.times(Tell.NEW) == [0]
    assert table.times(Tell.STILL) == [*range(HOUR, DAY + 1, HOUR), 2 * DAY, 3 * DAY]
    assert table.times(Tell.OVER) == [4 * DAY]
    assert table.alarm is not None
    assert table.alarm.reminders == 26
    table.see(False, NOW + 4 * DAY + 60)
    assert len(table.told) == 28


def test_nothing_is_written_while_nothing_changes() -> None:
    table = Table()
    for second in range(0, HOUR, 30):
        table.see(True, NOW + second)
    assert table.writes == 1


def test_facts_that_change_are_kept_and_not_told() -> None:
    known = replace(fresh(notes=40), id=1, remind_at=NOW + HOUR)
    change = raised(known, fresh(notes=39), NOW + 60)
    assert change == Change(replace(known, facts={"notes": 39}))


def test_a_new_state_of_a_cause_is_told_at_once() -> None:
    """The bay was low, now it is empty. Not where it is silenced."""
    known = replace(fresh(mark="low"), id=1, remind_at=NOW + HOUR)
    change = raised(known, fresh(mark="empty"), NOW + 60)
    assert change is not None
    assert (change.tell, change.alarm.remind_at) == (Tell.NEW, NOW + 60 + HOUR)
    silenced = replace(known, silenced_until=NOW + DAY, silenced_by="boss")
    assert raised(silenced, fresh(mark="empty"), NOW + 60) is None


@pytest.mark.parametrize(
    ("cause", "told", "now", "worse"),
    [
        (Cause.CASH_LOW, "low", "empty", True),
        (Cause.CASH_LOW, "empty", "low", False),
        (Cause.CASH_GAP, "-100", "-199", False),
        (Cause.CASH_GAP, "-100", "-200", True),
        (Cause.CASH_GAP, "-100", "-50", False),
        (Cause.CASH_GAP, "-100", "1", True),
        (Cause.REPORTS_MISSING, "", "", False),
        (Cause.RECONCILE, "some", "others", True),
    ],
)
def test_what_is_worse_than_what_was_told(cause: Cause, told: str, now: str, *, worse: bool) -> None:
    assert is_worse(cause, told, now) is worse


def test_a_state_that_goes_up_and_down_is_told_twice_an_hour_at_most() -> None:
    """Low and empty every 30 s for three hours: each time that it is told to be low, empty is told once more."""
    key: Key = (Cause.CASH_LOW, "bay:1:1")
    alarm: Alarm | None = None
    told = []
    for second in range(0, 3 * HOUR, 30):
        new = Alarm(0, *key, {}, "low" if second % 60 == 0 else "empty", NOW, NOW)
        for change in decide({key: alarm} if alarm else {}, {key: new}, NOW + second):
            alarm = replace(change.alarm, id=1)
            told += [second] if change.tell is not None else []
    assert told[:3] == [0, 30, HOUR + 30]
    assert len(told) <= 6


def test_one_a_minute_of_one_cause_is_told_ten_times_an_hour_and_with_the_reminders() -> None:
    """And none is lost: with each reminder those that came since are told together."""
    known: dict[Key, Alarm] = {}
    messages: Counter[tuple[int, Tell]] = Counter()
    heard_of: set[Key] = set()
    for minute in range(180):
        now = NOW + minute * 60
        found: dict[Key, Alarm | None] = dict.fromkeys(known)
        key = (Cause.SETTLEMENT_UNVERIFIED, f"S{minute}")
        found[key] = Alarm(0, *key, {}, "", now, now)
        lately = Counter(cause for (cause, _), each in known.items() if now - HOUR < each.raised_at <= now)
        for change in decide(known, found, now, lately):
            at = (change.alarm.cause, change.alarm.subject)
            known[at] = replace(change.alarm, id=1)
            if change.tell is not None:
                heard_of.add(at)
                messages[minute, change.tell] += 1
    assert len(messages) <= MOST_NEW + 2 * 3
    assert len(heard_of) >= 120


def test_reminders_of_one_cause_come_together() -> None:
    one, two = ((Cause.MACHINE_SILENT, f"machine:{number}") for number in (1, 2))
    known = {
        one: replace(fresh(), id=1, remind_at=NOW),
        two: replace(fresh(), id=2, subject="machine:2", remind_at=NOW + 1_800),
    }
    changes = decide(known, {one: None, two: None}, NOW)
    assert [(each.tell, each.alarm.remind_at) for each in changes] == [(Tell.STILL, NOW + HOUR)] * 2


def test_one_that_comes_and_goes_is_told_at_the_rhythm_of_reminders() -> None:
    """Up and down each minute for three days: two messages for each reminder at most."""
    table = Table()
    for minute in range(3 * 24 * 60):
        table.see(minute % 2 == 0, NOW + minute * 60)
    assert table.times(Tell.NEW) == [*range(0, DAY + 1, HOUR), 2 * DAY]
    assert table.times(Tell.OVER) == [at + 60 for at in table.times(Tell.NEW)]
    assert table.times(Tell.STILL) == []


def test_one_that_comes_back_later_is_another_alarm() -> None:
    table = Table()
    table.see(True, NOW)
    table.see(False, NOW + 60)
    first = table.alarm
    table.see(True, NOW + 60 + HOUR)
    assert table.alarm != first
    assert table.times(Tell.NEW) == [0, 60 + HOUR]
    assert table.alarm is not None
    assert table.alarm.raised_at == NOW + 60 + HOUR


def test_what_nobody_can_tell_changes_nothing() -> None:
    table = Table()
    table.see(None, NOW)
    assert table.alarm is None
    table.see(True, NOW)
    table.see(None, NOW + 60)
    table.see(None, NOW + HOUR)
    assert table.times(Tell.STILL) == [HOUR]
    assert table.times(Tell.OVER) == []


def test_silence_lasts_until_its_time_and_the_end_is_told_all_the_same() -> None:
    known = replace(fresh(), id=1, remind_at=NOW + HOUR, silenced_until=NOW + 5 * HOUR, silenced_by="boss")
    assert looked_at(known, NOW + 5 * HOUR - 1) is None
    again = looked_at(known, NOW + 5 * HOUR)
    assert again is not None
    assert again.tell is Tell.STILL
    assert cleared(known, NOW + 2 * HOUR).tell is Tell.OVER
    assert cleared(known, NOW + 2 * HOUR).alarm.silenced_until == NOW + 5 * HOUR
    forever = replace(known, silenced_until=UNTIL_CLEARED)
    assert looked_at(forever, NOW + 400 * DAY) is None
    over = cleared(forever, NOW + 400 * DAY).alarm
    assert (over.silenced_until, over.silenced_by) == (None, None)


def test_one_that_comes_back_while_it_is_silenced_is_not_told() -> None:
    known = cleared(replace(fresh(), id=1, silenced_until=NOW + DAY, silenced_by="boss"), NOW).alarm
    back = raised(known, fresh(), NOW + 60)
    assert back is not None
    assert (back.tell, back.alarm.told) == (None, False)
    assert cleared(back.alarm, NOW + 120).tell is None


def test_a_clock_that_was_far_ahead_does_not_silence_it() -> None:
    known = replace(fresh(), id=1, remind_at=NOW + 365 * DAY)
    mended = looked_at(known, NOW)
    assert mended is not None
    assert (mended.tell, mended.alarm.remind_at) == (None, NOW + DAY)


def test_a_silence_that_was_asked_for_under_a_clock_that_was_ahead_ends_within_a_day() -> None:
    ahead = replace(fresh(), id=1, remind_at=NOW + 9 * DAY, silenced_until=NOW + 10 * DAY, silenced_by="boss")
    years = replace(ahead, remind_at=NOW + HOUR, silenced_until=NOW + 1_826 * DAY)
    for known in (ahead, years):
        mended = looked_at(known, NOW)
        assert mended is not None
        assert (mended.tell, mended.alarm.silenced_until) == (None, NOW + DAY)
    asked = replace(ahead, remind_at=NOW + HOUR)
    assert looked_at(asked, NOW) is None
    until_over = looked_at(replace(ahead, silenced_until=UNTIL_CLEARED), NOW)
    assert until_over is not None
    assert until_over.alarm.silenced_until == UNTIL_CLEARED


def test_every_cause_has_its_place() -> None:
    assert set(ORDER) == set(Cause)


def test_facts_and_a_reminder_in_one_look() -> None:
    known = replace(fresh(notes=40), id=1, remind_at=NOW)
    (change,) = decide({KEY: known}, {KEY: fresh(notes=39)}, NOW)
    assert (change.tell, change.alarm.facts, change.alarm.reminders) == (Tell.STILL, {"notes": 39}, 1)
    (change,) = decide({KEY: known}, {KEY: fresh(mark="empty")}, NOW)
    assert (change.tell, change.alarm.reminders) == (Tell.NEW, 0)


steps = st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(0, 3 * HOUR)), max_size=60)


@given(steps)
def test_never_more_often_than_the_rule_and_the_end_once(taken: list[tuple[bool | None, int]]) -> None:
    """Whatever comes and goes: an hour between two times that it is told to be there, unless it was gone for an hour;
    and each end is told once, after it was told to be there."""
    table = Table()
    now, gone_at = NOW, None
    for there, seconds in taken:
        now += seconds
        before = len(table.told)
        was_open = table.alarm is not None and table.alarm.cleared_at is None
        table.see(there, now)
        if there is False and was_open:
            gone_at = now
        assert len(table.told) - before <= 1
        told = table.told
        if len(told) > before and told[-1][1] is not Tell.OVER:
            earlier = [at for at, tell in told[:-1] if tell is not Tell.OVER]
            assert not earlier or now - earlier[-1] >= HOUR or (gone_at is not None and now - gone_at >= HOUR)
    kinds = [tell for _, tell in table.told]
    assert all(kinds[place - 1] is not Tell.OVER for place, tell in enumerate(kinds) if tell is Tell.OVER and place)
    assert not kinds or kinds[0] is Tell.NEW


jumps = st.lists(st.integers(-400 * DAY, 400 * DAY), min_size=1, max_size=8)


@given(jumps)
def test_a_clock_that_jumps_causes_no_flood(taken: list[int]) -> None:
    """What lasts is told once more for each jump at most, however far it is, and reminders go on after it."""
    table = Table()
    table.see(True, NOW)
    now = NOW
    for jump in taken:
        before = len(table.told)
        now += jump
        for second in range(0, 600, 30):
            table.see(True, now + second)
        assert len(table.told) - before <= 1
    before = len(table.told)
    for hour in range(25):
        table.see(True, now + 600 + hour * HOUR)
    assert len(table.told) > before
