"""Reads the wallets' own lists of transactions, so that a payment that nobody reported is seen.

What a settlement or an attempt explains is fine; the rest is `unmatched` on the worklist. An outgoing row that proves
an attempt is evidence like any other.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from bot.wallets import Wallet
from handlers import payment_evidence
from nwc.ports import Clock
from nwc.trouble import WalletTrouble
from storage import wallets
from storage.db import Database

log = structlog.get_logger(__name__)

OVERLAP_SECONDS: Final = 2 * 86_400
"""How long before it settled an invoice may have been made: lists are by the time of making."""
RETRY_SECONDS: Final = (1, 2, 5, 15, 30)
"""Where the list was not given whole: at the start the wallet's relays are not even connected."""


class Scanner:
    """The one task that reads the list of `wallet`: at the start, and every `every_seconds`."""

    def __init__(
        self, wallet: Wallet, db: Database, clock: Clock, *, payment_policy: payment_evidence.Policy, every_seconds: int
    ) -> None:
        self._wallet = wallet
        self._db = db
        self._clock = clock
        self._policy = payment_policy
        self._every_seconds = every_seconds

    async def run(self) -> None:
        failed = 0
        while True:
            failed = 0 if await self.scan() else failed + 1
            retry_seconds = RETRY_SECONDS[min(failed, len(RETRY_SECONDS)) - 1]
            await asyncio.sleep(min(retry_seconds, self._every_seconds) if failed else self._every_seconds)

    async def scan(self) -> bool:
        """Reads what is new since the last whole reading; False where the wallet did not give all of it."""
        now = self._clock.now()
        name = self._wallet.name
        known = await self._db.read(lambda tx: wallets.get(tx, name))
        if known is None:
            return False
        since = max(0, max(known.scanned_until, known.created_at) - OVERLAP_SECONDS)
        try:
            if "list_transactions" not in (await self._wallet.client.ready()).methods:
                return True
            listing = await self._wallet.client.list_transactions(since)
        except WalletTrouble as trouble:
            log.info("wallet_list_unread", wallet=name, reason=str(trouble))
            return False
        await self._db.write(
            lambda tx: payment_evidence.note_list(
                tx, name, listing, starts_at=known.created_at, asked_at=now, policy=self._policy, now=self._clock.now()
            )
        )
        return listing.complete
