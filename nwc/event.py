"""The Nostr event (NIP-01) as every package sees it: plain, frozen, with no library behind it.

Whoever builds one from the network has verified id and signature before; here only the form is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HEX_64 = re.compile(r"[0-9a-f]{64}")
_HEX_128 = re.compile(r"[0-9a-f]{128}")
_MAX_UNIX_SECONDS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """A signed event. `id` and `pubkey` are 64 hex characters, `sig` 128, `created_at` is unix seconds."""

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str
    sig: str

    def tag(self, name: str) -> str | None:
        """The value of the first tag called `name`; None where there is none or it has no value."""
        for tag in self.tags:
            if len(tag) > 1 and tag[0] == name:
                return tag[1]
        return None

    def tag_values(self, name: str) -> tuple[str, ...]:
        """The first value of every tag called `name`, in order."""
        return tuple(tag[1] for tag in self.tags if len(tag) > 1 and tag[0] == name)

    def to_dict(self) -> dict[str, object]:
        """The event as NIP-01 writes it in JSON."""
        return {
            "id": self.id,
            "pubkey": self.pubkey,
            "created_at": self.created_at,
            "kind": self.kind,
            "tags": [list(tag) for tag in self.tags],
            "content": self.content,
            "sig": self.sig,
        }

    @classmethod
    def from_dict(cls, raw: object) -> Event:
        """Reads NIP-01 JSON, already parsed. Strict about types; raises ValueError naming the field."""
        if not isinstance(raw, Mapping):
            raise ValueError("an event must be a JSON object")
        return cls(
            id=_hex(raw, "id", _HEX_64),
            pubkey=_hex(raw, "pubkey", _HEX_64),
            created_at=_integer(raw, "created_at", _MAX_UNIX_SECONDS),
            kind=_integer(raw, "kind", 65_535),
            tags=_tags(raw.get("tags")),
            content=_text(raw.get("content"), "content"),
            sig=_hex(raw, "sig", _HEX_128),
        )


def _hex(raw: Mapping[object, object], field: str, form: re.Pattern[str]) -> str:
    value = raw.get(field)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError(f"event {field} must be lower-case hex of the right length")
    return value


def _integer(raw: Mapping[object, object], field: str, highest: int) -> int:
    value = raw.get(field)
    if type(value) is not int or not 0 <= value <= highest:
        raise ValueError(f"event {field} must be an integer from 0 to {highest}")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"event {field} must be text")
    return value


def _tags(value: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("event tags must be a list")
    for tag in value:
        if not isinstance(tag, (list, tuple)):
            raise ValueError("event tags must be lists of text")
    return tuple(tuple(_text(item, "tags") for item in tag) for tag in value)
