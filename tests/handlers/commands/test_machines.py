"""Machines are registered, changed and shown; the fee cap and the one wallet for each are held."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nwc.keys import npub_of
from tests.handlers.desk import ANA, ATM, ATM2, BOSS, BOT, SUPER, Desk

ADD: dict[str, Any] = {"npub": npub_of(ATM2), "name": "Café Mall", "wallet": "second", "fiat": "eur"}


async def test_add(desk: Desk) -> None:
    made = await desk.ask(BOSS, "machine.add", **ADD, location="Floor 2", cash_in_fee="5%", cash_out_fee="0.0825")
    assert made == {
        "machine": "cafe-mall",
        "pubkey": ATM2,
        "npub": npub_of(ATM2),
        "wallet": "second",
        "fiat": "EUR",
        "location": "Floor 2",
        "active": True,
        "cash_in_fee": "0.05",
        "cash_out_fee": "0.0825",
        "paused": False,
        "last_seen_at": None,
        "beacon": None,
        "cassettes": {},
    }
    assert await desk.audit() == [("machine add", "cafe-mall")]


async def test_add_in_text(desk: Desk) -> None:
    answer = await desk.told(BOSS, f"machine add {npub_of(ATM)} sintra main GTQ cash_in_fee=3% cash_out_fee=5%")
    assert answer.splitlines()[0] == "sintra: GTQ, wallet main, active"
    assert "cash-in 3%, cash-out 5%" in answer


async def test_the_machine_is_sent_the_sum_of_the_fees(desk: Desk) -> None:
    await desk.ask(SUPER, "platform.set", cash_in_fee="0.01", cash_out_fee="0.03")
    await desk.ask(BOSS, "machine.add", **ADD, cash_in_fee="0.05", cash_out_fee="0.05")
    (event,) = await desk.outbox_events()
    assert event["encrypt_to"] == ATM2
    assert ["d", f"bitspire-fees:{ATM2}"] in event["tags"]
    assert ["p", ATM2] in event["tags"]
    assert json.loads(event["content"]) == {"v": 1, "cash_in_fee": "0.06", "cash_out_fee": "0.08"}


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"npub": "npub1nonsense"}, "bad_request", "npub"),
        ({"npub": npub_of(BOT)}, "bad_request", "npub"),
        ({"npub": npub_of(ATM)}, "conflict", "npub"),
        ({"name": "sintra"}, "conflict", "name"),
        ({"name": "SINTRA "}, "conflict", "name"),
        ({"name": "***"}, "bad_request", "name"),
        ({"name": ANA}, "bad_request", "name"),
        ({"name": "S12"}, "bad_request", "name"),
        ({"wallet": "main"}, "conflict", "wallet"),
        ({"wallet": "third"}, "bad_request", "wallet"),
        ({"fiat": "XXX"}, "bad_request", "fiat"),
        ({"fiat": "GT"}, "bad_request", "fiat"),
        ({"cash_in_fee": "1.5"}, "bad_request", "cash_in_fee"),
        ({"cash_in_fee": "-1"}, "bad_request", "cash_in_fee"),
        ({"cash_in_fee": True}, "bad_request", "cash_in_fee"),
        ({"cash_out_fee": "0.150001"}, "cap_exceeded", "cash_out_fee"),
        ({"color": "red"}, "bad_request", "color"),
    ],
)
async def test_add_refuses(desk: Desk, changes: dict[str, Any], code: str, field: str) -> None:
    await desk.with_machine()
    error = await desk.refused(BOSS, "machine.add", **{**ADD, **changes})
    assert (error["code"], error["field"]) == (code, field)
    assert await desk.count("SELECT count(*) FROM machines") == 1


async def test_what_is_missing_is_named(desk: Desk) -> None:
    error = await desk.refused(BOSS, "machine.add", name="x", wallet="main", fiat="GTQ")
    assert (error["code"], error["field"]) == ("bad_request", "npub")
    assert "machine add npub=" in error["message"]


async def test_an_unknown_wallet_is_answered_with_the_known_ones(desk: Desk) -> None:
    error = await desk.refused(BOSS, "machine.add", **{**ADD, "wallet": "third"})
    assert "main, second" in error["message"]


async def test_the_cap_is_exact_and_names_the_machine(desk: Desk) -> None:
    await desk.ask(SUPER, "platform.set", cash_out_fee="10%")
    await desk.ask(BOSS, "machine.add", **ADD, cash_out_fee="5%")
    error = await desk.refused(BOSS, "machine.set", machine="cafe-mall", cash_out_fee="0.050001")
    assert (error["code"], error["machines"]) == ("cap_exceeded", ["cafe-mall"])


async def test_set(desk: Desk) -> None:
    await desk.with_machine()
    changed = await desk.ask(
        BOSS, "machine.set", machine=npub_of(ATM), name="mall", wallet="second", fiat="USD", location="x", active="off"
    )
    assert (changed["machine"], changed["wallet"], changed["fiat"], changed["active"]) == (
        "mall",
        "second",
        "USD",
        False,
    )
    assert (changed["cash_in_fee"], changed["cash_out_fee"]) == ("0.05", "0.05")
    assert (await desk.refused(BOSS, "machine.set", machine="mall"))["code"] == "bad_request"


async def test_a_machine_is_activated_only_within_the_cap(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "machine.set", machine="sintra", active=False)
    await desk.ask(SUPER, "platform.set", cash_in_fee="0.11")  # concerns active machines only
    assert (await desk.refused(BOSS, "machine.set", machine="sintra", active=True))["code"] == "cap_exceeded"
    await desk.ask(BOSS, "machine.set", machine="sintra", active=True, cash_in_fee="0.04")


async def test_currency_and_wallet_stay_where_records_hang_on_them(desk: Desk) -> None:
    await desk.with_machine()
    await desk.cash_out()
    changes: list[dict[str, Any]] = [{"fiat": "USD"}, {"wallet": "second"}]
    for change in changes:
        error = await desk.refused(BOSS, "machine.set", machine="sintra", **change)
        assert (error["code"], error["field"]) == ("bad_state", next(iter(change)))
    await desk.ask(BOSS, "machine.set", machine="sintra", fiat="GTQ", wallet="main")


async def test_list_and_show(desk: Desk) -> None:
    assert "No machine yet" in await desk.told(BOSS, "machine list")
    await desk.with_machine()
    await desk.ask(BOSS, "machine.add", **ADD)
    page = await desk.ask(BOSS, "machine.list", limit=1)
    assert [each["machine"] for each in page["items"]] == ["cafe-mall"]
    assert page["next"] == "cafe-mall"
    page = await desk.ask(BOSS, "machine.list", limit=1, before="cafe-mall")
    assert ([each["machine"] for each in page["items"]], page["next"]) == (["sintra"], None)
    await desk.cash_out()
    shown = await desk.ask(BOSS, "machine.show", machine=ATM)
    assert shown["totals"] == {"settlements": 1, "principal_sats": 100_000, "operator_fee_sats": 5_000}
    assert "sintra" in await desk.told(BOSS, "show Sintra")
    error = await desk.refused(BOSS, "machine.show", machine="sintar")
    assert (error["code"], error["field"]) == ("not_found", "machine")
    assert "do you mean sintra?" in error["message"]


async def test_a_machine_that_was_never_used_is_removed(desk: Desk) -> None:
    """With its enrolments, rule and switch; its LPs stay, and its key and wallet may be used again."""
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.ask(BOSS, "splits.set", machine="sintra", legs="100% a@example.com", confirm=True)
    await desk.ask(BOSS, "pause", machine="sintra")
    done = await desk.ask(BOSS, "machine.remove", machine="sintra")
    assert (done["machine"], done["wallet"], done["removed"]) == ("sintra", "main", True)
    for table in ("machines", "enrolments", "split_rules", "split_shares", "switches"):
        assert await desk.count(f"SELECT count(*) FROM {table}") == 0, table
    assert (await desk.audit())[-1] == ("machine remove", "sintra")
    assert (await desk.ask(ANA, "balance"))["enrolments"] == []
    await desk.with_machine()
    assert (await desk.ask(BOSS, "machine.show", machine="sintra"))["paused"] is False
    assert (await desk.ask(BOSS, "lp.add", machine="sintra", npub="ana"))["onboarded"] is True


async def test_a_machine_with_records_is_not_removed(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "machine.add", **ADD)
    await desk.cash_out()
    error = await desk.refused(BOSS, "machine.remove", machine="sintra")
    assert (error["code"], error["field"]) == ("bad_state", "machine")
    assert error["message"].endswith("machine set sintra active=off")
    await desk.ask(BOSS, "lp.add", machine="cafe-mall", npub=ANA, name="ana")
    await desk.ask(ANA, "join", target="ana@example.com")
    made = await desk.ask(BOSS, "deposit.add", machine="cafe-mall", lp="ana", amount="1")
    await desk.ask(BOSS, "deposit.delete", deposit=made["id"])
    assert (await desk.refused(BOSS, "machine.remove", machine="cafe-mall"))["code"] == "bad_state"
    assert (await desk.refused(BOSS, "machine.remove", machine="nowhere"))["code"] == "not_found"


async def test_cassettes_are_not_there_until_a_machine_reports_them(desk: Desk) -> None:
    await desk.with_machine()
    orders: list[tuple[str, dict[str, Any]]] = [
        ("cassette.list", {}),
        ("cassette.set", {"position": 1, "count": "0"}),
        ("cassette.set", {"position": "2", "denomination": 20}),
        ("cassette.publish", {}),
    ]
    for method, params in orders:
        error = await desk.refused(BOSS, method, machine="sintra", **params)
        assert (error["code"], error["field"]) == ("not_found", "machine")
        assert error["message"].startswith("sintra has not reported its cassettes")
        assert (await desk.refused(BOSS, method, machine="sintar", **params))["message"].endswith("sintra?")
    assert "has not reported" in str(await desk.say(BOSS, "cassette set sintra 1 count=180"))


async def test_cassette_set_refuses(desk: Desk) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"count": 1}, "position"),
        ({"position": 1}, None),
        ({"position": 0, "count": 1}, "position"),
        ({"position": 65, "count": 1}, "position"),
        ({"position": "x", "count": 1}, "position"),
        ({"position": 1, "count": -1}, "count"),
        ({"position": 1, "count": 1_000_001}, "count"),
        ({"position": 1, "denomination": 0}, "denomination"),
        ({"position": 1, "denomination": 1_000_000_001}, "denomination"),
        ({"position": 1, "denomination": 1.5}, "denomination"),
        ({"position": 1, "count": 1, "unplaced": 5}, "unplaced"),
        ({"position": 1, "count": 1, "unplaced": False}, "unplaced"),
    ]
    for params, field in cases:
        error = await desk.refused(BOSS, "cassette.set", machine="sintra", **params)
        assert (error["code"], error.get("field")) == ("bad_request", field), params
