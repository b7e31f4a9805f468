"""A desk over a fresh database, with two wallets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.db import Database
from tests.handlers.desk import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = await Database.open(tmp_path / "books.db")
    made = Desk(database)
    await made.open_wallets()
    yield made
    await database.close()
