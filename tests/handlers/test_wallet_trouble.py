"""A wallet that can't pay stops trying, tells its operator once, and goes on by itself only when that makes sense."""

from __future__ import annotations

import pytest

from handlers import wallet_trouble
from handlers.payment import Go
from handlers.wallet_test import found_text
from ledger.decide.attempt import WalletProfile, resend_due
from ledger.states import AttemptState, EvidenceClass, LegStatus
from nwc.messages import ErrorAnswer
from nwc.profile import Found, Looks
from storage import attempts, wallets
from storage.wallets import Wallet
from tests.handlers.desk import BOSS, SETTINGS
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

MINUTE, HOUR = 60, 3_600
POLICY = SETTINGS.payments.attempt
CODES = {
    "INSUFFICIENT_BALANCE": "no_balance",
    "QUOTA_EXCEEDED": "quota",
    "RESTRICTED": "revoked",
    "UNAUTHORIZED": "revoked",
    "RATE_LIMITED": "rate_limited",
}


async def wallet(till: Till, name: str = "main") -> Wallet:
    found = await till.desk.tx(lambda tx: wallets.get(tx, name))
    assert found is not None
    return found


async def paused(till: Till) -> str | None:
    found = await wallet(till)
    assert (found.paused_at is None) == (found.paused_reason is None)
    return found.paused_reason


async def refuse(till: Till, code: str, *, leg_id: int = 3, number: int = 1) -> None:
    """One leg is sent and the wallet answers with this code."""
    await till.answer(await till.sent(leg_id, number), code)


async def pause_again(till: Till, reason: str, missing_sats: int = 0) -> None:
    """The wallet refuses one more time, as soon as it was let go."""
    assert await till.desk.tx(lambda tx: wallets.pause(tx, "main", reason, missing_sats * 1_000, till.now))


@pytest.mark.parametrize(("code", "reason"), CODES.items())
async def test_each_code_that_stops_a_wallet(owed: Till, code: str, reason: str) -> None:
    """The refused payment itself stays in doubt: it is looked up like any other. The other legs burn no invoices."""
    await refuse(owed, code)
    assert await paused(owed) == reason
    assert (await owed.attempt(1)).state is AttemptState.SENT
    assert await owed.open(1) is Go.LATER
    told = await owed.told()
    assert len(told) == 1
    assert "P3" in told[0] or reason == "rate_limited"
    assert (await wallet(owed, "second")).paused_at is None


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("OTHER", "Insufficient balance", "no_balance"),
        ("PAYMENT_FAILED", "not enough funds", "no_balance"),
        ("INTERNAL", "not enough sats in wallet", "no_balance"),
        ("PAYMENT_FAILED", "no route", None),
        ("INTERNAL", "payment is already pending", None),
        ("NOT_FOUND", "", None),
        ("RATE_LIMITED", "insufficient patience", "rate_limited"),
    ],
)
def test_what_wallets_say_in_words(code: str, message: str, reason: str | None) -> None:
    assert wallet_trouble.pause_reason(ErrorAnswer(code, message)) == reason


async def test_the_operator_learns_how_much_is_missing(owed: Till) -> None:
    """All that is owed, less what the wallet has, where its balance explains the refusal. Filling in that is enough."""
    await owed.balance(8_000)
    await refuse(owed, "INSUFFICIENT_BALANCE")
    assert "about 100,000 sats are missing" in (await owed.told())[0]
    assert (await wallet(owed)).missing_msat == 75_000_000 + 750_000 + 10_000
    await owed.balance(8_000)
    await owed.balance(108_000)
    assert await paused(owed) is None
    assert len(await owed.told()) == 2


async def test_the_operator_is_told_once_an_hour(owed: Till) -> None:
    """A wallet that refuses, is tried again and refuses: one message, not one for every turn. Nor is the end told of
    a pause that nobody was told of."""
    for turn in range(4):
        await refuse(owed, "RESTRICTED", leg_id=turn + 1, number=turn + 1)
        assert await paused(owed) == "revoked"
        owed.advance(MINUTE)
        await owed.balance(1_000, granted=True)
        assert await paused(owed) is None
    assert len(await owed.told()) == 2
    owed.advance(HOUR)
    assert await owed.desk.cash_out(2, platform_fee_sats=3_000) == 2
    await owed.desk.distribute()
    await refuse(owed, "RESTRICTED", leg_id=5, number=5)
    assert len(await owed.told()) == 3


async def test_each_cause_is_told_of_for_itself(owed: Till) -> None:
    """The connection was denied, then allowed again, and ten seconds later its budget was used up: who was told of
    the one knows nothing of the other. Of one that comes again after `resume` he is told again, too."""
    for number, (code, words) in enumerate(
        [("UNAUTHORIZED", "revoked"), ("QUOTA_EXCEEDED", "budget"), ("UNAUTHORIZED", "revoked")], 1
    ):
        before = len(await owed.told())
        await refuse(owed, code, leg_id=number, number=number)
        (told,) = (await owed.told())[before:]
        assert words in told
        await owed.desk.told(BOSS, "resume")
        owed.advance(10)


async def test_a_rotated_connection_is_told_of_anew(owed: Till) -> None:
    """What was told was said of the connection before."""
    known = await wallet(owed)
    keys = {"wallet_pubkey": known.wallet_pubkey, "client_pubkey": known.client_pubkey[::-1]}
    await refuse(owed, "UNAUTHORIZED", leg_id=1, number=1)
    await owed.desk.tx(lambda tx: wallets.register(tx, "main", now=owed.now, **keys))
    await refuse(owed, "UNAUTHORIZED", leg_id=2, number=2)
    assert len(await owed.told()) == 2


async def test_a_second_refusal_while_paused_is_no_news(owed: Till) -> None:
    """Several payments were under way when the first was refused: one pause, with the time of the first."""
    first, second = await owed.sent(3, 1), await owed.sent(4, 2)
    await owed.answer(first, "QUOTA_EXCEEDED")
    before = await wallet(owed)
    owed.advance(5)
    await owed.answer(second, "INSUFFICIENT_BALANCE")
    assert await wallet(owed) == before
    assert len(await owed.told()) == 1


async def test_a_broke_wallet_goes_on_when_it_is_filled(owed: Till) -> None:
    """At once, not after a hold: the balance shows why it refused and that this is over."""
    await refuse(owed, "INSUFFICIENT_BALANCE")
    for sats in (0, 70_000, 75_759):
        await owed.balance(sats)
        assert await paused(owed) == "no_balance"
    await owed.balance(75_760)
    assert await paused(owed) is None
    assert "75,760 sats: payments from it go on" in (await owed.told())[-1]


async def test_a_balance_that_contradicts_the_refusal_is_no_reason_to_go_on(owed: Till) -> None:
    """`INSUFFICIENT_BALANCE` from a wallet that shows plenty (no outbound liquidity, a reserve it does not tell of).
    Each turn would cost a payment its day in doubt: so it is tried again after a minute, then two, then four …"""
    now, holds = owed.now, []
    await refuse(owed, "INSUFFICIENT_BALANCE")
    for _ in range(9):
        started = owed.now
        while await paused(owed):
            await owed.balance(10_000_000)
            owed.advance(MINUTE if await paused(owed) else 0)
        holds.append((owed.now - started) // MINUTE)
        await pause_again(owed, "no_balance", 75_760)
    assert holds == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert owed.now > now


async def test_money_that_comes_in_ends_a_pause_that_the_balance_contradicted(owed: Till) -> None:
    """More than at its first look is a change, and may be what was missing."""
    await refuse(owed, "INSUFFICIENT_BALANCE")
    await owed.balance(200_000)
    await owed.balance(199_999)
    assert await paused(owed) == "no_balance"
    await owed.balance(200_001)
    assert await paused(owed) is None


async def test_each_pause_compares_with_its_own_first_balance(owed: Till) -> None:
    """What the wallet had in an earlier pause says nothing about this one."""
    await refuse(owed, "INSUFFICIENT_BALANCE")
    await owed.balance(10_000)
    await owed.balance(300_000)
    assert await paused(owed) is None
    await pause_again(owed, "no_balance", 75_760)
    await owed.balance(300_000)
    await owed.balance(300_000)
    assert await paused(owed) == "no_balance"


async def test_a_revoked_connection_that_is_granted_again(owed: Till) -> None:
    """It denied even its balance, and now tells it: somebody allowed it again. A balance that it told all along says
    nothing, so then it is held."""
    await refuse(owed, "RESTRICTED")
    await owed.balance(1_000)
    assert await paused(owed) == "revoked"
    await owed.balance(1_000, granted=True)
    assert await paused(owed) is None
    await pause_again(owed, "revoked")
    await owed.balance(1_000)
    owed.advance(2 * MINUTE - 1)
    await owed.balance(10_000_000)
    assert await paused(owed) == "revoked"
    owed.advance(1)
    await owed.balance(1_000)
    assert await paused(owed) is None


async def test_a_wallet_that_asks_us_to_slow_down(owed: Till) -> None:
    """It said nothing about money: a short hold, longer each time."""
    await refuse(owed, "RATE_LIMITED")
    holds = []
    for _ in range(4):
        started = owed.now
        while await paused(owed):
            owed.advance(1)
            await owed.balance(0)
        holds.append(owed.now - started)
        await pause_again(owed, "rate_limited")
    assert holds == sorted(set(holds))
    assert holds[-1] == 8 * holds[0]


async def test_a_quota_ends_by_resume_alone(owed: Till) -> None:
    """No balance shows whether the connection's budget was raised."""
    await refuse(owed, "QUOTA_EXCEEDED")
    owed.advance(30 * 86_400)
    await owed.balance(21_000_000, granted=True)
    assert await paused(owed) == "quota"
    assert (await wallet(owed)).balance_msat == 21_000_000_000
    await owed.desk.told(BOSS, "resume")
    assert await paused(owed) is None
    assert (await wallet(owed)).pauses == 0


async def test_one_leg_at_a_time_until_one_is_paid(owed: Till) -> None:
    """`pauses` is what the payer goes by: it counts refusals in a row, through every resumption that was not said by
    a person, until a payment of this wallet is proven."""
    await refuse(owed, "INSUFFICIENT_BALANCE")
    await owed.balance(0)
    await owed.balance(80_000)
    assert (await wallet(owed)).pauses == 1
    await pause_again(owed, "revoked")
    await owed.balance(80_000, granted=True)
    assert (await wallet(owed)).pauses == 2
    await owed.paid(1, 7)
    assert (await wallet(owed)).pauses == 0


async def test_resuming_one_machine_tries_its_wallet_again(owed: Till) -> None:
    await refuse(owed, "QUOTA_EXCEEDED")
    await owed.desk.told(BOSS, "resume sintra")
    assert await paused(owed) is None


async def test_an_error_about_what_is_over_pauses_nothing(owed: Till) -> None:
    """The first request was lost, the second paid, and now the answer to the first comes: the payment is settled, so
    its error says nothing about the wallet of today. Nor does an error about what was released long ago."""
    request = await owed.sent(3, 1)
    await owed.learn(1)
    assert await owed.answer(request, "INSUFFICIENT_BALANCE") == (hash_of(1), True)
    assert await paused(owed) is None
    late = await owed.sent(4, 2)
    await owed.release(2)
    assert await owed.answer(late, "QUOTA_EXCEEDED") == (hash_of(2), True)
    assert await paused(owed) is None
    assert await owed.told() == []


@pytest.mark.parametrize("code", ["QUOTA_EXCEEDED", "RESTRICTED", "RATE_LIMITED"])
async def test_an_old_answer_brought_again_pauses_nothing(owed: Till, code: str) -> None:
    """A relay that keeps what it should not delivers yesterday's refusal after every restart."""
    request = await owed.sent(3, 1)
    assert await owed.answer(request, code) == (hash_of(1), True)
    await owed.desk.told(BOSS, "resume")
    for _ in range(3):
        owed.advance(HOUR)
        assert await owed.answer(request, code) == (hash_of(1), False)
        assert await paused(owed) is None


async def test_a_refused_payment_is_looked_at_when_the_wallet_pays_again(owed: Till) -> None:
    """Its next look-up may be minutes away by then."""
    await refuse(owed, "INSUFFICIENT_BALANCE")
    await owed.desk.tx(lambda tx: attempts.check_again(tx, hash_of(1), owed.now + 300, counts=True))
    owed.advance(10)
    await owed.balance(0)
    await owed.balance(80_000)
    assert (await owed.attempt(1)).next_check_at == owed.now


@pytest.mark.parametrize("code", CODES)
async def test_what_a_wallet_did_not_even_try_may_be_said_again(owed: Till, code: str) -> None:
    """The same bytes, once it pays again, while they live: what it refused costs a payment no more than that."""
    request = await owed.sent(3, 1)
    await owed.answer(request, code)
    owed.advance(POLICY.resend[0])
    assert await due(owed) is None
    await owed.desk.told(BOSS, "resume")
    assert await due(owed) == request.id
    owed.advance(POLICY.request_life)
    assert await due(owed) is None


async def test_a_wallet_that_refuses_what_was_said_again_is_paused_again(owed: Till) -> None:
    """Told again, for it was resumed by hand. An answer that comes twice counts once."""
    request = await owed.sent(3, 1)
    await owed.answer(request, "RATE_LIMITED")
    await owed.desk.told(BOSS, "resume")
    assert await owed.answer(request, "RATE_LIMITED") == (hash_of(1), False)
    assert await paused(owed) is None
    owed.advance(POLICY.resend[0])
    await owed.desk.tx(lambda tx: attempts.set_published(tx, request.id, owed.now))
    owed.advance(1)
    assert await owed.answer(request, "RATE_LIMITED") == (hash_of(1), True)
    assert await paused(owed) == "rate_limited"
    assert len(await owed.told()) == 2


@pytest.mark.parametrize("groundless", [True, False])
async def test_a_payment_that_is_always_refused_ends(owed: Till, groundless: bool) -> None:
    """The wallet has enough and says that it has not, for it finds no way to this payee: each such refusal is a try in
    the end. A real lack is none, nor is it while another payment may be taking the sats."""
    for number in range(3, 3 + owed.policy.max_attempts):
        request = await owed.sent(3, number)
        await owed.answer(request, "INSUFFICIENT_BALANCE")
        await owed.balance(5_000_000 if groundless else 75_000)
        owed.advance(4_000)
        await owed.balance(5_000_000)
        await owed.release(number)
        owed.advance(300)
    leg = await owed.leg(3)
    assert (leg.status, leg.tries) == (
        (LegStatus.FAILED, owed.policy.max_attempts - 1) if groundless else ("pending", 0)
    )


async def test_what_is_on_its_way_may_be_what_the_wallet_lacks(owed: Till) -> None:
    """75,000 of its 100,000 sats are under way, and it tells them as its own until they have arrived."""
    await owed.sent(3, 3)
    request = await owed.sent(4, 4)
    await owed.answer(request, "INSUFFICIENT_BALANCE")
    await owed.balance(100_000)
    await owed.release(4)
    assert (await owed.leg(4)).tries == 0


async def due(till: Till) -> str | None:
    """The request that is to be published again now."""
    found = await till.desk.tx(lambda tx: attempts.dossier(tx, hash_of(1), -1))
    assert found is not None
    request = resend_due(found, till.now, POLICY)
    return request.event_id if request else None


@pytest.mark.parametrize("by", ["rule", "operator"])
@pytest.mark.parametrize(("code", "tries"), [("INSUFFICIENT_BALANCE", 0), ("QUOTA_EXCEEDED", 0), ("PAYMENT_FAILED", 1)])
async def test_what_a_wallet_did_not_even_try_uses_up_no_try(owed: Till, code: str, tries: int, by: str) -> None:
    """Empty for so long that the invoice is given up: that was no fault of the payee."""
    await refuse(owed, code)
    if by == "rule":
        await owed.release(1)
    else:
        owed.advance(HOUR)
        await owed.desk.ask(BOSS, "payment.release", confirm=True, payment="P3", hash_end=hash_of(1)[-8:], reason="x")
    assert (await owed.leg(3)).tries == tries
    await owed.desk.told(BOSS, "resume")
    owed.advance(HOUR)
    await owed.paid(3, 2)


# --- wallets that can't be followed up, or are not there -----------------------------------------------------------


async def offer(till: Till, *missing: str) -> None:
    await till.desk.tx(lambda tx: wallet_trouble.offer_seen(tx, "main", missing, {BOSS}, till.now))


async def test_a_wallet_that_can_not_be_followed_up(owed: Till) -> None:
    """Told once; no balance makes it fit, nor does `resume`; what it offers does."""
    await offer(owed, "list_transactions", "lookup_invoice")
    assert await owed.open(1) is Go.LATER
    assert (await owed.desk.ask(BOSS, "payment.show", payment="P1"))["next"]["step"] == "wait_for_wallet"
    owed.advance(30 * 86_400)
    await owed.balance(10_000_000, granted=True)
    assert await paused(owed) == "unfit"
    assert "does not offer list_transactions, lookup_invoice" in (await owed.told())[0]
    owed.advance(-30 * 86_400)
    await owed.desk.told(BOSS, "resume")
    await offer(owed, "list_transactions", "lookup_invoice")
    assert await paused(owed) == "unfit"
    assert len(await owed.told()) == 1
    await offer(owed)
    assert await paused(owed) is None
    assert (await owed.told())[1:] == ["Wallet main offers all that is needed now: payments from it go on."]
    await owed.paid(1, 1)


async def test_a_wallet_that_is_fit_stays_paused_for_what_else_it_lacks(owed: Till) -> None:
    await refuse(owed, "QUOTA_EXCEEDED")
    await offer(owed, "lookup_invoice")
    await offer(owed)
    assert await paused(owed) == "quota"
    await owed.desk.tx(lambda tx: wallet_trouble.offer_seen(tx, "nobody", ("x",), {BOSS}, owed.now))
    assert len(await owed.told()) == 1


async def connections(till: Till, *configured: str) -> None:
    await till.desk.tx(lambda tx: wallet_trouble.connections_seen(tx, configured, {BOSS}, till.now))


async def test_a_wallet_that_was_taken_out_with_payments_open(owed: Till) -> None:
    """Its operators are told once for each time, at the start; the payments say what they wait for."""
    await owed.sent(3, 1)
    await connections(owed, "second")
    await connections(owed, "second")
    told = (await owed.told())[-1].splitlines()
    assert len(await owed.told()) == 1
    assert told[0].startswith("The connection of wallet main is no longer in the configuration")
    assert told[1] == "payments: 4, of them in doubt: 1"
    for payment in ("P1", "P3"):
        found = await owed.desk.ask(BOSS, "payment.show", payment=payment)
        assert found["next"] == {"step": "wait_for_connection", "at": None}
    assert "wallet main is not in the configuration" in await owed.desk.told(BOSS, "show P3")
    await owed.balance(10_000_000)
    assert await paused(owed) == "gone"
    owed.advance(2 * HOUR)
    items = (await owed.desk.ask(BOSS, "worklist"))["buckets"]["stuck_processing"]
    assert [item["reason"] for item in items] == ["wallet main is not in the configuration: put its connection back"]
    await connections(owed, "main", "second")
    assert await paused(owed) is None
    await connections(owed, "second")
    assert len(await owed.told()) == 2


async def test_a_wallet_that_was_taken_out_with_nothing_open(owed: Till) -> None:
    await connections(owed, "main")
    assert await owed.told() == []
    assert (await wallet(owed, "second")).paused_at is None


async def test_unproven_settlements_of_a_wallet_that_was_taken_out(owed: Till) -> None:
    """The other reason for which an unfit wallet becomes one that is gone."""
    for leg_id in range(1, 5):
        await owed.paid(leg_id, leg_id)
    await owed.receive(report("ab" * 32))
    await offer(owed, "lookup_invoice")
    await connections(owed)
    assert (await owed.told())[-1].splitlines()[1] == "settlements not proven: 1"
    owed.advance(2 * HOUR)
    items = (await owed.desk.ask(BOSS, "worklist"))["buckets"]["unverified"]
    assert [item["reason"] for item in items] == ["wallet main is not in the configuration: put its connection back"]


async def test_payments_that_no_settlement_shows(owed: Till) -> None:
    """A payout by order that can't be made is on the worklist once it is overdue, with what it waits for."""
    desk = owed.desk
    made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="500")
    await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await desk.ask(BOSS, "lp.settle", confirm=True, machine="sintra", lp="ana", rate="50", amount="100")
    leg_id = await desk.count("SELECT max(id) FROM legs")

    async def listed() -> list[tuple[str, str]]:
        buckets = (await desk.ask(BOSS, "worklist"))["buckets"]
        counted = (await desk.ask(BOSS, "status"))["worklist"]
        assert {name: len(items) for name, items in buckets.items()} == counted
        return [(each["id"], each["reason"]) for each in buckets["stuck_processing"] if each["id"] == f"P{leg_id}"]

    assert await listed() == []
    owed.advance(31 * MINUTE)
    assert await listed() == [(f"P{leg_id}", "settlement: pending")]
    await desk.ask(BOSS, "target.freeze", lp="ana")
    assert await listed() == [(f"P{leg_id}", "settlement: payments to it are stopped")]
    await desk.ask(BOSS, "target.unfreeze", lp="ana")
    await owed.sent(leg_id, 7)
    assert await listed() == [(f"P{leg_id}", "settlement: its wallet has not said what became of it")]
    await owed.learn(7, EvidenceClass.CLAIM)
    assert await listed() == [(f"P{leg_id}", "settlement: its wallet says paid, without proof")]
    await owed.learn(7)
    assert await listed() == []


# --- profiles ------------------------------------------------------------------------------------------------------


async def test_a_profile_that_is_found_holds_for_what_is_sent_later(owed: Till) -> None:
    """What was sent before may have been sent by another wallet behind the same connection, and waits the longest. The
    word of the configuration holds for everything."""

    async def judged() -> list[tuple[WalletProfile, bool]]:
        found = [await owed.desk.tx(lambda tx, n=n: attempts.dossier(tx, hash_of(n), -1)) for n in (1, 2)]  # type: ignore[misc]
        return [(each.profile, each.repays) for each in found if each is not None]

    async def find(profile: WalletProfile, *, repays: bool) -> None:
        text = found_text(Found(Looks.LNBITS, profile, repays), preimages=True, metadata=None, now=owed.now)
        await owed.desk.tx(lambda tx: wallets.find_profile(tx, "main", profile, text, repays=repays, now=owed.now))

    unknown, lnbits, lnd = WalletProfile.UNKNOWN, WalletProfile.LNBITS, WalletProfile.ALBY_LND
    await owed.sent(1, 1)
    await find(lnbits, repays=False)
    owed.advance(1)
    await owed.sent(2, 2)
    assert await judged() == [(unknown, False), (lnbits, False)]
    owed.advance(HOUR)
    await find(lnbits, repays=False)
    assert await judged() == [(unknown, False), (lnbits, False)]
    await find(unknown, repays=True)
    assert await judged() == [(unknown, True), (unknown, True)]
    await owed.desk.tx(lambda tx: wallets.set_profile(tx, "main", lnd))
    assert await judged() == [(lnd, True), (lnd, True)]
    await owed.desk.tx(lambda tx: wallets.forget_named_profile(tx, "main"))
    assert await judged() == [(unknown, True), (unknown, True)]
    await find(lnbits, repays=False)
    await owed.desk.tx(lambda tx: wallets.forget_named_profile(tx, "main"))
    assert (await wallet(owed)).profile is lnbits


async def test_a_profile_that_is_found_by_a_clock_that_went_back(owed: Till) -> None:
    """What is open was sent by a clock that was ahead: by the times it would come after the profile."""
    await owed.sent(3, 3)
    owed.advance(-HOUR)
    await owed.desk.tx(
        lambda tx: wallets.find_profile(tx, "main", WalletProfile.LNBITS, "{}", repays=False, now=owed.now)
    )
    found = await owed.desk.tx(lambda tx: attempts.dossier(tx, hash_of(3), -1))
    assert found is not None
    assert found.profile is WalletProfile.UNKNOWN
