"""How many beacons a second are taken, and whether that depends on how many machines there are.

A thousand machines with a beacon a minute, at a hundred times the speed, are 1,667 a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from handlers import beacon
from handlers.sightings import Heard, Sighting
from ledger.fees import FeeRates
from nwc.event import Event
from storage import machines, wallets
from storage.db import Database, Tx
from tests.bench.limits import Limits

FEW: Final = 10
MANY: Final = 10_000
BEACONS: Final = 20_000
BATCH: Final = 128
"""So many the intake hands to the database at once."""
WANTED: Final = 1_000 / 60 * 100
MOST_TIMES_SLOWER: Final = 1.5
SAID: Final = json.dumps(
    {"cash_in": True, "cash_out": True, "cash_level": "ok", "model": "x", "limits": {"max": 5_000}, "version": "1"}
)


async def measure(limits: Limits) -> list[str]:
    """Lines to print."""
    few, many = await _beacons_a_second(FEW), await _beacons_a_second(MANY)
    slower = limits.at_most("beacons, many machines against few", few / many, MOST_TIMES_SLOWER)
    share = limits.at_most("beacons, what is wanted against what is taken", WANTED / many, 1)
    return [
        "beacons, judged and stored",
        f"  {FEW:>6,} machines  {few:>7,.0f} a second",
        f"  {MANY:>6,} machines  {many:>7,.0f} a second, {few / many:.2f} times slower {slower}",
        f"  of that 1,000 machines at 100 times the speed need {WANTED / many:.2f} {share}",
    ]


async def _beacons_a_second(number: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        db = await Database.open(Path(folder) / "bench.db")
        keys = [hashlib.sha256(f"machine {each}".encode()).hexdigest() for each in range(number)]
        await db.write(lambda tx: _register(tx, keys))
        seconds = 0.0
        for warm in (_events(keys, 1_000, BATCH), _events(keys, 2_000, BEACONS)):
            began = time.monotonic()
            for first in range(0, len(warm), BATCH):
                taken = await asyncio.gather(
                    *(db.write(partial(_take, event)) for event in warm[first : first + BATCH])
                )
                if set(taken) != {Heard.TAKEN}:
                    raise AssertionError(f"beacons were not taken: {set(taken)}")
            seconds = time.monotonic() - began
        await db.close()
        return BEACONS / seconds


def _take(event: Event, tx: Tx) -> object:
    return beacon.receive(tx, event, Sighting(event.created_at, live=True), named=True)


def _events(keys: list[str], since: int, number: int) -> list[Event]:
    """By all machines in turn, each later than the one before."""
    names = (hashlib.sha256(f"{since} {each}".encode()).hexdigest() for each in range(number))
    return [
        Event(name, keys[each * 7_919 % len(keys)], since + each, 30_078, (("d", ""),), SAID, "0" * 128)
        for each, name in enumerate(names)
    ]


def _register(tx: Tx, keys: list[str]) -> None:
    for number, key in enumerate(keys):
        wallets.register(tx, f"w{number}", wallet_pubkey=key, client_pubkey=key, now=0)
        machines.insert(
            tx,
            pubkey=key,
            name=f"m{number}",
            wallet=f"w{number}",
            fiat="GTQ",
            location=None,
            fees=FeeRates(0, 0),
            now=0,
        )
