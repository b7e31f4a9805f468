"""A rule of the books is broken: nothing more is paid, the operators are told, and go on only by looking at it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from handlers import holding, payment
from handlers.payment import Go
from ledger.facts import Violation
from ledger.invariants import CASH_RULES
from ledger.states import AttemptState, LegStatus
from storage import holds
from storage.db import Tx
from tests.handlers.desk import BOSS, SUPER
from tests.handlers.till import Till
from tests.ledger.build import hash_of, preimage

BROKEN = "the rule settled_without_proof is broken by"


@pytest.fixture
async def damaged(owed: Till) -> AsyncIterator[Till]:
    """P1 is paid, and P2 ready; then somebody writes another preimage into the books, which is mended in the end."""
    await owed.paid(1, 1)
    await owed.ready(2, 2)
    await write(owed, "00" * 32)
    yield owed
    await write(owed, preimage(1))


async def write(till: Till, proof: str) -> None:
    await till.desk.tx(
        lambda tx: tx.run("UPDATE attempts SET preimage = ? WHERE payment_hash = ?", (proof, hash_of(1)))
    )


async def names(till: Till) -> list[str]:
    return [hold.name for hold in await till.desk.tx(holds.all)]


@pytest.mark.parametrize("step", ["open", "ready", "send"])
async def test_each_step_of_paying_looks_at_the_settlement_of_its_leg(damaged: Till, step: str) -> None:
    """The leg itself is in order. Nothing of it leaves, and from here on nothing of any other."""
    if step == "open":
        assert await damaged.open(3) is Go.LATER
    elif step == "ready":
        assert await damaged.ready(3, 3) is None
    else:
        assert not await damaged.send(2)
    assert await names(damaged) == ["books"]
    assert not await damaged.send(2)
    assert await damaged.desk.count("SELECT count(*) FROM requests") == 1
    assert (await damaged.attempt(2)).state is AttemptState.READY
    (notice,) = await damaged.told()
    assert notice.startswith("The books don't hold: nothing more is paid.")
    assert "settled_without_proof" in notice
    assert ("hold", "books") in await damaged.desk.audit()


async def test_nor_is_a_request_said_again(owed: Till) -> None:
    await owed.paid(1, 1)
    request = await owed.sent(2, 2)
    await write(owed, "00" * 32)
    said = await owed.desk.tx(lambda tx: payment.say_again(tx, hash_of(2), request.id, owed.policy, owed.now))
    assert (said, await names(owed)) == (None, ["books"])
    await write(owed, preimage(1))


async def test_what_waits_says_what_for(damaged: Till) -> None:
    assert await damaged.open(3) is Go.LATER
    desk = damaged.desk
    assert (await desk.ask(BOSS, "payment.show", payment="P3"))["next"] == {"step": "wait_for_hold", "at": None}
    assert "holds all payments" in await desk.told(BOSS, "show P3")
    status = await desk.ask(SUPER, "status")
    (held,) = status["holds"]
    assert (held["name"], held["since"], held["count"]) == ("books", damaged.now, 1)
    assert held["reason"].startswith(BROKEN)
    assert (await desk.told(BOSS, "status")).startswith(f"Nothing is paid: {BROKEN}")
    damaged.advance(3_600)
    (item,) = (await desk.ask(BOSS, "worklist"))["buckets"]["stuck_processing"]
    assert "holds all payments" in item["reason"]
    await desk.told(BOSS, "pause")
    assert (await desk.told(BOSS, "status")).startswith("Payments are paused, and held besides")


async def test_resume_looks_again_and_lifts_what_is_mended(damaged: Till) -> None:
    assert await damaged.open(3) is Go.LATER
    text = await damaged.desk.told(BOSS, "resume")
    assert text.startswith(f"The pause is over, and nothing is paid all the same: {BROKEN}")
    assert text.endswith("hold lift books REASON")
    assert await names(damaged) == ["books"]
    await write(damaged, preimage(1))
    assert await damaged.open(3) is Go.LATER, "nobody has looked since"
    assert (await damaged.desk.told(BOSS, "resume")).endswith("Checked again: the books hold.")
    assert await names(damaged) == []
    await damaged.paid(3, 3)
    await write(damaged, "00" * 32)
    assert await damaged.open(4) is Go.LATER
    assert len(await damaged.told()) == 2, "it was gone, so it is news"


async def test_one_machine_resumed_is_no_look_at_the_books(damaged: Till) -> None:
    assert await damaged.open(3) is Go.LATER
    await write(damaged, preimage(1))
    assert (await damaged.desk.ask(BOSS, "resume", machine="sintra"))["checked"] is False
    assert await names(damaged) == ["books"]


async def test_an_operator_who_has_looked_can_live_with_it(damaged: Till) -> None:
    """What was accepted holds nothing any more; what breaks later does."""
    desk = damaged.desk
    assert await damaged.open(3) is Go.LATER
    offer = await desk.told(BOSS, "hold lift books the row was damaged, the wallet shows it paid")
    assert "This would happen" in offer
    assert await names(damaged) == ["books"]
    done = await desk.told(BOSS, offer.splitlines()[-1].partition(": ")[2])
    assert done == "books holds nothing any more. Payments go on."
    assert ("hold lift", "books") in await desk.audit()
    await damaged.paid(3, 3)
    await desk.tx(lambda tx: tx.run("UPDATE attempts SET preimage = ? WHERE payment_hash = ?", ("11" * 32, hash_of(3))))
    assert await damaged.open(4) is Go.LATER
    assert await names(damaged) == ["books"]
    await desk.tx(
        lambda tx: tx.run("UPDATE attempts SET preimage = ? WHERE payment_hash = ?", (preimage(3), hash_of(3)))
    )


@pytest.mark.parametrize("check", ["by itself", "by resume"])
async def test_what_was_accepted_and_held_again_is_news_when_it_breaks(owed: Till, check: str) -> None:
    """One msat too little, which an operator lives with, also when a payment changed the figures. It is mended, and a
    month later the same account lacks a fortune."""

    def found(detail: str) -> list[Violation]:
        return [Violation("account", "assets:wallet:main", detail)]

    async def hold(detail: str) -> bool:
        return await owed.desk.tx(lambda tx: holding.hold_books(tx, found(detail), {BOSS}, owed.now))

    async def checked(violations: list[Violation]) -> None:
        by_itself = check == "by itself"
        await owed.desk.tx(
            lambda tx: (
                holding.checked(tx, violations, {BOSS}, owed.now)
                if by_itself
                else holding.recheck(tx, violations, owed.now)
            )
        )

    assert await hold("the journal has 5, it must be 6")
    await owed.desk.ask(BOSS, "hold.lift", hold="books", reason="one msat", confirm=True)
    assert not await hold("the journal has 7, it must be 8")
    await checked(found("the journal has 7, it must be 8"))
    assert not await hold("the journal has 7, it must be 8")
    await checked([])
    assert await hold("the journal has -90000000, it must be 8")
    assert await names(owed) == ["books"]


async def test_the_cash_in_machines_holds_nothing(owed: Till) -> None:
    for rule in CASH_RULES:
        broken = [Violation(rule, "S1", "5 is stored, it must be 4")]
        assert not await owed.desk.tx(lambda tx, broken=broken: holding.hold_books(tx, broken, {BOSS}, owed.now))  # type: ignore[misc]
        assert await names(owed) == []
    await owed.desk.tx(
        lambda tx: holding.hold_books(tx, [Violation("account", "assets:wallet:main", "5")], {BOSS}, owed.now)
    )
    assert await owed.desk.tx(lambda tx: holding.recheck(tx, broken, owed.now)), "what is left of it is of cash"


async def test_a_check_by_itself_lifts_no_hold(owed: Till) -> None:
    broken = [Violation("account", "assets:wallet:main", "the journal has 5, it must be 6")]
    await owed.desk.tx(lambda tx: holding.hold_books(tx, broken, {BOSS}, owed.now))
    await owed.desk.tx(lambda tx: holding.checked(tx, [], {BOSS}, owed.now))
    assert (await owed.desk.ask(BOSS, "status"))["holds"][0]["count"] == 1


async def test_a_damaged_file_is_lifted_until_the_next_check(owed: Till) -> None:
    """Whatever is damaged in it goes by one name: the operator has looked at an index, and then it can't be read."""
    for detail in ("row 5 missing from index audit_who", "it can't be read to the end"):
        broken = [Violation("file", "database", detail)]
        assert await owed.desk.tx(lambda tx, broken=broken: holding.hold_books(tx, broken, {BOSS}, owed.now))  # type: ignore[misc]
        assert detail in (await owed.desk.ask(BOSS, "status"))["holds"][0]["reason"]
        await owed.desk.ask(BOSS, "hold.lift", hold="books", reason="only an index", confirm=True)
        assert await names(owed) == []


async def test_a_check_that_takes_too_long_is_told_once(owed: Till) -> None:
    """Payments wait for it, so somebody must know; it is news again after a check that came to its end, which is told,
    too."""
    for after, told in ((None, 1), (None, 1), ([], 2)):
        if after is not None:
            await owed.desk.tx(lambda tx, after=after: holding.checked(tx, after, {BOSS}, owed.now))  # type: ignore[misc]
        await owed.desk.tx(lambda tx: holding.unchecked(tx, {BOSS}, owed.now))
        texts = await owed.told()
        assert len([text for text in texts if "Nothing new is paid until it is checked." in text]) == told
        assert len([text for text in texts if text.startswith("Over: ")]) == told - 1


async def test_a_hold_of_another_kind_is_not_lifted_by_resume(owed: Till) -> None:
    await owed.desk.tx(lambda tx: holds.put(tx, holds.PAST, f"{BROKEN} P1: x", owed.now))
    assert not await owed.desk.tx(lambda tx: holds.put(tx, holds.PAST, "another", owed.now))
    assert (await owed.desk.ask(BOSS, "resume"))["holds"][0]["name"] == "past"
    assert await owed.open(3) is Go.LATER
    assert (await owed.desk.refused(BOSS, "hold.lift", hold="books", reason="why"))["code"] == "not_found"
    await owed.desk.ask(BOSS, "hold.lift", hold="PAST", reason="looked", confirm=True)
    await owed.paid(3, 3)


async def test_two_holds_are_lifted_one_by_one(damaged: Till) -> None:
    assert await damaged.open(3) is Go.LATER
    await damaged.desk.tx(lambda tx: holds.put(tx, holds.PAST, f"{BROKEN} P1: x", damaged.now + 1))
    await damaged.desk.ask(BOSS, "hold.lift", hold="books", reason="looked", confirm=True)
    offer = await damaged.desk.told(BOSS, "hold lift past looked")
    await damaged.desk.tx(lambda tx: holds.put(tx, holds.BOOKS, f"{BROKEN} P1: x", damaged.now + 2))
    text = await damaged.desk.told(BOSS, offer.splitlines()[-1].partition(": ")[2])
    assert "Nothing is paid all the same" in text


async def test_a_leg_of_an_order_is_looked_at_too(till: Till) -> None:
    """`lp settle` pays without a settlement. Its first attempt was given up, and somebody made it one that is paid."""
    await till.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", amount="100", confirm=True)
    await till.sent(1, 1)
    await till.release(1)

    def say_it_is(tx: Tx, state: str, proof: str | None, at: int | None) -> None:
        tx.run("UPDATE attempts SET state = ?, preimage = ?, settled_at = ?", (state, proof, at))

    trigger = "SELECT sql FROM sqlite_master WHERE name = 'attempts_changes'"
    made = await till.desk.tx(lambda tx: str(tx.all(trigger)[0]["sql"]))
    await till.desk.tx(lambda tx: tx.run("DROP TRIGGER attempts_changes"))
    await till.desk.tx(lambda tx: say_it_is(tx, "settled", preimage(1), till.now))
    till.advance(600)
    assert await till.open(1) is Go.LATER
    assert "settled_but_open" in (await till.told())[-1]
    await till.desk.tx(lambda tx: say_it_is(tx, "released", None, None))
    await till.desk.tx(lambda tx: tx.run(made))
    await till.desk.told(BOSS, "resume")
    await till.paid(1, 2)
    assert (await till.leg(1)).status is LegStatus.COMPLETED
