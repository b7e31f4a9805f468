"""`audit`: who did what; operators see everything, the platform what concerns it."""

from __future__ import annotations

import pytest

from nwc.keys import npub_of
from storage import journal
from storage.audit_log import LineFilter, page
from storage.db import Tx
from tests.handlers.desk import ANA, ATM, BEN, BOSS, NOW, SUPER, Desk, key

FORMER = key("former operator")


@pytest.fixture
async def ready(desk: Desk) -> Desk:
    """1 machine add, 2 lp add, 3 join, 4 and 5 the deposit, 6 platform set, 7 what a rule did, 8 what a former operator
    did."""
    await desk.with_machine()
    await desk.with_lp()
    desk.now += 60
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%")

    def work(tx: Tx) -> None:
        journal.record(tx, at=desk.now, who="satmachine", command="payment.release", target="P3")
        journal.record(tx, at=desk.now, who=FORMER, command="pause", target="sintra", after={"paused": True})

    await desk.tx(work)
    return desk


async def test_who_did_what_the_newest_first(ready: Desk) -> None:
    found = await ready.ask(BOSS, "audit")
    assert [(each["id"], each["command"], each["target"], each["name"]) for each in found["items"]] == [
        (8, "pause", "sintra", None),
        (7, "payment.release", "P3", "satmachine"),
        (6, "platform set", "platform", "platform"),
        (5, "deposit confirm", "D1", "operator"),
        (4, "deposit add", "D1", "operator"),
        (3, "join", "ana", "ana"),
        (2, "lp add", "ana", "operator"),
        (1, "machine add", "sintra", "operator"),
    ]
    assert found["next"] is None
    assert found["items"][0] == {
        "id": 8,
        "at": NOW + 60,
        "who": FORMER,
        "name": None,
        "command": "pause",
        "target": "sintra",
        "before": None,
        "after": {"paused": True},
    }
    confirmed = found["items"][3]
    assert (confirmed["at"], confirmed["who"]) == (NOW, BOSS)
    assert (confirmed["before"]["status"], confirmed["after"]["status"]) == ("pending", "confirmed")


async def test_a_page_at_a_time(ready: Desk) -> None:
    first = await ready.ask(BOSS, "audit", limit=3)
    assert ([each["id"] for each in first["items"]], first["next"]) == ([8, 7, 6], "6")
    second = await ready.ask(BOSS, "audit", limit=3, before=first["next"])
    assert ([each["id"] for each in second["items"]], second["next"]) == ([5, 4, 3], "3")
    third = await ready.ask(BOSS, "audit", limit=3, before=second["next"])
    assert ([each["id"] for each in third["items"]], third["next"]) == ([2, 1], None)
    assert [each["id"] for each in (await ready.ask(BOSS, "audit", since=NOW + 1))["items"]] == [8, 7, 6]
    assert (await ready.ask(BOSS, "audit", since=NOW + 61))["items"] == []
    assert [each["id"] for each in (await ready.ask(BOSS, "audit", since=NOW, before=7, limit=2))["items"]] == [6, 5]
    assert (await ready.refused(BOSS, "audit", before="x"))["field"] == "before"


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        ("D1", [5, 4]),
        ("d1", [5, 4]),
        ("P3", [7]),
        ("S12", []),
        ("sintra", [8, 1]),
        ("Sintra", [8, 1]),
        (npub_of(ATM), [8, 1]),
        (ATM, [8, 1]),
        ("ANA", [3, 2]),
        (npub_of(ANA), [3, 2]),
        ("platform", [6]),
    ],
)
async def test_about_one_thing(ready: Desk, target: str, ids: list[int]) -> None:
    assert [each["id"] for each in (await ready.ask(BOSS, "audit", target=target))["items"]] == ids


async def test_a_former_name_is_still_found(ready: Desk) -> None:
    await ready.ask(BOSS, "machine.set", machine="sintra", name="palace")
    assert [each["id"] for each in (await ready.ask(BOSS, "audit", target="sintra"))["items"]] == [8, 1]
    assert [each["id"] for each in (await ready.ask(BOSS, "audit", target=ATM))["items"]] == [9]


@pytest.mark.parametrize("target", ["nobody", npub_of(BEN), BEN])
async def test_what_is_not_known(ready: Desk, target: str) -> None:
    error = await ready.refused(BOSS, "audit", target=target)
    assert (error["code"], error["field"]) == ("not_found", "target")


async def test_the_platform_sees_what_concerns_it_and_no_more(ready: Desk) -> None:
    """What operators do is none of its business, nor whether a machine or an LP is there."""
    await ready.ask(SUPER, "platform.set", target="fees@example.com")
    found = await ready.ask(SUPER, "audit")
    assert [(each["id"], each["command"], each["name"]) for each in found["items"]] == [
        (9, "platform set", "platform"),
        (6, "platform set", "platform"),
    ]
    for target in ("sintra", "ana", "nowhere", "D1", "S1", npub_of(ATM), npub_of(BEN)):
        assert (await ready.ask(SUPER, "audit", target=target))["items"] == []
    assert [each["id"] for each in (await ready.ask(SUPER, "audit", target="platform", before="9"))["items"]] == [6]
    assert (await ready.refused(ANA, "audit"))["code"] == "forbidden"


async def test_somebody_who_is_both_sees_everything(ready: Desk) -> None:
    ready.with_settings(platforms=frozenset({SUPER, BOSS}))
    assert len((await ready.ask(BOSS, "audit"))["items"]) == 8


async def test_in_words(ready: Desk) -> None:
    said = (await ready.told(BOSS, "audit")).splitlines()
    assert said[0] == "Who did what:"
    assert said[1:4] == [
        f"8 2026-09-21 14:14 {npub_of(FORMER)[:12]}…{npub_of(FORMER)[-4:]}: pause sintra, paused yes",
        "7 2026-09-21 14:14 satmachine: payment.release P3",
        "6 2026-09-21 14:14 platform: platform set platform, cash out fee 0.00 > 0.03",
    ]
    assert said[4].startswith("5 2026-09-21 14:13 operator: deposit confirm D1, status pending > confirmed")
    assert said[6] == "3 2026-09-21 14:13 ana: join ana, target ana@example.com"
    assert not any(ANA in line or npub_of(ANA) in line for line in said)
    for number in range(6):
        await ready.ask(BOSS, "pause" if number % 2 else "resume", machine="sintra")
    text = await ready.told(BOSS, "audit sintra")
    assert len(text.splitlines()) <= 12
    assert "Older ones" not in text
    await ready.ask(BOSS, "pause", machine="sintra")
    await ready.ask(BOSS, "resume", machine="sintra")
    await ready.ask(BOSS, "resume", machine="sintra")
    text = await ready.told(BOSS, "audit sintra")
    assert len(text.splitlines()) == 11, "a heading, nine of them, and how to go on"
    assert text.splitlines()[-1] == "Older ones: audit sintra before=9"
    assert (await ready.told(BOSS, "audit sintra before=9")).splitlines()[1].startswith("8 ")
    assert await ready.told(BOSS, "audit S12") == "Nobody did anything here."


async def test_a_long_log_is_read_from_its_end(desk: Desk) -> None:
    """Whatever is asked for, no more rows are looked at than are shown."""

    def work(tx: Tx) -> list[str]:
        plans = []
        for wanted in (LineFilter(), LineFilter(target="D1", before_id=9), LineFilter(seen_by=BOSS, since=5)):
            statements: list[str] = []
            tx.sql.set_trace_callback(statements.append)
            page(tx, wanted, 20)
            tx.sql.set_trace_callback(None)
            plans += [row["detail"] for row in tx.all(f"EXPLAIN QUERY PLAN {statements[0]}")]
        return plans

    plans = await desk.tx(work)
    assert any("audit_target" in line for line in plans)
    assert any("audit_who" in line for line in plans)
    assert [line for line in plans if "TEMP B-TREE" in line and "ORDER BY" in line] == []
