"""Lists: the newest first, a page at a time, each page small enough for a message."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from handlers.commands.fields import Before, Limit, Params

DEFAULT_LIMIT = 20
T = TypeVar("T")


class Paged(Params):
    """The two parameters that every list has."""

    limit: Limit = DEFAULT_LIMIT
    before: Before | None = None


def written_bytes(text: str) -> int:
    """How long a text is once it is a string in JSON, with its quotes escaped: as it stands inside a message."""
    return len(json.dumps(text, ensure_ascii=False).encode())


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
