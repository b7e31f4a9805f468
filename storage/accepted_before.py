"""Customers' payments for which a bot with this key gave a receipt before these books were begun: what is owed for them
may have been paid."""

from __future__ import annotations

from collections.abc import Iterable

from storage.db import Tx


def add(tx: Tx, payment_hashes: Iterable[str]) -> None:
    tx.many("INSERT OR IGNORE INTO accepted_before (payment_hash) VALUES (?)", [(each,) for each in payment_hashes])


def take(tx: Tx, payment_hash: str) -> bool:
    """Whether it is among them; from here on it is not, for an operator is asked."""
    return tx.run("DELETE FROM accepted_before WHERE payment_hash = ?", (payment_hash,)).rowcount == 1
