"""Text and JSON from strangers: read strictly, shown safely.

Wallets, Lightning address servers and relays choose these bytes. Whatever they send, the only error is ValueError,
the work is bounded by the length of the text, and what comes back can be stored and printed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal, InvalidOperation

MAX_DEPTH = 64
_MAX_DIGITS = 30
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Possessive, and a string without an end is taken whole: the work stays linear whatever the text.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def parse_json(text: str | bytes, *, max_chars: int, exact_decimals: bool = False) -> object:
    """The JSON value in `text`, which may have `max_chars` characters (bytes, if it is bytes) at most.

    Refuses (ValueError) NaN and infinities, numbers that overflow, integers of more than 30 digits, an object that
    names a key twice, nesting deeper than 64. Half surrogate pairs become U+FFFD, so that one odd description
    doesn't make a wallet's whole list unreadable. With `exact_decimals` a number with a point is a Decimal.
    """
    if len(text) > max_chars:
        raise ValueError(f"JSON longer than {max_chars} characters")
    plain_text = text.decode("utf-8") if isinstance(text, bytes) else text
    _refuse_deep(plain_text)
    value: object = json.loads(
        plain_text,
        parse_constant=_refuse_constant,
        parse_float=_decimal if exact_decimals else _finite,
        parse_int=_bounded,
        object_pairs_hook=_unique_keys,
    )
    if "\\u" in plain_text or _LONE_SURROGATE.search(plain_text):
        return _mend(value)
    return value


def plain(text: str, limit: int = 200) -> str:
    """Foreign text made fit for one line of a log or a message: no control, format or surrogate characters."""
    kept = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text[: limit * 4])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _refuse_deep(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return  # too few for that, wherever they are
    depth = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"JSON nested deeper than {MAX_DEPTH}")
        elif mark in "]}":
            depth -= 1


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too big")
    return value


def _decimal(digits: str) -> Decimal:
    if len(digits) > 2 * _MAX_DIGITS:
        raise ValueError("a number has too many digits")
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError("a number is too big") from None


def _bounded(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("an integer is too long")
    return int(digits)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found


def _mend(value: object) -> object:
    """Recursion is bounded by MAX_DEPTH. Keys that become equal by mending are refused like any repeated key."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return _unique_keys([(_LONE_SURROGATE.sub("\ufffd", key), _mend(item)) for key, item in value.items()])
    return value
