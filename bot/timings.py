"""How long a relay may take. One place, so that tests can hurry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things may take, in seconds."""

    retry_seconds: float = 5.0
    """Between two attempts to connect. The library does not promise less than 5."""
    retry_ask_seconds: float = 5.0
    """After a failed question, doubled up to a minute each time in a row."""
    page_seconds: float = 15.0
    """For a relay to answer one question to the end."""
    publish_seconds: float = 10.0
    probe_after_seconds: float = 30.0
    """A relay that was quiet for so long is asked something small."""
    own_events_seconds: float = 5.0
    """At the start nothing is paid before each relay has said what it has of the bot's own events, or for so long."""
    heartbeat_seconds: float = 30.0
    """Between two small events to ourselves, through every relay."""
    sweep_seconds: float = 3_600.0
    """Stored events are gone through again so often, because losses are silent."""
    lost_seconds: float = 60.0
    """A relay that comes and goes is not asked more often what it has lost of the bot's own events."""
    public_face_seconds: float = 60.0
    """Between two looks at what everybody may know of the machines."""
    repeat_after_seconds: float = 5.0
    """An event that comes again so much later was sent again; before that it is another relay's copy."""
    guest_idle_seconds: float = 60.0
    """A relay that was connected for one message is kept for so long."""
    close_seconds: float = 5.0
