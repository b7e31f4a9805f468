"""The words for people: every command has some, and the amounts read well."""

from __future__ import annotations

import pytest

from handlers import replies
from handlers.commands import registry
from handlers.commands.grammar import bind, tokens
from handlers.replies import LANGUAGES, stored
from handlers.replies.plain import any_result, listed
from ledger.errors import Code, Refusal, said

EN, ES = LANGUAGES["en"], LANGUAGES["es"]


WITHOUT_WORDS = {"confirm"}
"""It speaks with the words of what it confirms."""


@pytest.mark.parametrize("each", registry.every_command(), ids=lambda each: each.name)
def test_every_command_has_its_words(each: registry.Command) -> None:
    if each.name in WITHOUT_WORDS:
        return
    assert each.name in replies.TEXTS
    assert each.preview is None or f"{each.name}?" in replies.TEXTS


@pytest.mark.parametrize("each", registry.every_command(), ids=lambda each: each.name)
def test_every_example_is_an_order_that_parses(each: registry.Command) -> None:
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
        assert all(f"\n| `{parameter}` |" in text for parameter in each.params.model_fields)
    columns = {line.count("|") - line.count("\\|") for line in text.splitlines()}
    assert columns == {6, 3, 0}, "the table of commands, that of parameters, and a blank line"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (EN.sats(103_000), "103,000 sats"),
        (ES.sats(1), "1 sat"),
        (EN.money("2000.00", "GTQ"), "Q2,000.00"),
        (ES.money("1234.5", "GTQ"), "Q1,234.50"),
        (EN.money("-5.10", "EUR"), "-€5.10"),
        (EN.money("1234567", "JPY"), "¥1,234,567"),
        (EN.money("20.00", "USD"), "$20.00"),
        (ES.money("20.00", "MXN"), "$20.00 MXN"),
        (ES.money("1234.50", "HNL"), "L1,234.50"),
        (EN.money("not a number", "GTQ"), "not a number GTQ"),
        (EN.percent("0.05"), "5%"),
        (EN.percent("0.00"), "0%"),
        (EN.percent("0.0825"), "8.25%"),
        (EN.percent("0.000001"), "0.0001%"),
        (EN.percent("1.00"), "100%"),
        (EN.moment(1_790_000_000), "2026-09-21 14:13"),
        (ES.moment(1_790_000_000), "21/09/2026 14:13"),
        (EN.date(1_790_000_000), "2026-09-21"),
        (ES.date(1_790_000_000), "21/09/2026"),
        (EN.moment(None), "never"),
        (ES.moment(None), "nunca"),
        (EN.duration(0), "0 s"),
        (EN.duration(40), "40 s"),
        (EN.duration(3_661), "1 h 1 min"),
        (ES.duration(86_400), "1 d"),
        (ES.duration(100_000), "1 d 3 h"),
    ],
)
def test_how_things_read(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize("following", ["Older ones: x", None])
@pytest.mark.parametrize("count", [8, 9, 10, 11, 12, 30])
def test_a_list_has_a_dozen_lines_at_most_and_counts_the_rest(count: int, following: str | None) -> None:
    shown = listed(EN, "Things:", [f"D{number}" for number in range(count)], following, "One of them: y").splitlines()
    assert len(shown) <= 12
    named = sum(line.startswith("D") for line in shown)
    more = [line for line in shown if line.startswith("and")]
    assert more == ([] if named == count else [f"and {count - named} more here"])


def test_a_command_without_words_still_says_what_it_found() -> None:
    result = {"some_id": "D7", "none": None, "items": [1, 2], "who": {"name": "ana", "keys": []}}
    assert any_result(result, EN) == "some id: D7\nitems: 2\nwho: name ana"
    assert replies.render("no such", result, language="xx") == any_result(result, EN)
    assert any_result({}, EN) == "Done."


def test_a_refusal_is_said_in_the_language_of_the_person_with_what_it_holds() -> None:
    """What somebody typed is a value and never a template: braces in it are only braces."""
    near = said("do you mean {name}?", name="{sintra}")
    refusal = Refusal(Code.NOT_FOUND, "there is no machine “{name}”: {hint}", name="{0} {", hint=near)
    assert replies.render_refusal(refusal, "en") == "Not done: there is no machine “{0} {”: do you mean {sintra}?"
    assert replies.render_refusal(refusal, "es") == "No se hizo: no hay un cajero “{0} {”: ¿quiso decir {sintra}?"
    assert refusal.message == "there is no machine “{0} {”: do you mean {sintra}?"


def test_a_stored_sentence_is_said_in_spanish_with_its_figures() -> None:
    assert stored.sentence(ES, "over the cap of 1,000,000 sats a day") == "pasa del límite de 1,000,000 sats por día"
    assert stored.sentence(EN, "over the cap of 1,000,000 sats a day") == "over the cap of 1,000,000 sats a day"
    assert stored.sentence(ES, "words of a wallet {0}") == "words of a wallet {0}"
