"""Compares the books with the wallets' own lists by itself, once a day, and has the operators told what differs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from handlers import reconciliation
from handlers.reconciliation import Reconciliation
from ledger.errors import Refusal
from nwc.ports import Clock
from storage import meta
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 60.0
"""The clock is looked at so often: it may step."""
SETTLE_SECONDS: Final = 600
"""After a start wallets and relays have other things to do."""
RETRY_SECONDS: Final = 3_600
DUE: Final = "reconcile_at"


class Reconciling:
    """The one task that does so. When it is due outlives the process: restarts neither hurry nor stop it."""

    def __init__(
        self,
        reconcile: Callable[[], Awaitable[Reconciliation]],
        db: Database,
        clock: Clock,
        *,
        every_seconds: Callable[[], int],
        operators: frozenset[str],
    ) -> None:
        """`every_seconds`: 0 for never."""
        self._reconcile = reconcile
        self._db = db
        self._clock = clock
        self._every_seconds = every_seconds
        self._operators = operators
        self._started_at = clock.now()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Does it if it has come due."""
        every, now = self._every_seconds(), self._clock.now()
        if not every:
            return
        due_at = await self._db.read(_due_at)
        if due_at is None or due_at > now + every:  # never planned, or by another clock or configuration
            await self._plan(now + 1 + secrets.randbelow(every))
        elif now >= max(due_at, self._started_at + SETTLE_SECONDS):
            await self._compare(every)

    async def _compare(self, every: int) -> None:
        try:
            found = await self._reconcile()
        except StorageBroken:
            raise
        except Exception as error:
            log.warning("not_reconciled", exc_info=not isinstance(error, Refusal), reason=str(error))
            await self._plan(self._clock.now() + RETRY_SECONDS)
            return
        now = self._clock.now()
        await self._plan(now + every)
        await self._db.write(lambda tx: reconciliation.tell(tx, found, self._operators, now))

    async def _plan(self, at: int) -> None:
        await self._db.write(lambda tx: meta.put(tx, DUE, str(at)))


def _due_at(tx: Tx) -> int | None:
    at = meta.get(tx, DUE)
    return int(at) if at is not None else None
