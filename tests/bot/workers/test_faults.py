"""Faults in what only tells or tidies are logged, and stop no payment; a disk that fails stops the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

import pytest
from structlog.testing import capture_logs

from bot import daemon as daemons
from bot.alerts import Service
from bot.daemon import Daemon
from bot.workers import alerting, watchman
from bot.workers.alerting import Alerting
from bot.workers.public_face import PublicFace
from bot.workers.wakeup import Bell
from bot.workers.watchman import Watchman
from storage.db import Database
from storage.errors import StorageBroken
from tests.bot.test_daemon import daemon
from tests.bot.workers.on_a_wire import running

__all__ = ["daemon"]


class Failing:
    """A database that fails each time."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    async def _fail(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise self.error

    read = read_apart = write = _fail


def _look(man: Watchman, db: Failing) -> Callable[[], Coroutine[Any, Any, None]]:
    man._bell, man.look = Bell(), db.read  # type: ignore[method-assign]
    return man.run


TASKS: Final = ["public_face_not_shown", "alerts_not_sent", "house_not_kept", "not_watched"]
"""What each logs."""


def task(name: str, bot: Daemon, failing: Failing) -> Callable[[], Coroutine[Any, Any, None]]:
    db = cast(Database, failing)
    if name == "public_face_not_shown":
        return PublicFace(db, bot.clock, cast(Any, None), 0.001).run
    if name == "alerts_not_sent":
        return Alerting(db, bot.clock, [(Service(0, lambda _: True), Bell())]).run
    if name == "house_not_kept":
        return lambda: bot._keep_house(db)
    return _look(Watchman.__new__(Watchman), failing)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "HOUSEKEEPING_SECONDS", 0.001)
    monkeypatch.setattr(alerting, "REST_SECONDS", 0.001)
    monkeypatch.setattr(watchman, "REST_SECONDS", 0.001)
    monkeypatch.setattr(watchman, "LOOK_SECONDS", 0.002)


@pytest.mark.parametrize("name", TASKS)
async def test_a_fault_is_logged_and_the_task_goes_on(daemon: Daemon, name: str) -> None:
    failing = Failing(RuntimeError("planted"))
    with capture_logs() as said:
        async with asyncio.timeout(2), running(task(name, daemon, failing)()):
            while failing.asked < 3:
                await asyncio.sleep(0.001)
    assert {line["event"] for line in said} == {name}


@pytest.mark.parametrize("name", TASKS)
async def test_a_disk_that_fails_ends_it(daemon: Daemon, name: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises((StorageBroken, ExceptionGroup)) as caught:
            await task(name, daemon, Failing(StorageBroken("disk full")))()
    error = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, StorageBroken)
