"""The witness: a file beside the database that remembers what left, so that a database from the past is noticed.

Each payment request that may leave is a line of it, on the disk after the commit that stored the request and before its
first byte goes out. With it goes how far the books were then: the last numbers and hashes of journal and audit log. A
database that lacks any of that is older than the file. The file is only added to; each line carries a checksum over
itself and the line before.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final

_SUM_CHARS: Final = 16
_START: Final = "0" * _SUM_CHARS


class Trust(StrEnum):
    """What is to be thought of the file as it was found."""

    GOOD = "good"
    NONE = "none"
    """There is none, or not a whole line of it."""
    DAMAGED = "damaged"
    """A line before the last is not what was written."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the books were: the last journal entry and the last line of the audit log, each with its hash."""

    journal: int
    journal_hash: str
    audit: int
    audit_hash: str
    at: int
    """Unix seconds, the newest time of the two; 0 for empty books."""


@dataclass(frozen=True, slots=True)
class Request:
    """A signed payment request: its bytes are `event`."""

    event_id: str
    event: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Fact:
    """That a request to pay this invoice may have left, and what for. What names rows by number is left out, for a
    database from the past gives the same numbers to other things; `leg` is only a hint."""

    payment_hash: str
    leg: int
    settlement: str | None
    """The payment hash of the settlement; None for what an order pays."""
    type: str
    payee: str
    """`storage.forgotten.Purpose.payee`."""
    wallet: str
    invoice: str
    amount_msat: int
    payee_key: str | None
    created_at: int
    expires_at: int
    verify_url: str | None
    request: Request | None
    """None where it is not known: the wallet alone tells of the payment. The witness has none such."""

    def to_json(self) -> dict[str, Any]:
        said = {name: getattr(self, name) for name in self.__slots__ if name != "request"}
        if self.request is not None:
            said["request"] = {name: getattr(self.request, name) for name in self.request.__slots__}
        return said

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Fact:
        """Raises KeyError, TypeError for what `to_json` never made."""
        request = said.get("request")
        return cls(**{**said, "request": Request(**request) if request is not None else None})


class Witness:
    """The open file. All of it belongs to the thread that writes the database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trust = Trust.NONE
        self.mark: Mark | None = None
        """The newest one in the file."""
        self.admitted = False
        """Whether it was compared with the books by now: before that it notes nothing of how far they are."""
        self.hashes: set[str] = set()
        """The payment hashes of all facts."""
        self.requests: set[str] = set()
        """The event ids of their requests."""
        self.newest = 0
        """The latest time that is told of in it, unix seconds."""
        self._sum = _START
        self._file: IO[bytes] | None = None
        self._broken = False
        self._load()

    def _load(self) -> None:
        """Reads the file to its end. A torn last line is what a crash leaves: it never stood for anything that left."""
        if not self.path.exists():
            return
        whole = 0
        for line, said in self._lines():
            whole += len(line)
            if said is None:
                self.trust = Trust.DAMAGED
                continue
            self._sum = _sum_of(line)
            self.trust = Trust.DAMAGED if self.trust is Trust.DAMAGED else Trust.GOOD
            self._take(said)
        with self.path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())

    def _take(self, said: dict[str, Any]) -> None:
        if "sent" in said:
            self.hashes.add(said["sent"]["payment_hash"])
            request = said["sent"].get("request", {})
            self.requests.add(request.get("event_id", ""))
            self.newest = max(self.newest, request.get("created_at", 0))
        if "books" in said:
            self.mark = Mark(**said["books"])
            self.newest = max(self.newest, self.mark.at)

    def facts(self) -> Iterator[Fact]:
        """Those of all lines that can be read, the oldest first."""
        for _, said in self._lines():
            if said is not None and "sent" in said:
                yield Fact.from_json(said["sent"])

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
        """Every whole line, and what it says: None where that is not what was written."""
        if not self.path.exists():
            return
        before = _START
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield line, _read(line, before)
                before = _sum_of(line)

    def write(self, facts: Iterable[Fact], mark: Mark | None) -> None:
        """Adds these, on the disk when it returns. Nothing is written where nothing is new. Raises OSError:
        then none of it stands there, and nothing is added any more."""
        if self._broken:
            raise OSError(errno.EIO, "an earlier line could not be written")
        fresh = {fact.request.event_id: fact for fact in facts if fact.request is not None}
        lines = [{"sent": fact.to_json()} for event_id, fact in fresh.items() if event_id not in self.requests]
        if mark is not None and mark != self.mark:
            lines.append({"books": {name: getattr(mark, name) for name in mark.__slots__}})
        if not lines:
            return
        if self.trust is Trust.DAMAGED:
            self._keep_damaged()
            self.rewrite(lambda _: True)
        made = self._file is None and not self.path.exists()
        text, last = _chained(lines, self._sum)
        if self._file is None:
            self._file = _append_to(self.path)
        size = self.size()
        try:
            _write_all(self._file, text)
            os.fdatasync(self._file.fileno())
            if made:
                _sync_folder(self.path)
        except OSError:
            self._broken = True
            with suppress(OSError):
                self._file.truncate(size)
            raise
        self._sum, self.trust = last, Trust.GOOD
        for said in lines:
            self._take(said)

    def rewrite(self, keep: Callable[[str], bool]) -> None:
        """Leaves out the facts whose payment hash is not to be kept, and what can't be read: in one step or not."""
        readable = [said for _, said in self._lines() if said is not None]
        lines = [said for said in readable if "sent" not in said or keep(said["sent"]["payment_hash"])]
        marks = [number for number, said in enumerate(lines) if "books" in said][:-1]
        for number in reversed(marks):
            del lines[number]
        text, last = _chained(lines, _START)
        other = self.path.with_name(f"{self.path.name}.next")
        with suppress(FileNotFoundError):
            other.unlink()
        with _append_to(other) as file:
            _write_all(file, text)
            os.fsync(file.fileno())
        self.close()
        other.replace(self.path)
        _sync_folder(self.path)
        self._sum, self.trust, self.mark = last, Trust.GOOD if lines else Trust.NONE, None
        self.hashes, self.requests = set(), set()
        for said in lines:
            self._take(said)

    def _keep_damaged(self) -> None:
        """It stays beside the one that is written anew, under the time of its last line."""
        kept = self.path.with_name(f"{self.path.name}.damaged-{int(self.path.stat().st_mtime)}")
        if kept.exists():
            return
        with _append_to(kept) as file, self.path.open("rb") as whole:
            shutil.copyfileobj(whole, file)
            os.fsync(file.fileno())

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _chained(lines: Iterable[dict[str, Any]], before: str) -> tuple[bytes, str]:
    """The bytes of these lines after the line with the checksum `before`, and the checksum of the last."""
    text = []
    for said in lines:
        body = json.dumps(said, separators=(",", ":"), ensure_ascii=True)
        before = _checksum(before, body.encode("ascii"))
        text.append(f"{before} {body}\n")
    return "".join(text).encode("ascii"), before


def _checksum(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()[:_SUM_CHARS]


def _sum_of(line: bytes) -> str:
    return line[:_SUM_CHARS].decode("ascii", "replace")


def _read(line: bytes, before: str) -> dict[str, Any] | None:
    """What a whole line says; None where it is not as it was written, or does not follow the line before."""
    body = line[_SUM_CHARS + 1 : -1]
    if line[:_SUM_CHARS] != _checksum(before, body).encode("ascii"):
        return None
    said: dict[str, Any] = json.loads(body)
    return said


def _append_to(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def _write_all(file: IO[bytes], text: bytes) -> None:
    """It has no buffer, from which what failed would be written later."""
    while text:
        text = text[file.write(text) :]


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
