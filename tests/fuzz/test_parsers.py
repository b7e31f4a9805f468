"""Each parser stands what it is given: the corpus, what is made out of it, and extremes."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.extremes import EXTREMES
from tests.fuzz.parsers import PARSERS, Parser
from tests.fuzz.runs import MAX_FINDS, fuzz, made

SEED = 1
LONGEST_SECONDS = 1.0
"""Of work for one input of at most 20 kB; it is milliseconds."""
EXTREME_SECONDS = 5.0
HUGE = 1_000_000
"""Of so many bytes only an event is tried: nothing else is so large when it gets to its reader."""


@pytest.mark.parametrize("parser", PARSERS.values(), ids=lambda parser: parser.name)
def test_many_inputs(parser: Parser) -> None:
    for name, data in parser.corpus().items():
        try:
            parser.check(data)
        except Exception as error:
            raise AssertionError(f"{parser.name}/{name}") from error
    found = fuzz(parser.name, SEED, 0, parser.runs)
    assert not found.finds, "\n".join(map(str, found.finds))
    assert found.runs == parser.runs
    assert found.slowest < LONGEST_SECONDS, found.slowest_input


@pytest.mark.parametrize("extreme", EXTREMES)
def test_extremes(extreme: str) -> None:
    data = EXTREMES[extreme]().encode()
    for parser in PARSERS.values():
        if len(data) < HUGE or parser.name == "event":
            began = time.process_time()
            parser.check(data)
            assert time.process_time() - began < EXTREME_SECONDS, parser.name


def test_a_find_is_told_and_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        if b"\x00" in data:
            raise KeyError("a bug")

    parser = Parser("words", broken)
    monkeypatch.setitem(PARSERS, "words", parser)
    found = fuzz("words", SEED, 0, 2_000)
    assert len(found.finds) == MAX_FINDS
    find = found.finds[-1]
    assert "KeyError('a bug') at test_parsers.py" in str(find)
    assert f"fuzz --only words --seed {SEED} --first {find.number} --runs 1" in str(find)
    assert made(parser, list(parser.corpus().values()), SEED, find.number) == find.data
    assert fuzz("words", SEED, find.number, 1).finds == [find]
