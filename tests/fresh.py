"""Fresh databases without a migration each: that is made once for all tests of a process."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from storage.db import Database
from storage.migrate import migrate


@cache
def _migrated() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        migrate(raw, Path("books.db"))
        return raw.serialize()


def lay_down(path: Path) -> None:
    """The file of an empty database, as a first start leaves it."""
    path.write_bytes(_migrated())


async def open_fresh(path: Path) -> Database:
    lay_down(path)
    return await Database.open(path)
