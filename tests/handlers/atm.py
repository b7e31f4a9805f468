"""A machine that tells of itself: beacons, telemetry, cassette states, as they are once they are opened."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from handlers import beacon, cassette_state, telemetry
from handlers.sightings import Heard, Sighting
from handlers.wire.bad_event import BadEvent
from nwc.event import Event
from storage import cash, cassettes
from storage.cash import Box, Move
from storage.db import Tx
from tests.handlers.desk import ATM, Desk

Came = Heard | BadEvent | None
TWENTIES = {1: (20, 100), 2: (50, 40)}


def state(bays: dict[int, tuple[int, int]]) -> dict[str, Any]:
    """A cassette state: denomination and count by position."""
    return {"v": 1, "positions": {str(place): {"denomination": d, "count": n} for place, (d, n) in bays.items()}}


@dataclass
class Atm:
    desk: Desk
    pubkey: str = ATM
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def event(self, kind: int, content: str, *, ago: int = 0, number: int | None = None, d: str = "") -> Event:
        name = f"{self.pubkey} {next(self._numbers) if number is None else number}"
        event_id = hashlib.sha256(name.encode()).hexdigest()
        return Event(event_id, self.pubkey, self.desk.now - ago, kind, (("d", d),), content, "00" * 64)

    async def beacon(
        self, said: Any, *, ago: int = 0, number: int | None = None, named: bool = True, live: bool = True
    ) -> Came:
        event = self.event(30_078, said if isinstance(said, str) else json.dumps(said), ago=ago, number=number)
        sighting = Sighting(self.desk.now, live)
        return await self.desk.tx(lambda tx: beacon.receive(tx, event, sighting, named=named))

    async def telemetry(self, said: Any, *, ago: int = 0, live: bool = True) -> Came:
        text = said if isinstance(said, str) else json.dumps(said)
        event, sighting = self.event(30_079, "sealed", ago=ago), Sighting(self.desk.now, live)
        return await self.desk.tx(lambda tx: telemetry.receive(tx, event, text, sighting))

    async def state(self, bays: dict[int, tuple[int, int]], *, ago: int = 0, number: int | None = None) -> Came:
        return await self.says(state(bays), ago=ago, number=number)

    async def says(self, said: Any, *, ago: int = 0, number: int | None = None) -> Came:
        """A cassette state, whatever it is."""
        text = said if isinstance(said, str) else json.dumps(said)
        event, sighting = self.event(30_078, "sealed", ago=ago, number=number), Sighting(self.desk.now, True)
        return await self.desk.tx(lambda tx: cassette_state.receive(tx, event, text, sighting))

    # --- what is believed of it ---

    async def counts(self, machine_id: int = 1) -> dict[int, int]:
        """Notes by position."""
        bays = await self.desk.tx(lambda tx: cassettes.bays(tx, machine_id))
        return {bay.position: bay.count for bay in bays}

    async def box(self, machine_id: int = 1) -> Box:
        return await self.desk.tx(lambda tx: cash.box(tx, machine_id))

    async def moves(self, settlement_id: int | None = None) -> list[Move]:
        """The oldest first."""
        return await self.desk.tx(lambda tx: cash.moves(tx, 1, settlement_id=settlement_id)[::-1])

    async def counted(self, name: str) -> int:
        def work(tx: Tx) -> int:
            row = tx.one("SELECT value FROM counters WHERE name = ?", (name,))
            return int(row["value"]) if row is not None else 0

        return await self.desk.tx(work)
