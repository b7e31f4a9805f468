"""`lp settle` in the books: fiat is reserved once, paid once, and free again when the payment fails."""

from __future__ import annotations

from decimal import Decimal

import pytest

from handlers import lp_settle, settlement_orders
from handlers.lp_settle import Wanted
from handlers.payment import Go
from ledger.errors import Code, Refusal
from ledger.model import Leg
from ledger.states import AttemptState, EvidenceClass, LegStatus, LegType
from storage import legs, lps, machines
from storage.db import Tx
from tests.handlers.desk import ANA, BOSS, EVE, SETTINGS
from tests.handlers.test_settlement_orders import balance, free, worklist
from tests.handlers.till import Till

A, E, L = AttemptState, EvidenceClass, LegStatus


async def settle(
    till: Till, lp: str = "ana", *, rate: str = "50", fiat_minor: int | None = None, wallet: str | None = None
) -> Leg:
    """Looked at and given in one transaction: what the look said is what is done."""
    wanted = Wanted(Decimal(rate), fiat_minor, wallet)

    def work(tx: Tx) -> Leg:
        at, who = machines.by_name(tx, "sintra"), lps.by_name(tx, lp)
        assert at is not None
        assert who is not None
        seen = lp_settle.check(tx, at, who, wanted, configured=SETTINGS.wallets, now=till.now)
        done, leg = lp_settle.settle(
            tx, at, who, wanted, configured=SETTINGS.wallets, note="he moves away", by=BOSS, now=till.now
        )
        assert done == seen
        return leg

    return await till.desk.tx(work)


async def refused(
    till: Till, lp: str = "ana", *, rate: str = "50", fiat_minor: int | None = None, wallet: str | None = None
) -> tuple[Code, str | None]:
    with pytest.raises(Refusal) as caught:
        await settle(till, lp, rate=rate, fiat_minor=fiat_minor, wallet=wallet)
    return caught.value.code, caught.value.field


async def test_all_that_remains_is_paid_at_the_rate(till: Till) -> None:
    leg = await settle(till, rate="51.5")
    assert (leg.id, leg.type, leg.amount_sats, leg.fiat_minor) == (1, LegType.SETTLEMENT, 77_250, 150_000)
    assert (leg.settlement_id, leg.wallet, leg.target) == (None, "main", "ana@example.com")
    assert await free(till) == [0, 50_000]
    assert await refused(till) == (Code.BAD_STATE, "lp")
    assert await balance(till, "equity:kept:m1") == 77_250_000
    assert await balance(till, "liabilities:payable:lp:1") == -77_250_000
    payable = await till.desk.tx(lambda tx: legs.payable(tx, "main", till.now, 10, (), 10))
    assert [each.id for each in payable] == [1]
    await till.paid(1, 1)
    assert await balance(till, "liabilities:lp:l1:m1", "GTQ") == 0
    assert await balance(till, "assets:wallet:main") == -77_250_000
    assert ("lp settle", "P1") in await till.desk.audit()


async def test_in_part_and_capped_at_what_remains(till: Till) -> None:
    assert (await settle(till, fiat_minor=60_000)).amount_sats == 30_000
    assert await free(till) == [90_000, 50_000]
    assert (await settle(till, fiat_minor=99_999_999)).fiat_minor == 90_000
    await till.paid(1, 1)
    await till.paid(2, 2)
    assert await balance(till, "liabilities:lp:l1:m1", "GTQ") == 0


async def test_what_is_reserved_no_sale_can_spend(till: Till) -> None:
    """And what a sale has reserved can't be paid out."""
    await settle(till, fiat_minor=100_000)
    await till.desk.cash_out()
    await till.desk.distribute()
    assert await free(till) == [0, 0]
    shares = [
        (leg.lp_id, leg.fiat_minor) for leg in await till.desk.tx(lambda tx: legs.of_settlement(tx, 1)) if leg.lp_id
    ]
    assert shares == [(1, 50_000), (2, 50_000)]
    assert await refused(till) == (Code.BAD_STATE, "lp")


async def test_from_another_wallet(till: Till) -> None:
    leg = await settle(till, wallet="second")
    assert leg.wallet == "second"
    assert await till.desk.tx(lambda tx: legs.payable(tx, "main", till.now, 10, (), 10)) == []
    await till.paid(1, 1)
    assert (await till.attempt(1)).wallet == "second"
    assert await balance(till, "assets:wallet:second") == -75_000_000
    assert await refused(till, "ben", wallet="third") == (Code.BAD_REQUEST, "wallet")


async def test_what_fails_is_free_again_and_given_again(till: Till) -> None:
    await settle(till)
    await till.desk.fail_leg(1)
    assert await free(till) == [150_000, 50_000]
    assert await worklist(till) == [("errored", "P1", None)]
    assert await till.violations() == []
    leg = await settle(till, fiat_minor=60_000)
    assert ((await till.leg(1)).status, leg.id) == (L.VOIDED, 2)
    assert await worklist(till) == []
    assert await balance(till, "liabilities:payable:lp:1") == -30_000_000
    await till.paid(2, 2)


async def test_what_fails_can_be_given_up_without_another(till: Till) -> None:
    await settle(till)
    await till.desk.fail_leg(1)
    await till.desk.tx(lambda tx: settlement_orders.withdraw(tx, 1, by=BOSS, now=till.now))
    assert await worklist(till) == []
    assert await balance(till, "") == 0
    assert await free(till) == [150_000, 50_000]


async def test_not_while_the_wallet_may_have_paid_it(till: Till) -> None:
    """The failed one is claimed to be paid: its fiat is free, but another one would pay it twice."""
    await settle(till)
    await till.sent(1, 1)
    await till.release(1)
    await till.desk.fail_leg(1)
    await till.learn(1, E.CLAIM)
    assert await refused(till) == (Code.UNRESOLVED_PAYMENT, "lp")
    assert await till.learn(1) is A.SETTLED
    assert (await till.leg(1)).status is L.COMPLETED
    assert await refused(till) == (Code.BAD_STATE, "lp")


async def test_late_proof_when_the_fiat_is_gone_is_a_credit(till: Till) -> None:
    """It failed and was ordered again; then both turn out paid. What ana got twice is set off from her next legs."""
    await settle(till)
    await till.sent(1, 1)
    await till.release(1)
    await till.desk.fail_leg(1)
    await settle(till)
    assert await till.learn(1) is A.SETTLED
    assert await balance(till, "assets:receivable:lp:1") == 75_000_000
    assert await till.open(2) is Go.DONE
    assert await balance(till, "assets:wallet:main") == -75_000_000


async def test_who_is_not_here_or_has_not_joined_gets_nothing(till: Till) -> None:
    await till.desk.ask(BOSS, "lp.add", machine="sintra", npub=EVE, name="eve")
    assert await refused(till, "eve") == (Code.NOT_ONBOARDED, "lp")
    await till.desk.tx(lambda tx: tx.run("DELETE FROM enrolments WHERE lp_id = 3"))
    assert await refused(till, "eve") == (Code.NOT_FOUND, "lp")
    assert await refused(till, rate="0") == (Code.BAD_REQUEST, "rate")
    assert await refused(till, fiat_minor=0) == (Code.BAD_REQUEST, "amount")


async def test_it_goes_where_the_lp_wants_it_by_now(till: Till) -> None:
    """A changed target is used once its cool-down is over, though nothing was shared out since."""
    await till.desk.ask(ANA, "prefs.set", confirm=True, target="new@example.com")
    assert (await settle(till, fiat_minor=100)).target == "ana@example.com"
    till.advance(till.desk.settings.target_cooldown_seconds)
    assert (await settle(till, fiat_minor=100)).target == "new@example.com"
