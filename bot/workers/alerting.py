"""Tells services outside what waits for them in the database: each in order, again after a while, for a day at most.

No fault of a service, nor of what speaks to it, stops the bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from bot.alerts import Service
from bot.workers.wakeup import Bell
from nwc.ports import Clock
from storage import alerts
from storage.alerts import Waiting
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

REST_SECONDS: Final = 30.0
"""After a fault of this program."""


class Alerting:
    """One task for each service: none waits for another."""

    def __init__(self, db: Database, clock: Clock, services: Sequence[tuple[Service, Bell]]) -> None:
        """Each service with a bell that rings when there is something to tell."""
        self._db = db
        self._clock = clock
        self._services = services

    async def run(self) -> None:
        """Runs for ever, where there are services."""
        async with asyncio.TaskGroup() as group:
            for service, bell in self._services:
                group.create_task(self._serve(service, bell), name=f"alerts {service.place}")

    async def _serve(self, service: Service, bell: Bell) -> None:
        while True:
            try:
                await self._next(service, bell)
            except StorageBroken:
                raise
            except Exception:
                log.exception("alerts_not_sent", service=f"alerts.urls[{service.place}]")
                await asyncio.sleep(REST_SECONDS)

    async def _next(self, service: Service, bell: Bell) -> None:
        """Tells what is due, or waits until something is."""
        found = await self._db.read(partial(alerts.first, service=service.place))
        if found is None:
            await bell.wait()
            return
        waiting, due_at = found
        seconds = due_at - self._clock.now()
        if 0 < seconds <= alerts.RETRY_SECONDS[-1]:  # more: the clock was ahead when it was put off
            await bell.wait(seconds)
        else:
            await self._tell(service, waiting)

    async def _tell(self, service: Service, waiting: Waiting) -> None:
        if await service.deliver(waiting.text):
            await self._db.write(lambda tx: alerts.done(tx, waiting.id))
        else:
            await self._db.write(lambda tx: self._put_off(tx, waiting))

    def _put_off(self, tx: Tx, waiting: Waiting) -> None:
        if not alerts.put_off(tx, waiting, self._clock.now()):
            log.warning("alert_given_up", service=f"alerts.urls[{waiting.service}]")
