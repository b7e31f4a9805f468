"""`export`: rows as CSV and JSON, in as few messages as hold them; no secret, no formula, nobody else's business."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from handlers.commands.exports import MOST_PARTS
from handlers.orders import MAX_ANSWER_BYTES
from handlers.sheets import Csv, harmless_cell, iso, json_item
from storage.db import Tx
from storage.export import OWN_SHEETS, SHEETS, Column, Kind
from tests.handlers.atm import TWENTIES, Atm
from tests.handlers.desk import ANA, BEN, BOSS, EVE, NOW, SUPER, Desk
from tests.handlers.till import Till
from tests.ledger.build import hash_of, preimage

NWC = f"nostr+walletconnect://{'ab' * 32}?relay=wss://relay.example.com&secret={'1' * 64}"


@pytest.fixture
async def traded(owed: Till) -> Till:
    """S1: P1, P3 and P4 are paid, P2 has failed. D1 is ana's, D2 is ben's."""
    for leg_id in (1, 3, 4):
        await owed.sent(leg_id, leg_id)
        await owed.learn(leg_id, fees_msat=1_500)
    await owed.desk.fail_leg(2)
    await Atm(owed.desk).state(TWENTIES)
    return owed


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def text_of(till: Till, sender: str, order: str) -> str:
    """The lines that come as one or more numbered parts."""
    message = till.desk.message(sender, order)
    await till.desk.send(message)
    assert till.desk.bug is None
    parts = await till.desk.answers(message.id)
    if len(parts) == 1:
        return parts[0]
    assert [part.partition("\n")[0] for part in parts] == [f"({n}/{len(parts)})" for n in range(1, len(parts) + 1)]
    return "\n".join(part.partition("\n")[2] for part in parts)


async def test_payments_as_csv(traded: Till) -> None:
    rows = table(await text_of(traded, BOSS, "export payments"))
    assert [(row["id"], row["status"], row["amount_sats"], row["fiat_amount"], row["currency"]) for row in rows] == [
        ("P1", "completed", "3000", "0.00", "GTQ"),
        ("P2", "failed", "5000", "0.00", "GTQ"),
        ("P3", "completed", "75000", "1500.00", "GTQ"),
        ("P4", "completed", "25000", "500.00", "GTQ"),
    ]
    third = rows[2]
    assert (third["settlement"], third["machine"], third["lp"], third["label"]) == ("S1", "sintra", ANA, "ana")
    assert (third["preimage"], third["payment_hash"], third["fees_msat"]) == (preimage(3), hash_of(3), "1500")
    assert (third["created_at"], third["created_at_utc"]) == (str(NOW), "2026-09-21T14:13:20Z")
    assert (rows[1]["completed_at"], rows[1]["completed_at_utc"], rows[1]["reason"]) == (
        "", "", "the target does not answer",
    )  # fmt: skip


async def test_the_trail_of_every_sat(traded: Till) -> None:
    """Each payment with its settlement, the attempt that paid it, and proof; a settlement without payments too."""
    await traded.desk.cash_out(2, platform_fee_sats=3_000)
    rows = (await traded.desk.ask(BOSS, "export", what="trail", format="json"))["items"]
    assert [(row["settlement"], row["payment"], row["attempt_state"], row["attempts"]) for row in rows] == [
        ("S1", "P1", "settled", 1),
        ("S1", "P2", None, 0),
        ("S1", "P3", "settled", 1),
        ("S1", "P4", "settled", 1),
        ("S2", None, None, 0),
    ]
    assert sum(row["amount_sats"] or 0 for row in rows) == rows[0]["wire_sats"] == 108_000
    third = rows[2]
    assert (third["proof"], third["preimage"], third["fees_msat"], third["payment_fiat"]) == (
        "settled", preimage(3), 1_500, "1500.00",
    )  # fmt: skip
    assert (third["fiat_amount"], third["exchange_rate"], third["arrived_at"]) == ("2000.00", "50", NOW)


async def test_a_payment_that_an_order_made_has_its_place_in_the_trail(traded: Till) -> None:
    made = await traded.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ben", amount="100")
    await traded.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await traded.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ben", rate="40", confirm=True)
    found = await traded.desk.ask(BOSS, "export", what="trail", format="json")
    last = found["items"][-1]
    assert (last["settlement"], last["payment"], last["type"], last["amount_sats"], last["payment_fiat"]) == (
        None, "P5", "settlement", 4_000, "100.00",
    )  # fmt: skip
    assert (last["machine"], last["currency"], last["lp"], last["wallet"]) == ("sintra", "GTQ", BEN, "main")
    assert found["rows"] == 5


@pytest.mark.parametrize("what", SHEETS)
async def test_both_formats_say_the_same(traded: Till, what: str) -> None:
    as_csv = await traded.desk.ask(BOSS, "export", what=what)
    as_json = await traded.desk.ask(BOSS, "export", what=what, format="json")
    assert (as_csv["next"], as_json["next"]) == (None, None)
    rows = table(as_csv["content"])
    assert len(rows) == len(as_json["items"]) == as_csv["rows"] == as_json["rows"] > 0
    assert as_csv["content"].endswith("\r\n")
    assert list(rows[0]) == as_csv["columns"]
    for row, item in zip(rows, as_json["items"], strict=True):
        assert item.keys() == {name for name in row if not name.endswith("_utc")}
        for name, value in item.items():
            assert row[name] == _as_csv(value), (name, value)


def _as_csv(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "" if value is None else str(value)


async def test_the_sums_of_what_is_exported_are_those_of_the_books(traded: Till) -> None:
    items = (await traded.desk.ask(BOSS, "export", what="journal", format="json"))["items"]
    kept: dict[str, float] = {}
    for item in items:
        if item["commodity"] == "msat":
            assert type(item["amount"]) is int
            kept[item["id"]] = kept.get(item["id"], 0) + item["amount"]
        else:
            assert isinstance(item["amount"], str)
    assert set(kept.values()) == {0}
    assert next(item["amount"] for item in items if item["account"] == "assets:cash:m1") == "1500.00"
    lps = (await traded.desk.ask(BOSS, "export", what="lps", format="json"))["items"]
    assert [(lp["name"], lp["deposited"], lp["paid"], lp["remaining"], lp["sats"]) for lp in lps] == [
        ("ana", "1500.00", "1500.00", "0.00", 75_000),
        ("ben", "500.00", "500.00", "0.00", 25_000),
    ]


async def test_a_stretch_of_time(traded: Till) -> None:
    traded.advance(100)
    await traded.desk.cash_out(2, platform_fee_sats=3_000)
    stretches: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["S1", "S2"]),
        ({"since": NOW + 1}, ["S2"]),
        ({"until": NOW + 100}, ["S1"]),
        ({"since": NOW, "until": NOW}, []),
    ]
    for given, ids in stretches:
        found = await traded.desk.ask(BOSS, "export", what="settlements", format="json", **given)
        assert [item["id"] for item in found["items"]] == ids
    assert await traded.desk.told(BOSS, f"export settlements since={NOW + 101}") == "No rows of settlements here."
    text = await traded.desk.told(BOSS, f"export settlements json since={NOW + 1}")
    assert [item["id"] for item in json.loads(text)] == ["S2"]


# --- what an LP can have ----------------------------------------------------------------------------------------------


async def test_an_lp_gets_its_own_and_no_more(traded: Till) -> None:
    payments = table(await text_of(traded, ANA, "export payments"))
    assert [(row["id"], row["amount_sats"], row["to"]) for row in payments] == [("P3", "75000", "ana@example.com")]
    deposits = table(await text_of(traded, BEN, "export deposits"))
    assert [(row["id"], row["amount"], row["status"]) for row in deposits] == [("D2", "500.00", "confirmed")]
    said = await traded.desk.told(ANA, "export payments")
    for secret in (preimage(3), hash_of(3), "ben", BEN, "main"):
        assert secret not in said
    later = await traded.desk.ask(ANA, "export", what="payments", format="json", since=NOW + 1)
    assert (later["items"], later["next"]) == ([], None)


@pytest.mark.parametrize("what", sorted(SHEETS.keys() - OWN_SHEETS))
async def test_what_an_lp_can_not_have(till: Till, what: str) -> None:
    error = await till.desk.refused(ANA, "export", what=what)
    assert (error["code"], error["field"]) == ("forbidden", "what")


async def test_who_can_export(till: Till) -> None:
    assert (await till.desk.refused(SUPER, "export", what="payments"))["code"] == "forbidden"
    assert (await till.desk.refused(BOSS, "export", what="wallets"))["field"] == "what"
    assert (await till.desk.refused(BOSS, "export", what="lps", format="xml"))["field"] == "format"
    assert (await till.desk.refused(BOSS, "export", what="lps", after="P1"))["field"] == "after"


async def test_a_payment_that_was_replaced_is_the_operators_business(owed: Till) -> None:
    for leg_id in (1, 2, 3):
        await owed.paid(leg_id, leg_id)
    await owed.desk.fail_leg(4)
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    own = (await owed.desk.ask(BEN, "export", what="payments", format="json"))["items"]
    assert [(item["id"], item["status"]) for item in own] == [("P5", "pending")]
    everything = (await owed.desk.ask(BOSS, "export", what="payments", format="json"))["items"]
    assert [(item["id"], item["status"]) for item in everything][3:] == [("P4", "voided"), ("P5", "pending")]


async def test_a_deposit_that_was_deleted_is_the_operators_business(traded: Till) -> None:

    def work(tx: Tx) -> None:
        tx.insert("deposits", machine_id=1, lp_id=1, amount_minor=5, currency="GTQ", created_by=BOSS, created_at=NOW)
        tx.run("UPDATE deposits SET status = 'deleted' WHERE id = 3")

    await traded.desk.tx(work)
    own = (await traded.desk.ask(ANA, "export", what="deposits", format="json"))["items"]
    assert [item["id"] for item in own] == ["D1"]
    everything = (await traded.desk.ask(BOSS, "export", what="deposits", format="json"))["items"]
    assert [(item["id"], item["status"]) for item in everything][2:] == [("D3", "deleted")]


# --- size -------------------------------------------------------------------------------------------------------------


async def many(till: Till, number: int) -> None:
    """So many more lines in the audit log, which now says 'satmachine' did something."""

    def work(tx: Tx) -> None:
        tx.run(
            "INSERT INTO audit (id, at, who, command, target, after, hash) WITH RECURSIVE n (i) AS"
            " (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT i, :at, 'satmachine', 'pause', '“sintra”', '{\"paused\":true}', printf('%064d', i) FROM n",
            (999 + number, NOW),
        )

    await till.desk.tx(work)


async def spoil_nothing(till: Till) -> None:
    """The lines above are no chain: they are taken away again."""

    def work(tx: Tx) -> None:
        tx.run("DROP TRIGGER audit_keep")
        tx.run("DELETE FROM audit WHERE id >= 1000")

    await till.desk.tx(work)


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_programs_get_it_message_by_message(till: Till, kind: str) -> None:
    await many(till, 700)
    ids: list[str] = []
    text, messages, after = "", 0, None
    while True:
        params = {"what": "audit", "format": kind, **({"after": after} if after else {})}
        answer = await till.desk.told(
            BOSS, json.dumps({"id": f"{messages}".ljust(200, "i"), "method": "export", "params": params})
        )
        assert len(json.dumps(answer, ensure_ascii=False).encode()) <= MAX_ANSWER_BYTES
        page = json.loads(answer)["result"]
        messages += 1
        if kind == "csv":
            text += page["content"]
        else:
            ids += [str(item["id"]) for item in page["items"]]
        if page["next"] is None:
            break
        assert page["rows"] > 50
        after = page["next"]
        till.desk.now += 1
    if kind == "csv":
        ids = [row["id"] for row in table(text)]
    assert ids[-700:] == [str(number) for number in range(1_000, 1_700)]
    assert len(ids) == len(set(ids))
    assert 3 < messages < 30
    await spoil_nothing(till)


async def test_people_get_it_in_numbered_parts_or_hear_how_to_get_it(till: Till) -> None:
    await many(till, 700)
    rows = table(await text_of(till, BOSS, "export audit"))
    assert [row["id"] for row in rows][-700:] == [str(number) for number in range(1_000, 1_700)]
    assert rows[-1]["target"] == "“sintra”"
    await spoil_nothing(till)


async def test_what_is_too_much_for_messages(till: Till) -> None:
    await many(till, 3_000)
    kept = await till.desk.count("SELECT count(*) FROM audit")
    answer = await till.desk.told(BOSS, "export audit")
    assert answer == (
        f"Not done: that is too much for messages ({kept:,} rows): narrow it with since= and until=, or have a file "
        "made on the host: satmachine export audit --format csv --output FILE"
    )
    assert MOST_PARTS == 10
    assert (await till.desk.ask(BOSS, "export", what="audit"))["next"] is not None
    await spoil_nothing(till)


async def test_an_lp_hears_of_no_host(till: Till) -> None:
    def work(tx: Tx) -> None:
        for _ in range(200):
            tx.insert(
                "deposits", machine_id=1, lp_id=1, amount_minor=100, currency="GTQ", note="ñ" * 2_000,
                created_by=BOSS, created_at=NOW,
            )  # fmt: skip

    await till.desk.tx(work)
    answer = await till.desk.told(ANA, "export deposits")
    assert answer == "Not done: that is too much for messages (201 rows): narrow it with since= and until="


async def test_a_row_that_no_message_holds_is_told_of(till: Till) -> None:
    """And can be passed over."""
    await till.desk.cash_out(1)
    await till.desk.cash_out(2)

    def work(tx: Tx) -> None:
        for number in range(20):
            tx.insert("settlement_notes", settlement_id=1, at=number, author=BOSS, text="ñ" * 2_000)

    await till.desk.tx(work)
    error = await till.desk.refused(BOSS, "export", what="settlements")
    assert (error["code"], error["field"], error["next"]) == ("bad_request", "after", "1")
    rest = await till.desk.ask(BOSS, "export", what="settlements", format="json", after=error["next"])
    assert [item["id"] for item in rest["items"]] == ["S2"]
    answer = await till.desk.told(BOSS, "export settlements")
    assert "one row is too long for a message: go on after it with after=1" in answer
    assert [row["id"] for row in table(await text_of(till, BOSS, "export settlements after=1"))] == ["S2"]


# --- nothing that bites -----------------------------------------------------------------------------------------------


async def test_no_wallet_connection_leaves(traded: Till) -> None:
    desk = traded.desk
    await desk.ask(EVE, "join", target=NWC)
    await desk.ask(BOSS, "lp.add", machine="sintra", npub=EVE, name="eve")
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="eve", amount="2000")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await desk.ask(EVE, "join", target=NWC.replace("1" * 64, "2" * 64), confirm=True)
    await desk.cash_out(2, platform_fee_sats=3_000)
    await desk.distribute()
    for what in SHEETS:
        for kind in ("csv", "json"):
            said = json.dumps(await desk.ask(BOSS, "export", what=what, format=kind))
            assert "1" * 64 not in said
            assert "2" * 64 not in said
            assert "secret=" not in said
    assert "NWC wallet abababab" in await text_of(traded, BOSS, "export payments")
    assert "NWC wallet abababab" in await text_of(traded, BOSS, "export lps")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-cmd|'/c calc'!A1", "'-cmd|'/c calc'!A1"),
        ("@import", "'@import"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n@x", "'\n@x"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        ("-5.25=", "'-5.25="),
        ("1=1", "1=1"),
        ("", ""),
        ("ana@example.com", "ana@example.com"),
    ],
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str, safe: str) -> None:
    assert harmless_cell(text) == safe


async def test_notes_of_people_are_no_formulas(traded: Till) -> None:
    await traded.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1", note="=1+1")
    rows = table((await traded.desk.ask(BOSS, "export", what="deposits"))["content"])
    assert rows[-1]["note"] == "'=1+1"
    items = (await traded.desk.ask(BOSS, "export", what="deposits", format="json"))["items"]
    assert items[-1]["note"] == "=1+1"


def _columns(*kinds: Kind) -> Sequence[Column]:
    return [Column(f"c{place}", "", kind) for place, kind in enumerate(kinds)]


def test_lines_are_those_of_rfc_4180() -> None:
    columns = _columns(Kind.TEXT, Kind.TIME, Kind.FLAG, Kind.NUMBER, Kind.JSON)
    made = Csv(columns)
    assert made.head_line() == "c0,c1,c1_utc,c2,c3,c4"
    assert made.line(('say "hi", Ana\nthen go', 0, True, -5, '{"a":1}')) == (
        '"say ""hi"", Ana\nthen go",0,1970-01-01T00:00:00Z,true,-5,"{""a"":1}"'
    )
    assert made.line((None, None, None, None, None)) == ",,,,,"
    assert json_item(columns, ("x", 0, True, -5, '{"a":1}')) == {
        "c0": "x", "c1": 0, "c2": True, "c3": -5, "c4": {"a": 1},
    }  # fmt: skip


def test_a_time_that_no_calendar_has() -> None:
    assert (iso(NOW), iso(2**53), iso(-(2**60))) == ("2026-09-21T14:13:20Z", None, None)


async def test_an_export_in_a_message_is_nothing_but_the_file(desk: Desk) -> None:
    await desk.with_machine()
    lines = (await desk.told(BOSS, "export machines")).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("machine,pubkey,wallet,fiat,")
    assert lines[1].startswith("sintra,")
