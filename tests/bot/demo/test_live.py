"""Both views show what happens: the live one at any size, the plain one line by line."""

from __future__ import annotations

import io

import pytest
import segno
from rich.console import Console

from bot.demo import live, script
from bot.demo.picture import HEIGHT, WIDTH, picture, telling
from bot.demo.scene import Arrival, CashRow, LpRow, SaleRow, Scene
from ledger.fees import FeeRates

NSEC = "nsec1" + "q" * 58
WITH = "the ATM's wallet: second   the LP's address: you@127.0.0.1:41234"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def scene(lines: list[str]) -> Scene:
    """The first customer is served, the second one just reported."""
    scene = Scene(
        sales=[SaleRow(sale) for sale in script.sales(3)],
        lps={name: LpRow(name) for name in ("ana", "you")},
        cash={name: CashRow(name) for name in ("sintra", "plaza")},
        on_line=lines.append,
    )
    scene.started("ws://127.0.0.1:7000", "npub1bot")
    scene.invited((("Operator", NSEC), ("LP", "nsec1lp"), ("ATM", "npub1atm"), ("With", WITH)))
    scene.said("operator", "status", "Running.\nVersion 1")
    scene.said("operator", "splits set", "This would happen:\nSplits of sintra\nmore")
    scene.said("ana", None, "You are enrolled.")
    scene.lps["ana"].joined = True
    enrolment = {"currency": "GTQ", "deposited": "5100.00", "remaining": "3100.00", "sats": 100_000}
    scene.balance("ana", {"type": "lp_balance", "enrolments": [enrolment]})
    first, second = scene.sales[:2]
    first.payment_hash, second.payment_hash = "aa" * 32, "bb" * 32
    scene.sold(first)
    scene.receipt({"payment_hash": "aa" * 32, "status": "accepted", "settlement": "S1", "reason": None})
    scene.receipt({"payment_hash": "aa" * 32, "status": "accepted", "settlement": "S1", "reason": None})
    scene.receipt({"payment_hash": "cc" * 32, "status": "accepted", "settlement": "S9", "reason": None})
    scene.arrive(Arrival(3_000, "platform", "S1"))
    scene.progress(first, "processed")
    scene.sold(second)
    scene.worklist_event({"type": "worklist", "buckets": {"skipped": [{"id": "P1"}], "errored": []}})
    return scene


def drawn(scene: Scene, width: int, height: int) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(live.draw(scene, width=width, height=height), height=height)
    return console.export_text()


def test_the_lines_of_the_plain_view(scene: Scene, lines: list[str]) -> None:
    assert lines == [
        "relay ws://127.0.0.1:7000",
        "bot   npub1bot",
        f"Operator  {NSEC}",
        "LP        nsec1lp",
        "ATM       npub1atm",
        f"With      {WITH}",
        "  operator > status\n  bot > Running.",
        "  operator > splits set\n  bot > This would happen: Splits of sintra",
        "  bot to ana > You are enrolled.",
        "Transaction 1 of 3, sintra: a customer paid 108,000 sats and took 2,000 GTQ",
        "receipt for transaction 1: accepted as S1",
        "  3,000 sats → platform (S1)",
        "S1 is processed: platform 3,000 sats, operator 5,000 sats, LPs 100,000 sats",
        "Transaction 2 of 3, sintra: a customer put in 1,000 GTQ and got 46,000 sats",
        "worklist: 1 need a person",
    ]


def test_a_large_terminal_shows_all_of_it(scene: Scene) -> None:
    shown = " ".join(drawn(scene, 140, 45).split())
    for words in (
        "ws://127.0.0.1:7000",
        "npub1bot",
        "nsec1lp",
        "direct message: help",
        "An ATM sells and buys cash",
        "100,000 3,000 5,000 accepted processed",
        "3,000 sats → platform for S1",
        "5,100.00 3,100.00",
        "has not joined",
        "operator: status",
        "bot: Running.",
        "Transaction 2 of 3",
        "1 on the worklist need a person",
    ):
        assert words in shown


@pytest.mark.parametrize("size", [(80, 24), (100, 50), (200, 60), (40, 12), (140, 20)])
def test_any_size_can_be_drawn(scene: Scene, size: tuple[int, int]) -> None:
    shown = drawn(scene, *size).splitlines()
    assert len(shown) <= size[1]
    assert all(len(line) <= size[0] for line in shown)
    assert "satmachine demo" in shown[0]


def test_a_small_terminal_shows_how_to_join_and_the_newest(scene: Scene) -> None:
    for number in range(40):
        scene.arrive(Arrival(number, "ana", f"S{number}"))
    shown = drawn(scene, 80, 24)
    assert "ws://127.0.0.1:7000" in shown
    assert "for S39" in shown
    assert "for S2\n" not in shown


@pytest.mark.parametrize("size", [(140, 45), (100, 50), (80, 24)])
def test_what_a_visitor_needs_can_be_copied_whole(scene: Scene, size: tuple[int, int]) -> None:
    shown = drawn(scene, *size)
    assert f"Operator {NSEC} " in shown
    assert "ATM      npub1atm " in shown
    assert f"With     {WITH} " in shown


def test_customers_of_the_visitors_machine_stand_beside_the_others(scene: Scene, lines: list[str]) -> None:
    """They don't count among those who were planned; their cash is in the currency of that machine."""
    fees = FeeRates(0, 30_000), FeeRates(0, 40_000)
    sale = script.visit(1, "corner-shop", "USD", 1_000_00, *fees)
    assert sale is not None
    scene.sales.append(row := SaleRow(sale, payment_hash="dd" * 32))
    scene.sold(row)
    scene.receipt({"payment_hash": "dd" * 32, "status": "accepted", "settlement": "S3", "reason": None})
    scene.arrive(Arrival(75_000, "you", ""))
    enrolments = [
        {"currency": "GTQ", "deposited": "100.00", "remaining": "100.00", "sats": 1},
        {"currency": "USD", "deposited": "1000.00", "remaining": "750.50", "sats": 100_000},
        {"currency": "USD", "deposited": "1.00", "remaining": "1.00", "sats": 0},
    ]
    scene.lps["you"].joined = True
    scene.balance("you", {"type": "lp_balance", "enrolments": enrolments})
    assert lines[-3:] == [
        "Your machine corner-shop: a customer paid 107,000 sats and took 250 USD",
        "receipt for transaction 1 at corner-shop: accepted as S3",
        "  75,000 sats → you (paid out by order)",
    ]
    shown = " ".join(drawn(scene, 140, 45).split())
    assert "S3 corner-sh… 250 USD 100,000 3,000 4,000 accepted reported" in shown
    assert "you 1,001.00 USD 751.50 USD 100,001" in shown
    assert "paid out by order" in shown
    assert scene.planned == 3


def test_the_cash_of_each_machine(scene: Scene, lines: list[str]) -> None:
    """As the machine reports it; where the bot believes something else, or gives the alarm, that shows."""
    before = " ".join(drawn(scene, 140, 45).split())
    assert "plaza has not reported" in before
    held = {"1": {"denomination": 20, "count": 540}, "2": {"denomination": 100, "count": 64}}
    told = {"cassettes": {"1": {"count": 540}, "2": {"count": 64}}, "box": "3000.00"}
    scene.machine_said("plaza", "state", {"positions": held})
    scene.cash_told("plaza", told, alarm=True)
    scene.cash_told("plaza", told, alarm=True)
    assert "plaza 540 × 20, 64 × 100 3,000.00 low" in " ".join(drawn(scene, 140, 45).split())
    scene.machine_said("plaza", "config", {"positions": held})
    scene.cash_told("plaza", told, alarm=False)
    assert "plaza 540 × 20, 64 × 100 3,000.00 enough" in " ".join(drawn(scene, 140, 45).split())
    assert scene.cash["plaza"].configs == 1
    assert lines[-3:] == [
        "plaza: a bay is low",
        "plaza took what the bot says of its cassettes: 540 × 20, 64 × 100",
        "plaza: no bay is low any more",
    ]


def test_an_invoice_can_be_copied_and_scanned(scene: Scene) -> None:
    scene.invoice = "lnbcrt1" + "q" * 313
    lines = drawn(scene, 140, 45).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("lnbcrt1"))
    assert "".join(line.strip() for line in lines[first : first + 3]) == scene.invoice
    code = [line for line in lines if line.startswith("█")]
    side = segno.make(scene.invoice.upper(), error="l").symbol_size(border=1)[0]
    assert len(code) == (side + 1) // 2
    assert all(len(line.strip("\n")) <= 140 for line in code)


def test_an_invoice_without_room_for_its_code_is_still_whole(scene: Scene) -> None:
    scene.invoice = "lnbcrt1" + "q" * 313
    shown = drawn(scene, 80, 24)
    assert scene.invoice in shown.replace("\n", "").replace(" ", "")
    assert "█" not in shown
    assert "larger window" in shown


def test_the_picture_is_whole_and_fetches_nothing(scene: Scene) -> None:
    scene.sales[1].sale = script.sales(6)[5]
    assert not telling(scene)
    scene.receipt({"payment_hash": "bb" * 32, "status": "accepted", "settlement": "S6", "reason": None})
    assert not telling(scene)
    scene.cash["plaza"].alarm = True
    assert telling(scene)
    svg = picture(scene)
    assert svg.startswith("<svg")
    assert "satmachine" in svg
    assert "font-face" not in svg
    assert (WIDTH, HEIGHT) == (140, 42)
