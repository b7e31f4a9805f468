"""Words, `key=value` and quotes, as people type them on phones."""

from __future__ import annotations

import pytest

from handlers.commands.grammar import bind, tokens
from handlers.replies.plain import clean, harmless, shown
from ledger.errors import Code, Refusal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  deposit \n sintra\tana ", [(None, "deposit"), (None, "sintra"), (None, "ana")]),
        ('note="first stack"', [("note", "first stack")]),
        ("NOTE='a \"b\" c'", [("note", 'a "b" c')]),
        ("note=“first stack” x", [("note", "first stack"), (None, "x")]),
        ("note=«a b» „c d“ \u2018e f’", [("note", "a b"), (None, "c d"), (None, "e f")]),
        ("note=", [("note", "")]),
        ('""', [(None, "")]),
        ("don't o'clock", [(None, "don't"), (None, "o'clock")]),
        ('a"b c"d', [(None, "ab cd")]),
        (
            "nostr+walletconnect://ab?relay=wss://x&secret=1",
            [(None, "nostr+walletconnect://ab?relay=wss://x&secret=1")],
        ),
        ("x=y=z", [("x", "y=z")]),
        ("1=2", [(None, "1=2")]),
    ],
)
def test_tokens(text: str, expected: list[tuple[str | None, str]]) -> None:
    assert [(token.key, token.text) for token in tokens(text)] == expected


@pytest.mark.parametrize("text", ['note="open', "“open", "'x", 'a"b', "x " * 401])
def test_tokens_refuse(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        tokens(text)
    assert refused.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("text", "places", "rest", "expected"),
    [
        ("sintra ana 5", ("machine", "lp", "amount"), None, {"machine": "sintra", "lp": "ana", "amount": "5"}),
        ("lp=ana sintra 5", ("machine", "lp", "amount"), None, {"machine": "sintra", "lp": "ana", "amount": "5"}),
        ("sintra 5 the rest 'of it'", ("machine",), "note", {"machine": "sintra", "note": "5 the rest 'of it'"}),
        ("sintra 'the rest'", ("machine",), "note", {"machine": "sintra", "note": "the rest"}),
        ("sintra note=the rest x=1", ("machine", "lp"), "note", {"machine": "sintra", "note": "the rest", "x": "1"}),
        ("", ("machine",), "note", {}),
    ],
)
def test_bind(text: str, places: tuple[str, ...], rest: str | None, expected: dict[str, str]) -> None:
    assert bind(tokens(text), places, rest) == expected


@pytest.mark.parametrize(
    ("text", "rest"), [("a b c", None), ("machine=a machine=b", None), ("x note=y note=z", "note")]
)
def test_bind_refuses(text: str, rest: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        bind(tokens(text), ("machine",), rest)
    assert refused.value.code is Code.BAD_REQUEST


def test_what_is_shown_is_one_harmless_line() -> None:
    assert clean(" a\r\n\x00b\u202e\u200f c\u2028d ") == "a b c d"
    assert shown("x" * 50) == "x" * 39 + "…"
    assert harmless("a\u202eb\r\n  c\x00d\ne") == "ab\n  cd\ne"
