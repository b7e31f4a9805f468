"""What is stopped: all payments, a machine's, a payee's. The order that was said last stands, not the last to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from storage.db import Tx

PAYMENTS: Final = "payments"


@dataclass(frozen=True, slots=True)
class Switch:
    paused: bool
    said_at: int
    """When its sender wrote it, unix seconds."""
    said_by: str
    reason: str | None


def of_machine(machine_id: int) -> str:
    """The name of a machine's own switch."""
    return f"machine:{machine_id}"


def of_lp(lp_id: int) -> str:
    """The name of the switch with which operators freeze an LP."""
    return f"lp:{lp_id}"


def of_lp_itself(lp_id: int) -> str:
    """The name of the switch with which an LP freezes itself. A switch of its own: whatever an LP says, and whenever,
    never stands against what an operator said."""
    return f"lp:{lp_id}:itself"


def of_payee(payee: str) -> str:
    """The name of the switch with which a payee that is no LP is frozen: `platform`, a partner, a customer."""
    return f"payee:{payee}"


def frozen(tx: Tx, lp_id: int) -> bool:
    """Whether nothing is paid to this LP, by an operator's word or by its own."""
    return paused(tx, of_lp(lp_id)) or paused(tx, of_lp_itself(lp_id))


def get(tx: Tx, name: str) -> Switch | None:
    row = tx.one("SELECT paused, said_at, said_by, reason FROM switches WHERE name = ?", (name,))
    return Switch(bool(row["paused"]), row["said_at"], row["said_by"], row["reason"]) if row else None


def paused(tx: Tx, name: str = PAYMENTS) -> bool:
    switch = get(tx, name)
    return switch is not None and switch.paused


def paused_machines(tx: Tx) -> list[str]:
    """The names of the machines that are paused by themselves."""
    rows = tx.all(
        "SELECT m.name FROM switches s JOIN machines m ON s.name = 'machine:' || m.id WHERE s.paused = 1"
        " ORDER BY m.name"
    )
    return [row["name"] for row in rows]


def say(tx: Tx, name: str, switch: Switch) -> bool:
    """Sets the switch unless something newer was said; False then."""
    cursor = tx.run(
        "INSERT INTO switches (name, paused, said_at, said_by, reason) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, said_at = excluded.said_at,"
        " said_by = excluded.said_by, reason = excluded.reason WHERE excluded.said_at >= switches.said_at",
        (name, int(switch.paused), switch.said_at, switch.said_by, switch.reason),
    )
    if cursor.rowcount != 1:
        return False
    tx.touch("switches", "legs")
    return True
