"""Text that people type, as words and `key=value`, with quotes as a shell has them.

Phones write typographic quotes, capitalize the first word and break lines: all of that is read as it was meant.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from handlers.replies.plain import shown
from ledger.errors import Code, Refusal

_CLOSERS: Final = {'"': '"“”', "'": "'", "“": '”"“', "„": '“”"', "«": "»", "\u2018": "’'"}
_KEY: Final = re.compile(r"([A-Za-z_]{1,32})=")
MAX_TOKENS: Final = 400


@dataclass(frozen=True, slots=True)
class Token:
    key: str | None
    """Lower case; None for a bare word."""
    text: str
    """The word or value, without its quotes."""
    raw: str
    """As it was typed, without the key."""


def tokens(text: str) -> list[Token]:
    """Splits an order. Refuses (`bad_request`) an open quote and endless text."""
    found: list[Token] = []
    place = 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        if place >= len(text):
            return found
        if len(found) >= MAX_TOKENS:
            raise Refusal(Code.BAD_REQUEST, "that is too long for an order: say help")
        match = _KEY.match(text, place)
        if match:
            place = match.end()
        value, end = _word(text, place)
        found.append(Token(match[1].lower() if match else None, value, text[place:end]))
        place = end


def _word(text: str, place: int) -> tuple[str, int]:
    """One word from `place` on, up to white space outside of quotes."""
    parts: list[str] = []
    while place < len(text) and not text[place].isspace():
        opener = text[place]
        if opener in _CLOSERS and (not parts or opener == '"'):
            end = _closing(text, place)
            parts.append(text[place + 1 : end])
            place = end + 1
        else:
            parts.append(opener)
            place += 1
    return "".join(parts), place


def _closing(text: str, place: int) -> int:
    closers = _CLOSERS[text[place]]
    for end in range(place + 1, len(text)):
        if text[end] in closers:
            return end
    raise Refusal(Code.BAD_REQUEST, "a quote {quote} is opened and not closed", quote=text[place])


def bind(
    found: Sequence[Token], places: Sequence[str], rest: str | None, fields: Container[str] | None = None
) -> dict[str, str]:
    """Names for values: `key=value` by its key, bare words by `places`, what is left over goes to `rest`.

    After `rest=…` bare words belong to it too. Refuses (`bad_request`) a key given twice and a word too many.
    """
    values: dict[str, str] = {}
    remaining: list[Token] = []
    given = {token.key for token in found if token.key}
    open_places = [place for place in places if place not in given]
    for token in found:
        if token.key is not None and remaining and fields is not None and token.key not in fields:
            remaining.append(token)  # somebody writes on, with an equals sign in it
        elif token.key is not None:
            if token.key in values or (token.key == rest and remaining):
                raise Refusal(Code.BAD_REQUEST, "{field} is given twice", field=token.key)
            if token.key == rest:
                remaining.append(token)
            else:
                values[token.key] = token.text
        elif open_places and not remaining:
            values[open_places.pop(0)] = token.text
        elif rest is not None:
            remaining.append(token)
        else:
            raise Refusal(
                Code.BAD_REQUEST,
                "“{text}” is one word too many: put quotes around values with spaces",
                text=shown(token.text),
            )
    if rest is not None and remaining:
        single = len(remaining) == 1
        values[rest] = (
            remaining[0].text
            if single
            else " ".join(token.raw if token.key in (None, rest) else f"{token.key}={token.raw}" for token in remaining)
        )
    return values
