"""What the relays keep of the bot's own events. Each was stored before it left: one that the books never signed shows
that they are from the past, or that another bot has the same key. And what a relay has lost of it, it is given again.

What the key signs in other programs is none of this: only what this bot alone writes counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from handlers import past
from nwc.event import Event
from storage import accepted_before, holds, outbox, relays
from storage.db import Tx

KIND: Final = 30_078
RECEIPT: Final = "bitspire-receipt:"
OURS: Final = (
    "satmachine:worklist:",
    "satmachine:balance:",
    RECEIPT,
    "bitspire-fees:",
    "bitspire-cassettes:",
    "bitspire-card:",
)
"""How the `d` of all that begins which this bot alone writes."""
OVERLAP_SECONDS: Final = 3_600
"""For a second bot's clock, which may be behind."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Own:
    """An event of the bot's key, as far as it is compared."""

    coordinate: str
    created_at: int
    receipt_for: str | None = None
    """The hash of the customer's payment, if it is a receipt."""


def own(event: Event) -> Own | None:
    """None for what is none of this bot's."""
    d = event.tag("d") or ""
    if event.kind != KIND or not d.startswith(OURS):
        return None
    receipt_for = d.removeprefix(RECEIPT) if d.startswith(RECEIPT) else ""
    return Own(
        outbox.coordinate_of(KIND, d, event.tag("p")),
        event.created_at,
        receipt_for if _HASH.fullmatch(receipt_for) else None,
    )


def compared_from(tx: Tx, url: str, now: int) -> int:
    """From when on what this relay keeps is still to be compared, unix seconds."""
    before = relays.compared_at(tx, url)
    since = 0 if past.never_paid(tx) else past.own_since(tx) + 1
    return since if before is None else max(since, min(before, now) - OVERLAP_SECONDS)


def strange(tx: Tx, events: Iterable[Event]) -> set[str]:
    """The ids of those that this bot writes and these books did not sign."""
    ours = ((event.id, own(event)) for event in events)
    return {event_id for event_id, each in ours if each is not None and not outbox.signed(tx, *_of(each))}


def note_compared(tx: Tx, url: str, found: Iterable[Own], *, asked_at: int, operators: Iterable[str], now: int) -> None:
    """What of it these books did not sign holds payments, once: from here on it is known.

    What is older than the books does not: with the same key another bot may have been tried. But where nothing was
    paid yet its receipts are kept in mind: for a customer's payment that it has accepted, an operator is asked.
    """
    unsigned = [each for each in found if not outbox.signed(tx, *_of(each))]
    if any(each.created_at > past.own_since(tx) for each in unsigned):
        before = relays.compared_at(tx, url)
        known_until = past.own_since(tx) if before is None else min(before, asked_at)
        newest = max(each.created_at for each in unsigned)
        past.said_elsewhere(tx, operators, known_until=known_until, newest=newest, now=now)
    if past.never_paid(tx):
        accepted_before.add(tx, (each.receipt_for for each in unsigned if each.receipt_for is not None))
    for each in unsigned:
        outbox.take_over(tx, *_of(each))
    relays.set_compared(tx, url, asked_at)


def kept(tx: Tx, after: str, limit: int, now: int) -> list[tuple[str, Event]]:
    """What every relay should have, by coordinate, `limit` of it. Nothing while these books may be from the past: what
    they said last is not the last word then."""
    if holds.get(tx, holds.PAST) is not None:
        return []
    return [(coordinate, Event.from_dict(json.loads(text))) for coordinate, text in outbox.kept(tx, after, limit, now)]


def _of(each: Own) -> tuple[str, int]:
    return each.coordinate, each.created_at
