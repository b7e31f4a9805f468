"""What the wallets show decides what becomes of a report; a machine's word moves nothing, whoever holds its key."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.states import AttemptState, EvidenceClass, SettlementStatus
from nwc.proof_of_payment import Payment
from storage import legs, machines, settlements
from storage.db import Tx
from tests.handlers.desk import ATM, ATM2, BOSS, EVE
from tests.handlers.till import CASH_IN, Till, report, row
from tests.ledger.build import hash_of

HASH = "cd" * 32
LIVE, STORED = 21_000, 30_078
S = SettlementStatus


def of_leg(number: int, sats: int, direction: str) -> dict[str, Any]:
    """A report that claims the payout of attempt `number`, with numbers that add up."""
    fee = sats // 12
    principal = sats + fee if direction == "cash_in" else sats - fee
    fiat = f"{principal / 50:.2f}"
    return report(
        hash_of(number), tx_type=direction, wire_sats=sats, principal_sats=principal, fee_sats=fee, fiat_amount=fiat
    )


async def refused(till: Till, settlement_id: int, code: str) -> str:
    """Asserts that it is rejected with this code, which the machine was told live and for later; the detail."""
    found = await till.settlement(settlement_id)
    assert (found.status, found.reason, found.proof) == (S.REJECTED, code, None)
    assert (await till.receipts())[-2:] == [(LIVE, "rejected", code), (STORED, "rejected", code)]
    row = await till.desk.tx(lambda tx: tx.one("SELECT detail FROM settlements WHERE id = ?", (settlement_id,)))
    assert row is not None
    return str(row["detail"])


async def test_a_settled_payment_is_accepted_and_booked(till: Till) -> None:
    await till.receive(report(HASH))
    assert await till.prove(1, row=row(HASH)) is S.PENDING
    found = await till.settlement(1)
    assert (found.proof, found.proof_checked_at) == ("settled", till.now)
    assert await till.receipts() == [(LIVE, "accepted", None), (STORED, "accepted", None)]
    assert await till.desk.count("SELECT count(*) FROM journal WHERE ref = 'S1'") == 1
    assert await till.prove(1, Payment.WRONG_AMOUNT) is None, "decided is decided"
    assert len(await till.receipts()) == 2


@pytest.mark.parametrize("direction", ["cash_in", "cash_out"])
@pytest.mark.parametrize("state", ["sent", "settled", "released"])
async def test_a_payout_of_ours_is_no_customers_payment(owed: Till, direction: str, state: str) -> None:
    """An LP that got hold of a machine's key reports the payout it received as a cash-in: the wallet does show it as
    settled, outgoing, for that amount, and the fees of an invented principal would leave the wallet again and again.
    The books know their own payments, whatever state those are in and whatever the wallet says."""
    await owed.sent(3, 1)
    if state == "settled":
        await owed.learn(1)
    elif state == "released":
        await owed.release(1)
    await owed.receive(of_leg(1, 75_000, direction))
    shown = row(hash_of(1), 75_000, direction="outgoing")
    assert await owed.prove(2, Payment.SETTLED, row=shown) is S.REJECTED
    assert "of P3" in await refused(owed, 2, "unknown_machine")
    assert await owed.desk.count("SELECT count(*) FROM journal WHERE ref = 'S2'") == 0
    assert await owed.desk.distribute() == []


async def test_a_payout_of_ours_from_another_machines_wallet(owed: Till) -> None:
    """Also where the second machine claims what the first one's wallet paid."""
    await owed.with_second_machine()
    await owed.paid(3, 1)
    await owed.receive(of_leg(1, 75_000, "cash_in"), atm=ATM2)
    assert await owed.prove(2, Payment.NOT_SETTLED) is S.REJECTED
    assert "our own" in await refused(owed, 2, "unknown_machine")


async def test_an_invoice_that_never_left_is_not_taken_for_a_payout(owed: Till) -> None:
    """A payee may hand us the invoice of a customer of ours: as long as nothing was sent for it, it is the customer's.
    It then never becomes an attempt, or, where it is one already, it is dropped unpaid."""
    await owed.receive(report(hash_of(2)))
    assert await owed.ready(3, 2) is None
    assert (await owed.leg(3)).reason == "the payee gave an invoice that was seen before"
    assert await owed.prove(2) is S.PENDING


async def test_claimed_before_the_payout_and_paid_after(owed: Till) -> None:
    """The report comes while our own payment of the same hash is only prepared; it is unpaid then, and ours later."""
    await owed.ready(3, 1)
    await owed.receive(of_leg(1, 75_000, "cash_in"))
    assert await owed.prove(2, Payment.NOT_SETTLED) is S.UNVERIFIED
    assert await owed.send(1)
    assert await owed.learn(1, EvidenceClass.PROOF) is AttemptState.SETTLED
    assert await owed.prove(2, Payment.SETTLED) is S.REJECTED


async def test_a_payment_in_another_machines_wallet(till: Till) -> None:
    await till.receive(report(HASH))
    assert await till.prove(1, Payment.NOT_SETTLED, elsewhere="second") is S.REJECTED
    assert "lies in wallet second" in await refused(till, 1, "unknown_machine")


async def test_the_owner_of_a_payment_keeps_it(till: Till) -> None:
    """The same payment reported by two machines: whose wallet shows it first has it; the rival, still unproven, is
    rejected in the same commit, and so is whoever comes later, even if a wallet says `settled` to it too."""
    await till.with_second_machine()
    await till.receive(report(HASH), atm=ATM2)
    await till.receive(report(HASH), atm=ATM)
    assert await till.prove(2) is S.PENDING
    assert "settlement S2 of another machine" in await refused(till, 1, "unknown_machine")
    assert await till.prove(1) is None
    machine = await till.desk.tx(lambda tx: machines.by_name(tx, "sintra"))
    assert machine is not None
    assert (await till.settlement(2)).machine_id == machine.id


async def test_a_claim_that_comes_after_the_owners(till: Till) -> None:
    await till.with_second_machine()
    await till.receive(report(HASH))
    await till.prove(1)
    await till.receive(report(HASH), atm=ATM2)
    assert await till.prove(2, Payment.SETTLED) is S.REJECTED
    assert "settlement S1 of another machine" in await refused(till, 2, "unknown_machine")
    assert (await till.settlement(1)).status is S.PENDING


async def test_a_rival_that_was_rejected_stays_as_it_was(till: Till) -> None:
    """Only unproven rivals are told; one receipt each."""
    await till.with_second_machine()
    await till.receive(report(HASH), atm=ATM2)
    await till.prove(1, Payment.WRONG_AMOUNT)
    await till.receive(report(HASH))
    before = await till.settlement(1)
    await till.prove(2)
    assert await till.settlement(1) == before


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        (EVE, S.REJECTED),
        (ATM2.upper(), S.REJECTED),
        ("anybody", S.REJECTED),
        (ATM, S.PENDING),
        (ATM.upper(), S.PENDING),
        ("", S.PENDING),
        (None, S.PENDING),
        (7, S.PENDING),
    ],
)
async def test_the_sender_in_the_wallets_record(till: Till, sender: object, status: SettlementStatus) -> None:
    """Where the wallet noted which machine's key asked for the invoice, no other machine can claim it."""
    await till.receive(report(HASH))
    shown = row(HASH, metadata={"nostr_sender_pubkey": sender})
    assert await till.prove(1, row=shown) is status
    if status is S.REJECTED:
        assert "another sender" in await refused(till, 1, "unknown_machine")


async def test_another_amount_or_direction(till: Till) -> None:
    for number, (found, code) in enumerate(
        [(Payment.WRONG_AMOUNT, "amount_conflict"), (Payment.WRONG_DIRECTION, "not_paid")], 1
    ):
        await till.receive(report(hash_of(number), **(CASH_IN if number == 2 else {})))
        assert await till.prove(number, found) is S.REJECTED
        assert await refused(till, number, code) == "by its word"


async def test_a_machine_deactivated_meanwhile(till: Till) -> None:
    await till.receive(report(HASH))
    await till.desk.tx(lambda tx: machines.update(tx, 1, {"active": 0}))
    assert await till.prove(1) is S.REJECTED
    assert "deactivated" in await refused(till, 1, "unknown_machine")


async def test_not_paid_yet_is_told_once_and_asked_again_ever_later(till: Till) -> None:
    """By `resolve_seconds`; after a day hardly ever: whoever has not paid by then will not."""
    await till.receive(report(HASH))
    waits = []
    for _ in range(7):
        assert await till.prove(1, Payment.NOT_SETTLED) is S.UNVERIFIED
        waits.append(await next_proof_at(till) - till.now)
        till.advance(waits[-1])
    assert waits == [2, 5, 15, 60, 300, 300, 300]
    till.advance(86_400)
    await till.prove(1, Payment.UNKNOWN)
    assert await next_proof_at(till) - till.now == 3_600
    assert await till.receipts() == [(LIVE, "unverified", "not_paid"), (STORED, "unverified", "not_paid")]
    assert await till.prove(1) is S.PENDING
    assert (await till.receipts())[-1] == (STORED, "accepted", None)
    assert await till.desk.count("SELECT count(*) FROM legs") == 0


async def next_proof_at(till: Till) -> int:
    return await till.desk.count("SELECT next_proof_at FROM settlements WHERE id = 1")


@pytest.mark.parametrize(("when_supported", "status"), [(True, S.PENDING), (False, S.UNVERIFIED)])
async def test_a_wallet_that_can_not_be_asked(till: Till, when_supported: bool, status: SettlementStatus) -> None:
    """Only the policy `when_supported` lets a report pass without proof, and the books say that it did."""
    await till.receive(report(HASH))
    assert await till.prove(1, None, when_supported=when_supported) is status
    assert (await till.settlement(1)).proof == ("not_supported" if when_supported else None)


async def test_without_proof_our_own_payouts_are_still_refused(owed: Till) -> None:
    """Where no wallet is asked the books are all there is."""
    await owed.paid(3, 1)
    await owed.receive(of_leg(1, 75_000, "cash_out"))
    assert await owed.prove(2, None, when_supported=True) is S.REJECTED


async def test_a_payment_explains_itself_to_its_own_wallet_only(till: Till) -> None:
    """What the unmatched list goes by: wallet, hash and direction, all three."""
    await till.receive(report(HASH))

    def work(tx: Tx) -> list[bool]:
        return [
            settlements.explains(tx, wallet, HASH, direction)
            for wallet in ("main", "second")
            for direction in ("incoming", "outgoing")
        ]

    assert await till.desk.tx(work) == [True, False, False, False]
    assert await till.desk.tx(lambda tx: legs.of_settlement(tx, 1)) == []
    assert (await till.desk.dms(BOSS))[-1]["answers"] is not None, "nobody is told of a report that waits"
