"""The comparison of the books finds every kind of difference: each test changes one thing and has to be told of it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.demo import script
from bot.demo.audit import Books, CashWord, LpWord, Moved, differences
from bot.demo.summary import summarize

ANA, BETO = "aa" * 32, "bb" * 32
LPS = {ANA: "ana", BETO: "beto"}


def _preimage(number: int) -> str:
    return f"{number:064x}"


def _hash(number: int) -> str:
    return hashlib.sha256(bytes.fromhex(_preimage(number))).hexdigest()


def _leg(
    number: int, settlement: str, type_: str, sats: int, *, lp: str | None = None, label: str | None = None
) -> Any:
    return {
        "id": f"P{number}",
        "settlement": settlement,
        "type": type_,
        "status": "completed",
        "amount_sats": sats,
        "lp": lp,
        "label": label,
        "reason": None,
        "preimage": _preimage(number),
    }


def good() -> Books:
    """One customer who buys cash for 100,000 sats and one who sells for 50,000, two LPs, all paid."""
    out, in_ = script.sales(2)
    legs = [
        _leg(1, "S1", "super_fee", 3_000),
        _leg(2, "S1", "operator_split", 3_000, label="sofia"),
        _leg(3, "S1", "operator_split", 2_000, label="mateo"),
        _leg(4, "S1", "dca", 60_000, lp=ANA, label="ana"),
        _leg(5, "S1", "dca", 40_000, lp=BETO, label="beto"),
        _leg(6, "S2", "super_fee", 1_500),
        _leg(7, "S2", "operator_split", 1_500, label="sofia"),
        _leg(8, "S2", "operator_split", 1_000, label="mateo"),
    ]
    payees = ["platform", "sofia", "mateo", "ana", "beto", "platform", "sofia", "mateo"]
    moved = [
        Moved(True, _hash(101), 108_000_000, payee="machine"),
        Moved(False, _hash(102), 46_000_000, payee="customer"),
        *(
            Moved(False, _hash(int(leg["id"][1:])), leg["amount_sats"] * 1_000, payee=payee)
            for leg, payee in zip(legs, payees, strict=True)
        ),
    ]
    settlements = [
        {
            "id": f"S{sale.number}",
            "payment_hash": _hash(100 + sale.number),
            "status": "processed",
            "tx_type": sale.tx_type,
            "wire_sats": sale.wire_sats,
            "principal_sats": sale.principal_sats,
            "fee_sats": sale.fee_sats,
            "platform_fee_sats": sale.platform_fee_sats,
            "operator_fee_sats": sale.operator_fee_sats,
            "fee_mismatch_sats": 0,
        }
        for sale in (out, in_)
    ]
    return Books(
        sales=[(out, _hash(101)), (in_, _hash(102))],
        settlements=settlements,
        legs=legs,
        lps=[_word(ANA, 3_000, 60_000, "1200.00", "1800.00"), _word(BETO, 2_000, 40_000, "800.00", "1200.00")],
        moved=moved,
        funds_before_msat=1_000_000_000,
        funds_after_msat=950_000_000,
        cash=[_cash()],
    )


def _cash() -> CashWord:
    """6,000 of fiat were in it and 2,000 came out, the LPs brought 5,000, a customer put 1,000 in."""
    bays = {"1": (20, 100), "2": (100, 20)}
    told = {
        "cassettes": {
            position: {
                "denomination": note, "count": count, "reported_denomination": note, "reported_count": count
            }
            for position, (note, count) in bays.items()
        },
        "believed": "4000.00",
        "box": "1000.00",
        "unplaced": "0.00",
        "gap": "1000.00",
    }  # fmt: skip
    return CashWord("sintra", loaded=4_000, refilled=2_000, brought=5_000, bays=bays, box=1_000, told=told)


def _word(lp: str, deposit: int, sats: int, paid: str, remaining: str) -> LpWord:
    enrolment = {
        "sats": sats,
        "deposited": f"{deposit}.00",
        "pending": "0.00",
        "paid": paid,
        "reserved": "0.00",
        "remaining": remaining,
    }
    return LpWord(LPS[lp], lp, deposit, [enrolment], sats, sats)


def changed(change: Callable[[Any], object]) -> list[str]:
    books = copy.deepcopy(good())
    result = change(books)
    return differences(result if isinstance(result, Books) else books)


def test_books_that_agree_have_no_difference() -> None:
    assert differences(good()) == []


def test_the_summary_of_them() -> None:
    summary = summarize(good())
    assert (summary.settlements, summary.legs, summary.sats_in, summary.sats_out) == (2, 8, 108_000, 158_000)
    assert (summary.platform_fee_sats, summary.operator_fee_sats) == (4_500, 7_500)
    assert {name: sats for name, _, sats in summary.payees} == {
        "platform": 4_500,
        "sofia": 4_500,
        "mateo": 3_000,
        "ana": 60_000,
        "beto": 40_000,
    }
    assert list(summary.cash) == [("sintra", 2_000, 2_000, 4_000, 1_000)]


def test_cash_that_a_visitor_has_changed_is_compared_with_the_machine_alone() -> None:
    books = copy.deepcopy(good())
    told = {**books.cash[0].told, "believed": "0.00"}
    assert differences(replace(books, cash=[replace(books.cash[0], told=told)]))
    books = replace(books, cash=[replace(books.cash[0], told=told, touched=True)])
    assert differences(books) == []
    books = replace(books, cash=[replace(books.cash[0], loaded=0)])
    assert "sintra: -2000 came out of its bays, and customers bought 2000" in differences(books)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.settlements.pop(), "transaction 2 has no settlement"),
        (lambda b: b.settlements.append(dict(b.settlements[0])), "the same payment hash"),
        (lambda b: b.settlements[0].update(status="processing"), "status is processing"),
        (lambda b: b.settlements[0].update(platform_fee_sats=240), "platform_fee_sats is 240, not 3000"),
        (lambda b: b.settlements[1].update(fee_mismatch_sats=1), "fee_mismatch_sats is 1"),
        (lambda b: b.legs[0].update(status="skipped", reason="no target"), "P1 (S1) is skipped"),
        (lambda b: b.legs[0].update(amount_sats=2_999), "super_fee legs add up to 2999"),
        (lambda b: b.legs.pop(2), "operator_split legs add up to 3000 sats, not 5000"),
        (lambda b: b.legs[3].update(amount_sats=59_999), "dca legs add up to 99999 sats, not 100000"),
        (lambda b: b.legs[5].update(type="dca"), "dca legs add up to 1500 sats, not 0"),
        (lambda b: (b.legs[1].update(label="mateo"), b.legs[2].update(label="sofia")), "sofia gets 2000 of 5000"),
        (lambda b: b.legs[3].update(preimage=None), "P4: Lightning does not show its 60000 sats"),
        (lambda b: b.legs[3].update(preimage=_preimage(5)), "P5: Lightning does not show its 40000 sats"),
        (lambda b: b.moved.append(b.moved[4]), "was paid 2 times"),
        (lambda b: b.moved.pop(), "P8: Lightning does not show"),
        (lambda b: b.moved.pop(0), "transaction 1: Lightning does not show its 108000 sats"),
        (lambda b: b.moved.pop(1), "transaction 2: Lightning does not show its 46000 sats"),
        (lambda b: b.moved.append(Moved(False, "ee" * 32, 5_000, payee="eve")), "5000 msat went to eve and nothing"),
        (lambda b: b.moved.append(Moved(True, "ee" * 32, 5_000)), "5000 msat came in and nothing explains"),
        (lambda b: b.moved.__setitem__(5, replace(b.moved[5], payee="beto")), "P4: beto was paid instead of ana"),
        (lambda b: b.moved.__setitem__(5, replace(b.moved[5], amount_msat=60_000_001)), "P4: Lightning does not show"),
        (lambda b: replace(b, worklist=["S1"]), "S1 is on the worklist"),
        (lambda b: b.lps.__setitem__(0, replace(b.lps[0], history_sats=1)), "ana: the history says 1 sats"),
        (lambda b: b.lps.__setitem__(0, replace(b.lps[0], event_sats=0)), "ana: the balance event says 0 sats"),
        (lambda b: b.lps[1].enrolments[0].update(sats=40_001), "beto: the balance says 40001 sats"),
        (lambda b: b.lps[1].enrolments[0].update(deposited="2000.01"), "beto: brought 2000.00"),
        (lambda b: b.lps[1].enrolments[0].update(reserved="0.01"), "beto: brought 2000.00"),
        (lambda b: b.lps[1].enrolments[0].update(remaining="1199.99"), "paid and remaining are not what was deposited"),
        (lambda b: b.lps[1].enrolments[0].update(paid="900.00", remaining="1100.00"), "were booked as 900.00"),
        (
            lambda b: b.cash[0].bays.update({"2": (100, 19)}),
            "sintra: 2100 came out of its bays, and customers bought 2000",
        ),
        (lambda b: b.cash[0].bays.update({"2": (100, 19)}), "bay 2 has 19 notes of 100, the bot believes 20 of 100"),
        (lambda b: b.cash[0].told["cassettes"]["1"].update(reported_count=99), "the bot heard 99 of 20"),
        (lambda b: b.cash[0].told["cassettes"]["1"].update(denomination=50), "the bot believes 100 of 50"),
        (lambda b: b.cash[0].told["cassettes"].pop("1"), "the bot knows the bays 2"),
        (lambda b: b.cash[0].told.update(believed="3999.99"), "sintra: believed is 3999.99, not 4000"),
        (lambda b: b.cash[0].told.update(box="0.00"), "sintra: box is 0.00, not 1000"),
        (lambda b: b.cash[0].told.update(unplaced="20.00"), "sintra: unplaced is 20.00, not 0"),
        (lambda b: b.cash[0].told.update(gap="0.00"), "sintra: gap is 0.00, not 1000"),
        (lambda b: b.cash.__setitem__(0, replace(b.cash[0], box=900)), "900 is in its box, and customers put in 1000"),
        (lambda b: replace(b, funds_after_msat=949_999_999), "but it holds 949999999"),
        (lambda b: b.moved.__setitem__(5, replace(b.moved[5], fee_msat=1)), "but it holds 950000000"),
    ],
)
def test_every_difference_is_told(change: Callable[[Any], object], words: str) -> None:
    assert any(words in difference for difference in changed(change)), changed(change)


def visited(change: Callable[[Any], object]) -> list[str]:
    books = copy.deepcopy(replace(good(), visited=True))
    result = change(books)
    return differences(result if isinstance(result, Books) else books)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.settlements[0].update(platform_fee_sats=240, status="partial"),
        lambda b: b.settlements.append({**b.settlements[0], "payment_hash": "ee" * 32}),
        lambda b: b.legs.append(_leg(9, "S2", "refund", 5) | {"status": "failed"}),
        lambda b: b.legs[3].update(type="settlement", settlement=None),
        lambda b: b.moved.__setitem__(5, replace(b.moved[5], payee="a wallet that ana joined with since")),
        lambda b: b.lps[1].enrolments[0].update(deposited="2100.00", remaining="1200.00", reserved="100.00"),
        lambda b: b.lps[1].enrolments.append({**b.lps[1].enrolments[0], "sats": 0}),
        lambda b: replace(b, worklist=["S1"]),
    ],
)
def test_what_a_visitor_may_order_is_no_difference(change: Callable[[Any], object]) -> None:
    assert visited(change) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b.moved.append(b.moved[4]), "was paid 2 times"),
        (lambda b: b.moved.append(Moved(False, "ee" * 32, 5_000, payee="eve")), "5000 msat went to eve and nothing"),
        (lambda b: b.legs[3].update(preimage=None), "P4: Lightning does not show its 60000 sats"),
        (lambda b: b.lps[1].enrolments[0].update(remaining="1300.00"), "paid and remaining are not what was deposited"),
        (lambda b: b.lps[1].enrolments[0].update(sats=40_001), "beto: the balance says 40001 sats"),
        (
            lambda b: b.cash[0].bays.update({"2": (100, 19)}),
            "sintra: 2100 came out of its bays, and customers bought 2000",
        ),
        (lambda b: b.cash[0].bays.update({"2": (100, 19)}), "bay 2 has 19 notes of 100, the bot believes 20 of 100"),
        (lambda b: b.cash[0].told["cassettes"]["1"].update(reported_count=99), "the bot heard 99 of 20"),
        (lambda b: b.cash[0].told["cassettes"]["1"].update(denomination=50), "the bot believes 100 of 50"),
        (lambda b: b.cash[0].told["cassettes"].pop("1"), "the bot knows the bays 2"),
        (lambda b: b.cash[0].told.update(believed="3999.99"), "sintra: believed is 3999.99, not 4000"),
        (lambda b: b.cash[0].told.update(box="0.00"), "sintra: box is 0.00, not 1000"),
        (lambda b: b.cash[0].told.update(unplaced="20.00"), "sintra: unplaced is 20.00, not 0"),
        (lambda b: b.cash[0].told.update(gap="0.00"), "sintra: gap is 0.00, not 1000"),
        (lambda b: b.cash.__setitem__(0, replace(b.cash[0], box=900)), "900 is in its box, and customers put in 1000"),
        (lambda b: replace(b, funds_after_msat=949_999_999), "but it holds 949999999"),
    ],
)
def test_what_no_order_can_bring_about_is_told_with_a_visitor_too(change: Callable[[Any], object], words: str) -> None:
    assert any(words in difference for difference in visited(change)), visited(change)
