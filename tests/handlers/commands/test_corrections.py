"""What the operator can do where something did not go as it should: each order in text and in JSON, on real books."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ledger.states import EvidenceClass
from tests.handlers.desk import ANA, BEN, BOSS, SUPER
from tests.handlers.till import Till
from tests.ledger.build import hash_of
from tests.nwc.made import invoice

BY_HAND: dict[str, Any] = {
    "machine": "sintra",
    "tx_type": "cash_out",
    "wire_sats": 108_000,
    "principal_sats": 100_000,
    "fee_sats": 8_000,
    "fiat_amount": "2000",
    "exchange_rate": "50",
    "note": "the machine was offline",
}


async def confirmed(till: Till, order: str) -> str:
    """Gives a money order in text and its code: the answer after the code."""
    offered = await till.desk.told(BOSS, order)
    code = re.search(r"confirm ([A-Z0-9]{6})$", offered)
    assert code is not None, offered
    return await till.desk.told(BOSS, f"confirm {code[1]}")


async def audited(till: Till) -> list[tuple[str, str | None]]:
    return [line for line in await till.desk.audit() if line[0].split(" ")[0] in ("settlement", "payment")]


# --- reset -----------------------------------------------------------------------------------------------------------


async def test_reset_makes_a_stuck_one_retriable(owed: Till) -> None:
    young = await owed.desk.refused(BOSS, "settlement.reset", settlement="S1")
    assert (young["code"], young["field"]) == ("too_young", "settlement")
    owed.advance(31 * 60)
    answer = await owed.desk.told(BOSS, "reset S1")
    assert answer.splitlines()[0] == "S1 is errored."
    assert answer.splitlines()[-1].endswith("retry S1")
    again = await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert again["status"] == "processing"
    assert await audited(owed) == [("settlement reset", "S1"), ("settlement retry", "S1")]


async def test_reset_waits_for_a_payment_in_doubt(owed: Till) -> None:
    await owed.sent(1, 1)
    owed.advance(31 * 60)
    refused = await owed.desk.refused(BOSS, "settlement.reset", settlement="S1")
    assert refused["code"] == "unresolved_payment"
    assert "P1" in refused["message"]


async def test_a_threshold_may_be_given(owed: Till) -> None:
    owed.advance(90)
    assert (await owed.desk.ask(BOSS, "settlement.reset", settlement="S1", threshold_minutes=1))["status"] == "errored"
    assert (await owed.desk.refused(BOSS, "settlement.reset", settlement="S1"))["code"] == "bad_state"


# --- partial ---------------------------------------------------------------------------------------------------------


async def test_partial_tells_what_would_happen_and_then_does_it(owed: Till) -> None:
    preview = await owed.desk.refused(BOSS, "settlement.partial", settlement="S1", fraction="50%", note="jammed")
    assert preview["code"] == "confirm_required"
    assert preview["preview"]["was"]["principal_sats"] == 100_000
    assert preview["preview"]["to"] == {
        "wire_sats": 54_000,
        "principal_sats": 50_000,
        "fee_sats": 4_000,
        "platform_fee_sats": 1_500,
        "operator_fee_sats": 2_500,
        "fiat_amount": "1000.00",
    }
    assert preview["preview"]["undispensed_sats"] == 54_000
    done = await confirmed(owed, 'partial S1 50% "jammed"')
    assert done.splitlines()[0] == "S1 is partial."
    await owed.desk.distribute()
    shown = await owed.desk.ask(BOSS, "settlement.show", settlement="S1")
    standing = [(leg["type"], leg["amount_sats"]) for leg in shown["legs"] if leg["status"] == "pending"]
    assert standing == [("super_fee", 1_500), ("operator_split", 2_500), ("dca", 37_500), ("dca", 12_500)]
    memo, said = [note["text"] for note in shown["notes"]]
    assert "principal_sats 100,000 to 50,000" in memo
    assert said == "jammed"


async def test_partial_by_sats_and_its_limits(owed: Till) -> None:
    order: dict[str, Any] = {"settlement": "S1", "note": "x", "confirm": True}
    assert (await owed.desk.refused(BOSS, "settlement.partial", **order))["field"] == "fraction"
    for sats in (0, 100_001):
        assert (await owed.desk.refused(BOSS, "settlement.partial", sats=sats, **order))["field"] == "sats"
    assert (await owed.desk.ask(BOSS, "settlement.partial", sats=25_000, **order))["wire_sats"] == 27_000
    await owed.desk.distribute()
    await owed.paid(5, 1)
    late = await owed.desk.refused(BOSS, "settlement.partial", sats=50_000, **order)
    assert late["code"] == "bad_state"
    assert "P5" in late["message"]


async def test_partial_needs_a_note(owed: Till) -> None:
    refused = await owed.desk.refused(BOSS, "settlement.partial", settlement="S1", fraction="0.5", confirm=True)
    assert (refused["code"], refused["field"]) == ("bad_request", "note")


# --- note ------------------------------------------------------------------------------------------------------------


async def test_notes_are_added_and_never_changed(owed: Till) -> None:
    assert "he has his cash" in await owed.desk.told(BOSS, "note S1 the customer called, he has his cash")
    owed.advance(60)
    second = await owed.desk.ask(BOSS, "settlement.note", settlement="S1", text="x" * 2_000)
    assert [(note["at"], note["author"]) for note in second["notes"]] == [
        (owed.now - 60, BOSS),
        (owed.now, BOSS),
    ]
    assert (await owed.desk.refused(BOSS, "settlement.note", settlement="S1", text="x" * 2_001))["field"] == "text"
    assert (await owed.desk.refused(BOSS, "settlement.note", settlement="S9", text="x"))["code"] == "not_found"


# --- refund ----------------------------------------------------------------------------------------------------------


async def test_a_refund_pays_the_customer_back(owed: Till) -> None:
    offered = await owed.desk.told(BOSS, 'refund S1 eve@example.com "no cash came out"')
    assert "108,000 sats" in offered
    assert "wallet main" in offered
    assert "eve@example.com" in offered
    done = await confirmed(owed, 'refund S1 eve@example.com "no cash came out"')
    assert done.splitlines()[:2] == [
        "S1 is refunded.",
        "P5 refund to the customer, 108,000 sats to customer of S1: pending",
    ]
    await owed.paid(5, 1)
    shown = await owed.desk.ask(BOSS, "settlement.show", settlement="S1")
    assert [leg["status"] for leg in shown["legs"]] == ["voided"] * 4 + ["completed"]
    again = await owed.desk.refused(BOSS, "settlement.refund", settlement="S1", target="eve@example.com", note="x")
    assert again["code"] == "bad_state"


async def test_a_refund_to_an_invoice_is_over_what_it_says(owed: Till) -> None:
    order: dict[str, Any] = {"settlement": "S1", "note": "x", "confirm": True}
    asked = invoice(40_000_000, preimage=b"\1" * 32, created_at=owed.now)
    refused = await owed.desk.refused(BOSS, "settlement.refund", target=asked, sats=50_000, **order)
    assert (refused["code"], refused["field"]) == ("target_error", "target")
    odd = invoice(40_000_500, preimage=b"\2" * 32, created_at=owed.now)
    assert (await owed.desk.refused(BOSS, "settlement.refund", target=odd, **order))["code"] == "target_error"
    old = invoice(40_000_000, preimage=b"\3" * 32, created_at=owed.now - 90_000)
    assert (await owed.desk.refused(BOSS, "settlement.refund", target=old, **order))["code"] == "target_error"
    done = await owed.desk.ask(BOSS, "settlement.refund", target=asked, **order)
    assert [leg["amount_sats"] for leg in done["legs"] if leg["id"] == done["payment"]] == [40_000]


async def test_what_the_lps_have_is_not_refunded(owed: Till) -> None:
    await owed.paid(3, 1)
    refused = await owed.desk.refused(
        BOSS, "settlement.refund", settlement="S1", target="eve@example.com", note="x", confirm=True
    )
    assert refused["code"] == "bad_state"
    assert ("settlement refund", None) in await owed.desk.audit(), "refusals of money orders are in the audit log"


async def test_what_changes_between_the_offer_and_the_code_is_offered_again(owed: Till) -> None:
    offered = await owed.desk.told(BOSS, "refund S1 eve@example.com sats=1000 note=x")
    await owed.paid(1, 1)
    changed = await owed.desk.told(BOSS, f"confirm {offered[-6:]}")
    assert changed.startswith("Meanwhile something changed.")
    assert (await owed.settlement(1)).status.value == "processing"
    await owed.desk.told(BOSS, f"confirm {changed[-6:]}")
    assert (await owed.settlement(1)).status.value == "refunded"


# --- by hand ---------------------------------------------------------------------------------------------------------


async def test_a_transaction_entered_by_hand_counts_on_the_operators_word(till: Till) -> None:
    preview = (await till.desk.refused(BOSS, "settlement.add", **BY_HAND))["preview"]
    assert (preview["platform_fee_sats"], preview["operator_fee_sats"], preview["proof"]) == (3_000, 5_000, "operator")
    entered = await till.desk.ask(BOSS, "settlement.add", confirm=True, **BY_HAND)
    assert (entered["id"], entered["status"]) == ("S1", "pending")
    await till.desk.distribute()
    assert (await till.settlement(1)).status.value == "processing"
    assert await till.receipts() == []


async def test_with_a_payment_hash_the_wallet_has_to_show_it(till: Till) -> None:
    payment_hash = hash_of(77)
    entered = await till.desk.ask(BOSS, "settlement.add", confirm=True, payment_hash=payment_hash.upper(), **BY_HAND)
    assert (entered["status"], entered["payment_hash"]) == ("unverified", payment_hash)
    again = await till.desk.refused(BOSS, "settlement.add", confirm=True, payment_hash=payment_hash, **BY_HAND)
    assert (again["code"], again["field"]) == ("conflict", "payment_hash")
    await till.prove(1)
    assert (await till.settlement(1)).status.value == "pending"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"wire_sats": 107_999}, "wire_sats"),
        ({"exchange_rate": "0"}, "exchange_rate"),
        ({"exchange_rate": "60"}, "fiat_amount"),
        ({"fiat_amount": "20.001"}, "fiat_amount"),
        ({"payment_hash": "abcd"}, "payment_hash"),
        ({"machine": "nowhere"}, "machine"),
        ({"tx_type": "cash"}, "tx_type"),
        ({"principal_sats": -1}, "principal_sats"),
    ],
)
async def test_what_does_not_add_up_is_refused(till: Till, wrong: dict[str, Any], field: str) -> None:
    refused = await till.desk.refused(BOSS, "settlement.add", confirm=True, **{**BY_HAND, **wrong})
    assert refused["code"] in ("bad_request", "not_found")
    assert refused["field"] == field


# --- an LP's rest ----------------------------------------------------------------------------------------------------


async def test_an_lp_is_paid_out(till: Till) -> None:
    offered = await till.desk.told(BOSS, "settle sintra ana rate=50")
    assert "75,000 sats for Q1,500.00" in offered
    assert "ana@example.com" in offered
    done = await confirmed(till, "lp settle sintra ana 50 1000 moving away")
    assert done.splitlines()[:2] == [
        "P1 payout of the rest, 50,000 sats to ana: pending",
        "Q500.00 are left after that.",
    ]
    await till.paid(1, 1)
    balance = await till.desk.ask(ANA, "balance")
    assert [(each["paid"], each["remaining"]) for each in balance["enrolments"]] == [("1000.00", "500.00")]


async def test_no_more_than_what_remains_is_paid_and_the_preview_says_so(till: Till) -> None:
    order: dict[str, Any] = {"machine": "sintra", "lp": "ben", "rate": 50, "amount": "9999"}
    preview = (await till.desk.refused(BOSS, "lp.settle", **order))["preview"]
    assert (preview["fiat_amount"], preview["capped"], preview["remaining"]) == ("500.00", True, "0.00")
    made = await till.desk.ask(BOSS, "lp.settle", confirm=True, **order)
    assert (made["fiat_amount"], made["amount_sats"], made["wallet"]) == ("500.00", 25_000, "main")
    assert (await till.desk.refused(BOSS, "lp.settle", confirm=True, **order))["code"] == "bad_state"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"rate": "0"}, "bad_request", "rate"),
        ({"rate": "fifty"}, "bad_request", "rate"),
        ({"rate": True}, "bad_request", "rate"),
        ({"amount": "0"}, "bad_request", "amount"),
        ({"rate": 1_000}, "cap_exceeded", "amount"),
        ({"wallet": "third"}, "bad_request", "wallet"),
        ({"lp": "nobody"}, "not_found", "lp"),
    ],
)
async def test_lp_settle_refuses(till: Till, wrong: dict[str, Any], code: str, field: str) -> None:
    order = {"machine": "sintra", "lp": "ana", "rate": 50, **wrong}
    refused = await till.desk.refused(BOSS, "lp.settle", confirm=True, **order)
    assert (refused["code"], refused["field"]) == (code, field)


async def test_another_wallet_may_pay_it(till: Till) -> None:
    made = await till.desk.ask(BOSS, "lp.settle", confirm=True, machine="sintra", lp="ana", rate=50, wallet="second")
    assert (made["wallet"], (await till.leg(1)).wallet) == ("second", "second")


# --- a payment in doubt ----------------------------------------------------------------------------------------------


async def test_the_operator_decides_about_a_payment_in_doubt(owed: Till) -> None:
    await owed.sent(1, 1)
    end = hash_of(1)[-8:]
    order: dict[str, Any] = {"payment": "P1", "hash_end": end, "reason": "the node shows no such payment"}
    early = await owed.desk.refused(BOSS, "payment.release", **order)
    assert early["code"] == "too_young", "the wallet may still act on the request"
    owed.advance(601)
    await owed.learn(1, EvidenceClass.NEGATIVE)
    wrong = await owed.desk.refused(BOSS, "payment.release", confirm=True, **{**order, "hash_end": "0" * 8})
    assert (wrong["code"], wrong["field"]) == ("bad_request", "hash_end")
    offered = await owed.desk.told(BOSS, f"release P1 {end} the node shows no such payment")
    assert "platform is paid twice" in offered
    assert "better wait" in offered
    released = await owed.desk.told(BOSS, f"confirm {offered[-6:]}")
    assert f"The attempt …{end} is given up." in released
    assert (await owed.attempt(1)).state.value == "released"
    assert ("payment release", "P1") in await owed.desk.audit()
    owed.advance(20)
    await owed.paid(1, 2)
    nothing = await owed.desk.refused(BOSS, "payment.release", confirm=True, **order)
    assert nothing["code"] == "bad_state"


async def test_what_an_order_made_may_be_given_up_until_it_is_on_its_way(owed: Till) -> None:
    refund: dict[str, Any] = {"settlement": "S1", "target": "wrong@example.com", "note": "x", "confirm": True}
    first = (await owed.desk.ask(BOSS, "settlement.refund", sats=1_000, **refund))["payment"]
    await owed.ready(5, 5)
    assert (await owed.desk.ask(BOSS, "payment.withdraw", payment=first))["status"] == "voided"
    assert not await owed.send(5)
    second = (await owed.desk.ask(BOSS, "settlement.refund", **refund))["payment"]
    await owed.sent(6, 6)
    on_its_way = await owed.desk.refused(BOSS, "payment.withdraw", payment=second)
    assert on_its_way["code"] == "unresolved_payment"
    await owed.learn(6)
    assert (await owed.desk.refused(BOSS, "payment.withdraw", payment=second))["code"] == "bad_state"


async def test_a_refund_needs_the_wallet_where_the_sats_came_in(owed: Till) -> None:
    owed.desk.with_settings(wallets=frozenset({"second"}))
    refused = await owed.desk.refused(
        BOSS, "settlement.refund", settlement="S1", target="eve@example.com", note="x", confirm=True
    )
    assert (refused["code"], "main" in refused["message"]) == ("bad_state", True)


async def test_what_is_set_off_is_in_the_preview(till: Till) -> None:
    await till.desk.ask(BOSS, "lp.settle", confirm=True, machine="sintra", lp="ana", rate=50, amount="500")
    await till.sent(1, 1)
    await till.release(1)
    await till.desk.fail_leg(1)
    await till.desk.ask(BOSS, "payment.withdraw", payment="P1")
    await till.learn(1)
    offered = await till.desk.told(BOSS, "settle sintra ana 50 800")
    assert "25,000 sats of it were paid twice before and are set off: 15,000 sats leave the wallet." in offered


async def test_a_part_is_paid_although_what_remains_moves(till: Till) -> None:
    offered = await till.desk.told(BOSS, "settle sintra ana 50 100")
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="100")
    await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    assert "5,000 sats to ana: pending" in await till.desk.told(BOSS, f"confirm {offered[-6:]}")


async def test_a_code_works_once_also_where_the_order_is_refused(till: Till) -> None:
    offered = await till.desk.told(BOSS, "settle sintra ben 50")
    await till.desk.ask(BOSS, "lp.settle", confirm=True, machine="sintra", lp="ben", rate=50)
    assert "nothing of ben remains" in await till.desk.told(BOSS, f"confirm {offered[-6:]}")
    assert "nothing waits for this code" in await till.desk.told(BOSS, f"confirm {offered[-6:]}")
    assert [command for command, _ in await till.desk.audit()][-1] == "lp settle"


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_nobody_else_may(owed: Till) -> None:
    for who in (ANA, BEN, SUPER):
        for method in ("settlement.reset", "settlement.refund", "lp.settle", "payment.release", "settlement.add"):
            assert (await owed.desk.refused(who, method, confirm=True))["code"] == "forbidden"


async def test_notes_can_be_read_and_have_equals_signs(owed: Till) -> None:
    assert await owed.desk.told(BOSS, "note S1") == "S1 has no notes."
    await owed.desk.told(BOSS, "note S1 he paid price=high today")
    assert (await owed.desk.told(BOSS, "note S1")).splitlines()[1].endswith(": he paid price=high today")


@pytest.mark.parametrize("typed", ["…", "….....", "1f2e3d4c", "ab" * 31])
async def test_a_payment_hash_that_is_none_is_refused(till: Till, typed: str) -> None:
    refused = await till.desk.refused(BOSS, "settlement.add", confirm=True, **{**BY_HAND, "payment_hash": typed})
    assert (refused["code"], refused["field"]) == ("bad_request", "payment_hash")


async def test_the_preview_says_what_a_payout_waits_for(till: Till) -> None:
    await till.desk.ask(BOSS, "pause", machine="sintra")
    assert "It waits: payments are paused." in await till.desk.told(BOSS, "settle sintra ana 50")
    await till.desk.ask(BOSS, "target.freeze", lp="ana")
    assert "It waits: the payee is frozen." in await till.desk.told(BOSS, "settle sintra ana 50")


async def test_a_payment_of_a_paused_machine_says_how_to_go_on(owed: Till) -> None:
    await owed.desk.ask(BOSS, "pause", machine="sintra")
    assert (await owed.desk.told(BOSS, "show P1")).splitlines()[-1] == (
        "It waits: sintra is paused. To go on: resume sintra"
    )
