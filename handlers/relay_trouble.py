"""Operators learn which relay delivers nothing, and of a time in which no relay did: each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from handlers import notices
from storage import meta, relays
from storage.db import Tx

SILENCE_KEY: Final = "silence_told_until"


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which no relay was heard, in unix seconds."""

    since: int
    until: int


def note_delivery(
    tx: Tx, *, withholding: Iterable[str], delivering: Iterable[str], operators: Iterable[str], now: int
) -> None:
    """A relay that withholds is told of again only after it has delivered something."""
    for url in sorted(delivering):
        relays.set_delivering(tx, url)
    for url in sorted(withholding):
        if relays.set_withholding(tx, url, now):
            notices.tell(tx, operators, "notice relay withholds", {"relay": url}, now)


def note_silence(tx: Tx, silence: Silence, operators: Iterable[str], now: int) -> None:
    """The bot hears again."""
    if meta.get(tx, SILENCE_KEY) == str(silence.until):
        return
    meta.put(tx, SILENCE_KEY, str(silence.until))
    notices.tell(tx, operators, "notice silence", {"since": silence.since, "until": silence.until}, now)
