"""LPs are enrolled by the operator, onboard by a message of their own, and see what is theirs."""

from __future__ import annotations

from typing import Any

import pytest

from nwc.keys import npub_of
from storage import lps
from tests.handlers.desk import ANA, ATM2, BEN, BOSS, BOT, EVE, Desk, key

NWC = f"nostr+walletconnect://{'ab' * 32}?relay=wss%3A%2F%2Fr.example.com&secret={'1' * 64}"


async def test_enrol_and_onboard(desk: Desk) -> None:
    await desk.with_machine()
    made = await desk.ask(BOSS, "lp.add", machine="sintra", npub=npub_of(ANA), name="Ana")
    assert made == {
        "machine": "sintra",
        "lp": ANA,
        "npub": npub_of(ANA),
        "name": "Ana",
        "status": "active",
        "onboarded": False,
        "deposited": "0.00",
        "pending": "0.00",
        "paid": "0.00",
        "reserved": "0.00",
        "remaining": "0.00",
        "currency": "GTQ",
    }
    assert (await desk.refused(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1"))["code"] == "not_onboarded"
    joined = await desk.ask(ANA, "join", target="Ana@Example.com")
    assert joined["onboarded"] is True
    assert joined["target"] == "ana@example.com"
    assert (await desk.ask(BOSS, "lp.show", lp="ANA"))["onboarded"] is True
    await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1")
    assert ("join", "Ana") in await desk.audit()


async def test_names_are_given_where_none_is(desk: Desk) -> None:
    await desk.with_machine()
    made = await desk.ask(BOSS, "lp.add", machine="sintra", npub=ANA)
    assert made["name"] == f"lp-{ANA[:8]}"


@pytest.mark.parametrize(
    ("npub", "name", "code", "field"),
    [
        (npub_of(ANA), None, "conflict", "npub"),
        (npub_of(ANA), "other", "conflict", "name"),
        (npub_of(BEN), "ANA", "conflict", "name"),
        (npub_of(BEN), npub_of(EVE), "bad_request", "name"),
        (npub_of(BOT), None, "bad_request", "npub"),
        ("nobody", None, "not_found", "npub"),
        ("npub1x", None, "bad_request", "npub"),
    ],
)
async def test_add_refuses(desk: Desk, npub: str, name: str | None, code: str, field: str) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    params: dict[str, Any] = {"npub": npub} if name is None else {"npub": npub, "name": name}
    error = await desk.refused(BOSS, "lp.add", machine="sintra", **params)
    assert (error["code"], error["field"]) == (code, field)
    assert await desk.count("SELECT count(*) FROM lps") == 1


async def test_a_known_lp_is_enrolled_at_another_machine_by_name(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    made = await desk.ask(BOSS, "lp.add", machine="mall", npub="ana")
    assert (made["machine"], made["onboarded"], made["currency"]) == ("mall", True, "EUR")
    page = await desk.ask(BOSS, "lp.list", limit=1)
    assert [each["machine"] for each in page["items"]] == ["mall"]
    page = await desk.ask(BOSS, "lp.list", limit=1, before=page["next"])
    assert ([each["machine"] for each in page["items"]], page["next"]) == (["sintra"], None)
    shown = await desk.ask(BOSS, "lp.show", lp="ana")
    assert [each["machine"] for each in shown["enrolments"]] == ["sintra", "mall"]
    assert (await desk.ask(BOSS, "lp.show", lp="ana", machine="mall"))["currency"] == "EUR"
    assert [each["machine"] for each in (await desk.ask(BOSS, "lp.list", machine="sintra"))["items"]] == ["sintra"]


async def test_somebody_not_enrolled_is_kept_and_announced_once(desk: Desk) -> None:
    await desk.with_machine()
    joined = await desk.ask(EVE, "join", target="eve@example.com")
    assert (joined["status"], joined["onboarded"]) == ("applicant", False)
    await desk.ask(EVE, "join", target="eve2@example.com")
    told = [dm for dm in await desk.dms(BOSS) if dm["answers"] is None]
    assert len(told) == 1
    assert npub_of(EVE) in told[0]["text"]
    assert "eve@example.com" in told[0]["text"]
    made = await desk.ask(BOSS, "lp.add", machine="sintra", npub=npub_of(EVE), name="eve")
    assert made["onboarded"] is True
    (welcome,) = [dm for dm in await desk.dms(EVE) if dm["answers"] is None]
    assert "sintra" in welcome["text"]
    assert "eve2@example.com" in welcome["text"]
    assert await desk.count("SELECT count(*) FROM applicants") == 0


async def test_at_most_a_hundred_applicants(desk: Desk) -> None:
    for number in range(100):
        await desk.ask(key(f"applicant {number}"), "join", target="a@example.com")
    assert (await desk.refused(EVE, "join", target="eve@example.com"))["code"] == "forbidden"
    assert await desk.count("SELECT count(*) FROM applicants") == 100
    assert await desk.count("SELECT count(*) FROM orders WHERE sender = ?", EVE) == 0
    await desk.ask(key("applicant 7"), "join", target="b@example.com")


@pytest.mark.parametrize(
    "target", ["", "ana", "ana@", "a@b@c", "npub1x", "lnurl1x", "nostr+walletconnect://x", "ñ@x.com"]
)
async def test_join_refuses_what_is_no_target(desk: Desk, target: str) -> None:
    error = await desk.refused(EVE, "join", target=target)
    assert error["field"] == "target"
    assert error["code"] == ("target_error" if target else "bad_request")
    assert await desk.count("SELECT count(*) FROM applicants") == 0


async def test_an_invoice_is_no_target_to_join_with(desk: Desk) -> None:
    invoice = (
        "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq"
        "5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfe"
        "gext0eh0ymjpf39tuven09sam30g4vgpfna3rh"
    )
    error = await desk.refused(EVE, "join", target=invoice)
    assert error["code"] == "target_error"
    assert "only once" in error["message"]


async def test_a_change_of_target_is_a_money_order_that_waits(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    error = await desk.refused(ANA, "join", target="thief@example.com")
    assert error["code"] == "confirm_required"
    assert error["preview"] == {
        "target": "thief@example.com",
        "replaces": "ana@example.com",
        "cooldown_seconds": 86_400,
    }
    changed = await desk.ask(ANA, "join", target="new@example.com", confirm=True)
    assert (changed["target"], changed["next_target"]) == ("ana@example.com", "new@example.com")
    assert changed["next_target_at"] == desk.now + 86_400

    async def in_force() -> str | None:
        await desk.tx(lambda tx: lps.take_due_targets(tx, desk.now))
        return await desk.tx(lambda tx: lps.standings(tx, 1)[0].target)

    desk.now += 86_399
    assert await in_force() == "ana@example.com"
    desk.now += 1
    assert await in_force() == "new@example.com"
    assert (await desk.ask(ANA, "join", target="new@example.com"))["next_target"] is None


async def test_a_change_of_target_can_be_taken_back(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    await desk.ask(ANA, "join", target="new@example.com", confirm=True)
    assert (await desk.refused(ANA, "join", target="ana@example.com"))["preview"]["cooldown_seconds"] == 0
    back = await desk.ask(ANA, "join", target="ana@example.com", confirm=True)
    assert (back["target"], back["next_target"]) == ("ana@example.com", None)


async def test_a_change_of_target_in_text(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    answer = await desk.told(ANA, "join new@example.com")
    assert "1 d after you confirm" in answer
    answer = await desk.told(ANA, answer.splitlines()[-1].partition(": ")[2])
    assert answer.startswith("From 2026-")


async def test_without_a_cool_down_a_change_counts_at_once(desk: Desk) -> None:
    desk.with_settings(target_cooldown_seconds=0)
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    assert (await desk.ask(ANA, "join", target="new@example.com", confirm=True))["target"] == "new@example.com"


async def test_a_wallet_connection_is_never_shown(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(EVE, "join", target=NWC)
    await desk.ask(BOSS, "lp.add", machine="sintra", npub=EVE, name="eve")
    await desk.told(EVE, "join other@example.com")
    await desk.told(EVE, f"join {NWC.replace('1' * 64, '2' * 64)}")
    assert (await desk.ask(EVE, "join", target=NWC))["target"] == "NWC wallet abababab…"
    secrets = ("1" * 64, "2" * 64)
    for table, columns in (
        ("outbox", ("body",)),
        ("audit", ("target", "before", "after")),
        ("orders", ("method", "answer", "digest")),
    ):
        for column in columns:
            for secret in secrets:
                found = await desk.count(f"SELECT count(*) FROM {table} WHERE {column} LIKE ?", f"%{secret}%")
                assert found == 0, (table, column)


async def test_balance_and_history(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp()
    balance = await desk.ask(ANA, "balance")
    assert balance == {
        "v": 1,
        "type": "lp_balance",
        "updated_at": desk.now,
        "lp": ANA,
        "enrolments": [
            {
                "machine": "sintra",
                "currency": "GTQ",
                "deposited": "2000.00",
                "pending": "0.00",
                "paid": "0.00",
                "reserved": "0.00",
                "remaining": "2000.00",
                "sats": 0,
                "average_rate": None,
                "last_payment_at": None,
            }
        ],
    }
    assert (await desk.ask(ANA, "history"))["items"] == []
    await desk.cash_out()
    await desk.distribute()
    after = (await desk.ask(ANA, "balance", machine="sintra"))["enrolments"][0]
    assert (after["reserved"], after["remaining"]) == ("2000.00", "0.00")
    (leg,) = (await desk.ask(ANA, "history", type="dca"))["items"]
    assert (leg["amount_sats"], leg["fiat_amount"], leg["to"]) == (100_000, "2000.00", "ana@example.com")
    assert (await desk.ask(ANA, "history", since=desk.now + 1))["items"] == []
    assert (await desk.ask(ANA, "history", until="2020-01-01"))["items"] == []
    assert "sintra: Q0.00 of Q2,000.00 left" in await desk.told(ANA, "Balance")
    assert "100,000 sats" in await desk.told(ANA, "history")


async def test_an_lp_sees_nothing_of_others(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp()
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="mall", wallet="second", fiat="EUR")
    await desk.ask(BOSS, "lp.add", machine="mall", npub=npub_of(BEN), name="ben")
    await desk.cash_out()
    await desk.distribute()
    assert (await desk.ask(BEN, "history"))["items"] == []
    for machine in ("sintra", "nowhere"):
        error = await desk.refused(BEN, "history", machine=machine)
        assert (error["code"], error["message"]) == (
            "not_found",
            "you are not enrolled at such a machine: say balance",
        )
    assert (await desk.refused(BOSS, "balance"))["code"] == "forbidden"
