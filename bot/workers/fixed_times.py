"""Pays LPs in fixed mode when the schedule says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from handlers import fixed_mode
from handlers.context import Settings
from nwc.ports import Clock
from storage.db import Database

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
"""The clock is looked at so often: it may step."""


class FixedTimes:
    """The one task that keeps the schedule. What a time asked for is noted with the payments, in one commit."""

    def __init__(self, db: Database, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        while True:
            await self.look()
            now = self._clock.now()
            slot = fixed_mode.next_slot(self._settings().fixed_mode, now)
            await asyncio.sleep(LOOK_SECONDS if slot is None else max(0.0, min(LOOK_SECONDS, slot - now)))

    async def look(self) -> None:
        """Does what has come due."""
        settings = self._settings()
        if not settings.fixed_mode.times:
            return
        made = await self._db.write(
            lambda tx: fixed_mode.run_scheduled(
                tx,
                settings.fixed_mode,
                configured=settings.wallets,
                operators=settings.operators_to_tell,
                now=self._clock.now(),
            )
        )
        if made:
            log.info("fixed_mode_paid", payments=[f"P{leg.id}" for leg in made])
