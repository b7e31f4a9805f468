"""Each step of paying a leg, and everything that may come too late for it: no sat leaves twice, none is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers import payment
from handlers.payment import Go
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from storage import attempts, legs, switches, wallets
from storage.db import Tx
from storage.switches import PAYMENTS, Switch
from tests.handlers.desk import BOSS
from tests.handlers.till import INVOICE_SECONDS, POLICY, Till
from tests.ledger.build import hash_of

DAY = 86_400
A, E, L = AttemptState, EvidenceClass, LegStatus


async def status(till: Till, leg_id: int) -> LegStatus:
    return (await till.leg(leg_id)).status


async def state(till: Till, number: int) -> AttemptState:
    return (await till.attempt(number)).state


async def another_sale(till: Till, number: int = 2) -> None:
    """The next cash-out of the same size: P5 (platform), P6 (partner) …"""
    await till.desk.cash_out(number, platform_fee_sats=3_000)
    await till.desk.distribute()


async def credit(till: Till, payee: str) -> int:
    """Sats that a payee was paid too much and has not yet set off."""
    return await till.desk.count("SELECT coalesce(sum(amount_sats - used_sats), 0) FROM credits WHERE payee = ?", payee)


async def change(till: Till, leg_id: int, to: LegStatus) -> None:
    """What orders and rules do to a leg that has no live attempt."""

    def work(tx: Tx) -> None:
        leg = legs.get(tx, leg_id)
        assert leg is not None
        {L.FAILED: legs.fail, L.SKIPPED: legs.skip, L.VOIDED: legs.void}[to](tx, leg, "by an order", till.now)

    await till.desk.tx(work)


async def lost_and_found(till: Till, leg_id: int, first: int, second: int) -> None:
    """Attempt `first` is released, `second` pays, and then `first` turns out to have been paid too."""
    await till.sent(leg_id, first)
    await till.release(first)
    await till.paid(leg_id, second)
    await till.learn(first)


# --- caps --------------------------------------------------------------------------------------------------------


async def test_the_cap_of_a_day_holds_for_legs_side_by_side(owed: Till) -> None:
    """All were opened before any had an invoice, so each by itself was within the cap. What counts is the row: at
    `ready` the later ones are put off, without using up a try; a day later they are paid."""
    owed.policy = replace(POLICY, max_day_sats=80_000)
    assert [await owed.open(leg_id) for leg_id in (1, 2, 3, 4)] == [Go.YES] * 4
    stored = [await owed.ready(leg_id, leg_id) is not None for leg_id in (3, 1, 2, 4)]
    assert stored == [True, True, False, False]
    for leg_id in (2, 4):
        leg = await owed.leg(leg_id)
        assert (leg.tries, leg.reason) == (0, "over the cap of 80,000 sats a day")
        assert leg.next_try_at == owed.now + payment.CAP_RETRY_SECONDS
        assert await owed.open(leg_id) is Go.LATER
    for leg_id in (3, 1):
        assert await owed.send(leg_id)
        await owed.learn(leg_id)
    owed.advance(DAY - 1)
    assert await owed.open(2) is Go.LATER
    owed.advance(2)
    await owed.paid(2, 2)
    await owed.paid(4, 4)


async def test_what_is_in_doubt_counts_for_the_cap_for_as_long_as_it_is(owed: Till) -> None:
    """It may have left, and only proof says when: no day passes for it."""
    owed.policy = replace(POLICY, max_day_sats=80_000)
    await owed.sent(3, 3)
    owed.advance(10 * DAY)
    assert await owed.open(4) is Go.LATER
    await owed.learn(3, E.CLAIM)
    owed.advance(10 * DAY)
    assert await owed.open(4) is Go.LATER
    await owed.learn(3)
    owed.advance(DAY + 1)
    assert await owed.open(4) is Go.YES


async def test_a_leg_over_its_own_cap_fails_and_asks_for_no_invoice(owed: Till) -> None:
    owed.policy = replace(POLICY, max_leg_sats=74_999)
    assert await owed.open(3) is Go.DONE
    leg = await owed.leg(3)
    assert (leg.status, leg.reason) == (L.FAILED, "over the cap of 74,999 sats for one leg")


# --- before it leaves --------------------------------------------------------------------------------------------


async def test_a_hash_that_was_seen_is_never_paid_again(owed: Till) -> None:
    """The same invoice for two legs would be one payment; each time costs the leg a try, the third fails it."""
    await owed.paid(1, 1)
    for tries in (1, 2):
        assert await owed.ready(2, 1) is None
        assert (await owed.leg(2)).tries == tries
    assert await owed.ready(2, 1) is None
    assert await status(owed, 2) is L.FAILED
    assert await owed.ready(2, 3) is None, "the leg is closed"


async def test_a_leg_has_one_live_attempt(owed: Till) -> None:
    """Whoever comes second, with an invoice of his own, stores nothing; nor do its troubles touch the leg."""
    await owed.ready(3, 1)
    assert await owed.open(3) is Go.DONE
    assert await owed.ready(3, 2) is None
    before = await owed.leg(3)
    await owed.desk.tx(lambda tx: payment.not_fetched(tx, 3, "away", owed.policy, owed.now))
    await owed.desk.tx(lambda tx: payment.unpayable(tx, 3, "too small", owed.now))
    assert await owed.leg(3) == before


async def test_a_target_that_gives_no_invoice_is_tried_spaced_out(owed: Till) -> None:
    waits = []
    for _ in range(POLICY.max_attempts):
        await owed.desk.tx(lambda tx: payment.not_fetched(tx, 2, "the server is away", owed.policy, owed.now))
        waits.append((await owed.leg(2)).next_try_at - owed.now)
        owed.advance(max(0, waits[-1]))
    assert waits[:2] == [20, 60]
    leg = await owed.leg(2)
    assert (leg.status, leg.reason) == (L.FAILED, "the server is away")


async def test_a_request_leaves_once(owed: Till) -> None:
    """Two workers with the same attempt: the second is refused, and there is one request."""
    await owed.ready(3, 1)
    assert await owed.send(1)
    assert not await owed.send(1)
    assert not await owed.send(9), "an unknown hash"
    assert await owed.desk.count("SELECT count(*) FROM requests") == 1


async def test_a_leg_that_closed_meanwhile_is_not_paid(owed: Till) -> None:
    """Proof of an earlier attempt came while the next one was ready to leave: it is dropped."""
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.ready(3, 2)
    assert await owed.learn(1) is A.SETTLED
    assert not await owed.send(2)
    assert (await state(owed, 2), await status(owed, 3)) == (A.DROPPED, L.COMPLETED)
    assert await owed.desk.count("SELECT count(*) FROM requests WHERE payment_hash = ?", hash_of(2)) == 0


def hold(tx: Tx, what: str, held: bool) -> None:
    """Stops or lets go what a leg to ben depends on."""
    said = Switch(held, 1_790_000_000 + (not held), BOSS, None)
    if what == "the LP":
        switches.say(tx, switches.of_lp(2), said)
    elif what == "the LP by its own word":
        switches.say(tx, switches.of_lp_itself(2), said)
    elif what != "the wallet":
        switches.say(tx, PAYMENTS if what == "all payments" else switches.of_machine(1), said)
    elif held:
        wallets.pause(tx, "main", "quota", 0, 1_790_000_000)
    else:
        wallets.resume(tx)


@pytest.mark.parametrize("what", ["all payments", "the machine", "the LP", "the LP by its own word", "the wallet"])
async def test_what_is_held_is_neither_fetched_nor_sent(owed: Till, what: str) -> None:
    """What is ready stays so and uses up nothing; when the hold ends it leaves as it is."""
    await owed.desk.tx(lambda tx: hold(tx, what, True))
    assert await owed.open(4) is Go.LATER
    await owed.ready(4, 1)
    assert not await owed.send(1)
    assert (await state(owed, 1), (await owed.leg(4)).tries) == (A.READY, 0)
    await owed.desk.tx(lambda tx: hold(tx, what, False))
    assert await owed.send(1)


@pytest.mark.parametrize("late", [INVOICE_SECONDS - POLICY.invoice_min_left + 1, INVOICE_SECONDS + 1])
async def test_an_invoice_too_near_its_expiry_is_dropped(owed: Till, late: int) -> None:
    """It was never published, so the leg may have another one at once certain."""
    await owed.ready(3, 1)
    owed.advance(late)
    assert not await owed.send(1)
    assert (await state(owed, 1), (await owed.leg(3)).tries) == (A.DROPPED, 1)
    await owed.paid(3, 2)


async def test_a_request_that_would_be_born_expired_is_not_sent(owed: Till) -> None:
    """A wallet may take one without looking at its expiration."""
    await owed.ready(3, 1)
    request = owed.request(1)
    owed.advance(600)
    assert not await owed.send(1, request=request)
    assert await state(owed, 1) is A.DROPPED


async def test_a_further_request_waits_for_what_holds_the_leg(owed: Till) -> None:
    request = await owed.sent(3, 1)
    owed.advance(601)
    again = owed.request(1)
    await owed.desk.told(BOSS, "pause")
    assert not await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(1), again, owed.policy, owed.now))
    await owed.desk.told(BOSS, "resume")
    assert await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(1), again, owed.policy, owed.now))
    assert request.id != again.id
    await owed.learn(1, E.CLAIM)
    owed.advance(601)
    assert not await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(1), owed.request(1), owed.policy, owed.now))


# --- proof -------------------------------------------------------------------------------------------------------


async def test_proof_twice_adds_nothing(owed: Till) -> None:
    """Wallets tell it as answer and as notification, look-ups and lists repeat it for ever."""
    await owed.sent(3, 1)
    for source in ("pay", "notification", "lookup", "list", "verify"):
        assert await owed.learn(1, fees_msat=7, source=source) is A.SETTLED
    assert await owed.desk.count("SELECT count(*) FROM evidence") == 1
    assert await owed.desk.count("SELECT count(*) FROM journal WHERE ref = 'P3'") == 1
    assert (await owed.attempt(1)).fees_msat == 7
    assert await credit(owed, "lp:1") == 0


async def test_errors_after_proof_change_nothing(owed: Till) -> None:
    """ "Already paid" is a failure by name; what says `failed` today said `settled` yesterday."""
    request = await owed.sent(3, 1)
    await owed.learn(1)
    for cls in (E.NEGATIVE, E.AMBIGUOUS, E.CLAIM, E.IN_FLIGHT, E.NONE):
        assert await owed.learn(1, cls) is A.SETTLED
    await owed.answer(request, "PAYMENT_FAILED", "already paid")
    assert (await state(owed, 1), await status(owed, 3)) == (A.SETTLED, L.COMPLETED)


@pytest.mark.parametrize(("fees_msat", "booked"), [(0, 0), (75_100_000, 75_100_000), (75_100_001, 0), (2**63 - 1, 0)])
async def test_an_absurd_fee_is_not_booked(owed: Till, fees_msat: int, booked: int) -> None:
    """A proven payment is proven whatever the wallet says it cost; but no wallet pays more than the amount and a
    little, and a sum near 2**63 would break the journal."""
    await owed.sent(3, 1)
    assert await owed.learn(1, fees_msat=fees_msat) is A.SETTLED
    assert (await owed.attempt(1)).fees_msat == booked
    assert await status(owed, 3) is L.COMPLETED


async def test_proof_for_an_unknown_hash_is_nobodys(owed: Till) -> None:
    assert await owed.learn(9) is None
    with pytest.raises(ValueError, match="control"):
        await owed.learn(9, source="control")


async def test_proof_of_what_never_left_is_kept_and_pays_nothing(owed: Till) -> None:
    """Somebody else paid the payee's invoice while ours was only ready: not our sats, so the leg is still owed."""
    await owed.ready(3, 1)
    assert await owed.learn(1) is A.READY
    assert await status(owed, 3) is L.PENDING
    assert await owed.desk.count("SELECT count(*) FROM evidence WHERE class = 'proof'") == 1


# --- proof that comes late ---------------------------------------------------------------------------------------


async def test_late_proof_for_a_leg_that_waits(owed: Till) -> None:
    """Released, not paid again yet: it completes the leg."""
    await owed.sent(3, 1)
    await owed.release(1)
    assert (await status(owed, 3), (await owed.leg(3)).tries) == (L.PENDING, 1)
    assert await owed.learn(1) is A.SETTLED
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 0)


async def test_late_proof_while_the_next_payment_is_under_way(owed: Till) -> None:
    """The leg is completed by the first; the second, when it arrives too, is the payee's debt, told to the operator."""
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.sent(3, 2)
    assert await owed.learn(1) is A.SETTLED
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 0)
    assert await owed.learn(2) is A.SETTLED
    assert await credit(owed, "lp:1") == 75_000
    assert [(await owed.attempt(number)).surplus for number in (1, 2)] == [False, True]
    assert ("payment.surplus", "P3") in await owed.desk.audit()
    assert any("P3 was paid a second time: 75,000 sats" in text for text in await owed.told())


async def test_late_proof_after_the_leg_was_paid_again(owed: Till) -> None:
    await lost_and_found(owed, 3, 1, 2)
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 75_000)
    assert [(await owed.attempt(number)).surplus for number in (1, 2)] == [True, False]


async def test_late_proof_for_a_leg_that_failed(owed: Till) -> None:
    """All attempts were released, so the settlement erred; the proof completes the leg and the settlement."""
    await owed.paid(1, 11)
    await owed.paid(2, 12)
    await owed.paid(3, 13)
    for number in (1, 2, 3):
        await owed.sent(4, number)
        await owed.release(number)
    assert await status(owed, 4) is L.FAILED
    assert (await owed.settlement(1)).status is SettlementStatus.ERRORED
    assert await owed.learn(2) is A.SETTLED
    assert (await status(owed, 4), await credit(owed, "lp:2")) == (L.COMPLETED, 0)
    assert (await owed.settlement(1)).status is SettlementStatus.PROCESSED
    assert await owed.learn(3) is A.SETTLED
    assert await credit(owed, "lp:2") == 25_000


async def test_late_proof_for_a_failed_leg_whose_fiat_is_spent(owed: Till) -> None:
    """The failed leg no longer reserved ben's 500 GTQ, so another sale paid them out: the late payment can't be
    booked against a balance that is gone. He owes it."""
    await owed.sent(4, 1)
    await owed.release(1)
    await change(owed, 4, L.FAILED)
    await another_sale(owed)
    paid = await owed.desk.count("SELECT id FROM legs WHERE settlement_id = 2 AND lp_id = 2")
    await owed.paid(paid, 2)
    assert await owed.learn(1) is A.SETTLED
    assert (await status(owed, 4), await credit(owed, "lp:2")) == (L.FAILED, 25_000)


@pytest.mark.parametrize("to", [L.VOIDED, L.SKIPPED])
async def test_late_proof_for_a_leg_that_is_gone(owed: Till, to: LegStatus) -> None:
    """Another leg may owe the same sats now, or nobody does: what was paid is the payee's debt."""
    await owed.sent(3, 1)
    await owed.release(1)
    await change(owed, 3, L.FAILED if to is L.VOIDED else to)
    if to is L.VOIDED:
        for leg_id, number in ((1, 11), (2, 12), (4, 14)):
            await owed.paid(leg_id, number)
        await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert await status(owed, 3) is to
    assert await owed.learn(1) is A.SETTLED
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (to, 75_000)
    if to is L.VOIDED:  # the leg in its place is covered at once: ana has it already
        assert await owed.open(5) is Go.DONE
        assert (await status(owed, 5), await credit(owed, "lp:1")) == (L.COMPLETED, 0)
        assert (await owed.settlement(1)).status is SettlementStatus.PROCESSED


# --- credits -----------------------------------------------------------------------------------------------------


async def half_covered(till: Till) -> None:
    """P2 owes the partner 5,000 sats and its first attempt was released; meanwhile he got 3,000 sats twice for P6."""
    await till.sent(2, 1)
    await till.release(1)
    await till.desk.ask(BOSS, "splits.set", legs="60% me@example.com + 40% you@example.com", confirm=True)
    await another_sale(till)
    assert (await till.leg(6)).payee == (await till.leg(2)).payee
    await lost_and_found(till, 6, 61, 62)
    assert await credit(till, (await till.leg(2)).payee) == 3_000


async def test_a_credit_covers_what_is_owed_next(owed: Till) -> None:
    """The platform was paid 3,000 sats twice: of its next fee nothing leaves the wallet, and the leg is completed."""
    await lost_and_found(owed, 1, 1, 2)
    await another_sale(owed)
    requests = await owed.desk.count("SELECT count(*) FROM requests")
    assert await owed.open(5) is Go.DONE
    leg = await owed.leg(5)
    assert (leg.status, leg.credit_sats, leg.due_msat) == (L.COMPLETED, 3_000, 0)
    assert await credit(owed, "platform") == 0
    assert await owed.desk.count("SELECT count(*) FROM requests") == requests


async def test_a_credit_is_set_off_once(owed: Till) -> None:
    """Opened again and again, for its server is away: what is due is lowered by the same 3,000 sats."""
    await half_covered(owed)
    for _ in range(3):
        assert await owed.open(2) is Go.YES
        assert (await owed.leg(2)).due_msat == 2_000_000
    assert await owed.ready(2, 2, amount_msat=2_000_000) is not None
    await owed.send(2)
    await owed.learn(2)
    assert await credit(owed, (await owed.leg(2)).payee) == 0


async def test_a_credit_of_one_payee_is_nobody_elses(owed: Till) -> None:
    await lost_and_found(owed, 1, 1, 2)
    assert await owed.open(2) is Go.YES
    assert (await owed.leg(2)).credit_sats == 0


@pytest.mark.parametrize("how", ["skipped", "retried"])
async def test_a_leg_that_is_not_paid_gives_its_credit_back(owed: Till, how: str) -> None:
    """What was set off from it is owed again, and is set off from the next one. A leg that merely failed keeps it:
    its sats are still payable."""
    await half_covered(owed)
    payee = (await owed.leg(2)).payee
    assert await owed.open(2) is Go.YES
    assert await credit(owed, payee) == 0
    if how == "skipped":
        await owed.desk.tx(lambda tx: payment.unpayable(tx, 2, "below his minimum", owed.now))
    else:
        await change(owed, 2, L.FAILED)
        assert await credit(owed, payee) == 0
        for leg_id in (1, 3, 4):
            await owed.paid(leg_id, leg_id + 10)
        await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert (await owed.leg(2)).credit_sats == 0
    assert await credit(owed, payee) == 3_000


async def test_late_proof_for_a_leg_that_owes_less_by_now(owed: Till) -> None:
    """The old invoice of 5,000 sats does not fit the leg any more, of which 2,000 are left. So it is one more surplus,
    which covers the rest: in all he got 3,000 + 3,000 + 5,000 for 8,000, and owes 3,000."""
    await half_covered(owed)
    payee = (await owed.leg(2)).payee
    assert await owed.open(2) is Go.YES
    assert await owed.learn(1) is A.SETTLED
    assert (await status(owed, 2), (await owed.attempt(1)).surplus) == (L.PENDING, True)
    assert await owed.open(2) is Go.DONE
    assert (await status(owed, 2), await credit(owed, payee)) == (L.COMPLETED, 3_000)


async def test_late_proof_while_the_rest_is_under_way(owed: Till) -> None:
    """The same, but the remaining 2,000 sats are sent already: what is sent is not called back, and he owes more."""
    await half_covered(owed)
    payee = (await owed.leg(2)).payee
    await owed.sent(2, 2)
    await owed.learn(1)
    assert await credit(owed, payee) == 5_000
    await owed.learn(2)
    assert (await status(owed, 2), await credit(owed, payee)) == (L.COMPLETED, 5_000)


# --- a wallet that changes its mind without proof -----------------------------------------------------------------


async def test_a_claim_after_the_release_holds_the_leg(owed: Till) -> None:
    """No other invoice is asked for on top of it, and the operator hears of it; proof ends it well."""
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.learn(1, E.CLAIM)
    assert await state(owed, 1) is A.CLAIMED
    assert await owed.open(3) is Go.DONE
    assert await owed.ready(3, 2) is None
    assert ("payment.claimed_late", "P3") in await owed.desk.audit()
    assert any("P3: the wallet now says that it paid" in text for text in await owed.told())
    await owed.learn(1)
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 0)


async def test_a_claim_after_the_release_beside_the_next_attempt(owed: Till) -> None:
    """One live attempt a leg: the next one is out already, and the claim is kept as evidence until proof comes."""
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.sent(3, 2)
    for _ in range(3):  # each reading of the wallet's list says so
        assert await owed.learn(1, E.CLAIM) is A.RELEASED
    assert [await state(owed, number) for number in (1, 2)] == [A.RELEASED, A.SENT]
    assert len(await owed.told()) == 1
    assert not await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(2), owed.request(2), owed.policy, owed.now))
    await owed.learn(2)
    assert await owed.learn(1, E.CLAIM) is A.CLAIMED
    assert len(await owed.told()) == 1
    await owed.learn(1)
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 75_000)


async def test_a_claim_while_the_next_invoice_waits(owed: Till) -> None:
    """What is ready was not sent: it is dropped, and the claim stands before any other."""
    await owed.sent(3, 1)
    await owed.release(1)
    assert await owed.ready(3, 2) is not None
    await owed.learn(1, E.CLAIM)
    assert [await state(owed, number) for number in (1, 2)] == [A.CLAIMED, A.DROPPED]
    assert not await owed.send(2)
    assert await owed.violations() == []


async def test_a_claim_beside_an_attempt_that_ends_unpaid(owed: Till) -> None:
    """The wallet need not say it again: it holds the leg when its turn comes."""
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.sent(3, 2)
    owed.advance(1)
    await owed.learn(1, E.CLAIM)
    await owed.release(2)
    assert [await state(owed, number) for number in (1, 2)] == [A.CLAIMED, A.RELEASED]
    assert await owed.open(3) is Go.DONE
    assert await owed.violations() == []


@pytest.mark.parametrize("dated", [0, -5], ids=["now", "before the release"])
async def test_a_claim_stands_before_whatever_follows_an_attempt_that_ended_unpaid(owed: Till, dated: int) -> None:
    """Its tries are used up; all the same nothing takes its place while the wallet says that it was paid. A word is
    dated by when it was heard, and clocks go back."""
    owed.policy = replace(owed.policy, max_attempts=2)
    await owed.sent(3, 1)
    await owed.release(1)
    await owed.sent(3, 2)
    owed.advance(dated)
    await owed.learn(1, E.CLAIM)
    owed.advance(-dated)
    await owed.release(2)
    assert [await state(owed, number) for number in (1, 2)] == [A.CLAIMED, A.RELEASED]
    assert await status(owed, 3) is L.PENDING
    owed.advance(86_400)
    refusal = await owed.desk.refused(BOSS, "settlement.reset", settlement="S1", confirm=True)
    assert refusal["code"] == "unresolved_payment"
    await owed.learn(1)
    assert (await status(owed, 3), await credit(owed, "lp:1")) == (L.COMPLETED, 0)
    assert await owed.violations() == []


async def test_a_claim_is_heard_once(owed: Till) -> None:
    """It is looked up for weeks, and says the same each time."""
    await owed.sent(3, 1)
    await owed.release(1)
    for _ in range(5):
        await owed.learn(1, E.CLAIM)
    assert len([text for text in await owed.told() if "P3" in text]) == 1
    assert [line for line in await owed.desk.audit() if line[0] == "payment.claimed_late"] == [
        ("payment.claimed_late", "P3")
    ]


@pytest.mark.parametrize("to", [L.FAILED, L.VOIDED, L.SKIPPED])
async def test_a_claim_for_a_leg_that_is_closed(owed: Till, to: LegStatus) -> None:
    """A failed leg must not be planned again while the wallet says that it was paid. Nothing of this is against the
    rules of the books."""
    await owed.sent(3, 1)
    await owed.release(1)
    await change(owed, 3, L.FAILED if to is L.VOIDED else to)
    for leg_id in (1, 2, 4):
        await owed.paid(leg_id, leg_id + 10)
    if to is L.VOIDED:
        await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    await owed.learn(1, E.CLAIM)
    assert await owed.violations() == []
    if to is L.FAILED:
        refusal = await owed.desk.refused(BOSS, "settlement.retry", settlement="S1")
        assert refusal["code"] == "unresolved_payment"
    await owed.learn(1)
    assert await status(owed, 3) is (L.COMPLETED if to is L.FAILED else to)


async def test_a_claim_is_released_by_no_rule(owed: Till) -> None:
    await owed.sent(3, 1)
    await owed.learn(1, E.CLAIM)
    owed.advance(400 * DAY)
    assert await owed.missing(1) == ("the wallet claims that it paid: an operator must decide",)
    assert await owed.missing(9) == ("no such attempt",)


# --- answers -----------------------------------------------------------------------------------------------------


async def test_an_error_says_only_when_to_ask(owed: Till) -> None:
    """The next look-up comes soon after it, and no answer moves the state or the tries."""
    request = await owed.sent(3, 1)
    await owed.desk.tx(lambda tx: attempts.check_again(tx, hash_of(1), owed.now + 300, counts=False))
    assert await owed.answer(request, "PAYMENT_FAILED") == (hash_of(1), True)
    assert (await owed.attempt(1)).next_check_at == owed.now + 2
    assert (await state(owed, 1), (await owed.leg(3)).tries) == (A.SENT, 0)
    owed.advance(1)
    assert await owed.answer(request, "PAYMENT_FAILED") == (hash_of(1), False)
    assert await owed.answer(owed.request(7), "PAYMENT_FAILED") == (None, False)


async def test_look_ups_grow_rarer_and_end_with_the_attempt(owed: Till) -> None:
    await owed.sent(3, 1)
    waits = []
    for _ in range(6):
        await owed.desk.tx(lambda tx: payment.checked(tx, hash_of(1), POLICY, owed.now))
        waits.append((await owed.attempt(1)).next_check_at - owed.now)
    assert waits == [2, 5, 15, 60, 300, 300]
    await owed.learn(1)
    before = await owed.attempt(1)
    await owed.desk.tx(lambda tx: payment.checked(tx, hash_of(1), POLICY, owed.now + 9))
    assert await owed.attempt(1) == before
