"""What alarms and the digest need of all machines at once: a few indexed look-ups each, whatever their history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Machine:
    """An active one. Amounts are minor units, times unix seconds."""

    id: int
    name: str
    wallet: str
    fiat: str
    seen_at: int
    """When it last said anything, or was added where it never did."""
    warned: int
    """How many of its newest proven transactions of one direction, as many as were asked for, had other fees than those
    that are set: of the direction where it is more."""
    cash_level: str | None
    """As its beacon says."""
    box_minor: int
    box_limit_minor: int | None
    gap_minor: int
    gap_since: int | None


@dataclass(frozen=True, slots=True)
class Bay:
    machine_id: int
    position: int
    denomination: int
    """Whole units of the machine's currency."""
    count: int


_WARNED: Final = (
    "(SELECT sum(fee_mismatch_warned) FROM (SELECT fee_mismatch_warned FROM settlements WHERE machine_id = m.id"
    " AND tx_type = '{}' AND entered_by IS NULL AND status NOT IN ('unverified', 'rejected')"
    " ORDER BY created_at DESC, id DESC LIMIT :newest))"
)


def machines(tx: Tx, newest: int, now: int) -> list[Machine]:
    """The active ones, by name. `newest`: of so many transactions of each direction the fees are looked at."""
    rows = tx.all(
        "SELECT m.id, m.name, m.wallet, m.fiat, m.created_at, m.last_seen_at, b.fields, x.box_minor, x.limit_minor,"  # noqa: S608
        " x.gap_minor, x.gap_since, (SELECT created_at FROM settlements WHERE machine_id = m.id"
        "  AND entered_by IS NULL AND created_at <= :now ORDER BY created_at DESC LIMIT 1) AS settled_at,"
        f" max(coalesce({_WARNED.format('cash_in')}, 0), coalesce({_WARNED.format('cash_out')}, 0)) AS warned"
        " FROM machines m LEFT JOIN beacons b ON b.machine_id = m.id LEFT JOIN boxes x ON x.machine_id = m.id"
        " WHERE m.active = 1 ORDER BY m.name",
        {"newest": newest, "now": now},
    )
    return [
        Machine(
            id=row["id"],
            name=row["name"],
            wallet=row["wallet"],
            fiat=row["fiat"],
            seen_at=max(row["last_seen_at"] or 0, row["settled_at"] or 0) or row["created_at"],
            warned=row["warned"],
            cash_level=json.loads(row["fields"]).get("cash_level") if row["fields"] else None,
            box_minor=row["box_minor"] or 0,
            box_limit_minor=row["limit_minor"],
            gap_minor=row["gap_minor"] or 0,
            gap_since=row["gap_since"],
        )
        for row in rows
    ]


def bays(tx: Tx) -> list[Bay]:
    """Of all machines, in the order of their ids and positions, as they are believed to be."""
    rows = tx.all("SELECT machine_id, position, denomination, count FROM bays ORDER BY machine_id, position")
    return [Bay(row["machine_id"], row["position"], row["denomination"], row["count"]) for row in rows]


def no_later_than(tx: Tx, now: int) -> None:
    """A clock that was ahead and came back must not make a silent machine look as if it had just been heard, nor a gap
    in its cash as if it had just come up."""
    tx.run("UPDATE machines SET last_seen_at = :now WHERE last_seen_at > :now", {"now": now})
    for table, column in (("beacons", "received_at"), ("telemetry", "received_at"), ("boxes", "gap_since")):
        tx.run(f"UPDATE {table} SET {column} = :now WHERE {column} > :now", {"now": now})  # noqa: S608
