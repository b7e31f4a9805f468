"""What every account must hold, worked out anew from settlements, legs, attempts and deposits.

The journal comes to the same sums by another way, entry by entry; `check_accounts` shows where the two part. Amounts
are msat (commodity `msat`) or minor units of a currency, a debit is positive; ledger/journal.py names the accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.facts import DepositFacts, JournalRow, LegFacts, SettlementFacts, Violation
from ledger.fees import TxType
from ledger.journal import GENESIS, SATS, chain_hash, due_account
from ledger.model import Leg, Settlement
from ledger.money import MSAT
from ledger.states import AttemptState, DepositStatus, LegStatus, LegType, SettlementStatus

Balances = Counter[tuple[str, str]]
"""(account, commodity) to amount."""

UNPROVEN = frozenset({SettlementStatus.UNVERIFIED, SettlementStatus.REJECTED})
"""Nothing is owed on these, so nothing is booked."""


def expected(
    settlements: Iterable[SettlementFacts],
    other_legs: Iterable[LegFacts],
    deposits: Iterable[DepositFacts],
    trials: Iterable[tuple[str, int]] = (),
) -> Balances:
    """What the accounts must hold. `other_legs` belong to no settlement, `trials` are wallets that paid themselves and
    the fees of that in msat; each iterable is read once, one by one."""
    balances: Balances = Counter()
    for settlement in settlements:
        if settlement.settlement.status not in UNPROVEN:
            _add_settlement(balances, settlement.settlement)
        if settlement.settlement.status is SettlementStatus.REFUNDED:
            _keep_the_rest(balances, settlement)
        for leg in settlement.legs:
            _add_leg(balances, leg)
    for leg in other_legs:
        _add_leg(balances, leg)
    for deposit in deposits:
        if deposit.status is DepositStatus.CONFIRMED:
            balances[f"assets:cash:m{deposit.machine_id}", deposit.currency] += deposit.amount_minor
            balances[lp_account(deposit.lp_id, deposit.machine_id), deposit.currency] -= deposit.amount_minor
    for wallet, fees_msat in trials:
        balances[f"assets:wallet:{wallet}", SATS] -= fees_msat
        balances[f"expenses:trials:{wallet}", SATS] += fees_msat
    return balances


def lp_account(lp_id: int, machine_id: int) -> str:
    return f"liabilities:lp:l{lp_id}:m{machine_id}"


def _add_settlement(balances: Balances, settlement: Settlement) -> None:
    """As it is now, and as if no leg had been planned yet. What it moved beyond its wire is the customer's."""
    m = f"m{settlement.machine_id}"
    sign = 1 if settlement.tx_type is TxType.CASH_OUT else -1
    balances[f"assets:wallet:{settlement.wallet}", SATS] += sign * settlement.wire_moved_sats * MSAT
    balances[f"liabilities:undispensed:{m}", SATS] -= sign * settlement.undispensed_sats * MSAT
    owed_by = f"liabilities:due:principal:{m}" if sign > 0 else f"equity:exchange:{m}"
    balances[owed_by, SATS] -= sign * settlement.principal_sats * MSAT
    balances[f"liabilities:due:platform:{m}", SATS] -= settlement.platform_fee_sats * MSAT
    balances[f"liabilities:due:operator:{m}", SATS] -= settlement.operator_fee_sats * MSAT
    balances[f"income:mismatch:{m}", SATS] -= settlement.fee_mismatch_sats * MSAT
    balances[f"assets:cash:{m}", settlement.currency] -= sign * settlement.fiat_minor
    balances[f"equity:exchange:{m}", settlement.currency] += sign * settlement.fiat_minor


def _keep_the_rest(balances: Balances, facts: SettlementFacts) -> None:
    """What no leg of a refunded settlement owes is due to nobody any more."""
    settlement = facts.settlement
    kept = settlement.undispensed_sats
    balances[f"liabilities:undispensed:m{settlement.machine_id}", SATS] += kept * MSAT
    for part, sats in settlement.owed.items():
        planned = (entry.leg for entry in facts.legs if entry.leg.type is part)
        rest = sats - sum(leg.amount_sats for leg in planned if leg.status is not LegStatus.VOIDED)
        balances[due_account(part, settlement.machine_id), SATS] += rest * MSAT
        kept += rest
    balances[f"equity:kept:m{settlement.machine_id}", SATS] -= kept * MSAT


def _add_leg(balances: Balances, facts: LegFacts) -> None:
    leg = facts.leg
    if leg.status is not LegStatus.VOIDED:
        amount = leg.amount_sats * MSAT
        balances[due_account(leg.type, leg.machine_id), SATS] += amount
        if leg.status in (LegStatus.PENDING, LegStatus.FAILED):
            balances[f"liabilities:payable:{leg.payee}", SATS] -= amount
        elif leg.status is LegStatus.SKIPPED:
            balances[f"equity:kept:m{leg.machine_id}", SATS] -= amount
        else:
            _add_paid(balances, leg)
    for made in facts.attempts:
        attempt = made.attempt
        if attempt.state is not AttemptState.SETTLED:
            continue
        balances[f"expenses:routing:{attempt.wallet}", SATS] += attempt.fees_msat
        balances[f"assets:wallet:{attempt.wallet}", SATS] -= attempt.amount_msat + attempt.fees_msat
        if attempt.surplus:
            balances[f"assets:receivable:{leg.payee}", SATS] += attempt.amount_msat


def _add_paid(balances: Balances, leg: Leg) -> None:
    """The wallet's side is taken from the attempt that settled, not from the leg: a leg without one shows."""
    balances[f"assets:receivable:{leg.payee}", SATS] -= leg.credit_sats * MSAT
    if leg.status is LegStatus.REFUNDED:
        balances[f"assets:wallet:{leg.wallet}", SATS] += leg.amount_sats * MSAT
        balances[f"equity:kept:m{leg.machine_id}", SATS] -= leg.amount_sats * MSAT
    elif leg.type in (LegType.DCA, LegType.SETTLEMENT) and leg.lp_id is not None:
        balances[lp_account(leg.lp_id, leg.machine_id), leg.currency] += leg.fiat_minor
        balances[f"equity:exchange:m{leg.machine_id}", leg.currency] -= leg.fiat_minor


@dataclass(frozen=True, slots=True)
class JournalReading:
    """`balances` by (account, commodity); `last_id` and `last_hash` to go on from."""

    violations: tuple[Violation, ...]
    balances: Mapping[tuple[str, str], int]
    last_id: int
    last_hash: str


def read_journal(rows: Iterable[JournalRow], after: tuple[int, str] = (0, GENESIS)) -> JournalReading:
    """Invariant 4 for the journal: no gap, every hash right, every entry zero per commodity. Reads once, in order."""
    number, previous = after
    found: list[Violation] = []
    balances: Balances = Counter()
    for row in rows:
        number += 1
        ref = f"J{row.id}"
        if row.id != number:
            found.append(Violation("journal_gap", ref, f"number {number} was to come"))
        if chain_hash(previous, row.id, row.at, row.kind, row.ref, row.postings) != row.hash:
            found.append(Violation("journal_chain", ref, "its hash does not fit its content and the entry before"))
        totals: Counter[str] = Counter()
        for posting in row.postings:
            totals[posting.commodity] += posting.amount
            balances[posting.account, posting.commodity] += posting.amount
        if not row.postings or any(totals.values()):
            found.append(Violation("journal_balance", ref, f"{row.kind} {row.ref} sums to {dict(totals)}"))
        number, previous = row.id, row.hash
    return JournalReading(tuple(found), balances, number, previous)


def check_accounts(must: Mapping[tuple[str, str], int], journal: JournalReading) -> tuple[Violation, ...]:
    """The journal against `expected`: payables are the open and failed legs, the wallet is what came less what was
    paid and its fees, and so on for every account."""
    found = []
    for key in sorted({*must, *journal.balances}):
        account, commodity = key
        right, there = must.get(key, 0), journal.balances.get(key, 0)
        if right != there:
            found.append(Violation("account", account, f"{commodity}: the journal has {there}, it must be {right}"))
    return tuple(found)
