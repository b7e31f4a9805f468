"""Inputs whose size or shape is the attack: deep, long, endless numbers, all of one character."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz.parsers import PERSON
from tests.nwc.made import HASH

_LONG: Final = 60_000
_KEY: Final = PERSON.public_key


def _event(tags: str, content: str) -> str:
    head = f'{{"id":"{"0a" * 32}","pubkey":"{_KEY}","created_at":1,"kind":1059,"tags":{tags},"content":'
    return f'{head}{content},"sig":"{"0c" * 64}"}}'


EXTREMES: Final[Mapping[str, Callable[[], str]]] = {
    "lists 200,000 deep": lambda: "[" * 200_000,
    "lists 200,000 deep and closed": lambda: "[" * 200_000 + "]" * 200_000,
    "objects 200,000 deep": lambda: '{"a":' * 200_000,
    "a value 200,000 deep": lambda: '{"method":"join","params":' + "[" * 200_000 + "]" * 200_000 + "}",
    "an integer of 60,000 digits": lambda: "9" * _LONG,
    "a member with that integer": lambda: f'{{"v":1,"payment_hash":"{HASH}","wire_sats":{"9" * _LONG}}}',
    "a fraction of 60,000 digits": lambda: "0." + "1" * _LONG,
    "an absurd exponent": lambda: '{"amount":1e999999999999999999,"wire_sats":1e400,"created_at":-1e400}',
    "60,000 quotes": lambda: '"' * _LONG,
    "60,000 backslashes": lambda: '"' + "\\" * _LONG,
    "60,000 open quotes in words": lambda: "help " + "“ " * (_LONG // 2),
    "60,000 words": lambda: "a " * (_LONG // 2),
    "60,000 equal signs": lambda: "a=" * (_LONG // 2),
    "30,000 equal keys": lambda: "{" + '"a":1,' * 30_000 + '"a":1}',
    "30,000 keys": lambda: "{" + ",".join(f'"{number}":1' for number in range(30_000)) + "}",
    "30,000 lone surrogates": lambda: '["' + "\\ud800" * 30_000 + '"]',
    "60,000 spaces": lambda: " " * _LONG,
    "60,000 line ends": lambda: "\r\n" * (_LONG // 2),
    "60,000 letters of bech32": lambda: "lnbc1" + "q" * _LONG,
    "60,000 at signs": lambda: "@" * _LONG,
    "60,000 percent signs": lambda: "https://example.com/" + "%" * _LONG,
    "60,000 dots": lambda: "https://" + "a." * (_LONG // 2) + "com/",
    "10,000 TOML tables": lambda: "".join(f"[a{number}.b]\n" for number in range(10_000)),
    "a TOML key 100,000 deep": lambda: ".".join("a" * 100_000) + " = 1",
    "a chunked answer without end": lambda: (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 40_000
    ),
    "30,000 header lines": lambda: "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 30_000 + "\r\n{}",
    "5 MB of tags": lambda: _event("[" + ",".join(['["t","xxxxxxxxxx"]'] * 290_000) + "]", '""'),
    "5 MB of content": lambda: _event("[]", '"' + "x" * 5_000_000 + '"'),
}
