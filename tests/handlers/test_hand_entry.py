"""A transaction that no machine reported: the operator's word is enough where there is no payment to look up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from handlers import payment_evidence, settlement_orders
from handlers.settlement import Received
from handlers.settlement_orders import Entry
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Settlement
from ledger.states import SettlementStatus
from nwc.evidence import Listing
from nwc.proof_of_payment import Payment
from storage import machines, reports
from storage.db import Tx
from tests.handlers.desk import ATM2, BOSS
from tests.handlers.test_settlement_orders import balance, notes, pay_the_rest, standing, worklist
from tests.handlers.till import LANDING, Till, report, row
from tests.ledger.build import hash_of

S = SettlementStatus
SALE = Entry(TxType.CASH_OUT, 108_000, 100_000, 8_000, 200_000, Decimal(50))
WITH_HASH = replace(SALE, payment_hash=hash_of(1))


async def enter(till: Till, entry: Entry = SALE, *, order: str = "order 1", machine: str = "sintra") -> Settlement:
    def work(tx: Tx) -> Settlement:
        at = machines.by_name(tx, machine)
        assert at is not None
        settlement_orders.check_entry(tx, at, entry, policy=LANDING)
        return settlement_orders.enter(
            tx, at, entry, order_id=order, note="by the till's roll", policy=LANDING, by=BOSS, now=till.now
        )

    return await till.desk.tx(work)


async def refused(till: Till, entry: Entry, machine: str = "sintra") -> tuple[Code, str | None, str]:
    with pytest.raises(Refusal) as caught:
        await enter(till, entry, machine=machine)
    return caught.value.code, caught.value.field, caught.value.message


async def deactivate(till: Till) -> None:
    await till.desk.ask(BOSS, "machine.set", machine="sintra", active=False)


@pytest.mark.parametrize("active", [True, False])
async def test_by_the_operators_word_it_is_booked_and_shared_out_at_once(till: Till, active: bool) -> None:
    """Of a deactivated machine too; and its machine, which knows nothing of it, gets no receipt."""
    if not active:
        await deactivate(till)
    made = await enter(till)
    assert (made.id, made.status, made.proof, made.by_hand) == (1, S.PENDING, "operator", True)
    assert (made.platform_fee_sats, made.operator_fee_sats, made.currency) == (3_000, 5_000, "GTQ")
    assert await balance(till, "assets:wallet:main") == 108_000_000
    await till.desk.distribute()
    assert await standing(till) == [("platform", 3_000), ("split", 5_000), ("lp", 75_000), ("lp", 25_000)]
    await pay_the_rest(till)
    assert (await till.settlement(1)).status is S.PROCESSED
    assert await till.receipts() == []
    assert await notes(till) == [(BOSS, "by the till's roll")]
    assert ("settlement add", "S1") in await till.desk.audit()


async def test_each_order_makes_one_of_its_own(till: Till) -> None:
    first, second = await enter(till), await enter(till, order="order 2")
    assert len({first.payment_hash, second.payment_hash}) == 2
    cash_in = await enter(till, replace(SALE, tx_type=TxType.CASH_IN, wire_sats=92_000), order="order 3")
    assert (cash_in.id, cash_in.status) == (3, S.PENDING)


@pytest.mark.parametrize("active", [True, False])
async def test_with_a_hash_the_wallet_has_the_word(till: Till, active: bool) -> None:
    """A report by a deactivated machine would be rejected; the operator vouches for this one."""
    if not active:
        await deactivate(till)
    made = await enter(till, WITH_HASH)
    assert (made.status, made.proof) == (S.UNVERIFIED, None)
    assert await balance(till, "") == 0
    assert await till.prove(1) is S.PENDING
    assert (await till.settlement(1)).proof == "settled"


async def test_what_the_wallet_shows_otherwise_is_rejected(till: Till) -> None:
    await enter(till, WITH_HASH)
    assert await till.prove(1, Payment.WRONG_AMOUNT) is S.REJECTED


async def test_the_machines_report_that_comes_later_is_a_duplicate(till: Till) -> None:
    await enter(till, WITH_HASH)
    assert await till.receive(report(hash_of(1))) is Received.DUPLICATE


async def test_it_explains_a_payment_that_no_settlement_did(till: Till) -> None:
    policy = payment_evidence.Policy(till.policy, 600)
    listed = Listing((replace(row(hash_of(1)), settled_at=till.now - 700),), complete=True)

    def scan(tx: Tx) -> None:
        payment_evidence.note_list(tx, "main", listed, starts_at=0, asked_at=till.now, policy=policy, now=till.now)

    await till.desk.tx(scan)
    assert await worklist(till) == [("unmatched", hash_of(1), None)]
    await enter(till, WITH_HASH)
    assert await worklist(till) == []
    await till.desk.tx(scan)
    assert await worklist(till) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"wire_sats": 92_000}, "wire_sats"),
        ({"principal_sats": 0}, "principal_sats"),
        ({"fiat_minor": 100_000}, "fiat_amount"),
        ({"exchange_rate": Decimal(0)}, "exchange_rate"),
        ({"payment_hash": "abc"}, "payment_hash"),
        ({"payment_hash": hash_of(1).upper()}, "payment_hash"),
    ],
)
async def test_what_is_wrong_is_refused_with_its_field(till: Till, changes: dict[str, Any], field: str) -> None:
    code, named, _ = await refused(till, replace(SALE, **changes))
    assert (code, named) == (Code.BAD_REQUEST, field)


async def test_a_payment_that_is_known_is_named(till: Till) -> None:
    """Whatever became of this machine's own report; of another machine's only where its wallet showed the payment: a
    claim that nobody proved shuts nothing out."""
    await till.with_second_machine()
    await till.receive(report(hash_of(1), wire_sats=1))
    code, named, message = await refused(till, WITH_HASH)
    assert (code, named) == (Code.CONFLICT, "payment_hash")
    assert "settlement S1 already, which was rejected" in message
    other = replace(SALE, payment_hash=hash_of(2))
    await till.receive(report(hash_of(2)), atm=ATM2)
    assert (await enter(till, other)).id == 3
    await till.prove(3)
    assert (await till.settlement(2)).status is S.REJECTED
    assert "settlement S3 already, pending" in (await refused(till, other, "ericeira"))[2]


async def test_our_own_payment_is_no_customers(owed: Till) -> None:
    await owed.sent(1, 9)
    code, _, message = await refused(owed, replace(SALE, payment_hash=hash_of(9)))
    assert code is Code.CONFLICT
    assert "our own, P1" in message


async def test_it_can_be_scaled_and_reset_like_any_other(till: Till) -> None:
    await enter(till)
    found = await till.settlement(1)
    await till.desk.tx(
        lambda tx: settlement_orders.partial(
            tx, found, fraction_ppm=500_000, principal_sats=None, note=None, by=BOSS, now=till.now
        )
    )
    assert len(await till.desk.tx(lambda tx: reports.notes(tx, 1))) == 2
    assert (await till.settlement(1)).status is S.PARTIAL
