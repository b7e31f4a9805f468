"""Amounts, times and lists as people read them, the same in every language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Wording = Callable[[Mapping[str, Any]], str]
MAX_LINES: Final = 12
_WHOLE: Final = re.compile(r"(-?\d+)((?:\.\d+)?)")


def sats(amount: int) -> str:
    """`103,000 sats`."""
    return f"{amount:,} sat{'' if abs(amount) == 1 else 's'}"


def money(text: str, currency: str) -> str:
    """`2000.00` GTQ as `2,000.00 GTQ`."""
    match = _WHOLE.fullmatch(text)
    return f"{int(match[1]):,}{match[2]} {currency}" if match else f"{text} {currency}"


def percent(fraction: str) -> str:
    """`0.05` as `5%`."""
    whole, _, part = fraction.partition(".")
    digits = (whole + part.ljust(6, "0")[:6]).lstrip("0").rjust(5, "0")
    tail = digits[-4:].rstrip("0")
    return f"{int(digits[:-4])}{'.' + tail if tail else ''}%"


def moment(at: int | None, never: str = "never") -> str:
    """A time in UTC, to the minute."""
    return never if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def duration(seconds: int) -> str:
    """`3 d 4 h`, `5 h 10 min`, `40 s`."""
    parts = [(seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or unit == "s")


def short_key(npub: str) -> str:
    return f"{npub[:12]}…{npub[-4:]}"


def shown(text: str, limit: int = 40) -> str:
    """What somebody typed, fit to be shown to somebody else: one line, no control or direction marks, not long."""
    plain = clean(text)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def clean(text: str) -> str:
    """One line without control characters, direction marks and other invisible ones (Unicode C*, Zl, Zp)."""
    spaced = " ".join(text.split())
    return "".join(
        c for c in spaced if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp")
    )


def harmless(text: str) -> str:
    """A whole answer without control characters and direction marks, its lines kept."""
    return "\n".join(("  " if line.startswith("  ") else "") + clean(line) for line in text.split("\n"))


def lines(found: Iterable[str | None]) -> str:
    """Joins what there is to say; None says nothing."""
    return "\n".join(line for line in found if line)


def listed(head: str, items: list[str], following: str | None, tail: str | None = None) -> str:
    """A list in at most a dozen lines: what does not fit is counted, and `following` says how to go on."""
    room = MAX_LINES - 3
    shown = items[:room]
    left = len(items) - len(shown)
    more = f"and {left} more here" if left else None
    return lines([head, *shown, more, following, tail])


def any_result(result: Mapping[str, Any]) -> str:
    """A result without words of its own: its facts, line by line."""
    found = []
    for key, value in result.items():
        if value is None or value == [] or value == {}:  # noqa: PLR1714 - neither can be in a set
            continue
        if isinstance(value, list | tuple):
            shown = f"{len(value)} of them"
        elif isinstance(value, Mapping):
            shown = ", ".join(f"{name} {each}" for name, each in value.items() if not isinstance(each, list | Mapping))
        else:
            shown = str(value)
        found.append(f"{key.replace('_', ' ')}: {shown}")
    return lines(found[:MAX_LINES]) or "Done."
