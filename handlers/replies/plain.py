"""Lines and lists as people read them, and what others wrote, made harmless: the same in every language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from handlers.replies.words import Words

MAX_LINES: Final = 12


def short_key(npub: str) -> str:
    return f"{npub[:12]}…{npub[-4:]}"


def shown(text: str, limit: int = 40) -> str:
    """What somebody typed, fit to be shown to somebody else: one line, no control or direction marks, not long."""
    plain = clean(text)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def typed(name: str) -> str:
    """A name as it is typed in an order."""
    return f'"{name}"' if " " in name else name


def clean(text: str) -> str:
    """One line without control characters, direction marks and other invisible ones (Unicode C*, Zl, Zp)."""
    spaced = " ".join(text.split())
    if spaced.isprintable():
        return spaced  # nearly always, and a hundred times faster
    return "".join(
        c for c in spaced if unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp")
    )


def harmless(text: str) -> str:
    """A whole answer without control characters and direction marks, its lines kept."""
    return "\n".join(("  " if line.startswith("  ") else "") + clean(line) for line in text.split("\n"))


def ranges(gaps: Sequence[Mapping[str, Any]]) -> str:
    """`7, 41-43, …`."""
    named = [f"{gap['first']}-{gap['last']}" if gap["first"] < gap["last"] else str(gap["first"]) for gap in gaps]
    return ", ".join([*named[:8], *(["…"] if len(named) > 8 else [])])


def lines(found: Iterable[str | None]) -> str:
    """Joins what there is to say; None says nothing."""
    return "\n".join(line for line in found if line)


def facts(found: Iterable[str | None]) -> str:
    """Joins what there is to say of one thing, on one line."""
    return ", ".join(each for each in found if each)


def listed(w: Words, head: str, items: Sequence[str], following: str | None, tail: str | None = None) -> str:
    """A list in at most a dozen lines: what does not fit is counted, and `following` says how to go on."""
    room = MAX_LINES - len([line for line in (head, following, tail) if line])
    if len(items) > room:
        left = len(items) - room + 1
        items = [*items[: room - 1], w("and {count} more here", count=left)]
    return lines([head, *items, following, tail])


def any_result(result: Mapping[str, Any], w: Words) -> str:
    """A result without words of its own: its facts, line by line, under the names that programs see."""
    found = []
    for key, value in result.items():
        if value is None or value == [] or value == {}:  # noqa: PLR1714 - neither can be in a set
            continue
        if isinstance(value, list | tuple):
            shown = str(len(value))
        elif isinstance(value, Mapping):
            shown = ", ".join(f"{name} {each}" for name, each in value.items() if not isinstance(each, list | Mapping))
        else:
            shown = str(value)
        found.append(f"{key.replace('_', ' ')}: {shown}")
    return lines(found[:MAX_LINES]) or w("Done.")
