"""A wallet says, without proof, that it paid what had been given up: nothing that took its place is paid meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.payment import CLAIM_RETRY_SECONDS, Go
from ledger.states import AttemptState, EvidenceClass
from tests.handlers.desk import BOSS
from tests.handlers.test_release import release
from tests.handlers.till import Till
from tests.ledger.build import hash_of

SETTLE: dict[str, Any] = {"machine": "sintra", "lp": "ana", "rate": 50, "confirm": True}


async def retry(till: Till) -> None:
    """P3 is given up and fails; P5 takes its place."""
    for leg_id in (1, 2, 4):
        await till.paid(leg_id, leg_id)
    await till.sent(3, 3)
    await till.release(3)
    await till.desk.fail_leg(3)
    await till.desk.ask(BOSS, "settlement.retry", settlement="S1")


async def test_what_took_its_place_waits(owed: Till) -> None:
    await retry(owed)
    await owed.learn(3, EvidenceClass.CLAIM)
    assert await owed.open(5) is Go.LATER
    assert (await owed.leg(5)).next_try_at == owed.now + CLAIM_RETRY_SECONDS
    await release(owed, 3, 3)
    owed.advance(CLAIM_RETRY_SECONDS)
    assert await owed.open(5) is Go.YES, "the operator has decided about the claim"
    await owed.paid(5, 5)


async def test_what_is_ready_in_its_place_is_dropped(owed: Till) -> None:
    await retry(owed)
    assert await owed.open(5) is Go.YES
    await owed.ready(5, 5)
    await owed.learn(3, EvidenceClass.CLAIM)
    assert not await owed.send(5)
    assert (await owed.attempt(5)).state is AttemptState.DROPPED


async def test_the_proof_is_set_off(owed: Till) -> None:
    await retry(owed)
    await owed.learn(3, EvidenceClass.CLAIM)
    assert await owed.learn(3) is AttemptState.SETTLED
    owed.advance(CLAIM_RETRY_SECONDS)
    assert await owed.open(5) is Go.DONE
    assert (await owed.leg(5)).credit_sats == 75_000


async def test_no_other_retry(owed: Till) -> None:
    await retry(owed)
    await owed.desk.fail_leg(5)
    await owed.learn(3, EvidenceClass.CLAIM)
    refused = await owed.desk.refused(BOSS, "settlement.retry", settlement="S1")
    assert (refused["code"], "P3" in refused["message"]) == ("unresolved_payment", True)


@pytest.mark.parametrize("how", ["replaced", "withdrawn"])
async def test_no_other_payout(till: Till, how: str) -> None:
    await till.desk.ask(BOSS, "lp.settle", **SETTLE)
    await till.sent(1, 1)
    await till.release(1)
    await till.desk.fail_leg(1)
    if how == "replaced":
        await till.desk.ask(BOSS, "lp.settle", **SETTLE)
        await till.desk.fail_leg(2)
    else:
        await till.desk.ask(BOSS, "payment.withdraw", payment="P1")
    await till.learn(1, EvidenceClass.CLAIM)
    refused = await till.desk.refused(BOSS, "lp.settle", **SETTLE)
    assert (refused["code"], refused["field"]) == ("unresolved_payment", "lp")


async def test_nor_of_the_fiat_of_a_share_that_failed(owed: Till) -> None:
    await owed.sent(3, 3)
    await owed.release(3)
    await owed.desk.fail_leg(3)
    await owed.learn(3, EvidenceClass.CLAIM)
    assert (await owed.desk.refused(BOSS, "lp.settle", **SETTLE))["code"] == "unresolved_payment"


async def test_the_preview_of_a_release_tells_of_the_attempt_that_waits(owed: Till) -> None:
    await owed.sent(3, 3)
    await owed.release(3)
    owed.advance(1_000)
    await owed.sent(3, 4)
    await owed.learn(4, EvidenceClass.NEGATIVE)
    await owed.release(4)
    owed.advance(1_000)
    await owed.learn(3, EvidenceClass.CLAIM)
    order: dict[str, Any] = {"payment": "P3", "hash_end": hash_of(3)[-8:], "reason": "the node shows nothing"}
    preview = (await owed.desk.refused(BOSS, "payment.release", **order))["preview"]
    assert (preview["payment_hash"], preview["last_word"]) == (hash_of(3), "claim")
