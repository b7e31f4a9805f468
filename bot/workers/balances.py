"""Asks each wallet for its balance: now and then, and more often while it can't pay, so that it goes on by itself."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from bot.wallets import Wallet
from bot.workers.wakeup import Bell
from handlers import wallet_trouble
from ledger.decide.attempt import AttemptPolicy, check_delay
from nwc.ports import Clock
from nwc.trouble import WalletError, WalletTrouble
from storage import wallets
from storage.db import Database

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 300
DENIALS: Final = frozenset({"UNAUTHORIZED", "RESTRICTED"})
RETRY_SECONDS: Final = (1, 2, 5, 15, 60)
"""While the wallet gives no answer: at the start its relays are not even connected."""


class Balances:
    """The one task that asks `wallet`."""

    def __init__(
        self, wallet: Wallet, db: Database, clock: Clock, bell: Bell, *, policy: AttemptPolicy, ask_seconds: float
    ) -> None:
        self._wallet = wallet
        self._db = db
        self._clock = clock
        self._bell = bell
        self._policy = policy
        self._ask_seconds = ask_seconds
        self._denied = False

    async def run(self) -> None:
        checks = unanswered = 0
        while True:
            unanswered = 0 if await self._ask() else unanswered + 1
            paused = await self._db.read(lambda tx: wallets.paused(tx, self._wallet.name))
            checks = checks + 1 if paused else 0
            delay = check_delay(checks - 1, self._policy) if paused else POLL_SECONDS
            if unanswered:
                delay = min(delay, RETRY_SECONDS[min(unanswered, len(RETRY_SECONDS)) - 1])
            deadline = asyncio.get_running_loop().time() + delay
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                await self._bell.wait(left)
                if await self._db.read(lambda tx: wallets.paused(tx, self._wallet.name)):
                    break  # it was just paused, or something happened that may end the pause

    async def _ask(self) -> bool:
        """False where there was no answer."""
        try:
            balance_msat = await self._wallet.client.get_balance()
        except WalletTrouble as trouble:
            self._denied |= isinstance(trouble, WalletError) and trouble.code in DENIALS
            log.debug("balance_unknown", wallet=self._wallet.name, reason=str(trouble))
            return False
        now = self._clock.now()
        self._wallet.last_answer_at = now
        operators = self._wallet.operators()
        granted, self._denied = self._denied, False
        await self._db.write(
            lambda tx: wallet_trouble.balance_seen(tx, self._wallet.name, balance_msat, operators, now, granted=granted)
        )
        return True
