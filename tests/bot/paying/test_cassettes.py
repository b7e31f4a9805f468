"""A machine's cash from its own words to the operator's answer, over a relay: reported, dispensed, corrected, sent,
taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.nostr import Keys
from ledger.fees import FeeRates
from nwc.event import Event
from storage import machines, wallets
from tests.bot.paying.running import Running, Start, finished
from tests.bot.paying.talking import ask
from tests.crash.atm import report
from tests.crash.shop import sell, until
from tests.handlers.atm import state
from tests.handlers.desk import key

pytestmark = pytest.mark.asyncio(loop_scope="module")


def event(bot: Running, d: str, content: Any, *, sealed: bool = True, ago: int = 0) -> Event:
    atm, text = bot.shop.atm, json.dumps(content)
    tags = [["d", f"{d}:{atm.public_key}"], *([["p", bot.shop.bot.public_key]] if sealed else [])]
    text = atm.cipher().nip44_encrypt(bot.shop.bot.public_key, text) if sealed else text
    return atm.cipher().sign(30_078, tags, text, bot.clock.now() - ago)


async def says(bot: Running, bays: dict[int, tuple[int, int]], *, ago: int = 0) -> None:
    await bot.atms.link.publish(event(bot, "bitspire-cassettes-state", state(bays), ago=ago))


async def cassettes(bot: Running) -> dict[str, Any]:
    found: dict[str, Any] = (await ask(bot, "cassette.list", machine="sintra"))["result"]
    return found


async def test_cash_is_followed_from_the_report_to_the_config(start: Start) -> None:
    async with start() as bot:
        assert (await ask(bot, "cassette.list", machine="sintra"))["error"]["code"] == "not_found"
        await bot.atms.link.publish(event(bot, "bitspire-beacon", {"cash_level": "ok"}, sealed=False))
        await says(bot, {1: (20, 200), 2: (50, 40)}, ago=30)
        await bot.seen("SELECT 1 FROM bays")
        await bot.seen("SELECT 1 FROM beacons")
        sale = await sell(bot.world, bot.shop)
        cash = {"cassettes": {"1": {"denomination": 20, "dispensed": 100}}}
        for _ in range(3):
            await bot.atms.send(bot.shop, report(sale, bot.clock.now(), **cash))
        await bot.receipt(sale, "accepted")
        await finished(bot, [sale])
        shown = await cassettes(bot)
        assert [each["count"] for each in shown["cassettes"].values()] == [100, 40]
        await says(bot, {1: (20, 100), 2: (50, 39)}, ago=20)
        await bot.seen("SELECT 1 FROM bays WHERE reported_count = 39")
        assert (await cassettes(bot))["cassettes"]["2"]["differs_since"] is not None
        await ask(bot, "cassette.set", machine="sintra", position=2, count=38)
        await ask(bot, "cassette.publish", machine="sintra")
        d = f"bitspire-cassettes:{bot.shop.atm.public_key}"
        [sent] = await bot.seen(
            "SELECT event FROM outbox WHERE state = 'done' AND event IS NOT NULL AND coordinate LIKE ?", f"%{d}%"
        )
        config = Event.from_dict(json.loads(sent["event"]))
        body = json.loads(bot.shop.atm.cipher().nip44_decrypt(bot.shop.bot.public_key, config.content))
        assert body == state({1: (20, 100), 2: (50, 38)})
        await says(bot, {1: (20, 100), 2: (50, 38)}, ago=10)

        async def taken() -> bool:
            return (await cassettes(bot))["config_applied_at"] is not None

        await until(taken, "the machine's report shows what was sent")
        shown = await cassettes(bot)
        assert (shown["differs_since"], shown["unplaced"], shown["believed"]) == (None, "0.00", "3900.00")


async def test_what_lies_at_the_relay_is_read_once_its_machine_is_registered(start: Start) -> None:
    """It is addressed to nobody, and older than anything that is caught up otherwise."""
    async with start() as bot:
        late, db = Keys.generate(), bot.daemon.db
        assert db is not None
        cipher, said, at = late.cipher(), '{"cash_level": "low"}', bot.clock.now() - 30 * 86_400
        await bot.atms.link.publish(cipher.sign(30_078, [["d", "status"]], said, at))
        await db.write(lambda tx: wallets.register(tx, "late", wallet_pubkey=key("w"), client_pubkey=key("c"), now=0))
        fees = FeeRates(0, 0)
        await db.write(
            lambda tx: machines.insert(
                tx, pubkey=late.public_key, name="late", wallet="late", fiat="GTQ", location=None, fees=fees, now=0
            )
        )
        await bot.seen("SELECT 1 FROM beacons WHERE machine_id = 2")
        [seen] = bot.rows("SELECT last_seen_at FROM machines WHERE id = 2")
        assert seen["last_seen_at"] == at
