"""Enrolments that change or end, and applicants: who waits to be enrolled, by an id that can be typed on a phone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers import published
from nwc.keys import npub_of
from storage import lps
from storage.db import Tx
from tests.handlers.desk import ANA, ATM2, BEN, BOSS, EVE, Desk, key


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    return desk


async def balances(desk: Desk, who: str) -> list[list[str]]:
    """The machines in each balance that was put into the outbox for an LP."""

    def work(tx: Tx) -> list[list[str]]:
        published.refresh(tx, desk.settings, desk.now)
        contents = [
            json.loads(json.loads(row["body"])["content"])
            for row in tx.all("SELECT body FROM outbox WHERE coordinate LIKE ? ORDER BY id", (f"%balance:{who}%",))
        ]
        return [[each["machine"] for each in content["enrolments"]] for content in contents]

    return await desk.tx(work)


async def test_a_paused_lp_gets_no_share(ready: Desk) -> None:
    await ready.with_lp(BEN, "ben", deposited="500")
    made = await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1500")
    await ready.ask(BOSS, "deposit.confirm", deposit=made["id"])
    assert (await ready.ask(BOSS, "lp.set", machine="sintra", lp="ana", status="paused"))["status"] == "paused"
    await ready.cash_out()
    await ready.distribute()
    assert await ready.count("SELECT count(*) FROM legs WHERE lp_id = 1") == 0
    assert await ready.count("SELECT amount_sats FROM legs WHERE lp_id = 2") == 25_000
    text = await ready.told(BOSS, "lp set sintra ana status=active")
    assert text == "ana at sintra: active."
    await ready.cash_out(2)
    await ready.distribute()
    assert await ready.count("SELECT amount_sats FROM legs WHERE lp_id = 1") == 75_000


async def test_an_lp_is_renamed(ready: Desk) -> None:
    await ready.with_lp(BEN, "ben", deposited=None)
    assert (await ready.ask(BOSS, "lp.set", machine="sintra", lp="ana", name="Ana"))["name"] == "Ana"
    done = await ready.ask(BOSS, "lp.set", machine="sintra", lp="ANA", name="Ana María")
    assert (done["name"], done["lp"]) == ("Ana María", ANA)
    assert (await ready.ask(BOSS, "lp.show", lp="ana maría"))["lp"] == ANA
    text = await ready.told(BOSS, "lp set sintra “Ana María” status=paused")
    assert text.splitlines()[-1] == 'To go on: lp set sintra "Ana María" status=active'
    for name, code in (
        ("ana maría", "conflict"),
        ("A3", "bad_request"),
        ("d7", "bad_request"),
        (npub_of(EVE), "bad_request"),
    ):
        error = await ready.refused(BOSS, "lp.set", machine="sintra", lp="ben", name=name)
        assert (error["code"], error["field"]) == (code, "name"), name
    assert (await ready.audit())[-1] == ("lp set", "Ana María")


async def test_set_refuses(ready: Desk) -> None:
    await ready.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    cases: list[tuple[dict[str, Any], str, str | None]] = [
        ({"machine": "sintra", "lp": "ana"}, "bad_request", None),
        ({"machine": "sintra", "lp": "ana", "status": "gone"}, "bad_request", "status"),
        ({"machine": "mall", "lp": "ana", "status": "paused"}, "not_found", "lp"),
        ({"machine": "sintra", "lp": "nobody", "status": "paused"}, "not_found", "lp"),
    ]
    for params, code, field in cases:
        error = await ready.refused(BOSS, "lp.set", **params)
        assert (error["code"], error.get("field")) == (code, field)


async def test_an_lp_goes_with_its_last_enrolment(ready: Desk) -> None:
    await ready.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    await ready.ask(BOSS, "lp.add", machine="mall", npub="ana")
    await ready.ask(BOSS, "target.freeze", lp="ana")
    await ready.ask(ANA, "prefs.set", notify=True)
    assert await balances(ready, ANA) == [["sintra", "mall"]]
    done = await ready.ask(BOSS, "lp.remove", machine="sintra", lp="ana")
    assert (done["machine"], done["name"], done["gone"]) == ("sintra", "ana", False)
    assert await balances(ready, ANA) == [["sintra", "mall"], ["mall"]]
    assert "is an LP here no more" in await ready.told(BOSS, "lp remove mall ana")
    assert await balances(ready, ANA) == [["sintra", "mall"], ["mall"], []]
    for table in ("lps", "enrolments", "switches", "people"):
        assert await ready.count(f"SELECT count(*) FROM {table}") == 0, table
    assert (await ready.ask(ANA, "whoami"))["roles"] == []
    assert (await ready.refused(BOSS, "lp.show", lp="ana"))["code"] == "not_found"
    assert (await ready.ask(BOSS, "lp.add", machine="mall", npub=ANA, name="ana"))["onboarded"] is False


async def test_an_lp_that_is_enrolled_nowhere_is_removed_without_a_machine(ready: Desk) -> None:
    error = await ready.refused(BOSS, "lp.remove", lp="ana")
    assert (error["code"], error["field"]) == ("bad_request", "machine")
    assert "lp remove sintra ana" in error["message"]
    await ready.ask(BOSS, "machine.remove", machine="sintra")
    assert (await ready.ask(BOSS, "lp.remove", lp="ana"))["gone"] is True


async def test_an_operator_keeps_its_language_when_it_is_no_lp_any_more(ready: Desk) -> None:
    await ready.with_lp(BOSS, "boss", deposited=None)
    await ready.ask(BOSS, "prefs.set", language="es")
    await ready.ask(BOSS, "lp.remove", machine="sintra", lp="boss")
    assert (await ready.ask(BOSS, "prefs.show"))["language"] == "es"


async def test_an_lp_with_records_is_not_removed(ready: Desk) -> None:
    made = await ready.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000")
    error = await ready.refused(BOSS, "lp.remove", machine="sintra", lp="ana")
    assert (error["code"], error["message"].endswith("lp set sintra ana status=paused")) == ("bad_state", True)
    await ready.ask(BOSS, "deposit.confirm", deposit=made["id"])
    error = await ready.refused(BOSS, "lp.remove", machine="sintra", lp="ana")
    assert (error["code"], "2000.00 GTQ left" in error["message"]) == ("bad_state", True)
    await ready.cash_out()
    await ready.distribute()
    assert (await ready.refused(BOSS, "lp.remove", machine="sintra", lp="ana"))["code"] == "bad_state"


async def test_applicants_have_ids(ready: Desk) -> None:
    for who, name in ((EVE, "eve"), (BEN, "ben")):
        await ready.ask(who, "join", target=f"{name}@example.com")
    page = await ready.ask(BOSS, "lp.applicants", limit=1)
    assert page == {
        "items": [{"id": "A2", "lp": BEN, "npub": npub_of(BEN), "target": "ben@example.com", "since": ready.now}],
        "next": "A2",
    }
    page = await ready.ask(BOSS, "lp.applicants", before="A2")
    assert ([each["id"] for each in page["items"]], page["next"]) == (["A1"], None)
    text = await ready.told(BOSS, "applicants")
    assert text.splitlines()[1].startswith("A2 npub1")
    assert text.splitlines()[-1] == "To enrol one: lp add MACHINE A2 NAME"
    told = [dm["text"] for dm in await ready.dms(BOSS) if dm["answers"] is None]
    assert [each.splitlines()[-1] for each in told] == [f"To enrol: lp add MACHINE A{n} NAME" for n in (1, 2)]

    made = await ready.ask(BOSS, "lp.add", machine="sintra", npub="a1", name="eve")
    assert (made["lp"], made["onboarded"]) == (EVE, True)
    assert (await ready.ask(BOSS, "lp.dismiss", applicant="A2"))["lp"] == BEN
    assert "Nobody waits" in await ready.told(BOSS, "lp applicants")
    assert (await ready.audit())[-1] == ("lp dismiss", "A2")
    error = await ready.refused(BOSS, "lp.dismiss", applicant="A2")
    assert (error["code"], error["field"]) == ("not_found", "applicant")
    error = await ready.refused(BOSS, "lp.add", machine="sintra", npub="A9")
    assert (error["code"], error["field"]) == ("not_found", "npub")
    await ready.ask(BEN, "join", target="ben@example.com")
    assert [each["id"] for each in (await ready.ask(BOSS, "lp.applicants"))["items"]] == ["A3"], (
        "ids are not used again"
    )


async def test_dismissing_makes_room(desk: Desk) -> None:
    def fill(tx: Tx) -> None:
        for number in range(100):
            lps.keep_applicant(tx, key(f"applicant {number}"), "a@example.com", desk.now)

    await desk.tx(fill)
    assert (await desk.refused(EVE, "join", target="eve@example.com"))["code"] == "forbidden"
    await desk.ask(BOSS, "lp.dismiss", applicant="A50")
    assert (await desk.ask(EVE, "join", target="eve@example.com"))["status"] == "applicant"


async def test_a_secret_target_of_an_applicant_is_not_shown(desk: Desk) -> None:
    secret = "1" * 64
    uri = f"nostr+walletconnect://{'ab' * 32}?relay=wss%3A%2F%2Fr.example.com&secret={secret}"
    await desk.ask(EVE, "join", target=uri)
    assert secret not in json.dumps(await desk.ask(BOSS, "lp.applicants"))
    await desk.ask(BOSS, "lp.dismiss", applicant="A1")
    assert await desk.count("SELECT count(*) FROM audit WHERE before LIKE ?", f"%{secret}%") == 0
