"""Payments of a wallet to itself, made to try it: no leg's, no customer's."""

from __future__ import annotations

from storage.db import Tx


def add(tx: Tx, payment_hash: str, wallet: str, now: int) -> None:
    """Kept before anything is paid, so that what the wallet lists later is explained."""
    tx.run(
        "INSERT INTO trials (payment_hash, wallet, created_at) VALUES (?, ?, ?)",
        (payment_hash, wallet, now),
    )


def known(tx: Tx, payment_hash: str) -> bool:
    return tx.one("SELECT 1 FROM trials WHERE payment_hash = ?", (payment_hash,)) is not None


def wallet_of(tx: Tx, payment_hash: str) -> str | None:
    """The wallet that was tried by this payment, if it was one."""
    row = tx.one("SELECT wallet FROM trials WHERE payment_hash = ?", (payment_hash,))
    return row["wallet"] if row else None


def settle(tx: Tx, payment_hash: str, fees_msat: int, now: int) -> bool:
    """True the first time."""
    cursor = tx.run(
        "UPDATE trials SET settled_at = ?, fees_msat = ? WHERE payment_hash = ? AND settled_at IS NULL",
        (now, fees_msat, payment_hash),
    )
    return cursor.rowcount == 1
