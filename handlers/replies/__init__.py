"""What people read: a catalogue for each language, from the name of a wording to a function that words a result.

Wordings are named after the commands; `splits set?` is the preview of a money order, `notice …` is said unasked.
First what is, last what can be said next; ids first; a dozen lines at most; no markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import english
from handlers.replies.plain import Wording, any_result, clean, harmless
from ledger.errors import Refusal

CATALOGUES: Final[Mapping[str, Mapping[str, Wording]]] = {"en": english.TEXTS}


def render(wording: str, result: Mapping[str, Any], *, language: str = "en") -> str:
    """The text for a result. A command without words of its own still shows what it found."""
    texts = CATALOGUES.get(language, {})
    worded = texts.get(wording) or english.TEXTS.get(wording)
    return harmless(worded(result) if worded is not None else any_result(result))


def render_refusal(refusal: Refusal) -> str:
    """What is wrong and the way out, as the rule says it. It often ends with what to type, so no full stop."""
    return f"Not done: {clean(refusal.message)}"
