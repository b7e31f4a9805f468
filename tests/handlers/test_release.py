"""`payment release`: the operator ends an attempt that no rule can, and answers for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from handlers import payment
from handlers.payment import Go
from ledger.decide.attempt import WalletProfile
from ledger.errors import Code, Refusal
from ledger.model import Attempt
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from nwc.keys import npub_of
from storage import attempts, holds
from storage.db import Tx
from tests.handlers.desk import ANA, BOSS, key
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


async def look(till: Till, number: int, control: EvidenceClass) -> tuple[str, ...]:
    """The wallet of now knows nothing of the payment; `control`: what it says of the one that it must know. What is
    missing for a release after that."""
    await till.learn(number, E.NEGATIVE)
    await till.learn(number, E.NEGATIVE, source="list")
    asked = till.now
    if await till.desk.tx(lambda tx: attempts.control_hash(tx, found(tx, number))) is not None:
        await till.desk.tx(lambda tx: payment.note_control(tx, hash_of(number), control, asked_at=asked, now=asked))
    return await till.missing(number)


def found(tx: Tx, number: int) -> Attempt:
    attempt = attempts.get(tx, hash_of(number))
    assert attempt is not None
    return attempt


async def control(till: Till, number: int) -> tuple[str, str] | None:
    return await till.desk.tx(lambda tx: attempts.control_hash(tx, found(tx, number)))


@pytest.mark.parametrize("same", [True, False])
async def test_a_connection_to_another_wallet_of_one_service_releases_nothing(owed: Till, same: bool) -> None:
    """All wallets of one LNbits have one key. P3 is under way when the operator puts in another connection: only if
    that finds what the one before has paid, its "not found" says anything of P3."""
    await owed.connect(key("main client"), profile=WalletProfile.LNBITS)
    await owed.paid(1, 1)
    await owed.sent(3, 3)
    owed.advance(60)
    await owed.connect(key("another"), profile=WalletProfile.LNBITS)
    await owed.paid(2, 2)  # by the new one: it says nothing of the old
    assert await control(owed, 3) == (hash_of(1), "outgoing")
    missing: tuple[str, ...] = ()
    for _ in range(3):
        owed.advance(4_000)
        missing = await look(owed, 3, E.PROOF if same else E.NEGATIVE)
    assert ((await owed.attempt(3)).state is A.RELEASED) is same, missing
    await owed.sent(4, 4)
    assert await control(owed, 4) == (hash_of(2), "outgoing")


async def test_where_the_connection_before_paid_nothing_an_operator_decides(owed: Till) -> None:
    """Nothing shows that it is the same wallet. What is sent now is judged by what this connection has shown."""
    await owed.sent(3, 3)
    customers = await owed.desk.tx(lambda tx: tx.one("SELECT payment_hash FROM settlements"))
    assert customers is not None
    assert await control(owed, 3) == (customers["payment_hash"], "incoming")
    owed.advance(60)
    await owed.connect(key("another"), profile=WalletProfile.LNBITS)
    await owed.sent(4, 4)
    assert [await control(owed, number) for number in (3, 4)] == [None, None]
    await owed.paid(2, 2)
    missing: tuple[str, ...] = ()
    for _ in range(3):
        owed.advance(4_000)
        missing = await look(owed, 3, E.PROOF)
    assert missing == ("a control look-up that finds a known payment",)
    await release(owed, 3, 3)
    await owed.connect(key("main client"))
    assert await control(owed, 4) == (hash_of(2), "outgoing"), "by whom it was sent, whatever is configured now"


async def test_what_another_connection_was_asked_counts_for_nothing(owed: Till) -> None:
    """Half of what a release takes is there when the connection is exchanged, and the other wallet adds its part."""
    await owed.connect(key("main client"), profile=WalletProfile.LNBITS)
    await owed.paid(1, 1)
    await owed.sent(3, 3)
    owed.advance(4_300)
    assert await look(owed, 3, E.PROOF) == ("two look-ups, 60 s apart, that find nothing",)
    await owed.connect(key("another"), profile=WalletProfile.LNBITS)
    owed.advance(60)
    assert len(await look(owed, 3, E.NONE)) == 2
    owed.advance(60)
    assert await look(owed, 3, E.NONE) == ("a control look-up that finds a known payment",)


@pytest.mark.parametrize(
    ("said", "leaves"),
    [
        ([], False),
        ([E.NEGATIVE], False),
        ([E.PROOF], True),
        ([E.PROOF, E.NONE], True),
        ([E.PROOF, E.NEGATIVE], False),
    ],
)
async def test_nothing_is_said_again_to_a_wallet_that_may_be_another(
    owed: Till, said: list[EvidenceClass], leaves: bool
) -> None:
    """The same invoice would be paid from two wallets: there are payees who keep both."""

    async def asked(cls: EvidenceClass) -> None:
        await owed.desk.tx(lambda tx: payment.note_control(tx, hash_of(3), cls, asked_at=owed.now, now=owed.now))

    await owed.paid(1, 1)
    request = await owed.sent(3, 3)
    await asked(E.PROOF)  # by the wallet that was there then
    await owed.connect(key("another"))
    for cls in said:
        owed.advance(1)
        await asked(cls)
    again = await owed.desk.tx(lambda tx: payment.say_again(tx, hash_of(3), request.id, owed.policy, owed.now))
    assert (again is not None) is leaves
    owed.advance(600)
    further = owed.request(3)
    assert await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(3), further, owed.policy, owed.now)) is leaves


@pytest.mark.parametrize("claimed", [False, True])
async def test_a_release_that_nobody_made_pays_nothing_again(owed: Till, claimed: bool) -> None:
    """Somebody with an editor sets the attempt to released: its leg has another invoice only where the audit log and
    the evidence bear that out."""
    await owed.sent(3, 3)
    if claimed:
        await owed.learn(3, E.CLAIM)
    owed.advance(600)
    before = await owed.attempt(3)
    await owed.desk.tx(lambda tx: set_state(tx, AttemptState.RELEASED))
    assert await owed.open(3) is Go.LATER
    held = await owed.desk.tx(lambda tx: holds.get(tx, holds.BOOKS))
    assert held is not None
    assert "released_without_evidence" in held.reason
    await owed.desk.tx(lambda tx: set_state(tx, before.state))


def set_state(tx: Tx, state: AttemptState) -> None:
    """Without the trigger that knows better, which is back after it."""
    trigger = tx.one("SELECT sql FROM sqlite_master WHERE name = 'attempts_changes'")
    assert trigger is not None
    tx.run("DROP TRIGGER attempts_changes")
    tx.run("UPDATE attempts SET state = ?", (state.value,))
    tx.run(trigger["sql"])


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
