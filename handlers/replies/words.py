"""What is said in one person's language: templates from its catalogue, amounts and times in the way of the country.

The English text stands where it is said and is the key of every other language's catalogue, as with gettext. So a
template must be a literal: `tests/handlers/test_catalogues.py` collects them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.languages import get_official_languages
from babel.numbers import format_currency

from ledger.errors import Said

_READABLE: Final = frozenset({"cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pl", "pt", "sv"})
"""Languages whose way to write amounts anybody here can read; of others the person's own is taken."""


def phrase(text: str) -> str:
    """Marks a literal that is looked up in the catalogues later, where it stands in a table."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """How one language speaks. Call it with a literal template and the values for its braces."""

    language: str
    """ISO 639, such as `es`."""
    catalogue: Mapping[str, str] = field(default_factory=dict, repr=False)
    """English template to this language's."""
    day: str = "%Y-%m-%d"
    first_words: frozenset[str] = frozenset()
    """Short forms of orders that tell of somebody who speaks this language."""

    def __call__(self, template: str, /, **values: object) -> str:
        return self.known(template).format(**{name: self._value(value) for name, value in values.items()})

    def _value(self, value: object) -> object:
        """Sentences and the values of our own tables are translated; what people wrote stays as it is."""
        if isinstance(value, Said):
            return self.say(value)
        return self.known(value) if isinstance(value, StrEnum) else value

    def say(self, what: Said) -> str:
        """A sentence that came from somewhere else: a refusal's, a reason's."""
        return self(what.template, **what.values)

    def known(self, text: str) -> str:
        """A word or fixed sentence, such as `pending`; as it is where the catalogue does not have it."""
        return self.catalogue.get(text, text)

    def sats(self, amount: int) -> str:
        """`103,000 sats`: the same everywhere."""
        return f"{amount:,} sat{'' if abs(amount) == 1 else 's'}"

    def money(self, amount: str, currency: str) -> str:
        """Decimal text as the currency's country writes it: `2000.00` GTQ is `Q2,000.00`."""
        try:
            return _money(Decimal(amount), currency, self.language)
        except InvalidOperation:
            return f"{amount} {currency}"

    def percent(self, fraction: str) -> str:
        """`0.05` as `5%`."""
        whole, _, part = fraction.partition(".")
        digits = (whole + part.ljust(6, "0")[:6]).lstrip("0").rjust(5, "0")
        tail = digits[-4:].rstrip("0")
        return f"{int(digits[:-4])}{'.' + tail if tail else ''}%"

    def date(self, at: int) -> str:
        """A day, in UTC."""
        return datetime.fromtimestamp(at, UTC).strftime(self.day)

    def moment(self, at: int | None) -> str:
        """A time in UTC, to the minute; `never` for none."""
        if at is None:
            return self.known(phrase("never"))
        return datetime.fromtimestamp(at, UTC).strftime(f"{self.day} %H:%M")

    def duration(self, seconds: int) -> str:
        """`3 d 4 h`, `5 h 10 min`, `40 s`: the units are the same in every language that there is."""
        parts = [
            (seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"),
        ]  # fmt: skip
        first = next((place for place, (count, _) in enumerate(parts) if count), 3)
        return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or unit == "s")


Wording = Callable[[Mapping[str, Any], Words], str]
"""Words a result of an order, or the facts of a notice."""


@cache
def _locale(currency: str, language: str) -> Locale:
    """An ISO 4217 code begins with its country's; that country's way, in the person's language where there is one."""
    country = currency[:2]
    official = [each for each in get_official_languages(country, de_facto=True) if each in _READABLE]
    for candidate in (language, *official):
        try:
            return Locale(candidate, country)
        except UnknownLocaleError:
            continue
    return Locale(language)


@lru_cache(maxsize=4_096)
def _money(amount: Decimal, currency: str, language: str) -> str:
    text = " ".join(format_currency(amount, currency, locale=_locale(currency, language)).split())
    # Many countries write a bare $ for their own money: whose it is must not be guessed.
    return f"{text} {currency}" if "$" in text and currency != "USD" and text.lstrip("-")[0] == "$" else text
