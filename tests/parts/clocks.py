"""A clock that a test moves."""

from __future__ import annotations

import time


class MovableClock:
    """The machine's time, or a fixed one, plus `ahead` seconds. Implements `nwc.ports.Clock`."""

    def __init__(self, fixed_at: int | None = None) -> None:
        self.fixed_at = fixed_at
        self.ahead = 0

    def now(self) -> int:
        return (int(time.time()) if self.fixed_at is None else self.fixed_at) + self.ahead

    def advance(self, seconds: int) -> None:
        self.ahead += seconds
