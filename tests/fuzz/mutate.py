"""Makes inputs out of good ones: changed as bytes, as JSON, or as bech32 whose checksum is right again.

All chance comes from the `Random` that is given, so that a seed makes the same input anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from bech32 import CHARSET, bech32_encode

Make = Callable[[Random, Sequence[bytes]], bytes]
"""An input out of the corpus."""

ODD_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 7, 1.5, -0.0, 1e308, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64,
    10**29, 10**40, "", "0", "-1", "100", "1e400", "NaN", "true", "null", " ", "x" * 300, "\x00", "\ud800", "\u202e",
    "İ", "K", "😀" * 40, "٣", "{}", "00" * 32, "ab" * 32, "AB" * 32, "g" * 64, [], {}, [[]], [None], {"": None}, [{}],
)  # fmt: skip
ODD_JSON: Final = (
    "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "1E99999999999999999999", "0." + "1" * 100,
    "9" * 5_000, "00", "01", "-", "0x10", "1.", ".5",
    '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"', "'", "tru", "[",
    "{", "]", "}", '{"a":1,"a":2}', "[" * 40 + "]" * 40, "[" * 70 + "]" * 70, "[" * 500,
    '{"a":' * 100 + "1" + "}" * 100,
)  # fmt: skip
BITS: Final = (
    b"\x00", b"\n", b"\r\n", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8",
    b"\xf4\x90\x80\x80",
    b'"', b"'", b"\\", b"\\u", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"=", b"#", b"@", b"?", b"&", b"%",
    b"%00", b"%ff", b"/", b"//", b"..", b"+", b"-", b"1", b"1e400", b"9" * 40, b"null", b"true", b" ", b"\t",
)  # fmt: skip
MAX_BYTES: Final = 20_000
"""What grows beyond is cut: length is tried by inputs of its own (tests/fuzz/extremes.py)."""


def mutated(chance: Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus, changed one to four times; now and then one nobody has seen."""
    data = chance.choice(corpus)
    if chance.random() < 0.02:
        return chance.randbytes(chance.randrange(200))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        change = chance.choice(_CHANGES)
        data = change(chance, data, corpus)[:MAX_BYTES]
    return data


def text(data: bytes) -> str:
    """The bytes as text that may hold anything a Python string can, lone surrogates among it."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- bytes -----------------------------------------------------------------------------------------------------------


def _span(chance: Random, data: bytes) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((0, 1, 1, 2, 4, 16, 64)))


def _replace(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + chance.choice((b"", chance.choice(BITS), chance.randbytes(1))) + data[end:]


def _flip(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _repeat(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:end] + data[start:end] * chance.choice((1, 2, 50)) + data[end:]


def _cut(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return chance.choice((data[:at], data[at:]))


def _splice(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = chance.choice(corpus)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


# --- JSON ------------------------------------------------------------------------------------------------------------


class _Raw:
    """JSON text that stands where a value should be."""

    def __init__(self, written: str) -> None:
        self.written = written


def _in_json(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """Changes one value, key or member, wherever in it; bytes where it is no JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _replace(chance, data, corpus)
    places: list[tuple[Any, Any]] = []
    _places(value, places)
    if not places:
        return _written(_other(chance, value)).encode("utf-8", "surrogatepass")
    inside, key = chance.choice(places)
    form = chance.randrange(6)
    if form == 0:
        del inside[key]
    elif form == 1 and isinstance(inside, dict):
        inside[chance.choice([*inside, "", "a", "\ud800"])] = chance.choice(ODD_VALUES)
    elif form == 2 and isinstance(inside, list):
        inside[key:key] = [inside[key]] * chance.choice((1, 2, 30))
    elif form == 3:
        inside[key] = chance.choice(places)[0] if chance.random() < 0.2 else chance.choice([[inside[key]], None])
        if _too_deep(value):
            inside[key] = None
    else:
        inside[key] = _other(chance, inside[key])
    return _written(value).encode("utf-8", "surrogatepass")


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        _places(value[key], found)


def _too_deep(value: Any) -> bool:
    """What contains itself, too."""
    try:
        json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return True
    return False


def _other(chance: Random, value: Any) -> Any:
    form = chance.randrange(8)
    if form == 0:
        return _Raw(chance.choice(ODD_JSON))
    if isinstance(value, bool) or value is None or form < 3:
        return chance.choice(ODD_VALUES)
    if isinstance(value, int):
        return chance.choice(
            (value + 1, value - 1, -value, value * 10, value + 2**64, float(value % 2**60), str(value))
        )
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", "\x00", "\ud800", "é", "0", value[at:] * 2, value[at].swapcase()))
    return chance.choice(ODD_VALUES)


def _written(value: Any) -> str:
    """JSON by hand: keys may be there twice, and text that is none may stand in it."""
    if isinstance(value, _Raw):
        return value.written
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)


def _twice(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """A member of an object once more, with another value."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _repeat(chance, data, corpus)
    if not isinstance(value, dict) or not value:
        return _repeat(chance, data, corpus)
    key = chance.choice([*value])
    again = f"{json.dumps(key)}:{_written(chance.choice(ODD_VALUES))}"
    return (_written(value)[:-1] + "," + again + "}").encode("utf-8", "surrogatepass")


# --- bech32 ----------------------------------------------------------------------------------------------------------


def _in_bech32(chance: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """Other data under a right checksum; bytes where it is no bech32."""
    prefix, one, rest = text(data).lower().rpartition("1")
    groups = [CHARSET.find(letter) for letter in rest]
    if not one or len(groups) < 7 or -1 in groups:
        return _replace(chance, data, corpus)
    inside = groups[:-6]
    start = chance.randrange(len(inside) + 1)
    end = min(len(inside), start + chance.choice((0, 1, 2, 52)))
    inside[start:end] = chance.choices(range(32), k=chance.choice((0, 1, 2, 7, 52)))
    if chance.random() < 0.2:
        prefix = chance.choice((prefix[:-1], prefix + chance.choice("1pnumx0"), "lnbc", "lnurl", "npub", "nprofile"))
    try:
        return str(bech32_encode(prefix, inside)).encode("utf-8", "surrogatepass")
    except (ValueError, IndexError):
        return data


_CHANGES: Final = (_replace, _flip, _repeat, _cut, _splice, *[_in_json] * 6, _twice, _in_bech32, _in_bech32)
