"""Rows of the books written down: as CSV that spreadsheets read and can't be tricked by, and as JSON.

Both formats name the columns alike. Fiat is decimal text and times are unix seconds; CSV has each time a second time,
as ISO 8601 in UTC, in a column `…_utc`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from handlers.commands.lookup import shown_target
from storage.export import Column, Kind

_RISKY: Final = re.compile(r"[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet would take for a formula, were it not for the apostrophe before it."""
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_KNOWN_TARGETS: Final = 1_000


def shown_targets() -> Callable[[str], str | None]:
    """`shown_target`, which remembers: the same few targets come again and again, and reading one takes its time."""
    return lru_cache(_KNOWN_TARGETS)(shown_target)


class Csv:
    """Rows as lines of RFC 4180, without their ends. Make one for each sheet: not for several threads."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._kinds = [column.kind for column in columns]
        self.head = [
            name
            for column in columns
            for name in ((column.name, f"{column.name}_utc") if column.kind is Kind.TIME else (column.name,))
        ]
        self._written = ""
        self._writer = csv.writer(self, lineterminator="")

    def write(self, text: str) -> int:
        """What the csv module writes its line to."""
        self._written = text
        return len(text)

    def head_line(self) -> str:
        return self._line(self.head)

    def line(self, cells: Sequence[Any]) -> str:
        found: list[Any] = []
        for kind, cell in zip(self._kinds, cells, strict=True):
            if kind is Kind.TIME:
                found += (cell, None if cell is None else iso(cell))
            elif kind is Kind.FLAG and cell is not None:
                found.append("true" if cell else "false")
            else:
                found.append(harmless_cell(cell) if isinstance(cell, str) else cell)
        return self._line(found)

    def _line(self, cells: Sequence[Any]) -> str:
        self._writer.writerow(cells)
        return self._written


def json_item(columns: Sequence[Column], cells: Sequence[Any]) -> dict[str, Any]:
    return {
        column.name: json.loads(cell) if column.kind is Kind.JSON and cell is not None else cell
        for column, cell in zip(columns, cells, strict=True)
    }


def harmless_cell(text: str) -> str:
    """Text that no spreadsheet runs as a formula. Numbers stay numbers."""
    return f"'{text}" if _RISKY.match(text) and not _NUMBER.fullmatch(text) else text


def iso(at: int) -> str | None:
    """`2026-01-31T12:00:00Z`; None for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
