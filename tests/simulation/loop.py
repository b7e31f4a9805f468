"""An event loop whose time is the world's: where nothing is ready, it is later at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from tests.simulation.clockwork import Clockwork

MOST_TURNS = 100_000
"""So often the loop may turn while no time passes: a worker that spins would never end."""
_MANY_CANCELLED = 200


class Call:
    """Implements what tasks, timeouts and sleeps use of `asyncio.TimerHandle`."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "loop")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None, loop: VirtualLoop
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.is_cancelled = False
        self.loop = loop

    def cancel(self) -> None:
        self.is_cancelled = True
        self.callback, self.args = _nothing, ()
        self.loop.cancelled += 1

    def cancelled(self) -> bool:
        return self.is_cancelled


def _nothing() -> None:
    return


class VirtualLoop(asyncio.BaseEventLoop):
    """No sockets, no threads. Of the loop of the standard library it lacks what takes time and is for others."""

    def __init__(self, clockwork: Clockwork) -> None:
        super().__init__()
        self._clockwork = clockwork
        self._calls: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._numbers = itertools.count()
        self._turns = 0
        self.cancelled = 0
        """Calls that were taken back, since they were swept out last."""
        self.stopped = False
        """Nothing happens in the world any more while the loop is wound up."""
        self.set_exception_handler(lambda _loop, _context: None)  # what a killed bot leaves behind

    def time(self) -> float:
        return self._clockwork.elapsed

    def idle(self) -> bool:
        """Whether nothing waits for its turn."""
        return not self._calls

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        call = Call(callback, args, context, self)
        self._calls.append(call)
        return call

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        return self.call_at(self._clockwork.elapsed + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:  # type: ignore[override]
        call = Call(callback, args, context, self)
        heapq.heappush(self._timers, (when, next(self._numbers), call))
        return call

    def _process_events(self, _: object) -> None:
        return

    def _run_once(self) -> None:
        """One turn, called by `run_forever` until the loop is stopped."""
        calls, timers, clock = self._calls, self._timers, self._clockwork
        if self.cancelled > _MANY_CANCELLED and self.cancelled * 2 > len(timers):
            timers[:] = [timer for timer in timers if not timer[2].is_cancelled]
            heapq.heapify(timers)
            self.cancelled = 0
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not self.stopped:
            self._let_pass()
        while timers and timers[0][0] <= clock.elapsed:
            calls.append(heapq.heappop(timers)[2])
        for _ in range(len(calls)):
            call = calls.popleft()
            try:
                call.context.run(call.callback, *call.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - a task takes its own errors: this is a fault of a callback
                if not self.stopped:
                    clock.problem(f"loop: {error!r}")

    def _let_pass(self) -> None:
        clock, timers = self._clockwork, self._timers
        due = bool(timers) and timers[0][0] <= clock.elapsed
        if self._calls or due or self._stopping:  # type: ignore[attr-defined]
            self._turns += 1
            if self._turns > MOST_TURNS:
                raise AssertionError("the bot spins: no time passes")
            clock.run_due()
            return
        self._turns = 0
        clock.pass_until(timers[0][0] if timers else None, self.idle)
