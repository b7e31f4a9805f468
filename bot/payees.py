"""Wallet connections of payees: a target may be one that makes invoices. Connected for as long as one invoice takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bot.nostr import Keys
from bot.reach import Reach
from bot.timings import Timings
from bot.wallet_wire import WalletWire
from nwc.client import WalletClient
from nwc.event import Event
from nwc.ports import Clock
from nwc.trouble import WalletSilent
from nwc.uri import WalletUri

SECONDS: Final = 20.0
ROOM_SECONDS: Final = 60.0
AT_ONCE: Final = 8
MAX_RELAYS: Final = 5


class PayeeWallets:
    """Implements `nwc.targets.InvoiceMaker`."""

    def __init__(self, clock: Clock, timings: Timings, reach: Callable[[], Awaitable[Reach]]) -> None:
        self._clock = clock
        self._reach = reach
        self._timings = timings
        self._room = asyncio.Semaphore(AT_ONCE)

    async def make_invoice(self, uri: WalletUri, amount_msat: int, description: str) -> str:
        """The text of an invoice that this wallet made. Raises WalletTrouble."""
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            raise WalletSilent("too many wallets of payees are asked at once") from None
        try:
            async with asyncio.timeout(SECONDS):
                return await self._make(uri, amount_msat, description)
        except TimeoutError:
            raise WalletSilent("the payee's wallet did not answer in time") from None
        finally:
            self._room.release()

    async def _make(self, uri: WalletUri, amount_msat: int, description: str) -> str:
        keys = Keys.parse(uri.secret)

        def hear(event: Event) -> None:
            client.receive(event)

        relays = await (await self._reach()).allowed(uri.relays, MAX_RELAYS)
        if not relays:
            raise WalletSilent("none of the payee's relays may be connected to")
        wire = WalletWire(
            relays, keys, uri.wallet_pubkey, hear, self._clock, since=self._clock.now(), timings=self._timings
        )
        client = WalletClient(
            uri, wire, keys.cipher(), self._clock, lambda *_: None, lambda _: None, timeout_seconds=SECONDS
        )
        async with wire:
            while not wire.listening():  # noqa: ASYNC110 - bounded by the caller's deadline
                await asyncio.sleep(0.05)
            return await client.make_invoice(amount_msat, description)
