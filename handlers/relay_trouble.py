"""Operators learn which relay delivers nothing, and of a time in which no relay did: each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from handlers import notices
from handlers.alarms import telling
from ledger.alarms import Cause
from storage import meta
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
        telling.over(tx, Cause.RELAY_WITHHOLDS, subject(url), operators, now)
    for url in sorted(withholding):
        telling.raise_(tx, Cause.RELAY_WITHHOLDS, subject(url), {"relay": url}, operators, now)


def subject(url: str) -> str:
    """Of alarms."""
    return f"relay:{url}"


def note_silence(tx: Tx, silence: Silence, operators: Iterable[str], now: int) -> None:
    """The bot hears again."""
    if meta.get(tx, SILENCE_KEY) == str(silence.until):
        return
    meta.put(tx, SILENCE_KEY, str(silence.until))
    notices.tell(tx, operators, "notice silence", {"since": silence.since, "until": silence.until}, now)
