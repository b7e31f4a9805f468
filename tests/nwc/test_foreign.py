"""JSON of strangers: strict, bounded, and never another error than ValueError."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nwc.foreign import parse_json, plain


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '{"a": NaN}',
        "[Infinity]",
        "-Infinity",
        "1e400",
        "-1e400",
        "1" * 31,
        "1" * 5_000,
        '{"a": 1, "a": 2}',
        r'{"\ud800": 1, "\ud801": 2}',
        "[" * 200_000,
        "[" * 65 + "]" * 65,
        '{"a":' * 200_000,
        "",
        "{",
        '"' + 'a\\"' * 50_000,
        b"\xff",
        "0" * 1_000_001,
    ],
    ids=range(18),
)
def test_hostile_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the kind is the point
        parse_json(text, max_chars=1_000_000)


def test_honest_json_is_read() -> None:
    text = '{"a": [1, 2.5, "x", null, true], "b": {"c": "\\" [[[ {{{"}}'
    assert parse_json(text, max_chars=1_000) == {"a": [1, 2.5, "x", None, True], "b": {"c": '" [[[ {{{'}}
    assert parse_json(b'"\xc3\xa9"', max_chars=10) == "é"
    assert parse_json("[" * 64 + "]" * 64, max_chars=200) is not None


def test_half_a_surrogate_pair_does_not_spoil_the_rest() -> None:
    value = parse_json(r'{"d\udc00": ["a\ud800b", 1, "\u00e9", "\ud83d\ude00"]}', max_chars=1_000)
    assert value == {"d\ufffd": ["a\ufffdb", 1, "é", "😀"]}
    assert parse_json('"a\ud800"', max_chars=10) == "a\ufffd"


def test_foreign_text_becomes_one_harmless_line() -> None:
    assert plain("a\nb\x00c\u202ed\ud800e") == "a b c d e"
    assert plain("x" * 300) == "x" * 199 + "…"
    assert plain("x" * 200) == "x" * 200


def test_decimals_are_exact_where_that_is_asked_for() -> None:
    assert parse_json("[0.1, 1e2, 3]", max_chars=50, exact_decimals=True) == [Decimal("0.1"), Decimal("1e2"), 3]
    for text in ("1.0" + "0" * 60, "1e99999999999999999999"):
        with pytest.raises(ValueError, match="number"):
            parse_json(text, max_chars=100, exact_decimals=True)


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    assert parse_json("[" + ",".join(["[[]]"] * 100) + "]", max_chars=1_000) == [[[]]] * 100
    with pytest.raises(ValueError, match="nested deeper"):
        parse_json("[" + ",".join(["[[]]"] * 100) + "," + "[" * 64 + "]" * 65, max_chars=1_000)
