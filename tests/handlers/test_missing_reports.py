"""Machines count their reports: which numbers never came is told once, and shown until they come."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from handlers import missing_reports
from handlers.missing_reports import GAP_SECONDS, KEEP_SECONDS
from handlers.settlement import Received
from ledger.errors import Code
from storage import sequences
from tests.handlers.desk import ATM2, BOSS
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

_payments = itertools.count(1_000)


async def came(till: Till, *seqs: int | None, number: int | None = None, **changes: Any) -> None:
    """Reports with these numbers, a second of the machine's time after each other, each of a payment of its own."""
    for seq in seqs:
        till.advance(1)
        said = report(hash_of(number or next(_payments)), seq=seq, **{"created_at": till.now, **changes})
        assert await till.receive(said) in (Received.NEW, Received.DUPLICATE)


async def missing(till: Till) -> list[tuple[int, int]]:
    """What an order shows after the time that a report may take."""
    till.advance(GAP_SECONDS)
    shown = await till.desk.ask(BOSS, "machine.show", machine="sintra")
    return [(gap["first"], gap["last"]) for gap in shown["missing_reports"]]


async def told(till: Till) -> list[str]:
    await till.desk.tx(lambda tx: missing_reports.tell(tx, {BOSS}, till.now))
    return await till.told()


async def test_a_gap_that_lasts_is_told_once_and_shown_until_it_is_filled(till: Till) -> None:
    await came(till, 41, 42, 45, 47)
    till.advance(GAP_SECONDS - 2)
    assert await told(till) == []
    till.advance(1)
    [first] = await told(till)
    assert first.splitlines()[0] == "sintra: reports 43-44 of its count never came, though later ones did."
    assert await missing(till) == [(43, 44), (46, 46)]
    assert len(await told(till)) == 1, "what is missed while others are waits for a reminder"
    status = await till.desk.ask(BOSS, "status")
    assert status["missing_reports"] == [{"machine": "sintra", "count": 3}]
    assert "Reports that never came: sintra (3). Which: machine show sintra" in await till.desk.told(BOSS, "status")
    assert "Reports that never came: 43-44, 46" in await till.desk.told(BOSS, "machine show sintra")
    await came(till, 44, 46, created_at=till.now - 5_000)
    assert await missing(till) == [(43, 43)]
    await came(till, 43)
    assert await missing(till) == []
    assert len(await told(till)) == 1
    assert "never came" not in await till.desk.told(BOSS, "status")


async def test_what_comes_in_any_order_within_the_time_is_no_gap(till: Till) -> None:
    """After hours offline a relay gives the newest first, and everything more than once."""
    await came(till, 10)
    began = till.now
    for _ in range(2):
        for seq in (20, 19, 11, 15, 12, 18, 13, 17, 14, 16):
            await came(till, seq, number=seq, created_at=began + seq)
    assert await missing(till) == []
    assert await told(till) == []


async def test_of_the_first_that_is_ever_heard_nothing_came_before(till: Till) -> None:
    await came(till, 500)
    await came(till, 498, created_at=till.now - 100)
    await came(till, 501, None)
    assert await missing(till) == []


async def test_a_count_that_begins_anew_is_no_gap(till: Till) -> None:
    """The machine was installed again. What is missing of the count before stays missing, by its own numbers."""
    await came(till, 41, 45)
    old = till.now - 1
    await came(till, 1, 2, 4, 44)
    assert await missing(till) == [(42, 44), (3, 3), (5, 43)]
    await came(till, 42, created_at=old)
    await came(till, 3, *range(5, 44))
    assert await missing(till) == [(43, 44)], "of the count before"
    await came(till, 43, 44, 46, created_at=old)
    await came(till, 45, 46)
    assert await missing(till) == []


@pytest.mark.parametrize("far", [10**12, 2**63 - 1, 41 + sequences.MOST_MISSING + 1])
async def test_an_absurd_number_is_no_gap_and_harms_nothing(till: Till, far: int) -> None:
    await came(till, 41, far, 42, 43, 45)
    assert await missing(till) == [(44, 44)]


async def test_what_is_kept_of_one_machine_is_bounded(till: Till) -> None:
    for number in range(1, 5):
        await came(till, number * 600)
    assert await till.desk.count("SELECT count(*) FROM missing_reports") == 599


@pytest.mark.parametrize("off_by", [-10 * 365 * 86_400, -86_400, 86_400, 10 * 365 * 86_400])
async def test_a_machine_whose_clock_is_wrong_for_a_while(till: Till, off_by: int) -> None:
    """Some begin in 1970 until they find the time."""
    await came(till, 7, 8)
    await came(till, 9, 10, created_at=max(0, till.now + off_by))
    await came(till, 11, 12)
    assert await missing(till) == []
    await came(till, 14)
    assert await missing(till) == [(13, 13)]


async def test_a_report_that_was_refused_came_and_one_of_another_machine_did_not(till: Till) -> None:
    await till.with_second_machine()
    await came(till, 1)
    await came(till, 2, currency="USD")
    assert (await till.receipts())[-1][2] == Code.CURRENCY_MISMATCH
    await came(till, 4)
    assert await till.receive(report(hash_of(3), seq=3), atm=ATM2) is Received.NEW
    assert await missing(till) == [(3, 3)]


async def test_a_hand_entry_has_no_number_until_the_machine_reports_it(till: Till) -> None:
    await came(till, 1)
    entry = {
        "machine": "sintra", "tx_type": "cash_out", "payment_hash": hash_of(5), "wire_sats": 108_000,
        "principal_sats": 100_000, "fee_sats": 8_000, "fiat_amount": "2000", "exchange_rate": "50", "note": "offline",
    }  # fmt: skip
    await till.desk.ask(BOSS, "settlement.add", confirm=True, **entry)
    await came(till, 3)
    assert await missing(till) == [(2, 2)]
    await came(till, 2, number=5)
    assert await missing(till) == []
    await came(till, 4)
    assert await missing(till) == []


async def test_nobody_waits_for_ever(till: Till) -> None:
    await came(till, 1, 3)
    till.advance(KEEP_SECONDS + 1)
    assert len(await told(till)) == 1
    assert await missing(till) == []
