"""What people wish: a language for everybody with a role; target, mode and messages for LPs."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from handlers import replies
from handlers.commands import prefs
from handlers.fixed_mode import FixedMode
from nwc.keys import npub_of
from tests.handlers.desk import ANA, ATM2, BEN, BOSS, EVE, SUPER, Desk
from tests.handlers.till import Till

NOBODYS = {
    "target": None, "next_target": None, "next_target_at": None, "mode": None, "daily_limit": None, "frozen": None,
    "forward": None, "forward_to": None, "notify": None,
}  # fmt: skip


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    return desk


async def unasked(desk: Desk, who: str) -> list[str]:
    return [dm["text"] for dm in await desk.dms(who) if dm["answers"] is None]


def test_the_languages_are_those_that_the_bot_speaks() -> None:
    assert set(prefs._LANGUAGES.values()) == set(replies.LANGUAGES)


async def test_what_an_lp_sees(ready: Desk) -> None:
    assert await ready.ask(ANA, "prefs.show") == {
        "target": "ana@example.com",
        "next_target": None,
        "next_target_at": None,
        "mode": "flow",
        "daily_limit": None,
        "frozen": False,
        "forward": False,
        "forward_to": None,
        "notify": False,
        "language": "en",
    }
    text = await ready.told(ANA, "prefs")
    assert "Your sats go to ana@example.com." in text


async def test_everybody_with_a_role_chooses_a_language_and_no_more(ready: Desk) -> None:
    values: dict[str, Any] = {"target": "a@example.com", "mode": "flow", "daily_limit": "none", "notify": True}
    for who in (BOSS, SUPER):
        assert await ready.ask(who, "prefs.set", language="es") == {**NOBODYS, "language": "es"}
        assert (await ready.ask(who, "prefs.show"))["language"] == "es"
        for field, value in values.items():
            error = await ready.refused(who, "prefs.set", **{field: value})
            assert (error["code"], error["field"]) == ("forbidden", field)


async def test_a_language_in_text(ready: Desk) -> None:
    for order in ("language es", "Idioma Español", "idioma es", "prefs set language=es"):
        await ready.told(ANA, order)
        assert (await ready.ask(ANA, "prefs.show"))["language"] == "es"
        await ready.told(ANA, "language English")
        assert (await ready.ask(ANA, "prefs.show"))["language"] == "en"


async def test_a_new_lp_is_spoken_to_as_its_operator_is(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.ask(BOSS, "prefs.set", language="es")
    await desk.with_lp(BEN, "ben", deposited=None)
    assert (await desk.ask(BEN, "prefs.show"))["language"] == "es"
    await desk.ask(ANA, "prefs.set", language="en")
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    await desk.ask(BOSS, "lp.add", machine="mall", npub="ana")
    assert (await desk.ask(ANA, "prefs.show"))["language"] == "en"


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, "bad_request", None),
    ({"language": None}, "bad_request", None),
    ({"language": "de"}, "bad_request", "language"),
    ({"language": 1}, "bad_request", "language"),
    ({"mode": "both"}, "bad_request", "mode"),
    ({"mode": "fixed"}, "bad_state", "mode"),
    ({"daily_limit": "100"}, "bad_state", "daily_limit"),
    ({"daily_limit": "0"}, "bad_request", "daily_limit"),
    ({"forward": True}, "bad_state", "forward"),
    ({"forward": False}, "bad_state", "forward"),
    ({"forward_to": "a@example.com"}, "bad_state", "forward_to"),
    ({"notify": "maybe"}, "bad_request", "notify"),
    ({"target": "nowhere"}, "target_error", "target"),
    ({"colour": "red"}, "bad_request", "colour"),
    ({"language": "es", "mode": "fixed"}, "bad_state", "mode"),
]


async def test_set_refuses(ready: Desk) -> None:
    before = await ready.ask(ANA, "prefs.show")
    for params, code, field in REFUSED:
        error = await ready.refused(ANA, "prefs.set", **params)
        assert (error["code"], error.get("field")) == (code, field), params
    assert await ready.ask(ANA, "prefs.show") == before


async def test_fixed_mode_where_the_bot_has_times_for_it(ready: Desk) -> None:
    ready.with_settings(fixed_mode=FixedMode(("09:00",), UTC, 3_600, 1_000_000))
    done = await ready.ask(ANA, "prefs.set", mode="fixed", daily_limit="0500.50")
    assert (done["mode"], done["daily_limit"]) == ("fixed", "500.5")
    assert "500.5 a day" in await ready.told(ANA, "prefs")
    for limit in ("-1", "0", "0.99", "5.0001", "1e3", "NaN", "9" * 13, ""):
        assert (await ready.refused(ANA, "prefs.set", daily_limit=limit))["field"] == "daily_limit", limit
    done = await ready.ask(ANA, "prefs.set", mode="flow", daily_limit="None")
    assert (done["mode"], done["daily_limit"]) == ("flow", None)
    assert ("prefs set", "ana") in await ready.audit()


async def test_what_is_as_it_was_leaves_no_line(ready: Desk) -> None:
    before = await ready.audit()
    await ready.ask(ANA, "prefs.set", mode="flow", notify=False)
    assert await ready.audit() == before


async def test_another_target_is_the_money_order_that_join_is(ready: Desk) -> None:
    error = await ready.refused(ANA, "prefs.set", target="new@example.com", notify=True)
    assert error["code"] == "confirm_required"
    assert error["preview"] == {
        "target": "new@example.com",
        "replaces": "ana@example.com",
        "cooldown_seconds": 86_400,
        "also": {"notify": True},
    }
    assert (await ready.ask(ANA, "prefs.show"))["notify"] is False
    text = await ready.told(ANA, "prefs set target=new@example.com notify=on")
    done = await ready.told(ANA, text.splitlines()[-1].partition(": ")[2])
    assert "new@example.com" in done
    found = await ready.ask(ANA, "prefs.show")
    assert (found["target"], found["next_target"], found["notify"]) == ("ana@example.com", "new@example.com", True)
    ready.now += 86_400
    found = await ready.ask(ANA, "prefs.show")
    assert (found["target"], found["next_target"], found["next_target_at"]) == ("new@example.com", None, None)
    # the change is in force although nothing was shared out since: taking it back is a change that waits
    assert (await ready.refused(ANA, "join", target="ana@example.com"))["preview"]["cooldown_seconds"] == 86_400


async def test_a_change_of_target_is_told_to_the_lp_and_the_operators(ready: Desk) -> None:
    assert await unasked(ready, ANA) == await unasked(ready, BOSS) == []
    await ready.ask(ANA, "join", target="ana@example.com")
    await ready.refused(ANA, "join", target="thief@example.com")
    assert await unasked(ready, BOSS) == [], "nothing is changed yet"
    await ready.ask(ANA, "join", target="thief@example.com", confirm=True)
    (own,), (boss,) = await unasked(ready, ANA), await unasked(ready, BOSS)
    for text in (own, boss):
        assert "thief@example.com" in text
        assert "ana@example.com" in text
    assert "If that was not you: freeze" in own
    assert boss.endswith("freeze ana")
    await ready.ask(ANA, "prefs.set", target="ana@example.com", confirm=True)
    assert (await unasked(ready, BOSS))[-1].startswith("ana: its sats go to ana@example.com now")


async def test_a_stranger_has_no_wishes(ready: Desk) -> None:
    assert (await ready.refused(EVE, "prefs.set", language="es"))["code"] == "forbidden"
    assert await ready.count("SELECT count(*) FROM people") == 0


async def test_an_lp_that_wants_to_hears_of_payments_and_deposits(owed: Till) -> None:
    desk = owed.desk
    await desk.ask(ANA, "prefs.set", notify=True)
    for leg_id in (1, 3, 4):
        await owed.paid(leg_id, leg_id)
    (text,) = await unasked(desk, ANA)
    assert text.startswith("P3: 75,000 sats for Q1,500.00 of yours in sintra.")
    assert await unasked(desk, BEN) == []
    await owed.learn(3, source="notification")
    assert len(await unasked(desk, ANA)) == 1, "the same proof twice is one payment"
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="2000")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"], amount="1980")
    assert (await unasked(desk, ANA))[-1].startswith(f"{made['id']}: your Q1,980.00 are in sintra")
    await desk.ask(ANA, "prefs.set", notify=False)
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="20")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    assert len(await unasked(desk, ANA)) == 2


async def test_a_second_payment_is_not_told_and_what_it_covers_is(owed: Till) -> None:
    """P3 is paid twice; the surplus covers ana's share of the next sale wholly."""
    desk = owed.desk
    await desk.ask(ANA, "prefs.set", notify=True)
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.paid(3, 2)
    await owed.learn(1)
    assert [text.partition(":")[0] for text in await unasked(desk, ANA)] == ["P3"]
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1500")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await desk.cash_out(2, platform_fee_sats=3_000)
    await desk.distribute()
    await owed.open(7)
    text = (await unasked(desk, ANA))[-1]
    assert text.startswith("P7: 75,000 sats for Q1,500.00")
    assert "75,000 sats of it was set off" in text
