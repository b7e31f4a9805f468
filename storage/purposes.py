"""What a payment is for, in words that stay the same when rows are numbered anew: for the witness, for wallets'
records, and for meeting again what a database from the past does not know."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ledger.model import Leg
from storage.db import Tx

_PAYEE_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class Purpose:
    settlement: str | None
    """The payment hash of the settlement; None for what an order pays."""
    type: str
    """Of the leg."""
    payee: str
    """A digest of machine and payee: the wallet's keeper need not learn who the LPs are."""


def of(tx: Tx, leg: Leg) -> Purpose:
    row = tx.one(
        "SELECT m.pubkey AS machine, p.pubkey AS lp, s.payment_hash AS settlement FROM machines m"
        " LEFT JOIN lps p ON p.id = ? LEFT JOIN settlements s ON s.id = ? WHERE m.id = ?",
        (leg.lp_id, leg.settlement_id, leg.machine_id),
    )
    assert row is not None
    if row["lp"] is not None:
        payee = lp_at(row["machine"], row["lp"])
    else:
        payee = _digest(row["machine"], "customer" if leg.payee.startswith("customer:") else leg.payee)
    return Purpose(row["settlement"], leg.type.value, payee)


def lp_at(machine: str, lp: str) -> str:
    """`Purpose.payee` of the LP with this public key at the machine with that one."""
    return _digest(machine, f"lp:{lp}")


def _digest(machine: str, whom: str) -> str:
    return hashlib.sha256(f"{machine} {whom}".encode()).hexdigest()[:_PAYEE_CHARS]
