"""Claims proven settlements and plans their legs, many in one commit."""

from __future__ import annotations

import secrets
from typing import Final

from bot.workers.wakeup import LONGEST_WAIT_SECONDS, Bell
from handlers.distribution import distribute
from ledger.model import Settlement
from nwc.ports import Clock
from storage.db import Database, Tx

BATCH: Final = 64


class Distributor:
    """The one task that takes settlements from `pending` to `processing`, also while payments are paused."""

    def __init__(self, db: Database, clock: Clock, bell: Bell) -> None:
        self._db = db
        self._clock = clock
        self._bell = bell
        self._token = secrets.token_hex(8)

    async def run(self) -> None:
        while True:
            if not await self._db.write(self._claim):
                await self._bell.wait(LONGEST_WAIT_SECONDS)

    def _claim(self, tx: Tx) -> list[Settlement]:
        return distribute(tx, token=self._token, limit=BATCH, now=self._clock.now())
