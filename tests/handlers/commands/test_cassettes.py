"""Bays and boxes as the operator sees them, puts them right, and sends them to the machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.cash import MoveKind
from storage import cash
from storage.cash import Cause
from tests.handlers.atm import TWENTIES, Atm
from tests.handlers.desk import ATM, BOSS, NOW, Desk
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of


@pytest.fixture
async def atm(desk: Desk) -> Atm:
    """Q4,000 in two bays, and nothing that explains it."""
    await desk.with_machine()
    made = Atm(desk)
    await made.state(TWENTIES)
    return made


async def test_list(desk: Desk, atm: Atm) -> None:
    assert await desk.ask(BOSS, "cassette.list", machine="sintra") == {
        "machine": "sintra",
        "currency": "GTQ",
        "reported_at": NOW,
        "cassettes": {
            "1": {
                "denomination": 20, "count": 100, "reported_denomination": 20, "reported_count": 100,
                "differs_since": None, "left_out_since": None, "days_left": None,
            },
            "2": {
                "denomination": 50, "count": 40, "reported_denomination": 50, "reported_count": 40,
                "differs_since": None, "left_out_since": None, "days_left": None,
            },
        },
        "believed": "4000.00",
        "reported": "4000.00",
        "differs_since": None,
        "unplaced": "0.00",
        "explained": "0.00",
        "gap": "4000.00",
        "gap_since": NOW,
        "box": "0.00",
        "box_limit": None,
        "box_emptied_at": None,
        "config_sent_at": None,
        "config_applied_at": None,
    }  # fmt: skip
    assert (await desk.told(BOSS, "cassettes sintra")).splitlines() == [
        "sintra: Q4,000.00 in its bays",
        "Its report of 2026-09-21 14:13 says the same.",
        "1: 100 × 20",
        "2: 40 × 50",
        "LPs' deposits less what was dispensed: Q0.00; Q4,000.00 more is there, since 2026-09-21 14:13",
        "Box: Q0.00",
        "To put one right: cassette set sintra 1 count=…",
    ]


async def test_set_is_believed_and_kept_with_its_author(desk: Desk, atm: Atm) -> None:
    desk.now += 60
    done = await desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=38)
    assert (done["believed"], done["reported"], done["differs_since"]) == ("3900.00", "4000.00", desk.now)
    desk.now += 60
    done = await desk.ask(BOSS, "cassette.set", machine="sintra", position="1", denomination="50")
    assert (done["cassettes"]["1"]["denomination"], done["believed"]) == (50, "6900.00")
    moves = [move for move in await atm.moves() if move.kind == "set"]
    assert [(move.position, move.denomination, move.notes, move.amount_minor, move.who) for move in moves] == [
        (2, 50, -2, -10_000, BOSS),
        (1, 50, 0, 300_000, BOSS),
    ]
    assert await desk.audit() == [("machine add", "sintra"), ("cassette set", "sintra"), ("cassette set", "sintra")]
    assert await desk.count("SELECT instr(before, '\"count\":40') FROM audit WHERE id = 2") > 0
    text = await desk.told(BOSS, "cassettes sintra")
    assert "1: 100 × 50, reported 100 × 20" in text
    assert "2: 38 × 50, reported 40" in text
    assert "says Q2,900.00 less; different since 2026-09-21 14:14" in text
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, denomination=20, count=105)
    assert "says the same amount in other bays" in await desk.told(BOSS, "cassettes sintra")
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=0)
    assert "says Q2,100.00 more" in await desk.told(BOSS, "cassettes sintra")
    assert (await desk.told(BOSS, "cassette set sintra 1 count=100")).splitlines() == [
        "sintra: Q3,900.00 in its bays",
        "1: 100 × 20",
        "2: 38 × 50, reported 40",
        "To tell the machine: cassette publish sintra",
    ]


async def test_only_bays_that_are_there_are_set(desk: Desk, atm: Atm) -> None:
    error = await desk.refused(BOSS, "cassette.set", machine="sintra", position=3, count=1)
    assert (error["code"], error["field"]) == ("not_found", "position")
    assert error["message"] == "sintra has no bay 3: it reported 1, 2"
    error = await desk.refused(BOSS, "cassette.set", machine="sintra", position=1, denomination=10**9, count=10**6)
    assert (error["code"], error["field"]) == ("bad_request", "count")


async def test_what_is_unplaced_goes_by_an_express_word(desk: Desk, atm: Atm) -> None:
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=0)
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=0)
    await desk.cash_out()
    assert (await atm.box()).unplaced_minor == 200_000
    done = await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=30)
    assert (done["unplaced"], done["believed"]) == ("2000.00", "-1400.00")
    done = await desk.ask(BOSS, "cassette.set", machine="sintra", position=1, count=30, unplaced=0)
    assert (done["unplaced"], done["believed"]) == ("0.00", "600.00")
    assert (await atm.moves())[-1].amount_minor == 200_000
    await desk.ask(BOSS, "settlement.refund", settlement="S1", target="a@example.com", note="jam", confirm=True)
    assert (await atm.box()).unplaced_minor == 0, "what was put right by a count is not given back once more"
    await desk.tx(lambda tx: tx.run("UPDATE boxes SET unplaced_minor = -500").rowcount)
    assert "Q5.00 more must be there than the bays show." in await desk.told(BOSS, "cassettes sintra")


async def test_publish_and_whether_it_is_taken(desk: Desk, atm: Atm) -> None:
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=38)
    done = await desk.ask(BOSS, "cassette.publish", machine="sintra")
    assert (done["config_sent_at"], done["config_applied_at"]) == (desk.now, None)
    event = (await desk.outbox_events())[-1]
    assert (event["encrypt_to"], ["d", f"bitspire-cassettes:{ATM}"] in event["tags"]) == (ATM, True)
    assert json.loads(event["content"]) == {
        "v": 1,
        "positions": {"1": {"denomination": 20, "count": 100}, "2": {"denomination": 50, "count": 38}},
    }
    assert "it has not taken yet" in await desk.told(BOSS, "cassettes sintra")
    desk.now += 60
    await atm.state({1: (20, 99), 2: (50, 38)})
    assert (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"] is None
    desk.now += 60
    await atm.state({1: (20, 100), 2: (50, 38)})
    assert (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"] == desk.now
    assert "It took what was sent to it at 2026-09-21 14:13." in await desk.told(BOSS, "cassettes sintra")
    assert "Its next report shows" in await desk.told(BOSS, "cassette publish sintra")
    assert (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"] is None


async def test_it_is_taken_though_notes_went_meanwhile(desk: Desk, atm: Atm) -> None:
    """On both sides: what counts is that the machine says what is believed."""

    async def applied_at() -> Any:
        return (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"]

    await desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=90)
    await desk.ask(BOSS, "cassette.publish", machine="sintra")
    desk.now += 60
    await atm.state({1: (20, 100), 2: (50, 50)})
    assert await applied_at() is None, "it comes before the proof of the sale"
    desk.now += 5
    await desk.cash_out()
    assert await atm.counts() == {1: 100, 2: 50}
    assert await applied_at() == desk.now


async def test_what_it_said_before_a_config_takes_none(desk: Desk, atm: Atm) -> None:
    desk.now += 120
    await desk.ask(BOSS, "cassette.set", machine="sintra", position=2, count=38)
    await desk.ask(BOSS, "cassette.publish", machine="sintra")
    await atm.state({1: (20, 100), 2: (50, 38)}, ago=60)
    assert (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"] is None
    await atm.state({1: (20, 100), 2: (50, 38)}, ago=20)
    assert (await desk.ask(BOSS, "cassette.list", machine="sintra"))["config_applied_at"] == desk.now


async def test_bays_that_are_gone_are_not_sent(desk: Desk, atm: Atm) -> None:
    desk.now += 60
    await atm.state({1: (20, 100)})
    await desk.ask(BOSS, "cassette.publish", machine="sintra")
    event = (await desk.outbox_events())[-1]
    assert json.loads(event["content"])["positions"].keys() == {"1"}
    desk.now += 60
    await atm.state({})
    error = await desk.refused(BOSS, "cassette.publish", machine="sintra")
    assert (error["code"], error["field"]) == ("bad_state", "machine")


async def test_many_bays_stay_within_a_message(desk: Desk, atm: Atm) -> None:
    desk.now += 60
    await atm.state({place: (20, place) for place in range(1, 65)})
    text = await desk.told(BOSS, "cassettes sintra")
    assert len(text.splitlines()) <= 12
    assert "64: 64 × 20" in text
    assert "2: 40 × 50 (reported 2 × 20)" in text
    assert len((await desk.told(BOSS, "cassette set sintra 1 count=5")).splitlines()) <= 12


async def test_the_box(desk: Desk, atm: Atm) -> None:
    await desk.tx(lambda tx: cash.insert(tx, 1, 125_000, Cause(MoveKind.INSERTED, ATM, desk.now)))
    shown = await desk.ask(BOSS, "box.show", machine="sintra")
    assert shown == {
        "machine": "sintra", "currency": "GTQ", "box": "1250.00", "box_limit": None, "box_emptied_at": None,
    }  # fmt: skip
    await desk.ask(BOSS, "box.set", machine="sintra", limit="20000")
    assert (await desk.told(BOSS, "box sintra")).splitlines() == [
        "sintra: Box: Q1,250.00 of Q20,000.00",
        "Emptied: never",
        "To empty it: box empty sintra AMOUNT",
    ]
    desk.now += 60
    done = await desk.ask(BOSS, "box.empty", machine="sintra", amount="1230")
    assert (done["box"], done["believed"], done["counted"], done["difference"]) == (
        "0.00",
        "1250.00",
        "1230.00",
        "-20.00",
    )
    assert done["box_emptied_at"] == desk.now
    last = (await atm.moves())[-1]
    assert (last.kind, last.amount_minor, last.counted_minor, last.who) == ("emptied", -125_000, 123_000, BOSS)
    assert (await desk.told(BOSS, "box empty sintra")).endswith("Q0.00 was in it.")
    assert (await desk.told(BOSS, "box empty sintra 0")).endswith("Q0.00 was in it, just what you counted.")
    assert (await desk.told(BOSS, "box empty sintra 5")).endswith("you counted Q5.00: Q5.00 more")
    await desk.tx(lambda tx: cash.insert(tx, 1, 700, Cause(MoveKind.INSERTED, ATM, desk.now)))
    assert (await desk.told(BOSS, "box empty sintra 5")).endswith("you counted Q5.00: Q2.00 less")
    assert (await desk.ask(BOSS, "box.set", machine="sintra", limit="none"))["box_limit"] is None
    assert [command for command, _ in await desk.audit()][-2:] == ["box empty", "box set"]


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("box.set", {}, "limit"),
        ("box.set", {"limit": "0"}, "limit"),
        ("box.set", {"limit": "-5"}, "limit"),
        ("box.set", {"limit": "1.234"}, "limit"),
        ("box.set", {"limit": True}, "limit"),
        ("box.empty", {"amount": "x"}, "amount"),
        ("box.empty", {"amount": "9" * 30}, "amount"),
    ],
)
async def test_the_box_refuses(desk: Desk, atm: Atm, method: str, params: dict[str, Any], field: str) -> None:
    error = await desk.refused(BOSS, method, machine="sintra", **params)
    assert (error["code"], error["field"]) == ("bad_request", field)


async def test_show_tells_what_the_machine_says(desk: Desk, atm: Atm) -> None:
    shown = await desk.ask(BOSS, "machine.show", machine="sintra")
    assert (shown["beacon"], shown["telemetry_age_seconds"], shown["fees_in_use"]) == (None, None, None)
    await atm.beacon(
        {
            "model": "Sintra 3", "version": "1.2", "location": "Floor 2", "cash_level": "low", "cash_in": False,
            "fees": {"cash_in": "0.05"}, "limits": {"cash_out": {"max": 5000}}, "cash_out": False,
        }
    )  # fmt: skip
    await atm.telemetry({"disk": 1})
    await desk.ask(BOSS, "box.set", machine="sintra", limit="20000")
    desk.now += 90
    shown = await desk.ask(BOSS, "machine.show", machine="sintra")
    assert (shown["beacon"]["cash_level"], shown["beacon_age_seconds"]) == ("low", 90)
    assert shown["cassettes"].keys() == {"1", "2"}
    assert shown["fees_told"] == {"cash_in_fee": "0.05", "cash_out_fee": "0.05"}
    lines = (await desk.told(BOSS, "show sintra")).splitlines()
    assert len(lines) <= 12
    assert lines[3:8] == [
        "Last heard: 2026-09-21 14:13, telemetry 1 min 30 s old",
        "It says: Sintra 3, 1.2, Floor 2, no cash-in, no cash-out, cash low, limits cash_out max 5000",
        "Fees told to it: cash-in 5%, cash-out 5%, its beacon says cash_in 0.05",
        "Cash: Q4,000.00, Box: Q0.00 of Q20,000.00, bays: cassette list sintra",
        "LPs' deposits less what was dispensed: Q0.00; Q4,000.00 more is there, since 2026-09-21 14:13",
    ]
    page = await desk.ask(BOSS, "machine.list")
    assert page["items"][0]["beacon"]["model"] == "Sintra 3"


async def test_show_tells_whether_it_charges_what_it_was_told(desk: Desk) -> None:
    await desk.with_machine()
    await desk.cash_out(1)
    await desk.tx(
        lambda tx: (
            tx.run(
                "INSERT INTO published (coordinate, created_at, digest) VALUES (?, ?, '')",
                (f"30078:bitspire-fees:{ATM}:{ATM}", desk.now),
            ).rowcount
        )
    )
    assert (await desk.ask(BOSS, "machine.show", machine="sintra"))["fees_in_use"] is None
    desk.now += 60
    await desk.cash_out(2)
    assert "It charges the fees that it was told: cash-in 5%, cash-out 5%" in await desk.told(BOSS, "show sintra")
    desk.now += 60
    await desk.cash_out(3, platform_fee_sats=3_000)
    assert (await desk.ask(BOSS, "machine.show", machine="sintra"))["fees_in_use"] is False
    assert "It does not charge the fees that it was told" in await desk.told(BOSS, "show sintra")
    desk.now += 60
    right: dict[str, Any] = {"tx_type": "cash_in", "fee_sats": 5_000, "wire_sats": 95_000}
    await Till(desk).receive(report(hash_of(4), created_at=desk.now, **right))
    await Till(desk).prove(4)
    assert (await desk.ask(BOSS, "machine.show", machine="sintra"))["fees_in_use"] is False, "the other direction"
