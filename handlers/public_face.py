"""What everybody may know of the machines, where the operator wants it: a card for each active one, and the bot's
status (NIP-38). No counts, no amounts. It expires (NIP-40), so that nobody is sent to a machine whose bot is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from handlers.wire import fee_config
from ledger.model import Machine, Platform
from storage import beacons, machines, outbox, platform
from storage.db import Tx

CARD: Final = 30_078
STATUS: Final = 30_315
CARD_D: Final = "bitspire-card:"
STATUS_D: Final = "general"
LIFE_SECONDS: Final = 86_400
RENEW_SECONDS: Final = 6 * 3_600
_SPREAD_SECONDS: Final = 97
"""Between the renewals of two machines: thousands in one second would be more than relays take."""
_WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True)
class Face:
    """What the configuration says of it."""

    shown: bool
    silent_seconds: int
    """A machine that was not heard for so long is not said to be in service."""


@dataclass(frozen=True, slots=True)
class Showing:
    """One event as it should be."""

    kind: int
    d: str
    content: str
    meaning: str
    """Changes with the content, and when it is time to renew it."""


def news(tx: Tx, face: Face, now: int) -> list[Showing]:
    """What should be published: what has changed, what would expire, and what is to be withdrawn."""
    return [each for each in _all(tx, face, now) if outbox.is_news(tx, _coordinate(each.kind, each.d), each.meaning)]


def show(tx: Tx, showings: Iterable[Showing], now: int) -> None:
    for each in showings:
        outbox.put_replaceable(
            tx,
            kind=each.kind,
            d=each.d,
            tags=[],
            content=each.content,
            encrypt_to=None,
            now=now,
            expires_in=LIFE_SECONDS,
            meaning=each.meaning,
        )


def _all(tx: Tx, face: Face, now: int) -> list[Showing]:
    fees = platform.load(tx)
    shown = machines.active(tx) if face.shown else []
    serving = {machine.id: _serving(tx, machine, face, now) for machine in shown}
    wanted = [
        _showing(CARD, CARD_D + machine.pubkey, _card(machine, fees, *serving[machine.id]), machine.id, now)
        for machine in shown
    ]
    if shown:
        wanted.append(_showing(STATUS, STATUS_D, _status(list(serving.values())), 0, now))
    standing = {_coordinate(each.kind, each.d) for each in wanted}
    for kind, beginning in ((CARD, CARD_D), (STATUS, STATUS_D)):
        for coordinate in outbox.published_below(tx, f"{kind}:{beginning}"):
            if coordinate not in standing:
                d = coordinate.removeprefix(f"{kind}:").removesuffix(":")
                wanted.append(Showing(kind, d, "", _WITHDRAWN))
    return wanted


def _showing(kind: int, d: str, content: str, number: int, now: int) -> Showing:
    return Showing(kind, d, content, f"{content} {(now + number * _SPREAD_SECONDS) // RENEW_SECONDS}")


def _coordinate(kind: int, d: str) -> str:
    return outbox.coordinate_of(kind, d, None)


def _serving(tx: Tx, machine: Machine, face: Face, now: int) -> tuple[Mapping[str, Any], bool, bool]:
    """What the machine says of itself, and whether it takes cash in and gives cash out now."""
    beacon = beacons.get(tx, machine.id)
    if beacon is None:
        return {}, False, False
    fields = beacon.fields
    heard = now - beacon.received_at < face.silent_seconds
    cash_out = fields.get("cash_out") is True and fields.get("cash_level") != "empty"
    return fields, heard and fields.get("cash_in") is True, heard and cash_out


def _card(machine: Machine, fees: Platform, fields: Mapping[str, Any], cash_in: bool, cash_out: bool) -> str:
    card: dict[str, Any] = {
        "v": 1,
        "type": "machine",
        "name": machine.name,
        "location": machine.location or fields.get("location"),
        "geo": fields.get("geo"),
        "fiat": machine.fiat,
        "cash_in": cash_in,
        "cash_out": cash_out,
        **fee_config.fees(machine, fees),
    }
    known = {name: value for name, value in card.items() if value is not None}
    return json.dumps(known, separators=(",", ":"), ensure_ascii=False)


def _status(serving: list[tuple[Mapping[str, Any], bool, bool]]) -> str:
    """In English: it is for whoever looks at the bot's profile."""
    count = len(serving)
    takes, gives = sum(cash_in for _, cash_in, _ in serving), sum(cash_out for _, _, cash_out in serving)
    offers = [f"{what} at {number}" for what, number in (("cash out", gives), ("cash in", takes)) if number]
    return f"{count} machine{'s' * (count != 1)}: {', '.join(offers) or 'out of service'}"
