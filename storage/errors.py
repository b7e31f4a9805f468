"""What the database can answer besides rows."""

from __future__ import annotations

import sqlite3
from typing import Final


class StorageError(Exception):
    """The database can't be opened as it is; the sentence says why and what to do."""


class AlreadyRunning(StorageError):
    """Another process has the database."""


class TookTooLong(Exception):
    """A read was ended because its time was over."""


class StorageBroken(Exception):
    """Writing failed in a way that no retry mends (disk full, I/O error, corruption): the daemon must stop."""


_BROKEN: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def is_busy(error: BaseException) -> bool:
    """Whether an error of SQLite means that another program writes, and the same may go through later."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and (code & 0xFF) == sqlite3.SQLITE_BUSY


def is_broken(error: BaseException) -> bool:
    """Whether an error of SQLite means that the disk or the file itself is at fault."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and (code & 0xFF) in _BROKEN
