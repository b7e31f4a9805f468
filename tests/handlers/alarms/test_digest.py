"""The day in one message: once a day, whatever the clock and the process do."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from handlers.alarms import digest
from handlers.alarms.digest import Schedule
from handlers.replies.plain import MAX_LINES
from storage import meta, wallets
from storage.db import Tx
from tests.handlers.alarms.looking import look
from tests.handlers.desk import ANA, BOSS, Desk
from tests.handlers.till import Till

HOUR, DAY = 3_600, 86_400
LISBON = ZoneInfo("Europe/Lisbon")
EIGHT = Schedule("08:00", LISBON)


def at(text: str, zone: ZoneInfo = LISBON) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


async def sent(desk: Desk, *times: int, schedule: Schedule = EIGHT) -> list[int]:
    """At which of these times it is sent."""
    found = []
    for now in times:
        due = await desk.tx(lambda tx, now=now: digest.due(tx, schedule, now))  # type: ignore[misc]
        assert await desk.tx(lambda tx, now=now: digest.note(tx, schedule, now)) is due  # type: ignore[misc]
        if due:
            found.append(now)
    return found


async def test_it_is_sent_once_a_day_at_its_time(desk: Desk) -> None:
    """Not on the first day: there is no yesterday to tell of. Every half minute is looked."""
    began = at("2026-11-02T07:00")
    times = [began + seconds for seconds in range(0, 3 * DAY, 1_800)]
    assert await sent(desk, *times) == [at("2026-11-02T08:00"), at("2026-11-03T08:00"), at("2026-11-04T08:00")]


async def test_a_bot_that_is_first_started_in_the_afternoon_waits_for_tomorrow(desk: Desk) -> None:
    assert await sent(desk, at("2026-11-02T15:00"), at("2026-11-02T23:59"), at("2026-11-03T08:00")) == [
        at("2026-11-03T08:00")
    ]


async def test_a_bot_that_was_off_at_the_time_sends_it_later_and_only_the_last(desk: Desk) -> None:
    assert await sent(desk, at("2026-11-02T15:00"), at("2026-11-06T21:00"), at("2026-11-06T22:00")) == [
        at("2026-11-06T21:00")
    ]


async def test_a_clock_that_steps_back_over_the_time_sends_no_second_one(desk: Desk) -> None:
    times = [at("2026-11-02T15:00"), at("2026-11-03T08:01"), at("2026-11-03T07:30"), at("2026-11-03T08:00")]
    assert await sent(desk, *times) == [times[1]]
    assert await sent(desk, at("2026-11-04T08:00")) == [at("2026-11-04T08:00")]


async def test_a_clock_that_was_far_ahead_silences_it_for_a_day_at_most(desk: Desk) -> None:
    assert await sent(desk, at("2026-11-02T15:00"), at("2031-01-01T09:00")) == [at("2031-01-01T09:00")]
    assert await sent(desk, at("2026-11-03T07:00"), at("2026-11-03T08:00")) == [at("2026-11-03T08:00")]


async def test_the_time_is_that_of_its_zone_summer_and_winter(desk: Desk) -> None:
    """Lisbon changes its clocks on 25 October 2026."""
    began = at("2026-10-24T12:00")
    times = [began + seconds for seconds in range(0, 2 * DAY, 900)]
    found = await sent(desk, *times)
    assert [datetime.fromtimestamp(each, UTC).hour for each in found] == [8, 8]
    assert [datetime.fromtimestamp(each, LISBON).isoformat()[:16] for each in found] == [
        "2026-10-25T08:00", "2026-10-26T08:00",
    ]  # fmt: skip


async def test_none(desk: Desk) -> None:
    assert await sent(desk, at("2026-11-02T15:00"), at("2026-11-09T15:00"), schedule=Schedule("")) == []
    assert not await desk.tx(lambda tx: digest.unplanned(tx, Schedule(""), desk.now))
    assert await desk.tx(lambda tx: meta.get(tx, "digest_of")) is None


async def test_what_it_says(owed: Till) -> None:
    """Of yesterday, by the calendar of its zone: and what there is now, the emptiest first."""
    desk = owed.desk
    desk.with_settings(digest=Schedule("08:00", LISBON))
    await owed.paid(3, 3)

    def work(tx: Tx) -> None:
        wallets.set_balance(tx, "main", 5_000_000, owed.now)
        tx.run(
            "INSERT INTO bays (machine_id, position, denomination, count, reported_denomination, reported_count)"
            " VALUES (1, 1, 20, 100, 20, 100), (1, 2, 50, 10, 50, 10)"
        )

    await desk.tx(work)
    await look(desk)
    today = await desk.told(BOSS, "digest")
    assert "Cash-out: 0, 0 sats" in today
    desk.now += DAY
    text = await desk.told(BOSS, "digest")
    assert text.splitlines() == [
        "Alarms: 1 × wallet low, 1 × cash low. Say alarms.",
        "2026-09-21:",
        "Cash-out: 1, 100,000 sats, Q2,000.00",
        "Fees: operator 5,000 sats, platform 3,000 sats",
        "Paid to LPs: 75,000 sats, Q1,500.00",
        "Cash now: sintra Q2,500.00",
        "Wallets now: second unknown, main 5,000 sats",
    ]
    found = await desk.ask(BOSS, "digest")
    assert found["until"] - found["since"] == DAY
    assert found["alarms"] == {"count": 2, "counts": {"wallet_low": 1, "cash_low": 1}}
    await desk.tx(lambda tx: tx.run("DELETE FROM bays"))
    assert (await desk.refused(ANA, "digest"))["code"] == "forbidden"


async def test_it_fits_a_phone_whatever_there_is(desk: Desk) -> None:
    def work(tx: Tx) -> None:
        for number in range(30):
            wallets.register(tx, f"w{number}", wallet_pubkey="a" * 64, client_pubkey="b" * 64, now=desk.now)
            wallets.set_balance(tx, f"w{number}", number * 1_000_000, desk.now)

    await desk.tx(work)
    text = await desk.told(BOSS, "resumen")
    assert len(text.splitlines()) <= MAX_LINES
    assert "y 15 más" in text


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Kiritimati", "America/Guatemala", "Etc/GMT+12"])
async def test_yesterday_is_the_day_of_its_zone(desk: Desk, zone: str) -> None:
    there = ZoneInfo(zone)
    now = at("2026-11-05T08:00", there)
    found = await desk.tx(lambda tx: digest.facts(tx, there, now))
    assert (found["since"], found["until"]) == (at("2026-11-04T00:00", there), at("2026-11-05T00:00", there))
    assert found["date"] == "2026-11-04"
    assert "2026-11-04:" in replies_of(found)


def replies_of(found: dict[str, object]) -> str:
    from handlers import replies

    return replies.render("digest", found, "en")
