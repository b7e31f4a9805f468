"""Runs parsers over many inputs, each of which a parser's name, a seed and a number make again."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Final

from tests.fuzz.parsers import CORPUS, PARSERS, Parser

MAX_FINDS: Final = 5
"""After so many a run ends: one cause usually shows in many inputs."""


@dataclass(frozen=True, slots=True)
class Find:
    """An input that a parser did not stand."""

    parser: str
    seed: int
    number: int
    first: int
    """From which number on they are to be tried again: the number itself, where nothing is kept in between."""
    what: str
    data: bytes

    def __str__(self) -> str:
        which = f"--only {self.parser} --seed {self.seed} --first {self.first} --runs {self.number - self.first + 1}"
        again = f"python -m tests.soak fuzz {which}"
        return f"{self.parser}: {self.what}\n  again: {again}\n  input: {self.data[:200]!r}"

    def save(self) -> str:
        """Puts the input into the corpus, where it is tried from now on. Returns its name."""
        name = f"found-{sha256(self.data).hexdigest()[:12]}"
        (CORPUS / self.parser / name).write_bytes(self.data)
        return name


@dataclass(slots=True)
class Outcome:
    """What came of the runs of one parser. Times are seconds of this process's work."""

    parser: str
    runs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_input: str = ""
    finds: list[Find] = field(default_factory=list)

    @contextmanager
    def trying(self, seed: int, number: int, data: bytes, first: int | None = None) -> Iterator[None]:
        """What is done inside is one run; what it raises is a find, and goes no further."""
        began = time.process_time()
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  a panic in the Nostr library is no Exception
            self.finds.append(Find(self.parser, seed, number, number if first is None else first, _what(error), data))
        took = time.process_time() - began
        self.runs += 1
        self.seconds += took
        if took > self.slowest:
            self.slowest, self.slowest_input = took, f"seed {seed}, number {number}, {len(data):,} bytes"

    def add(self, other: Outcome) -> None:
        self.runs += other.runs
        self.seconds += other.seconds
        self.finds += other.finds
        if other.slowest > self.slowest:
            self.slowest, self.slowest_input = other.slowest, other.slowest_input

    def __str__(self) -> str:
        slowest = f"{self.slowest * 1e3:.1f} ms ({self.slowest_input})"
        return f"{self.parser:16} {self.runs:>9,} runs, {len(self.finds)} undeclared exceptions, slowest {slowest}"


def made(parser: Parser, corpus: list[bytes], seed: int, number: int) -> bytes:
    """The input of that number."""
    return parser.make(Random(f"{parser.name} {seed} {number}"), corpus)


def fuzz(name: str, seed: int, first: int, runs: int) -> Outcome:
    """Tries the inputs `first` to `first + runs - 1` of a seed."""
    parser = PARSERS[name]
    corpus = list(parser.corpus().values())
    outcome = Outcome(name)
    for number in range(first, first + runs):
        data = made(parser, corpus, seed, number)
        with outcome.trying(seed, number, data):
            parser.check(data)
        if len(outcome.finds) >= MAX_FINDS:
            break
    return outcome


def _what(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = repr(error).encode("ascii", "backslashreplace").decode()[:300]
    return f"{said} at {place.filename.rpartition('/')[2]}:{place.lineno}"
