"""How orders come in: once for ever, in time, by role, in text and JSON, at a bounded pace; how money orders ask."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from handlers import orders as orders_module
from handlers.commands import registry
from handlers.context import Answer, Ask, Context
from handlers.orders import MAX_ANSWER_BYTES, handle
from ledger.errors import Code, Refusal
from nwc.keys import npub_of
from storage.db import Tx
from tests.handlers.desk import ANA, BOSS, BOT, EVE, SUPER, Desk

SPLITS = '60% ana@example.com "Ana" + 40% ops@example.com "Ops"'


async def test_a_message_is_acted_on_once_for_ever(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    message = desk.message(BOSS, "deposit sintra ana 2000")
    await desk.send(message)
    await desk.send(message)
    desk.now += 30 * 86_400
    await desk.send(message)
    assert len(await desk.answers(message.id)) == 1
    assert await desk.count("SELECT count(*) FROM deposits") == 1


async def test_answers_go_back_in_kind(desk: Desk) -> None:
    for signed, kind in ((False, "dm"), (True, "signed_dm")):
        message = desk.message(BOSS, "whoami", signed=signed)
        await desk.send(message)
        (dm,) = [each for each in await desk.dms() if each["answers"] == message.id]
        assert (dm["kind"], dm["to"]) == (kind, BOSS)


@pytest.mark.parametrize(("off", "stale"), [(-901, True), (-900, False), (120, False), (121, True)])
async def test_what_changes_something_must_be_fresh(desk: Desk, off: int, stale: bool) -> None:
    order = {"method": "pause"}
    answer = await desk.json(BOSS, order, said_at=desk.now + off)
    assert (answer.get("error", {}).get("code") == "stale") is stale
    assert await desk.count("SELECT count(*) FROM switches") == (0 if stale else 1)
    assert "result" in await desk.json(BOSS, {"method": "status"}, said_at=desk.now - 86_400)


async def test_a_stale_order_may_be_given_again_under_its_id(desk: Desk) -> None:
    order = {"id": "a", "method": "pause"}
    assert (await desk.json(BOSS, order, said_at=desk.now - 1_000))["error"]["code"] == "stale"
    assert (await desk.json(BOSS, order))["result"]["paused"] is True


async def test_the_same_id_gives_the_same_answer(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    params = {"machine": "sintra", "lp": "ana", "amount": "2000"}
    first = await desk.say(BOSS, json.dumps({"id": 7, "method": "deposit.add", "params": params}))
    desk.now += 400 * 86_400
    again = await desk.say(
        BOSS, json.dumps({"params": dict(reversed(params.items())), "method": "deposit.add", "id": 7})
    )
    assert first == again
    assert await desk.count("SELECT count(*) FROM deposits") == 1
    other = await desk.json(BOSS, {"id": 7, "method": "deposit.add", "params": {**params, "amount": "2001"}})
    assert other["error"]["code"] == "conflict"
    assert other["id"] == 7
    text_id = await desk.json(BOSS, {"id": "7", "method": "deposit.add", "params": params})
    assert text_id["result"]["id"] == "D2"  # "7" and 7 are two ids


async def test_ids_are_the_senders_own(desk: Desk) -> None:
    assert "result" in await desk.json(BOSS, {"id": "x", "method": "whoami"})
    answer = await desk.json(SUPER, {"id": "x", "method": "whoami"})
    assert answer["result"]["roles"] == ["platform"]


async def test_a_refusal_is_the_answer_under_its_id_too(desk: Desk) -> None:
    order = {"id": "m", "method": "machine.show", "params": {"machine": "sintra"}}
    first = await desk.json(BOSS, order)
    assert first["error"]["code"] == "not_found"
    await desk.with_machine()
    assert await desk.json(BOSS, order) == first


async def test_a_money_order_in_json_is_done_under_the_id_that_asked_first(desk: Desk) -> None:
    order = {"id": "s", "method": "splits.set", "params": {"legs": SPLITS}}
    error = (await desk.json(BOSS, order))["error"]
    assert error["code"] == "confirm_required"
    assert [leg["fraction"] for leg in error["preview"]["legs"]] == ["0.60", "0.40"]
    assert await desk.count("SELECT count(*) FROM split_rules") == 0
    done = await desk.json(BOSS, {**order, "confirm": True})
    assert done["result"]["source"] == "default"
    assert await desk.json(BOSS, order) == done
    assert await desk.count("SELECT count(*) FROM split_rules") == 1


def code_in(answer: str) -> str:
    match = re.search(r"confirm ([A-Z0-9]{6})", answer)
    assert match, answer
    return match[1]


async def test_a_money_order_in_text_waits_for_its_code(desk: Desk) -> None:
    answer = await desk.told(BOSS, f"splits set {SPLITS}")
    assert "60% to Ana (ana@example.com)" in answer
    assert await desk.count("SELECT count(*) FROM split_rules") == 0
    code = code_in(answer)
    assert "nothing waits" in await desk.told(SUPER, f"confirm {code}")
    assert "60% to Ana" in await desk.told(BOSS, f"Confirm {code.lower()}")
    assert await desk.count("SELECT count(*) FROM split_rules WHERE active = 1") == 1
    assert "nothing waits" in await desk.told(BOSS, f"confirm {code}")
    assert await desk.count("SELECT count(*) FROM split_rules") == 1


async def test_a_code_lives_ten_minutes(desk: Desk) -> None:
    code = code_in(await desk.told(BOSS, f"splits set {SPLITS}"))
    desk.now += 600
    assert "nothing waits" in await desk.told(BOSS, f"confirm {code}")
    assert await desk.count("SELECT count(*) FROM split_rules") == 0


async def test_what_changed_meanwhile_is_shown_again_with_a_new_code(desk: Desk) -> None:
    first = code_in(await desk.told(BOSS, f"splits set {SPLITS}"))
    await desk.ask(BOSS, "splits.set", legs="100% other@example.com", confirm=True)
    answer = await desk.told(BOSS, f"confirm {first}")
    assert answer.startswith("Meanwhile something changed")
    assert "(shares: 1)" in answer
    assert await desk.count("SELECT count(*) FROM split_rules") == 1
    await desk.told(BOSS, f"confirm {code_in(answer)}")
    assert await desk.count("SELECT count(*) FROM split_rules") == 2


async def test_a_code_is_of_no_use_to_somebody_who_lost_the_role(desk: Desk) -> None:
    code = code_in(await desk.told(BOSS, f"splits set {SPLITS}"))
    desk.with_settings(operators=frozenset(), platforms=frozenset({BOSS}))
    assert "not for you" in await desk.told(BOSS, f"confirm {code}")
    assert await desk.count("SELECT count(*) FROM split_rules") == 0


async def test_a_refused_money_order_is_in_the_audit_log(desk: Desk) -> None:
    await desk.with_machine()
    before = len(await desk.audit())
    await desk.refused(BOSS, "splits.set", legs="99% ana@example.com", confirm=True)
    await desk.refused(SUPER, "splits.set", legs=SPLITS, confirm=True)
    assert (await desk.audit())[before:] == [("splits set", None), ("splits set", None)]


async def test_a_stranger_gets_one_answer_a_day(desk: Desk) -> None:
    assert "no role here" in (await desk.told(EVE, "whoami"))
    assert await desk.say(EVE, "help") is None
    assert await desk.say(EVE, '{"method": "status"}') is None
    desk.now += 86_400
    assert "is for" in await desk.told(EVE, "status")
    assert await desk.count("SELECT count(*) FROM orders WHERE method = 'status'") == 0


async def test_old_messages_of_strangers_are_dropped(desk: Desk) -> None:
    assert await desk.say(EVE, "hello", said_at=desk.now - 901) is None
    assert await desk.say(EVE, "join eve@example.com", said_at=desk.now - 901) is None
    assert await desk.count("SELECT count(*) FROM applicants") == 0


async def test_joining_is_answered_beside_the_one_answer_but_not_endlessly(desk: Desk) -> None:
    await desk.told(EVE, "hello")
    assert "no target" in await desk.told(EVE, "join nowhere")
    assert "Noted" in await desk.told(EVE, "join eve@example.com")
    answers = [await desk.say(EVE, "join eve@example.com") for _ in range(20)]
    assert sum(answer is not None for answer in answers) == 8


async def test_orders_come_at_a_bounded_pace(desk: Desk) -> None:
    await desk.with_machine()
    for _ in range(600 - 1):
        assert "result" in await desk.json(BOSS, '{"method":"whoami"}')
    answer = await desk.json(BOSS, '{"id":"late","method":"whoami"}')
    assert answer == {"id": "late", "error": answer["error"]}
    assert answer["error"]["code"] == "rate_limited"
    assert "result" in await desk.json(SUPER, '{"method":"whoami"}')
    desk.now += 60
    assert "result" in await desk.json(BOSS, '{"id":"late","method":"whoami"}')
    assert await desk.count("SELECT count(*) FROM counters WHERE name GLOB ?", f"orders:{BOSS}:*") == 1


async def test_a_bug_undoes_its_order_and_only_that(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.with_machine()
    command = registry.get("pause")
    assert command is not None

    def broken(ctx: Context, params: Any) -> dict[str, Any]:
        command.run(ctx, params)
        raise ZeroDivisionError

    monkeypatch.setitem(registry._COMMANDS, "pause", replace(command, run=broken))
    answer = await desk.json(BOSS, {"id": "p", "method": "pause"})
    assert answer["error"]["code"] == "internal"
    assert isinstance(desk.bug, ZeroDivisionError)
    assert await desk.count("SELECT count(*) FROM switches") == 0
    assert await desk.count("SELECT count(*) FROM audit WHERE command = 'pause'") == 0
    monkeypatch.setitem(registry._COMMANDS, "pause", command)
    assert "result" in await desk.json(BOSS, {"id": "p", "method": "pause"})


async def test_the_bots_own_key_is_an_operator_and_does_not_answer_itself(desk: Desk) -> None:
    answer = await desk.told(BOT, "whoami")
    assert "operator" in answer
    assert await desk.say(BOT, answer) is None
    assert "no command" in await desk.told(BOT, "worklst")


async def test_long_lists_fit_a_message(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    note = "ñ" * 1_900
    for _ in range(30):
        await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1", note=note)
    text = await desk.told(BOSS, json.dumps({"id": "l", "method": "deposit.list", "params": {"limit": 200}}))
    assert len(text.encode()) <= MAX_ANSWER_BYTES
    seen: list[str] = []
    page = json.loads(text)["result"]
    while True:
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        assert page["next"] == seen[-1]
        page = await desk.ask(BOSS, "deposit.list", limit=200, before=page["next"])
    assert seen == [f"D{number}" for number in range(30, 0, -1)]


async def test_the_story_of_one_thing_fits_a_message_too(desk: Desk) -> None:
    await desk.with_machine()
    settlement_id = await desk.cash_out()

    def work(tx: Tx) -> None:
        for number in range(20):
            tx.insert("settlement_notes", settlement_id=settlement_id, at=number, author=BOSS, text="ñ" * 2_000)

    await desk.tx(work)
    text = await desk.told(BOSS, json.dumps({"method": "settlement.show", "params": {"settlement": "S1"}}))
    assert len(text.encode()) <= MAX_ANSWER_BYTES
    result = json.loads(text)["result"]
    assert 5 < len(result["notes"]) < 20
    assert result["next"] == "notes"


async def test_a_near_miss_is_answered_with_the_nearest_command(desk: Desk) -> None:
    assert "do you mean “worklist”" in await desk.told(BOSS, "worklst")
    assert "do you mean “settlement show”" in await desk.told(BOSS, "setlement shw S1")
    error = (await desk.json(BOSS, {"method": "deposit.ad"}))["error"]
    assert error["code"] == "unknown_command"
    assert error["nearest"] == "deposit.add"


async def test_help_is_what_the_sender_may_use(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    names = {each["name"] for each in (await desk.ask(ANA, "help"))["commands"]}
    assert {"balance", "history", "join", "help"} <= names
    assert "deposit add" not in names
    one = await desk.ask(BOSS, "help", command="deposit add")
    assert one["parameters"][0] == {"name": "machine", "required": True, "meaning": "a machine's name or key"}
    assert one["example"] == "deposit sintra ana 2000"
    assert "deposit list: " in await desk.told(BOSS, "help deposit")
    text = await desk.told(BOSS, "help")
    assert len(text.splitlines()) <= 14


async def test_whoami(desk: Desk) -> None:
    assert await desk.ask(SUPER, "whoami") == {
        "roles": ["platform"],
        "npub": npub_of(SUPER),
        "pubkey": SUPER,
        "language": "en",
    }


async def test_status(desk: Desk) -> None:
    await desk.with_machine()
    await desk.cash_out()
    found = await desk.ask(BOSS, "status")
    assert found["version"] == "0.1.0"
    assert found["uptime_seconds"] == 3_700
    assert found["paused"] is False
    assert found["relays"][1] == {"url": "wss://two.example", "up": False, "withholding": False}
    assert [(each["name"], each["up"], each["balance_sats"]) for each in found["wallets"]] == [
        ("main", True, None),
        ("second", False, None),
    ]
    assert set(found["worklist"].values()) == {0}
    assert found["last_settlement_at"] == desk.now
    assert "Relays: 1 of 2 up, down: wss://two.example" in await desk.told(BOSS, "status")


async def test_an_empty_message_is_answered(desk: Desk) -> None:
    assert "no command" in await desk.told(BOSS, "")


async def test_what_people_typed_is_shown_without_its_tricks(desk: Desk) -> None:
    await desk.with_machine()
    answer = await desk.told(BOSS, 'machine show "sin\u202etra\nS1 processed"')
    assert "\u202e" not in answer
    assert len(answer.splitlines()) == 1
    await desk.with_lp(deposited=None)
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="5", note="a\u2066\nb\x00")
    assert made["note"] == "a b"


async def test_ten_kilobytes_of_text(desk: Desk) -> None:
    answer = await desk.told(BOSS, "deposit " + "x" * 10_000)
    assert len(answer) < 200
    answer = await desk.told(BOSS, "x " * 5_000)
    assert "too long" in answer


async def test_a_refused_answer_to_a_question_is_not_the_answer_to_its_copy(desk: Desk) -> None:
    """Two copies of one order come while the first is looked into: one is told to wait, the other still asks."""
    order = json.dumps({"id": 7, "method": "reconcile"})
    first, copy = desk.message(BOSS, order), desk.message(BOSS, order)
    busy = Answer(Refusal(Code.BAD_STATE, "busy"))
    await desk.tx(lambda tx: handle(tx, copy, desk.settings, desk.live, desk.now, busy))
    with pytest.raises(Ask):
        await desk.tx(lambda tx: handle(tx, first, desk.settings, desk.live, desk.now))
    assert "error" in json.loads((await desk.answers(copy.id))[0])


async def test_what_came_too_fast_is_not_done_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_module, "ORDERS_A_MINUTE", 0)
    message = desk.message(BOSS, "pause")
    await desk.send(message)
    monkeypatch.undo()
    desk.now += 60
    await desk.send(message)
    assert (await desk.ask(BOSS, "status"))["paused"] is False


async def test_a_list_in_text_leaves_nothing_out(desk: Desk) -> None:
    """What it says about the next ones begins where it ended."""
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    for number in range(25):
        await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount=str(number + 1))
    seen, order = [], "deposits limit=200"
    while order:
        *rows, last = (await desk.told(BOSS, order)).splitlines()[1:]
        following = re.search(r"deposit list before=\S+", last)
        seen += [row.split(" ")[0] for row in (rows if following else [*rows, last])]
        order = following[0] if following else ""
    assert seen == [f"D{number}" for number in range(25, 0, -1)]


async def test_status_names_paused_machines(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "pause", machine="sintra")
    assert (await desk.ask(BOSS, "status"))["paused_machines"] == ["sintra"]
    assert "Paused: sintra. To go on: resume sintra" in await desk.told(BOSS, "status")
