"""What payees were paid twice, and how their next legs set it off."""

from __future__ import annotations

from ledger.money import MSAT
from storage.db import Tx


def add(tx: Tx, payee: str, payment_hash: str, amount_msat: int, now: int) -> None:
    """A second payment of a leg: the payee owes it."""
    tx.insert("credits", payee=payee, payment_hash=payment_hash, amount_sats=amount_msat // MSAT, created_at=now)


def open_sats(tx: Tx, payee: str) -> int:
    """What the payee owes."""
    row = tx.one(
        "SELECT coalesce(sum(amount_sats - used_sats), 0) AS open FROM credits WHERE payee = ?"
        " AND used_sats < amount_sats",
        (payee,),
    )
    return int(row["open"]) if row else 0


def of_payment(tx: Tx, payment_hash: str) -> tuple[int, int] | None:
    """What this payment paid a second time, in sats, and how much of it is still to be set off."""
    row = tx.one(
        "SELECT amount_sats, amount_sats - used_sats AS open FROM credits WHERE payment_hash = ?", (payment_hash,)
    )
    return (row["amount_sats"], row["open"]) if row else None


def take(tx: Tx, payee: str, wanted_sats: int) -> int:
    """Sets off up to `wanted_sats` of what the payee owes, the oldest first; how much that was."""
    left = wanted_sats
    rows = tx.all(
        "SELECT id, amount_sats - used_sats AS open FROM credits"
        " WHERE payee = ? AND used_sats < amount_sats ORDER BY id",
        (payee,),
    )
    for row in rows:
        part = min(left, row["open"])
        tx.run("UPDATE credits SET used_sats = used_sats + ? WHERE id = ?", (part, row["id"]))
        left -= part
    return wanted_sats - left


def give_back(tx: Tx, payee: str, amount_sats: int) -> None:
    """A leg that had set off so much is not paid after all: the payee owes it again."""
    left = amount_sats
    for row in tx.all("SELECT id, used_sats FROM credits WHERE payee = ? AND used_sats > 0 ORDER BY id DESC", (payee,)):
        part = min(left, row["used_sats"])
        tx.run("UPDATE credits SET used_sats = used_sats - ? WHERE id = ?", (part, row["id"]))
        left -= part
    assert left == 0, "more was given back than was set off"
