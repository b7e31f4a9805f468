"""The words for people: every command has some, and the amounts read well."""

from __future__ import annotations

import pytest

from handlers import replies
from handlers.commands import registry
from handlers.replies import english
from handlers.replies.plain import any_result, duration, listed, moment, money, percent, sats


@pytest.mark.parametrize("each", registry.every_command(), ids=lambda each: each.name)
def test_every_command_has_its_words(each: registry.Command) -> None:
    if each.name == "confirm":  # speaks with the words of what it confirms
        return
    assert each.name in english.TEXTS
    assert each.preview is None or f"{each.name}?" in english.TEXTS


@pytest.mark.parametrize("each", registry.every_command(), ids=lambda each: each.name)
def test_every_example_is_an_order_that_parses(each: registry.Command) -> None:
    from handlers.commands.grammar import bind, tokens

    found, following = registry.by_words(tokens(each.example), each.roles)
    assert found is each
    values = bind(following, found.places, found.rest)
    if "npub1…" not in each.example:
        each.parse(dict(values))
    assert values.keys() <= each.params.model_fields.keys()


def test_the_reference_names_every_command() -> None:
    text = registry.reference_markdown()
    for each in registry.every_command():
        assert f"| `{each.name}` |" in text
    assert all(line.count("|") - line.count("\\|") == 6 for line in text.splitlines())


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (sats(103_000), "103,000 sats"),
        (sats(1), "1 sat"),
        (money("2000.00", "GTQ"), "2,000.00 GTQ"),
        (money("1234567", "JPY"), "1,234,567 JPY"),
        (money("-5.10", "EUR"), "-5.10 EUR"),
        (percent("0.05"), "5%"),
        (percent("0.00"), "0%"),
        (percent("0.0825"), "8.25%"),
        (percent("0.000001"), "0.0001%"),
        (percent("1.00"), "100%"),
        (moment(1_790_000_000), "2026-09-21 14:13"),
        (moment(None), "never"),
        (duration(0), "0 s"),
        (duration(40), "40 s"),
        (duration(3_661), "1 h 1 min"),
        (duration(86_400), "1 d"),
        (duration(100_000), "1 d 3 h"),
    ],
)
def test_how_things_read(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_list_has_a_dozen_lines_at_most() -> None:
    text = listed("Things:", [f"D{number}" for number in range(30)], "Older ones: x", "One of them: y")
    assert len(text.splitlines()) <= 13
    assert "and 21 more here" in text


def test_a_command_without_words_still_says_what_it_found() -> None:
    result = {"some_id": "D7", "none": None, "items": [1, 2], "who": {"name": "ana", "keys": []}}
    assert any_result(result) == "some id: D7\nitems: 2 of them\nwho: name ana"
    assert replies.render("no such", result, language="xx") == any_result(result)
    assert any_result({}) == "Done."
