"""What a machine tells everybody of itself is kept: the newest of each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers import sightings
from handlers.sightings import Heard, Sighting
from handlers.wire.bad_event import BadEvent
from handlers.wire.beacon import parse_beacon
from nwc.event import Event
from storage import beacons, inbox, machines
from storage.beacons import Beacon
from storage.db import Tx


def receive(tx: Tx, event: Event, sighting: Sighting, *, named: bool) -> Heard | BadEvent | None:
    """`named`: its `d` says that it is one; another event may be something else altogether, and is None then.

    Beacons are many: there is no row in the inbox for each, for the newest one tells what is old.
    """
    found = beacons.of_key(tx, event.pubkey)
    if found is None:
        return Heard.STRANGER
    machine_id, before = found
    if before is not None and not sightings.newer(event, before.event_id, before.created_at):
        return Heard.OLD
    try:
        read = parse_beacon(event.content)
    except BadEvent as bad:
        return sightings.refuse(tx, "beacon", bad) if named else None
    if not named and not read.tells:
        return None
    late = sightings.from_the_future(event, sighting.now)
    if late is not None:
        return sightings.refuse(tx, "beacon", late)
    for name in read.dropped:
        inbox.count(tx, f"beacon_bad_{name}")
    seen_at = sighting.seen_at(event)
    earlier = _earlier(before, event)
    fields = {**earlier, **read.fields}
    beacons.put(tx, machine_id, Beacon(event.id, event.created_at, seen_at, fields, earlier))
    machines.seen(tx, machine_id, seen_at)
    return Heard.TAKEN


def _earlier(before: Beacon | None, event: Event) -> Mapping[str, Any]:
    """The fields that stay where this beacon leaves them out: none of one that it beats by its lower id, which counts
    as never said."""
    if before is None:
        return {}
    return before.fields if event.created_at > before.created_at else before.earlier
