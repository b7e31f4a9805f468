"""Proven settlements become legs: once, all of what is owed, to those who are owed it now."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from handlers import distribution
from ledger.model import Settlement
from ledger.states import LegStatus, LegType, SettlementStatus
from storage import legs, lps, settlements
from storage.db import Tx
from tests.handlers.desk import ANA, BOSS, SUPER, Desk
from tests.handlers.till import CASH_IN, Till, report

S = SettlementStatus
HASH = "cd" * 32


async def planned(till: Till, settlement_id: int = 1) -> list[tuple[int, str, str, int]]:
    """(id, type, status, sats) of each leg."""
    found = await till.desk.tx(lambda tx: legs.of_settlement(tx, settlement_id))
    return [(leg.id, leg.type.value, leg.status.value, leg.amount_sats) for leg in found]


async def set_back(till: Till) -> None:
    """However it comes about: the settlement waits for a worker again while its legs stand."""

    def work(tx: Tx) -> None:
        settlements.set_status(tx, 1, S.ERRORED, till.now)
        settlements.set_status(tx, 1, S.PENDING, till.now)

    await till.desk.tx(work)


async def test_each_settlement_is_claimed_by_one_worker(till: Till) -> None:
    """Two workers at once: each takes what the other did not, the oldest first, and no leg is there twice."""
    for number in range(1, 7):
        await till.desk.cash_out(number, platform_fee_sats=3_000)

    def claim(token: str) -> Coroutine[Any, Any, list[Settlement]]:
        return till.desk.tx(lambda tx: distribution.distribute(tx, token=token, limit=2, now=till.now))

    taken = await asyncio.gather(*map(claim, "abcd"))
    assert [[settlement.id for settlement in each] for each in taken] == [[1, 2], [3, 4], [5, 6], []]
    assert await till.desk.count("SELECT count(*) FROM legs WHERE type = 'super_fee'") == 6


async def test_what_a_leg_owes_is_not_planned_again(owed: Till) -> None:
    """One leg is paid, one on its way, one failed, and the settlement is claimed once more: nothing is added to it,
    and it goes on as its legs have it."""
    before = await planned(owed)
    await owed.paid(1, 1)
    await owed.sent(3, 3)
    await owed.desk.fail_leg(4)
    await set_back(owed)
    assert len(await owed.desk.distribute()) == 1
    assert [leg[0] for leg in await planned(owed)] == [leg[0] for leg in before]
    assert (await owed.settlement(1)).status is S.PROCESSING
    await owed.learn(3)
    await owed.paid(2, 2)
    assert (await owed.settlement(1)).status is S.ERRORED


async def test_what_was_voided_is_planned_again_and_nothing_else(owed: Till) -> None:
    """The sums of the standing legs and of the new ones are what is owed, by type; skipped sats stand, too."""
    await owed.paid(1, 1)

    def void(tx: Tx) -> None:
        for leg in legs.of_settlement(tx, 1):
            if leg.type is LegType.OPERATOR_SPLIT:
                legs.skip(tx, leg, "below the minimum", owed.now)
            elif leg.label == "ben":
                legs.void(tx, leg, "by an order", owed.now)

    await owed.desk.tx(void)
    await set_back(owed)
    await owed.desk.distribute()
    assert await planned(owed) == [
        (1, "super_fee", "completed", 3_000),
        (2, "operator_split", "skipped", 5_000),
        (3, "dca", "pending", 75_000),
        (4, "dca", "voided", 25_000),
        (5, "dca", "pending", 25_000),
    ]


async def test_what_is_done_or_under_way_is_not_claimed(owed: Till) -> None:
    """Only what waits is taken, whatever its legs did meanwhile."""
    assert await owed.desk.distribute() == []
    for leg_id in (1, 2, 3, 4):
        await owed.paid(leg_id, leg_id)
    assert (await owed.settlement(1)).status is S.PROCESSED
    assert await owed.desk.distribute() == []


async def test_a_claim_that_finds_all_paid_ends_at_once(owed: Till) -> None:
    """It erred, late proof paid its last leg, and it was set back all the same: with no open leg nothing would ever
    end it but the claim itself."""
    for leg_id in (1, 2, 3):
        await owed.paid(leg_id, leg_id)
    await owed.sent(4, 4)
    await set_back(owed)
    await owed.learn(4)
    assert len(await owed.desk.distribute()) == 1
    assert (await owed.settlement(1)).status is S.PROCESSED


async def test_due_targets_are_taken_first(till: Till) -> None:
    """Ana changed where her sats go two days ago: what is planned from now on goes there, what was planned stays."""
    await till.desk.ask(ANA, "join", target="new@example.com", confirm=True)
    await till.desk.cash_out(1, platform_fee_sats=3_000)
    await till.desk.distribute()
    till.advance(till.desk.settings.target_cooldown_seconds)
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="1500")
    await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await till.desk.cash_out(2, platform_fee_sats=3_000)
    await till.desk.distribute()

    def of_ana(tx: Tx) -> list[str | None]:
        who = lps.by_pubkey(tx, ANA)
        assert who is not None
        return [leg.target for number in (1, 2) for leg in legs.of_settlement(tx, number) if leg.lp_id == who.id]

    assert await till.desk.tx(of_ana) == ["ana@example.com", "new@example.com"]


async def test_nothing_that_can_be_paid_is_processed_at_once(desk: Desk) -> None:
    """No platform target, no split rule, no LP: each sat is in a skipped leg with its reason."""
    await desk.with_machine()
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%", target="none")
    till = Till(desk)
    await desk.cash_out(platform_fee_sats=3_000)
    await desk.distribute()
    assert await planned(till) == [
        (1, "super_fee", "skipped", 3_000),
        (2, "operator_split", "skipped", 5_000),
        (3, "dca", "skipped", 100_000),
    ]
    found = await till.settlement(1)
    assert (found.status, found.processed_at) == (S.PROCESSED, till.now)
    assert await till.violations() == []


async def test_a_settlement_without_fees_or_principal_owes_nothing(desk: Desk) -> None:
    """A cash-in at a machine that charges nothing: no legs, and done."""
    await desk.with_machine()
    await desk.ask(BOSS, "machine.set", machine="sintra", cash_in_fee="0")
    till = Till(desk)
    await till.receive(report(HASH, tx_type="cash_in", wire_sats=100_000, fee_sats=0))
    await till.prove(1)
    await desk.distribute()
    assert await planned(till) == []
    assert (await till.settlement(1)).status is S.PROCESSED
    assert await till.violations() == []


async def test_a_cash_in_owes_its_fees_alone(till: Till) -> None:
    await till.receive(report(HASH, **CASH_IN))
    await till.prove(1)
    await till.desk.distribute()
    assert await planned(till) == [(1, "super_fee", "pending", 3_000), (2, "operator_split", "pending", 5_000)]


async def test_two_settlements_at_once_do_not_spend_one_balance_twice(till: Till) -> None:
    """2,000 GTQ for two sales of 2,000: the first takes all of it, what the second owes nobody can take."""
    await till.desk.cash_out(1, platform_fee_sats=3_000)
    await till.desk.cash_out(2, platform_fee_sats=3_000)
    await till.desk.distribute()
    assert [leg[1:] for leg in await planned(till, 2)][2:] == [("dca", LegStatus.SKIPPED.value, 100_000)]
    assert await till.desk.count("SELECT sum(reserved_minor) FROM enrolments") == 200_000
