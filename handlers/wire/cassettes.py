"""Reads a cassette state (docs/protocol.md), all of it or nothing, and the notes that a settlement names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard

from handlers.wire.bad_event import BadEvent
from ledger.cash import LARGEST_NOTE, MOST_BAYS, MOST_CASH, MOST_NOTES, Dispensed, Notes
from nwc.foreign import parse_json, plain

MAX_CHARS: Final = 16_384
_POSITION: Final = re.compile(r"[1-9][0-9]?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)


def is_cassettes(text: str) -> bool:
    """Whether decrypted content is meant as a cassette form, whatever is wrong with it."""
    try:
        body = parse_json(text, max_chars=MAX_CHARS)
    except ValueError:
        return False
    return isinstance(body, dict) and "positions" in body


def parse_cassettes(text: str) -> tuple[Notes, ...]:
    """What is in each bay, by position. Raises BadEvent, and nothing else."""
    if len(text) > MAX_CHARS:
        raise BadEvent("too_large", f"more than {MAX_CHARS} characters")
    try:
        body = parse_json(text, max_chars=MAX_CHARS)
    except ValueError as error:
        raise BadEvent("unreadable", plain(str(error))) from None
    positions = body.get("positions") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(positions, dict):
        raise BadEvent("unknown_form", "positions must be an object")
    version = body.get("v", 1)
    if type(version) is not int or version != 1:
        raise BadEvent("unknown_version", "v names a version that is not known here: 1 is")
    if len(positions) > MOST_BAYS:
        raise BadEvent("too_many_bays", f"{len(positions)} bays: a machine has at most {MOST_BAYS}")
    found = sorted((_bay(key, held) for key, held in positions.items()), key=lambda bay: bay.position)
    if sum(bay.amount for bay in found) > MOST_CASH:
        raise BadEvent("too_much", "so much cash is in no machine")
    return tuple(found)


def _bay(key: str, held: object) -> Notes:
    if not _POSITION.fullmatch(key) or int(key) > MOST_BAYS:
        raise BadEvent("unknown_position", f"a position is from 1 to {MOST_BAYS}, not {plain(key, 20)}")
    if not isinstance(held, dict):
        raise BadEvent("unknown_form", f"position {key} must be an object")
    denomination, count = held.get("denomination"), held.get("count")
    if not _within(denomination, 1, LARGEST_NOTE):
        raise BadEvent("bad_denomination", f"denomination of position {key} must be from 1 to {LARGEST_NOTE}")
    if not _within(count, 0, MOST_NOTES):
        raise BadEvent("bad_count", f"count of position {key} must be from 0 to {MOST_NOTES}")
    return Notes(int(key), denomination, count)


def _within(value: object, least: int, most: int) -> TypeGuard[int]:
    return type(value) is int and least <= value <= most


def read_dispensed(text: str | None) -> Dispensed | None:
    """The notes that a machine named with a settlement, as they are stored; None where it named none, or nothing that
    can be read. What is wrong with some of them is wrong with all."""
    if text is None:
        return None
    try:
        body = parse_json(text, max_chars=MAX_CHARS)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    bays = _dispensed_bays(body.get("cassettes"))
    bills = _bills(body.get("bills"))
    if (
        sum(notes.amount for notes in bays or ()) > MOST_CASH
        or sum(d * n for d, n in (bills or {}).items()) > MOST_CASH
    ):
        return None
    return Dispensed(bays or (), bills) if bays or bills else None


def _dispensed_bays(said: object) -> tuple[Notes, ...] | None:
    if not isinstance(said, dict) or len(said) > MOST_BAYS:
        return None
    found = []
    for key, held in said.items():
        if not _POSITION.fullmatch(key) or not isinstance(held, dict):
            return None
        denomination, notes = held.get("denomination"), held.get("dispensed")
        if not _within(denomination, 1, LARGEST_NOTE) or not _within(notes, 0, MOST_NOTES):
            return None
        if notes:
            found.append(Notes(int(key), denomination, notes))
    return tuple(sorted(found, key=lambda bay: bay.position))


def _bills(said: object) -> Mapping[int, int] | None:
    if not isinstance(said, dict) or len(said) > MOST_BAYS:
        return None
    found: dict[int, int] = {}
    for key, number in said.items():
        if not _NUMBER.fullmatch(key) or not _within(int(key), 1, LARGEST_NOTE) or not _within(number, 0, MOST_NOTES):
            return None
        if number:
            found[int(key)] = found.get(int(key), 0) + number
    return found
