"""Every step of paying a leg, as the transaction that makes it true before anything is done in the world.

payer and resolver (bot/workers) do the talking; what may be said next, and what an answer means, is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handlers import holding, notices, wallet_trouble
from handlers.alarms import telling
from ledger.alarms import Cause
from ledger.decide.attempt import (
    AttemptPolicy,
    check_delay,
    missing_for_release,
    request_expiry,
    same_wallet,
    state_after,
)
from ledger.decide.release import check_release as operator_may_release
from ledger.errors import Code, Refusal
from ledger.invariants import check_leg, check_settlement
from ledger.model import Attempt, Leg
from ledger.money import MSAT, PPM
from ledger.states import AttemptState, EvidenceClass, LegStatus
from nwc.evidence import Evidence
from nwc.requests import SignedRequest
from storage import accepted_before, attempts, forgotten, journal, legs, settlements, switches, wallets
from storage.attempts import NewAttempt
from storage.db import Tx
from storage.facts import Facts
from storage.switches import Switch

_HOUR = 3_600
_DAY = 86_400
CAP_RETRY_SECONDS = 300
IN_FLIGHT_RETRY_SECONDS = 60
_CAPS = {"day": Cause.CAP_DAY, "hour": Cause.CAP_HOUR, "in_flight": Cause.CAP_IN_FLIGHT}
"""The alarms of the caps, by their names."""
WOKEN = 8
"""So many of the legs that wait for the cap in flight are looked at when something has ended."""
FREE_FEE_MSAT = 10 * MSAT
"""A routing fee up to this is never too much, however small the payment."""
CLAIM_RETRY_SECONDS = 300
CLAIMED_BEFORE = "the wallet claims that it paid this before, by a payment that was given up"
ACCEPTED_BEFORE = "the transaction was accepted before these books were begun: this may have been paid"
MAX_SMALL_FEE_MSAT = 100_000
"""A fee above this and above the amount itself is a slip of the wallet, not a fee."""


@dataclass(frozen=True, slots=True)
class PaymentPolicy:
    """Limits of the `[payouts]` section; 0 means no cap where the configuration says so."""

    attempt: AttemptPolicy
    max_attempts: int
    invoice_min_left: int
    max_leg_sats: int
    max_day_sats: int
    max_hour_sats: int = 0
    max_in_flight_sats: int = 0
    """What may be on its way from a wallet at once: invoices stored, requests sent, claims."""
    max_fee_ppm: int = 10_000
    """A routing fee above this part of the amount freezes its payee until an operator has looked."""
    operators: frozenset[str] = frozenset()
    """Public keys of those who are told what a rule can't mend."""


class Go(StrEnum):
    """Whether a leg may be paid now."""

    YES = "yes"
    DONE = "done"
    """Nothing is left to pay: closed meanwhile, or covered by a credit."""
    LATER = "later"


def open_leg(tx: Tx, leg_id: int, policy: PaymentPolicy, now: int) -> tuple[Go, Leg | None]:
    """Before an invoice is asked for: still open, nothing live, nothing paused; credits are set off."""
    leg = legs.get(tx, leg_id)
    if leg is None or leg.status is not LegStatus.PENDING or attempts.live(tx, leg_id) is not None:
        return Go.DONE, leg
    if not legs.may_be_paid(tx, leg) or wallets.paused(tx, leg.wallet) or _broken(tx, leg, policy, now):
        return Go.LATER, leg
    if _claimed_before(tx, leg, now) or _claimed_meanwhile(tx, leg, policy, now):
        return Go.LATER, leg
    if _forgotten_before(tx, leg, policy, now):
        return Go.LATER, leg
    if _accepted_before(tx, leg, policy, now):
        return Go.DONE, leg
    if leg.amount_sats > policy.max_leg_sats:
        legs.fail(tx, leg, f"over the cap of {policy.max_leg_sats:,} sats for one leg", now)
        return Go.DONE, leg
    leg = legs.set_off(tx, leg)
    if _forgotten_before(tx, leg, policy, now):  # it may have been made when the credit was set off, too
        return Go.LATER, leg
    if leg.due_msat == 0:
        legs.complete(tx, leg, 0, now)
        notices.payment_completed(tx, leg.id, now)
        return Go.DONE, leg
    too_large = _larger_than_a_cap(leg, policy)
    if too_large is not None:
        legs.fail(tx, leg, too_large, now)
        return Go.DONE, leg
    if _over_a_cap(tx, leg, policy, now):
        return Go.LATER, leg
    return Go.YES, leg


def _broken(tx: Tx, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether a rule of the books is broken by the leg, its attempts or its settlement, as this transaction sees them:
    then all payments are held, and nothing of it leaves."""
    facts = Facts(tx)
    found = list(facts.unreadable)
    if leg.settlement_id is not None:
        settlement = facts.settlement(leg.settlement_id)
        found += check_settlement(settlement) if settlement is not None else ()
    else:
        alone = facts.leg(leg.id)
        found += check_leg(alone) if alone is not None else ()
    return holding.hold_books(tx, [*found, *facts.unreadable], policy.operators, now)


def _claimed_before(tx: Tx, leg: Leg, now: int) -> bool:
    """Whether a wallet claims to have paid what this leg replaced: it is put off then, until proof comes, which is set
    off against it, or the operator releases the claim."""
    if not attempts.claimed_before(tx, leg):
        return False
    legs.put_off(tx, leg, next_try_at=now + CLAIM_RETRY_SECONDS, reason=CLAIMED_BEFORE, counts=False)
    return True


def _claimed_meanwhile(tx: Tx, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether a wallet has claimed, while another attempt of this leg was on its way, that it paid one that was
    released: that one is followed up again, and stands before another invoice."""
    payment_hash = attempts.claimed_meanwhile(tx, leg.id)
    if payment_hash is None:
        return False
    attempts.claim_paid(tx, payment_hash, now + policy.attempt.resolve[0])
    return True


def _forgotten_before(tx: Tx, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether a payment that these books forgot may be this leg's: where it is, the leg has its attempt back; where
    that can't be said, the leg waits until it can, or until an operator says what it was."""
    if forgotten.stands_before(tx, leg) is None:
        return False
    forgotten.meet(tx, now)
    if attempts.live(tx, leg.id) is not None:
        return True
    if forgotten.stands_before(tx, leg) is None:
        return False
    legs.put_off(tx, leg, next_try_at=now + CLAIM_RETRY_SECONDS, reason=forgotten.ASIDE, counts=False)
    facts = {"payment": f"P{leg.id}", "wallet": leg.wallet}
    telling.raise_(tx, Cause.FORGOTTEN, wallet_trouble.subject(leg.wallet), facts, policy.operators, now)
    return True


def _accepted_before(tx: Tx, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether its transaction was accepted before these books were begun, by a bot with this key: then an operator is
    asked, once, whether what is owed for it was paid."""
    settlement = settlements.get(tx, leg.settlement_id) if leg.settlement_id is not None else None
    if settlement is None or not accepted_before.take(tx, settlement.payment_hash):
        return False
    for each in legs.of_settlement(tx, settlement.id):
        if each.status is LegStatus.PENDING and attempts.live(tx, each.id) is None:
            legs.fail(tx, each, ACCEPTED_BEFORE, now)
    notices.tell(tx, policy.operators, "notice accepted before", {"settlement": f"S{settlement.id}"}, now)
    return True


def _over_a_cap(tx: Tx, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether the leg must wait for a cap: it is put off then, and the operators are told, once for each cap."""
    cap = _cap_reached(tx, leg.wallet, leg.due_msat, policy, now, stored=True)
    if cap is None:
        return False
    name, reason = cap
    delay = IN_FLIGHT_RETRY_SECONDS if name == "in_flight" else CAP_RETRY_SECONDS
    legs.put_off(tx, leg, next_try_at=now + delay, reason=reason, counts=False)
    _tell_of_cap(tx, leg, name, policy, now)
    return True


def _caps(policy: PaymentPolicy) -> list[tuple[str, int, int, str]]:
    """What a wallet may pay: of each cap that is set its name, the sats, in how many seconds, why legs wait for it."""
    caps = (
        ("day", policy.max_day_sats, _DAY, "over the cap of {most:,} sats a day"),
        ("hour", policy.max_hour_sats, _HOUR, "over the cap of {most:,} sats an hour"),
        ("in_flight", policy.max_in_flight_sats, 0, "over the cap of {most:,} sats on the way at once"),
    )
    return [(name, most, seconds, reason.format(most=most)) for name, most, seconds, reason in caps if most]


def _larger_than_a_cap(leg: Leg, policy: PaymentPolicy) -> str | None:
    """The reason why a leg can't be paid by any wallet, however long it waits."""
    return next((reason for _, most, _, reason in _caps(policy) if leg.due_msat > most * MSAT), None)


def _cap_reached(
    tx: Tx, wallet: str, more_msat: int, policy: PaymentPolicy, now: int, *, stored: bool
) -> tuple[str, str] | None:
    """The cap of this wallet which so much more would pass: its name, and the reason for waiting. `stored`: invoices
    that were not sent yet count too. When one of them is to be sent they don't: all would wait for each other."""
    for name, most_sats, seconds, reason in _caps(policy):
        used_msat = attempts.under_way_msat(tx, wallet, stored=stored)
        if seconds:
            used_msat += attempts.settled_msat(tx, wallet, now - seconds)
        if used_msat + more_msat > most_sats * MSAT:
            return name, reason
    return None


def _tell_of_cap(tx: Tx, leg: Leg, name: str, policy: PaymentPolicy, now: int) -> None:
    most = {"day": policy.max_day_sats, "hour": policy.max_hour_sats, "in_flight": policy.max_in_flight_sats}
    facts = {"wallet": leg.wallet, "payment": f"P{leg.id}", "most_sats": most[name]}
    telling.raise_(tx, _CAPS[name], wallet_trouble.subject(leg.wallet), facts, policy.operators, now)


def _room_again(tx: Tx, wallet: str, policy: PaymentPolicy, now: int) -> None:
    """Something that was on its way has ended: the first of those that wait for that are looked at."""
    if policy.max_in_flight_sats:
        reason = f"over the cap of {policy.max_in_flight_sats:,} sats on the way at once"
        legs.try_now(tx, wallet, reason, WOKEN, now)


def longest_wait(policy: PaymentPolicy) -> int:
    """Seconds: no leg is put off for longer at a time."""
    return max(CAP_RETRY_SECONDS, IN_FLIGHT_RETRY_SECONDS, CLAIM_RETRY_SECONDS, *policy.attempt.resend)


def not_fetched(tx: Tx, leg_id: int, reason: str, policy: PaymentPolicy, now: int) -> None:
    """The target gave no invoice that may be paid: tried again, spaced out, then failed."""
    leg = legs.get(tx, leg_id)
    if leg is None or leg.status is not LegStatus.PENDING or attempts.live(tx, leg_id) is not None:
        return
    _use_up_a_try(tx, leg, reason, policy, now)


def unpayable(tx: Tx, leg_id: int, reason: str, now: int) -> None:
    """The payee takes no such amount: the leg is skipped."""
    leg = legs.get(tx, leg_id)
    if leg is not None and leg.status is LegStatus.PENDING and attempts.live(tx, leg_id) is None:
        legs.skip(tx, leg, reason, now)


def ready(tx: Tx, leg_id: int, new: NewAttempt, policy: PaymentPolicy, now: int) -> Attempt | None:
    """A checked invoice is stored as the leg's one live attempt. None: the leg closed or paused meanwhile, or the
    invoice was seen before (then a try is used up)."""
    leg = legs.get(tx, leg_id)
    if leg is None or leg.status is not LegStatus.PENDING or attempts.live(tx, leg_id) is not None:
        return None
    if _over_a_cap(tx, leg, policy, now) or _broken(tx, leg, policy, now):
        return None
    if attempts.hash_known(tx, new.payment_hash):
        _use_up_a_try(tx, leg, "the payee gave an invoice that was seen before", policy, now)
        return None
    return attempts.insert_ready(tx, leg, new, now)


def send(tx: Tx, payment_hash: str, request: SignedRequest, policy: PaymentPolicy, now: int) -> bool:
    """From ready to sent, with the signed bytes. True: commit done, they may leave. False: they must not."""
    attempt = attempts.get(tx, payment_hash)
    if attempt is None or attempt.state is not AttemptState.READY:
        return False
    leg = legs.get(tx, attempt.leg_id)
    if leg is None:
        raise AssertionError(f"attempt {payment_hash} without its leg")
    if leg.status is not LegStatus.PENDING:
        attempts.end(tx, attempt, AttemptState.DROPPED, "its leg is closed", now)
        return False
    if attempt.expires_at - now < policy.invoice_min_left or request.expires_at <= now:
        attempts.end(tx, attempt, AttemptState.DROPPED, "too near its expiry", now)
        _use_up_a_try(tx, leg, "the invoice came too near its expiry before it could be sent", policy, now)
        return False
    if not may_leave(tx, attempt, leg, policy, now) or _broken(tx, leg, policy, now):
        return False  # it stays ready, and is taken in hand again
    if _claimed_before(tx, leg, now):
        attempts.end(tx, attempt, AttemptState.DROPPED, CLAIMED_BEFORE, now)
        return False
    if not attempts.set_sent(tx, payment_hash, now, now + policy.attempt.resolve[0]):
        return False
    _store_request(tx, payment_hash, request)
    return True


def may_leave(tx: Tx, attempt: Attempt, leg: Leg, policy: PaymentPolicy, now: int) -> bool:
    """Whether what is ready may be sent now: nothing holds it, and it passes no cap."""
    if not legs.may_be_paid(tx, leg) or wallets.paused(tx, attempt.wallet) or forgotten.stands_before(tx, leg):
        return False
    return _cap_reached(tx, attempt.wallet, attempt.amount_msat, policy, now, stored=False) is None


def pay_again(tx: Tx, payment_hash: str, request: SignedRequest, policy: PaymentPolicy, now: int) -> bool:
    """A further request for the same invoice, once none lives. True: it is stored and may leave."""
    if not _may_leave_again(tx, payment_hash, policy, now):
        return False
    _store_request(tx, payment_hash, request)
    return True


def say_again(tx: Tx, payment_hash: str, request_id: str, policy: PaymentPolicy, now: int) -> str | None:
    """The stored bytes of a request that was sent, to be published once more; None: they must not leave now."""
    if not _may_leave_again(tx, payment_hash, policy, now):
        return None
    attempts.set_published(tx, request_id, now)
    return attempts.request_event(tx, request_id)


def _may_leave_again(tx: Tx, payment_hash: str, policy: PaymentPolicy, now: int) -> bool:
    """Saying it again is paying, too."""
    attempt = attempts.get(tx, payment_hash)
    if attempt is None or attempt.state is not AttemptState.SENT:
        return False
    leg = legs.get(tx, attempt.leg_id)
    if leg is None or leg.status is not LegStatus.PENDING:
        return False
    if not legs.may_be_paid(tx, leg) or wallets.paused(tx, attempt.wallet) or forgotten.stands_before(tx, leg):
        return False
    if attempts.claimed_meanwhile(tx, leg.id) is not None:
        return False
    dossier = attempts.dossier(tx, payment_hash, -1)
    if dossier is None or not same_wallet(dossier):
        return False
    return not _broken(tx, leg, policy, now)


def request_lifetime(attempt: Attempt, policy: PaymentPolicy, now: int) -> int:
    """When a request made now expires."""
    return request_expiry(attempt.expires_at, now, policy.attempt)


def learn(
    tx: Tx,
    payment_hash: str,
    found: Evidence,
    *,
    source: str,
    asked_at: int,
    policy: PaymentPolicy,
    now: int,
    extra: dict[str, Any] | None = None,
) -> AttemptState | None:
    """Stores a piece of evidence and does what it means. Returns the attempt's state; None for an unknown hash."""
    if source == "control":
        raise ValueError("a control look-up is about another payment: note_control")
    attempt = attempts.get(tx, payment_hash)
    if attempt is None:
        return None
    if attempt.state is AttemptState.SETTLED and found.cls is EvidenceClass.PROOF:
        return attempt.state  # wallets tell it twice, as answer and as notification
    heard = found.cls is EvidenceClass.CLAIM and attempts.claimed_since(tx, payment_hash)
    attempts.add_evidence(
        tx, payment_hash, found.cls, source, asked_at=asked_at, now=now, detail={"said": found.detail, **(extra or {})}
    )
    after = state_after(attempt.state, found.cls)
    if found.cls is EvidenceClass.PROOF and after is AttemptState.SETTLED and attempt.state is not AttemptState.SETTLED:
        if found.preimage is None:
            raise AssertionError("proof without a preimage")
        fees_msat = found.fees_paid_msat or 0
        if fees_msat > attempt.amount_msat + MAX_SMALL_FEE_MSAT:
            fees_msat = 0  # no wallet pays that: what it said is in the evidence
        surplus = attempts.settle(tx, attempt, found.preimage, fees_msat, now)
        forgotten.meet(tx, now)  # one that paid this leg, too, is known for that now
        _heed_fee(tx, attempt, found.fees_paid_msat or 0, policy, now)
        _room_again(tx, attempt.wallet, policy, now)
        if surplus:
            _audit(tx, attempt, "payment.surplus", "paid a second time: the payee's next legs are lowered by it", now)
            facts = {"payment": f"P{attempt.leg_id}", "amount_sats": attempt.amount_msat // MSAT}
            notices.tell(tx, policy.operators, "notice surplus", facts, now)
        else:
            notices.payment_completed(tx, attempt.leg_id, now)
    elif after is AttemptState.CLAIMED and attempt.state is not AttemptState.CLAIMED:
        live = attempts.live(tx, attempt.leg_id)
        if attempt.state is AttemptState.RELEASED and not heard:
            _audit(tx, attempt, "payment.claimed_late", "the wallet says that it paid what had been released", now)
            notices.tell(tx, policy.operators, "notice claimed late", {"payment": f"P{attempt.leg_id}"}, now)
        if live is not None and live.state is AttemptState.READY:
            attempts.end(tx, live, AttemptState.DROPPED, CLAIMED_BEFORE, now)
        elif live not in (None, attempt):
            return attempt.state  # another attempt has left meanwhile: it is not said again, and none follows it
        attempts.claim_paid(tx, payment_hash, now + policy.attempt.resolve[0])
    return after


def _heed_fee(tx: Tx, attempt: Attempt, fees_msat: int, policy: PaymentPolicy, now: int) -> None:
    """NIP-47 has no word for a limit of the fee: what was too much is known only afterwards. Its payee is frozen, so
    that the way there costs no more until an operator has looked."""
    leg = legs.get(tx, attempt.leg_id)
    most = max(FREE_FEE_MSAT, attempt.amount_msat * policy.max_fee_ppm // PPM)
    if leg is None or fees_msat <= most:
        return
    name = switches.of_lp(leg.lp_id) if leg.lp_id is not None else switches.of_payee(leg.payee)
    if switches.paused(tx, name):
        return
    fee_sats = -(-fees_msat // MSAT)
    if not switches.say(tx, name, Switch(True, now, "satmachine", f"{fee_sats:,} sats of routing fee for P{leg.id}")):
        return
    _audit(tx, attempt, "target freeze", f"{fees_msat} msat of routing fee, {most} msat are allowed", now)
    facts = {"payment": f"P{leg.id}", "label": leg.label, "lp": leg.lp_id is not None}
    facts |= {"fee_sats": fee_sats, "amount_sats": leg.amount_sats, "most_sats": most // MSAT}
    notices.tell(tx, policy.operators, "notice fee", facts, now)


def answered(tx: Tx, request_id: str, now: int, *, ask_soon: bool, policy: PaymentPolicy) -> tuple[str | None, bool]:
    """Notes that a request got an answer; an error says nothing about the payment, only that to ask soon is wise.

    The payment hash, and whether this is the first answer: relays bring old ones again.
    """
    payment_hash = attempts.request_of(tx, request_id)
    if payment_hash is None:
        return None, False
    first = attempts.set_answered(tx, request_id, now)
    attempt = attempts.get(tx, payment_hash)
    if ask_soon and attempt is not None and attempt.next_check_at > now + policy.attempt.resolve[0]:
        attempts.check_again(tx, payment_hash, now + policy.attempt.resolve[0], counts=False)
    return payment_hash, first


def checked(tx: Tx, payment_hash: str, policy: PaymentPolicy, now: int) -> None:
    """After a look-up: when to ask next."""
    attempt = attempts.get(tx, payment_hash)
    if attempt is None or attempt.state not in (AttemptState.SENT, AttemptState.CLAIMED):
        return
    attempts.check_again(tx, payment_hash, now + check_delay(attempt.checks, policy.attempt), counts=True)


def note_control(tx: Tx, payment_hash: str, cls: EvidenceClass, *, asked_at: int, now: int) -> None:
    """What a look-up of another payment, known to be settled, gave: does this wallet still know its past? `proof`:
    it found it; `negative`: it says that there is none; `none`: it said nothing of use."""
    attempts.add_evidence(tx, payment_hash, cls, "control", asked_at=asked_at, now=now, detail=None)


def release(
    tx: Tx, payment_hash: str, quarantine_override: int, policy: PaymentPolicy, now: int, *, clock_sane: bool
) -> tuple[str, ...]:
    """Releases an attempt if, and only if, nothing is missing for it; returns what is missing."""
    dossier = attempts.dossier(tx, payment_hash, quarantine_override)
    if dossier is None:
        return ("no such attempt",)
    missing = missing_for_release(dossier, now, policy.attempt, clock_sane=clock_sane)
    if missing:
        return missing
    attempts.end(tx, dossier.attempt, AttemptState.RELEASED, "certain never to settle, by rule", now)
    _room_again(tx, dossier.attempt.wallet, policy, now)
    _audit(tx, dossier.attempt, "payment.release", "released by rule", now)
    leg = legs.get(tx, dossier.attempt.leg_id)
    if leg is None or _claimed_meanwhile(tx, leg, policy, now):
        return ()
    if leg.status is LegStatus.PENDING:
        _ended_unpaid(tx, dossier.attempt, leg, "an attempt ended unpaid", policy, now)
    return ()


def check_release(tx: Tx, leg_id: int, hash_end: str, now: int) -> Attempt:
    """The attempt of a leg that the operator may release. Refuses `not_found`, `bad_state`, `bad_request`,
    `too_young`."""
    leg = legs.get(tx, leg_id)
    if leg is None:
        raise Refusal(Code.NOT_FOUND, "there is no payment P{id}: payment list", field="payment", id=leg_id)
    live = attempts.live(tx, leg_id)
    requests = attempts.requests_of(tx, live.payment_hash) if live is not None else ()
    return operator_may_release(leg, live, requests, hash_end, now)


def release_by_operator(
    tx: Tx, leg_id: int, hash_end: str, reason: str, *, by: str, policy: PaymentPolicy, now: int
) -> Attempt:
    """Ends an attempt by the word of the operator with the public key `by`, who answers for it: its leg may have
    another invoice after this. Refuses as `check_release` does."""
    attempt = check_release(tx, leg_id, hash_end, now)
    attempts.add_evidence(
        tx,
        attempt.payment_hash,
        EvidenceClass.NEGATIVE,
        "operator",
        asked_at=now,
        now=now,
        detail={"said": reason, "by": by},
    )
    attempts.end(tx, attempt, AttemptState.RELEASED, "released by the operator", now)
    _room_again(tx, attempt.wallet, policy, now)
    _audit(tx, attempt, "payment release", reason, now, who=by, before=attempt.state.value)
    leg = legs.get(tx, leg_id)
    if leg is None or _claimed_meanwhile(tx, leg, policy, now):
        return attempt
    if leg.status is LegStatus.PENDING:
        _ended_unpaid(tx, attempt, leg, "an attempt was released by the operator", policy, now)
    return attempt


def _ended_unpaid(tx: Tx, attempt: Attempt, leg: Leg, reason: str, policy: PaymentPolicy, now: int) -> None:
    """Costs the leg a try, unless its wallet had a reason never to try: that was no fault of the payee."""
    if attempts.only_refused(tx, attempt.payment_hash):
        legs.put_off(tx, leg, next_try_at=now + policy.attempt.resend[0], reason=reason, counts=False)
    else:
        _use_up_a_try(tx, leg, reason, policy, now)


def _use_up_a_try(tx: Tx, leg: Leg, reason: str, policy: PaymentPolicy, now: int) -> None:
    if leg.tries + 1 >= policy.max_attempts:
        legs.fail(tx, leg, reason, now)
        return
    spacing = policy.attempt.resend
    legs.put_off(tx, leg, next_try_at=now + spacing[min(leg.tries, len(spacing) - 1)], reason=reason, counts=True)


def _store_request(tx: Tx, payment_hash: str, request: SignedRequest) -> None:
    attempts.insert_request(
        tx,
        payment_hash,
        request.event.id,
        request.text,
        request.event.created_at,
        request.expires_at,
    )


def _audit(
    tx: Tx,
    attempt: Attempt,
    command: str,
    what: str,
    now: int,
    *,
    who: str = "satmachine",
    before: str | None = None,
) -> None:
    journal.record(
        tx,
        at=now,
        who=who,
        command=command,
        target=f"P{attempt.leg_id}",
        before={"state": before} if before else None,
        after={"payment_hash": attempt.payment_hash, "what": what},
    )
    settlements.mark_view(tx, "worklist")
