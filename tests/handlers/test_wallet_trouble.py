"""A wallet that can't pay stops trying, tells its operator once, and goes on by itself only when that makes sense."""

from __future__ import annotations

import pytest

from handlers import wallet_trouble
from handlers.payment import Go
from ledger.states import AttemptState
from nwc.messages import ErrorAnswer
from storage import attempts, wallets
from storage.wallets import Wallet
from tests.handlers.desk import BOSS
from tests.handlers.till import Till
from tests.ledger.build import hash_of

MINUTE, HOUR = 60, 3_600
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
