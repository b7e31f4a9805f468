"""Keeps the published views up to date: the worklist for each operator, the balance for each LP.

A commit marks what it may have changed; here the content is built, and published only if it is another one. Time
alone changes the worklist too, so it is built again every minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bot.workers.wakeup import Bell
from handlers import published
from handlers.context import Settings
from nwc.ports import Clock
from storage.db import Database

GATHER_SECONDS: Final = 1.0
"""A burst of payments changes a balance many times; what is published is what it came to."""
ANSWERS_FIRST_SECONDS: Final = 0.05
"""Who gave an order waits for its answer, and nobody for the view that it changes."""


class Views:
    """The one task that puts views into the outbox."""

    def __init__(self, db: Database, clock: Clock, bell: Bell, settings: Callable[[], Settings]) -> None:
        self._db = db
        self._clock = clock
        self._bell = bell
        self._settings = settings

    async def run(self) -> None:
        while True:
            await self._db.write(lambda tx: published.refresh(tx, self._settings(), self._clock.now()))
            await asyncio.sleep(GATHER_SECONDS)
            await self._bell.wait()
            await asyncio.sleep(ANSWERS_FIRST_SECONDS)
