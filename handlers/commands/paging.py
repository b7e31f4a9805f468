"""Lists: the newest first, a page at a time, each page small enough for a message; long texts in numbered parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from handlers.commands.fields import Before, Limit, Params

DEFAULT_LIMIT = 20
MAX_ROWS_IN_TEXT = 9
"""With a heading, the way to the next ones and a last word that makes a dozen lines."""
MAX_ANSWER_BYTES: Final = 28_000
"""Of an answer as a JSON string. Relays take events of up to 64 KiB; a gift wrap is two layers of padding and base64
around that string, and this is what leaves it below."""
_HEADING_BYTES = 20
T = TypeVar("T")


class Paged(Params):
    """The two parameters that every list has."""

    limit: Limit = DEFAULT_LIMIT
    before: Before | None = None


def written_bytes(text: str) -> int:
    """How long a text is once it is a string in JSON, with its quotes escaped: as it stands inside a message."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def parts(text: str, max_bytes: int) -> list[str]:
    """A text as messages of at most `max_bytes`, measured as `written_bytes`: broken between lines where that is
    possible, each of several headed by `(1/3)`."""
    if written_bytes(text) <= max_bytes:
        return [text]
    room = max_bytes - _HEADING_BYTES
    found: list[str] = []
    size = room
    for line in (piece for whole in text.split("\n") for piece in _pieces(whole, room)):
        length = written_bytes(line) + 2
        if size + length > room:
            found.append(line)
            size = length
        else:
            found[-1] += "\n" + line
            size += length
    return [f"({number}/{len(found)})\n{part}" for number, part in enumerate(found, 1)]


def _pieces(line: str, room: int) -> list[str]:
    """A line, cut where it alone is too long. A character is written as 12 bytes at most."""
    step = len(line) if written_bytes(line) + 2 <= room else room // 12
    return [line[place : place + step] for place in range(0, len(line), step or 1)] or [""]


class Listing(dict[str, Any]):
    """`{"items": […], "next": … | null}`, knowing where each item would be continued from."""

    def __init__(self, items: list[dict[str, Any]], cursors: list[str], more: bool) -> None:
        super().__init__(items=items, next=cursors[-1] if more else None)
        self.cursors = cursors

    def shortened(self, max_bytes: int) -> None:
        """Drops items from the end until the list fits, measured as `written_bytes`."""
        items: list[dict[str, Any]] = self["items"]
        sizes = [written_bytes(json.dumps(item, ensure_ascii=False)) for item in items]
        total = sum(sizes)
        while total > max_bytes and len(items) > 1:
            total -= sizes.pop()
            items.pop()
            self.cursors.pop()
            self["next"] = self.cursors[-1]


def listing(rows: Sequence[T], limit: int, cursor: Callable[[T], str], item: Callable[[T], dict[str, Any]]) -> Listing:
    """A page of `rows`, which were asked for with one more than `limit` to see whether there are more."""
    kept = rows[:limit]
    return Listing([item(row) for row in kept], [cursor(row) for row in kept], len(rows) > limit)
