"""Deposits: in the machine's currency, only for LPs who have joined, counted once they are confirmed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.db import Tx
from tests.handlers.desk import BEN, BOSS, Desk


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    return desk


async def test_add_and_confirm(ready: Desk) -> None:
    made = await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000", note="first stack")
    assert {key: made[key] for key in ("id", "machine", "amount", "currency", "status", "note", "confirmed_at")} == {
        "id": "D1",
        "machine": "sintra",
        "amount": "2000.00",
        "currency": "GTQ",
        "status": "pending",
        "note": "first stack",
        "confirmed_at": None,
    }
    shown = await ready.ask(BOSS, "lp.show", lp="ana")
    assert (shown["pending"], shown["remaining"]) == ("2000.00", "0.00")
    assert await ready.count("SELECT count(*) FROM journal") == 0
    ready.now += 60
    confirmed = await ready.ask(BOSS, "deposit.confirm", deposit="D1")
    assert (confirmed["status"], confirmed["confirmed_at"]) == ("confirmed", ready.now)
    shown = await ready.ask(BOSS, "lp.show", lp="ana")
    assert (shown["pending"], shown["deposited"], shown["remaining"]) == ("0.00", "2000.00", "2000.00")

    def booked(tx: Tx) -> list[tuple[str, int]]:
        return [
            (row["account"], row["amount"]) for row in tx.all("SELECT account, amount FROM postings ORDER BY position")
        ]

    assert await ready.tx(booked) == [("assets:cash:m1", 200_000), ("liabilities:lp:l1:m1", -200_000)]
    error = await ready.refused(BOSS, "deposit.confirm", deposit="D1")
    assert (error["code"], error["field"]) == ("bad_state", "deposit")
    assert await ready.count("SELECT count(*) FROM journal") == 1
    assert await ready.count("SELECT count(*) FROM stale_views WHERE view = 'balance:1'") == 1


async def test_in_text(ready: Desk) -> None:
    answer = await ready.told(BOSS, "Deposit sintra ana 2000 note=“first stack”")
    assert (
        answer == "D1 Q2,000.00, ana at sintra, pending (first stack)\nOnce it is in the cassette: deposit confirm D1"
    )
    assert "confirmed" in await ready.told(BOSS, "deposit confirm d1")
    answer = await ready.told(BOSS, "deposit add machine=sintra lp=ana amount=5 in coins")
    assert "(in coins)" in answer


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"amount": "0"}, "bad_request", "amount"),
        ({"amount": "-1"}, "bad_request", "amount"),
        ({"amount": "1.001"}, "bad_request", "amount"),
        ({"amount": "1e3"}, "bad_request", "amount"),
        ({"amount": "NaN"}, "bad_request", "amount"),
        ({"amount": True}, "bad_request", "amount"),
        ({"amount": None}, "bad_request", "amount"),
        ({"amount": "9" * 29}, "bad_request", "amount"),
        ({"amount": 2**63}, "bad_request", "amount"),
        ({"currency": "USD"}, "bad_request", "currency"),
        ({"machine": "x"}, "not_found", "machine"),
        ({"lp": "x"}, "not_found", "lp"),
        ({"lp": BEN}, "not_found", "lp"),
        ({"note": "x" * 2_001}, "bad_request", "note"),
        ({"note": ""}, "bad_request", "note"),
    ],
)
async def test_add_refuses(ready: Desk, params: dict[str, Any], code: str, field: str) -> None:
    error = await ready.refused(BOSS, "deposit.add", **{"machine": "sintra", "lp": "ana", "amount": "1", **params})
    assert (error["code"], error["field"]) == (code, field)
    assert await ready.count("SELECT count(*) FROM deposits") == 0


async def test_a_number_in_json_is_read_exactly(ready: Desk) -> None:
    text = '{"method":"deposit.add","params":{"machine":"sintra","lp":"ana","amount":0.1}}'
    assert (await ready.json(BOSS, text))["result"]["amount"] == "0.10"


async def test_deposits_together_stay_in_bounds(ready: Desk) -> None:
    await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="10000000000000")
    error = await ready.refused(BOSS, "deposit.add", machine="sintra", lp="ana", amount="0.01")
    assert (error["code"], error["field"]) == ("bad_request", "amount")


async def test_an_lp_enrolled_elsewhere_only_is_not_found_here(ready: Desk) -> None:
    await ready.tx(lambda tx: tx.run("INSERT INTO lps (pubkey, name, created_at) VALUES (?, 'ben', 0)", (BEN,)))
    error = await ready.refused(BOSS, "deposit.add", machine="sintra", lp="ben", amount="1")
    assert (error["code"], error["field"]) == ("not_found", "lp")


async def test_list(ready: Desk) -> None:
    for amount in ("1", "2", "3"):
        await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount=amount)
    await ready.ask(BOSS, "deposit.confirm", deposit=2)
    page = await ready.ask(BOSS, "deposit.list", limit="2")
    assert ([each["id"] for each in page["items"]], page["next"]) == (["D3", "D2"], "D2")
    page = await ready.ask(BOSS, "deposit.list", before="D2", machine="sintra", lp="ana")
    assert ([each["id"] for each in page["items"]], page["next"]) == (["D1"], None)
    page = await ready.ask(BOSS, "deposit.list", status="confirmed")
    assert [each["id"] for each in page["items"]] == ["D2"]
    assert (await ready.refused(BOSS, "deposit.list", status="lost"))["field"] == "status"
    for limit in (0, 201, "x", True, -1):
        assert (await ready.refused(BOSS, "deposit.list", limit=limit))["field"] == "limit"
    text = await ready.told(BOSS, "deposit list sintra")
    assert text.splitlines()[1].startswith("D3 Q3.00")


async def test_a_pending_deposit_is_changed(ready: Desk) -> None:
    await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000", note="first stack")
    changed = await ready.ask(BOSS, "deposit.set", deposit="D1", amount="1500")
    assert (changed["amount"], changed["note"], changed["currency"]) == ("1500.00", "first stack", "GTQ")
    assert (await ready.ask(BOSS, "lp.show", lp="ana"))["pending"] == "1500.00"
    text = await ready.told(BOSS, "deposit set d1 1600 counted twice")
    assert text.splitlines()[0] == "D1 Q1,600.00, ana at sintra, pending (counted twice)"
    assert (await ready.ask(BOSS, "deposit.set", deposit=1, note="x"))["amount"] == "1600.00"
    assert (await ready.audit())[-1] == ("deposit set", "D1")


async def test_a_deposit_that_never_came_is_deleted(ready: Desk) -> None:
    await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000")
    assert (await ready.ask(BOSS, "deposit.delete", deposit="D1"))["status"] == "deleted"
    assert (await ready.ask(BOSS, "lp.show", lp="ana"))["pending"] == "0.00"
    assert (await ready.ask(BOSS, "deposit.list"))["items"] == []
    assert [each["id"] for each in (await ready.ask(BOSS, "deposit.list", status="deleted"))["items"]] == ["D1"]


async def test_what_was_really_counted_is_confirmed(ready: Desk) -> None:
    await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000", note="first stack")
    done = await ready.ask(BOSS, "deposit.confirm", deposit="D1", amount="1980", note="one note was torn")
    assert (done["status"], done["amount"], done["note"]) == ("confirmed", "1980.00", "one note was torn")
    shown = await ready.ask(BOSS, "lp.show", lp="ana")
    assert (shown["pending"], shown["deposited"]) == ("0.00", "1980.00")
    assert await ready.count("SELECT amount FROM postings WHERE account = 'assets:cash:m1'") == 198_000

    def changes(tx: Tx) -> list[Any]:
        row = tx.all("SELECT before, after FROM audit ORDER BY id")[-1]
        return [json.loads(row["before"]), json.loads(row["after"])]

    assert await ready.tx(changes) == [
        {"status": "pending", "amount": "2000.00", "note": "first stack"},
        {"status": "confirmed", "amount": "1980.00", "note": "one note was torn"},
    ]


async def test_only_a_pending_deposit_changes(ready: Desk) -> None:
    for amount in ("1", "2", "3"):
        await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount=amount)
    await ready.ask(BOSS, "deposit.confirm", deposit="D1")
    await ready.ask(BOSS, "deposit.delete", deposit="D2")
    entries = await ready.count("SELECT count(*) FROM journal")
    orders: list[tuple[str, dict[str, Any]]] = [("set", {"amount": "5"}), ("delete", {}), ("confirm", {})]
    for deposit, code in (("D1", "bad_state"), ("D2", "bad_state"), ("D9", "not_found")):
        for method, params in orders:
            error = await ready.refused(BOSS, f"deposit.{method}", deposit=deposit, **params)
            assert (error["code"], error["field"]) == (code, "deposit")
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"amount": "0"}, "amount"),
        ({"amount": "0.001"}, "amount"),
        ({"amount": "10000000000000"}, "amount"),
        ({"note": ""}, "note"),
        ({"currency": "USD", "amount": "1"}, "currency"),
    ]
    for params, field in cases:
        error = await ready.refused(BOSS, "deposit.set", deposit="D3", **params)
        assert (error["code"], error.get("field")) == ("bad_request", field)
    assert (await ready.ask(BOSS, "deposit.set", deposit="D3", amount="9999999999999"))["status"] == "pending"
    assert await ready.count("SELECT count(*) FROM journal") == entries
    shown = await ready.ask(BOSS, "lp.show", lp="ana")
    assert (shown["deposited"], shown["pending"]) == ("1.00", "9999999999999.00")
