"""What a machine reports of its bays: bays come to be by it, and what is believed is held against it.

A state is taken whole or not at all. What is believed of a bay that is known stays as it is: cash-outs, refills and the
operator's own counts change it (handlers/cash.py).
"""

from __future__ import annotations

from handlers import sightings
from handlers.sightings import Heard, Sighting
from handlers.wire.bad_event import BadEvent
from handlers.wire.cassettes import parse_cassettes
from ledger.cash import MoveKind, unit_minor
from nwc.event import Event
from storage import cash, cassettes, inbox, machines
from storage.cash import Cause
from storage.db import Tx


def receive(tx: Tx, event: Event, text: str, sighting: Sighting) -> Heard | BadEvent:
    """`text` is the decrypted content."""
    machine = machines.by_pubkey(tx, event.pubkey)
    if machine is None:
        return Heard.STRANGER
    now = sighting.now
    before = cassettes.state(tx, machine.id)
    try:
        if before is not None and not sightings.newer(event, before.event_id, before.created_at):
            if event.id == before.event_id:
                return Heard.OLD
            raise BadEvent("older", "a newer state of this machine is known")
        late = sightings.from_the_future(event, now)
        if late is not None:
            raise late
        found = parse_cassettes(text)
    except BadEvent as bad:
        return sightings.refuse(tx, "cassettes", bad)
    if not inbox.take(tx, event.id, event.kind, event.pubkey, now):
        return Heard.OLD
    seen_at = sighting.seen_at(event)
    machines.seen(tx, machine.id, seen_at)
    added = cassettes.reported(
        tx, machine.id, found, event_id=event.id, created_at=event.created_at, seen_at=seen_at, now=now
    )
    if added:
        cause = Cause(MoveKind.FOUND, machine.pubkey, min(now, event.created_at))
        cash.find(tx, machine.id, added, unit_minor(machine.fiat), cause, now=now)
    return Heard.TAKEN


def foreign(tx: Tx) -> BadEvent:
    """A state that names another machine than its author."""
    bad = BadEvent("of_another_machine", "its d tag names another machine than the one that signed it")
    return sightings.refuse(tx, "cassettes", bad)
