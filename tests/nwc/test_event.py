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


def test_only_an_object_is_an_event() -> None:
    with pytest.raises(ValueError, match="object"):
        Event.from_dict([])
