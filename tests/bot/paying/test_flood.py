"""Strangers who send what they like cost a bounded number of decryptions and answers, and stand in nobody's way."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.fairness import READ_AT_ONCE, SECONDS_FOR_ONE_MORE
from bot.nostr import LocalCipher, wrap_dm
from tests.bot.paying.running import Running, WorldClock, finished, running
from tests.bot.raw_relay import Peer, RawRelay
from tests.crash.atm import Atms, report
from tests.crash.shop import open_shop, sell, until
from tests.parts.junk import Junk
from tests.parts.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

EACH = 25
LARGE = {"1 MiB", "5 MB of tags"}
UNREAD = {"wrong signature", "forged id", "for somebody else", "many tags"} | LARGE
UNOPENED = {"report of no machine", "stored report of no machine", "signed order of a stranger"}
"""What is genuine, and judged by whose it is."""
OF_AN_ORDER = 2
"""Decryptions: the wrap and the seal."""


class Strangers:
    """A relay that checks nothing and passes on junk."""

    def __init__(self) -> None:
        self.relay = RawRelay(self._hear)
        self._listening: dict[Peer, str] = {}

    async def _hear(self, peer: Peer, message: list[Any]) -> None:
        match message:
            case ["REQ", str(name), *_]:
                await peer.say("EOSE", name)
                if name.startswith("for-us"):
                    self._listening[peer] = name
            case ["EVENT", {"id": event_id}]:
                await peer.say("OK", event_id, True, "")

    async def heard(self, bot: Running) -> None:
        """Returns when the bot listens here, and knows it."""
        parts = bot.daemon._parts
        assert parts is not None
        relays = parts.relays

        async def listening() -> bool:
            return relays.states()[self.relay.url].listening

        await until(listening, "the bot listens at the strangers' relay")

    async def send(self, event: str) -> None:
        for peer, name in self._listening.items():
            await peer.frame(1, f'["EVENT","{name}",{event}]'.encode())


async def test_a_flood(world: World, atms: Atms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await open_shop(world, tmp_path / "flooded", "flooded", number_of_lps=1)
    await atms.add(shop)
    decrypted: Counter[str] = Counter()
    decrypt = LocalCipher.nip44_decrypt

    def counted(cipher: LocalCipher, peer: str, payload: str) -> str:
        decrypted[cipher.public_key] += 1
        return decrypt(cipher, peer, payload)

    monkeypatch.setattr(LocalCipher, "nip44_decrypt", counted)
    key, made_at = shop.bot.public_key, world.clock.now()
    junk = Junk(key, random.Random(1), made_at)
    opened = sorted({*junk.sorts} - UNREAD - UNOPENED)
    unopened = [junk.one(sort) for sort in sorted(UNREAD | UNOPENED) for _ in range(1 if sort in LARGE else EACH)]
    wraps = [junk.one(sort) for _ in range(2 * EACH) for sort in opened]
    strangers = Strangers()
    async with strangers.relay.running():
        both = shop.config_path.read_text().replace(world.relay_url, f'{world.relay_url}", "{strangers.relay.url}')
        shop.config_path.write_text(both)
        async with running(world, shop, atms, WorldClock(world.clock)) as bot:
            await strangers.heard(bot)
            before = decrypted[key]
            for event in unopened:
                await strangers.send(event)
            await _ordered(bot, strangers, "whoami")
            assert decrypted[key] == before + OF_AN_ORDER
            sale = await sell(world, shop)
            for event in wraps[:EACH]:
                await strangers.send(event)
            await atms.send(shop, report(sale, bot.clock.now()))
            for event in wraps[EACH:]:
                await strangers.send(event)
            await _ordered(bot, strangers, "status")
            await bot.receipt(sale, "accepted")
            await finished(bot, [sale])
            read = READ_AT_ONCE + (bot.clock.now() - made_at) // SECONDS_FOR_ONE_MORE
            reports = len(atms.receipts(sale.payment_hash))
            assert decrypted[key] <= before + 2 * OF_AN_ORDER + len(wraps) + read + reports
            answered = bot.rows(
                "SELECT json_extract(body, '$.to') AS who, count(*) AS n FROM outbox WHERE kind = 'dm'"
                " AND json_extract(body, '$.to') <> ? GROUP BY 1",
                shop.operator.public_key,
            )
            assert 1 < len(answered) <= read
            assert {row["n"] for row in answered} == {1}


async def _ordered(bot: Running, strangers: Strangers, text: str) -> None:
    """The operator gives an order behind all that the strangers have sent; returns when it was acted on."""
    order, message = wrap_dm(bot.shop.operator, bot.shop.bot.public_key, text, None, bot.clock.now())
    await strangers.send(json.dumps(order.to_dict()))
    await bot.seen("SELECT 1 FROM orders WHERE rumor_id = ?", message)
