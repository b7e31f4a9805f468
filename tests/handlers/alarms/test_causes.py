"""What is wrong is raised when it is there, and over when it is gone: each cause in real books."""

from __future__ import annotations

from typing import Any

import pytest

from handlers import missing_reports, relay_trouble
from handlers.alarms import telling
from handlers.alarms.findings import Clock, Down
from handlers.missing_reports import GAP_SECONDS, KEEP_SECONDS
from ledger.alarms import MOST_NEW, Cause
from ledger.states import SettlementStatus
from storage import alarms, beacons, fleet, holds, machines, sequences, settlements, switches, thresholds, wallets
from storage.beacons import Beacon
from storage.db import Tx
from storage.switches import Switch
from tests.handlers.alarms.looking import causes, look, open_alarms
from tests.handlers.desk import BOSS, Desk
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

MINUTE, HOUR, DAY = 60, 3_600, 86_400


async def seen(desk: Desk, at: int | None = None) -> None:
    await desk.tx(lambda tx: machines.seen(tx, 1, desk.now if at is None else at))


async def bay(desk: Desk, count: int, position: int = 1) -> None:
    await desk.tx(
        lambda tx: tx.run(
            "INSERT INTO bays (machine_id, position, denomination, count, reported_denomination, reported_count)"
            " VALUES (1, :at, 20, :count, 20, :count) ON CONFLICT DO UPDATE SET count = :count",
            {"at": position, "count": count},
        )
    )


async def box(desk: Desk, **values: int | None) -> None:
    def work(tx: Tx) -> None:
        tx.run("DELETE FROM boxes")
        tx.insert("boxes", machine_id=1, **values)

    await desk.tx(work)


async def cash_level(desk: Desk, level: str) -> None:
    await desk.tx(lambda tx: beacons.put(tx, 1, Beacon("e", desk.now, desk.now, {"cash_level": level})))


@pytest.fixture
async def loose(desk: Desk) -> Till:
    """Over the machine sintra, whose cash these tests make up: it would not agree with the books."""
    await desk.with_machine()
    return Till(desk)


# --- machines --------------------------------------------------------------------------------------------------------


async def test_a_machine_that_falls_silent_and_comes_back(till: Till) -> None:
    desk = till.desk
    await seen(desk)
    till.advance(90 * MINUTE)
    assert await look(desk) == []
    till.advance(1)
    (told,) = await look(desk)
    first, *more = told.splitlines()
    assert first.startswith("sintra has been silent since 2026-09-21 ")
    assert more == [
        "See whether it has power and a network.",
        "To be left in peace for a day: alarm silence N1",
    ]
    await seen(desk)
    (told,) = await look(desk)
    assert told.startswith("Over: sintra has been silent since ")
    assert await causes(desk) == []


async def test_a_machine_that_was_never_heard_is_silent_since_it_was_added(till: Till) -> None:
    till.advance(90 * MINUTE)
    assert await look(till.desk) == []
    till.advance(1)
    (told,) = await look(till.desk)
    assert told.startswith("sintra has been silent since 2026-09-21 14:13 UTC")


async def test_a_word_that_was_heard_while_the_clock_was_ahead_does_not_hide_silence(loose: Till) -> None:
    desk = loose.desk
    began = loose.now
    desk.now += 365 * DAY
    await cash_level(desk, "ok")
    await seen(desk)
    await box(desk, gap_minor=-40_00, gap_since=desk.now)
    desk.now = began
    await desk.tx(lambda tx: fleet.no_later_than(tx, desk.now))
    loose.advance(2 * HOUR)
    assert await causes(desk) == []
    assert len(await look(desk)) == 2
    assert set(await causes(desk)) == {Cause.CASH_GAP, Cause.MACHINE_SILENT}
    assert await desk.tx(lambda tx: beacons.get(tx, 1)) == Beacon("e", began + 365 * DAY, began, {"cash_level": "ok"})


async def test_a_settlement_counts_as_a_word_of_the_machine_and_a_hand_entry_does_not(till: Till) -> None:
    entry = {
        "machine": "sintra", "tx_type": "cash_out", "payment_hash": hash_of(5), "wire_sats": 108_000,
        "principal_sats": 100_000, "fee_sats": 8_000, "fiat_amount": "2000", "exchange_rate": "50", "note": "offline",
    }  # fmt: skip
    await till.desk.ask(BOSS, "settlement.add", confirm=True, **entry)
    till.advance(91 * MINUTE)
    await look(till.desk)
    assert Cause.MACHINE_SILENT in await causes(till.desk)
    await till.desk.cash_out(1)
    till.advance(90 * MINUTE)
    await look(till.desk)
    assert Cause.MACHINE_SILENT not in await causes(till.desk)


async def test_silence_counts_only_while_it_could_have_been_heard(till: Till) -> None:
    """Nobody blames machines for a bot that was off, deaf, or whose clock was set; what is open stays open then."""
    desk = till.desk
    await seen(desk)
    till.advance(2 * HOUR)
    assert await look(desk, heard_for=90 * MINUTE) == []
    assert await look(desk, deaf_since=desk.now - 600) == []
    assert await causes(desk) == [Cause.DEAF]
    assert await look(desk, heard_for=90 * MINUTE + 1) != []
    assert await causes(desk) == [Cause.MACHINE_SILENT]
    assert await look(desk, heard_for=0) == []
    assert await causes(desk) == [Cause.MACHINE_SILENT]


async def test_an_inactive_machine_and_one_without_limit_are_left_alone(till: Till) -> None:
    desk = till.desk
    await seen(desk)
    till.advance(2 * HOUR)
    assert len(await look(desk)) == 1
    await desk.tx(lambda tx: thresholds.put(tx, 1, {"silent_minutes": 0}))
    assert (await look(desk))[0].startswith("Over: ")
    await desk.tx(lambda tx: thresholds.put(tx, 1, {"silent_minutes": 1}))
    till.advance(HOUR)
    assert len(await look(desk)) == 1
    await desk.told(BOSS, "machine set sintra active=off")
    assert (await look(desk))[0].startswith("Over: ")


async def test_cash_runs_low_then_out_and_is_refilled(loose: Till) -> None:
    desk = loose.desk
    await bay(desk, 51)
    assert await look(desk) == []
    await bay(desk, 50)
    assert (await look(desk))[0].startswith("sintra: bay 1 (Q20.00) is low, notes left: 50.")
    await bay(desk, 49)
    assert await look(desk) == []
    (known,) = await open_alarms(desk)
    assert known.facts["count"] == 49
    await bay(desk, 0)
    assert (await look(desk))[0].startswith("sintra: bay 1 (Q20.00) is empty.")
    await bay(desk, 500)
    assert (await look(desk))[0].startswith("Over: sintra: bay 1")
    assert [each.subject for each in await desk.tx(lambda tx: alarms.of_machine(tx, 1))] == []


async def test_what_the_machine_says_of_its_cash_counts_where_no_bay_explains_it(loose: Till) -> None:
    desk = loose.desk
    await bay(desk, 500)
    await cash_level(desk, "ok")
    assert await look(desk) == []
    await cash_level(desk, "low")
    assert (await look(desk))[0].startswith("sintra says that its cash is low.")
    await bay(desk, 3)
    assert (await look(desk))[0].startswith("sintra: bay 1")
    assert len(await open_alarms(desk)) == 2
    assert {each.subject for each in await desk.tx(lambda tx: alarms.of_machine(tx, 1))} == {"machine:1", "bay:1:1"}
    await cash_level(desk, "full")
    await bay(desk, 500)
    assert len(await look(desk)) == 1
    assert await causes(desk) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"box_minor": 899_99, "limit_minor": 1_000_00}, None),
        ({"box_minor": 900_00, "limit_minor": 1_000_00}, "the box for cash-in is nearly full, Q900.00 of Q1,000.00"),
        ({"box_minor": 900_00, "limit_minor": None}, None),
        ({"gap_minor": -40_00, "gap_since": HOUR - 1}, None),
        ({"gap_minor": -40_00, "gap_since": HOUR}, "Q40.00 of cash less than deposits explain"),
        ({"gap_minor": 40_00, "gap_since": HOUR}, "Q40.00 of cash more than deposits explain"),
    ],
)
async def test_a_box_that_is_full_and_cash_that_nothing_explains(
    loose: Till, values: dict[str, int | None], words: str | None
) -> None:
    if values.get("gap_since") is not None:
        values = {**values, "gap_since": loose.now - int(values["gap_since"] or 0)}
    await box(loose.desk, **values)
    told = await look(loose.desk)
    assert [words in text for text in told] == [True] if words else told == []
    await box(loose.desk)
    assert [text.startswith("Over: ") for text in await look(loose.desk)] == [True] * len(told)


async def test_a_machine_that_does_not_use_our_fees(till: Till) -> None:
    """Three in a row that are proven, whatever the other direction charges, and over with the first that is right."""
    wrong: dict[str, Any] = {"tx_type": "cash_in", "fee_sats": 6_000, "wire_sats": 94_000}
    right: dict[str, Any] = {"tx_type": "cash_in", "wire_sats": 92_000}

    async def sale(number: int, *, proven: bool = True, **changes: Any) -> list[str]:
        till.advance(1)
        await till.receive(report(hash_of(number), **changes))
        if proven:
            await till.prove(number)
        return [text for text in await look(till.desk) if "other fees" in text]

    for number in (1, 3):
        assert await sale(number, **wrong) == []
        assert await sale(number + 1) == []
    assert await sale(5, proven=False, **wrong) == []
    assert len(await sale(6, **wrong)) == 1
    assert await sale(7) == []
    assert await sale(8, proven=False, **right) == []
    (over,) = await sale(9, **right)
    assert over.startswith("Over: sintra charges other fees")


async def test_a_gap_that_becomes_another_is_not_over(loose: Till) -> None:
    """It was told; it grows, and is told again when it has doubled, or with a reminder; where it turns round, nothing
    is said until that has lasted."""
    desk = loose.desk
    await box(desk, gap_minor=-40_00, gap_since=loose.now - HOUR)
    assert len(await look(desk)) == 1
    await box(desk, gap_minor=-79_00, gap_since=loose.now - HOUR)
    assert await look(desk) == []
    await box(desk, gap_minor=-80_00, gap_since=loose.now - HOUR)
    assert "Q80.00 of cash less" in (await look(desk))[0]
    await box(desk, gap_minor=-90_00, gap_since=loose.now)
    assert await look(desk) == []
    assert await causes(desk) == [Cause.CASH_GAP]


async def test_a_machine_whose_cash_goes_up_and_down_does_not_flood(loose: Till) -> None:
    told = []
    for number in range(60):
        loose.advance(30)
        await cash_level(loose.desk, "empty" if number % 2 else "low")
        told += await look(loose.desk)
    assert [text.splitlines()[0] for text in told] == [
        "sintra says that its cash is low.", "sintra says that it is out of cash.",
    ]  # fmt: skip


async def test_reports_that_miss_every_minute_are_told_once_and_with_the_reminder(till: Till) -> None:
    for number in range(1, 81):
        till.advance(60)
        await till.receive(report(hash_of(number), seq=2 * number))
        await till.prove(number)
        await till.desk.tx(lambda tx: missing_reports.tell(tx, {BOSS}, till.now))
        await look(till.desk)
    told = [text.splitlines()[0] for text in await till.told() if "never came" in text]
    assert [text.partition(" of its")[0] for text in told] == ["sintra: reports 3", "Still: sintra: some"]


async def test_reports_that_never_came_are_one_alarm_until_they_come(till: Till) -> None:
    async def came(seq: int) -> None:
        await till.receive(report(hash_of(seq), seq=seq))

    async def house() -> None:
        await till.desk.tx(lambda tx: missing_reports.tell(tx, {BOSS}, till.now))

    for seq in (1, 3):
        await came(seq)
    till.advance(GAP_SECONDS)
    assert await look(till.desk) == []
    await house()
    assert await look(till.desk) == []
    assert await causes(till.desk) == [Cause.REPORTS_MISSING]
    await came(2)
    (told,) = await look(till.desk)
    assert told == "Over: sintra: some of its reports never came."
    await came(5)
    till.advance(GAP_SECONDS)
    await house()
    await seen(till.desk, till.now + KEEP_SECONDS)
    till.advance(KEEP_SECONDS)
    await house()
    assert not any("reports" in text for text in await look(till.desk))
    assert Cause.REPORTS_MISSING not in await causes(till.desk)
    assert await till.desk.tx(sequences.machines_missing) == []


# --- wallets ---------------------------------------------------------------------------------------------------------


async def test_a_wallet_that_gives_no_answer(till: Till) -> None:
    """Only after the process has waited for it; a restart neither raises nor clears it."""
    desk, silent = till.desk, {"main": 15 * MINUTE + 1}
    await till.balance(1_000_000)
    till.advance(HOUR)
    assert await look(desk, wallets={"main": 15 * MINUTE}) == []
    (told,) = await look(desk, wallets=silent)
    assert told.startswith("Wallet main has not answered since ")
    assert await look(desk, wallets={"main": 0}) == []
    assert await causes(desk) == [Cause.WALLET_UNREACHABLE]
    await till.balance(1_000_000)
    assert (await look(desk, wallets={"main": 0}))[0].startswith("Over: Wallet main has not answered")


async def test_a_wallet_of_no_machine_may_be_silent_and_empty(till: Till) -> None:
    await till.desk.tx(lambda tx: wallets.set_balance(tx, "second", 0, till.now))
    assert await look(till.desk, wallets={"second": DAY, "main": 0}) == []


async def test_a_wallet_of_no_machine_with_something_open_is_looked_at(owed: Till) -> None:
    desk = owed.desk
    await owed.balance(5_000)
    await desk.tx(lambda tx: tx.run("UPDATE machines SET active = 0").rowcount)
    owed.advance(HOUR)
    await look(desk, wallets={"main": 15 * MINUTE + 1})
    assert {Cause.WALLET_UNREACHABLE, Cause.WALLET_LOW} <= set(await causes(desk))


async def test_one_a_minute_that_is_not_proven_is_no_flood(till: Till) -> None:
    await till.balance(1_000_000)
    told = []
    for number in range(1, 76):
        till.advance(MINUTE)
        await till.receive(report(hash_of(number)))
        told += [text.splitlines()[0] for text in await look(till.desk)]
    assert len(told) == MOST_NEW
    till.advance(MINUTE * 16)
    told = await look(till.desk)
    assert [text.splitlines()[0] for text in told] == [
        "Alarms: 35 × transaction not proven.", "Still wrong: 10 × transaction not proven.",
    ]  # fmt: skip


async def test_what_a_silent_wallet_can_not_prove_is_told_with_the_wallet(till: Till) -> None:
    desk, silent = till.desk, {"main": 2 * HOUR}
    await till.balance(1_000_000)
    till.advance(HOUR)
    await till.receive(report(hash_of(1)))
    assert len(await look(desk, wallets=silent)) == 1
    till.advance(31 * MINUTE)
    await look(desk, wallets=silent)
    assert Cause.SETTLEMENT_UNVERIFIED not in await causes(desk)
    await till.balance(1_000_000)
    await look(desk)
    assert Cause.SETTLEMENT_UNVERIFIED in await causes(desk)


async def test_a_wallet_that_runs_low(till: Till) -> None:
    desk = till.desk
    await till.balance(100_000)
    assert await look(desk) == []
    await till.balance(99_999)
    assert (await look(desk))[0].startswith("Wallet main is low: 99,999 sats.")
    await desk.tx(lambda tx: thresholds.put(tx, 1, {"wallet_low_sats": 50_000}))
    assert (await look(desk))[0].startswith("Over: ")
    await till.balance(49_000)
    assert await look(desk) == [], "it came back within the hour"
    assert await causes(desk) == [Cause.WALLET_LOW]


async def test_a_wallet_that_is_stopped_is_one_alarm_with_its_own_words(owed: Till) -> None:
    """Told at once by who finds it; reminded like any other; of what it has not in it nobody hears twice."""
    desk = owed.desk
    await owed.balance(8_000)
    await owed.answer(await owed.sent(3, 1), "INSUFFICIENT_BALANCE")
    assert await causes(desk) == [Cause.WALLET_NO_BALANCE]
    assert await look(desk) == []
    owed.advance(HOUR)
    (told,) = [text for text in await look(desk) if "Wallet" in text]
    assert "Wallet main is stopped: too few sats" in told
    assert Cause.WALLET_LOW not in await causes(desk)
    await owed.balance(1_000_000)
    assert "1,000,000 sats: payments from it go on" in (await owed.told())[-1]
    assert Cause.WALLET_NO_BALANCE not in await causes(desk)


async def test_a_pause_that_somebody_ended_otherwise_does_not_stay_an_alarm(owed: Till) -> None:
    await owed.answer(await owed.sent(3, 1), "QUOTA_EXCEEDED")
    await owed.desk.tx(lambda tx: wallets.resume(tx, "main"))
    assert "Over: Wallet main is stopped: the connection's budget is used up." in await look(owed.desk)


# --- payments, transactions, deposits --------------------------------------------------------------------------------


async def test_a_payment_in_doubt(owed: Till) -> None:
    await owed.sent(3, 1)
    owed.advance(15 * MINUTE - 1)
    assert await look(owed.desk) == []
    owed.advance(1)
    (told,) = await look(owed.desk)
    assert told.startswith("P3 is in doubt: 75,000 sats, sent at ")
    await owed.learn(1)
    assert (await look(owed.desk))[0].startswith("Over: P3 is in doubt")


async def test_transactions_that_are_stuck_or_not_proven(till: Till) -> None:
    await till.receive(report(hash_of(1)))
    await till.desk.cash_out(2)
    till.advance(30 * MINUTE)
    told = sorted(await look(till.desk))
    assert [text.split(" since ")[0] for text in told] == ["S1 at sintra is not proven", "S2 at sintra is stuck"]
    await till.prove(1)
    await till.desk.distribute()
    (over,) = await look(till.desk)
    assert over.splitlines()[0] == "Over: 1 × transaction stuck, 1 × transaction not proven."


@pytest.mark.parametrize("by", ["pause", "hold", "wallet"])
async def test_what_waits_for_a_known_reason_is_not_stuck(till: Till, by: str) -> None:
    await till.desk.cash_out(1)

    def stop(tx: Tx) -> None:
        if by == "pause":
            switches.say(tx, switches.of_machine(1), Switch(True, till.now, BOSS, None))
        elif by == "hold":
            holds.put(tx, holds.BOOKS, "the rule x is broken by S1: y", till.now)
        else:
            wallets.pause(tx, "main", "no_balance", 0, till.now)

    await till.desk.tx(stop)
    till.advance(HOUR)
    assert await look(till.desk) == []


async def test_a_deposit_that_nobody_confirms(till: Till) -> None:
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="300")
    till.advance(48 * HOUR - 1)
    assert [text for text in await look(till.desk) if "D" in text.split()[0]] == []
    till.advance(1)
    (told,) = [text for text in await look(till.desk) if text.startswith(made["id"])]
    assert told.startswith(f"{made['id']}: Q300.00 of ana at sintra is not confirmed since ")
    await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    assert any("is not confirmed" in text and text.startswith("Over") for text in await look(till.desk))


async def test_a_settlement_in_an_operators_hands_is_on_the_worklist_and_no_alarm(owed: Till) -> None:
    for leg_id in (1, 2, 3, 4):
        await owed.desk.fail_leg(leg_id)
    await owed.desk.tx(lambda tx: settlements.set_status(tx, 1, SettlementStatus.ERRORED, owed.now))
    owed.advance(HOUR)
    assert await look(owed.desk) == []


# --- around the bot --------------------------------------------------------------------------------------------------

ONE = "wss://one.example"


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        ({"clock": Clock.AHEAD}, "The clock of my server is ahead."),
        ({"clock": Clock.BEHIND}, "The clock of my server is behind."),
        ({"disk_free_mb": 499}, "The disk of my server is nearly full: less than 500 MB are free."),
        ({"relays": {ONE: Down(1_790_000_000, 601)}}, f"Relay {ONE} is down since "),
    ],
)
async def test_the_clock_the_disk_the_relays(till: Till, outside: dict[str, Any], words: str) -> None:
    (told,) = await look(till.desk, **outside)
    assert told.startswith(words)
    unclear = {"clock": Clock.UNKNOWN, "disk_free_mb": None, "relays": {ONE: Down(till.now, 5)}}
    assert await look(till.desk, **unclear) == []
    assert len(await open_alarms(till.desk)) == 1
    (over,) = await look(till.desk, relays={ONE: None})
    assert over.startswith(f"Over: {words.strip('.')}")


@pytest.mark.parametrize("outside", [{"disk_free_mb": 500}, {"relays": {ONE: Down(1_790_000_000, 600)}}])
async def test_what_is_just_enough(till: Till, outside: dict[str, Any]) -> None:
    assert await look(till.desk, **outside) == []


async def test_a_deaf_bot_tells_only_services_outside(till: Till) -> None:
    """A message would wait for the relays, and what they bring back is told then (`notice silence`)."""
    assert await look(till.desk, deaf_since=till.now - 200) == []
    assert await causes(till.desk) == [Cause.DEAF]
    assert await look(till.desk) == []
    assert await causes(till.desk) == []


async def test_a_relay_that_withholds_is_one_alarm_until_it_delivers(till: Till) -> None:
    async def note(*, withholding: list[str], delivering: list[str]) -> None:
        await till.desk.tx(
            lambda tx: relay_trouble.note_delivery(
                tx, withholding=withholding, delivering=delivering, operators={BOSS}, now=till.now
            )
        )

    for _ in range(3):
        await note(withholding=[ONE], delivering=[])
    assert len(await till.told()) == 1
    assert await look(till.desk, relays={ONE: None}) == []
    assert await causes(till.desk) == [Cause.RELAY_WITHHOLDS]
    await note(withholding=[], delivering=[ONE])
    assert (await till.told())[-1] == f"Over: Relay {ONE} delivers nothing."
    await note(withholding=[ONE], delivering=[])
    assert len(await till.told()) == 2, "within the hour"
    await look(till.desk)
    assert await causes(till.desk) == [], "it is no longer configured"


async def test_a_hold_is_one_alarm_until_it_is_lifted(owed: Till) -> None:
    desk = owed.desk

    def hold(tx: Tx) -> None:
        holds.put(tx, holds.PAST, "the database is older than the witness", owed.now)
        telling.raise_(tx, Cause.PAST, "", {"why": "x", "since": 1, "witnessed": True}, {BOSS}, owed.now)

    await desk.tx(hold)
    await look(desk)
    assert await causes(desk) == [Cause.PAST]
    owed.advance(HOUR)
    assert any("The database is from the past" in text for text in await look(desk))
    await desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert Cause.PAST not in await causes(desk)
    await look(desk)
    await desk.tx(lambda tx: telling.raise_(tx, Cause.PAST, "", {"why": "x", "since": 1, "witnessed": True}, {BOSS}, 5))
    assert len([text for text in await owed.told() if "How far it is: forgotten list" in text]) >= 2
