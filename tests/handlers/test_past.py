"""A database from the past: noticed at the start, held, and let go when everything that was sent is known again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from handlers import past, payment, payment_evidence
from handlers.payment import Go
from handlers.payment_evidence import Policy
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from nwc.evidence import Listing
from nwc.messages import Transaction
from storage import attempts, forgotten, holds, legs, purposes, unmatched
from storage.db import Database, Tx, witness_path
from storage.witness import Witness
from tests.handlers.conftest import open_shop
from tests.handlers.desk import ANA, BOSS
from tests.handlers.till import CASH_IN, POLICY, Till, report, row
from tests.ledger.build import hash_of

A = AttemptState


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


async def back_up(till: Till, copy: Path) -> None:
    with closing(sqlite3.connect(till.desk.db.path)) as live, closing(sqlite3.connect(copy)) as target:
        live.backup(target)


async def deposit(till: Till, lp: str, amount: str) -> None:
    made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp=lp, amount=amount)
    await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])


async def sale(till: Till, number: int) -> None:
    await till.desk.cash_out(number, platform_fee_sats=3_000)
    await till.desk.distribute()


def put(copy: Path, path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    shutil.copy(copy, path)


async def restored(till: Till, copy: Path) -> None:
    """The books are those of the copy from here on; the witness is the one of before."""
    path = till.desk.db.path
    await till.desk.db.close()
    put(copy, path)
    till.desk.db = await Database.open(path)


async def begun(till: Till) -> str | None:
    """The bot starts: why payments are held for the past."""

    def work(tx: Tx) -> str | None:
        past.begin(tx, till.desk.db.witness, {BOSS}, till.now)
        found = holds.get(tx, holds.PAST)
        return found.reason if found else None

    return await till.desk.tx(work)


async def listed(till: Till, *rows: Transaction, complete: bool = True, counts: bool = True) -> bool:
    """The wallet shows what it sent. True where that was all there was to find."""

    def work(tx: Tx) -> bool:
        whole = Listing(rows, complete)
        past.note_lists(tx, "main", whole, whole, counts=counts, now=till.now)
        return past.finish(tx, ["main"], {BOSS}, till.now)

    return await till.desk.tx(work)


async def sent_row(till: Till, leg_id: int, number: int, **changes: Any) -> Transaction:
    """What the wallet shows of an attempt to pay this leg."""
    said = await till.desk.tx(lambda tx: past.metadata(tx, leg_id))
    due = (await till.leg(leg_id)).due_msat
    values: dict[str, Any] = {"direction": "outgoing", "settled_at": till.now, "metadata": said, **changes}
    return row(hash_of(number), due // 1_000, **values)


async def waiting(till: Till) -> int:
    return len(await till.desk.tx(forgotten.waiting))


async def state(till: Till, number: int) -> AttemptState:
    return (await till.attempt(number)).state


# --- noticing --------------------------------------------------------------------------------------------------------


async def test_a_start_as_always(owed: Till) -> None:
    assert await begun(owed) is None
    await owed.sent(3, 1)
    assert await begun(owed) is None
    await owed.paid(1, 2)
    path = owed.desk.db.path
    await owed.desk.db.close()
    owed.desk.db = await Database.open(path)
    assert await begun(owed) is None
    assert await owed.open(2) is Go.YES


async def test_a_crash_between_commit_and_witness(owed: Till) -> None:
    """What was sent without the witness is told to it before it may leave."""
    await begun(owed)
    await owed.sent(3, 1)
    before = witness_path(owed.desk.db.path).read_bytes()
    owed.advance(601)
    more = owed.request(1)
    assert await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(1), more, owed.policy, owed.now))
    await owed.sent(4, 2)
    await owed.desk.db.close()
    await with_witness(owed, before)
    assert await begun(owed) is None
    assert hash_of(2) in owed.desk.db.witness.hashes
    assert more.id in owed.desk.db.witness.requests


async def test_an_older_copy_is_noticed_by_the_books_alone(owed: Till, copy: Path) -> None:
    """Nothing was sent since; orders were given."""
    await begun(owed)
    await back_up(owed, copy)
    await owed.desk.told(BOSS, "pause")
    await owed.desk.tx(lambda tx: setattr(tx, "marks", True))
    await restored(owed, copy)
    assert await begun(owed) == past.BEHIND
    assert "from the past" not in "".join(await owed.told())
    assert any("a backup was restored" in each for each in await owed.told())


async def test_one_without_a_witness_is_noticed(owed: Till) -> None:
    await owed.sent(3, 1)
    await owed.desk.db.close()
    witness_path(owed.desk.db.path).unlink()
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) == past.GONE


async def test_a_damaged_witness_is_noticed_once(owed: Till) -> None:
    await begun(owed)
    await owed.paid(3, 1)
    path = witness_path(owed.desk.db.path)
    await owed.desk.db.close()
    path.write_bytes(path.read_bytes().replace(hash_of(1).encode()[:8], b"00000000", 1))
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) == past.DAMAGED
    assert len(await owed.told()) == 1
    await owed.desk.db.close()
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) == past.DAMAGED  # it holds still, and nobody is told again
    assert len(await owed.told()) == 1


async def test_a_witness_from_before_is_noticed(owed: Till) -> None:
    await begun(owed)
    before = witness_path(owed.desk.db.path).read_bytes()
    await owed.paid(3, 1)
    await owed.desk.db.close()
    witness_path(owed.desk.db.path).write_bytes(before)
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) == past.OUTRUN


async def test_a_payment_of_ours_that_another_copy_made_is_noticed_in_the_wallet(owed: Till) -> None:
    """A whole server was restored, witness and all, or a second bot works with the same wallet."""
    await begun(owed)
    policy = Policy(POLICY, 600)
    strange = Listing((await sent_row(owed, 3, 1), await sent_row(owed, 4, 2, metadata={})), True)
    await owed.desk.tx(
        lambda tx: payment_evidence.note_list(
            tx, "main", strange, starts_at=0, asked_at=owed.now, policy=policy, now=owed.now
        )
    )
    assert (await owed.desk.tx(lambda tx: holds.get(tx, holds.PAST))) is not None
    assert await state(owed, 1) is A.SENT
    assert await owed.open(4) is Go.LATER


# --- what was sent since ---------------------------------------------------------------------------------------------


async def test_what_was_sent_since_is_put_back_and_not_paid_again(owed: Till, copy: Path) -> None:
    await begun(owed)
    await back_up(owed, copy)
    await owed.paid(3, 1)
    request = await owed.sent(4, 2)
    await restored(owed, copy)
    assert await begun(owed) == past.BEHIND
    assert [await state(owed, number) for number in (1, 2)] == [A.SENT, A.SENT]
    stored = await owed.desk.tx(lambda tx: attempts.request_event(tx, request.id))
    assert stored == request.text
    assert await owed.open(1) is Go.LATER  # nothing new while it is held
    assert await owed.learn(1) is A.SETTLED
    assert (await owed.leg(3)).status is LegStatus.COMPLETED
    assert await listed(owed, await sent_row(owed, 3, 1))
    assert await owed.open(1) is Go.YES
    assert await owed.violations() == []


async def test_what_was_ready_in_the_copy_may_have_been_sent(owed: Till, copy: Path) -> None:
    """By the witness one was sent since, and not the other. But the witness may have been copied a moment later than
    the books: it need not tell of all that came then."""
    await begun(owed)
    for leg_id, number in ((3, 1), (4, 2)):
        assert await owed.open(leg_id) is Go.YES
        assert await owed.ready(leg_id, number) is not None
    await back_up(owed, copy)
    assert await owed.send(1)
    await restored(owed, copy)
    await begun(owed)
    assert [await state(owed, number) for number in (1, 2)] == [A.SENT, A.SENT]
    assert await listed(owed)
    assert await owed.open(4) is Go.DONE


async def test_without_a_witness_what_was_ready_may_have_been_sent(owed: Till) -> None:
    await owed.paid(1, 1)
    assert await owed.open(3) is Go.YES
    assert await owed.ready(3, 2) is not None
    await owed.desk.db.close()
    witness_path(owed.desk.db.path).unlink()
    owed.desk.db = await Database.open(owed.desk.db.path)
    await begun(owed)
    assert await state(owed, 2) is A.SENT
    assert await owed.violations() == []


async def test_what_is_ready_for_a_leg_that_is_paid_by_now(owed: Till) -> None:
    """Proof of what was given up came late, while the next invoice was ready: that one may have been sent, too."""
    await owed.sent(3, 1)
    await owed.release(1)
    owed.advance(600)
    assert await owed.open(3) is Go.YES
    assert await owed.ready(3, 2) is not None
    assert await owed.learn(1) is A.SETTLED
    await owed.desk.db.close()
    witness_path(owed.desk.db.path).unlink()
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) == past.GONE
    assert await state(owed, 2) is A.SENT
    assert await owed.learn(2) is A.SETTLED
    assert (await owed.attempt(2)).surplus


async def test_a_transaction_that_comes_back_later_meets_its_payments(owed: Till, copy: Path) -> None:
    """The copy does not know it at all: rows are numbered anew, and its legs meet what was sent for them."""
    for lp in ("ana", "ben"):
        await deposit(owed, lp, "9000")
    await begun(owed)
    await back_up(owed, copy)
    await sale(owed, 7)
    for leg_id, number in ((5, 1), (7, 2)):
        await owed.paid(leg_id, number)
    await restored(owed, copy)
    await begun(owed)
    assert not await listed(owed)
    assert await waiting(owed) == 2
    await sale(owed, 6)  # another comes first, and must wait: LPs have less than the books say
    assert (await owed.settlement(2)).status is SettlementStatus.PENDING
    await sale(owed, 7)
    assert await listed(owed)
    await owed.desk.distribute()
    opened = {leg_id: await owed.open(leg_id) for leg_id in range(5, 13)}
    assert [leg_id for leg_id, go in opened.items() if go is not Go.YES] == [5, 7]
    assert [(await owed.attempt(number)).leg_id for number in (1, 2)] == [5, 7]
    assert await waiting(owed) == 0


async def test_books_that_are_lost_altogether(owed: Till) -> None:
    """Only the witness is left. All is entered anew, the report comes back, and what was paid for it is not paid
    again."""
    await begun(owed)
    for leg_id, number in ((1, 1), (3, 3)):
        await owed.paid(leg_id, number)
    await owed.sent(4, 4)
    desk, path = owed.desk, owed.desk.db.path
    await desk.db.close()
    path.unlink()
    desk.db = await Database.open(path)
    assert await begun(owed) == past.BEHIND
    await desk.open_wallets()
    await open_shop(desk)
    await desk.cash_out(platform_fee_sats=3_000)
    await desk.distribute()
    assert await listed(owed)
    opened = [await owed.open(leg_id) for leg_id in range(1, 5)]
    assert [go is Go.YES for go in opened] == [False, True, False, False]
    assert [(await owed.attempt(number)).leg_id for number in (1, 3, 4)] == [1, 3, 4]
    assert await waiting(owed) == 0


async def test_a_transaction_that_is_planned_otherwise_waits_for_a_person(owed: Till, copy: Path) -> None:
    """A deposit is lost with the books, so that the shares are others: nobody is paid in addition."""
    for lp in ("ana", "ben"):
        await deposit(owed, lp, "9000")
    await begun(owed)
    await back_up(owed, copy)
    await deposit(owed, "ana", "9000")
    await sale(owed, 7)
    for leg_id in range(5, 9):
        await owed.paid(leg_id, leg_id)
    await restored(owed, copy)
    await begun(owed)
    assert not await listed(owed)
    await sale(owed, 7)
    assert await listed(owed)
    assert {await owed.open(leg_id) for leg_id in range(5, 9)} <= {Go.LATER, Go.DONE}
    left = await owed.desk.tx(forgotten.waiting)
    assert len(left) == 2
    assert all([await owed.open(leg_id) is not Go.YES for leg_id in range(5, 9)])
    told = await owed.desk.ask(BOSS, "forgotten.list")
    assert told["count"] == 2
    await sale(owed, 8)  # what the LPs still have is not known
    assert (await owed.settlement(3)).status is SettlementStatus.PENDING
    for each in left:
        end = each.fact.payment_hash[-8:]
        await owed.desk.ask(BOSS, "forgotten.drop", hash_end=end, reason="looked", confirm=True)
    await owed.desk.distribute()
    assert (await owed.settlement(3)).status is SettlementStatus.PROCESSING


async def test_an_order_does_not_pay_out_what_was_paid(owed: Till, copy: Path) -> None:
    """An LP was paid its rest since the copy; whoever orders it again meets that payment."""
    await deposit(owed, "ana", "100")
    await begun(owed)
    await back_up(owed, copy)
    await owed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", confirm=True)
    await owed.paid(5, 5)
    await restored(owed, copy)
    await begun(owed)
    assert not await listed(owed)
    await owed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", confirm=True)
    assert await listed(owed)
    assert await owed.open(5) is Go.DONE
    assert (await owed.attempt(5)).leg_id == 5


async def test_a_witness_of_the_same_backup_does_not_tell_of_what_came_after_it(owed: Till, copy: Path) -> None:
    """A folder is copied while the bot runs: the books, a moment later the witness. What was ready is sent after that.
    Neither the wallet nor the witness tells of it; or the wallet does, or the right witness is found."""
    await owed.paid(1, 1)
    assert await owed.open(3) is Go.YES
    assert await owed.ready(3, 3) is not None
    await back_up(owed, copy)
    await owed.sent(4, 4)
    older = witness_path(owed.desk.db.path).read_bytes()
    request = owed.request(3)
    assert await owed.send(3, request=request)
    shown = await sent_row(owed, 3, 3)
    await owed.desk.db.close()
    newest = witness_path(owed.desk.db.path).read_bytes()
    put(copy, owed.desk.db.path)
    await with_witness(owed, older)
    assert await begun(owed) == past.BEHIND
    await listed(owed)
    assert await owed.open(3) is Go.DONE
    await owed.desk.db.close()
    await with_witness(owed, newest)
    assert await begun(owed) == past.BEHIND
    assert await listed(owed, shown)
    assert await owed.open(3) is Go.DONE
    assert await owed.learn(3) is A.SETTLED
    assert await owed.violations() == []


async def test_relays_tell_that_the_witness_is_a_copy_too(owed: Till, copy: Path) -> None:
    """They keep something later than all that it tells of: its word is no longer enough. What came of its last payment
    is published a moment after it."""
    await begun(owed)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    await restored(owed, copy)
    await begun(owed)

    async def kept(at: int) -> bool:
        await owed.desk.tx(lambda tx: past.said_elsewhere(tx, {BOSS}, known_until=0, newest=at, now=owed.now))
        found = await owed.desk.tx(past.state)
        assert found is not None
        return found.witnessed

    assert await kept(owed.now + past.AFTER_SECONDS)
    assert not await kept(owed.now + past.AFTER_SECONDS + 1)
    assert not await listed(owed, await sent_row(owed, 3, 3))


async def with_witness(till: Till, content: bytes) -> None:
    """Beside the books, which are closed, lies this one from here on."""
    path = till.desk.db.path
    witness_path(path).write_bytes(content)
    till.desk.db = await Database.open(path)


@pytest.mark.parametrize("state_there", [None, *A])
@pytest.mark.parametrize("again", [False, True], ids=["one request", "two, and started without it"])
async def test_whatever_the_books_say_of_a_fact_they_know_it_from_then_on(
    owed: Till, copy: Path, state_there: AttemptState | None, again: bool
) -> None:
    """The witness comes back beside books that have gone their own way. They start, nothing more is paid for that leg,
    no rule is broken, and the next start is as always."""
    await begun(owed)
    if state_there is None:
        await back_up(owed, copy)
    assert await owed.open(3) is Go.YES
    assert await owed.ready(3, 3) is not None
    if state_there in (A.READY, A.DROPPED):
        await back_up(owed, copy)
    assert await owed.send(3)
    if state_there not in (None, A.READY, A.DROPPED):
        await back_up(owed, copy)
    if again:
        owed.advance(601)
        more = owed.request(3)
        assert await owed.desk.tx(lambda tx: payment.pay_again(tx, hash_of(3), more, owed.policy, owed.now))
    await owed.desk.db.close()
    whole = witness_path(owed.desk.db.path).read_bytes()
    put(copy, owed.desk.db.path)
    witness_path(owed.desk.db.path).unlink()
    owed.desk.db = await Database.open(owed.desk.db.path)
    if again:
        await begun(owed)
    match state_there:
        case A.DROPPED:
            await owed.desk.tx(lambda tx: attempts.drop_ready(tx, 3, "its leg was frozen", owed.now))
        case A.CLAIMED:
            await owed.learn(3, EvidenceClass.CLAIM)
        case A.SETTLED:
            await owed.learn(3)
        case A.RELEASED:
            await owed.release(3)
        case _:
            pass
    await owed.desk.db.close()
    await with_witness(owed, whole)
    held = await begun(owed)
    found = await state(owed, 3)
    ended = (A.CLAIMED, A.SETTLED, A.RELEASED)
    assert found is (state_there if state_there in ended else A.SENT)
    assert await owed.violations() == []
    if held:
        await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert (await owed.open(3) is Go.YES) == (found is A.RELEASED)
    await owed.desk.db.close()
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) is None


async def test_a_deposit_that_was_paid_out_is_not_shared_out_again(owed: Till, copy: Path) -> None:
    """All that ana had was paid by a sale that the copy does not know. Another sale comes first, an operator orders her
    rest to be paid out, and lets payments go on: she gets nothing before that sale is back, or somebody says what it
    was."""
    await deposit(owed, "ana", "1500")
    await begun(owed)
    await back_up(owed, copy)
    await sale(owed, 7)
    for leg_id in range(5, 8):
        await owed.paid(leg_id, leg_id)
    rows = [await sent_row(owed, leg_id, leg_id) for leg_id in range(5, 8)]
    assert (await owed.leg(7)).lp_id is not None
    await restored(owed, copy)
    assert await begun(owed) == past.BEHIND
    assert not await listed(owed, *rows)
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    await sale(owed, 6)
    assert (await owed.settlement(2)).status is SettlementStatus.PENDING
    await owed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", confirm=True)
    assert [await owed.open(leg_id) for leg_id in (1, 5)] == [Go.YES, Go.LATER]


async def test_a_customer_who_bought_in_the_gap_is_explained_by_the_report(owed: Till, copy: Path) -> None:
    """Nobody knows what that payment was for until its report comes back and is proven."""
    await begun(owed)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    shown = [await sent_row(owed, 3, 3), row(hash_of(50), 92_000, direction="outgoing", settled_at=owed.now)]
    await restored(owed, copy)
    await begun(owed)
    assert not await listed(owed, *shown)
    await owed.receive(report(hash_of(50), **CASH_IN))
    assert not await listed(owed, *shown)
    await owed.prove(2)
    assert await listed(owed, *shown)


async def test_what_we_paid_is_no_customers_purchase(owed: Till, copy: Path) -> None:
    """A payment of a sale that the copy forgot is reported as a cash-in by whoever holds a machine's key."""
    await begun(owed)
    await back_up(owed, copy)
    await sale(owed, 7)
    await owed.paid(5, 5)
    await restored(owed, copy)
    await begun(owed)
    await owed.receive(report(hash_of(5), **CASH_IN))
    assert await owed.prove(2) is SettlementStatus.REJECTED


async def test_a_credit_that_was_set_off_in_the_gap(owed: Till, copy: Path) -> None:
    """The copy knows the credit, and not that the next leg was lowered by it: the payment meets that leg all the
    same."""
    await owed.sent(3, 3)
    await owed.release(3)
    owed.advance(600)
    await owed.paid(3, 4)
    await owed.learn(3)
    await deposit(owed, "ana", "3000")
    await sale(owed, 7)
    legs_of_ana = await owed.desk.tx(lambda tx: [leg.id for leg in legs.of_settlement(tx, 2) if leg.lp_id])
    leg = legs_of_ana[0]
    full = (await owed.leg(leg)).due_msat
    await begun(owed)
    await back_up(owed, copy)
    await owed.sent(leg, 9)
    assert (await owed.attempt(9)).amount_msat < full
    await restored(owed, copy)
    await begun(owed)
    assert (await owed.attempt(9)).leg_id == leg
    assert await owed.learn(9) is A.SETTLED
    assert await owed.violations() == []


async def test_a_leg_that_was_paid_twice_in_the_gap(owed: Till, copy: Path) -> None:
    """Given up and paid anew since the copy, then the first came late: one was due, the other its payee owes."""
    await begun(owed)
    await back_up(owed, copy)
    await owed.sent(3, 3)
    await owed.release(3)
    owed.advance(600)
    await owed.paid(3, 4)
    shown = await sent_row(owed, 3, 4)
    await restored(owed, copy)
    await begun(owed)
    assert await listed(owed, shown)
    assert await waiting(owed) == 1
    for number in (3, 4):
        assert await owed.learn(number) is A.SETTLED
    assert await waiting(owed) == 0
    assert (await owed.leg(3)).status is LegStatus.COMPLETED
    assert sorted([(await owed.attempt(number)).surplus for number in (3, 4)]) == [False, True]
    assert await owed.open(1) is Go.YES


# --- the wallets' lists ----------------------------------------------------------------------------------------------


async def without_witness(till: Till, copy: Path) -> None:
    await restored(till, copy)
    await till.desk.db.close()
    witness_path(till.desk.db.path).unlink()
    till.desk.db = await Database.open(till.desk.db.path)


async def test_the_wallets_own_record_says_what_a_payment_was_for(owed: Till, copy: Path) -> None:
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    await owed.sent(4, 4)
    await without_witness(owed, copy)
    assert await begun(owed) == past.GONE
    under_way = await sent_row(owed, 4, 4, state="pending", settled_at=None, created_at=owed.now)
    assert not await listed(owed, await sent_row(owed, 3, 3), under_way)
    assert [await state(owed, number) for number in (3, 4)] == [A.SENT, A.SENT]
    assert await owed.violations() == []
    assert "hold lift past" in (await owed.told())[-1]  # nobody can know that this is all
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert await owed.open(2) is Go.YES


async def test_a_list_that_came_too_early_or_not_whole_does_not_count(owed: Till, copy: Path) -> None:
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await without_witness(owed, copy)
    await begun(owed)
    found = await owed.desk.tx(past.state)
    assert found is not None
    assert past.asked_too_early(found, owed.now + 659, 660)
    assert not past.asked_too_early(found, owed.now + 660, 660)
    assert past.asked_too_early(replace(found, witnessed=True), owed.now, 660)
    for options in ({"complete": False}, {"counts": False}):
        assert not await listed(owed, **options)
        assert (await owed.desk.tx(past.state)).read == []  # type: ignore[union-attr]
    assert not await listed(owed)
    assert (await owed.desk.tx(past.state)).read == ["main"]  # type: ignore[union-attr]


async def test_a_payment_of_which_nobody_knows_stands_before_its_amount(owed: Till, copy: Path) -> None:
    """Also after the hold: until an operator says what it was."""
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    await without_witness(owed, copy)
    await begun(owed)
    bare = await sent_row(owed, 3, 3, metadata={})
    assert not await listed(owed, bare, row(hash_of(9), 77, direction="outgoing", settled_at=owed.now))
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert [await owed.open(leg_id) for leg_id in (2, 3, 4)] == [Go.YES, Go.LATER, Go.YES]
    for end, leg_id, code in ((hash_of(3)[-8:], 4, "bad_state"), ("0" * 8, 3, "not_found"), ("xyz", 3, "bad_request")):
        refusal = await owed.desk.refused(BOSS, "forgotten.match", hash_end=end, payment=leg_id)
        assert refusal["code"] == code
    assert (await owed.desk.refused(ANA, "forgotten.list"))["code"] == "forbidden"
    await owed.desk.ask(BOSS, "forgotten.match", hash_end=hash_of(3)[-8:], payment=3, confirm=True)
    await owed.desk.ask(BOSS, "forgotten.drop", hash_end=hash_of(9)[-8:], reason="the rent", confirm=True)
    assert await owed.learn(3) is A.SETTLED
    assert (await owed.leg(3)).status is LegStatus.COMPLETED
    assert await waiting(owed) == 0
    assert await owed.violations() == []


async def test_what_was_noted_as_unmatched_in_the_gap_is_forgotten_all_the_same(owed: Till, copy: Path) -> None:
    """Whoever reads the wallet's list first: what the books had noted before they were copied is none of ours."""
    await owed.paid(1, 1)
    await noted(owed, 8, 75_000)
    owed.advance(1)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    owed.advance(4_000)
    await without_witness(owed, copy)
    await begun(owed)
    await noted(owed, 3, 75_000)
    earlier = row(hash_of(8), 75_000, direction="outgoing", settled_at=owed.now - 4_001)
    assert not await listed(owed, await sent_row(owed, 3, 3, metadata={}), earlier)
    [found] = await owed.desk.tx(forgotten.waiting)
    assert found.fact.payment_hash == hash_of(3)
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert await owed.open(3) is Go.LATER


async def noted(till: Till, number: int, amount_sats: int) -> None:
    await till.desk.tx(
        lambda tx: unmatched.note(
            tx,
            payment_hash=hash_of(number),
            wallet="main",
            direction="outgoing",
            amount_msat=amount_sats * 1_000,
            settled_at=till.now,
            now=till.now,
        )
    )


@pytest.mark.parametrize("known", [False, True])
async def test_a_wallet_that_lists_what_left_it_with_the_fee(owed: Till, copy: Path, *, known: bool) -> None:
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    await without_witness(owed, copy)
    await begun(owed)
    shown = await sent_row(owed, 3, 3, **({} if known else {"metadata": {}}))
    assert not await listed(owed, replace(shown, amount_msat=shown.amount_msat + 1_500, fees_paid_msat=1_500))
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    if not known:
        assert await owed.open(3) is Go.LATER
        [each] = (await owed.desk.ask(BOSS, "forgotten.list"))["forgotten"]
        assert each["may_be"] == ["P3"]
        await owed.desk.ask(BOSS, "forgotten.match", hash_end=hash_of(3)[-8:], payment=3, confirm=True)
    assert (await owed.attempt(3)).amount_msat == 75_000_000
    assert await owed.learn(3) is A.SETTLED
    assert await owed.violations() == []


@pytest.mark.parametrize("known", [False, True])
async def test_what_a_wallet_shows_later_counts(owed: Till, copy: Path, *, known: bool) -> None:
    """While a payment is under way it shows the amount with what it keeps for the fee, or not yet what it is for."""
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await owed.paid(3, 3)
    await without_witness(owed, copy)
    await begun(owed)
    bare = await sent_row(owed, 3, 3, metadata={}, state="pending", settled_at=None, created_at=owed.now)
    await listed(owed, replace(bare, amount_msat=bare.amount_msat + (0 if known else 750_000)))
    owed.advance(3_600)
    later = await sent_row(owed, 3, 3, **({} if known else {"metadata": {}}))
    await listed(owed, later if known else replace(later, amount_msat=later.amount_msat + 1_500, fees_paid_msat=1_500))
    await owed.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)
    assert await owed.open(3) is (Go.DONE if known else Go.LATER)


async def test_what_is_under_way_since_a_gap_that_is_noticed_late(owed: Till) -> None:
    """The copy has worked for hours before a wallet shows what it forgot: it has booked a lot since it was put back."""
    await begun(owed)
    await owed.paid(1, 1)
    shown = await sent_row(owed, 3, 3, created_at=owed.now)
    under_way = await sent_row(owed, 4, 4, state="pending", settled_at=None, created_at=owed.now)
    nobodys = row(hash_of(9), 77, direction="outgoing", settled_at=owed.now, created_at=owed.now)
    owed.advance(3 * 3_600)
    await owed.paid(2, 2)
    whole = Listing((shown,), True)
    await owed.desk.tx(
        lambda tx: payment_evidence.note_list(
            tx, "main", whole, starts_at=0, asked_at=owed.now, policy=Policy(POLICY, 600), now=owed.now
        )
    )
    assert await held(owed)
    await listed(owed, shown, under_way, nobodys)
    assert [await state(owed, number) for number in (3, 4)] == [A.SENT, A.SENT]
    assert await owed.desk.tx(lambda tx: forgotten.known(tx, hash_of(9)))


async def test_a_wallet_whose_list_never_comes_is_told_of(owed: Till, copy: Path) -> None:
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await without_witness(owed, copy)
    await begun(owed)
    for _ in range(3):
        assert not await listed(owed, complete=False)
        owed.advance(1_000)
    assert sum("can't be read from main" in text for text in await owed.told()) == 1
    assert "forgotten list" in str(await owed.desk.say(BOSS, "status"))
    assert "was not read from main" in str(await owed.desk.say(BOSS, "hold lift past looked"))


async def test_where_no_leg_fits_the_list_says_how_it_is_shared_out_anew(owed: Till, copy: Path) -> None:
    for lp in ("ana", "ben"):
        await deposit(owed, lp, "9000")
    await begun(owed)
    await back_up(owed, copy)
    await deposit(owed, "ana", "9000")
    await sale(owed, 7)
    for leg_id in range(5, 9):
        await owed.paid(leg_id, leg_id)
    await restored(owed, copy)
    await begun(owed)
    await sale(owed, 7)
    await listed(owed)
    assert "settlement reset S2, settlement retry S2" in str(await owed.desk.say(BOSS, "forgotten list"))
    await deposit(owed, "ana", "9000")
    for number in (5, 6):
        await owed.learn(number)
    owed.advance(86_400)
    await owed.desk.ask(BOSS, "settlement.reset", settlement="S2", confirm=True)
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S2", confirm=True)
    await owed.desk.distribute()
    assert Go.YES not in [await owed.open(leg_id) for leg_id in (9, 10)]
    assert await waiting(owed) == 0
    assert [await state(owed, number) for number in (7, 8)] == [A.SENT, A.SENT]


async def test_what_was_before_the_gap_is_nobodys_business(owed: Till, copy: Path) -> None:
    await owed.paid(1, 1)
    await back_up(owed, copy)
    await without_witness(owed, copy)
    await begun(owed)
    early = row(hash_of(8), 5_000, direction="outgoing", settled_at=owed.now - 2 * 3_600, created_at=None)
    failed = row(hash_of(9), 5_000, direction="outgoing", state="failed", settled_at=None, created_at=owed.now)
    whole, settled = Listing((early, failed), True), Listing((early,), True)
    await owed.desk.tx(lambda tx: past.note_lists(tx, "main", settled, whole, counts=True, now=owed.now))
    assert await waiting(owed) == 0


# --- books that have never paid --------------------------------------------------------------------------------------


async def searched(till: Till, *rows: Transaction, settled: bool = True, legs: tuple[int, ...] = (1, 2, 3, 4)) -> int:
    """Before these are paid the wallet shows what it sent. From when on it was asked, before the hour's margin."""

    def work(tx: Tx) -> int:
        since = past.unsearched(tx, "main", legs)
        assert since is not None
        paid = Listing(rows if settled else (), True)
        past.note_search(tx, "main", paid, Listing(rows, True), since=since, operators={BOSS}, now=till.now)
        assert past.unsearched(tx, "main", legs) is None
        return since

    return await till.desk.tx(work)


async def held(till: Till) -> bool:
    return await till.desk.tx(lambda tx: holds.get(tx, holds.PAST)) is not None


async def test_a_wallet_that_has_sent_nothing_pays_at_once(owed: Till) -> None:
    """So does one that has paid other amounts, or what the bot itself tried it with; its list is read once, and again
    only for a customer who paid earlier than all before."""
    early = row(hash_of(8), 75_000, direction="outgoing", settled_at=owed.now - 3_601)
    failed = row(hash_of(9), 75_000, direction="outgoing", state="failed", settled_at=None, created_at=owed.now)
    assert await searched(owed, early, row(hash_of(7), 74_999, direction="outgoing")) == owed.now
    assert await searched_again(owed, failed) is None
    assert await owed.open(3) is Go.YES
    assert not await held(owed)
    await owed.desk.tx(lambda tx: tx.run("UPDATE settlements SET reported_at = reported_at - 86400"))
    assert await searched(owed, legs=(4,)) == owed.now - 86_400


async def test_a_list_that_is_not_whole_is_no_search(owed: Till) -> None:
    def work(tx: Tx) -> tuple[bool, bool]:
        whole, part = Listing((), True), Listing((), False)
        for settled, everything in ((part, whole), (whole, part)):
            assert not past.note_search(tx, "main", settled, everything, since=0, operators={BOSS}, now=owed.now)
        unsearched = past.unsearched(tx, "main", (3,)) is not None
        return unsearched, past.note_search(tx, "main", whole, whole, since=0, operators={BOSS}, now=owed.now)

    assert await owed.desk.tx(work) == (True, True)
    for _ in range(2):
        await owed.desk.tx(lambda tx: past.pay_unseen(tx, "main", {BOSS}, owed.now))
    assert ["does not show all that it sent" in text for text in await owed.told()] == [True]


async def searched_again(till: Till, *rows: Transaction) -> int | None:
    def work(tx: Tx) -> int | None:
        whole = Listing(rows, True)
        past.note_search(tx, "main", Listing((), True), whole, since=till.now, operators={BOSS}, now=till.now)
        return past.unsearched(tx, "main", (3,))

    return await till.desk.tx(work)


async def test_a_copy_from_before_the_first_payment_pays_nothing_again(owed: Till) -> None:
    """Nothing beside it tells its age; the wallet knows what its payments were for."""
    await begun(owed)
    await searched(owed, await sent_row(owed, 3, 1), await sent_row(owed, 4, 2))
    assert await held(owed)
    assert [await state(owed, number) for number in (1, 2)] == [A.SENT, A.SENT]
    assert sum("Nothing more is paid: " in text for text in await owed.told()) == 1


@pytest.mark.parametrize("under_way", [False, True])
async def test_of_what_nobody_knows_what_for_the_amount_counts(owed: Till, *, under_way: bool) -> None:
    changes = {"state": "pending", "settled_at": None, "created_at": owed.now} if under_way else {}
    strange = row(hash_of(1), 75_000, direction="outgoing", **changes)
    await searched(owed, strange, settled=not under_way)
    assert not await held(owed)
    assert await owed.open(4) is Go.YES
    for _ in range(2):
        assert await owed.open(3) is Go.LATER
    assert sum("P3 and others like it wait" in text for text in await owed.told()) == 1
    await owed.desk.ask(BOSS, "forgotten.drop", hash_end=hash_of(1)[-8:], reason="the rent", confirm=True)
    assert await owed.open(3) is Go.YES


async def test_an_invoice_that_another_run_has_sent_is_not_dropped(owed: Till) -> None:
    """The copy was made when it was ready."""
    assert await owed.open(3) is Go.YES
    assert await owed.ready(3, 1) is not None
    await searched(owed, row(hash_of(1), 75_000, direction="outgoing"))
    assert await state(owed, 1) is A.SENT


async def test_a_customer_whose_purchase_is_reported_later_stands_in_no_way(till: Till) -> None:
    await till.desk.cash_out(platform_fee_sats=3_000)
    await till.desk.distribute()
    await searched(till, row(hash_of(1), 92_000, direction="outgoing"))
    same = replace(await till.leg(3), amount_sats=92_000)
    assert await till.desk.tx(lambda tx: forgotten.stands_before(tx, same)) == hash_of(1)
    await till.receive(report(hash_of(1), **CASH_IN))
    await till.prove(2)
    assert await till.desk.tx(lambda tx: forgotten.stands_before(tx, same)) is None


# --- the rest --------------------------------------------------------------------------------------------------------


async def test_a_purpose_outlives_the_numbers_of_rows_and_names_nobody(owed: Till) -> None:
    leg = await owed.leg(3)
    found = await owed.desk.tx(lambda tx: purposes.of(tx, leg))
    assert (found.settlement, found.type) == ((await owed.settlement(1)).payment_hash, "dca")
    assert ANA[:8] not in str(asdict(found))
    others = [await owed.desk.tx(lambda tx, n=n: purposes.of(tx, legs.get(tx, n))) for n in (1, 2, 4)]  # type: ignore[misc, arg-type]
    assert len({found, *others}) == 4
    assert past.purpose_of(await sent_row(owed, 3, 1)) == found


@pytest.mark.parametrize(
    "wrong",
    [{}, {"payee": 7}, {"payee": "zz" * 16}, {"type": "gift"}, {"type": []}, {"settlement": "ab"}, {"settlement": 5}],
)
def test_what_a_wallet_says_of_purposes_is_judged(wrong: dict[str, Any]) -> None:
    good = {"settlement": None, "type": "dca", "payee": "ab" * 16}
    assert past.purpose_of(row(hash_of(1), metadata=good)) is not None
    assert past.purpose_of(row(hash_of(1), metadata={**good, **wrong} if wrong else {})) is None


async def test_the_witness_forgets_what_ended_long_ago(owed: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    await begun(owed)
    await owed.paid(3, 1)
    await owed.sent(4, 2)
    monkeypatch.setattr(past, "SMALL_WITNESS_BYTES", 0)

    async def kept() -> set[str]:
        await owed.desk.tx(lambda tx: past.compact(tx, owed.desk.db.witness, owed.now))
        return set(Witness(witness_path(owed.desk.db.path)).hashes)

    assert await kept() == {hash_of(1), hash_of(2)}
    owed.advance(past.KEEP_SECONDS + 1)
    assert await kept() == {hash_of(2)}
    assert await begun(owed) is None
