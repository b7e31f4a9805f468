"""Split rules and the platform: exact fractions, one rule for each place, targets in force."""

from __future__ import annotations

from typing import Any

import pytest

from nwc.keys import npub_of
from tests.handlers.desk import ANA, ATM2, BOSS, SUPER, Desk

RULE = f'60% ana@example.com "Ana" + 40% {npub_of(ANA)} "Ops & co"'


async def test_set_for_one_machine_and_by_default(desk: Desk) -> None:
    await desk.with_machine()
    assert await desk.ask(BOSS, "splits.show", machine="sintra") == {"machine": "sintra", "source": None, "legs": []}
    default = await desk.ask(BOSS, "splits.set", legs=RULE, confirm=True)
    assert default == {
        "machine": None,
        "source": "default",
        "legs": [
            {"fraction": "0.60", "target": "ana@example.com", "label": "Ana"},
            {"fraction": "0.40", "target": npub_of(ANA), "label": "Ops & co"},
        ],
    }
    assert (await desk.ask(BOSS, "splits.show", machine="sintra"))["source"] == "default"
    own = await desk.ask(
        BOSS, "splits.set", machine="sintra", legs=[{"fraction": "1", "target": "me@example.com"}], confirm=True
    )
    assert own["legs"] == [{"fraction": "1.00", "target": "me@example.com", "label": "me@example.com"}]
    assert await desk.ask(BOSS, "splits.show", machine="sintra") == own
    assert await desk.ask(BOSS, "splits.show") == default
    assert ("splits set", "sintra") in await desk.audit()


@pytest.mark.parametrize(
    "order",
    [
        f"splits set {RULE}",
        f"splits set machine=sintra {RULE}",
        f"splits set {RULE} machine=sintra",
        f"splits set machine=sintra legs={RULE}",
        f"splits set machine=sintra legs='{RULE}'",
        f"Splits set\n{RULE.replace(chr(34) + 'Ana' + chr(34), '“Ana”')}",
    ],
)
async def test_set_in_text(desk: Desk, order: str) -> None:
    await desk.with_machine()
    answer = await desk.told(BOSS, order)
    lines = answer.splitlines()
    assert ("sintra" in lines[1]) is ("machine" in order)
    assert lines[2:4] == ["60% to Ana (ana@example.com)", f"40% to Ops & co ({npub_of(ANA)})"]


@pytest.mark.parametrize(
    ("legs", "code"),
    [
        ("", "bad_request"),
        ("60% a@example.com + 39.99% b@example.com", "bad_request"),
        ("60% a@example.com + 40.0001% b@example.com", "bad_request"),
        ("100% a@example.com + 0% b@example.com", "bad_request"),
        ("100%", "bad_request"),
        ("100% a@example.com +", "bad_request"),
        ("a@example.com 100%", "bad_request"),
        ("100% nobody", "target_error"),
        ('100% a@example.com "open', "bad_request"),
        ([], "bad_request"),
        ([{"fraction": "1"}], "bad_request"),
        ([{"fraction": True, "target": "a@example.com"}], "bad_request"),
        ([{"fraction": "1", "target": "a@example.com", "x": 1}], "bad_request"),
        ([{"fraction": "0.02", "target": "a@example.com"}] * 50, "confirm_required"),
        ([{"fraction": "0.01", "target": "a@example.com"}] * 100, "bad_request"),
        (5, "bad_request"),
        (None, "bad_request"),
    ],
)
async def test_set_refuses(desk: Desk, legs: Any, code: str) -> None:
    error = await desk.refused(BOSS, "splits.set", legs=legs)
    assert error["code"] == code
    assert await desk.count("SELECT count(*) FROM split_rules") == 0


async def test_platform(desk: Desk) -> None:
    await desk.with_machine()
    assert await desk.ask(BOSS, "platform.show") == {"cash_in_fee": "0.00", "cash_out_fee": "0.00", "target": None}
    changed = await desk.ask(SUPER, "platform.set", cash_out_fee="3%", target="fees@example.com")
    assert changed == {"cash_in_fee": "0.00", "cash_out_fee": "0.03", "target": "fees@example.com"}
    assert (await desk.ask(SUPER, "platform.set", target="none"))["target"] is None
    assert (await desk.refused(SUPER, "platform.set"))["code"] == "bad_request"
    assert (await desk.refused(SUPER, "platform.set", target="x"))["code"] == "target_error"
    assert "cash-out 3%" in await desk.told(SUPER, "platform show")


async def test_the_platform_fee_is_capped_by_every_active_machine(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR", cash_in_fee="7%")
    await desk.ask(SUPER, "platform.set", cash_in_fee="8%", cash_out_fee="10%")
    error = await desk.refused(SUPER, "platform.set", cash_in_fee="11%")
    assert error["machines"] == ["mall", "sintra"]
    error = await desk.refused(SUPER, "platform.set", cash_in_fee="9%")
    assert (error["code"], error["machines"], error["field"]) == ("cap_exceeded", ["mall"], "cash_in_fee")
    assert (await desk.ask(SUPER, "platform.show"))["cash_in_fee"] == "0.08"


async def test_clear_leaves_the_default_and_then_nothing(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    error = await desk.refused(BOSS, "splits.clear", machine="sintra")
    assert (error["code"], "no rule of its own" in error["message"]) == ("not_found", True)
    assert (await desk.refused(BOSS, "splits.clear"))["code"] == "not_found"
    await desk.ask(BOSS, "splits.set", legs="100% all@example.com", confirm=True)
    await desk.ask(BOSS, "splits.set", machine="sintra", legs="100% me@example.com", confirm=True)
    text = await desk.told(BOSS, "splits clear sintra")
    assert "100% to all@example.com" in text
    await desk.ask(BOSS, "splits.set", machine="sintra", legs="100% me@example.com", confirm=True)
    done = await desk.ask(BOSS, "splits.clear")
    assert done == {"machine": None, "source": None, "legs": [], "kept_at": ["mall"]}
    assert (await desk.ask(BOSS, "splits.show", machine="sintra"))["source"] == "machine"
    text = await desk.told(BOSS, "splits clear sintra")
    assert "Operator fees stay in the wallet, for no rule is in force: mall, sintra" in text
    await desk.ask(BOSS, "machine.set", machine="mall", active=False)
    await desk.ask(BOSS, "splits.set", machine="sintra", legs="100% me@example.com", confirm=True)
    assert (await desk.ask(BOSS, "splits.clear", machine="sintra"))["kept_at"] == ["sintra"]
    assert ("splits clear", "default splits") in await desk.audit()
