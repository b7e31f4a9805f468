"""What the readers of machines' events have in common."""

from __future__ import annotations


class BadEvent(Exception):
    """Can't be taken. `reason` is a word to count by, the message says what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
