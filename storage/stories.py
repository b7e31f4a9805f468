"""What is kept about a settlement or an attempt beside the nouns of the books: told when somebody asks for the whole
story of one, and needed for nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Origin:
    """How a settlement came in, and how its proof is looked for."""

    event_id: str
    """Of the machine's report, or of the order with which somebody entered it."""
    source: str | None
    seq: int | None
    entered_by: str | None
    """The operator's public key, where no machine reported it."""
    receipt: str | None
    """What the machine was told of it."""
    proof_checks: int
    next_proof_at: int | None


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A signed request to pay, without its bytes."""

    event_id: str
    created_at: int
    expires_at: int
    publishes: int
    last_published_at: int | None
    answered_at: int | None


def origin(tx: Tx, settlement_id: int) -> Origin:
    row = tx.one(
        "SELECT event_id, source, seq, entered_by, receipt, proof_checks, next_proof_at FROM settlements WHERE id = ?",
        (settlement_id,),
    )
    assert row is not None, "the origin of nothing"
    return Origin(**row)


def requests_of(tx: Tx, payment_hash: str) -> list[SentRequest]:
    """The requests that were made for one attempt, the oldest first."""
    rows = tx.all(
        "SELECT event_id, created_at, expires_at, publishes, last_published_at, answered_at FROM requests"
        " WHERE payment_hash = ? ORDER BY created_at, rowid",
        (payment_hash,),
    )
    return [SentRequest(**row) for row in rows]
