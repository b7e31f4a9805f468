"""The examples in docs/protocol.md are what the bot reads and writes."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from handlers import public_face
from handlers.envelope import open_envelope
from handlers.public_face import Face
from handlers.wire import receipt
from handlers.wire.beacon import parse_beacon
from handlers.wire.cassettes import parse_cassettes
from handlers.wire.settlement import parse_settlement
from ledger import views
from ledger.errors import Code
from storage import beacons
from storage.beacons import Beacon
from tests.handlers.desk import BOSS, SUPER, Desk

PAGE: Final = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]


def examples(heading: str) -> list[Any]:
    """The JSON examples under a heading of the protocol."""
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", section(heading), re.M | re.S)]


def test_the_settlement_is_one() -> None:
    [example] = examples("Settlement")
    report = parse_settlement(json.dumps(example))
    assert (report.wire_sats, report.principal_sats, report.exchange_rate) == (103_000, 100_000, Decimal(50))
    rows = re.findall(r"^\| (`[^|]*) \|", section("Settlement"), re.MULTILINE)
    fields = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert fields == set(example)


async def test_receipt_and_fee_config_look_as_the_bot_makes_them(desk: Desk) -> None:
    [example], [fees] = examples("Receipt"), examples("Fee config")
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%")
    await desk.with_machine()
    made = [body for body in await desk.outbox_events() if body["tags"][-1][1].startswith("bitspire-fees:")]
    assert json.loads(made[-1]["content"]) == fees
    hash_ = example["payment_hash"]
    await desk.tx(
        lambda tx: receipt.send(
            tx, machine_pubkey=BOSS, payment_hash=hash_, status="accepted", settlement_id=12, reason=None, stored=True,
            now=desk.now,
        )
    )  # fmt: skip
    [stored] = [body for body in await desk.outbox_events() if body["tags"][-1] == ["d", f"bitspire-receipt:{hash_}"]]
    assert (json.loads(stored["content"]), stored["expires_in"]) == (example, 7 * 86_400)


async def test_a_machine_card_looks_as_the_bot_makes_it(desk: Desk) -> None:
    [card] = examples("Machine card and status")
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%")
    await desk.with_machine()
    await desk.ask(BOSS, "machine.set", machine="sintra", location="Plaza Central")
    said = {"cash_in": True, "cash_out": True, "cash_level": "ok", "geo": "9fxe2s", "location": "somewhere"}
    await desk.tx(lambda tx: beacons.put(tx, 1, Beacon("ab" * 32, desk.now, desk.now, said)))
    made = await desk.tx(lambda tx: public_face.news(tx, Face(shown=True, silent_seconds=60), desk.now))
    assert [json.loads(each.content) for each in made if each.kind == 30_078] == [card]


def test_worklist_and_balance_look_as_the_bot_makes_them() -> None:
    [worklist], [balance] = examples("Worklist"), examples("LP balance")
    [item] = worklist["buckets"]["errored"]
    made = views.WorklistItem(
        views.Bucket.ERRORED,
        item["id"],
        item["machine"],
        item["status"],
        item["wire_sats"],
        item["since"],
        item["reason"],
    )
    assert views.worklist([made], worklist["updated_at"]) == worklist
    totals = views.EnrolmentTotals("sintra", "GTQ", 200_000, 0, 50_000, 0, 25_000, balance["updated_at"])
    assert views.lp_balance(balance["lp"], [totals], balance["updated_at"]) == balance


async def test_orders_and_answers_look_as_they_are(desk: Desk) -> None:
    deposit, rule, result, error = examples("Orders by direct message")
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    for order in (deposit, rule):
        envelope = open_envelope(json.dumps(order))
        assert envelope.refusal is None
        answer = await desk.json(BOSS, order)
        assert answer["id"] == order["id"]
        assert "result" in answer, answer
        if order is deposit:
            assert result["result"].items() <= {**answer["result"], "id": "D7"}.items()
    assert error["error"].keys() == {"code", "message", "field"}
    assert Code(error["error"]["code"]) is Code.NOT_ONBOARDED


def test_a_machine_may_say_what_the_page_says() -> None:
    [beacon], [cassettes] = examples("Beacon"), examples("Cassette state and cassette config")
    read = parse_beacon(json.dumps(beacon))
    assert (read.fields.keys(), read.dropped) == (beacon.keys(), ())
    rows = re.findall(r"^\| (`[^|]*) \|", section("Beacon"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(beacon)
    assert [each.notes for each in parse_cassettes(json.dumps(cassettes))] == [180, 175]
