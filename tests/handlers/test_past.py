"""A database from the past: noticed at the start, held, and let go when everything that was sent is known again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from handlers import past, payment_evidence
from handlers.payment import Go
from handlers.payment_evidence import Policy
from ledger.states import AttemptState, LegStatus
from nwc.evidence import Listing
from nwc.messages import Transaction
from storage import attempts, forgotten, holds, legs, purposes
from storage.db import Database, Tx, witness_path
from storage.witness import Witness
from tests.handlers.conftest import open_shop
from tests.handlers.desk import ANA, BOSS
from tests.handlers.till import POLICY, Till, row
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
    before = witness_path(owed.desk.db.path).read_bytes()
    await owed.sent(3, 1)
    await owed.desk.db.close()
    witness_path(owed.desk.db.path).write_bytes(before)
    owed.desk.db = await Database.open(owed.desk.db.path)
    assert await begun(owed) is None
    assert hash_of(1) in owed.desk.db.witness.hashes


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


async def test_what_was_ready_in_the_copy_is_sent_only_where_it_was(owed: Till, copy: Path) -> None:
    """By the witness one was sent since, the other never was."""
    await begun(owed)
    for leg_id, number in ((3, 1), (4, 2)):
        assert await owed.open(leg_id) is Go.YES
        assert await owed.ready(leg_id, number) is not None
    await back_up(owed, copy)
    assert await owed.send(1)
    await restored(owed, copy)
    await begun(owed)
    assert [await state(owed, number) for number in (1, 2)] == [A.SENT, A.DROPPED]


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
    assert await listed(owed)
    assert await waiting(owed) == 2
    await sale(owed, 6)  # another comes first and takes the numbers
    await sale(owed, 7)
    opened = {leg_id: await owed.open(leg_id) for leg_id in range(5, 13)}
    assert [leg_id for leg_id, go in opened.items() if go is not Go.YES] == [9, 11]
    assert [(await owed.attempt(number)).leg_id for number in (1, 2)] == [9, 11]
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
    print([dict(r) for r in await owed.desk.tx(lambda tx: tx.all("SELECT id,type,status,reason FROM legs"))])
    assert [await owed.open(leg_id) for leg_id in range(1, 5)] == [Go.LATER, Go.YES, Go.LATER, Go.LATER]
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
    assert await listed(owed)
    await sale(owed, 7)
    assert {await owed.open(leg_id) for leg_id in range(5, 9)} <= {Go.LATER, Go.DONE}
    left = await owed.desk.tx(forgotten.waiting)
    assert len(left) == 2
    assert all([await owed.open(leg_id) is not Go.YES for leg_id in range(5, 9)])
    told = await owed.desk.ask(BOSS, "forgotten.list")
    assert told["count"] == 2


async def test_an_order_does_not_pay_out_what_was_paid(owed: Till, copy: Path) -> None:
    """An LP was paid its rest since the copy; whoever orders it again meets that payment."""
    await deposit(owed, "ana", "100")
    await begun(owed)
    await back_up(owed, copy)
    await owed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", confirm=True)
    await owed.paid(5, 5)
    await restored(owed, copy)
    await begun(owed)
    assert await listed(owed)
    await owed.desk.ask(BOSS, "lp.settle", machine="sintra", lp="ana", rate="50", confirm=True)
    assert await owed.open(5) is Go.LATER
    assert (await owed.attempt(5)).leg_id == 5


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
    assert not past.asked_too_early(replace(found, witnessed=True), owed.now, 660)
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
