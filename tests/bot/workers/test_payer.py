"""The payer among payees and wallets that misbehave: each trouble stays with the leg that has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import pytest

from bot.workers import payer as payer_module
from bot.workers.payer import MAX_LEGS_OF_ONE_PAYEE, Payer, Rules
from ledger.states import LegStatus
from nwc.client import WalletClient
from nwc.evidence import Listing
from nwc.invoice_rules import InvoiceRules
from nwc.requests import SignedRequest
from nwc.targets import Targets
from nwc.trouble import WalletSilent
from storage import forgotten, switches, wallets
from storage.switches import Switch
from tests.bot.workers.on_a_wire import Bank, DeskClock, becomes, bell_for, count, running
from tests.handlers.desk import BOSS
from tests.handlers.till import POLICY, Till
from tests.nwc.made import row

PLATFORM, BEN = "fees@example.com", "ben@example.com"
COMPLETED = "SELECT count(*) FROM legs WHERE status = 'completed'"


@contextlib.asynccontextmanager
async def paying(till: Till, bank: Bank, *, timeout_seconds: float = 30) -> AsyncIterator[Payer]:
    """A payer at work, with the wallet that it pays from."""
    wallet = bank.wallet()
    rules = Rules(
        policy=POLICY,
        invoices=InvoiceRules("mainnet"),
        allow_private=False,
        own_addresses=frozenset({"me@example.com"}),
        in_flight=8,
        timeout_seconds=timeout_seconds,
    )
    targets, bell = cast(Targets, bank), bell_for(till, "legs")
    made = Payer(wallet, till.desk.db, targets, DeskClock(till), bell, rules=rules, may_pay=lambda: True)
    taken_up = asyncio.Event()
    taken_up.set()
    async with running(made.run(taken_up), wallet.run()):
        yield made


async def sell(till: Till, sales: int) -> None:
    """So many settlements, each owing the platform and the partner; the LPs' balance is soon used up."""
    for number in range(sales):
        await till.desk.cash_out(number, platform_fee_sats=3_000)
    await till.desk.distribute()


async def test_a_poison_target_costs_its_leg_a_try_and_no_place(
    owed: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own program trips over what an LP gave as its target. Nothing was stored, so nothing can have left: the leg
    is tried spaced out and fails like one whose target is away. Its place is free at once: with places for two legs
    only, all the others are paid."""
    monkeypatch.setattr(payer_module, "MAX_LEGS_IN_HAND", 2)
    bank.poison.add(BEN)
    async with paying(owed, bank) as payer:
        await count(owed, COMPLETED, is_=2)  # the platform's and ana's: the partner is our own wallet
        for tries in (1, 2):
            await count(owed, "SELECT count(*) FROM legs WHERE id = 4 AND tries = ?", tries, is_=1)
            assert (await owed.leg(4)).reason == "a fault of this program: its log says more"
            owed.advance(61)
            await owed.desk.tx(lambda tx: tx.touch("legs"))
        await count(owed, "SELECT count(*) FROM legs WHERE id = 4 AND status = 'failed'", is_=1)
        assert (payer.held, payer._payees) == (set(), {})
    assert bank.asked.count(BEN) == POLICY.max_attempts


async def test_before_its_first_payment_a_wallet_shows_what_it_has_sent(owed: Till, bank: Bank) -> None:
    """It may have paid this for books that are lost. It is asked once: before later payments there is no need."""
    now = owed.now
    bank.sent = [row(payment_hash="ab" * 32, amount=75_000_000, state="settled", created_at=now, settled_at=now)]
    async with paying(owed, bank):
        await count(owed, COMPLETED, is_=2)
        await count(owed, "SELECT count(*) FROM legs WHERE id = 3 AND reason = ?", forgotten.ASIDE, is_=1)
        asked = bank.listed
        await sell(owed, 1)
        await count(owed, COMPLETED, is_=3)
    assert bank.listed == asked > 0
    assert "ana@example.com" not in bank.paid


async def test_a_wallet_that_shows_no_list_is_asked_again_after_a_while(
    owed: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is paid from all the same, and not asked any more."""
    asked = list[int]()

    async def unread(_: WalletClient, since: int) -> tuple[Listing, Listing]:
        asked.append(since)
        raise WalletSilent("no answer")

    async def have_asked(times: int = 1) -> bool:
        return len(asked) == times

    monkeypatch.setattr(payer_module, "read_sent", unread)
    async with paying(owed, bank) as payer:
        await becomes(have_asked, "the list is asked for")
        for _ in range(3):
            payer._bell.ring()
            await asyncio.sleep(0.01)
        assert len(asked) == 1
        assert bank.paid == []
        for number, seconds in enumerate(payer_module.SEARCH_AGAIN_SECONDS, start=2):
            owed.advance(seconds)
            payer._bell.ring()
            await becomes(partial(have_asked, number), "the list is asked for again")
        await count(owed, COMPLETED, is_=3)
        assert ["is paid from all the same" in text for text in await owed.told()] == [True]
    assert len(asked) == 1 + len(payer_module.SEARCH_AGAIN_SECONDS)


async def test_a_payment_to_ourselves_is_refused_before_anything_is_asked(owed: Till, bank: Bank) -> None:
    """The partner gave the address of a wallet that we pay from."""
    async with paying(owed, bank):
        await count(owed, COMPLETED, is_=3)
    assert "me@example.com" not in bank.asked
    assert "a payment to ourselves" in str((await owed.leg(2)).reason)


async def test_a_payee_with_many_legs_holds_up_nobody(till: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's server hangs, and twelve legs to it are the oldest. With places for eight, they would be taken by
    them, one after the other; so one payee has four at most, and the others are paid meanwhile."""
    monkeypatch.setattr(payer_module, "MAX_LEGS_IN_HAND", 8)
    back = bank.away[PLATFORM] = asyncio.Event()
    await sell(till, 12)
    async with paying(till, bank):
        await count(till, "SELECT count(*) FROM legs WHERE lp_id IS NOT NULL AND status = 'completed'", is_=2)
        await count(till, "SELECT count(*) FROM legs WHERE type = 'operator_split' AND tries = 1", is_=12)
        assert bank.asked.count(PLATFORM) == MAX_LEGS_OF_ONE_PAYEE
        back.set()
        await count(till, COMPLETED, is_=14)


async def test_a_payee_who_holds_its_payments_holds_up_nobody(
    till: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where the platform gives its invoices at once and then lets the payments hang in the wallet."""
    monkeypatch.setattr(payer_module, "MAX_LEGS_IN_HAND", 8)
    bank.held.add(PLATFORM)
    await sell(till, 12)
    async with paying(till, bank):
        await count(till, "SELECT count(*) FROM legs WHERE type = 'operator_split' AND tries = 1", is_=12)
        await count(till, COMPLETED, is_=2)
        assert bank.paid.count(PLATFORM) == MAX_LEGS_OF_ONE_PAYEE


async def test_a_held_leg_shows_and_the_others_go_on(owed: Till, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours after an invoice was stored: nobody knows what it did, so this run touches the leg no more, and
    says so. The next start takes it up where the database has it."""
    real = WalletClient.prepare_pay

    def trips(self: WalletClient, invoice: str, **more: Any) -> SignedRequest:
        if more["metadata"]["leg"] == "P3":
            raise RuntimeError("a fault of ours")
        return real(self, invoice, **more)

    monkeypatch.setattr(WalletClient, "prepare_pay", trips)
    async with paying(owed, bank) as payer:
        await count(owed, COMPLETED, is_=2)
        await becomes(lambda: held(payer, {3}), "P3 is held")
        owed.advance(120)
        await owed.desk.tx(lambda tx: tx.touch("legs"))
        await asyncio.sleep(0.05)
        assert payer.held == {3}
    assert await owed.desk.count("SELECT count(*) FROM attempts WHERE leg_id = 3 AND state = 'ready'") == 1
    monkeypatch.setattr(WalletClient, "prepare_pay", real)
    async with paying(owed, bank) as payer:
        await count(owed, "SELECT count(*) FROM legs WHERE id = 3 AND status = 'completed'", is_=1)
    assert bank.asked.count("ana@example.com") == 1


async def held(payer: Payer, legs: set[int]) -> bool:
    return payer.held == legs


async def test_one_leg_at_a_time_after_a_pause(till: Till, bank: Bank) -> None:
    """The wallet refused and shows no reason for it: each further refusal would leave one more payment in doubt. So
    one leg is tried, and while it is under way no other is even fetched; once it is paid, all are, side by side."""
    await sell(till, 6)
    await till.desk.tx(lambda tx: wallets.pause(tx, "main", "revoked", 0, till.now))
    await till.desk.tx(lambda tx: wallets.resume(tx, "main"))
    gate = bank.away[PLATFORM] = asyncio.Event()
    async with paying(till, bank):
        await becomes(lambda: asked(bank, 1), "one payee is asked")
        for _ in range(3):
            await till.desk.tx(lambda tx: tx.touch("legs"))
            await asyncio.sleep(0.02)
        assert bank.asked == [PLATFORM]
        gate.set()
        await count(till, COMPLETED, is_=8)


async def asked(bank: Bank, times: int) -> bool:
    return len(bank.asked) == times


async def test_after_a_pause_a_leg_that_gets_no_answer_makes_room_for_the_next(owed: Till, bank: Bank) -> None:
    """It may be this one payment that the wallet can't make."""
    bank.silent_about.add("pay_invoice")
    await owed.desk.tx(lambda tx: wallets.pause(tx, "main", "revoked", 0, owed.now))
    await owed.desk.tx(lambda tx: wallets.resume(tx, "main"))
    async with paying(owed, bank, timeout_seconds=0.05):
        await count(owed, "SELECT count(*) FROM attempts WHERE state = 'sent'", is_=3)
    assert (await owed.leg(1)).status is LegStatus.PENDING


async def test_a_paused_wallet_is_left_alone(owed: Till, bank: Bank) -> None:
    await owed.desk.tx(lambda tx: wallets.pause(tx, "main", "quota", 0, owed.now))
    async with paying(owed, bank):
        await asyncio.sleep(0.05)
    assert bank.asked == []


async def test_what_somebody_holds_takes_nobodys_place(owed: Till, bank: Bank) -> None:
    """Ana is frozen while an invoice of hers is ready to leave, and the wallet pays one leg at a time: the others have
    their turns. When its time is over the invoice is dropped, as it would be if it had never been held."""
    await owed.ready(3, 1)
    await owed.desk.tx(lambda tx: switches.say(tx, switches.of_lp(1), Switch(True, owed.now, BOSS, None)))
    await owed.desk.tx(lambda tx: wallets.pause(tx, "main", "revoked", 0, owed.now))
    await owed.desk.tx(lambda tx: wallets.resume(tx, "main"))
    async with paying(owed, bank):
        await count(owed, COMPLETED, is_=2)
        owed.advance(3_600)
        await owed.desk.tx(lambda tx: tx.touch("legs"))
        await count(owed, "SELECT count(*) FROM attempts WHERE state = 'dropped'", is_=1)
