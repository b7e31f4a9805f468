"""Events are plain values, read strictly."""

from __future__ import annotations

import pytest

from nwc.event import Event

GOOD: dict[str, object] = {
    "id": "0a" * 32,
    "pubkey": "0b" * 32,
    "created_at": 1,
    "kind": 1,
    "tags": [["p", "x", "y"], ["e"], ["p", "z"]],
    "content": "hi",
    "sig": "0c" * 64,
}


def test_an_event_survives_the_round_trip() -> None:
    event = Event.from_dict(GOOD)
    assert event.to_dict() == GOOD
    assert Event.from_dict(event.to_dict()) == event


@pytest.mark.parametrize("changes", [{"created_at": 0, "kind": 0}, {"created_at": 2**63 - 1, "kind": 65_535}])
def test_the_first_and_the_last_numbers(changes: dict[str, object]) -> None:
    assert Event.from_dict(GOOD | changes).to_dict() == GOOD | changes


def test_tags_are_found_by_name() -> None:
    event = Event.from_dict(GOOD)
    assert event.tag("p") == "x"
    assert event.tag_values("p") == ("x", "z")
    assert event.tag("e") is None
    assert event.tag("q") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "0A" * 32),
        ("id", "0a" * 31),
        ("id", None),
        ("pubkey", 5),
        ("sig", "0c" * 32),
        ("created_at", True),
        ("created_at", 1.0),
        ("created_at", -1),
        ("created_at", 2**63),
        ("kind", 65_536),
        ("kind", "1"),
        ("tags", None),
        ("tags", "pe"),
        ("tags", ["pe"]),
        ("tags", [["p", 5]]),
        ("content", None),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Event.from_dict(GOOD | {field: value})


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], "an event must be a JSON object"),
        (GOOD | {"id": "0A" * 32}, "event id must be lower-case hex of the right length"),
        (GOOD | {"kind": -1}, "event kind must be an integer from 0 to 65535"),
        (GOOD | {"content": 5}, "event content must be text"),
        (GOOD | {"tags": 5}, "event tags must be a list"),
        (GOOD | {"tags": [5]}, "event tags must be lists of text"),
        (GOOD | {"tags": [[5]]}, "event tags must be text"),
    ],
)
def test_what_is_wrong_with_it(raw: object, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        Event.from_dict(raw)
