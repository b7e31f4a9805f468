"""The one place where the process asks what time it is. Everybody else is given a clock, so that tests can set it."""

from __future__ import annotations

import time


class SystemClock:
    """The clock of the machine. Implements `nwc.ports.Clock`."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> int:
        """Unix seconds. May jump when the machine's clock is set."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that only ever grow: for measuring how long something took."""
        return time.monotonic()

    def drift_seconds(self) -> float:
        """How far the clock was set, forth or back, since this object was made."""
        return abs(time.time() - time.monotonic() - self._offset)
