"""Gets to know each wallet: whether it offers what paying from it takes, and what kind of wallet it is.

Looked at as soon as the wallet is heard, and again whenever it says that it offers something else.
"""

from __future__ import annotations

import asyncio
from typing import Final

from bot.wallet_tests import WalletTests
from bot.wallets import Wallet
from handlers import wallet_trouble
from nwc.ports import Clock
from nwc.requests import WalletInfo, missing_methods
from storage import wallets
from storage.db import Database

LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 60
"""Where its answers told nothing: it may be revoked, or asked too often."""


class Fitness:
    """The one task that gets to know `wallet`."""

    def __init__(self, wallet: Wallet, db: Database, clock: Clock, tests: WalletTests) -> None:
        self._wallet = wallet
        self._db = db
        self._clock = clock
        self._tests = tests
        self._missing: tuple[str, ...] | None = None
        self._known: frozenset[str] | None = None
        """What it offered when it was found out what it is."""
        self._ask_at = 0

    async def run(self) -> None:
        while True:
            info = self._wallet.client.info
            if info is not None and self._wallet.listening():
                await self._see(info)
                await self._get_to_know(info)
            await asyncio.sleep(LOOK_SECONDS)

    async def _see(self, info: WalletInfo) -> None:
        """A wallet that can't be followed up is paused, also where somebody has resumed it."""
        missing = missing_methods(info)
        name = self._wallet.name
        if missing == self._missing and (not missing or await self._db.read(lambda tx: wallets.paused(tx, name))):
            return
        operators, now = self._wallet.operators(), self._clock.now()
        await self._db.write(lambda tx: wallet_trouble.offer_seen(tx, name, missing, operators, now))
        self._missing = missing

    async def _get_to_know(self, info: WalletInfo) -> None:
        offered = info.methods | info.encryptions
        if not self._wallet.finds_profile or offered == self._known or self._clock.now() < self._ask_at:
            return
        self._ask_at = self._clock.now() + RETRY_SECONDS
        if await self._tests.get_to_know(self._wallet.name):
            self._known = offered
