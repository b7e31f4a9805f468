"""The state machines of the books: for each its states, the changes that are allowed, and what is derived from what.

The database repeats the allowed changes in triggers (storage/migrations); a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class SettlementStatus(StrEnum):
    UNVERIFIED = "unverified"
    """Stored; the machine's wallet has not yet shown the payment."""
    PENDING = "pending"
    """Proven; waits for a worker."""
    PROCESSING = "processing"
    """Claimed by exactly one worker; its legs are planned and being paid."""
    PROCESSED = "processed"
    """Every leg is completed, skipped, voided or refunded."""
    PARTIAL = "partial"
    """The operator scaled it to what the machine really dispensed; its legs are to be planned again."""
    ERRORED = "errored"
    """At least one leg failed, or the operator reset it: a person decides."""
    REFUNDED = "refunded"
    """The customer was paid back."""
    REJECTED = "rejected"
    """Nothing is owed on it: it was not this operator's, not paid, or its numbers don't add up."""


S = SettlementStatus
SETTLEMENT_CHANGES: Final[frozenset[tuple[SettlementStatus, SettlementStatus]]] = frozenset(
    {
        (S.UNVERIFIED, S.PENDING),
        (S.UNVERIFIED, S.REJECTED),
        (S.PENDING, S.PROCESSING),
        (S.PENDING, S.PARTIAL),
        (S.PENDING, S.ERRORED),
        (S.PENDING, S.REFUNDED),
        (S.PROCESSING, S.PROCESSED),
        (S.PROCESSING, S.ERRORED),
        (S.PROCESSING, S.PARTIAL),
        (S.PROCESSING, S.REFUNDED),
        (S.PARTIAL, S.PROCESSING),
        (S.PARTIAL, S.ERRORED),
        (S.PARTIAL, S.REFUNDED),
        (S.ERRORED, S.PENDING),
        (S.ERRORED, S.PARTIAL),
        (S.ERRORED, S.PROCESSED),  # late proof completes its last open leg
        (S.ERRORED, S.REFUNDED),
        (S.PROCESSED, S.REFUNDED),
    }
)


class LegType(StrEnum):
    SUPER_FEE = "super_fee"
    OPERATOR_SPLIT = "operator_split"
    DCA = "dca"
    SETTLEMENT = "settlement"
    AUTOFORWARD = "autoforward"
    REFUND = "refund"


class LegStatus(StrEnum):
    PENDING = "pending"
    """Owed and open, with or without an attempt."""
    COMPLETED = "completed"
    """A valid preimage is stored, or a credit of the payee covers it."""
    FAILED = "failed"
    """The target can't be resolved, or all its attempts are released or dropped and none is left."""
    SKIPPED = "skipped"
    """Can't be paid: the sats stayed in the wallet, and the reason says why."""
    VOIDED = "voided"
    """Replaced by an order of the operator; another leg may owe the same sats."""
    REFUNDED = "refunded"
    """The payee gave it back."""


L = LegStatus
LEG_CHANGES: Final[frozenset[tuple[LegStatus, LegStatus]]] = frozenset(
    {
        (L.PENDING, L.COMPLETED),
        (L.PENDING, L.FAILED),
        (L.PENDING, L.SKIPPED),
        (L.PENDING, L.VOIDED),
        (L.FAILED, L.VOIDED),
        (L.SKIPPED, L.VOIDED),  # what it kept is shared out anew, or refunded
        (L.FAILED, L.COMPLETED),  # late proof of an attempt that had been released
        (L.COMPLETED, L.REFUNDED),
    }
)
OPEN_LEG: Final = frozenset({L.PENDING})
COUNTED_LEG: Final = frozenset({L.PENDING, L.COMPLETED, L.FAILED, L.SKIPPED})
"""The legs that add up to what a settlement owes; a voided or refunded one no longer counts."""


class AttemptState(StrEnum):
    READY = "ready"
    """Invoice checked and stored; nothing was published."""
    SENT = "sent"
    """The signed request is stored and may have left; the wallet may or may not have it."""
    CLAIMED = "claimed"
    """The wallet says paid and gives no valid preimage: never paid again, proof is looked for."""
    SETTLED = "settled"
    """A preimage whose SHA-256 is the payment hash is stored."""
    RELEASED = "released"
    """Certain, by rule or by the operator's word, never to settle."""
    DROPPED = "dropped"
    """Was ready, was never published, came too near its expiry."""


A = AttemptState
ATTEMPT_CHANGES: Final[frozenset[tuple[AttemptState, AttemptState]]] = frozenset(
    {
        (A.READY, A.SENT),
        (A.READY, A.DROPPED),
        (A.DROPPED, A.SENT),  # a run of which these books know nothing may have sent it: the witness says so
        (A.SENT, A.CLAIMED),
        (A.SENT, A.SETTLED),
        (A.SENT, A.RELEASED),
        (A.CLAIMED, A.SETTLED),
        (A.CLAIMED, A.RELEASED),
        (A.RELEASED, A.CLAIMED),  # the wallet changes its mind, without proof: the leg is held again
        (A.RELEASED, A.SETTLED),  # proof that came late; a second payment of a leg is booked as a credit
    }
)
LIVE_ATTEMPT: Final = frozenset({A.READY, A.SENT, A.CLAIMED})
UNRESOLVED_ATTEMPT: Final = frozenset({A.SENT, A.CLAIMED})


class EvidenceClass(StrEnum):
    """What one message of a wallet or payee says about one attempt."""

    PROOF = "proof"
    """A preimage whose SHA-256 is the payment hash."""
    CLAIM = "claim"
    """Said to be paid, without a valid preimage."""
    IN_FLIGHT = "in_flight"
    """On its way: wait, without a deadline."""
    NONE = "none"
    """Says nothing about the payment: every error of `pay_invoice`, silence."""
    NEGATIVE = "negative"
    """Not found, or explicitly failed."""
    AMBIGUOUS = "ambiguous"
    """Reads both ways: the list of transactions decides."""


class DepositStatus(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    DELETED = "deleted"


DEPOSIT_CHANGES: Final[frozenset[tuple[DepositStatus, DepositStatus]]] = frozenset(
    {(DepositStatus.PENDING, DepositStatus.CONFIRMED), (DepositStatus.PENDING, DepositStatus.DELETED)}
)


def settlement_after(legs: Iterable[LegStatus]) -> SettlementStatus:
    """What a settlement in `processing` becomes, from its legs alone.

    | an open leg | a failed leg | settlement |
    |---|---|---|
    | yes | any | processing |
    | no | yes | errored |
    | no | no | processed |
    """
    found = set(legs)
    if found & OPEN_LEG:
        return S.PROCESSING
    return S.ERRORED if L.FAILED in found else S.PROCESSED
