"""A wallet's relays as `nwc.ports.Wire`."""

from __future__ import annotations

import asyncio

from bot.clock import SystemClock
from bot.nostr import Keys
from bot.relays import Relays
from bot.wallet_wire import WalletWire
from nwc.event import Event
from nwc.ports import Wire
from tests.bot.conftest import HURRY, EmbeddedRelay, until


async def test_requests_go_out_and_the_wallet_is_heard(relay: EmbeddedRelay, clock: SystemClock) -> None:
    wallet, client, stranger = Keys.generate(), Keys.generate(), Keys.generate()
    now = clock.now()
    heard: list[Event] = []
    requests: list[Event] = []

    def take(event: Event, url: str, repeat: bool) -> None:
        requests.append(event)

    def from_wallet(kind: int, text: str, author: Keys = wallet) -> Event:
        return author.cipher().sign(kind, [("p", client.public_key)], text, now)

    async with Relays([relay.url], None, take, clock, timings=HURRY) as service:
        await until(service.connected, "service up")
        info = wallet.cipher().sign(13_194, [], "pay_invoice", now)
        await service.publish(info)
        stored_note = from_wallet(23_196, "ephemeral, so nobody keeps it")
        await service.publish(stored_note)
        made = WalletWire([relay.url], client, wallet.public_key, heard.append, clock, since=now, timings=HURRY)
        async with made:
            wire: Wire = made
            await until(made.listening, "listening")
            assert wire.connected()
            assert await wire.fetch_info(wallet.public_key) == info
            assert await wire.fetch_info(stranger.public_key) is None
            await until(lambda: heard == [info], "the info event comes by itself, too")
            assert await wire.publish(client.cipher().sign(23_194, [("p", wallet.public_key)], "pay", now))
            wanted = [from_wallet(kind, str(kind)) for kind in (23_195, 23_196, 23_197)]
            # Some wallets don't name whom they answer: the author counts here, the request (e) in the wallet client.
            wanted.append(wallet.cipher().sign(23_195, [("e", "a" * 64)], "without p", now))
            unwanted = [
                from_wallet(23_195, "by a stranger", author=stranger),
                from_wallet(23_194, "another kind"),
            ]
            for event in unwanted + wanted:
                await service.publish(event)
            await until(lambda: len(heard) == 5, "the answers")
            assert heard == [info, *wanted]
            await asyncio.sleep(HURRY.repeat_after_seconds)
            last = from_wallet(23_195, "last")
            await service.publish(wanted[0])  # an answer given twice is told once
            await service.publish(last)
            await until(lambda: heard[-1] == last, "the last answer")
            assert len(heard) == 6


async def test_a_dead_relay_is_no_acceptance(clock: SystemClock) -> None:
    wallet, client = Keys.generate(), Keys.generate()
    made = WalletWire(
        ["ws://127.0.0.1:1"], client, wallet.public_key, lambda event: None, clock, since=0, timings=HURRY
    )
    async with made:
        assert made.connected() is False
        assert await made.publish(client.cipher().sign(23_194, [], "x", 1)) is False
        assert await made.fetch_info(wallet.public_key) is None
