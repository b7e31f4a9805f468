"""Freezing: nothing is paid to one LP. Operators name an LP, an LP means itself, and an operator's word is the last."""

from __future__ import annotations

import pytest

from handlers.payment import Go
from nwc.keys import npub_of
from storage import legs
from tests.handlers.desk import ANA, BEN, BOSS, EVE, Desk
from tests.handlers.till import Till


async def unasked(desk: Desk, who: str) -> list[str]:
    """What somebody was told of the bot's own accord, the newest last."""
    return [dm["text"] for dm in await desk.dms(who) if dm["answers"] is None]


async def payable(till: Till) -> list[int]:
    return [leg.id for leg in await till.desk.tx(lambda tx: legs.payable(tx, "main", till.now, 10, (), 10))]


@pytest.mark.parametrize(("freeze", "unfreeze", "who"), [("ana", "ana", BOSS), ("", "", ANA)])
async def test_nothing_is_paid_until_unfrozen(owed: Till, freeze: str, unfreeze: str, who: str) -> None:
    await owed.desk.told(who, f"freeze {freeze}")
    assert await payable(owed) == [1, 2, 4]
    assert await owed.open(3) is Go.LATER
    assert (await owed.desk.ask(BOSS, "lp.show", lp="ana"))["frozen"] is True
    assert (await owed.desk.ask(BOSS, "payment.show", payment="P3"))["next"]["step"] == "wait_for_unfreeze"
    owed.advance(1)
    await owed.desk.told(who, f"unfreeze {unfreeze}")
    assert await payable(owed) == [1, 2, 3, 4]
    assert (await owed.desk.ask(BOSS, "lp.show", lp="ana"))["frozen"] is False
    await owed.paid(3, 1)


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.with_lp(BEN, "ben", deposited=None)
    return desk


async def test_an_operator_freezes_and_the_lp_is_told(ready: Desk) -> None:
    await ready.ask(ANA, "join", target="new@example.com", confirm=True)
    done = await ready.ask(BOSS, "target.freeze", lp="ana", reason="a stolen phone")
    assert done == {
        "lp": ANA,
        "npub": npub_of(ANA),
        "name": "ana",
        "yourself": False,
        "frozen": True,
        "by": "operator",
        "reason": "a stolen phone",
        "since": ready.now,
        "obeyed": True,
        "target": "ana@example.com",
        "next_target": "new@example.com",
        "next_target_at": ready.now + 86_400,
    }
    assert "a stolen phone" in (await unasked(ready, ANA))[-1]
    assert ("target freeze", "ana") in await ready.audit()
    told = len(await unasked(ready, ANA))
    await ready.ask(BOSS, "target.freeze", lp=ANA)
    assert len(await unasked(ready, ANA)) == told, "nothing changed for it"
    await ready.ask(BOSS, "target.unfreeze", lp="ANA")
    assert "lifted" in (await unasked(ready, ANA))[-1]
    assert await unasked(ready, BEN) == []


async def test_an_lp_freezes_itself_and_the_operators_are_told(ready: Desk) -> None:
    text = await ready.told(ANA, "freeze reason='my phone is gone'")
    assert text.splitlines()[-1] == "To be paid again: unfreeze"
    assert await unasked(ready, ANA) == []
    (notice,) = await unasked(ready, BOSS)
    assert notice.startswith("ana has frozen itself")
    assert "my phone is gone" in notice
    assert notice.endswith("freeze ana")
    assert (await ready.ask(ANA, "target.unfreeze", lp=npub_of(ANA)))["frozen"] is False
    assert "unfrozen itself" in (await unasked(ready, BOSS))[-1]


async def test_an_lp_does_not_lift_what_an_operator_froze(ready: Desk) -> None:
    await ready.ask(BOSS, "target.freeze", lp="ana")
    error = await ready.refused(ANA, "target.unfreeze")
    assert (error["code"], "write to the operator" in error["message"]) == ("forbidden", True)
    ready.now += 1
    await ready.ask(ANA, "target.freeze")  # its own word beside the operator's takes nothing over
    assert (await ready.refused(ANA, "target.unfreeze"))["code"] == "forbidden"
    ready.now += 1
    done = await ready.ask(BOSS, "target.unfreeze", lp="ana")
    assert (done["frozen"], done["by"], done["obeyed"]) == (False, None, True)


async def test_an_operators_freeze_that_comes_late_is_not_lifted_by_what_the_lp_said_since(ready: Desk) -> None:
    """The operator said freeze at 0, the LP freeze at 1 and unfreeze at 2; relays bring the operator's word last."""
    said_at = ready.now
    ready.now += 5
    await ready.json(ANA, {"method": "target.freeze"}, said_at=said_at + 1)
    await ready.json(ANA, {"method": "target.unfreeze"}, said_at=said_at + 2)
    late = (await ready.json(BOSS, {"method": "target.freeze", "params": {"lp": "ana"}}, said_at=said_at))["result"]
    assert (late["frozen"], late["by"], late["obeyed"]) == (True, "operator", True)
    assert (await ready.refused(ANA, "target.unfreeze"))["code"] == "forbidden"


async def test_the_word_said_last_stands(ready: Desk) -> None:
    order = {"method": "target.freeze", "params": {"lp": "ana"}}
    await ready.json(BOSS, {"method": "target.unfreeze", "params": {"lp": "ana"}})
    late = (await ready.json(BOSS, order, said_at=ready.now - 60))["result"]
    assert (late["frozen"], late["obeyed"]) == (False, False)
    assert "A newer order" in str(await ready.say(BOSS, "freeze ana", said_at=ready.now - 60))
    await ready.json(ANA, {"method": "target.freeze"})
    lifted = (await ready.json(BOSS, {**order, "method": "target.unfreeze"}, said_at=ready.now - 30))["result"]
    assert (lifted["frozen"], lifted["by"], lifted["obeyed"]) == (True, "lp", False)
    assert await unasked(ready, ANA) == []


async def test_an_lp_that_is_an_operator_too_has_an_operators_word(ready: Desk) -> None:
    ready.with_settings(operators=frozenset({BOSS, ANA}))
    done = await ready.ask(ANA, "target.freeze")
    assert (done["name"], done["by"]) == ("ana", "operator")
    assert (await ready.ask(ANA, "target.freeze", lp="ben"))["name"] == "ben"
    assert (await ready.ask(ANA, "target.unfreeze"))["frozen"] is False


async def test_an_lp_names_nobody_else_and_learns_nothing(ready: Desk) -> None:
    for lp in ("ben", "nobody", npub_of(BEN), BEN, EVE, "stolen phone"):
        for method in ("target.freeze", "target.unfreeze"):
            error = await ready.refused(ANA, method, lp=lp)
            assert (error["code"], error["field"]) == ("forbidden", "lp")
            assert error["message"] == "you can do this for yourself only: leave the name out"
    assert await ready.count("SELECT count(*) FROM switches") == 0


async def test_an_operator_has_to_name_somebody(ready: Desk) -> None:
    error = await ready.refused(BOSS, "target.freeze")
    assert (error["code"], error["field"]) == ("bad_request", "lp")
    error = await ready.refused(BOSS, "target.unfreeze", lp="bem")
    assert (error["code"], error["field"], "do you mean ben?" in error["message"]) == ("not_found", "lp", True)
