"""Whatever a test has the bot say is also said in every other language, and looked at: nothing is left in English."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from handlers import replies
from handlers.commands import registry
from handlers.replies import LANGUAGES
from handlers.replies.plain import MAX_LINES, harmless

ENOUGH: Final = 40
"""So many results of a kind are looked at."""
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_KEY: Final = re.compile(r"npub1\w+(?:…\w+)?")
_EVERYWHERE: Final = frozenset({"sats", "sat", "min", "UTC", "English", "Español", "satmachine"})
WHOLE_FILES: Final = frozenset({"export"})
"""Answers that are as long as what was asked for."""


class Listening(Mapping[str, str]):
    """A catalogue that remembers what was looked up, and what it did not have."""

    def __init__(self, catalogue: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self.used: set[str] = set()
        self.missed: set[str] = set()

    def __getitem__(self, key: str) -> str:
        return self._catalogue[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalogue)

    def __len__(self) -> int:
        return len(self._catalogue)

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self._catalogue:
            self.missed.add(key)
            return default
        self.used.add(self._catalogue[key])
        return self._catalogue[key]


@cache
def typed() -> frozenset[str]:
    """Words that are typed, the same in every language."""
    found = set(_EVERYWHERE)
    for each in registry.every_command():
        found |= {*each.name.split(), *each.short, *_WORD.findall(each.example)}
        for name, spec in each.params.model_fields.items():
            found |= {name, *_WORD.findall(name), *_WORD.findall(str(spec.annotation))}
    return frozenset(found)


class Interpreter:
    """Says everything again, in every other language, and notes what is wrong with it."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self.wrong: list[str] = []

    def hear(self, wording: str, result: Mapping[str, Any]) -> None:
        self.heard[wording] += 1
        if self.heard[wording] > ENOUGH or wording in WHOLE_FILES or wording not in replies.TEXTS:
            return
        worded = replies.TEXTS[wording]
        english = harmless(worded(result, LANGUAGES["en"]))
        self._look_at(wording, english, result)
        for words in LANGUAGES.values():
            if not words.catalogue:
                continue
            listening = Listening(words.catalogue)
            text = harmless(worded(result, replace(words, catalogue=listening)))
            self._look_at(wording, text, result)
            if listening.missed:
                self.wrong.append(f"{wording}: not in the catalogue: {listening.missed}")
            if len(text.splitlines()) != len(english.splitlines()):
                self.wrong.append(f"{wording}: other lines:\n{english}\n{text}")
            self._look_for_english(wording, text, listening.used, result)

    def _look_at(self, wording: str, text: str, result: Mapping[str, Any]) -> None:
        if len(text.splitlines()) > MAX_LINES:
            self.wrong.append(f"{wording}: too long:\n{text}")
        if "{" in text and "{" not in json.dumps(list(result.values()), default=str):
            self.wrong.append(f"{wording}: an open brace: {text}")

    def _look_for_english(self, wording: str, text: str, used: Iterable[str], result: Mapping[str, Any]) -> None:
        """Each word is one of the catalogue, one of the data, or one that is typed."""
        said = typed().union(_WORD.findall(" ".join(used)))
        data = json.dumps(result, ensure_ascii=False, default=str)
        left = {word for word in _WORD.findall(_KEY.sub("", text)) if word not in said and word not in data}
        if left:
            self.wrong.append(f"{wording}: from nowhere, {left}:\n{text}")
