"""Looks at everything every half minute: raises alarms, reminds of them, clears them, and sends the digest of the day.

It tells and decides nothing: whatever goes wrong here is logged, and the bot goes on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog

from bot.workers.wakeup import Bell
from handlers.alarms import digest, watch
from handlers.alarms.findings import Clock as ClockState
from handlers.alarms.findings import Down, Outside
from handlers.alarms.telling import Message
from handlers.context import Live, Settings
from storage.db import Database, Tx
from storage.errors import StorageBroken, TookTooLong

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
REST_SECONDS: Final = 5.0
"""Between two looks, however often something happens."""
DEAF_SECONDS: Final = 60.0
"""A bot that was just started hears nothing for a moment."""
STEP_SECONDS: Final = 120
"""A clock that is set by more than that says nothing about how long something lasted."""
READ_SECONDS: Final = 60.0
DIGEST_AGAIN_SECONDS: Final = 600.0
"""After one that could not be read."""
_MB: Final = 1_048_576


class Counting(Protocol):
    """A clock that can be set, and one that only counts: `bot.clock.SystemClock`."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...


class Ears(Protocol):
    """Whether anything is heard: `bot.heartbeat.Heartbeat`."""

    def deaf(self) -> bool: ...

    def delivering(self) -> frozenset[str]: ...


class Watchman:
    """The one task that looks."""

    def __init__(
        self,
        db: Database,
        clock: Counting,
        bell: Bell,
        ears: Ears,
        *,
        settings: Callable[[], Settings],
        live: Callable[[], Live],
        clock_state: Callable[[], ClockState],
    ) -> None:
        """`bell` rings when something happened that may be an alarm, or the end of one."""
        self._db, self._clock, self._bell, self._ears = db, clock, bell, ears
        self._settings, self._live, self._clock_state = settings, live, clock_state
        self._began = clock.monotonic()
        self._offset = clock.now() - self._began
        self._hearing_since = self._began
        self._deaf: Down | None = None
        self._deaf_from = 0.0
        self._down: dict[str, tuple[int, float]] = {}
        self._answers: dict[str, tuple[int | None, float]] = {}
        self._no_digest_before = self._began

    async def run(self) -> None:
        """Runs for ever."""
        while True:
            await asyncio.sleep(REST_SECONDS)
            await self._bell.wait(LOOK_SECONDS - REST_SECONDS)
            try:
                await self.look()
            except StorageBroken:
                raise
            except Exception:
                log.exception("not_watched")

    async def look(self) -> None:
        """Does what there is to do now, in one commit."""
        outside, settings, now = self._outside(), self._settings(), self._clock.now()
        # With a thousand machines it takes some 60 ms: nobody's order waits for it.
        changed, unplanned, due = await self._db.read_apart(
            lambda tx: (
                bool(watch.changes(tx, outside, settings.limits, now)),
                digest.unplanned(tx, settings.digest, now),
                digest.due(tx, settings.digest, now),
            ),
            seconds=READ_SECONDS,
        )
        said = await self._digest(settings, now) if due else None
        plans = unplanned and (said is not None or not due)
        if not changed and not plans:
            return
        operators = settings.operators_to_tell

        def commit(tx: Tx) -> None:
            kept = watch.look(tx, outside, settings.limits, operators, now)
            for change in kept:
                if change.tell is not None:
                    log.warning("alarm", cause=change.alarm.cause.value, subject=change.alarm.subject, tell=change.tell)
            if plans and digest.note(tx, settings.digest, now) and said is not None:
                digest.send(tx, said, operators, now)

        await self._db.write(commit)

    async def _digest(self, settings: Settings, now: int) -> Message | None:
        """None: it can't be read now, and is tried again after a while. Alarms don't wait for it."""
        if self._clock.monotonic() < self._no_digest_before:
            return None
        try:
            return await self._db.read_apart(
                lambda tx: digest.message(tx, settings.digest.zone, now), seconds=READ_SECONDS
            )
        except StorageBroken:
            raise
        except TookTooLong:
            log.error("no_digest", reason="yesterday is too long to be read in time")
        except Exception:
            log.exception("no_digest")
        self._no_digest_before = self._clock.monotonic() + DIGEST_AGAIN_SECONDS
        return None

    # --- what is seen ------------------------------------------------------------------------------------------------

    def _outside(self) -> Outside:
        monotonic, now = self._clock.monotonic(), self._clock.now()
        self._note_clock(now, monotonic)
        self._note_hearing(now, monotonic)
        live, settings = self._live(), self._settings()
        deaf = self._deaf is not None and monotonic - self._deaf_from > DEAF_SECONDS
        return Outside(
            heard_for=int(monotonic - self._hearing_since) if self._deaf is None else 0,
            deaf_since=self._deaf.at if deaf and self._deaf is not None else None,
            relays=self._relays({relay.url: relay.up for relay in live.relays}, now, monotonic),
            delivering=self._ears.delivering(),
            wallets={name: self._silent_for(name, live.heard.get(name), monotonic) for name in settings.wallets},
            clock=self._clock_state(),
            disk_free_mb=_free_mb(self._db.path.parent),
        )

    def _note_clock(self, now: int, monotonic: float) -> None:
        """After it was set nobody knows for how long anything has been silent."""
        offset = now - monotonic
        if abs(offset - self._offset) > STEP_SECONDS:
            self._hearing_since = monotonic
        self._offset = offset

    def _note_hearing(self, now: int, monotonic: float) -> None:
        if not self._ears.deaf():
            if self._deaf is not None:
                self._deaf, self._hearing_since = None, monotonic
        elif self._deaf is None:
            self._deaf, self._deaf_from = Down(now, 0), monotonic

    def _relays(self, up: Mapping[str, bool], now: int, monotonic: float) -> dict[str, Down | None]:
        self._down = {url: self._down.get(url, (now, monotonic)) for url, is_up in up.items() if not is_up}
        return {
            url: Down(self._down[url][0], int(monotonic - self._down[url][1])) if url in self._down else None
            for url in up
        }

    def _silent_for(self, name: str, answered_at: int | None, monotonic: float) -> int:
        """For how many seconds no other answer came than the last."""
        known = self._answers.get(name)
        if known is None or known[0] != answered_at:
            began = self._began if known is None and answered_at is None else monotonic
            known = self._answers[name] = (answered_at, began)
        return int(monotonic - known[1])


def _free_mb(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free // _MB
    except OSError:
        return None
