"""Plain examples of the books' nouns, each field of which a test may set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ledger.decide.attempt import Request, Seen
from ledger.facts import AttemptFacts, LegFacts, SettlementFacts
from ledger.fees import FeeRates, TxType
from ledger.model import (
    Amounts,
    Attempt,
    EnrolmentStatus,
    Leg,
    LpMode,
    LpStanding,
    Machine,
    Platform,
    Settlement,
    SettlementReport,
    SplitRule,
    SplitShare,
)
from ledger.states import AttemptState, EvidenceClass, LegStatus, LegType, SettlementStatus

T = 1_790_000_000
HASH = "ab" * 32


def ppm(percent: str) -> int:
    return int(Decimal(percent) * 10_000)


def machine(**changes: Any) -> Machine:
    made = Machine(
        id=1,
        pubkey="aa" * 32,
        name="sintra",
        wallet="main",
        fiat="GTQ",
        location=None,
        active=True,
        paused=False,
        operator_fees=FeeRates(cash_in_ppm=ppm("5"), cash_out_ppm=ppm("5")),
    )
    return replace(made, **changes)


def platform(percent: str = "3", target: str | None = "super@example.com") -> Platform:
    return Platform(FeeRates(ppm(percent), ppm(percent)), target)


def report(**changes: Any) -> SettlementReport:
    """A cash-out of 100,000 sats that adds up: 3 % and 5 % on top, 2,000.00 GTQ at 50 sats."""
    made = SettlementReport(
        payment_hash=HASH,
        tx_type=TxType.CASH_OUT,
        wire_sats=108_000,
        principal_sats=100_000,
        fee_sats=8_000,
        fiat_minor=200_000,
        currency="GTQ",
        exchange_rate=Decimal(50),
        reported_at=T,
    )
    return replace(made, **changes)


def settlement(**changes: Any) -> Settlement:
    """The same cash-out, stored and proven."""
    made = Settlement(
        id=12,
        machine_id=1,
        wallet="main",
        status=SettlementStatus.PROCESSING,
        reason=None,
        payment_hash=HASH,
        tx_type=TxType.CASH_OUT,
        wire_sats=108_000,
        principal_sats=100_000,
        fee_sats=8_000,
        platform_fee_sats=3_000,
        operator_fee_sats=5_000,
        fee_mismatch_sats=0,
        fiat_minor=200_000,
        currency="GTQ",
        exchange_rate=Decimal(50),
        txid=None,
        created_at=T,
        reported_at=T,
        proof="settled",
        proof_checked_at=T,
        processed_at=None,
    )
    return replace(made, **changes)


LANDED = Amounts(108_000, 100_000, 8_000, 3_000, 5_000, 200_000)


def scaled(**changes: Any) -> Settlement:
    """The same cash-out, of which the machine gave out half of the cash."""
    half: dict[str, Any] = {
        "wire_sats": 54_000, "principal_sats": 50_000, "fee_sats": 4_000, "platform_fee_sats": 1_500,
        "operator_fee_sats": 2_500, "fiat_minor": 100_000, "landed": LANDED,
    }  # fmt: skip
    return settlement(**{**half, **changes})


def cash_in(**changes: Any) -> Settlement:
    """The customer paid 2,000.00 GTQ and got 92,000 sats."""
    return settlement(**{"tx_type": TxType.CASH_IN, "wire_sats": 92_000, **changes})


def standing(lp_id: int, available_minor: int, **changes: Any) -> LpStanding:
    made = LpStanding(
        lp_id=lp_id,
        name=f"lp{lp_id}",
        pubkey=f"{lp_id:064x}",
        target=f"lp{lp_id}@example.com",
        mode=LpMode.FLOW,
        status=EnrolmentStatus.ACTIVE,
        available_minor=available_minor,
    )
    return replace(made, **changes)


def rule(*fractions_ppm: int) -> SplitRule:
    shares = tuple(SplitShare(part, f"p{n}@example.com", f"P{n}") for n, part in enumerate(fractions_ppm, 1))
    return SplitRule(id=1, machine_id=None, shares=shares)


def leg(**changes: Any) -> Leg:
    """P40: the platform's 3,000 sats, open."""
    made = Leg(
        id=40,
        settlement_id=12,
        machine_id=1,
        wallet="main",
        type=LegType.SUPER_FEE,
        status=LegStatus.PENDING,
        amount_sats=3_000,
        credit_sats=0,
        fiat_minor=0,
        currency="GTQ",
        lp_id=None,
        payee="platform",
        target="super@example.com",
        label="platform",
        reason=None,
        tries=0,
        next_try_at=T,
        created_at=T,
        completed_at=None,
    )
    return replace(made, **changes)


def preimage(number: int) -> str:
    return f"{number:064x}"


def hash_of(number: int) -> str:
    return hashlib.sha256(bytes.fromhex(preimage(number))).hexdigest()


def attempt(number: int = 1, **changes: Any) -> Attempt:
    """In `sent`, made at T with an hour to its expiry. Settled ones get their preimage and time."""
    state = changes.get("state", AttemptState.SENT)
    settled = state is AttemptState.SETTLED
    made = Attempt(
        payment_hash=hash_of(number),
        leg_id=40,
        wallet="main",
        invoice="lnbc1",
        amount_msat=3_000_000,
        payee_key=None,
        state=state,
        created_at=T,
        expires_at=T + 3_600,
        sent_at=None if state in (AttemptState.READY, AttemptState.DROPPED) else T,
        settled_at=T + 5 if settled else None,
        preimage=preimage(number) if settled else None,
        fees_msat=1_000 if settled else 0,
        verify_url=None,
        surplus=False,
        next_check_at=T + 2,
        checks=0,
    )
    return replace(made, **changes)


def request(number: int = 1, **changes: Any) -> Request:
    made = Request(
        event_id=f"{number:064x}",
        created_at=T,
        expires_at=T + 600,
        publishes=1,
        last_published_at=T,
        answered=False,
    )
    return replace(made, **changes)


def with_requests(made: Attempt, *requests: Request) -> AttemptFacts:
    """With one request where it needs one and none is given, and with what its state rests on."""
    sent = made.state not in (AttemptState.READY, AttemptState.DROPPED)
    claims = (seen(EvidenceClass.CLAIM, "lookup"),) if made.state is AttemptState.CLAIMED else ()
    released = made.state is AttemptState.RELEASED
    return AttemptFacts(
        made,
        requests or ((request(),) if sent else ()),
        (seen(EvidenceClass.NEGATIVE, "operator"),) if released else claims,
        release_logged=released,
    )


def seen(cls: EvidenceClass, source: str, after: int = 0) -> Seen:
    """Asked so many seconds after the expiry of `attempt`."""
    return Seen(cls, source, T + 3_600 + after, T + 3_600 + after)


def leg_facts(made: Leg, attempts: Iterable[Attempt] = ()) -> LegFacts:
    return LegFacts(made, tuple(with_requests(one) for one in attempts))


def paid_leg(number: int, **changes: Any) -> LegFacts:
    """A completed leg with the attempt that paid it."""
    made = leg(**{"id": number, "status": LegStatus.COMPLETED, "completed_at": T + 5, **changes})
    return leg_facts(
        made,
        [attempt(number, leg_id=number, wallet=made.wallet, amount_msat=made.due_msat, state=AttemptState.SETTLED)],
    )


def settlement_facts(made: Settlement, *legs: LegFacts) -> SettlementFacts:
    return SettlementFacts(made, legs)
