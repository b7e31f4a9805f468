"""What a wallet's own list says of payments that the books know or do not know."""

from __future__ import annotations

from dataclasses import dataclass

from handlers import past, payment, wallet_trial
from handlers.payment import PaymentPolicy
from ledger.model import Attempt
from ledger.states import AttemptState, EvidenceClass
from nwc.evidence import Listing, classify_lookup
from nwc.messages import Transaction
from storage import attempts, forgotten, settlements, trials, unmatched, wallets
from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Policy:
    payments: PaymentPolicy
    unmatched_after_seconds: int
    """A machine may be slow to report: a payment is only unmatched when it is so old."""


def note_list(
    tx: Tx, wallet: str, listing: Listing, *, starts_at: int, asked_at: int, policy: Policy, now: int
) -> None:
    """Books a reading of the list of settled transactions. What happened before `starts_at`, when this bot first met
    the wallet, is not its business. Only a complete reading moves the mark from which the next one starts."""
    newest = 0
    for row in listing.rows:
        if row.settled_at is None or not is_settled(row):
            continue
        newest = max(newest, row.settled_at)
        if wallet_trial.seen(tx, row, now):
            continue
        attempt = attempts.get(tx, row.payment_hash) if row.direction == "outgoing" else None
        if attempt is not None and attempt.sent_at is not None:
            _prove(tx, attempt, row, asked_at, policy, now)
        elif past.seen_elsewhere(tx, wallet, row, policy.payments.operators, now):
            continue
        elif counts(row, starts_at, now, policy):
            _note_unexplained(tx, wallet, row, now)
    unmatched.forget_explained(tx)
    if listing.complete:
        wallets.set_scanned(tx, wallet, min(newest, now), asked_at)


def is_settled(row: Transaction) -> bool:
    """For rows of a list without unpaid ones: some wallets give no state there."""
    return row.settled_at is not None and row.state in (None, "settled")


def counts(row: Transaction, starts_at: int, now: int, policy: Policy) -> bool:
    """Whether somebody must be able to explain this payment by now."""
    return row.settled_at is not None and starts_at <= row.settled_at <= now - policy.unmatched_after_seconds


def is_explained(tx: Tx, wallet: str, row: Transaction) -> bool:
    """Whether a settlement accounts for it, or it is told of on the worklist already. For what no attempt paid."""
    explained = settlements.explains(tx, wallet, row.payment_hash, row.direction)
    told = unmatched.known(tx, row.payment_hash) or forgotten.get(tx, row.payment_hash) is not None
    return explained or told or trials.known(tx, row.payment_hash)


def tells(tx: Tx, wallet: str, row: Transaction) -> bool:
    """Whether `note_list` might learn something from this row."""
    attempt = attempts.get(tx, row.payment_hash) if row.direction == "outgoing" else None
    if attempt is not None and attempt.sent_at is not None:
        return attempt.state is not AttemptState.SETTLED
    return not is_explained(tx, wallet, row)


def _prove(tx: Tx, attempt: Attempt, row: Transaction, asked_at: int, policy: Policy, now: int) -> None:
    """Takes proof, and the wallet's explicit word that it paid; anything less is for the resolver to ask about."""
    found = classify_lookup(row.payment_hash, row)
    if attempt.state is AttemptState.SETTLED or found.cls not in (EvidenceClass.PROOF, EvidenceClass.CLAIM):
        return
    if found.cls is EvidenceClass.CLAIM and attempt.state is AttemptState.CLAIMED:
        return
    payment.learn(tx, row.payment_hash, found, source="list", asked_at=asked_at, policy=policy.payments, now=now)


def _note_unexplained(tx: Tx, wallet: str, row: Transaction, now: int) -> None:
    if row.settled_at is None or settlements.explains(tx, wallet, row.payment_hash, row.direction):
        return
    unmatched.note(
        tx,
        payment_hash=row.payment_hash,
        wallet=wallet,
        direction=row.direction,
        amount_msat=row.amount_msat,
        settled_at=row.settled_at,
        now=now,
    )
