"""One look of the watchman at a desk's books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from handlers.alarms import watch
from handlers.alarms.findings import Clock, Outside
from ledger.alarms import Alarm, Cause, Change
from storage import alarms
from tests.handlers.desk import BOSS, Desk

WELL: Final = Outside(heard_for=10**9, wallets={"main": 0, "second": 0}, clock=Clock.RIGHT, disk_free_mb=100_000)
"""Nothing is wrong outside."""


async def look(desk: Desk, **outside: Any) -> list[str]:
    """What the operator is told by it."""
    before = len(await desk.dms(BOSS))
    seen = replace(WELL, **outside)

    def work(tx: Any) -> list[Change]:
        return watch.look(tx, seen, desk.settings.limits, desk.settings.operators_to_tell, desk.now)

    await desk.tx(work)
    # What does not change is not written.
    assert await desk.tx(lambda tx: watch.changes(tx, seen, desk.settings.limits, desk.now)) == []
    return [dm["text"] for dm in (await desk.dms(BOSS))[before:]]


async def open_alarms(desk: Desk) -> list[Alarm]:
    return await desk.tx(alarms.open_)


async def causes(desk: Desk) -> list[Cause]:
    return [alarm.cause for alarm in await open_alarms(desk)]
