"""Which legs are to be paid now: fair to every payee, blind to what is held, at no time that is out of reach."""

from __future__ import annotations

import pytest

from storage import attempts, legs, settlements, switches
from storage.db import Tx
from storage.switches import Switch
from tests.handlers.conftest import desk, owed, till
from tests.handlers.desk import BOSS
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

__all__ = ["desk", "owed", "till"]


async def payable(
    till: Till, *, limit: int = 100, exclude: tuple[int, ...] = (), most_of_one: int = 100
) -> list[tuple[str, int]]:
    """(payee, leg) in the order in which they are taken."""
    found = await till.desk.tx(lambda tx: legs.payable(tx, "main", till.now, limit, exclude, most_of_one))
    return [(leg.payee.partition(":")[0], leg.id) for leg in found]


async def sell(till: Till, sales: int) -> None:
    """P1 … P4 for the first, then two legs and a skipped one for each."""
    for number in range(sales):
        await till.desk.cash_out(number, platform_fee_sats=3_000)
    await till.desk.distribute()


async def test_of_one_payee_only_the_first_few(till: Till) -> None:
    """So that a slow payee with a hundred legs leaves places to others; the oldest of each come first."""
    await sell(till, 4)
    assert await payable(till, most_of_one=2) == [
        ("platform", 1), ("split", 2), ("lp", 3), ("lp", 4), ("platform", 5), ("split", 6),
    ]  # fmt: skip
    assert await payable(till, most_of_one=1) == [("platform", 1), ("split", 2), ("lp", 3), ("lp", 4)]
    assert len(await payable(till)) == 2 + 2 * 4
    assert await payable(till, limit=3) == [("platform", 1), ("split", 2), ("lp", 3)]


async def test_what_is_in_hand_counts_for_its_payee_and_not_for_the_limit(till: Till) -> None:
    """A worker has both of the platform's first legs in hand: no third one, and as many others as there is room."""
    await sell(till, 4)
    assert await payable(till, limit=3, exclude=(1, 5), most_of_one=2) == [("split", 2), ("lp", 3), ("lp", 4)]
    assert await payable(till, limit=0) == []


async def test_a_leg_with_a_live_attempt_takes_no_place_of_its_payee(till: Till) -> None:
    """It is the resolver's. Its payee's next ones come up."""
    await sell(till, 3)
    await till.sent(1, 1)
    assert await payable(till, most_of_one=1) == [("split", 2), ("lp", 3), ("lp", 4), ("platform", 5)]
    await till.release(1)
    assert ("platform", 1) not in await payable(till, most_of_one=3), "its next try has its time"
    till.advance(20)
    assert ("platform", 1) in await payable(till, most_of_one=3)


@pytest.mark.parametrize("what", ["pause", "pause sintra"])
async def test_nothing_while_paused(owed: Till, what: str) -> None:
    await owed.desk.told(BOSS, what)
    assert await payable(owed) == []
    owed.advance(1)
    await owed.desk.told(BOSS, what.replace("pause", "resume"))
    assert len(await payable(owed)) == 4


@pytest.mark.parametrize("switch", [switches.of_lp(1), switches.of_lp_itself(1)])
async def test_a_frozen_lp_alone_is_left_out(owed: Till, switch: str) -> None:
    await owed.desk.tx(lambda tx: switches.say(tx, switch, Switch(True, owed.now, BOSS, None)))
    assert await payable(owed) == [("platform", 1), ("split", 2), ("lp", 4)]


async def test_another_wallets_legs_are_its_own(owed: Till) -> None:
    assert await owed.desk.tx(lambda tx: legs.payable(tx, "second", owed.now, 10, (), 10)) == []


async def test_a_clock_that_was_ahead_leaves_no_leg_waiting(owed: Till) -> None:
    """Put off while the clock said next week: an hour at most. What is due sooner stays, and so does what is over."""

    def work(tx: Tx) -> list[int]:
        for leg_id, delay in ((1, 700_000), (2, 60), (3, 700_000)):
            leg = legs.get(tx, leg_id)
            assert leg is not None
            legs.put_off(tx, leg, next_try_at=owed.now + delay, reason="away", counts=True)
            if leg_id == 3:
                legs.fail(tx, leg, "away", owed.now)
        legs.no_later_than(tx, owed.now + 3_600)
        return [row["next_try_at"] - owed.now for row in tx.all("SELECT next_try_at FROM legs ORDER BY id")]

    assert await owed.desk.tx(work) == [3_600, 60, 700_000, 0]
    assert await owed.desk.tx(lambda tx: legs.next_payable_at(tx, "main", owed.now)) == owed.now + 60


async def test_nor_an_attempt_nor_a_settlement(owed: Till) -> None:
    """The same for what is to be looked up: a payment in doubt, a report without proof."""
    await owed.sent(3, 3)
    await owed.sent(4, 4)
    await owed.ready(1, 1)
    for number in (7, 8):
        await owed.receive(report(hash_of(number)))
    far = owed.now + 700_000

    def work(tx: Tx) -> tuple[list[int], list[int]]:
        attempts.check_again(tx, hash_of(3), far, counts=True)
        settlements.set_proof(tx, 2, None, owed.now, far)
        for mend in (attempts.check_no_later_than, settlements.prove_no_later_than):
            mend(tx, owed.now + 3_600)
        checks = "SELECT next_check_at - ? AS wait FROM attempts WHERE state = 'sent' ORDER BY leg_id"
        proofs = "SELECT next_proof_at - ? AS wait FROM settlements WHERE status = 'unverified' ORDER BY id"
        return (
            [row["wait"] for row in tx.all(checks, (owed.now,))],
            [row["wait"] for row in tx.all(proofs, (owed.now,))],
        )

    assert await owed.desk.tx(work) == ([3_600, 2], [3_600, 0])
