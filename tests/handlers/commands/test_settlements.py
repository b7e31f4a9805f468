"""Settlements and payments: their story, and planning again what failed."""

from __future__ import annotations

import pytest

from ledger.states import AttemptState, EvidenceClass
from storage import attempts, legs, switches, wallets
from storage.attempts import NewAttempt
from storage.db import Tx
from tests.handlers.desk import ANA, BEN, BOSS, SUPER, Desk

HASH = "cd" * 32


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    """Platform fee 3 %, a split rule, LPs with 1,500 and 500 GTQ, one cash-out planned: P1 super, P2 split, P3, P4."""
    await desk.with_machine()
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%", target="fees@example.com")
    await desk.ask(BOSS, "splits.set", legs='100% me@example.com "Me"', confirm=True)
    await desk.with_lp(deposited="1500")
    await desk.with_lp(BEN, "ben", deposited="500")
    await desk.cash_out(platform_fee_sats=3_000)
    await desk.distribute()
    return desk


async def complete(desk: Desk, leg_id: int) -> None:
    def work(tx: Tx) -> None:
        leg = legs.get(tx, leg_id)
        assert leg is not None
        legs.complete(tx, leg, 1_000, desk.now)

    await desk.tx(work)


async def test_show_tells_the_story(ready: Desk) -> None:
    shown = await ready.ask(BOSS, "settlement.show", settlement="S1")
    assert (shown["status"], shown["wire_sats"], shown["platform_fee_sats"]) == ("processing", 108_000, 3_000)
    assert shown["fee_mismatch_sats"] == 0
    assert (shown["fiat_amount"], shown["currency"], shown["exchange_rate"]) == ("2000.00", "GTQ", "50")
    assert (shown["proof"]["state"], shown["proof"]["checked_at"]) == ("settled", ready.now)
    assert [(leg["id"], leg["type"], leg["amount_sats"], leg["to"]) for leg in shown["legs"]] == [
        ("P1", "super_fee", 3_000, "fees@example.com"),
        ("P2", "operator_split", 5_000, "me@example.com"),
        ("P3", "dca", 75_000, "ana@example.com"),
        ("P4", "dca", 25_000, "ben@example.com"),
    ]
    assert shown["legs"][2]["lp"] == ANA
    assert shown["legs"][0]["attempts"] == []
    text = await ready.told(BOSS, "show S1")
    assert text.startswith("S1 cash-out 108,000 sats at sintra, processing")
    assert "P3 LP share, 75,000 sats to ana: pending" in text
    assert len(text.splitlines()) <= 12
    assert (await ready.refused(BOSS, "settlement.show", settlement="S9"))["code"] == "not_found"
    assert (await ready.refused(BOSS, "settlement.show", settlement="P1"))["code"] == "bad_request"


async def test_list(ready: Desk) -> None:
    ready.now += 10
    await ready.cash_out(2, platform_fee_sats=3_000)
    page = await ready.ask(BOSS, "settlement.list", limit=1)
    assert ([each["id"] for each in page["items"]], page["next"]) == (["S2"], "S2")
    assert [each["id"] for each in (await ready.ask(BOSS, "settlement.list", before="S2"))["items"]] == ["S1"]
    assert [each["id"] for each in (await ready.ask(BOSS, "settlement.list", status="pending"))["items"]] == ["S2"]
    assert [each["id"] for each in (await ready.ask(BOSS, "settlement.list", until=ready.now))["items"]] == ["S1"]
    assert [each["id"] for each in (await ready.ask(BOSS, "settlement.list", machine="sintra"))["items"]] == [
        "S2",
        "S1",
    ]
    assert "S2 cash-out" in await ready.told(BOSS, "settlements")
    assert (await ready.refused(BOSS, "settlement.list", since="tomorrow"))["field"] == "since"
    assert (await ready.refused(BOSS, "settlement.list", since="2026-02-30"))["field"] == "since"


async def test_retry_plans_what_failed_and_nothing_else(ready: Desk) -> None:
    await complete(ready, 1)
    await complete(ready, 3)
    await ready.fail_leg(2)
    await ready.fail_leg(4)
    assert (await ready.ask(BOSS, "settlement.show", settlement="S1"))["status"] == "errored"
    assert (await ready.ask(BOSS, "lp.show", lp="ben"))["remaining"] == "500.00"
    await ready.ask(BOSS, "splits.set", legs="100% new@example.com", confirm=True)
    answer = await ready.ask(BOSS, "settlement.retry", settlement="S1")
    assert answer["status"] == "processing"
    assert [(leg["id"], leg["status"], leg["amount_sats"], leg["to"]) for leg in answer["legs"]] == [
        ("P1", "completed", 3_000, "fees@example.com"),
        ("P2", "voided", 5_000, "me@example.com"),
        ("P3", "completed", 75_000, "ana@example.com"),
        ("P4", "voided", 25_000, "ben@example.com"),
        ("P5", "pending", 5_000, "new@example.com"),
        ("P6", "pending", 25_000, "ben@example.com"),
    ]
    assert (await ready.ask(BOSS, "lp.show", lp="ben"))["reserved"] == "500.00"
    await complete(ready, 5)
    await complete(ready, 6)
    shown = await ready.ask(BOSS, "settlement.show", settlement="S1")
    assert shown["status"] == "processed"
    assert [line["command"] for line in shown["audit"]] == ["settlement retry"]

    def balanced(tx: Tx) -> list[tuple[str, int]]:
        rows = tx.all(
            "SELECT account, sum(amount) AS total FROM postings WHERE commodity = 'msat'"
            " AND account LIKE 'liabilities:%' GROUP BY account HAVING total <> 0"
        )
        return [(row["account"], row["total"]) for row in rows]

    assert await ready.tx(balanced) == []


async def test_retry_shares_a_failed_principal_among_who_is_eligible_now(ready: Desk) -> None:
    for leg_id in (1, 2, 3):
        await complete(ready, leg_id)
    await ready.fail_leg(4)
    made = await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1500")
    await ready.ask(BOSS, "deposit.confirm", deposit=made["id"])
    answer = await ready.ask(BOSS, "settlement.retry", settlement="s1")
    planned = [(leg["lp"], leg["amount_sats"]) for leg in answer["legs"] if leg["status"] == "pending"]
    assert planned == [(ANA, 18_750), (BEN, 6_250)]


async def test_retry_with_nothing_that_can_be_paid_ends_at_once(ready: Desk) -> None:
    for leg_id in (2, 3, 4):
        await complete(ready, leg_id)
    await ready.fail_leg(1)
    await ready.ask(SUPER, "platform.set", target="none")
    answer = await ready.ask(BOSS, "settlement.retry", settlement="S1")
    assert answer["status"] == "processed"
    assert answer["legs"][-1]["status"] == "skipped"


async def test_retry_refuses(ready: Desk) -> None:
    error = await ready.refused(BOSS, "settlement.retry", settlement="S1")
    assert (error["code"], error["field"]) == ("bad_state", "settlement")
    assert (await ready.refused(BOSS, "settlement.retry", settlement="S2"))["code"] == "not_found"
    for leg_id in (1, 2, 3):
        await complete(ready, leg_id)
    await ready.fail_leg(4)
    assert "is processing again" in await ready.told(BOSS, "retry S1")
    assert "only an errored settlement" in await ready.told(BOSS, "retry S1")


async def test_payments(ready: Desk) -> None:
    page = await ready.ask(BOSS, "payment.list", settlement="S1", type="dca")
    assert [each["id"] for each in page["items"]] == ["P4", "P3"]
    page = await ready.ask(BOSS, "payment.list", lp="ben")
    assert [each["id"] for each in page["items"]] == ["P4"]
    page = await ready.ask(BOSS, "payment.list", limit=1)
    assert page["next"] == "P4"
    assert [each["id"] for each in (await ready.ask(BOSS, "payment.list", before="P2"))["items"]] == ["P1"]
    assert (await ready.ask(BOSS, "payment.list", status="failed"))["items"] == []
    assert (await ready.refused(BOSS, "payment.list", settlement="S9"))["code"] == "not_found"
    assert (await ready.refused(BOSS, "payment.show", payment="P9"))["code"] == "not_found"
    assert "P4 LP share, 25,000 sats to ben: pending" in await ready.told(BOSS, "payments")


async def test_payment_show_says_what_happens_next(ready: Desk) -> None:
    async def step() -> tuple[str, int | None]:
        found = (await ready.ask(BOSS, "payment.show", payment="P3"))["next"]
        return found["step"], found["at"]

    assert await step() == ("get_invoice", ready.now)
    await ready.tx(lambda tx: wallets.pause(tx, "main", "no balance", 5, ready.now))
    assert (await step())[0] == "wait_for_wallet"
    await ready.ask(BOSS, "pause", machine="sintra")
    assert (await step())[0] == "wait_for_resume"
    await ready.ask(BOSS, "resume", machine="sintra")
    assert (await step())[0] == "get_invoice"

    def attempt(tx: Tx) -> None:
        leg = legs.get(tx, 3)
        assert leg is not None
        new = NewAttempt(HASH, "lnbc1", 75_000_000, None, ready.now + 3_600, None)
        attempts.insert_ready(tx, leg, new, ready.now)
        attempts.set_sent(tx, HASH, ready.now, ready.now + 2)
        attempts.add_evidence(
            tx, HASH, EvidenceClass.NONE, "pay", asked_at=ready.now, now=ready.now, detail={"said": "x"}
        )

    await ready.tx(attempt)
    assert await step() == ("ask_wallet", ready.now + 2)
    shown = await ready.ask(BOSS, "payment.show", payment="P3")
    (one,) = shown["attempts"]
    assert (one["payment_hash"], one["state"], one["next_check_at"]) == (HASH, "sent", ready.now + 2)
    assert one["evidence"] == [
        {"class": "none", "source": "pay", "asked_at": ready.now, "received_at": ready.now, "detail": {"said": "x"}}
    ]
    assert "Attempt …cdcdcdcd: sent" in await ready.told(BOSS, "show P3")
    assert [wallet["in_flight_sats"] for wallet in (await ready.ask(BOSS, "status"))["wallets"]] == [75_000, 0]
    await ready.tx(lambda tx: attempts.claim_paid(tx, HASH, ready.now + 9))
    assert await step() == ("look_for_proof", ready.now + 9)

    def release(tx: Tx) -> None:
        found = attempts.get(tx, HASH)
        assert found is not None
        attempts.end(tx, found, AttemptState.RELEASED, "operator", ready.now)

    await ready.tx(release)
    assert (await step())[0] == "get_invoice"
    await ready.fail_leg(3)
    assert (await step())[0] == "retry_by_operator"
    assert "retry S1" in await ready.told(BOSS, "show p3")


async def test_a_failed_leg_with_a_payment_in_doubt_is_not_retried(ready: Desk) -> None:
    """The schema lets no such leg come about; the rule stands all the same."""
    for leg_id in (1, 2, 4):
        await complete(ready, leg_id)
    await ready.fail_leg(3)

    def force(tx: Tx) -> None:
        for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'attempts'"):
            tx.run(f"DROP TRIGGER {row['name']}")
        tx.run(
            "INSERT INTO attempts (payment_hash, leg_id, wallet, invoice, amount_msat, state, created_at, expires_at,"
            " next_check_at) VALUES (?, 3, 'main', 'x', 1, 'ready', 0, 0, 0)",
            (HASH,),
        )
        attempts.set_sent(tx, HASH, ready.now, ready.now)

    await ready.tx(force)
    error = await ready.refused(BOSS, "settlement.retry", settlement="S1")
    assert error["code"] == "unresolved_payment"
    assert "P3" in error["message"]
    assert (await ready.ask(BOSS, "settlement.show", settlement="S1"))["status"] == "errored"


async def test_worklist(ready: Desk) -> None:
    assert "Nothing needs a person" in await ready.told(BOSS, "worklist")
    assert [
        each["id"] for each in (await ready.ask(BOSS, "worklist", threshold_minutes=0))["buckets"]["stuck_processing"]
    ] == ["S1"]
    ready.now += 1_801
    found = await ready.ask(BOSS, "worklist")
    assert (found["v"], found["type"], found["updated_at"]) == (1, "worklist", ready.now)
    (item,) = found["buckets"]["stuck_processing"]
    assert (item["id"], item["machine"], item["wire_sats"], item["since"]) == (
        "S1",
        "sintra",
        108_000,
        ready.now - 1_801,
    )
    await ready.fail_leg(1)
    for leg_id in (2, 3, 4):
        await complete(ready, leg_id)
    await ready.cash_out(2, platform_fee_sats=3_000)  # its principal finds no LP with a balance left
    await ready.distribute()

    def stray(tx: Tx) -> None:
        tx.insert(
            "unmatched", payment_hash=HASH, wallet="main", direction="incoming", amount_msat=1_500,
            settled_at=ready.now - 601, seen_at=ready.now,
        )  # fmt: skip

    await ready.tx(stray)
    found = (await ready.ask(BOSS, "worklist"))["buckets"]
    assert [each["id"] for each in found["errored"]] == ["S1"]
    assert [(each["id"], each["machine"], each["wire_sats"]) for each in found["unmatched"]] == [(HASH, "sintra", 2)]
    assert [(each["id"], each["wire_sats"]) for each in found["skipped"]] == [("S2", 100_000)]
    text = await ready.told(BOSS, "worklist")
    assert "Errored: S1 sintra" in text
    assert len(text.splitlines()) <= 12
    assert {name: count for name, count in (await ready.ask(BOSS, "status"))["worklist"].items() if count} == {
        "errored": 1,
        "unmatched": 1,
        "skipped": 1,
    }


async def test_pause_and_resume_follow_the_time_they_were_said(ready: Desk) -> None:
    said = ready.now
    ready.now += 100
    assert (await ready.json(BOSS, {"method": "resume"}, said_at=said + 50))["result"]["paused"] is False
    late = (await ready.json(BOSS, {"method": "pause"}, said_at=said + 49))["result"]
    assert (late["paused"], late["obeyed"]) == (False, False)
    assert await ready.tx(switches.paused) is False
    assert (await ready.json(BOSS, {"method": "pause"}, said_at=said + 50))["result"]["paused"] is True
    assert await ready.tx(lambda tx: legs.payable(tx, "main", ready.now, 10, (), 4)) == []
    assert (await ready.ask(BOSS, "status"))["paused"] is True
    assert "are paused" in await ready.told(BOSS, "pause sintra")
    answer = await ready.told(BOSS, "resume sintra")
    assert "All payments are still paused" in answer
    await ready.tx(lambda tx: wallets.pause(tx, "main", "no balance", 7_000, ready.now))
    assert (await ready.ask(BOSS, "resume"))["paused"] is False
    assert (await ready.tx(lambda tx: wallets.paused(tx, "main"))) is False
    assert len(await ready.tx(lambda tx: legs.payable(tx, "main", ready.now, 10, (), 4))) == 4
    assert (await ready.refused(BOSS, "pause", machine="x"))["code"] == "not_found"
