"""What a wallet may pay: in an hour, in a day, at once; and what may be paid for the way there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from handlers import payment
from handlers.payment import Go, PaymentPolicy
from ledger.states import AttemptState, EvidenceClass, LegStatus
from storage import attempts, legs
from tests.handlers.alarms.looking import look
from tests.handlers.desk import ANA, BOSS, Desk
from tests.handlers.till import POLICY, Till

CAPS = {"day": "max_day_sats", "hour": "max_hour_sats", "in_flight": "max_in_flight_sats"}


def capped(cap: str, sats: int) -> PaymentPolicy:
    return replace(POLICY, **{CAPS[cap]: sats})  # type: ignore[arg-type]


async def under_way(till: Till) -> int:
    """What may be leaving the wallet, and what left it."""
    return await till.desk.tx(
        lambda tx: (attempts.under_way_msat(tx, "main", stored=True) + attempts.settled_msat(tx, "main", 0)) // 1_000
    )


async def twenty_partners(till: Till) -> list[int]:
    """Twenty legs of 250 sats each."""
    await till.desk.ask(
        BOSS, "splits.set", legs=" + ".join(f"5% p{number}@example.com" for number in range(20)), confirm=True
    )
    await till.desk.cash_out(platform_fee_sats=0)
    await till.desk.distribute()
    ids = [
        leg_id for leg_id in range(1, 30) if (await till.desk.count("SELECT count(*) FROM legs WHERE id = ?", leg_id))
    ]
    return [leg_id for leg_id in ids if (await till.leg(leg_id)).amount_sats == 250]


async def another_sale(till: Till) -> None:
    """P5 to the platform, P6 to the partner, P7 to ana, P8 to ben."""
    for lp, amount in (("ana", "1500"), ("ben", "500")):
        made = await till.desk.ask(BOSS, "deposit.add", machine="sintra", lp=lp, amount=amount)
        await till.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await till.desk.cash_out(2, platform_fee_sats=3_000)
    await till.desk.distribute()


@pytest.mark.parametrize("cap", CAPS)
async def test_twenty_legs_side_by_side_pass_no_cap_together(till: Till, cap: str) -> None:
    """All are opened, fetched and sent at the same time by as many workers: 1,100 sats let four of 250 pass."""
    legs = await twenty_partners(till)
    assert len(legs) == 20
    till.policy = capped(cap, 1_100)
    most = 0

    async def pay(leg_id: int) -> bool:
        nonlocal most
        if await till.open(leg_id) is not Go.YES or await till.ready(leg_id, leg_id) is None:
            return False
        left = await till.send(leg_id)
        most = max(most, await under_way(till))
        return left

    paid = await asyncio.gather(*(pay(leg_id) for leg_id in legs))
    assert (sum(paid), most) == (4, 1_000)
    waiting = [leg for leg in [await till.leg(leg_id) for leg_id in legs] if leg.reason]
    assert len(waiting) == 16
    assert {(leg.tries, leg.reason) for leg in waiting} == {(0, waiting[0].reason)}
    assert "over the cap of 1,100 sats" in str(waiting[0].reason)
    (told,) = [text for text in await till.told() if "cap" in text]
    assert "1,100 sats" in told


@pytest.mark.parametrize("cap", CAPS)
async def test_a_leg_larger_than_a_cap_fails(owed: Till, cap: str) -> None:
    """No empty hour ever lets it pass. Once the cap is raised it is planned again; one that just fits goes."""
    owed.policy = capped(cap, 74_999)
    assert await owed.open(3) is Go.DONE
    leg = await owed.leg(3)
    assert leg.status is LegStatus.FAILED
    assert str(leg.reason).startswith("over the cap of 74,999 sats ")
    for leg_id in (1, 2, 4):
        await owed.paid(leg_id, leg_id)
        owed.advance(86_401)
    await owed.desk.ask(BOSS, "settlement.retry", settlement="S1")
    await owed.desk.distribute()
    owed.policy = capped(cap, 75_000)
    await owed.paid(await owed.desk.count("SELECT max(id) FROM legs"), 5)


@pytest.mark.parametrize(("cap", "seconds"), [("hour", 3_600), ("day", 86_400)])
async def test_time_frees_what_was_paid(owed: Till, cap: str, seconds: int) -> None:
    owed.policy = capped(cap, 80_000)
    await owed.paid(3, 3)
    assert await owed.open(4) is Go.LATER
    owed.advance(seconds - 1)
    assert await owed.open(4) is Go.LATER
    owed.advance(2)
    await owed.paid(4, 4)


@pytest.mark.parametrize("end", ["proof", "release"])
async def test_what_ends_makes_room_in_flight_at_once(owed: Till, end: str) -> None:
    """Claims count; no leg waits longer than it must."""
    owed.policy = capped("in_flight", 80_000)
    await owed.sent(3, 3)
    assert await owed.learn(3, EvidenceClass.IN_FLIGHT) is AttemptState.SENT
    assert await owed.open(4) is Go.LATER
    assert (await owed.leg(4)).next_try_at == owed.now + payment.IN_FLIGHT_RETRY_SECONDS
    if end == "proof":
        assert await owed.learn(3, EvidenceClass.CLAIM) is AttemptState.CLAIMED
        assert await owed.open(4) is Go.LATER
        await owed.learn(3)
    else:
        await owed.release(3)
    assert (await owed.leg(4)).next_try_at <= owed.now
    await owed.paid(4, 4)


async def test_what_is_stored_leaves_only_within_the_cap(owed: Till) -> None:
    """The caps were lowered between two starts: of what was stored before, no more is sent than they allow."""
    for leg_id in (3, 4):
        assert await owed.ready(leg_id, leg_id) is not None
    owed.policy = capped("in_flight", 80_000)
    assert [await owed.send(number) for number in (3, 4)] == [True, False]
    assert (await owed.attempt(4)).state is AttemptState.READY
    await owed.learn(3)
    assert await owed.send(4)


async def test_a_cap_is_news_again_after_an_hour_without_it(owed: Till) -> None:
    owed.policy = capped("hour", 80_000)
    await owed.paid(3, 3)
    for _ in range(5):
        owed.advance(300)
        assert await owed.open(4) is Go.LATER
        await look(owed.desk)
    assert len([text for text in await owed.told() if "an hour" in text]) == 1
    owed.policy = capped("hour", 0)
    await owed.paid(4, 4)
    await look(owed.desk)
    assert "Over: Wallet main is at a cap of 80,000 sats." in await owed.told()
    owed.advance(3_600)
    await owed.sent(1, 1)
    owed.policy = capped("hour", 7_999)
    assert await owed.open(2) is Go.LATER
    assert len([text for text in await owed.told() if "an hour" in text]) == 2


# --- the way there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leg_id", "allowed_msat", "unfreeze", "again"),
    [(3, 750_000, "unfreeze ana", 7), (2, 50_000, "unfreeze me@example.com", 6), (1, 30_000, "unfreeze platform", 5)],
)
async def test_a_fee_that_is_too_high_freezes_the_payee_until_an_operator_has_looked(
    owed: Till, leg_id: int, allowed_msat: int, unfreeze: str, again: int
) -> None:
    """1 % is allowed. What was paid is paid; the payee's next payment waits, the others go on."""
    await owed.sent(leg_id, 1)
    await owed.learn(1, fees_msat=allowed_msat + 1)
    assert (await owed.leg(leg_id)).status == "completed"
    (notice,) = [text for text in await owed.told() if "routing" in text]
    assert f"P{leg_id} to" in notice
    await another_sale(owed)
    others = [5, 6, 7, 8]
    assert [each for each in others if await owed.open(each) is Go.YES] == [each for each in others if each != again]
    assert (await owed.desk.ask(BOSS, "payment.show", payment=f"P{again}"))["next"]["step"] == "wait_for_unfreeze"
    owed.advance(1)
    await owed.desk.told(BOSS, unfreeze)
    await owed.paid(again, 2)


@pytest.mark.parametrize(("leg_id", "fees_msat"), [(3, 750_000), (2, 50_000), (1, 30_000)])
async def test_a_fee_within_its_cap_is_nobodys_affair(owed: Till, leg_id: int, fees_msat: int) -> None:
    await owed.sent(leg_id, 1)
    await owed.learn(1, fees_msat=fees_msat)
    assert await owed.told() == []


async def test_ten_sats_are_never_too_much(till: Till) -> None:
    """One per cent of 250 sats is less than a wallet pays for anything."""
    leg_id, other = (await twenty_partners(till))[:2]
    await till.sent(leg_id, 1)
    await till.learn(1, fees_msat=10_000)
    assert await till.told() == []
    await till.sent(other, 2)
    await till.learn(2, fees_msat=10_001)
    assert len(await till.told()) == 1


async def test_a_payee_is_frozen_once(owed: Till) -> None:
    """Two payments to ana were on their way, both dear: one message."""
    await another_sale(owed)
    await owed.sent(3, 1)
    await owed.sent(7, 2)
    await owed.learn(1, fees_msat=80_000_000)
    await owed.learn(2, fees_msat=80_000_000)
    assert len([text for text in await owed.told() if "routing" in text]) == 1
    assert ("target freeze", "P3") in await owed.desk.audit()


async def test_an_lp_does_not_lift_what_the_fee_froze(owed: Till) -> None:
    await owed.sent(3, 1)
    await owed.learn(1, fees_msat=80_000_000)
    owed.advance(1)
    assert (await owed.desk.refused(ANA, "target.unfreeze"))["code"] == "forbidden"


# --- naming a payee ----------------------------------------------------------------------------------------------


async def frozen(desk: Desk) -> list[str]:
    """The names of the switches."""
    return await desk.tx(lambda tx: [row["name"] for row in tx.all("SELECT name FROM switches WHERE paused = 1")])


@pytest.mark.parametrize("name", ["ME@example.com", "P2", "p2"])
async def test_a_partner_is_named_by_its_target_or_a_payment_to_it(owed: Till, name: str) -> None:
    done = await owed.desk.ask(BOSS, "target.freeze", lp=name, reason="a stolen phone")
    assert (done["frozen"], done["target"], done["by"]) == (True, "me@example.com", "operator")
    assert await owed.open(2) is Go.LATER
    assert await owed.open(3) is Go.YES
    text = await owed.desk.told(BOSS, f"freeze {name}")
    assert "nothing more is paid" in text
    owed.advance(1)
    assert (await owed.desk.ask(BOSS, "target.unfreeze", lp=name))["frozen"] is False
    assert await owed.open(2) is Go.YES


@pytest.mark.parametrize("name", ["platform", "fees@example.com", "P1"])
async def test_the_platform_is_frozen_too(owed: Till, name: str) -> None:
    await owed.desk.ask(BOSS, "target.freeze", lp=name)
    assert await owed.open(1) is Go.LATER
    assert await frozen(owed.desk) == ["payee:platform"]


async def test_a_payment_to_an_lp_names_the_lp(owed: Till) -> None:
    assert (await owed.desk.ask(BOSS, "target.freeze", lp="P3"))["name"] == "ana"
    assert await frozen(owed.desk) == ["lp:1"]


@pytest.mark.parametrize("name", ["P99", "nobody@example.com", "nobody"])
async def test_who_is_not_paid_here_is_not_frozen(owed: Till, name: str) -> None:
    assert (await owed.desk.refused(BOSS, "target.freeze", lp=name))["code"] == "not_found"
    assert await frozen(owed.desk) == []


@pytest.mark.parametrize("cap", CAPS)
async def test_what_waits_for_a_cap_is_looked_at_when_somebody_says_resume(owed: Till, cap: str) -> None:
    """The cap was raised: nobody waits five minutes more. What waits for another reason waits on."""
    owed.policy = capped(cap, 80_000)
    await owed.paid(3, 3) if cap != "in_flight" else await owed.sent(3, 3)
    assert await owed.open(4) is Go.LATER
    assert (await owed.leg(4)).next_try_at > owed.now
    far = await owed.leg(1)
    await owed.desk.tx(lambda tx: legs.put_off(tx, far, next_try_at=owed.now + 60, reason="no route", counts=True))
    await owed.desk.told(BOSS, "resume")
    assert [(await owed.leg(leg_id)).next_try_at - owed.now for leg_id in (4, 1)] == [0, 60]
