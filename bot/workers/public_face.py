"""Keeps what everybody may know of the machines up to date (handlers/public_face.py): once a minute, for it follows
what the machines say, and time alone makes it expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from handlers import public_face
from handlers.public_face import Face
from nwc.ports import Clock
from storage.db import Database
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0


class PublicFace:
    """The one task that puts machine cards and the bot's status into the outbox, or takes them back."""

    def __init__(self, db: Database, clock: Clock, face: Callable[[], Face], every_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self._face = face
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Runs for ever: a fault of a card stops nothing else."""
        while True:
            try:
                await self.look()
            except StorageBroken:
                raise
            except Exception:
                log.exception("public_face_not_shown")
            await asyncio.sleep(self._every_seconds)

    async def look(self) -> None:
        now = self._clock.now()
        news = await self._db.read(lambda tx: public_face.news(tx, self._face(), now))
        if news:
            await self._db.write(partial(public_face.show, showings=news, now=now))
