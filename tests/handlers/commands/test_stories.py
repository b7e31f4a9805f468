"""`settlement show` and `payment show`: the whole story of a sat, in the order in which it happened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers import payment
from handlers.orders import MAX_ANSWER_BYTES
from ledger.states import EvidenceClass
from storage.db import Tx
from tests.handlers.desk import BOSS, NOW
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of, preimage


@pytest.fixture
async def lived(till: Till) -> Till:
    """S1 is reported, not proven at first, then shared out. P3's first attempt is released, its second one pays; P2
    fails, and is planned again as P5. Between any two steps a minute goes by."""
    await till.receive(report(hash_of(99), created_at=NOW - 30, source="bitspire", seq=7, txid="tx-7"))
    till.advance(60)
    await till.prove(1, None)
    till.advance(60)
    await till.prove(1)
    till.advance(60)
    await till.desk.distribute()
    for leg_id, number in ((1, 1), (4, 4)):
        await till.paid(leg_id, number)
    await till.sent(3, 3)
    await till.learn(3, EvidenceClass.NONE, source="pay")
    await till.release(3)
    till.advance(60)
    await till.sent(3, 5)
    till.advance(60)
    await till.learn(5, fees_msat=1_250)
    await till.desk.fail_leg(2)
    till.advance(60)
    await till.desk.ask(BOSS, "settlement.retry", settlement="S1")
    await till.desk.ask(BOSS, "settlement.note", settlement="S1", text="the partner moved")
    return till


async def test_a_settlement_tells_everything(lived: Till) -> None:
    shown = await lived.desk.ask(BOSS, "settlement.show", settlement="S1")
    event = await lived.desk.tx(lambda tx: tx.all("SELECT event_id FROM settlements")[0]["event_id"])
    assert shown["event"] == {
        "id": event,
        "reported_at": NOW - 30,
        "arrived_at": NOW,
        "source": "bitspire",
        "seq": 7,
        "entered_by": None,
        "receipt": "accepted",
    }
    assert shown["proof"] == {
        "state": "settled",
        "checked_at": NOW + 120,
        "checks": 2,
        "next_check_at": None,
        "wallet": "main",
    }
    assert shown["landed"] is None
    assert [(leg["id"], leg["status"], leg["created_at"]) for leg in shown["legs"]][:4] == [
        ("P1", "completed", NOW + 180),
        ("P2", "voided", NOW + 180),
        ("P3", "completed", NOW + 180),
        ("P4", "completed", NOW + 180),
    ]
    third = shown["legs"][2]
    assert (third["preimage"], third["fees_msat"], third["completed_at"]) == (preimage(5), 1_250, lived.now - 60)
    first, second = third["attempts"]
    assert (first["payment_hash"], first["state"], first["end_reason"]) == (
        hash_of(3), "released", "certain never to settle, by rule",
    )  # fmt: skip
    assert first["ended_at"] == second["sent_at"] - 60
    assert [(each["source"], each["class"]) for each in first["evidence"]] == [
        ("pay", "none"), ("lookup", "negative"), ("lookup", "negative"), ("list", "negative"), ("control", "proof"),
    ]  # fmt: skip
    assert (second["state"], second["preimage"], second["fees_msat"], second["settled_at"], second["surplus"]) == (
        "settled", preimage(5), 1_250, lived.now - 60, False,
    )  # fmt: skip
    assert [(note["name"], note["text"]) for note in shown["notes"]] == [("operator", "the partner moved")]
    audit = [(line["name"], line["command"], line["target"]) for line in shown["audit"]]
    assert audit[:2] == [("satmachine", "payment.release", "P3"), ("operator", "settlement retry", "S1")]
    assert shown["audit"][1]["after"] == {"planned": ["P5"]}


async def test_a_settlement_in_words(lived: Till) -> None:
    said = (await lived.desk.told(BOSS, "show S1")).splitlines()
    event = (await lived.desk.ask(BOSS, "settlement.show", settlement="S1"))["event"]["id"]
    assert said[:8] == [
        "S1 cash-out 108,000 sats at sintra, processing",
        f"Reported 2026-09-21 14:12, arrived 2026-09-21 14:13 UTC, event …{event[-8:]}.",
        "Proven: the wallet shows the payment, wallet main, asked 2026-09-21 14:15.",
        "Q2,000.00 at 50 sats: principal 100,000 sats, fee 8,000 sats",
        "Platform 3,000 sats, operator 5,000 sats",
        "P5 operator fee, 5,000 sats to me@example.com: pending",
        "P1 platform fee, 3,000 sats to platform: completed, 2026-09-21 14:16",
        "P3 LP share, 75,000 sats to ana: completed, 2026-09-21 15:29, routing 1.250 sats",
    ]
    assert said[8] == "P4 LP share, 25,000 sats to ben: completed, 2026-09-21 14:16"
    assert said[9].startswith("Last: 2026-09-21 15:30 operator: settlement ")
    assert said[10] == "Note of 2026-09-21 15:30: the partner moved"
    assert len(said) == 11


async def test_a_payment_tells_everything(lived: Till) -> None:
    shown = await lived.desk.ask(BOSS, "payment.show", payment="P3")
    assert (shown["wallet"], shown["credit_sats"], shown["tries"]) == ("main", 0, 1)
    first, second = shown["attempts"]
    (request,) = second["requests"]
    assert (request["created_at"], request["publishes"], request["answered_at"]) == (second["sent_at"], 1, None)
    assert len(first["requests"]) == 1
    assert [(line["command"], line["name"]) for line in shown["audit"]] == [("payment.release", "satmachine")]
    text = await lived.desk.told(BOSS, "show P3")
    released = f"Attempt …{hash_of(3)[-8:]}: released, sent 2026-09-21 14:16"
    settled = f"Attempt …{hash_of(5)[-8:]}: settled, sent 2026-09-21 15:28"
    assert text.splitlines()[:-1] == [
        "P3 LP share, 75,000 sats to ana: completed",
        "Of S1, sintra, planned 2026-09-21 14:16 UTC, wallet main",
        "Paid to ana@example.com",
        f"{released}, last word: not paid (the wallet's list) 2026-09-21 15:27",
        f"{settled}, last word: proof of payment (look-up) 2026-09-21 15:29",
        "Completed 2026-09-21 15:29 UTC, routing 1.250 sats",
        f"Preimage {preimage(5)}",
    ]
    assert "satmachine: payment.release P3" in text.splitlines()[-1]


async def test_one_that_is_not_proven_yet(till: Till) -> None:
    await till.receive(report(hash_of(99), created_at=2**53 - 1))
    await till.prove(1, None)
    said = (await till.desk.told(BOSS, "show S1")).splitlines()
    assert said[1].startswith("Arrived 2026-09-21 14:13 UTC, event …"), "what the machine gives as the time is no time"
    assert said[2] == "Not proven, wallet main, asked 2026-09-21 14:13, next 2026-09-21 14:13."
    shown = await till.desk.ask(BOSS, "settlement.show", settlement="S1")
    assert (shown["proof"]["state"], shown["proof"]["checks"], shown["legs"]) == (None, 1, [])
    assert shown["proof"]["next_check_at"] > till.now


async def test_one_that_was_scaled_and_one_that_was_entered(owed: Till) -> None:
    await owed.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.5", note="jammed", confirm=True)
    shown = await owed.desk.ask(BOSS, "settlement.show", settlement="S1")
    assert (shown["wire_sats"], shown["landed"]["wire_sats"], shown["landed"]["fiat_amount"]) == (
        54_000, 108_000, "2000.00",
    )  # fmt: skip
    said = await owed.desk.told(BOSS, "show S1")
    assert "It came with 108,000 sats for Q2,000.00, and was scaled since." in said
    await owed.desk.ask(
        BOSS, "settlement.add", machine="sintra", tx_type="cash_in", wire_sats=92_000, principal_sats=100_000,
        fee_sats=8_000, fiat_amount="2000", exchange_rate="50", note="the machine was offline", confirm=True,
    )  # fmt: skip
    added = await owed.desk.ask(BOSS, "settlement.show", settlement="S2")
    assert (added["event"]["entered_by"], added["event"]["receipt"]) == (BOSS, None)
    assert (await owed.desk.told(BOSS, "show S2")).splitlines()[1].startswith("Entered 2026-09-21 14:13 UTC, order …")


def crowd(tx: Tx) -> None:
    """P3 had six attempts that were dropped, with very much said about the last one."""
    for number in range(10, 16):
        tx.insert(
            "attempts", payment_hash=hash_of(number), leg_id=3, wallet="main", invoice="lnbc1", amount_msat=75_000_000,
            state="ready", created_at=NOW + number, expires_at=NOW + 4_000, next_check_at=NOW,
        )  # fmt: skip
        tx.run("UPDATE attempts SET state = 'dropped', ended_at = ? WHERE payment_hash = ?", (NOW, hash_of(number)))
    for number in range(60):
        tx.insert(
            "evidence", payment_hash=hash_of(15), **{"class": "none"}, source="lookup", asked_at=number,
            received_at=number, detail=json.dumps({"said": "x" * 900}),
        )  # fmt: skip


async def test_a_long_story_fits_a_message(owed: Till) -> None:
    """Of what wallets said, the last is kept; `payment show` has more of it."""
    await owed.desk.tx(crowd)
    await owed.desk.ask(BOSS, "settlement.note", settlement="S1", text="n" * 900)
    for order in ("show S1", "show P3"):
        assert len((await owed.desk.told(BOSS, order)).splitlines()) <= 12
    answer = await owed.desk.told(BOSS, json.dumps({"method": "settlement.show", "params": {"settlement": "S1"}}))
    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_ANSWER_BYTES
    shown: dict[str, Any] = json.loads(answer)["result"]
    assert "next" not in shown
    assert [len(leg["attempts"]) for leg in shown["legs"]] == [0, 0, 6, 0]
    assert [each["received_at"] for each in shown["legs"][2]["attempts"][-1]["evidence"]] == [55, 56, 57, 58, 59]
    lines = (await owed.desk.told(BOSS, "show P3")).splitlines()
    assert "Earlier attempts: 2" in lines


async def test_what_is_said_of_another_payment_is_not_taken_for_this_ones(owed: Till) -> None:
    """Whether a wallet still knows its past is asked with a payment that is settled. An operator who is about to give
    one up must not read that as proof of it."""
    await owed.sent(3, 3)
    owed.advance(601)
    await owed.learn(3, EvidenceClass.NEGATIVE)
    await owed.desk.tx(
        lambda tx: payment.note_control(tx, hash_of(3), EvidenceClass.PROOF, asked_at=owed.now, now=owed.now)
    )
    error = await owed.desk.refused(
        BOSS, "payment.release", payment="P3", hash_end=hash_of(3)[-8:], reason="the wallet is gone"
    )
    assert (error["code"], error["preview"]["last_word"]) == ("confirm_required", "negative")
    assert "last word: not paid (look-up)" in await owed.desk.told(BOSS, "show P3")
