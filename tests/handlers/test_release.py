"""`payment release`: the operator ends an attempt that no rule can, and answers for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from handlers import payment
from handlers.payment import Go
from ledger.errors import Code, Refusal
from ledger.model import Attempt
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from nwc.keys import npub_of
from tests.handlers.desk import ANA, BOSS
from tests.handlers.test_settlement_orders import a_partial, balance, give, status
from tests.handlers.till import Till
from tests.ledger.build import hash_of

A, E, L, S = AttemptState, EvidenceClass, LegStatus, SettlementStatus


async def release(till: Till, leg_id: int, number: int, end: str | None = None) -> Attempt:
    return await till.desk.tx(
        lambda tx: payment.release_by_operator(
            tx,
            leg_id,
            end or hash_of(number)[-8:],
            "the payee shows nothing",
            by=BOSS,
            policy=till.policy,
            now=till.now,
        )
    )


async def refused(till: Till, leg_id: int, number: int, end: str | None = None) -> tuple[Code, str | None]:
    with pytest.raises(Refusal) as caught:
        await release(till, leg_id, number, end)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("claimed", [False, True])
async def test_what_waits_for_ever_is_released_and_paid_again(owed: Till, claimed: bool) -> None:
    """Not while its request lives; then it costs the leg a try, like a release by the rules."""
    await owed.sent(3, 3)
    if claimed:
        await owed.learn(3, E.CLAIM)
    assert await refused(owed, 3, 3) == (Code.TOO_YOUNG, "payment")
    owed.advance(599)
    assert await refused(owed, 3, 3) == (Code.TOO_YOUNG, "payment")
    owed.advance(1)
    released = await release(owed, 3, 3)
    assert released.state is (A.CLAIMED if claimed else A.SENT), "as it was"
    assert (await owed.attempt(3)).state is A.RELEASED
    leg = await owed.leg(3)
    assert (leg.status, leg.tries, leg.reason) == (L.PENDING, 1, "an attempt was released by the operator")
    assert leg.next_try_at == owed.now + owed.policy.attempt.resend[0]
    assert await refused(owed, 3, 3) == (Code.BAD_STATE, "payment")
    await owed.paid(3, 4)


async def test_who_said_it_and_why_is_kept(owed: Till) -> None:
    await owed.sent(3, 3)
    owed.advance(600)
    await release(owed, 3, 3)
    found = await owed.desk.ask(BOSS, "payment.show", payment="P3")
    last = found["attempts"][0]["evidence"][-1]
    assert (last["class"], last["source"]) == ("negative", "operator")
    assert last["detail"] == {"said": "the payee shows nothing", "by": BOSS}
    assert found["attempts"][0]["end_reason"] == "released by the operator"
    line = await owed.desk.tx(lambda tx: tx.one("SELECT * FROM audit ORDER BY id DESC LIMIT 1"))
    assert line is not None
    assert (line["who"], line["command"], line["target"]) == (BOSS, "payment release", "P3")
    assert json.loads(line["before"]) == {"state": "sent"}
    assert json.loads(line["after"])["payment_hash"] == hash_of(3)


async def test_the_last_try_fails_the_leg(owed: Till) -> None:
    for leg_id in (1, 2, 4):
        await owed.paid(leg_id, leg_id)
    for number in (11, 12, 13):
        await owed.sent(3, number)
        owed.advance(600)
        await release(owed, 3, number)
        owed.advance(200)
    assert ((await owed.leg(3)).status, await status(owed)) == (L.FAILED, S.ERRORED)


async def test_if_it_was_paid_after_all_the_payee_owes_it(owed: Till) -> None:
    """The operator was wrong: the second payment is booked, told, and set off from what comes next."""
    await owed.sent(3, 3)
    owed.advance(600)
    await release(owed, 3, 3)
    await owed.paid(3, 4)
    assert await owed.learn(3) is A.SETTLED
    assert await balance(owed, "assets:receivable:lp:1") == 75_000_000
    assert any("P3 was paid a second time" in text for text in await owed.told())


async def test_the_second_payment_is_set_off_at_another_machine(owed: Till) -> None:
    """From another wallet. Until the payee has a next payment, what it owes is shown with the one that was too much."""
    await owed.with_second_machine()
    await owed.sent(3, 3)
    owed.advance(600)
    await release(owed, 3, 3)
    await owed.paid(3, 4)
    await owed.learn(3)
    assert await paid_twice(owed) == {"sats": 75_000, "open_sats": 75_000}
    told = await owed.desk.told(BOSS, "show P3")
    assert "of which the payee's next payments have yet to set off 75,000 sats." in told
    assert len(told.splitlines()) <= 12
    await owed.desk.ask(BOSS, "lp.add", machine="ericeira", npub=npub_of(ANA), name="ana")
    made = await owed.desk.ask(BOSS, "deposit.add", machine="ericeira", lp="ana", amount="2000")
    await owed.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    for amount, credit, left in (("1000", 50_000, 25_000), ("1000", 25_000, 0)):
        params = {"machine": "ericeira", "lp": "ana", "rate": "50", "amount": amount}
        await owed.desk.ask(BOSS, "lp.settle", confirm=True, **params)
        leg_id = await owed.desk.count("SELECT max(id) FROM legs")
        if left:
            assert await owed.open(leg_id) is Go.DONE
        else:
            await owed.paid(leg_id, 5)
        leg = await owed.leg(leg_id)
        assert (leg.wallet, leg.status, leg.credit_sats) == ("second", L.COMPLETED, credit)
        assert await paid_twice(owed) == {"sats": 75_000, "open_sats": left}
    assert await balance(owed, "assets:receivable:lp:1") == 0


async def paid_twice(till: Till) -> Any:
    return (await till.desk.ask(BOSS, "payment.show", payment="P3"))["paid_twice"]


async def test_a_claim_on_a_closed_leg_is_released_too(owed: Till) -> None:
    """It failed, then its wallet claimed to have paid it: until somebody decides it can't be planned again."""
    for leg_id in (1, 2, 4):
        await owed.paid(leg_id, leg_id)
    await owed.sent(3, 3)
    await owed.release(3)
    await owed.desk.fail_leg(3)
    await owed.learn(3, E.CLAIM)
    error = await owed.desk.refused(BOSS, "settlement.retry", settlement="S1")
    assert error["code"] == "unresolved_payment"
    await release(owed, 3, 3)
    assert ((await owed.leg(3)).status, (await owed.leg(3)).tries) == (L.FAILED, 1)
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert (await owed.leg(5)).amount_sats == 75_000


async def test_a_claim_on_a_leg_that_was_voided_meanwhile(owed: Till) -> None:
    """The leg is gone, whatever its tries: only the attempt ends."""
    owed.policy = replace(owed.policy, max_attempts=2)
    await owed.sent(3, 3)
    await owed.release(3)
    await give(owed, a_partial())
    await owed.learn(3, E.CLAIM)
    await release(owed, 3, 3)
    assert ((await owed.leg(3)).status, (await owed.attempt(3)).state) == (L.VOIDED, A.RELEASED)


async def test_a_resolver_at_work_does_not_release_it_twice(owed: Till) -> None:
    """It gathered all that a release by the rules takes while the operator released: one try, not two. Nor may a
    request that it had signed meanwhile leave."""
    await owed.sent(3, 3)
    owed.advance(600)
    again = owed.request(3)
    await release(owed, 3, 3)
    assert await owed.missing(3) != ()
    assert not await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(3), again, owed.policy, owed.now))
    assert (await owed.leg(3)).tries == 1


async def test_a_new_request_for_the_invoice_holds_it_again(owed: Till) -> None:
    await owed.sent(3, 3)
    owed.advance(600)
    again = owed.request(3)
    assert await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(3), again, owed.policy, owed.now))
    assert await refused(owed, 3, 3) == (Code.TOO_YOUNG, "payment")


async def test_what_can_not_be_released(owed: Till) -> None:
    await owed.ready(1, 1)
    assert await refused(owed, 1, 1) == (Code.BAD_STATE, "payment")
    assert await refused(owed, 2, 2) == (Code.BAD_STATE, "payment")
    assert await refused(owed, 99, 2) == (Code.NOT_FOUND, "payment")
    await owed.sent(3, 3)
    owed.advance(600)
    assert await refused(owed, 3, 4) == (Code.BAD_REQUEST, "hash_end")
    assert await refused(owed, 3, 3, hash_of(3)) == (Code.BAD_REQUEST, "hash_end")
    assert (await owed.attempt(3)).state is A.SENT
