"""The world's time: what is to happen, in order. Nothing waits for real."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
from collections.abc import Callable

START = 1_790_000_000
"""When every simulation begins, unix seconds."""


class Clockwork:
    """Time, chance and the record of one run."""

    def __init__(self, seed: int, *, record: bool = False) -> None:
        self.chance = random.Random(seed)
        self.elapsed = 0.0
        """Seconds since the beginning."""
        self.friendly = False
        """From now on nothing goes wrong any more."""
        self.problems: list[str] = []
        self.lines: list[tuple[float, str]] = []
        """What happened, where it is recorded."""
        self._record = record
        self._trace = hashlib.sha256()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> int:
        """The true time, unix seconds."""
        return START + int(self.elapsed)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.elapsed + max(0.0, seconds), next(self._numbers), action))

    def run_due(self) -> None:
        while self._heap and self._heap[0][0] <= self.elapsed:
            heapq.heappop(self._heap)[2]()

    def pass_time(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        self.pass_until(self.elapsed + seconds)

    def pass_until(self, until: float | None, idle: Callable[[], bool] = lambda: True) -> None:
        """It becomes so late, or as late as when the next thing happens; ends early when something wakes the bot."""
        if until is None:
            until = self._heap[0][0]
        while self._heap and self._heap[0][0] <= until:
            self.elapsed = max(self.elapsed, self._heap[0][0])
            heapq.heappop(self._heap)[2]()
            if not idle():
                return
        self.elapsed = max(self.elapsed, until)

    # --- chance ------------------------------------------------------------------------------------------------------

    def maybe(self, share: float) -> bool:
        """True for this share of all times; never once the world is friendly."""
        return self.chance.random() < share and not self.friendly

    def between(self, least: float, most: float) -> float:
        return self.chance.uniform(least, most)

    def token(self) -> str:
        return self.chance.randbytes(32).hex()

    # --- record ------------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """One line of the trace."""
        self._trace.update(f"{self.elapsed:.6f} {text}\n".encode())
        if self._record:
            self.lines.append((self.elapsed, text))

    def problem(self, text: str) -> None:
        self.note(f"PROBLEM {text}")
        self.problems.append(text)

    @property
    def trace(self) -> str:
        """Hash of everything that happened."""
        return self._trace.hexdigest()[:16]
