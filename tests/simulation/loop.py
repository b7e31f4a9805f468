"""An event loop whose time is the world's: where nothing is ready, it is later at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from tests.simulation.clockwork import Clockwork

MOST_TURNS = 100_000
"""So often the loop may turn while no time passes: a worker that spins would never end."""


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.no_time = NoTime(clockwork, self)
        super().__init__(self.no_time)
        self.set_exception_handler(lambda _loop, _context: None)  # what a killed bot leaves behind

    def time(self) -> float:
        return self._clockwork.elapsed

    def idle(self) -> bool:
        """Whether nothing waits for its turn."""
        return not self._ready  # type: ignore[attr-defined]


class NoTime(selectors.BaseSelector):
    """Takes the place of waiting for the network."""

    def __init__(self, clockwork: Clockwork, loop: VirtualLoop) -> None:
        self._clockwork = clockwork
        self._loop = loop
        self._turns = 0
        self.stopped = False
        """Nothing happens in the world any more while the loop is wound up."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.stopped:
            return []
        if timeout is not None and timeout <= 0:
            self._turns += 1
            if self._turns > MOST_TURNS:
                raise AssertionError("the bot spins: no time passes")
            self._clockwork.run_due()
            return []
        self._turns = 0
        self._clockwork.pass_time(timeout, self._loop.idle)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}
