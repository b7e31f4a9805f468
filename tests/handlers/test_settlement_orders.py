"""Reset, partial, refund, in the books: what was owed is shared out anew or kept, nothing leaves for what is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers import payment, settlement_orders
from handlers.payment import Go
from handlers.settlement import Received
from ledger.errors import Code, Refusal
from ledger.model import Leg, Settlement
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from storage import attempts, legs, reports, settlements
from storage.db import Tx
from tests.handlers.desk import BOSS
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

A, E, L, S = AttemptState, EvidenceClass, LegStatus, SettlementStatus
STUCK = 31 * 60
BACK = "customer@example.com"

Order = Callable[[Tx, Settlement, int], Any]


def a_reset(tx: Tx, found: Settlement, now: int) -> Any:
    return settlement_orders.reset(tx, found, threshold_minutes=30, by=BOSS, now=now)


def a_partial(fraction_ppm: int | None = 500_000, sats: int | None = None) -> Order:
    def order(tx: Tx, found: Settlement, now: int) -> Any:
        return settlement_orders.partial(
            tx, found, fraction_ppm=fraction_ppm, principal_sats=sats, note="a note stuck", by=BOSS, now=now
        )

    return order


def a_refund(sats: int | None = None, target: str = BACK) -> Order:
    def order(tx: Tx, found: Settlement, now: int) -> Any:
        return settlement_orders.refund(tx, found, target=target, sats=sats, note=None, by=BOSS, now=now)

    return order


EVERY: dict[str, Order] = {"reset": a_reset, "partial": a_partial(), "refund": a_refund()}


async def give(till: Till, order: Order, settlement_id: int = 1) -> Any:
    """The order, in one transaction."""

    def work(tx: Tx) -> Any:
        found = settlements.get(tx, settlement_id)
        assert found is not None
        return order(tx, found, till.now)

    return await till.desk.tx(work)


async def refused(till: Till, order: Order, code: Code, settlement_id: int = 1) -> str:
    """Nothing of it is done."""
    before = await rows(till)
    with pytest.raises(Refusal) as caught:
        await give(till, order, settlement_id)
    assert caught.value.code is code
    assert await rows(till) == before
    return caught.value.message


async def rows(till: Till) -> list[Any]:
    def work(tx: Tx) -> list[Any]:
        tables = ("settlements", "legs", "attempts", "journal", "audit", "settlement_notes")
        return [tuple(row) for table in tables for row in tx.all(f"SELECT * FROM {table}")]

    return await till.desk.tx(work)


async def of_settlement(till: Till, settlement_id: int = 1) -> list[Leg]:
    return await till.desk.tx(lambda tx: legs.of_settlement(tx, settlement_id))


async def statuses(till: Till, settlement_id: int = 1) -> list[LegStatus]:
    return [leg.status for leg in await of_settlement(till, settlement_id)]


async def standing(till: Till, settlement_id: int = 1) -> list[tuple[str, int]]:
    """(payee, sats) of the legs that were not voided."""
    found = await of_settlement(till, settlement_id)
    return [(leg.payee.partition(":")[0], leg.amount_sats) for leg in found if leg.status is not L.VOIDED]


async def status(till: Till, settlement_id: int = 1) -> SettlementStatus:
    return (await till.settlement(settlement_id)).status


async def balance(till: Till, account: str, commodity: str = "msat") -> int:
    """What the journal has come to in all accounts that begin so."""
    return await till.desk.count(
        "SELECT coalesce(sum(amount), 0) FROM postings WHERE account LIKE ? || '%' AND commodity = ?",
        account,
        commodity,
    )


async def notes(till: Till, settlement_id: int = 1) -> list[tuple[str, str]]:
    found = await till.desk.tx(lambda tx: reports.notes(tx, settlement_id))
    return [(note.author, note.text) for note in found]


async def worklist(till: Till) -> list[tuple[str, str, str | None]]:
    items, _ = await till.desk.tx(lambda tx: reports.worklist_facts(tx, till.now, 30, 600))
    return [(item.bucket.value, item.id, item.leg) for item in items]


async def pay_the_rest(till: Till, settlement_id: int = 1) -> None:
    """Each open leg with an attempt of its own number and 100."""
    for leg in await of_settlement(till, settlement_id):
        if leg.status is L.PENDING:
            await till.paid(leg.id, 100 + leg.id)


async def free(till: Till) -> list[int]:
    """What ana and ben can still be given, in minor units."""

    def work(tx: Tx) -> list[int]:
        found = tx.all("SELECT deposited_minor - paid_minor - reserved_minor AS free FROM enrolments ORDER BY id")
        return [row["free"] for row in found]

    return await till.desk.tx(work)


# --- reset -----------------------------------------------------------------------------------------------------------


async def test_what_is_stuck_is_reset_and_then_retried(owed: Till) -> None:
    """P1 is paid, P2 has an invoice that was never sent, the others wait: they fail, their fiat is free again, and a
    retry pays what is left, once."""
    await owed.paid(1, 1)
    await owed.ready(2, 2)
    assert await refused(owed, a_reset, Code.TOO_YOUNG)
    owed.advance(STUCK)
    assert [leg.id for leg in await give(owed, a_reset)] == [2, 3, 4]
    found = await owed.settlement(1)
    assert (found.status, found.reason) == (S.ERRORED, "reset")
    assert await statuses(owed) == [L.COMPLETED, L.FAILED, L.FAILED, L.FAILED]
    assert (await owed.leg(3)).reason == "reset by the operator"
    assert (await owed.attempt(2)).state is A.DROPPED
    assert await free(owed) == [150_000, 50_000]
    assert ("settlement reset", "S1") in await owed.desk.audit()
    assert await owed.violations() == []
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert await standing(owed) == [("platform", 3_000), ("split", 5_000), ("lp", 75_000), ("lp", 25_000)]
    await pay_the_rest(owed)
    assert await status(owed) is S.PROCESSED


async def test_what_never_had_a_leg_is_reset_and_retried_too(till: Till) -> None:
    await till.desk.cash_out(platform_fee_sats=3_000)
    till.advance(STUCK)
    assert await give(till, a_reset) == ()
    assert await till.desk.distribute() == [], "no worker takes it"
    assert await till.violations() == []
    await till.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert await standing(till) == [("platform", 3_000), ("split", 5_000), ("lp", 75_000), ("lp", 25_000)]
    assert await status(till) is S.PROCESSING


async def test_late_proof_completes_what_was_reset(owed: Till) -> None:
    await owed.sent(3, 3)
    await owed.release(3)
    owed.advance(STUCK)
    await give(owed, a_reset)
    assert await owed.learn(3) is A.SETTLED
    assert await statuses(owed) == [L.FAILED, L.FAILED, L.COMPLETED, L.FAILED]
    assert await status(owed) is S.ERRORED
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    assert ("lp", 75_000) in await standing(owed)
    assert sum(sats for _, sats in await standing(owed)) == 108_000


# --- a worker has the leg in hand ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
async def test_an_order_between_the_invoice_and_ready(owed: Till, name: str) -> None:
    """The payee was asked while the order was given: what it answered is not stored, and costs nobody a try."""
    owed.advance(STUCK)
    assert await owed.open(3) is Go.YES
    await give(owed, EVERY[name])
    before = await owed.leg(3)
    assert await owed.ready(3, 3) is None
    await owed.desk.tx(lambda tx: payment.not_fetched(tx, 3, "away", owed.policy, owed.now))
    await owed.desk.tx(lambda tx: payment.unpayable(tx, 3, "too small", owed.now))
    assert await owed.leg(3) == before
    assert await owed.open(3) is Go.DONE


@pytest.mark.parametrize("name", EVERY)
async def test_an_order_between_ready_and_sent(owed: Till, name: str) -> None:
    """The request was signed while the order was given: it is not stored, so it must not leave."""
    owed.advance(STUCK)
    await owed.ready(3, 3)
    request = owed.request(3)
    await give(owed, EVERY[name])
    assert not await owed.send(3, request=request)
    assert (await owed.attempt(3)).state is A.DROPPED
    assert await owed.desk.count("SELECT count(*) FROM requests") == 0
    assert await owed.desk.tx(lambda tx: attempts.ready(tx, "main")) == []


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("found", [None, E.CLAIM])
async def test_an_order_after_sent_comes_too_late(owed: Till, name: str, found: EvidenceClass | None) -> None:
    owed.advance(STUCK)
    await owed.sent(3, 3)
    if found is not None:
        await owed.learn(3, found)
    assert "P3" in await refused(owed, EVERY[name], Code.UNRESOLVED_PAYMENT)
    assert await owed.learn(3) is A.SETTLED
    if name == "reset":
        await give(owed, a_reset)
        assert await statuses(owed) == [L.FAILED, L.FAILED, L.COMPLETED, L.FAILED]
    else:
        assert await refused(owed, EVERY[name], Code.BAD_STATE)


@pytest.mark.parametrize("name", ["partial", "refund"])
async def test_what_turns_out_paid_after_its_leg_was_voided_is_a_credit(owed: Till, name: str) -> None:
    """Its attempt was released, so the order was possible; then the wallet shows it paid. The payee owes it."""
    await owed.sent(3, 3)
    await owed.release(3)
    await give(owed, EVERY[name])
    assert await owed.learn(3) is A.SETTLED
    assert await balance(owed, "assets:receivable:lp:1") == 75_000_000
    if name == "partial":  # the leg in its place is less than what ana has already
        await owed.desk.distribute()
        new = next(leg for leg in await of_settlement(owed) if leg.lp_id == 1 and leg.status is L.PENDING)
        assert await owed.open(new.id) is Go.DONE
        assert (await owed.leg(new.id)).credit_sats == 37_500


# --- partial ---------------------------------------------------------------------------------------------------------


async def test_half_of_the_cash_makes_half_of_everything(owed: Till) -> None:
    await owed.ready(3, 3)
    await give(owed, a_partial())
    assert await statuses(owed) == [L.VOIDED] * 4
    assert (await owed.attempt(3)).state is A.DROPPED
    found = await owed.settlement(1)
    assert (found.status, found.wire_sats, found.principal_sats, found.fiat_minor) == (
        S.PARTIAL,
        54_000,
        50_000,
        100_000,
    )
    assert found.as_landed.wire_sats == 108_000
    assert await balance(owed, "liabilities:due:principal") == -50_000_000
    assert await balance(owed, "liabilities:undispensed:m1") == -54_000_000
    assert await balance(owed, "assets:wallet:main") == 108_000_000
    assert await balance(owed, "assets:cash:m1", "GTQ") == 200_000 - 100_000
    assert await owed.violations() == []
    await owed.desk.distribute()
    assert await standing(owed) == [("platform", 1_500), ("split", 2_500), ("lp", 37_500), ("lp", 12_500)]
    await pay_the_rest(owed)
    assert await status(owed) is S.PROCESSED
    assert await free(owed) == [75_000, 25_000]
    assert await balance(owed, "liabilities:due") == 0


async def test_the_memo_has_the_old_values_and_the_new(owed: Till) -> None:
    await give(owed, a_partial())
    memo = (
        "scaled to what was dispensed: wire_sats 108,000 to 54,000, principal_sats 100,000 to 50,000,"
        " fee_sats 8,000 to 4,000, platform_fee_sats 3,000 to 1,500, operator_fee_sats 5,000 to 2,500,"
        " fiat_amount 2000.00 to 1000.00"
    )
    assert await notes(owed) == [(BOSS, memo), (BOSS, "a note stuck")]
    assert ("settlement partial", "S1") in await owed.desk.audit()


async def test_a_wrong_one_is_put_right(owed: Till) -> None:
    """50 % was typed, 75,000 sats were meant, and then it turns out that all was dispensed: always of what landed."""
    for order, wire, dca in ((a_partial(), 54_000, 50_000), (a_partial(None, 75_000), 81_000, 75_000),
                             (a_partial(1_000_000), 108_000, 100_000)):  # fmt: skip
        await give(owed, order)
        await owed.desk.distribute()
        assert (await owed.settlement(1)).wire_sats == wire
        assert sum(sats for payee, sats in await standing(owed) if payee == "lp") == dca
        assert await owed.violations() == []
    assert await balance(owed, "liabilities:undispensed") == 0
    await pay_the_rest(owed)
    assert await free(owed) == [0, 0]


async def test_the_machine_that_repeats_its_report_gets_a_duplicate(till: Till) -> None:
    """It knows nothing of the scaling; whoever reports the scaled amounts is in conflict with what landed."""
    await till.receive(report(hash_of(1)))
    await till.prove(1)
    await give(till, a_partial())
    assert await till.receive(report(hash_of(1))) is Received.DUPLICATE
    half = report(hash_of(1), wire_sats=54_000, principal_sats=50_000, fee_sats=4_000, fiat_amount="1000.00")
    assert await till.receive(half) is Received.CONFLICT


async def test_skipped_legs_are_shared_out_anew(owed: Till) -> None:
    """The second sale found the LPs' balances used up: 100,000 sats were skipped and kept. Scaled, half of them are."""
    await owed.desk.cash_out(2, platform_fee_sats=3_000)
    await owed.desk.distribute()
    assert await statuses(owed, 2) == [L.PENDING, L.PENDING, L.SKIPPED]
    assert await balance(owed, "equity:kept:m1") == -100_000_000
    await give(owed, a_partial(), 2)
    assert (await statuses(owed, 2), await balance(owed, "equity:kept:m1")) == ([L.VOIDED] * 3, 0)
    await owed.desk.distribute()
    assert await standing(owed, 2) == [("platform", 1_500), ("split", 2_500), ("none", 50_000)]
    assert await balance(owed, "equity:kept:m1") == -50_000_000
    await pay_the_rest(owed, 2)
    assert await status(owed, 2) is S.PROCESSED


async def test_what_waits_or_erred_is_scaled_too(owed: Till) -> None:
    await owed.desk.cash_out(2, platform_fee_sats=3_000)
    await give(owed, a_partial(), 2)
    assert await status(owed, 2) is S.PARTIAL
    for leg_id in (1, 2, 3, 4):
        await owed.desk.fail_leg(leg_id)
    assert await status(owed) is S.ERRORED
    await give(owed, a_partial())
    assert [each.id for each in await owed.desk.distribute()] == [1, 2]


async def test_one_payment_made_and_it_stays_as_it_is(owed: Till) -> None:
    await owed.paid(1, 1)
    assert "P1 is paid already" in await refused(owed, a_partial(), Code.BAD_STATE)
    assert await refused(owed, a_partial(0), Code.BAD_STATE), "whatever else is wrong with it"


async def test_what_cannot_be_dispensed_is_refused(owed: Till) -> None:
    for order in (a_partial(0), a_partial(None, 100_001), a_partial(None, None), a_partial(1)):
        assert await refused(owed, order, Code.BAD_REQUEST)


# --- refund ----------------------------------------------------------------------------------------------------------


async def test_the_customer_gets_all_back_and_nothing_stays_due(owed: Till) -> None:
    await owed.ready(3, 3)
    decided, leg = await give(owed, a_refund())
    assert (leg.id, leg.amount_sats, leg.payee, leg.target, decided.left_sats) == (5, 108_000, "customer:1", BACK, 0)
    assert await statuses(owed) == [L.VOIDED] * 4 + [L.PENDING]
    assert await status(owed) is S.REFUNDED
    assert await balance(owed, "liabilities:due") == 0
    assert await balance(owed, "liabilities:payable:customer:1") == -108_000_000
    assert await owed.violations() == []
    payable = await owed.desk.tx(lambda tx: legs.payable(tx, "main", owed.now, 10, (), 10))
    assert [each.id for each in payable] == [5]
    await owed.paid(5, 5)
    assert (await status(owed), (await owed.leg(5)).status) == (S.REFUNDED, L.COMPLETED)
    assert await balance(owed, "assets:wallet:main") == 0
    assert await balance(owed, "equity:kept") == 0
    assert await free(owed) == [150_000, 50_000]
    assert ("settlement refund", "S1") in await owed.desk.audit()
    assert await refused(owed, a_refund(), Code.BAD_STATE)


async def test_fees_that_are_paid_stay_paid(owed: Till) -> None:
    """The refund is out of the operator's own sats then: what is kept is less than nothing."""
    await owed.paid(1, 1)
    await give(owed, a_refund())
    await owed.paid(5, 5)
    assert await balance(owed, "equity:kept:m1") == 3_000_000
    assert await balance(owed, "liabilities:due") == 0


async def test_of_a_scaled_one_all_that_landed_can_be_refunded(owed: Till) -> None:
    await give(owed, a_partial())
    await give(owed, a_refund(54_000))
    await give(owed, a_refund())
    assert [(await owed.leg(leg_id)).amount_sats for leg_id in (5, 6)] == [54_000, 54_000]
    assert await balance(owed, "liabilities:undispensed") == 0
    await owed.paid(5, 5)
    await owed.paid(6, 6)
    assert await balance(owed, "equity:kept") == 0


async def test_skipped_legs_of_others_stay(owed: Till) -> None:
    """Processed, for no LP had a balance: its 100,000 sats are kept, and go back to the customer."""
    await owed.desk.cash_out(2, platform_fee_sats=3_000)
    await owed.desk.distribute()
    await pay_the_rest(owed, 2)
    assert await status(owed, 2) is S.PROCESSED
    await give(owed, a_refund(100_000), 2)
    assert await statuses(owed, 2) == [L.COMPLETED, L.COMPLETED, L.SKIPPED, L.PENDING]
    assert await balance(owed, "equity:kept:m1") == 0


async def test_before_it_is_shared_out(till: Till) -> None:
    await till.desk.cash_out(platform_fee_sats=3_000)
    await give(till, a_refund())
    assert await till.desk.distribute() == []
    await till.paid(1, 1)
    assert await balance(till, "assets:wallet:main") == 0


async def test_several_smaller_ones_up_to_what_came(owed: Till) -> None:
    await give(owed, a_refund(50_000))
    await give(owed, a_refund(30_000, "other@example.com"))
    assert "from 1 to 28,000" in await refused(owed, a_refund(28_001), Code.BAD_REQUEST)
    await owed.paid(5, 5)
    await give(owed, a_refund())
    assert [(leg.id, leg.amount_sats) for leg in (await of_settlement(owed))[4:]] == [
        (5, 50_000),
        (6, 30_000),
        (7, 28_000),
    ]
    await owed.paid(6, 6)
    await owed.sent(7, 7)
    assert await refused(owed, a_refund(), Code.UNRESOLVED_PAYMENT)
    await owed.learn(7)
    assert await balance(owed, "assets:wallet:main") == 0


@pytest.mark.parametrize("how", ["failed", "skipped"])
async def test_a_refund_that_is_not_paid_shows_and_is_given_again(owed: Till, how: str) -> None:
    await give(owed, a_refund())
    if how == "failed":
        await owed.desk.fail_leg(5)
        assert ("errored", "S1", "P5") in await worklist(owed)
    else:
        await owed.desk.tx(lambda tx: payment.unpayable(tx, 5, "below the minimum", owed.now))
        assert ("skipped", "S1", "P5") in await worklist(owed)
    assert await owed.violations() == []
    await give(owed, a_refund(target="other@example.com"))
    assert ((await owed.leg(5)).status, (await owed.leg(6)).amount_sats) == (L.VOIDED, 108_000)
    assert await worklist(owed) == []
    await owed.paid(6, 6)
    assert await balance(owed, "equity:kept") == 0


async def test_a_refund_that_was_lost_and_found_is_not_paid_twice(owed: Till) -> None:
    """All its attempts were released, another was ordered, and then the first turns out paid: the other is covered."""
    await give(owed, a_refund(90_000))
    for number in (1, 2, 3):
        await owed.sent(5, number)
        await owed.release(number)
    assert (await owed.leg(5)).status is L.FAILED
    await give(owed, a_refund(90_000))
    assert await owed.learn(2) is A.SETTLED
    assert await owed.open(6) is Go.DONE
    assert (await owed.leg(6)).status is L.COMPLETED
    assert await balance(owed, "assets:wallet:main") == 18_000_000


async def test_late_proof_completes_a_refund_that_failed(owed: Till) -> None:
    await give(owed, a_refund(90_000))
    await owed.sent(5, 1)
    await owed.release(1)
    await owed.desk.fail_leg(5)
    assert await owed.learn(1) is A.SETTLED
    assert ((await owed.leg(5)).status, await status(owed)) == (L.COMPLETED, S.REFUNDED)


async def test_a_refund_nobody_wants_any_more_is_given_up(owed: Till) -> None:
    await give(owed, a_refund(90_000))

    def give_up(tx: Tx) -> Leg:
        return settlement_orders.withdraw(tx, 5, by=BOSS, now=owed.now)

    await owed.sent(5, 5)
    with pytest.raises(Refusal, match="what became of P5"):
        await owed.desk.tx(give_up)
    await owed.release(5)
    await owed.desk.fail_leg(5)
    await owed.learn(5, E.CLAIM)
    with pytest.raises(Refusal, match="what became of P5"):
        await owed.desk.tx(give_up)
    await owed.desk.tx(lambda tx: payment.release_by_operator(
        tx, 5, hash_of(5)[-8:], "the payee shows nothing", by=BOSS, policy=owed.policy, now=owed.now
    ))  # fmt: skip
    await owed.desk.tx(give_up)
    assert (await owed.leg(5)).status is L.VOIDED
    assert await worklist(owed) == []
    assert await balance(owed, "equity:kept:m1") == -108_000_000
    with pytest.raises(Refusal, match="there is no payment P99"):
        await owed.desk.tx(lambda tx: settlement_orders.withdraw(tx, 99, by=BOSS, now=owed.now))


async def test_no_refund_once_an_lp_is_paid(owed: Till) -> None:
    await owed.paid(3, 3)
    assert "P3 is paid already" in await refused(owed, a_refund(), Code.BAD_STATE)


# --- who may look ----------------------------------------------------------------------------------------------------


async def test_a_check_changes_nothing_and_says_what_would_be(owed: Till) -> None:
    owed.advance(STUCK)
    before = await rows(owed)

    def look(tx: Tx) -> tuple[int, int, int]:
        found = settlements.get(tx, 1)
        assert found is not None
        failing = settlement_orders.check_reset(tx, found, threshold_minutes=30, now=owed.now)
        half = settlement_orders.check_partial(tx, found, fraction_ppm=500_000, principal_sats=None)
        back = settlement_orders.check_refund(tx, found, target=BACK, sats=None)
        return len(failing), half.to.wire_sats, back.leg.amount_sats

    assert await owed.desk.db.read(look) == (4, 54_000, 108_000)
    assert await rows(owed) == before


async def test_a_pause_holds_a_refund_too(owed: Till) -> None:
    await give(owed, a_refund())
    await owed.desk.told(BOSS, "pause sintra")
    assert await owed.open(5) is Go.LATER
    owed.advance(1)
    await owed.desk.told(BOSS, "resume sintra")
    assert await owed.open(5) is Go.YES
