"""The prover among wallets of which some are silent: each machine's proof depends on its own wallet alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from bot.workers.prover import IN_HAND, Prover
from tests.bot.workers.on_a_wire import Bank, DeskClock, becomes, bell_for, count, running
from tests.handlers.desk import ATM2
from tests.handlers.till import POLICY, Till, report
from tests.ledger.build import hash_of

PENDING = "SELECT count(*) FROM settlements WHERE status = 'pending'"


@contextlib.asynccontextmanager
async def proving(till: Till, **banks: Bank) -> AsyncIterator[Prover]:
    wallets = {name: bank.wallet(name) for name, bank in banks.items()}
    for wallet in wallets.values():
        await wallet.client.ready()
    bell = bell_for(till, "settlements")
    made = Prover(
        wallets, till.desk.db, DeskClock(till), bell, policy=POLICY.attempt, when_supported=False, ask_seconds=30
    )
    async with running(made.run()):
        yield made


async def test_a_silent_wallet_does_not_stop_anothers_proof(till: Till) -> None:
    """Machine one has more unproven reports than are taken in hand at once, and its wallet says nothing. The customer
    at machine two, who came last, has paid: its receipt comes at once."""
    await till.with_second_machine()
    for number in range(IN_HAND + 20):
        await till.receive(report(hash_of(number)))
    paid = hash_of(999)
    silent, good = Bank(till, {"lookup_invoice", "list_transactions"}), Bank(till, incoming={paid: 108_000_000})
    async with proving(till, main=silent, second=good) as prover:

        async def in_hand() -> bool:
            return len(prover._in_hand) == IN_HAND

        await becomes(in_hand, "machine one has all its places")
        await till.receive(report(paid), atm=ATM2)
        await count(till, PENDING, is_=1)
    assert [receipt for receipt in await till.receipts() if receipt[1] == "accepted"] == [
        (21_000, "accepted", None),
        (30_078, "accepted", None),
    ]
    assert good.looked_up == [paid]


async def test_a_payment_that_the_wallet_announces_is_asked_about_now(till: Till, bank: Bank) -> None:
    """It was asked about for a day and comes due in an hour; then the customer pays. Of the others none is asked."""
    await till.receive(report(hash_of(1)))
    await till.receive(report(hash_of(2)))
    await till.desk.tx(lambda tx: tx.run("UPDATE settlements SET next_proof_at = ?", (till.now + 3_600,)))
    async with proving(till, main=bank) as prover:
        bank.incoming[hash_of(2)] = 108_000_000
        prover.payment_seen(hash_of(3))
        prover.payment_seen(hash_of(2))
        await count(till, PENDING, is_=1)
    assert bank.looked_up == [hash_of(2)]


async def test_what_a_wallet_announces_is_bounded(till: Till, bank: Bank) -> None:
    """A wallet that never stops talking does not fill the memory."""
    async with proving(till, main=bank) as prover:
        for number in range(5_000):
            prover.payment_seen(f"{number:064x}")
        assert len(prover._wanted) == 1_000


async def test_a_payment_in_the_other_wallet_is_found_there(till: Till) -> None:
    """The report of machine one names a payment that came in at machine two: refused, with the wallet's name."""
    await till.with_second_machine()
    await till.receive(report(hash_of(1)))
    async with proving(till, main=Bank(till), second=Bank(till, incoming={hash_of(1): 108_000_000})):
        await count(till, "SELECT count(*) FROM settlements WHERE detail LIKE '%lies in wallet second%'", is_=1)


async def test_a_wallet_that_left_the_configuration_is_waited_for(till: Till, bank: Bank) -> None:
    await till.receive(report(hash_of(1)))
    async with proving(till, second=bank):
        await count(till, "SELECT count(*) FROM settlements WHERE proof_checks = 1 AND status = 'unverified'", is_=1)
    assert bank.looked_up == []
