"""What a relay keeps of the bot's own events: what holds payments, once, and what is no reason to."""

from __future__ import annotations

from typing import Any

import pytest

from bot.nostr import Keys
from handlers import own_events, past, payment
from handlers.own_events import Own
from handlers.payment import Go
from ledger.states import SettlementStatus
from nwc.event import Event
from storage import holds, legs, outbox, relays
from storage.db import Tx
from tests.handlers.desk import ATM, BOSS, NOW
from tests.handlers.till import Till

ONE, TWO = "wss://one.example", "wss://two.example"
KEYS = Keys.generate()
STRANGE = f"bitspire-receipt:{'ab' * 32}"


def event(till: Till, d: str = STRANGE, *, at: int | None = None, kind: int = 30_078) -> Event:
    return KEYS.cipher().sign(kind, [("p", ATM), ("d", d)], "", till.now if at is None else at)


async def published(till: Till) -> list[Event]:
    """Signs all that waits, as it would leave."""
    made: list[Event] = []

    def work(tx: Tx) -> None:
        while waiting := [each for each in outbox.due(tx, till.now + 864_000, 1_000) if each.coordinate]:
            for each in waiting:
                at = outbox.sign_once(tx, each, till.now, str)
                if at is not None:
                    made.append(event(till, d=str(each.body["tags"][-1][1]), at=int(at)))
                    outbox.done(tx, each.id)

    await till.desk.tx(work)
    return made


async def compared(till: Till, *events: Event, url: str = ONE) -> str | None:
    """A relay keeps these. Why payments are held for the past."""

    def work(tx: Tx) -> str | None:
        strange = own_events.strange(tx, events)
        found = [each for kept in events if kept.id in strange and (each := own_events.own(kept)) is not None]
        own_events.note_compared(tx, url, found, asked_at=till.now, operators={BOSS}, now=till.now)
        hold = holds.get(tx, holds.PAST)
        return hold.reason if hold else None

    return await till.desk.tx(work)


async def begun(till: Till) -> None:
    await till.desk.tx(lambda tx: past.begin(tx, till.desk.db.witness, {BOSS}, till.now))
    till.advance(60)


async def lifted(till: Till) -> None:
    await till.desk.ask(BOSS, "hold.lift", hold="past", reason="looked", confirm=True)


async def test_what_it_signed_itself_is_its_own_for_good(owed: Till) -> None:
    """Also when nobody knows whether a relay has it, by a clock that goes back, and long after the outbox has forgotten
    it. A relay that lags has what was replaced since."""
    await begun(owed)
    kept = await published(owed)
    assert {str(each.tag("d")).partition(":")[0] for each in kept} >= {"bitspire-fees"}
    assert await compared(owed, *kept) is None
    owed.advance(-86_400)
    await owed.desk.ask(BOSS, "machine.set", machine="sintra", cash_in_fee="4%")
    kept += (newer := await published(owed))
    assert newer
    owed.advance(10 * 86_400)
    await owed.desk.tx(lambda tx: tx.run("UPDATE outbox SET state = 'done'"))
    await owed.desk.tx(lambda tx: outbox.forget_done(tx, owed.now))
    for url in (ONE, TWO):
        assert await compared(owed, *kept, url=url) is None


@pytest.mark.parametrize(
    "changes", [{"d": "my-notes"}, {"d": "satmachine"}, {"d": ""}, {"kind": 10_002}, {"kind": 0}], ids=str
)
async def test_what_other_programs_sign_with_the_key_is_no_reason(owed: Till, changes: dict[str, Any]) -> None:
    await begun(owed)
    assert await compared(owed, event(owed, **changes)) is None


async def test_what_books_said_that_were_thrown_away_is_no_reason(owed: Till) -> None:
    await begun(owed)
    assert await compared(owed, event(owed, at=owed.now - 60)) is None
    await owed.sent(3, 1)
    later = await owed.desk.tx(lambda tx: own_events.compared_from(tx, TWO, owed.now))
    assert later == owed.now - 59


async def test_what_nobody_here_signed_holds_payments_once(owed: Till) -> None:
    await begun(owed)
    await owed.sent(3, 1)
    await compared(owed)
    owed.advance(7_200)
    assert await owed.desk.tx(lambda tx: own_events.compared_from(tx, ONE, owed.now)) == NOW + 1
    strange = [event(owed), event(owed, f"bitspire-fees:{ATM}", at=owed.now + 9)]
    for url in (ONE, ONE, TWO):
        assert await compared(owed, *strange, url=url) == past.SAID_ELSEWHERE
    assert sum("a second bot has its key" in text for text in await owed.told()) == 1
    found = await owed.desk.tx(past.state)
    assert found is not None
    assert (found.since, found.witnessed, found.read) == (NOW, False, [])
    await lifted(owed)
    assert await compared(owed, *strange, event(owed, f"satmachine:worklist:{BOSS}")) is None
    owed.advance(60)
    assert await compared(owed, event(owed, f"satmachine:worklist:{BOSS}")) == past.SAID_ELSEWHERE


async def test_what_replaces_it_is_later_than_what_the_relay_has(owed: Till) -> None:
    """Otherwise no relay would take it, and the machine would keep the fees of another day."""
    await begun(owed)
    await published(owed)
    d, at = f"bitspire-fees:{ATM}", owed.now + 500
    await compared(owed, event(owed, d, at=at))
    await owed.desk.tx(lambda tx: relays.set_compared(tx, ONE, owed.now))
    await owed.desk.ask(BOSS, "machine.set", machine="sintra", cash_in_fee="4%")
    assert [each.created_at for each in await published(owed) if each.tag("d") == d] == [at + 1]


async def test_while_it_is_held_for_an_older_reason_nothing_more_is_said(owed: Till) -> None:
    """A backup was restored beside its witness: that relays know more goes without saying, and keeps nothing held."""
    await begun(owed)
    await owed.sent(3, 1)
    await owed.desk.tx(lambda tx: holds.put(tx, holds.PAST, past.BEHIND, owed.now))
    before = len(await owed.told())
    assert await compared(owed, event(owed)) == past.BEHIND
    await owed.desk.tx(lambda tx: past.lift(tx, owed.now))
    await owed.desk.tx(lambda tx: holds.lift(tx, holds.PAST))
    assert await compared(owed, event(owed, at=owed.now), url=TWO) is None
    assert len(await owed.told()) == before


def test_a_coordinate_is_read_off_as_it_was_written(till: Till) -> None:
    assert own_events.own(event(till, at=7)) == Own(outbox.coordinate_of(30_078, STRANGE, ATM), 7, "ab" * 32)


async def test_receipts_from_before_the_books_ask_an_operator_about_their_payments(owed: Till) -> None:
    """The database is lost, and a report comes back: nobody here can know what was paid for it. What nobody has
    accepted before is paid at once."""
    await begun(owed)
    assert await owed.desk.tx(lambda tx: own_events.compared_from(tx, ONE, owed.now)) == 0
    fresh = await owed.desk.cash_out(7)
    old = (await owed.settlement(1)).payment_hash
    assert await compared(owed, event(owed, f"bitspire-receipt:{old}", at=1_000)) is None
    await owed.desk.distribute()
    [first, *others] = [leg.id for leg in await owed.desk.tx(lambda tx: legs.of_settlement(tx, 1)) if leg.target]
    assert await owed.open(first) is Go.DONE
    assert {(await owed.leg(each)).reason for each in (first, *others)} == {payment.ACCEPTED_BEFORE}
    assert (await owed.settlement(1)).status is SettlementStatus.ERRORED
    assert any("S1 was accepted before these books were begun" in text for text in await owed.told())
    paid = next(leg.id for leg in await owed.desk.tx(lambda tx: legs.of_settlement(tx, fresh)) if leg.target)
    assert await owed.open(paid) is Go.YES
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1", confirm=True)
    await owed.desk.distribute()
    again = await owed.desk.tx(lambda tx: [leg.id for leg in legs.of_settlement(tx, 1) if leg.status == "pending"])
    assert [await owed.open(each) for each in again] == [Go.YES] * (1 + len(others))


async def test_books_that_have_paid_ask_nobody_about_older_receipts(owed: Till) -> None:
    await begun(owed)
    await owed.sent(3, 1)
    old = (await owed.settlement(1)).payment_hash
    assert await compared(owed, event(owed, f"bitspire-receipt:{old}", at=1_000)) is None
    assert await owed.open(4) is Go.YES
