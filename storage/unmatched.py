"""Payments in a machine's wallet that no settlement and no attempt explains."""

from __future__ import annotations

from storage.db import Tx
from storage.settlements import mark_view


def note(
    tx: Tx, *, payment_hash: str, wallet: str, direction: str, amount_msat: int, settled_at: int, now: int
) -> None:
    """Kept until something explains it."""
    cursor = tx.run(
        "INSERT OR IGNORE INTO unmatched (payment_hash, wallet, direction, amount_msat, settled_at, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (payment_hash, wallet, direction, amount_msat, settled_at, now),
    )
    if cursor.rowcount == 1:
        mark_view(tx, "worklist")


def known(tx: Tx, payment_hash: str, *, until: int | None = None) -> bool:
    """Whether it is noted; with `until`, unix seconds, whether it was by then."""
    row = tx.one("SELECT seen_at FROM unmatched WHERE payment_hash = ?", (payment_hash,))
    return row is not None and (until is None or row["seen_at"] <= until)


def ending_in(tx: Tx, wallet: str, end: str) -> list[str]:
    """The hashes of payments in this wallet that end so: two at most are looked for."""
    rows = tx.all(
        "SELECT payment_hash FROM unmatched WHERE wallet = ? AND substr(payment_hash, -length(?)) = ? LIMIT 2",
        (wallet, end, end),
    )
    return [row["payment_hash"] for row in rows]


def number(tx: Tx) -> int:
    row = tx.one("SELECT count(*) AS number FROM unmatched")
    return row["number"] if row else 0


def forget(tx: Tx, payment_hash: str, wallet: str) -> None:
    """Something explains this payment now."""
    if tx.run("DELETE FROM unmatched WHERE payment_hash = ? AND wallet = ?", (payment_hash, wallet)).rowcount:
        mark_view(tx, "worklist")


def forget_explained(tx: Tx) -> None:
    """Drops what a settlement or attempt that came later explains."""
    cursor = tx.run(
        "DELETE FROM unmatched WHERE EXISTS (SELECT 1 FROM settlements s WHERE s.payment_hash = unmatched.payment_hash"
        " AND s.wallet = unmatched.wallet) OR EXISTS (SELECT 1 FROM attempts a WHERE unmatched.direction = 'outgoing'"
        " AND a.payment_hash = unmatched.payment_hash AND a.sent_at IS NOT NULL)"
    )
    if cursor.rowcount:
        mark_view(tx, "worklist")
