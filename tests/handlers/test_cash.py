"""Cash follows settlements, refills and counts: each once, and what does not add up shows."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import structlog

from handlers import cash
from handlers.payment import Go
from ledger.cash import DAY
from ledger.states import SettlementStatus
from nwc.proof_of_payment import Payment
from tests.handlers.atm import Atm
from tests.handlers.desk import BOSS, Desk
from tests.handlers.till import CASH_IN, Till, report
from tests.ledger.build import hash_of

BAYS = {1: (20, 100), 2: (50, 40), 3: (20, 50)}
"""Q5,000; the shop's LPs have deposited Q2,000."""


@pytest.fixture
async def atm(till: Till) -> Atm:
    made = Atm(till.desk)
    await made.state(BAYS)
    return made


async def sold(till: Till, number: int = 1, **changes: Any) -> int:
    """A proven cash-out of Q2,000.00, or what `changes` make of it; its id."""
    came = await till.receive(report(hash_of(number), **changes))
    assert came == "new"
    assert await till.prove(number) is SettlementStatus.PENDING
    return number


async def listed(desk: Desk) -> dict[str, Any]:
    return await desk.ask(BOSS, "cassette.list", machine="sintra")


async def test_nothing_moves_before_a_payment_is_proven(till: Till, atm: Atm) -> None:
    await till.receive(report(hash_of(1)))
    await till.prove(1, Payment.NOT_SETTLED)
    assert await atm.counts() == {1: 100, 2: 40, 3: 50}
    await till.receive(report(hash_of(2)))
    await till.prove(2, Payment.WRONG_AMOUNT)
    assert len(await atm.moves()) == len(BAYS)


async def test_a_cash_out_takes_the_notes_that_the_machine_names(till: Till, atm: Atm) -> None:
    cassettes = {"1": {"denomination": 20, "dispensed": 25}, "3": {"denomination": 20, "dispensed": 75}}
    await sold(till, cassettes=cassettes, bills={"50": 40})
    assert await atm.counts() == {1: 75, 2: 40, 3: 0}
    assert (await atm.box()).unplaced_minor == 50_000
    moves = await atm.moves(1)
    assert [(move.kind, move.position, move.notes, move.amount_minor, move.assumed) for move in moves] == [
        ("dispensed", 1, -25, -50_000, False),
        ("dispensed", 3, -50, -100_000, False),
        ("dispensed", None, None, -50_000, False),
    ]
    assert {move.who for move in moves} == {atm.pubkey}
    assert "Q500.00 went out of no known bay" in await till.desk.told(BOSS, "cassettes sintra")


async def test_or_the_bills_or_what_makes_the_amount(till: Till, atm: Atm) -> None:
    await sold(till, 1, bills={"20": 75, "50": 10})
    assert await atm.counts() == {1: 25, 2: 30, 3: 50}
    await sold(till, 2)
    assert await atm.counts() == {1: 0, 2: 0, 3: 50}
    assert [move.assumed for move in await atm.moves(2)] == [True, True]
    await sold(till, 3)
    assert await atm.counts() == {1: 0, 2: 0, 3: 50}
    assert (await atm.box()).unplaced_minor == 200_000


@pytest.mark.parametrize(
    "notes",
    [
        {"cassettes": {"1": {"denomination": 20, "dispensed": -3}}},
        {"cassettes": {"1": 7}},
        {"cassettes": {"x": {"denomination": 20, "dispensed": 1}}},
        {"cassettes": {"1": {"denomination": 20.5, "dispensed": 1}}},
        {"cassettes": {str(place): {"denomination": 10**9, "dispensed": 10**6} for place in range(1, 65)}},
        {"bills": {"20": "3"}},
        {"bills": {"zwanzig": 3}},
        {"bills": {str(10**9 - each): 10**6 for each in range(60)}},
        {"bills": {}, "cassettes": {}},
    ],
)
async def test_what_can_not_be_read_of_the_notes_is_as_if_left_out(till: Till, atm: Atm, notes: dict[str, Any]) -> None:
    await sold(till, **notes)
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}


async def test_a_cash_out_moves_cash_once(till: Till, atm: Atm) -> None:
    body = report(hash_of(1))
    event = till.event()
    for repeat in (False, True, True):
        await till.receive(body, event=event, repeat=repeat)
    await till.receive(body)
    for _ in range(2):
        await till.prove(1)
    await till.receive(body)
    await till.desk.distribute()
    await till.desk.fail_leg(1)
    await till.desk.ask(BOSS, "settlement.show", settlement="S1")
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}
    assert len(await atm.moves(1)) == 1


async def test_what_is_proven_a_second_time_moves_nothing(till: Till, atm: Atm) -> None:
    """And the database refuses it: a second move of one settlement at one place."""
    await sold(till, 1)
    await till.receive(report(hash_of(2), **CASH_IN))
    await till.prove(2)
    before = await atm.moves()
    for number in (1, 2):
        found = await till.settlement(number)
        await till.desk.tx(lambda tx, found=found: cash.proven(tx, found, who=BOSS, now=till.now))  # type: ignore[misc]
    assert await atm.moves() == before
    again = (
        "INSERT INTO cash_moves (machine_id, at, kind, position, amount_minor, who, settlement_id)"
        " SELECT machine_id, at, kind, position, amount_minor, who, settlement_id FROM cash_moves"
        " WHERE settlement_id = ?"
    )
    for number in (1, 2):
        with pytest.raises(sqlite3.IntegrityError, match="cash_moves_once"):
            await till.desk.tx(lambda tx, number=number: tx.run(again, (number,)).rowcount)  # type: ignore[misc]


async def test_cash_in_fills_the_box(till: Till, atm: Atm) -> None:
    await till.receive(report(hash_of(1), **CASH_IN))
    assert (await atm.box()).box_minor == 0
    await till.prove(1)
    box = await atm.box()
    assert (box.box_minor, box.explained_minor) == (200_000, 200_000)
    (move,) = await atm.moves(1)
    assert (move.kind, move.position, move.amount_minor) == ("inserted", None, 200_000)
    assert await atm.counts() == {1: 100, 2: 40, 3: 50}


async def test_without_bays_nothing_is_known_of_them(till: Till) -> None:
    """A machine may report its cassettes late, or never."""
    atm = Atm(till.desk)
    await sold(till, 1)
    await till.receive(report(hash_of(2)))
    assert await atm.moves() == []
    await atm.state(BAYS)
    await till.prove(2)
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}
    await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.5", note="jam", confirm=True)
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}, "what it took before is not in what was found"


async def test_what_was_not_dispensed_lies_in_its_bay(till: Till, atm: Atm) -> None:
    await sold(till, cassettes={"2": {"denomination": 50, "dispensed": 30}})
    assert (await atm.counts(), (await atm.box()).unplaced_minor) == ({1: 100, 2: 10, 3: 50}, 50_000)
    for fraction, counts, unplaced in (("0.5", 20, 0), ("1", 10, 50_000), ("0.4", 24, 0), ("0.4", 24, 0)):
        await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction=fraction, note="jam", confirm=True)
        box = await atm.box()
        assert box.gap_minor == 300_000, "what is believed follows what LPs' books say"
        assert (await atm.counts())[2] * 5_000 - box.unplaced_minor == counts * 5_000 - unplaced
    assert {move.kind for move in await atm.moves(1)} == {"dispensed", "not_dispensed"}
    assert (await atm.moves(1))[-1].who == BOSS


async def test_a_customer_who_gets_everything_back_got_no_cash(till: Till, atm: Atm) -> None:
    await sold(till, 1)
    refund = {"settlement": "S1", "target": "customer@example.com", "note": "jam"}
    await till.desk.ask(BOSS, "settlement.refund", **refund, sats=1_000, confirm=True)
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}
    assert (await atm.box()).gap_minor == 100_000, "LPs' books say that all of it is there"
    await till.desk.ask(BOSS, "settlement.refund", **refund, confirm=True)
    assert await atm.counts() == {1: 100, 2: 40, 3: 50}
    assert (await atm.box()).gap_minor == 300_000
    await sold(till, 2)
    await till.desk.ask(BOSS, "settlement.partial", settlement="S2", fraction="0.5", note="jam", confirm=True)
    await till.desk.ask(BOSS, "settlement.refund", **{**refund, "settlement": "S2"}, confirm=True)
    assert await atm.counts() == {1: 100, 2: 20, 3: 50}, "how much was dispensed the operator had said"


async def test_what_was_counted_meanwhile_stays(till: Till, atm: Atm) -> None:
    """The operator opens the machine first: the notes that jammed are in what was counted."""
    await sold(till, cassettes={"1": {"denomination": 20, "dispensed": 50}, "2": {"denomination": 50, "dispensed": 20}})
    await till.desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=40)
    await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.5", note="jam", confirm=True)
    assert await atm.counts() == {1: 50, 2: 40, 3: 50}
    assert (await atm.box()).gap_minor == 400_000 - 100_000
    await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.1", note="jam", confirm=True)
    assert await atm.counts() == {1: 90, 2: 40, 3: 50}
    await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="1", note="no jam", confirm=True)
    assert await atm.counts() == {1: 50, 2: 40, 3: 50}


@pytest.mark.parametrize(
    ("notes", "bays"),
    [
        ({"cassettes": {"1": {"denomination": 20, "dispensed": 100}}}, (1,)),
        (
            {"cassettes": {"1": {"denomination": 20, "dispensed": 60}, "2": {"denomination": 50, "dispensed": 16}}},
            (1, 2),
        ),
        ({"bills": {"20": 100}}, (1, 2, 3)),
        ({}, (1, 2, 3)),
    ],
)
async def test_what_was_counted_before_the_proof_stays(
    till: Till, atm: Atm, notes: dict[str, Any], bays: tuple[int, ...]
) -> None:
    """The wallet is slow to show the payment, and the operator counts meanwhile what the sale has left."""
    till.advance(100)
    await till.receive(report(hash_of(1), created_at=till.now, **notes))
    till.advance(100)
    for bay in bays:
        await till.desk.ask(BOSS, "cassette.set", machine="sintra", position=bay, count=5)
    counts = {place: 5 if place in bays else count for place, (_, count) in BAYS.items()}
    till.advance(100)
    await till.prove(1)
    assert (await atm.counts(), (await atm.box()).unplaced_minor) == (counts, 0)
    assert await till.violations() == []
    await sold(till, 2, created_at=till.now, bills={"50": 1, "20": 1})
    assert (await atm.counts())[2] == counts[2] - 1, "a later sale takes from what was counted"
    await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.5", note="jam", confirm=True)
    assert sum((await atm.counts()).values()) == sum(counts.values()) - 2, "what jammed was counted, too"


@pytest.mark.parametrize(
    ("reported", "counts"),
    [
        (-60, {1: 0, 2: 40, 3: 50}),
        (40, {1: 100, 2: 40, 3: 50}),
        (-40 * DAY, {1: 0, 2: 40, 3: 50}),
    ],
)
async def test_a_sale_before_the_first_state_is_not_in_it(till: Till, reported: int, counts: dict[int, int]) -> None:
    """By the time at which the machine said so: relays keep a state for as long as it is the newest."""
    atm = Atm(till.desk)
    await till.receive(report(hash_of(1), created_at=till.now, cassettes={"1": {"denomination": 20, "dispensed": 100}}))
    till.advance(60)
    await atm.state(BAYS, ago=60 - reported)
    till.advance(60)
    await till.prove(1)
    assert await atm.counts() == counts
    assert await till.violations() == []


@pytest.mark.parametrize(("said_ago", "left"), [(200, 100), (50, 0), (50 * DAY, 0)])
async def test_a_report_may_come_late(till: Till, atm: Atm, said_ago: int, left: int) -> None:
    """What the machine says of when it sold counts, if its clock can be believed."""
    till.advance(1_000)
    await till.desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=100)
    till.advance(100)
    notes = {"1": {"denomination": 20, "dispensed": 100}}
    await sold(till, created_at=till.now - said_ago, cassettes=notes)
    assert (await atm.counts())[1] == left


async def test_a_box_that_was_emptied_before_the_proof_stays_empty(till: Till, atm: Atm) -> None:
    await till.receive(report(hash_of(1), created_at=till.now, **CASH_IN))
    till.advance(60)
    await till.desk.ask(BOSS, "box.empty", machine="sintra", amount="2000")
    await till.receive(report(hash_of(2), created_at=till.now, **CASH_IN))
    for number in (1, 2):
        await till.prove(number)
    assert (await atm.box()).box_minor == 200_000
    assert await till.violations() == []


async def test_a_refund_of_a_part_says_nothing_of_the_cash(till: Till, atm: Atm) -> None:
    """120 notes went out for the price of 100: they are not back because a fee is refunded."""
    await till.desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=200)
    await sold(till, cassettes={"1": {"denomination": 20, "dispensed": 120}})
    refund: dict[str, Any] = {"settlement": "S1", "target": "customer@example.com", "note": "fee", "confirm": True}
    await till.desk.ask(BOSS, "settlement.refund", **refund, sats=1_000)
    assert (await atm.counts())[1] == 80
    assert await till.violations() == []
    await till.desk.ask(BOSS, "settlement.refund", **refund)
    assert (await atm.counts())[1] == 200


@pytest.mark.parametrize("said", ["cassettes", "bills"])
async def test_far_more_notes_than_were_paid_for_are_as_if_left_out(till: Till, atm: Atm, said: str) -> None:
    many: dict[str, Any] = {"bills": {"20": 1_001}, "cassettes": {"1": {"denomination": 20, "dispensed": 1_001}}}
    await sold(till, **{said: many[said]})
    assert (await atm.counts(), (await atm.box()).unplaced_minor) == ({1: 100, 2: 0, 3: 50}, 0)


async def test_no_payment_depends_on_what_is_believed_of_cash(till: Till, atm: Atm) -> None:
    """A fault of the cash ledger is undone by itself and logged; `verify` shows it, and it holds nothing."""
    for jammed in ("INSERT ON cash_moves WHEN NEW.settlement_id IS NOT NULL", "UPDATE OF gap_minor ON boxes"):
        trigger = f"CREATE TRIGGER {jammed.split()[0]}_jammed BEFORE {jammed} BEGIN SELECT RAISE(ABORT, 'jammed'); END"
        await till.desk.tx(lambda tx, trigger=trigger: tx.run(trigger).rowcount)  # type: ignore[misc]
    await till.receive(report(hash_of(1)))
    with structlog.testing.capture_logs() as lines:
        assert await till.prove(1) is SettlementStatus.PENDING
        await till.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.5", note="jam", confirm=True)
    assert [line["event"] for line in lines] == ["left_undone", "left_undone"]
    assert await atm.counted("cash_faults") == 2
    assert [status for _, status, _ in await till.receipts()] == ["accepted"] * 2
    assert (await atm.counts(), await atm.moves(1)) == ({1: 100, 2: 40, 3: 50}, [])
    (wrong,) = await till.violations()
    assert "cash_not_moved" in wrong
    await till.desk.distribute()
    assert await till.open(1) is Go.YES
    for name in ("INSERT_jammed", "UPDATE_jammed"):
        await till.desk.tx(lambda tx, name=name: tx.run(f"DROP TRIGGER {name}").rowcount)  # type: ignore[misc]
    found = await till.settlement(1)
    await till.desk.tx(lambda tx: cash.proven(tx, found, who=BOSS, now=till.now))


async def test_a_hand_entry_moves_cash(till: Till, atm: Atm) -> None:
    entry = {
        "machine": "sintra", "tx_type": "cash_out", "wire_sats": 108_000, "principal_sats": 100_000,
        "fee_sats": 8_000, "fiat_amount": "2000", "exchange_rate": "50", "note": "by hand",
    }  # fmt: skip
    await till.desk.ask(BOSS, "settlement.add", **entry, confirm=True)
    assert await atm.counts() == {1: 100, 2: 0, 3: 50}
    assert {move.who for move in await atm.moves(1)} == {BOSS}
    await till.desk.ask(BOSS, "settlement.add", **entry, payment_hash=hash_of(7), confirm=True)
    assert len(await atm.moves(2)) == 0
    await till.prove(2)
    assert await atm.counts() == {1: 0, 2: 0, 3: 50}


async def test_a_deposit_fills_bays(till: Till, atm: Atm) -> None:
    for amount, bays, counts in (
        ("2000", "1=50 2=20", {1: 150, 2: 60, 3: 50}),
        ("400", "3", {1: 150, 2: 60, 3: 70}),
        ("100", "1=5,2=0", {1: 155, 2: 60, 3: 70}),
    ):
        made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount=amount)
        done = await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"], bays=bays)
        assert {int(place): each["count"] for place, each in done["cassettes"].items()} == counts
    assert await atm.counts() == counts
    box = await atm.box()
    assert (box.explained_minor, box.gap_minor) == (450_000, 300_000)
    refills = [move for move in await atm.moves() if move.kind == "refilled"]
    assert [(move.position, move.notes, move.deposit_id) for move in refills] == [
        (1, 50, 3),
        (2, 20, 3),
        (3, 20, 4),
        (1, 5, 5),
    ]
    told = await till.desk.told(BOSS, "deposit sintra ana 100")
    assert "D6" in told
    told = await till.desk.told(BOSS, 'deposit confirm D6 bays="2=2"')
    assert told.splitlines()[-1] == "Notes in the bays: 2: +2 = 62"


@pytest.mark.parametrize(
    ("bays", "code"),
    [
        ("1=50", "bad_request"),
        ("1=100 1=0", "bad_request"),
        ("4=100", "not_found"),
        ("4", "not_found"),
        ("1=-5", "bad_request"),
        ("1=x", "bad_request"),
        ("", "bad_request"),
        ("1=1 2=99999999", "bad_request"),
        ("9" * 2_000, "bad_request"),
    ],
)
async def test_a_refill_that_does_not_fit_is_refused(till: Till, atm: Atm, bays: str, code: str) -> None:
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000")
    error = await till.desk.refused(BOSS, "deposit.confirm", deposit=made["id"], bays=bays)
    assert (error["code"], error["field"]) == (code, "bays")
    assert await atm.counts() == {1: 100, 2: 40, 3: 50}
    shown = await till.desk.ask(BOSS, "deposit.list")
    assert shown["items"][0]["status"] == "pending"


async def test_a_refill_needs_whole_notes_and_bays(till: Till) -> None:
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2010")
    error = await till.desk.refused(BOSS, "deposit.confirm", deposit=made["id"], bays=1)
    assert error["code"] == "bad_state"
    await Atm(till.desk).state(BAYS)
    error = await till.desk.refused(BOSS, "deposit.confirm", deposit=made["id"], bays=1)
    assert "notes of 20" in error["message"]
    done = await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"], amount="2000", bays=1)
    assert (done["amount"], done["cassettes"]["1"]["count"]) == ("2000.00", 200)


async def test_the_gap_tells_since_when(till: Till, atm: Atm) -> None:
    desk, began = till.desk, till.now
    shown = await listed(desk)
    assert (shown["believed"], shown["explained"], shown["gap"], shown["gap_since"]) == (
        "5000.00",
        "2000.00",
        "3000.00",
        began,
    )
    till.advance(100)
    await sold(till)
    shown = await listed(desk)
    assert (shown["believed"], shown["explained"], shown["gap"], shown["gap_since"]) == (
        "3000.00",
        "0.00",
        "3000.00",
        began,
    )
    till.advance(100)
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="3000")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    shown = await listed(desk)
    assert (shown["gap"], shown["gap_since"]) == ("0.00", None)
    assert "LPs' deposits less what was dispensed: the same." in await desk.told(BOSS, "cassettes sintra")
    till.advance(100)
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=95)
    missing_since = till.now
    till.advance(100)
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=90)
    shown = await listed(desk)
    assert (shown["gap"], shown["gap_since"]) == ("-200.00", missing_since), "a gap that grows is as old as it was"
    assert "Q200.00 is missing" in await desk.told(BOSS, "cassettes sintra")
    assert "Q200.00 is missing" in await desk.told(BOSS, "show sintra")
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=101)
    shown = await listed(desk)
    assert (shown["gap"], shown["gap_since"]) == ("20.00", till.now), "too much is another one"


async def test_the_forecast_goes_by_the_last_weeks(till: Till, atm: Atm) -> None:
    for number in range(1, 5):
        till.advance(DAY)
        await sold(till, number, bills={"20": 10})
    shown = await listed(till.desk)
    assert {place: each["days_left"] for place, each in shown["cassettes"].items()} == {"1": 11, "2": None, "3": 11}
    assert "11 days left" in await till.desk.told(BOSS, "cassettes sintra")
    assert "11 days left" in await till.desk.told(BOSS, "show sintra")
    till.advance(40 * DAY)
    shown = await listed(till.desk)
    assert {each["days_left"] for each in shown["cassettes"].values()} == {None}


async def test_what_is_stored_of_the_moves_is_what_there_is(till: Till, atm: Atm) -> None:
    """`verify` notices a count that no move explains, and a cash-out without its moves."""
    await sold(till, 1)
    await till.receive(report(hash_of(2), **CASH_IN))
    await till.prove(2)
    assert await till.violations() == []
    for broken, mended in (
        (
            "UPDATE bays SET count = count - 1 WHERE position = 1",
            "UPDATE bays SET count = count + 1 WHERE position = 1",
        ),
        ("UPDATE boxes SET box_minor = box_minor + 5", "UPDATE boxes SET box_minor = box_minor - 5"),
        ("UPDATE boxes SET unplaced_minor = 5", "UPDATE boxes SET unplaced_minor = 0"),
        ("UPDATE boxes SET explained_minor = 5", "UPDATE boxes SET explained_minor = 0"),
        ("UPDATE cash_moves SET settlement_id = NULL WHERE settlement_id = 1",
         "UPDATE cash_moves SET settlement_id = 1 WHERE kind = 'dispensed'"),
        ("UPDATE cash_moves SET settlement_id = NULL WHERE settlement_id = 2",
         "UPDATE cash_moves SET settlement_id = 2 WHERE kind = 'inserted'"),
        ("UPDATE cash_moves SET notes = notes + 1, amount_minor = amount_minor + 5000 WHERE kind = 'dispensed'",
         "UPDATE cash_moves SET notes = notes - 1, amount_minor = amount_minor - 5000 WHERE kind = 'dispensed'"),
    ):  # fmt: skip
        await till.desk.tx(lambda tx, statement=broken: tx.run(statement).rowcount)  # type: ignore[misc]
        assert await till.violations() != [], broken
        await till.desk.tx(lambda tx, statement=mended: tx.run(statement).rowcount)  # type: ignore[misc]
        assert await till.violations() == [], mended
