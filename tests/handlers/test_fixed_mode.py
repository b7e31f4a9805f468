"""LPs in fixed mode: by schedule and by order, within their daily limit, at the machine's last rate."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from handlers import fixed_mode
from handlers.fixed_mode import FixedMode, next_slot
from ledger.model import Leg
from tests.handlers.desk import ANA, BEN, BOSS
from tests.handlers.till import Till, report

TIMES = FixedMode(("09:00", "21:00"), UTC, 3_600, 1_000_000)
HOUR = 3_600


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.fixture
async def timed(till: Till) -> Till:
    """Ana is in fixed mode with 400 GTQ a day of her 1,500; the bot has run since before nine."""
    till.desk.with_settings(fixed_mode=TIMES)
    till.desk.now = at("2026-11-20T08:30:00")
    await till.desk.ask(ANA, "prefs.set", mode="fixed", daily_limit="400")
    await till.desk.cash_out(platform_fee_sats=3_000)
    await till.desk.distribute()
    assert await look(till) == []
    return till


async def look(till: Till) -> list[Leg]:
    """The schedule is looked at."""
    return await till.desk.tx(
        lambda tx: fixed_mode.run_scheduled(
            tx, till.desk.settings.fixed_mode, configured={"main", "second"}, operators={BOSS}, now=till.now
        )
    )


async def test_it_has_no_share_of_a_cash_out(timed: Till) -> None:
    shown = await timed.desk.ask(BOSS, "settlement.show", settlement="S1")
    assert [(leg["label"], leg["status"]) for leg in shown["legs"] if leg["type"] == "dca"] == [
        ("ben", "pending"),
        ("principal", "skipped"),
    ]


async def test_each_time_pays_once_and_the_limit_is_for_the_day(timed: Till) -> None:
    timed.desk.now = at("2026-11-20T09:00:00")
    made = await look(timed)
    assert [(leg.label, leg.fiat_minor, leg.amount_sats, leg.wallet) for leg in made] == [
        ("ana", 40_000, 20_000, "main")
    ]
    assert await look(timed) == []
    timed.desk.now = at("2026-11-20T21:00:00")
    assert await look(timed) == [], "the limit is used up until midnight"
    await timed.desk.cash_out(2)
    timed.desk.now = at("2026-11-21T08:59:59")
    assert await look(timed) == []


async def test_without_a_fresh_rate_the_operators_are_told(timed: Till) -> None:
    timed.desk.now = at("2026-11-20T21:00:00")
    assert await look(timed) == []
    assert (await timed.told())[-1].splitlines()[:2] == [
        "Not everybody in fixed mode could be paid:",
        "sintra: no rate is known there: its last settlement is more than 60 min ago",
    ]


async def test_one_small_sale_sets_no_rate(timed: Till) -> None:
    """A stolen machine key reports a sale of one centavo at forty times the rate; the wallet has been paid for it."""
    tiny = report("ab" * 32, wire_sats=22, principal_sats=20, fee_sats=2, fiat_amount="0.01", exchange_rate="2000")
    await timed.receive(tiny)
    await timed.prove(2)
    timed.desk.now = at("2026-11-20T09:00:00")
    assert [leg.amount_sats for leg in await look(timed)] == [20_000]


async def test_nor_does_what_is_entered_by_hand(timed: Till) -> None:
    old = {
        "machine": "sintra", "tx_type": "cash_out", "wire_sats": 216_000, "principal_sats": 200_000, "fee_sats": 16_000,
        "fiat_amount": "2000", "exchange_rate": "100", "note": "of last month",
    }  # fmt: skip
    await timed.desk.ask(BOSS, "settlement.add", confirm=True, **old)
    timed.desk.now = at("2026-11-20T09:00:00")
    assert [leg.amount_sats for leg in await look(timed)] == [20_000]


async def test_a_clock_that_was_ahead_does_not_end_the_schedule(timed: Till) -> None:
    timed.desk.now = at("2036-11-20T12:00:00")
    await look(timed)
    timed.desk.now = at("2026-11-20T09:00:00")
    assert len(await look(timed)) == 1


async def test_what_is_over_the_cap_is_left_to_the_operator(timed: Till) -> None:
    timed.desk.with_settings(fixed_mode=FixedMode(("09:00",), UTC, 3_600, 10_000))
    timed.desk.now = at("2026-11-20T09:00:00")
    assert await look(timed) == []
    assert "ana: 20,000 sats are over the cap" in (await timed.told())[-1]


async def test_the_preview_names_what_it_replaces(timed: Till) -> None:
    made = await timed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate=55, confirm=True)
    await timed.desk.fail_leg(int(made["id"][1:]))
    preview = (await timed.desk.refused(BOSS, "fixed.run"))["preview"]
    assert preview["payments"][0]["replaced"] == [made["id"]]


async def test_without_times_everybody_is_paid_as_it_comes_again(timed: Till) -> None:
    ended = await timed.desk.tx(lambda tx: fixed_mode.end(tx, {BOSS}, timed.now))
    assert [who.name for who in ended] == ["ana"]
    assert (await timed.desk.ask(ANA, "prefs.show"))["mode"] == "flow"
    assert "ana" in (await timed.told())[-1]
    assert await timed.desk.tx(lambda tx: fixed_mode.end(tx, {BOSS}, timed.now)) == []


async def test_a_bot_that_was_down_pays_for_the_last_hour_only(timed: Till) -> None:
    timed.desk.now = at("2026-11-20T09:20:00")
    assert len(await look(timed)) == 1
    await timed.desk.cash_out(2)
    timed.desk.now = at("2026-11-21T10:30:00")
    assert await look(timed) == []


async def test_the_order_is_a_money_order_with_everybody_in_it(timed: Till) -> None:
    preview = (await timed.desk.refused(BOSS, "fixed.run"))["preview"]
    assert [(each["name"], each["fiat_amount"], each["sats"]) for each in preview["payments"]] == [
        ("ana", "400.00", 20_000)
    ]
    offered = await timed.desk.told(BOSS, "fixed run sintra")
    assert "ana gets 20,000 sats for Q400.00 at sintra" in offered
    assert "payout of the rest, 20,000 sats to ana: pending" in await timed.desk.told(BOSS, f"confirm {offered[-6:]}")
    nothing = await timed.desk.refused(BOSS, "fixed.run", confirm=True)
    assert (nothing["code"], nothing["field"]) == ("bad_state", "machine")


async def test_the_order_says_why_nobody_can_be_paid(timed: Till) -> None:
    timed.advance(2 * HOUR)
    assert "no rate is known" in (await timed.desk.refused(BOSS, "fixed.run", confirm=True))["message"]
    timed.desk.with_settings(fixed_mode=FixedMode((), UTC, 3_600, 1_000_000))
    off = await timed.desk.refused(BOSS, "fixed.run", confirm=True)
    assert (off["code"], "[fixed_mode]" in off["message"]) == ("bad_state", True)
    assert (await timed.desk.refused(BEN, "fixed.run"))["code"] == "forbidden"


async def test_a_paused_enrolment_is_left_out(timed: Till) -> None:
    await timed.desk.ask(BOSS, "lp.set", machine="sintra", lp="ana", status="paused")
    assert (await timed.desk.refused(BOSS, "fixed.run", confirm=True))["code"] == "bad_state"


def test_times_are_those_of_the_place() -> None:
    guatemala = FixedMode(("09:00",), ZoneInfo("America/Guatemala"), 3_600, 1_000_000)
    assert next_slot(guatemala, at("2026-11-20T14:00:00")) == at("2026-11-20T15:00:00")
    assert next_slot(guatemala, at("2026-11-20T15:00:00")) == at("2026-11-21T15:00:00")
    assert next_slot(FixedMode((), UTC, 1, 1), 0) is None
