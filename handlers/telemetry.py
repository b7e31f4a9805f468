"""What a machine tells its operator of itself is kept as it came: the newest of it."""

from __future__ import annotations

from handlers import sightings
from handlers.sightings import Heard, Sighting
from handlers.wire.bad_event import BadEvent
from handlers.wire.telemetry import parse_telemetry
from nwc.event import Event
from storage import machines, telemetry
from storage.db import Tx
from storage.telemetry import Telemetry


def receive(tx: Tx, event: Event, text: str, sighting: Sighting) -> Heard | BadEvent:
    """`text` is the decrypted content."""
    machine = machines.by_pubkey(tx, event.pubkey)
    if machine is None:
        return Heard.STRANGER
    before = telemetry.get(tx, machine.id)
    if before is not None and not sightings.newer(event, before.event_id, before.created_at):
        return Heard.OLD
    try:
        body = parse_telemetry(text)
        late = sightings.from_the_future(event, sighting.now)
        if late is not None:
            raise late
    except BadEvent as bad:
        return sightings.refuse(tx, "telemetry", bad)
    seen_at = sighting.seen_at(event)
    telemetry.put(tx, machine.id, Telemetry(event.id, event.created_at, seen_at, body))
    machines.seen(tx, machine.id, seen_at)
    return Heard.TAKEN
