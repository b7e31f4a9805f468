"""What is wrong around the bot: relays, the clock, the disk, and the holds that the books themselves ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from handlers import relay_trouble
from handlers.alarms.findings import Clock, Down, Finding, Outside
from handlers.alarms.limits import Limits
from ledger.alarms import Cause
from storage import alarms, holds
from storage.db import Tx

_HOLDS: Final = {holds.BOOKS: Cause.BOOKS, holds.PAST: Cause.PAST}
_ENDED_BY_WHO_FOUND_IT: Final = (Cause.RECONCILE, Cause.BOOKS_UNCHECKED)


def find(tx: Tx, outside: Outside, limits: Limits) -> Iterator[Finding]:
    for hold in holds.all(tx):
        yield Finding(_HOLDS[hold.name], "")
    for cause in _ENDED_BY_WHO_FOUND_IT:
        if alarms.get_open(tx, cause, "") is not None:
            yield Finding(cause, "")
    for url, down in outside.relays.items():
        yield from _relay(url, down, outside, limits.relay_down_minutes * 60)
    if outside.deaf_since is not None:
        yield Finding(Cause.DEAF, "", {"at": outside.deaf_since})
    if outside.clock is not Clock.RIGHT:
        wrong = outside.clock is not Clock.UNKNOWN
        yield Finding(Cause.CLOCK_OFF, "", {"way": outside.clock.value} if wrong else None)
    if outside.disk_free_mb is None or outside.disk_free_mb < limits.disk_low_mb:
        yield Finding(Cause.DISK_LOW, "", None if outside.disk_free_mb is None else {"least": limits.disk_low_mb})


def _relay(url: str, down: Down | None, outside: Outside, after: int) -> Iterator[Finding]:
    """What happens to one of several does not matter while none is heard."""
    if url not in outside.delivering:
        yield Finding(Cause.RELAY_WITHHOLDS, relay_trouble.subject(url))
    if down is not None and down.seconds > after and outside.deaf_since is None:
        yield Finding(Cause.RELAY_DOWN, relay_trouble.subject(url), {"relay": url, "at": down.at})
    elif down is not None:
        yield Finding(Cause.RELAY_DOWN, relay_trouble.subject(url))
