"""What must be true of the books at every moment (payouts.md, "Invariants"), as checks that name what is not.

Used by `verify` and `reconcile` in production, where a violation stops paying, and after every step of the random runs
of the tests; `CASH_RULES` stop nothing. Each check takes facts as they are stored and believes none that it can work
out anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from itertools import pairwise
from typing import Final

from ledger.balances import UNPROVEN
from ledger.decide.attempt import bears_release
from ledger.facts import (
    AttemptFacts,
    CashFacts,
    CreditFacts,
    EnrolmentFacts,
    LegFacts,
    ProvenFacts,
    SealFacts,
    SettlementFacts,
    Violation,
    WalletRow,
)
from ledger.fees import TxType
from ledger.model import Attempt, Leg, Settlement
from ledger.states import (
    ATTEMPT_CHANGES,
    COUNTED_LEG,
    DEPOSIT_CHANGES,
    LEG_CHANGES,
    LIVE_ATTEMPT,
    OPEN_LEG,
    SETTLEMENT_CHANGES,
    AttemptState,
    DepositStatus,
    EvidenceClass,
    LegStatus,
    LegType,
    SettlementStatus,
    settlement_after,
)

CASH_RULES: Final = frozenset({"cash_before_proof", "cash_not_moved", "cash_moved", "cash_sum"})
"""Of the cash that is believed to be in machines. No payment depends on that, so these stop none."""
_PAID: Final = frozenset({LegStatus.COMPLETED, LegStatus.REFUNDED})
_FIAT_LEGS: Final = frozenset({LegType.DCA, LegType.SETTLEMENT})
_MAY_BE_UNPLANNED: Final = frozenset({SettlementStatus.PENDING, SettlementStatus.PARTIAL, SettlementStatus.REFUNDED})


def check_leg(facts: LegFacts) -> tuple[Violation, ...]:
    """Invariants 1 and 3: at most one live and one settled attempt, paid exactly once for exactly what is due."""
    leg, ref = facts.leg, f"P{facts.leg.id}"
    made = [entry.attempt for entry in facts.attempts]
    found = []
    live = sum(attempt.state in LIVE_ATTEMPT for attempt in made)
    if live > 1:
        found.append(Violation("one_live_attempt", ref, f"{live} live attempts"))
    # A claim may come after the release, when the leg is closed: it is held then, so that it is not planned again.
    leaving = any(attempt.state in (AttemptState.READY, AttemptState.SENT) for attempt in made)
    if leaving and leg.status in (LegStatus.FAILED, LegStatus.SKIPPED, LegStatus.VOIDED):
        found.append(Violation("live_attempt_of_closed_leg", ref, f"the leg is {leg.status.value}"))
    found += _check_paid(leg, [a for a in made if a.state is AttemptState.SETTLED and not a.surplus])
    if not 0 <= leg.credit_sats <= leg.amount_sats or leg.amount_sats <= 0 or leg.fiat_minor < 0:
        found.append(Violation("leg_amounts", ref, f"{leg.amount_sats} sats, credit {leg.credit_sats}"))
    if leg.fiat_minor and (leg.type not in _FIAT_LEGS or leg.lp_id is None):
        found.append(Violation("leg_amounts", ref, f"a {leg.type.value} leg takes no fiat off an LP"))
    for entry in facts.attempts:
        found += _check_attempt(leg, entry)
    return tuple(found)


def _check_paid(leg: Leg, settled: list[Attempt]) -> list[Violation]:
    ref, paid = f"P{leg.id}", sum(attempt.amount_msat for attempt in settled)
    if leg.status not in _PAID:
        return [Violation("settled_but_open", ref, f"paid, and {leg.status.value}")] if settled else []
    if len(settled) > 1:
        return [Violation("one_settled_attempt", ref, f"{len(settled)} attempts settled, none of them as surplus")]
    if paid != leg.due_msat:
        return [Violation("completed_without_payment", ref, f"{leg.due_msat} msat were due, {paid} settled")]
    return []


def _check_attempt(leg: Leg, facts: AttemptFacts) -> list[Violation]:
    attempt, ref = facts.attempt, facts.attempt.payment_hash
    found = []
    if attempt.leg_id != leg.id or attempt.wallet != leg.wallet:
        found.append(Violation("attempt_moved", ref, f"it pays P{attempt.leg_id} from {attempt.wallet}"))
    if attempt.state is AttemptState.SETTLED and not _proves(attempt.preimage, ref):
        found.append(Violation("settled_without_proof", ref, "its preimage does not hash to its payment hash"))
    if attempt.surplus and attempt.state is not AttemptState.SETTLED:
        found.append(Violation("surplus_unpaid", ref, f"a surplus that is {attempt.state.value}"))
    unpublished = attempt.state in (AttemptState.READY, AttemptState.DROPPED)
    if unpublished and (facts.requests or attempt.sent_at is not None):
        found.append(Violation("published_before_sent", ref, f"{len(facts.requests)} requests, {attempt.state.value}"))
    if not unpublished and (not facts.requests or attempt.sent_at is None):
        found.append(Violation("sent_without_request", ref, f"{attempt.state.value} without stored bytes or time"))
    for request in facts.requests:
        if request.expires_at > attempt.expires_at:
            found.append(Violation("request_outlives_invoice", ref, f"request {request.event_id}"))
    for before, after in pairwise(sorted(facts.requests, key=lambda request: request.created_at)):
        if after.created_at < before.expires_at:
            found.append(Violation("one_live_request", ref, f"{before.event_id} and {after.event_id} live together"))
    return found + _check_evidence(facts)


def _check_evidence(facts: AttemptFacts) -> list[Violation]:
    """What lets a leg have another invoice, or keeps it from one, is never without its reason."""
    attempt, ref = facts.attempt, facts.attempt.payment_hash
    if attempt.state is AttemptState.CLAIMED and all(seen.cls is not EvidenceClass.CLAIM for seen in facts.evidence):
        return [Violation("claimed_without_evidence", ref, "no wallet is known to have claimed it")]
    if attempt.state is not AttemptState.RELEASED:
        return []
    if not facts.release_logged:
        return [Violation("released_without_evidence", ref, "the audit log has no word of its release")]
    if not bears_release(attempt, facts.evidence):
        return [Violation("released_without_evidence", ref, "what its wallet said does not bear the release")]
    return []


def _proves(preimage: str | None, payment_hash: str) -> bool:
    try:
        raw = bytes.fromhex(preimage or "")
    except ValueError:
        return False
    return raw.hex() == preimage and hashlib.sha256(raw).hexdigest() == payment_hash


def check_settlement(facts: SettlementFacts) -> tuple[Violation, ...]:
    """Invariant 2 for one settlement, and invariants 1 and 3 for each of its legs."""
    settlement, ref = facts.settlement, f"S{facts.settlement.id}"
    found = [violation for leg in facts.legs for violation in check_leg(leg)]
    legs = [entry.leg for entry in facts.legs]
    if settlement.status is not SettlementStatus.REJECTED:
        found += _check_arithmetic(settlement)
    found += _check_landed(settlement)
    found += _check_cash(facts)
    if settlement.status in UNPROVEN:
        if legs:
            found.append(Violation("legs_before_proof", ref, f"{len(legs)} legs, {settlement.status.value}"))
        return tuple(found)
    own = [leg for leg in legs if leg.type is not LegType.REFUND]
    found += _check_sums(settlement, own)
    states = {leg.status for leg in own}
    if settlement.status in (SettlementStatus.PROCESSING, SettlementStatus.PROCESSED):
        must = settlement_after(states)
        if must is not settlement.status:
            found.append(Violation("settlement_status", ref, f"{settlement.status.value}, by its legs {must.value}"))
    elif states & OPEN_LEG:
        found.append(Violation("settlement_status", ref, f"{settlement.status.value} with an open leg"))
    elif LegStatus.FAILED in states and settlement.status is SettlementStatus.REFUNDED:
        found.append(Violation("settlement_status", ref, "refunded with a failed leg, which still owes its sats"))
    return (*found, *_check_refund(facts, [leg for leg in legs if leg.type is LegType.REFUND]))


def _check_cash(facts: SettlementFacts) -> list[Violation]:
    """What is proven has moved its cash, once; what is not has moved none."""
    settlement, moved, ref = facts.settlement, facts.cash_minor, f"S{facts.settlement.id}"
    if settlement.status in UNPROVEN:
        return [] if moved is None else [Violation("cash_before_proof", ref, f"{moved} minor units moved")]
    if moved is None:
        return [Violation("cash_not_moved", ref, "it is proven, and no cash moved")] if facts.cash_due else []
    least = settlement.fiat_minor
    if moved == least or (moved > least and facts.notes_named and settlement.landed is None):
        return []
    if moved == 0 and settlement.status is SettlementStatus.REFUNDED and settlement.landed is None:
        return []
    return [Violation("cash_moved", ref, f"{moved} minor units moved, it is about {least}")]


def check_cash(facts: Iterable[CashFacts]) -> Iterator[Violation]:
    """What is believed of a machine's cash is the sum of all that moved it."""
    for each in facts:
        if each.stored != each.summed:
            detail = f"{each.what}: {each.stored} is stored, it must be {each.summed}"
            yield Violation("cash_sum", f"m{each.machine_id}", detail)


def _check_arithmetic(settlement: Settlement) -> list[Violation]:
    sign = 1 if settlement.tx_type is TxType.CASH_OUT else -1
    fees = settlement.platform_fee_sats + settlement.operator_fee_sats + settlement.fee_mismatch_sats
    wire = settlement.principal_sats + sign * settlement.fee_sats
    if fees == settlement.fee_sats and wire == settlement.wire_sats:
        return []
    detail = f"wire {settlement.wire_sats}, must be {wire}; fee {settlement.fee_sats}, must be {fees}"
    return [Violation("settlement_arithmetic", f"S{settlement.id}", detail)]


def _check_landed(settlement: Settlement) -> list[Violation]:
    """Only a cash-out is scaled, to a part of what landed; what landed adds up by itself."""
    landed, ref = settlement.landed, f"S{settlement.id}"
    if landed is None:
        if settlement.status is SettlementStatus.PARTIAL:
            return [Violation("settlement_landed", ref, "scaled, and what landed is not there")]
        return []
    right = landed.wire_sats == landed.principal_sats + landed.fee_sats
    part = 0 < settlement.principal_sats <= landed.principal_sats and settlement.wire_sats <= landed.wire_sats
    if right and part and settlement.tx_type is TxType.CASH_OUT:
        return []
    detail = f"{settlement.tx_type.value} of {settlement.principal_sats} sats, landed with {landed.principal_sats}"
    return [Violation("settlement_landed", ref, f"{detail}, fee {landed.fee_sats}, wire {landed.wire_sats}")]


def _check_sums(settlement: Settlement, legs: list[Leg]) -> list[Violation]:
    """Completed, failed, skipped and open legs add up to what is owed, for each part; before a plan, to no more."""
    status = settlement.status
    unplanned = status in _MAY_BE_UNPLANNED or (
        status is SettlementStatus.ERRORED and not any(leg.status is LegStatus.FAILED for leg in legs)
    )
    owed: Counter[str] = Counter({part.value: sats for part, sats in settlement.owed.items()})
    counted: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    for leg in legs:
        if leg.status in COUNTED_LEG:
            counted[leg.type.value] += leg.amount_sats
        elif leg.status is LegStatus.REFUNDED:  # a new leg may owe it, or none
            returned[leg.type.value] += leg.amount_sats
    found = []
    for part in sorted({*owed, *counted}):
        over, short = counted[part] > owed[part], counted[part] + returned[part] < owed[part]
        if over or (short and not unplanned):
            detail = f"{part}: {owed[part]} sats owed, {counted[part]} in legs ({status.value})"
            found.append(Violation("settlement_sum", f"S{settlement.id}", detail))
    return found


def _check_refund(facts: SettlementFacts, refunds: list[Leg]) -> list[Violation]:
    settlement, ref = facts.settlement, f"S{facts.settlement.id}"
    standing = [leg for leg in refunds if leg.status in COUNTED_LEG]
    if not standing:
        return []
    found = []
    back = sum(leg.amount_sats for leg in standing)
    if settlement.status is not SettlementStatus.REFUNDED:
        found.append(Violation("refund", ref, f"a refund of a settlement that is {settlement.status.value}"))
    if settlement.tx_type is not TxType.CASH_OUT:
        found.append(Violation("refund", ref, "the customer paid in cash"))
    if back > settlement.wire_moved_sats:
        found.append(Violation("refund", ref, f"{back} sats back, {settlement.wire_moved_sats} came"))
    if any(entry.leg.type is LegType.DCA and entry.leg.status is LegStatus.COMPLETED for entry in facts.legs):
        found.append(Violation("refund", ref, "the LPs have been paid for it"))
    return found


def check_enrolment(facts: EnrolmentFacts) -> tuple[Violation, ...]:
    """Invariant 4 for one LP at one machine: the stored sums are those of its deposits and legs, none is negative."""
    ref = f"L{facts.lp_id}@m{facts.machine_id}"
    by_status: Counter[DepositStatus] = Counter()
    for deposit in facts.deposits:
        by_status[deposit.status] += deposit.amount_minor
    legs = [leg for leg in facts.legs if leg.type in _FIAT_LEGS]
    paid = [leg for leg in legs if leg.status is LegStatus.COMPLETED]
    must = {
        "deposited_minor": (by_status[DepositStatus.CONFIRMED], facts.deposited_minor),
        "pending_minor": (by_status[DepositStatus.PENDING], facts.pending_minor),
        "paid_minor": (sum(leg.fiat_minor for leg in paid), facts.paid_minor),
        "reserved_minor": (sum(leg.fiat_minor for leg in legs if leg.status in OPEN_LEG), facts.reserved_minor),
        "paid_sats": (sum(leg.amount_sats for leg in paid), facts.paid_sats),
    }
    found = [
        Violation("enrolment_sum", ref, f"{name} is {stored}, its deposits and legs say {right}")
        for name, (right, stored) in must.items()
        if right != stored
    ]
    left = must["deposited_minor"][0] - must["paid_minor"][0] - must["reserved_minor"][0]
    if left < 0:
        found.append(Violation("negative_balance", ref, f"{left} minor units"))
    currencies = {deposit.currency for deposit in facts.deposits} | {leg.currency for leg in legs}
    if currencies - {facts.currency}:
        found.append(Violation("enrolment_currency", ref, f"{sorted(currencies)} at a machine of {facts.currency}"))
    return tuple(found)


def check_credits(credits_: Iterable[CreditFacts], legs: Iterable[Leg]) -> tuple[Violation, ...]:
    """Of what payees got twice, exactly what their standing legs set off is used: a voided leg gives its part back."""
    used: Counter[str] = Counter()
    found = []
    for credit in credits_:
        used[credit.payee] += credit.used_sats
        if not 0 <= credit.used_sats <= credit.amount_sats:
            found.append(Violation("credit", credit.payee, f"{credit.used_sats} used of {credit.amount_sats} sats"))
        if credit.surplus_sats != credit.amount_sats:
            must = "no second payment" if credit.surplus_sats is None else f"{credit.surplus_sats} sats paid twice"
            found.append(Violation("credit", credit.payment_hash, f"{credit.amount_sats} sats owed for {must}"))
    set_off: Counter[str] = Counter()
    for leg in legs:
        if leg.status in COUNTED_LEG or leg.status is LegStatus.REFUNDED:
            set_off[leg.payee] += leg.credit_sats
    found += [
        Violation("credit", payee, f"{used[payee]} sats used, {set_off[payee]} set off")
        for payee in sorted({*used, *set_off})
        if used[payee] != set_off[payee]
    ]
    return tuple(found)


def check_seals(seals: Iterable[SealFacts]) -> tuple[Violation, ...]:
    """Where payments go, and how much of them, is as an order in the audit log set it."""
    return tuple(
        Violation("target", seal.ref, "it is not as the audit log says that it was set")
        for seal in seals
        if seal.held not in seal.sealed
    )


def check_wallet(
    listed: Iterable[WalletRow], settled: Mapping[str, int], explained: AbstractSet[str]
) -> tuple[Violation, ...]:
    """Invariant 5 for one wallet and one stretch of time, which the list covers completely.

    `settled`: payment hash to msat of its settled attempts then; `explained`: other outgoing payments that are known:
    cash-in settlements, what is reported as unmatched, attempts still being resolved.
    """
    outgoing = {row.payment_hash: row for row in listed if row.outgoing}
    found = []
    for payment_hash, amount_msat in settled.items():
        there = outgoing.get(payment_hash)
        if there is None:
            found.append(Violation("not_in_wallet", payment_hash, f"settled with {amount_msat} msat, not in the list"))
        elif not there.is_of(amount_msat):
            detail = f"settled with {amount_msat} msat, listed {there.amount_msat}"
            found.append(Violation("wallet_amount", payment_hash, detail))
    for payment_hash, row in outgoing.items():
        if payment_hash not in settled and payment_hash not in explained:
            found.append(Violation("unexplained_payment", payment_hash, f"{row.amount_msat} msat went out"))
    return tuple(found)


def check_wallet_settlements(
    listed: Iterable[WalletRow], proven: Iterable[ProvenFacts], explained: AbstractSet[str]
) -> tuple[Violation, ...]:
    """The rest of invariant 5: each proven settlement has its payment in the list, and nothing else came in.

    `explained`: other incoming payments that are known: unproven settlements, what is reported as unmatched.
    """
    there = {(row.payment_hash, row.outgoing): row for row in listed}
    known = set(explained)
    found = []
    for facts in proven:
        must = facts.row
        if not must.outgoing:
            known.add(must.payment_hash)
        listed_row = there.get((must.payment_hash, must.outgoing))
        if listed_row is None:
            found.append(Violation("not_in_wallet", facts.ref, f"paid with {must.amount_msat} msat, not in the list"))
        elif not listed_row.is_of(must.amount_msat):
            detail = f"paid with {must.amount_msat} msat, listed {listed_row.amount_msat}"
            found.append(Violation("wallet_amount", facts.ref, detail))
    for (payment_hash, outgoing), row in there.items():
        if not outgoing and payment_hash not in known:
            found.append(Violation("unexplained_payment", payment_hash, f"{row.amount_msat} msat came in"))
    return tuple(found)


State = SettlementStatus | LegStatus | AttemptState | DepositStatus


def _reachable(changes: AbstractSet[tuple[StrEnum, StrEnum]]) -> frozenset[tuple[StrEnum, StrEnum]]:
    """Pairs that lie any number of allowed changes apart: one commit may make several."""
    pairs = set(changes)
    while new := {(a, d) for a, b in pairs for c, d in changes if b is c} - pairs:
        pairs |= new
    return frozenset(pairs)


_TABLES: Final[Mapping[type[StrEnum], tuple[frozenset[tuple[StrEnum, StrEnum]], tuple[State, ...]]]] = {
    SettlementStatus: (
        _reachable(SETTLEMENT_CHANGES),
        # pending: entered by hand, its payment shown at once
        (SettlementStatus.UNVERIFIED, SettlementStatus.REJECTED, SettlementStatus.PENDING),
    ),
    LegStatus: (_reachable(LEG_CHANGES), (LegStatus.PENDING, LegStatus.SKIPPED)),
    AttemptState: (_reachable(ATTEMPT_CHANGES), (AttemptState.READY,)),
    DepositStatus: (_reachable(DEPOSIT_CHANGES), (DepositStatus.PENDING,)),
}
"""For each kind of thing the changes that lead from one state to another, and the states in which it may begin. Kept
apart, for the kinds share words."""


def check_changes(before: Mapping[str, State], after: Mapping[str, State]) -> tuple[Violation, ...]:
    """Invariant 6 between two moments: each thing changed by allowed steps only, none vanished, the new ones began
    where they may begin. Keys name the things."""
    found = [Violation("state_change", ref, "it is gone") for ref in before if ref not in after]
    for ref, state in after.items():
        was = before.get(ref)
        if was is state:
            continue
        reachable, starts = _TABLES[type(state)]
        if was is None:
            good = state in starts or any((start, state) in reachable for start in starts)
        else:
            good = type(was) is type(state) and (was, state) in reachable
        if not good:
            found.append(Violation("state_change", ref, f"{was.value if was else 'new'} to {state.value}"))
    return tuple(found)
