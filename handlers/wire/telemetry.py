"""Reads telemetry (docs/protocol.md): any JSON object, of a size that can be kept."""

from __future__ import annotations

from typing import Final

from handlers.wire.bad_event import BadEvent
from nwc.foreign import parse_json, plain

MAX_CHARS: Final = 65_535
"""NIP-44 carries no more."""


def parse_telemetry(text: str) -> str:
    """The object, as it came. Raises BadEvent, and nothing else."""
    if len(text) > MAX_CHARS:
        raise BadEvent("too_large", f"more than {MAX_CHARS} characters")
    try:
        body = parse_json(text, max_chars=MAX_CHARS)
        text.encode()
    except ValueError as error:
        raise BadEvent("unreadable", plain(str(error))) from None
    if not isinstance(body, dict):
        raise BadEvent("unknown_form", "telemetry must be an object")
    return text
