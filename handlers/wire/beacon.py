"""Reads a beacon (docs/protocol.md): public JSON, of which each known field is taken that is of the right kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from handlers.wire.bad_event import BadEvent
from ledger.cash import LARGEST_NOTE, MOST_BAYS
from ledger.money import decimal_text
from nwc.foreign import parse_json, plain

MAX_CHARS: Final = 16_384
LEVELS: Final = ("full", "ok", "low", "empty")
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,40}", re.ASCII)
_MOST_ENTRIES: Final = 16


@dataclass(frozen=True, slots=True)
class ReadBeacon:
    fields: Mapping[str, Any]
    """What was taken: flags, text, decimals as text, and lists of those."""
    dropped: tuple[str, ...]
    """Known fields that were of the wrong kind."""

    @property
    def tells(self) -> bool:
        """Whether only a beacon says such things: a name or a version is said of much else."""
        return bool(self.fields.keys() & _TELLING)


_TELLING: Final = frozenset({"cash_in", "cash_out", "cash_level", "fees", "limits", "denominations"})


class _Wrong(Exception):
    """A value of the wrong kind."""


def parse_beacon(text: str) -> ReadBeacon:
    """Raises BadEvent, and nothing else. Fields that are null are as if left out; unknown ones are ignored."""
    if len(text) > MAX_CHARS:
        raise BadEvent("too_large", f"more than {MAX_CHARS} characters")
    try:
        body = parse_json(text, max_chars=MAX_CHARS, exact_decimals=True)
    except ValueError as error:
        raise BadEvent("unreadable", plain(str(error))) from None
    if not isinstance(body, dict):
        raise BadEvent("unknown_form", "a beacon must be an object")
    version = body.get("v", 1)
    if type(version) is not int or version != 1:
        raise BadEvent("unknown_version", "v names a version that is not known here: 1 is")
    fields: dict[str, Any] = {}
    dropped = []
    for name, read in _FIELDS.items():
        value = body.get(name)
        if value is None:
            continue
        try:
            fields[name] = read(value)
        except _Wrong:
            dropped.append(name)
    return ReadBeacon(fields, tuple(dropped))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong
    return value


def _level(value: object) -> str:
    if not isinstance(value, str) or value not in LEVELS:
        raise _Wrong
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise _Wrong
    return value


def _line(most: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or len(value) > most or not (line := plain(value, most)):
            raise _Wrong
        return line

    return read


def _version(value: object) -> str:
    return _decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else _line(64)(value)


def _decimal(value: object) -> str:
    """A number or a string of one, as plain text."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and -40 < Decimal(value).adjusted() < 40:
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
    else:
        text = value if isinstance(value, str) else ""
    if not _DECIMAL.fullmatch(text):
        raise _Wrong
    return decimal_text(Decimal(text))


def _decimals(value: object) -> dict[str, str]:
    return {name: _decimal(each) for name, each in _entries(value)}


def _nested(value: object) -> dict[str, Any]:
    """Numbers by name, or such objects by name."""
    return {name: _decimals(each) if isinstance(each, dict) else _decimal(each) for name, each in _entries(value)}


def _entries(value: object) -> list[tuple[str, object]]:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES or not all(map(_NAME.fullmatch, value)):
        raise _Wrong
    return [(name, each) for name, each in value.items() if each is not None]


def _place(value: object) -> str:
    """A geohash or other short text, or a pair of degrees, which becomes `14.558,-90.729`."""
    if isinstance(value, str):
        return _line(100)(value)
    if isinstance(value, dict):
        value = [value.get("lat"), value.get("lon", value.get("lng"))]
    if not isinstance(value, list) or len(value) != 2:
        raise _Wrong
    latitude, longitude = map(_decimal, value)
    if abs(Decimal(latitude)) > 90 or abs(Decimal(longitude)) > 180:
        raise _Wrong
    return f"{latitude},{longitude}"


def _denominations(value: object) -> list[int]:
    if not isinstance(value, list) or len(value) > MOST_BAYS:
        raise _Wrong
    if not all(type(each) is int and 1 <= each <= LARGEST_NOTE for each in value):
        raise _Wrong
    return sorted(set(value))


_FIELDS: Final[Mapping[str, Callable[[object], Any]]] = {
    "cash_in": _flag,
    "cash_out": _flag,
    "cash_level": _level,
    "fiat": _currency,
    "model": _line(100),
    "name": _line(100),
    "location": _line(200),
    "geo": _place,
    "fees": _decimals,
    "limits": _nested,
    "denominations": _denominations,
    "version": _version,
}
