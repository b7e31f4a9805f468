"""The books are too long to be checked in time: payments wait no longer for that than they must."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from bot.workers import auditor
from bot.workers.auditor import Auditor
from handlers import holding
from tests.bot.conftest import until
from tests.bot.workers.on_a_wire import DeskClock, running
from tests.handlers.desk import BOSS
from tests.handlers.till import Till


async def test_a_check_that_took_too_long_is_tried_again_soon(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has written; nothing is paid until all is checked. Without the next try that would be a day."""
    monkeypatch.setattr(auditor, "RETRY_SECONDS", 0.05)
    unfinished, unchecked = [0], holding.unchecked

    def counted(*args: Any) -> None:
        unfinished[0] += 1
        unchecked(*args)

    monkeypatch.setattr(holding, "unchecked", counted)
    made = Auditor(till.desk.db, DeskClock(till), operators=frozenset({BOSS}), on_clear=lambda: None)
    async with running(made.run()):
        await until(made.may_pay, "the first look")
        monkeypatch.setattr(auditor, "READ_SECONDS", -1)
        with closing(sqlite3.connect(till.desk.db.path, isolation_level=None)) as raw:
            raw.execute("INSERT INTO meta VALUES ('somebody', 'else')")
        await until(made.checking, "the write")
        await until(lambda: unfinished[0] > 1, "two checks that came to no end")
        assert not made.may_pay()
        monkeypatch.setattr(auditor, "READ_SECONDS", 60)
        await until(made.may_pay, "a check to the end")
    told, over = await till.told()
    assert told.startswith("Somebody else has written into the database")
    assert over == "Over: The books are not checked yet."
