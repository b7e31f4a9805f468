"""What the database itself refuses about settlements that are scaled, entered by hand, or shared out anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.model import Amounts, Leg, PlannedLeg
from ledger.states import LegStatus, LegType, SettlementStatus
from storage import legs, machines, settlements
from storage.db import Tx
from tests.handlers.conftest import desk, owed, till
from tests.handlers.desk import BOSS
from tests.handlers.till import Till

__all__ = ["desk", "owed", "till"]

HALF = Amounts(54_000, 50_000, 4_000, 1_500, 2_500, 100_000)


async def refuses(till: Till, statement: str, why: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=why):
        await till.desk.tx(lambda tx: tx.run(statement))


async def scaled(till: Till, to: Amounts = HALF) -> None:
    """No leg stands any more, then the amounts change."""

    await void_all(till, 1)
    found = await till.settlement(1)
    await till.desk.tx(lambda tx: settlements.scale(tx, found, to, till.now))


async def void_all(till: Till, settlement_id: int) -> None:
    def work(tx: Tx) -> None:
        for leg in legs.of_settlement(tx, settlement_id):
            if leg.status is not LegStatus.VOIDED:
                legs.void(tx, leg, "by an order", till.now)

    await till.desk.tx(work)


async def test_what_it_landed_with_is_kept_however_often_it_is_scaled(owed: Till) -> None:
    before = await owed.settlement(1)
    for to in (HALF, replace(HALF, principal_sats=49_000, wire_sats=53_000), before.amounts):
        await scaled(owed, to)
        found = await owed.settlement(1)
        assert (found.status, found.amounts, found.landed) == (SettlementStatus.PARTIAL, to, before.amounts)
        assert found.fee_mismatch_sats == to.fee_mismatch_sats
        assert await owed.violations() == []


async def test_amounts_change_only_with_the_scaling_and_when_no_leg_stands(owed: Till) -> None:
    sets = (
        "wire_sats = 54000, principal_sats = 50000, fee_sats = 4000, platform_fee_sats = 1500, operator_fee_sats = 2500"
    )
    landed = (
        "landed_wire_sats = wire_sats, landed_principal_sats = principal_sats, landed_fee_sats = fee_sats,"
        " landed_platform_fee_sats = platform_fee_sats, landed_operator_fee_sats = operator_fee_sats,"
        " landed_fiat_minor = fiat_minor"
    )
    why = "its amounts change when it is scaled, and no leg of it stands"
    await refuses(owed, f"UPDATE settlements SET {sets}", why)
    await refuses(owed, f"UPDATE settlements SET status = 'partial', {sets}, {landed}", why)
    await void_all(owed, 1)
    await refuses(owed, f"UPDATE settlements SET status = 'partial', {sets}", "CHECK constraint failed")
    await refuses(owed, f"UPDATE settlements SET status = 'processing', {sets}, {landed}", why)
    await refuses(owed, f"UPDATE settlements SET status = 'partial', {sets}, {landed} + 1", "what landed is fixed")
    await owed.desk.tx(lambda tx: tx.run("UPDATE settlements SET status = 'errored'"))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE settlements SET landed_wire_sats = 1", "what landed is fixed"),
        ("UPDATE settlements SET landed_fiat_minor = NULL", "what landed is fixed"),
        ("UPDATE settlements SET fiat_minor = 200001", "CHECK constraint failed"),
        ("UPDATE settlements SET wire_sats = 108001, principal_sats = 104001", "CHECK constraint failed"),
        ("UPDATE settlements SET platform_fee_sats = 0", "CHECK constraint failed"),
        ("UPDATE settlements SET payment_hash = hex(zeroblob(32))", "which payment it is about is fixed"),
        ("UPDATE settlements SET machine_id = 1", "which payment it is about is fixed"),
        ("UPDATE settlements SET tx_type = 'cash_in'", "which payment it is about is fixed"),
        ("UPDATE settlements SET exchange_rate = '51'", "which payment it is about is fixed"),
        ("UPDATE settlements SET entered_by = payment_hash", "which payment it is about is fixed"),
        ("UPDATE settlements SET proof = 'operator'", "CHECK constraint failed"),
    ],
)
async def test_what_is_fixed(owed: Till, statement: str, why: str) -> None:
    await scaled(owed)
    await refuses(owed, statement, why)


async def test_a_skipped_leg_may_be_voided_and_nothing_else(owed: Till) -> None:
    """Also one of no LP, which only a skipped leg of the principal may be; a voided one comes back in no way."""
    await owed.desk.cash_out(2, platform_fee_sats=3_000)
    await owed.desk.distribute()
    for to in ("pending", "completed", "failed", "refunded"):
        await refuses(owed, f"UPDATE legs SET status = '{to}' WHERE status = 'skipped'", "change of status not allowed")
    skipped = await owed.leg(7)
    assert (skipped.status, skipped.lp_id) == (LegStatus.SKIPPED, None)
    await owed.desk.tx(lambda tx: legs.void(tx, skipped, "by an order", owed.now))
    for to in ("pending", "skipped"):
        await refuses(owed, f"UPDATE legs SET status = '{to}' WHERE status = 'voided'", "change of status not allowed")
    # its settlement misses the leg now: scaled, it is planned anew
    await void_all(owed, 2)
    found = await owed.settlement(2)
    await owed.desk.tx(lambda tx: settlements.scale(tx, found, HALF, owed.now))


async def test_only_what_was_entered_by_hand_has_the_operators_word(till: Till) -> None:
    await till.desk.cash_out()
    why = "CHECK constraint failed: proof IS NOT 'operator'"
    await refuses(till, "UPDATE settlements SET proof = 'operator'", why)


async def test_notes_are_kept_in_order(owed: Till) -> None:
    def work(tx: Tx) -> list[tuple[str, str]]:
        settlements.add_note(tx, 1, BOSS, "first", owed.now)
        settlements.add_note(tx, 1, BOSS, "x" * 2_000, owed.now)
        return [(row["author"], row["text"][:5]) for row in tx.all("SELECT * FROM settlement_notes ORDER BY id")]

    assert await owed.desk.tx(work) == [(BOSS, "first"), (BOSS, "xxxxx")]
    with pytest.raises(sqlite3.IntegrityError):
        await owed.desk.tx(lambda tx: settlements.add_note(tx, 1, BOSS, "x" * 2_001, owed.now))


@pytest.mark.parametrize("end", [legs.fail, legs.skip, legs.void])
async def test_what_ends_unpaid_marks_the_worklist(till: Till, end: Callable[[Tx, Leg, str, int], None]) -> None:
    """Nothing else would publish it: a refund's settlement stays refunded, a payout has none."""
    planned = PlannedLeg(LegType.SETTLEMENT, LegStatus.PENDING, 5, "lp:1", "a@example.com", "ana", lp_id=1)

    def work(tx: Tx) -> list[str]:
        machine = machines.get(tx, 1)
        assert machine is not None
        leg = legs.insert_order(tx, machine, "second", planned, till.now)
        tx.run("DELETE FROM stale_views")
        end(tx, leg, "away", till.now)
        return [row["view"] for row in tx.all("SELECT view FROM stale_views ORDER BY view")]

    assert await till.desk.tx(work) == ["balance:1", "worklist"]
