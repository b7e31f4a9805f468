"""Whatever is stopped, by whom, and however far a payment is by then: not one request more leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from handlers import payment
from handlers.payment import Go
from ledger.decide.distribution import split_payee
from ledger.states import AttemptState, EvidenceClass, LegStatus
from storage import holds, switches, wallets
from storage.db import Tx
from storage.switches import PAYMENTS, Switch
from tests.handlers.desk import BOSS
from tests.handlers.till import Till
from tests.ledger.build import hash_of

Brake = Callable[[Tx, bool, int], None]
Say = Callable[[bool], Awaitable[None]]


def switch(name: str) -> Brake:
    def say(tx: Tx, held: bool, now: int) -> None:
        switches.say(tx, name, Switch(held, now, BOSS, None))

    return say


def wallet(tx: Tx, held: bool, now: int) -> None:
    if held:
        wallets.pause(tx, "main", "quota", 0, now)
    else:
        wallets.resume(tx, "main")


def bot(tx: Tx, held: bool, now: int) -> None:
    if held:
        holds.put(tx, holds.PAST, "the rule", now)
    else:
        holds.lift(tx, holds.PAST)


LP, PARTNER = 4, 2
BRAKES: dict[str, tuple[Brake, int]] = {
    "everything": (switch(PAYMENTS), LP),
    "the machine": (switch(switches.of_machine(1)), LP),
    "the LP": (switch(switches.of_lp(2)), LP),
    "the LP by its own word": (switch(switches.of_lp_itself(2)), LP),
    "the partner": (switch(switches.of_payee(split_payee("me@example.com"))), PARTNER),
    "the wallet": (wallet, LP),
    "the bot itself": (bot, LP),
}


@pytest.fixture(params=BRAKES)
def brake(request: pytest.FixtureRequest, owed: Till) -> tuple[Say, int]:
    """Brakes or lets go; and the leg that it is about."""
    pull, leg_id = BRAKES[request.param]

    async def say(held: bool) -> None:
        owed.advance(1)
        await owed.desk.tx(lambda tx: pull(tx, held, owed.now))

    return say, leg_id


async def again(till: Till, leg_id: int, number: int, request_id: str) -> tuple[bool, bool]:
    """Whether the same bytes may be said once more, and whether the same invoice may have another request."""
    said = await till.desk.tx(lambda tx: payment.say_again(tx, hash_of(number), request_id, till.policy, till.now))
    request = till.request(number)
    return said is not None, await till.desk.tx(
        lambda tx: payment.pay_again(tx, hash_of(number), request, till.policy, till.now)
    )


async def test_nothing_leaves_however_far_it_is(owed: Till, brake: tuple[Say, int]) -> None:
    """Before an invoice is asked for; while it is fetched; when it is stored; when the request has had no answer."""
    say, leg_id = brake
    assert await owed.open(leg_id) is Go.YES
    await say(True)
    assert await owed.open(leg_id) is Go.LATER
    assert await owed.ready(leg_id, 1) is not None, "what was fetched meanwhile is stored, and waits"
    assert not await owed.send(1)
    assert await owed.desk.count("SELECT count(*) FROM requests") == 0
    await say(False)
    request = owed.request(1)
    assert await owed.send(1, request=request)
    await say(True)
    assert await again(owed, leg_id, 1, request.id) == (False, False)
    owed.advance(700)
    assert await again(owed, leg_id, 1, request.id) == (False, False)
    assert await owed.desk.count("SELECT sum(publishes) FROM requests") == 1
    await say(False)
    assert (await again(owed, leg_id, 1, request.id))[1]
    assert (await owed.leg(leg_id)).tries == 0


async def test_what_is_on_its_way_is_followed_up_all_the_same(owed: Till, brake: tuple[Say, int]) -> None:
    say, leg_id = brake
    await owed.sent(leg_id, 1)
    await say(True)
    assert await owed.learn(1, EvidenceClass.CLAIM) is AttemptState.CLAIMED
    assert await owed.learn(1) is AttemptState.SETTLED
    assert (await owed.leg(leg_id)).status is LegStatus.COMPLETED
