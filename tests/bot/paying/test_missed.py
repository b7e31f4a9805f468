"""What happened while the bot was down comes back, by stored copies and by the wallet's own list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bot.intake import FOR_US
from bot.nostr import Keys, wrap_dm
from bot.query import OVERLAP_SECONDS
from tests.bot.paying.running import Running, Start, finished, lives_at
from tests.bot.paying.talking import Said, answer, ask, say
from tests.bot.trick_relay import TrickRelay
from tests.crash.atm import STORED_KIND, report
from tests.crash.shop import Sale, sell, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLDEST_WRAP_SECONDS = 2 * 86_400
UNANNOUNCED = 12
"""More than the wallet gives at a time."""


async def unmatched(bot: Running, number: int) -> list[dict[str, Any]]:
    """The payments on the worklist that nobody announced, as soon as there are so many."""

    async def there() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await ask(bot, "worklist"))["result"]["buckets"]["unmatched"]
        return found if len(found) == number else None

    found: list[dict[str, Any]] = await until(there, f"{number} payments on the worklist")
    return found


async def test_what_happened_while_it_was_down(start: Start) -> None:
    """Stored reports are taken; what was paid and only reported live, or never, is found in the wallet's list, which
    comes ten rows at a time; so is what the wallet paid out. What a late report or the operator explains is settled,
    once. An order that is too old is not followed, and an envelope's own date says nothing of that."""
    async with start("lnbits", profile="lnbits") as bot:
        pass
    world, shop, atms = bot.world, bot.shop, bot.atms
    await world.call("fund", account=shop.wallet, amount_msat=200_000_000)
    stored, lost, *others = [await sell(world, shop, 20_000) for _ in range(2 + UNANNOUNCED)]
    await atms.send(shop, report(stored, bot.clock.now(), seq=1), kind=STORED_KIND)
    await atms.send(shop, report(lost, bot.clock.now(), seq=2))  # ephemeral: nobody is there to hear it
    paid = await world.call("customer_is_paid", account=shop.wallet, amount_msat=92_000_000)
    cash_in = Sale(100_000, paid["payment_hash"])
    late = await say(bot, "pause")
    oldest = await _dated_back(bot, "whoami")
    await world.call("advance", seconds=3_600)
    fresh = await say(bot, "machine list")

    async with bot.again() as again:
        for message, begins in ((late, "Not done: this message comes too late"), (oldest, "Your role here: ")):
            assert (await answer(again, message)).startswith(begins)
        assert (await answer(again, fresh)).startswith("Machines:")
        assert not (await ask(again, "status"))["result"]["paused"]
        await again.receipt(stored, "accepted")
        found = await unmatched(again, UNANNOUNCED + 2)
        assert {each["id"] for each in found} == {sale.payment_hash for sale in (lost, cash_in, *others)}

        await again.atms.send(shop, report(cash_in, again.clock.now(), seq=3, tx_type="cash_in", wire_sats=92_000))
        await again.receipt(cash_in, "accepted")
        await unmatched(again, UNANNOUNCED + 1)
        await _enter_by_hand(again, lost)
        await unmatched(again, UNANNOUNCED)
        await again.atms.send(shop, report(lost, again.clock.now(), seq=2))
        assert (await again.receipt(lost, "duplicate"))["settlement"]
        await again.settled()
        legs = again.rows("SELECT sum(amount_sats) AS sats FROM legs WHERE status = 'completed'")
        assert legs == [{"sats": stored.wire_sats + lost.wire_sats + cash_in.fee_sats}]
        assert not again.rows("SELECT 1 FROM missing_reports")


async def _dated_back(bot: Running, text: str) -> Said:
    """An order whose envelope is dated back as far as NIP-59 lets it be; it was said just now."""
    now = bot.clock.now()
    wrap, rumor_id = wrap_dm(bot.shop.operator, bot.shop.bot.public_key, text, None, now)
    outside = Keys.generate()
    seal = bot.shop.bot.cipher().nip44_decrypt(wrap.pubkey, wrap.content)
    content = outside.cipher().nip44_encrypt(bot.shop.bot.public_key, seal)
    tags = [["p", bot.shop.bot.public_key]]
    await bot.atms.link.publish(outside.cipher().sign(1_059, tags, content, now - OLDEST_WRAP_SECONDS))
    return Said(bot.shop.operator, text, now, rumor_id)


async def _enter_by_hand(bot: Running, sale: Sale) -> None:
    """The operator copies the end of the hash from the worklist."""
    made = await answer(
        bot,
        await say(
            bot,
            f"settlement add machine=sintra tx_type=cash_out payment_hash={sale.payment_hash[-8:]}"
            f" wire_sats={sale.wire_sats} principal_sats={sale.principal_sats} fee_sats={sale.fee_sats}"
            f" fiat_amount={sale.principal_sats // 50} exchange_rate=50 note=offline",
        ),
    )
    await answer(bot, await say(bot, made.splitlines()[-1].partition(": ")[2]))


@pytest_asyncio.fixture(loop_scope="module")
async def far() -> AsyncIterator[TrickRelay]:
    relay = TrickRelay(keeps_ephemeral=True)
    async with relay.running():
        yield relay


async def test_one_of_its_relays_was_not_reached_for_days(start: Start, far: TrickRelay) -> None:
    """The machine is heard by that relay alone, and the bot ran on without it and was restarted. What lies there is
    older than any overlap by then, and comes all the same."""
    async with start(relays=[far.url, "ws://127.0.0.1:1"]) as bot:
        await _read_to_the_end(bot)
    shop = bot.shop
    lives_at(shop, [bot.world.relay_url])
    sale = await sell(bot.world, shop)
    await far.deliver(bot.atms.event(shop, report(sale, bot.clock.now()), kind=STORED_KIND).to_dict())
    await bot.world.call("advance", seconds=OVERLAP_SECONDS + 86_400)
    async with bot.again() as without:
        await _read_to_the_end(without)
    lives_at(shop, [bot.world.relay_url, far.url])
    async with bot.again() as both:
        await both.receipt(sale, "accepted")
        await finished(both, [sale])
        assert [event["kind"] for event in far.events if event["pubkey"] == shop.bot.public_key]
        assert both.daemon._parts is not None
        assert not both.daemon._parts.intake.strangers, "what it sent itself, and the relay kept, is nobody's report"


async def _read_to_the_end(bot: Running) -> None:
    """The bot has gone through what is stored at a relay, and notes so within the minute."""
    parts = bot.daemon._parts
    assert parts is not None

    async def read() -> bool:
        return bool(parts.relays.caught_up(FOR_US))

    await until(read, "a relay is read to the end")
    for _ in range(2):
        await bot.keep_house()
