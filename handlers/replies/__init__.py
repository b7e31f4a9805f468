"""What people read: for each wording a function that words a result, in the language of the person who reads it.

Wordings are named after the commands; `splits set?` is the preview of a money order, `notice …` is said unasked.
First what is, last what can be said next; ids first; a dozen lines at most; no markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import (
    alarms,
    cash,
    corrections,
    general,
    holding,
    lps,
    machines,
    notices,
    past,
    payments,
    people,
    reports,
    settlements,
    spanish,
    wallets,
)
from handlers.replies.plain import any_result, clean, harmless
from handlers.replies.words import Wording, Words, phrase
from ledger.errors import Refusal

TEXTS: Final[Mapping[str, Wording]] = {
    **alarms.TEXTS,
    **cash.TEXTS,
    **corrections.TEXTS,
    **general.TEXTS,
    **holding.TEXTS,
    **lps.TEXTS,
    **machines.TEXTS,
    **notices.TEXTS,
    **past.TEXTS,
    **payments.TEXTS,
    **people.TEXTS,
    **reports.TEXTS,
    **settlements.TEXTS,
    **wallets.TEXTS,
}
LANGUAGES: Final[Mapping[str, Words]] = {
    "en": Words("en"),
    "es": Words("es", spanish.CATALOGUE, day="%d/%m/%Y", first_words=spanish.FIRST_WORDS),
}


_NO: Final = phrase("Not done: {why}")


def language_of(word: str) -> str | None:
    """The language that the first word of an order tells of; None where it tells of none."""
    return next((language for language, words in LANGUAGES.items() if word in words.first_words), None)


def says_no(answer: str) -> bool:
    """Whether an answer in text is a refusal, in whatever language."""
    return answer.startswith(tuple(words.known(_NO).partition("{")[0].strip() for words in LANGUAGES.values()))


def render(wording: str, result: Mapping[str, Any], language: str) -> str:
    """The text for a result. A command without words of its own still shows what it found."""
    words = LANGUAGES.get(language, LANGUAGES["en"])
    worded = TEXTS.get(wording)
    return harmless(worded(result, words) if worded is not None else any_result(result, words))


def render_refusal(refusal: Refusal, language: str) -> str:
    """What is wrong and the way out, as the rule says it. It often ends with what to type, so no full stop."""
    words = LANGUAGES.get(language, LANGUAGES["en"])
    return words.known(_NO).format(why=clean(words.say(refusal.said)))
