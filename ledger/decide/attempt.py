"""What to do next with an attempt that was sent, and when it is certain that it will never settle.

Lightning protects one payment hash; every new invoice of a leg gives that protection up. So all that an error, a
silence or a restart can cause here is another question, or the same bytes again. Only `missing_for_release`, with an
empty answer, lets a leg have another invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.model import Attempt
from ledger.money import MSAT
from ledger.states import AttemptState, EvidenceClass

_MINUTE: Final = 60
_DAY: Final = 86_400
_QUARANTINE_STEP_SATS: Final = 50_000


class WalletProfile(StrEnum):
    LNBITS = "lnbits"
    ALBY_LND = "alby-lnd"
    ALBY_LDK = "alby-ldk"
    UNKNOWN = "unknown"


_QUARANTINE: Final = {
    WalletProfile.LNBITS: (0, _DAY),
    WalletProfile.ALBY_LND: (15 * _MINUTE, 15 * _MINUTE),
    WalletProfile.ALBY_LDK: (_DAY, 8 * _DAY),
    WalletProfile.UNKNOWN: (_DAY, 14 * _DAY),
}
"""Seconds after expiry, up to the step and above it."""


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """Times in seconds, as in the `[payouts]` section of the configuration."""

    request_life: int
    request_margin: int
    resend: tuple[int, ...]
    resolve: tuple[int, ...]
    release_margin: int
    release_gap: int
    auto_release_max_sats: int


@dataclass(frozen=True, slots=True)
class Request:
    """A signed `pay_invoice` request of an attempt; the same bytes may be published several times."""

    event_id: str
    created_at: int
    expires_at: int
    publishes: int
    last_published_at: int | None
    answered: bool

    def lives(self, now: int) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Seen:
    """One piece of stored evidence."""

    cls: EvidenceClass
    source: str
    """`pay`, `notification`, `lookup`, `list`, `control`, `verify`, `operator`."""
    asked_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of an attempt."""

    attempt: Attempt
    requests: tuple[Request, ...]
    evidence: tuple[Seen, ...]
    profile: WalletProfile
    quarantine_override: int
    """Seconds from the configuration; -1: by profile."""
    wallet_paused: bool
    repays: bool = True
    """Whether this wallet may be asked to pay an invoice again that failed there."""
    may_pay: bool = True
    """Its leg is open, and neither payments nor the machine nor the payee are held: a request may leave (again)."""
    sent_here: bool = True
    """Whether it was sent through the connection that its wallet's name stands for now."""
    connected_at: int = -1
    """Since when that is so, unix seconds."""


def state_after(state: AttemptState, found: EvidenceClass) -> AttemptState:
    """Where evidence leads; everything but proof and claim leaves the state alone."""
    if found is EvidenceClass.PROOF and state in (AttemptState.SENT, AttemptState.CLAIMED, AttemptState.RELEASED):
        return AttemptState.SETTLED
    if found is EvidenceClass.CLAIM and state in (AttemptState.SENT, AttemptState.RELEASED):
        return AttemptState.CLAIMED  # also after a release: no other invoice may be asked for on top of it
    return state


def request_expiry(invoice_expires_at: int, now: int, policy: AttemptPolicy) -> int:
    """The `expiration` tag of a request made now: never later than the margin before the invoice expires."""
    return min(invoice_expires_at - policy.request_margin, now + policy.request_life)


def resend_due(dossier: Dossier, now: int, policy: AttemptPolicy) -> Request | None:
    """The live request whose bytes are to be published again, for no answer to it has come."""
    if dossier.attempt.state is not AttemptState.SENT or not dossier.may_pay or dossier.wallet_paused:
        return None
    if not same_wallet(dossier):
        return None
    for request in dossier.requests:
        due = _resend_time(request, policy)
        if due is not None and due <= now and request.lives(now):
            return request
    return None


def check_delay(checks: int, policy: AttemptPolicy) -> int:
    """Seconds until the next look-up after `checks` of them; the last step repeats."""
    return policy.resolve[min(checks, len(policy.resolve) - 1)]


def _resend_time(request: Request, policy: AttemptPolicy) -> int | None:
    if request.answered:
        return None
    if request.last_published_at is None:
        return request.created_at
    if request.publishes > len(policy.resend):
        return None
    return request.last_published_at + policy.resend[request.publishes - 1]


def same_wallet(dossier: Dossier) -> bool:
    """Whether the wallet that is asked now is the one that was told to pay. All wallets of one service may have one
    key: once a connection was exchanged, only a payment made through the one before, and found by this one, says so."""
    said = [
        seen.cls
        for seen in dossier.evidence
        if seen.source == "control" and seen.asked_at > dossier.connected_at and seen.cls is not EvidenceClass.NONE
    ]
    return dossier.sent_here or said[-1:] == [EvidenceClass.PROOF]


def may_pay_again(dossier: Dossier, now: int, policy: AttemptPolicy) -> bool:
    """Whether the same invoice may have a further request: none lives, and what was asked after that found nothing.

    LNbits, and what looks like it, is left out: its backend hangs for all wallets when an external invoice that failed
    is paid again.
    """
    if dossier.attempt.state is not AttemptState.SENT:
        return False
    if dossier.profile is WalletProfile.LNBITS or not dossier.repays or not same_wallet(dossier):
        return False
    if not dossier.may_pay or dossier.wallet_paused or not dossier.requests:
        return False
    if any(request.lives(now) for request in dossier.requests):
        return False
    if request_expiry(dossier.attempt.expires_at, now, policy) <= now + policy.resolve[0]:
        return False
    ended = max(dossier.connected_at + 1, *(request.expires_at for request in dossier.requests))
    after = [seen for seen in dossier.evidence if seen.source in ("lookup", "list") and seen.asked_at >= ended]
    return bool(after) and all(seen.cls is EvidenceClass.NEGATIVE for seen in after)


def quarantine_seconds(profile: WalletProfile, amount_msat: int, override: int) -> int:
    """How long after its expiry an invoice may still turn out paid, by what wallets were seen to do."""
    if override >= 0:
        return override
    small, large = _QUARANTINE[profile]
    return large if amount_msat > _QUARANTINE_STEP_SATS * MSAT else small


def counts_from(dossier: Dossier, policy: AttemptPolicy) -> int:
    """Since when it counts that nothing is found: until then the wallet may change its mind."""
    attempt = dossier.attempt
    quarantine = quarantine_seconds(dossier.profile, attempt.amount_msat, dossier.quarantine_override)
    return attempt.expires_at + max(policy.release_margin, quarantine)


def missing_for_release(dossier: Dossier, now: int, policy: AttemptPolicy, *, clock_sane: bool) -> tuple[str, ...]:
    """What is still missing before the attempt is certain never to settle; empty when it may be released.

    Takes all of: two negative look-ups asked after the invoice's expiry plus the margin and a gap apart; a control
    look-up that finds a payment known to be settled, made through the same connection; the fully paged outgoing
    list without the hash, or showing it failed; LUD-21 where offered; a sane clock; the quarantine; an amount under the
    automatic limit. What was asked before the quarantine was over does not count: until then the wallet may change its
    mind, maybe while we are down. Nor does what was asked through another connection than the one of now.
    """
    attempt = dossier.attempt
    if attempt.state is not AttemptState.SENT:
        return ("the wallet claims that it paid: an operator must decide",)
    quarantine = quarantine_seconds(dossier.profile, attempt.amount_msat, dossier.quarantine_override)
    listed_at = max((seen.asked_at for seen in dossier.evidence if _is(seen, "list")), default=-1)
    counted_from = max(counts_from(dossier, policy), dossier.connected_at + 1)
    for seen in dossier.evidence:  # whatever says otherwise starts the count anew
        if _contradicts(seen, listed_at):
            counted_from = max(counted_from, seen.received_at + 1)
    late = [seen for seen in dossier.evidence if seen.asked_at >= counted_from]
    asked = [seen.asked_at for seen in late if _is(seen, "lookup") or _decided_by_list(seen, listed_at)]
    missing = []
    if now < attempt.expires_at + policy.release_margin:
        missing.append("the invoice expired too recently")
    if now < attempt.expires_at + quarantine:
        missing.append("the wallet profile's quarantine")
    if not _two_apart(asked, policy.release_gap):
        missing.append(f"two look-ups, {policy.release_gap} s apart, that find nothing")
    if not any(_is(seen, "list") for seen in late):
        missing.append("the wallet's whole list without it")
    if not any(seen.source == "control" and seen.cls is EvidenceClass.PROOF for seen in late):
        missing.append("a control look-up that finds a known payment")
    if attempt.verify_url is not None and not any(_is(seen, "verify") for seen in late):
        missing.append("the payee's own word (LUD-21)")
    if not clock_sane:
        missing.append("a clock that agrees with the wallet's")
    if attempt.amount_msat > policy.auto_release_max_sats * MSAT:
        missing.append("an operator: the amount is over the automatic limit")
    return tuple(missing)


def bears_release(attempt: Attempt, evidence: Sequence[Seen]) -> bool:
    """Whether this is enough for a release, by the operator's word or by rule, whatever the policy was then."""
    if any(_is(seen, "operator") for seen in evidence):
        return True
    listed_at = max((seen.asked_at for seen in evidence if _is(seen, "list")), default=-1)
    late = [seen for seen in evidence if seen.asked_at >= attempt.expires_at]
    look_ups = [seen for seen in late if _is(seen, "lookup") or _decided_by_list(seen, listed_at)]
    return (
        len(look_ups) > 1
        and any(_is(seen, "list") for seen in late)
        and any(seen.source == "control" and seen.cls is EvidenceClass.PROOF for seen in late)
        and (attempt.verify_url is None or any(_is(seen, "verify") for seen in late))
    )


def _is(seen: Seen, source: str) -> bool:
    return seen.source == source and seen.cls is EvidenceClass.NEGATIVE


def _decided_by_list(seen: Seen, listed_at: int) -> bool:
    """A look-up that reads both ways, and the whole list asked after it does not have the payment."""
    return seen.source == "lookup" and seen.cls is EvidenceClass.AMBIGUOUS and seen.asked_at <= listed_at


def _contradicts(seen: Seen, listed_at: int) -> bool:
    """Says that the payment may be there, or, where a control fails, that this wallet forgets payments."""
    if seen.source == "control":
        return seen.cls is EvidenceClass.NEGATIVE
    return seen.cls not in (EvidenceClass.NEGATIVE, EvidenceClass.NONE) and not _decided_by_list(seen, listed_at)


def _two_apart(times: Sequence[int], gap: int) -> bool:
    return len(times) > 1 and max(times) - min(times) >= gap
