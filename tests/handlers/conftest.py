"""A desk over a fresh database, with two wallets; and a till at it, whose books must be in order when a test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.db import Database
from tests.handlers.desk import ANA, BEN, BOSS, SUPER, Desk
from tests.handlers.till import Till


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = await Database.open(tmp_path / "books.db")
    made = Desk(database)
    await made.open_wallets()
    yield made
    await database.close()


@pytest.fixture
async def till(desk: Desk) -> AsyncIterator[Till]:
    """The machine sintra, which owes the platform 3 % and one partner 5 %, with LPs of 1,500 and 500 GTQ."""
    await desk.with_machine()
    await desk.ask(SUPER, "platform.set", cash_in_fee="3%", cash_out_fee="3%", target="fees@example.com")
    await desk.ask(BOSS, "splits.set", legs="100% me@example.com", confirm=True)
    await desk.with_lp(ANA, "ana", deposited="1500")
    await desk.with_lp(BEN, "ben", deposited="500")
    made = Till(desk)
    yield made
    assert await made.violations() == []


@pytest.fixture
async def owed(till: Till) -> Till:
    """One cash-out is distributed. P1: 3,000 sats to the platform, P2: 5,000 to the partner, P3: 75,000 to ana, P4:
    25,000 to ben."""
    await till.desk.cash_out(platform_fee_sats=3_000)
    await till.desk.distribute()
    return till
