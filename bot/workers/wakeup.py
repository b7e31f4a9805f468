"""How workers learn of work: a commit names what it touched, and whoever waits for that name is woken.

A wake-up can be missed only by being set already, so no work waits longer than until the worker looks again; every
wait has a deadline besides, for work that time alone makes due.
"""

from __future__ import annotations

import asyncio
from typing import Final

LONGEST_WAIT_SECONDS: Final = 60.0


class Bell:
    """Set by others, waited for by one worker."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float = LONGEST_WAIT_SECONDS) -> None:
        """Returns when rung, or after so many seconds; what rings from here on counts for the next wait."""
        try:
            async with asyncio.timeout(max(0.0, min(seconds, LONGEST_WAIT_SECONDS))):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Bells:
    """One bell a worker, rung by the names that commits touch. `storage.Database.on_commit` calls `touched`."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Bell]] = {}
        self._all: list[Bell] = []

    def for_names(self, *names: str) -> Bell:
        bell = Bell()
        self._all.append(bell)
        for name in names:
            self.add(name, bell)
        return bell

    def add(self, name: str, bell: Bell) -> None:
        """This bell is rung by that name too."""
        self._by_name.setdefault(name, []).append(bell)

    def touched(self, names: set[str]) -> None:
        for name in names:
            for bell in self._by_name.get(name, ()):
                bell.ring()

    def ring_all(self) -> None:
        """Something other than a commit changed what may be done: a relay came back, payments may go on."""
        for bell in self._all:
            bell.ring()
