"""What one thing that came tells about one attempt to pay. Pure; the table is this file.

| what came                                                                                          | class      |
|----------------------------------------------------------------------------------------------------|------------|
| a valid preimage: in an answer, payment_sent, an outgoing row, LUD-21 `verify` of our own invoice   | proof      |
| success without one; explicit `state: settled` without one; in the list of settled ones without one | claim      |
| an outgoing row that is pending, accepted, or has no settled_at                                     | in flight  |
| any error of pay_invoice, silence, an answer that can't be read, an incomplete list                 | none       |
| lookup: failed, or not found in the wallet's own words; a complete list without it or with it failed | negative   |
| lookup: only an incoming row; settled_at with no valid preimage and no state                        | ambiguous  |

A preimage on an *incoming* row proves nothing: the wallet that made an invoice knows its preimage from the start.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum

from ledger.states import EvidenceClass
from nwc.messages import Answer, ErrorAnswer, MalformedAnswer, Notification, PayResult, Transaction
from nwc.trouble import WalletError, WalletTrouble

_HEX_64 = re.compile(r"[0-9a-f]{64}")
_ZEROS = "0" * 64
_NOT_FOUND_WORDS = re.compile(
    r"not\s+(?:be\s+)?found|no\s+such\s+(?:payment|invoice|transaction|hash)|unknown\s+(?:payment|invoice|hash)"
    r"|(?:payment|invoice|transaction|hash)\s+does\s*(?:n't|\s+not)\s+exist|no\s+\w+\s+found"
    r"|(?:couldn't|could\s+not|cannot|can't|unable\s+to)\s+(?:find|locate)\s+(?:\w+\s+)?(?:payment|invoice|transaction)",
    re.IGNORECASE,
)
# "Wallet not found" and its like are about something else than the payment.
_OTHER_MATTERS = re.compile(
    r"\b(?:wallet|user|account|app|connection|method|route|path|node|peer|key|relay|permission)s?\s+"
    r"(?:was\s+|is\s+|could\s+)?(?:not\s+(?:be\s+)?)?found",
    re.IGNORECASE,
)
_OTHER_CODES = frozenset({"NOT_IMPLEMENTED", "UNAUTHORIZED", "RESTRICTED", "RATE_LIMITED", "QUOTA_EXCEEDED"})
_HELD = frozenset({"pending", "accepted"})


class Source(Enum):
    """Where evidence came from."""

    ANSWER = "answer"
    NOTIFICATION = "notification"
    LOOKUP = "lookup"
    LIST = "list"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Evidence:
    """`preimage` is there for PROOF and for nothing else; `detail` says in a few words what came."""

    cls: EvidenceClass
    source: Source
    preimage: str | None
    detail: str
    fees_paid_msat: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that `list_transactions` gave. `complete`: every page came and every row could be read."""

    rows: tuple[Transaction, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class VerifyAnswer:
    """LUD-21: what the payee's server says of an invoice. `ours`: it spoke of exactly the invoice asked about."""

    settled: bool
    preimage: str | None
    ours: bool


def proves(preimage: str | None, payment_hash: str) -> bool:
    """Whether `preimage` (hex) hashes to `payment_hash`. Zeros never do: wallets write them for "I have none"."""
    if preimage is None or preimage == _ZEROS or not _HEX_64.fullmatch(preimage):
        return False
    return hashlib.sha256(bytes.fromhex(preimage)).hexdigest() == payment_hash


def says_not_found(error: ErrorAnswer | WalletError) -> bool:
    """Whether an error of `lookup_invoice` is that wallet's way of saying that it knows no such payment."""
    if error.code == "NOT_FOUND":
        return True
    if error.code in _OTHER_CODES or _OTHER_MATTERS.search(error.message):
        return False
    return bool(_NOT_FOUND_WORDS.search(error.message))


def classify_answer(payment_hash: str, answer: Answer) -> Evidence:
    """An answer to a `pay_invoice` request of this attempt, early or late, first or repeated."""
    match answer:
        case PayResult():
            if proves(answer.preimage, payment_hash):
                return _proof(Source.ANSWER, answer.preimage, "paid", answer.fees_paid_msat)
            return _evidence(EvidenceClass.CLAIM, Source.ANSWER, "paid, says the wallet, with no valid preimage")
        case ErrorAnswer():
            return _evidence(EvidenceClass.NONE, Source.ANSWER, f"{answer.code} {answer.message}".strip())
        case MalformedAnswer():
            return _evidence(EvidenceClass.NONE, Source.ANSWER, f"unreadable: {answer.reason}")
        case _:
            return _evidence(EvidenceClass.NONE, Source.ANSWER, "an answer to something else")


def classify_notification(payment_hash: str, notification: Notification) -> Evidence:
    """A notification of the wallet that concerns this hash, or not."""
    row = notification.transaction
    if notification.type != "payment_sent" or row is None or row.payment_hash != payment_hash:
        return _evidence(EvidenceClass.NONE, Source.NOTIFICATION, f"{notification.type} of another payment")
    if row.direction == "incoming":
        return _evidence(EvidenceClass.AMBIGUOUS, Source.NOTIFICATION, "payment_sent with an incoming row")
    return _outgoing(row, Source.NOTIFICATION)


def classify_lookup(payment_hash: str, found: Transaction | WalletTrouble | ErrorAnswer | MalformedAnswer) -> Evidence:
    """What `lookup_invoice` of this hash gave, its failure included."""
    if isinstance(found, WalletError | ErrorAnswer):
        cls = EvidenceClass.NEGATIVE if says_not_found(found) else EvidenceClass.NONE
        return _evidence(cls, Source.LOOKUP, f"{found.code} {found.message}".strip())
    if not isinstance(found, Transaction):
        return _evidence(EvidenceClass.NONE, Source.LOOKUP, str(found) or type(found).__name__)
    if found.payment_hash != payment_hash:
        return _evidence(EvidenceClass.NONE, Source.LOOKUP, "the wallet answered with another payment")
    if found.direction == "incoming":
        return _evidence(EvidenceClass.AMBIGUOUS, Source.LOOKUP, "the wallet shows only an incoming invoice")
    return _outgoing(found, Source.LOOKUP)


def classify_list(payment_hash: str, settled: Listing, everything: Listing) -> Evidence:
    """What the wallet's list says of this hash: it decides where a lookup is ambiguous.

    `everything` is the list with unpaid ones, `settled` the list without, asked *after* it: a list without unpaid
    ones leaves out payments in flight at some wallets, a list with them shows failed payments as if settled at others.
    NEGATIVE takes both complete, and no outgoing row of the hash, or none but failed ones: with state failed, or with
    settled_at and no state in `everything` alone.
    """
    found: dict[EvidenceClass, Evidence] = {}
    for listing in (everything, settled):
        for row in listing.rows:
            if row.direction == "outgoing" and row.payment_hash == payment_hash:
                evidence = _listed(row, among_settled=listing is settled)
                found[evidence.cls] = evidence
    for cls in (EvidenceClass.PROOF, EvidenceClass.CLAIM, EvidenceClass.IN_FLIGHT, EvidenceClass.AMBIGUOUS):
        if cls in found:
            return found[cls]
    if not (settled.complete and everything.complete):
        return _evidence(EvidenceClass.NONE, Source.LIST, "the wallet's list is incomplete")
    return found.get(EvidenceClass.NEGATIVE) or _evidence(
        EvidenceClass.NEGATIVE, Source.LIST, "not in the wallet's list"
    )


def _listed(row: Transaction, *, among_settled: bool) -> Evidence:
    evidence = _outgoing(row, Source.LIST)
    if evidence.cls is not EvidenceClass.AMBIGUOUS:
        return evidence
    if among_settled:
        return _evidence(EvidenceClass.CLAIM, Source.LIST, "in the list of settled payments, with no valid preimage")
    if row.state is None:
        return _evidence(EvidenceClass.NEGATIVE, Source.LIST, "in the list only where it shows unpaid ones")
    return evidence


def classify_verify(payment_hash: str, answer: VerifyAnswer) -> Evidence:
    """LUD-21. Its NEGATIVE ("not settled") is the payee's word, one condition of a release beside the wallet's own."""
    if not answer.ours:
        return _evidence(EvidenceClass.NONE, Source.VERIFY, "the payee answered about another invoice")
    if proves(answer.preimage, payment_hash):
        return _proof(Source.VERIFY, answer.preimage, "the payee shows the preimage", None)
    if answer.settled:
        return _evidence(EvidenceClass.CLAIM, Source.VERIFY, "settled, says the payee, with no valid preimage")
    return _evidence(EvidenceClass.NEGATIVE, Source.VERIFY, "not settled, says the payee")


def _outgoing(row: Transaction, source: Source) -> Evidence:
    """An outgoing row of the right hash. A valid preimage wins over whatever the wallet says beside it."""
    if proves(row.preimage, row.payment_hash):
        return _proof(source, row.preimage, row.state or "preimage", row.fees_paid_msat)
    if row.state == "settled":
        return _evidence(EvidenceClass.CLAIM, source, "settled, with no valid preimage")
    if row.state == "failed":
        cls = EvidenceClass.NONE if source is Source.NOTIFICATION else EvidenceClass.NEGATIVE
        return _evidence(cls, source, "failed")
    if row.state in _HELD or not row.settled_at:
        return _evidence(EvidenceClass.IN_FLIGHT, source, row.state or "not settled yet")
    # settled_at, but no preimage and no state that we know: LNbits shows failed payments so.
    return _evidence(EvidenceClass.AMBIGUOUS, source, "settled_at with no valid preimage and no state")


def _proof(source: Source, preimage: str | None, detail: str, fees_paid_msat: int | None) -> Evidence:
    return Evidence(EvidenceClass.PROOF, source, preimage, detail, fees_paid_msat)


def _evidence(cls: EvidenceClass, source: Source, detail: str) -> Evidence:
    return Evidence(cls, source, None, detail)
