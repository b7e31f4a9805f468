"""The books held against themselves and against each wallet's own list.

What a list proves that the books don't know yet is handed on (`telling`), for `payment_evidence.note_list` to book as
it books any reading of the list. What must never be (`heed`) holds all payments.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from handlers import holding, payment_evidence
from handlers.alarms import telling
from handlers.payment_evidence import Policy
from ledger.alarms import Cause
from ledger.facts import Violation, WalletRow
from ledger.invariants import check_wallet, check_wallet_settlements
from ledger.states import AttemptState
from nwc.messages import Transaction
from storage import attempts, settlements, unmatched, violations
from storage.db import Tx
from storage.verify import MAX_LISTED, Report, check_books

MARGIN_SECONDS: Final = 60
"""What was proven so shortly before the list was asked for need not be in it yet."""
SHOWN: Final = 6
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class WalletList:
    """A wallet's list of settled payments, and what is to be said of how it was got."""

    name: str
    since: int
    """Unix seconds. What settled before is not compared: it may have been another wallet's."""
    asked_at: int
    rows: dict[tuple[str, bool], Transaction] = field(default_factory=dict)
    """By payment hash and whether it is outgoing. Invoices and descriptions are left out."""
    complete: bool = False
    error: str | None = None
    """Why there is no list."""

    twice: set[str] = field(default_factory=set)
    """Hashes of outgoing payments that it shows as two: settled at two times."""

    def take(self, rows: Iterable[Transaction]) -> None:
        for row in rows:
            if payment_evidence.is_settled(row):
                slim = replace(row, invoice=None, description=None, metadata={})
                key = (row.payment_hash, row.direction == "outgoing")
                before = self.rows.get(key)
                if before is not None and before.settled_at != slim.settled_at and row.direction == "outgoing":
                    self.twice.add(row.payment_hash)
                self.rows[key] = slim


@dataclass(frozen=True, slots=True)
class Difference:
    violation: Violation
    wallet: str | None = None
    payment_hash: str | None = None
    lacking: WalletRow | None = None
    """What the wallet's list should have and has not."""


@dataclass(slots=True)
class Comparison:
    """What differs: the first thousand, and how many `more`. `telling`: by wallet, the rows that say something new."""

    differences: list[Difference] = field(default_factory=list)
    more: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    telling: dict[str, list[Transaction]] = field(default_factory=dict)

    def add(self, found: Iterable[Difference]) -> None:
        for difference in found:
            if len(self.differences) < MAX_LISTED:
                self.differences.append(difference)
            else:
                self.more += 1


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What `reconcile` answers."""

    differences: Sequence[Difference]
    more: int
    counts: Mapping[str, int]
    wallets: Sequence[WalletList]


def compare(tx: Tx, lists: Iterable[WalletList], policy: Policy) -> Comparison:
    """Everything there is to compare, as this transaction sees the books. They must have been read after the lists."""
    report = Report()
    check_books(tx, report)
    comparison = Comparison(more=report.more, counts=Counter(report.counts))
    comparison.add(_named(tx, violation) for violation in report.violations)
    for listed in lists:
        if listed.error is None:
            _compare_list(tx, listed, policy, comparison)
    comparison.counts["unmatched"] = unmatched.number(tx)
    return comparison


def heed(tx: Tx, found: Reconciliation, operators: Iterable[str], now: int) -> None:
    """Holds all payments where something is found that must never be. What is found no more, in lists that were read to
    their ends, is forgotten."""
    never = [
        each.violation for each in found.differences if each.wallet is None or each.violation.name in holding.LISTED
    ]
    if all(each.complete for each in found.wallets) and not found.more:
        violations.keep_only(tx, never, looked_for=lambda rule: rule in holding.LISTED)
    holding.hold_books(tx, never, operators, now)
    if not found.differences and all(each.complete for each in found.wallets):
        telling.over(tx, Cause.RECONCILE, "", operators, now)


def tell(tx: Tx, found: Reconciliation, operators: Iterable[str], now: int) -> None:
    """The operators hear of the differences in one message, and again only when there are others."""
    if not found.differences:
        if all(each.error is None for each in found.wallets):
            telling.over(tx, Cause.RECONCILE, "", operators, now)
        return
    seen = sorted({(each.violation.name, each.violation.ref) for each in found.differences})
    digest = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
    facts = {"differences": shapes(found.differences[:SHOWN]), "count": len(found.differences) + found.more}
    telling.raise_(tx, Cause.RECONCILE, "", facts, operators, now, mark=digest)


def shapes(differences: Iterable[Difference]) -> list[dict[str, str]]:
    """As JSON shows them."""
    return [
        {
            "name": each.violation.name,
            "ref": each.violation.ref,
            "detail": each.violation.detail,
            **({"wallet": each.wallet} if each.wallet is not None else {}),
            **({"payment_hash": each.payment_hash} if each.payment_hash is not None else {}),
        }
        for each in differences
    ]


def _compare_list(tx: Tx, listed: WalletList, policy: Policy, comparison: Comparison) -> None:
    until = listed.asked_at - MARGIN_SECONDS
    paid = attempts.settled_between(tx, listed.name, listed.since, until)
    proven = settlements.proven_between(tx, listed.name, listed.since, until)
    explained: dict[bool, set[str]] = {True: set(), False: set()}
    telling = comparison.telling.setdefault(listed.name, [])
    late = set()
    for (payment_hash, outgoing), row in listed.rows.items():
        if outgoing and payment_hash in paid:
            continue
        if payment_evidence.tells(tx, listed.name, row):
            telling.append(row)
        attempt = attempts.get(tx, payment_hash) if outgoing else None
        if attempt is not None and attempt.sent_at is not None:
            explained[True].add(payment_hash)
            if attempt.state is AttemptState.RELEASED:
                late.add(payment_hash)
        elif payment_evidence.is_explained(tx, listed.name, row) or not payment_evidence.counts(
            row, listed.since, listed.asked_at, policy
        ):
            explained[outgoing].add(payment_hash)
    rows = [
        WalletRow(each.payment_hash, outgoing, each.amount_msat, each.fees_paid_msat or 0)
        for (_, outgoing), each in listed.rows.items()
    ]
    due = {facts.ref: facts.row for facts in proven}
    due |= {payment_hash: WalletRow(payment_hash, True, msat) for payment_hash, msat in paid.items()}
    found = [
        *check_wallet(rows, paid, explained[True]),
        *check_wallet_settlements(rows, proven, explained[False]),
        *(Violation("paid_after_release", each, "the wallet shows it paid, it had been given up") for each in late),
        *(
            Violation("paid_twice", each, "the wallet shows it twice, settled at two times")
            for each in sorted(listed.twice)
            if attempts.get(tx, each) is not None
        ),
    ]
    comparison.add(
        _named(tx, violation, listed.name, due.get(violation.ref))
        for violation in found
        if listed.complete or violation.name != "not_in_wallet"
    )
    comparison.counts["listed"] += len(rows)
    comparison.counts["listed_attempts"] += len(paid)
    comparison.counts["listed_settlements"] += len(proven)


def _named(tx: Tx, violation: Violation, wallet: str | None = None, due: WalletRow | None = None) -> Difference:
    """People are told of a payment by its id, where it has one."""
    payment_hash = violation.ref if _HASH.fullmatch(violation.ref) else due.payment_hash if due is not None else None
    return Difference(
        holding.named(tx, violation), wallet, payment_hash, due if violation.name == "not_in_wallet" else None
    )
