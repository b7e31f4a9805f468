"""Brings a database to the newest schema: numbered files, forward only, each in one transaction, a backup before each.

The version is SQLite's `user_version`: the number of the last file applied.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from storage.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def migration_files(folder: Path = MIGRATIONS) -> list[tuple[int, Path]]:
    """(version, file) in order, without gaps."""
    found = sorted((int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))
    if [version for version, _ in found] != list(range(1, len(found) + 1)):
        raise StorageError(f"the migrations in {folder.name} are not numbered 0001, 0002, … without a gap")
    return found


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: Path, folder: Path = MIGRATIONS) -> None:
    """Applies what is missing. Before a database with content changes, a copy `<path>.before-0002` is made.

    Raises StorageError for a database of a newer version, or of another program.
    """
    files = migration_files(folder)
    current = version_of(connection)
    if current > len(files):
        raise StorageError(
            f"{path.name} was written by a newer version (schema {current}, this one knows {len(files)}): "
            "install that version, or restore an older backup"
        )
    if current == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StorageError(f"{path.name} is a database of another program: name another file in [storage] path")
    for version, file in files[current:]:
        if version > 1:
            _backup(connection, path.with_name(f"{path.name}.before-{version:04d}"))
        script = file.read_text(encoding="utf-8")
        try:
            connection.executescript(f"BEGIN EXCLUSIVE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise


def _backup(connection: sqlite3.Connection, copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
