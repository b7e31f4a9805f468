"""Files that must be there whole or not at all, that only their owner reads, and that never replace another."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


def create_private(path: Path, text: str) -> None:
    """A new file, mode 0600, complete and on the disk when this returns. Raises FileExistsError, OSError."""
    draft = write_draft(path, text)
    try:
        os.link(draft, path)  # fails where there is one, which a rename would replace
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def replace_private(path: Path, text: str) -> None:
    """The same in the place of a file that may be lost. Raises OSError."""
    draft = write_draft(path, text)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise
    _sync_directory(path.parent)


@contextlib.contextmanager
def creating_private(path: Path) -> Iterator[TextIO]:
    """A new file that is written bit by bit: it is there, mode 0600 and on the disk, once the block has ended, and not
    at all where it fails. Raises FileExistsError, OSError."""
    if path.exists():
        raise FileExistsError(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where there is one meanwhile, which a rename would replace
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def write_draft(path: Path, text: str) -> Path:
    """A file beside `path`, mode 0600, with this text, on the disk. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft


def _sync_directory(directory: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
