"""The nouns of the books as the rules see them: frozen, complete, free of any database.

`storage` loads these as snapshots, the decisions in `ledger.decide` look at them and answer with new ones. Times are
unix seconds, keys and hashes lower-case hex. A target may hold the secret of a connection, so no repr shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from ledger.fees import FeeRates, TxType
from ledger.money import MSAT
from ledger.states import AttemptState, LegStatus, LegType, SettlementStatus


class LpMode(StrEnum):
    FLOW = "flow"
    """Gets a share of every cash-out as it happens."""
    FIXED = "fixed"
    """Is paid on a schedule instead."""


class EnrolmentStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Machine:
    id: int
    pubkey: str
    name: str
    wallet: str
    fiat: str
    location: str | None
    active: bool
    paused: bool
    operator_fees: FeeRates


@dataclass(frozen=True, slots=True)
class Platform:
    fees: FeeRates
    target: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SplitShare:
    fraction_ppm: int
    target: str = field(repr=False)
    label: str


@dataclass(frozen=True, slots=True)
class SplitRule:
    id: int
    machine_id: int | None
    """None: the operator's default for every machine without a rule of its own."""
    shares: tuple[SplitShare, ...]


@dataclass(frozen=True, slots=True)
class LpStanding:
    """An LP at one machine, as a distribution sees it."""

    lp_id: int
    name: str
    pubkey: str
    target: str | None = field(repr=False)
    mode: LpMode
    status: EnrolmentStatus
    available_minor: int
    """Confirmed deposits less what was paid and what is reserved by open legs."""

    @property
    def eligible(self) -> bool:
        return (
            self.status is EnrolmentStatus.ACTIVE
            and self.mode is LpMode.FLOW
            and self.target is not None
            and self.available_minor > 0
        )


@dataclass(frozen=True, slots=True)
class SettlementReport:
    """What an ATM says of one customer transaction: the schema is already checked, nothing is believed yet."""

    payment_hash: str
    tx_type: TxType
    wire_sats: int
    principal_sats: int
    fee_sats: int
    fiat_minor: int
    currency: str
    exchange_rate: Decimal
    reported_at: int
    txid: str | None = None
    source: str | None = None
    seq: int | None = None
    notes_dispensed: str | None = None
    """JSON of `bills` and `cassettes` as reported."""

    def same_amounts(self, other: Settlement) -> bool:
        """As it landed: a report that comes again knows nothing of what the operator did since."""
        landed = other.as_landed
        return (
            self.tx_type is other.tx_type
            and self.wire_sats == landed.wire_sats
            and self.principal_sats == landed.principal_sats
            and self.fee_sats == landed.fee_sats
            and self.fiat_minor == landed.fiat_minor
            and self.currency == other.currency
            and self.exchange_rate == other.exchange_rate
        )


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a settlement is about, in sats and minor units of its currency."""

    wire_sats: int
    principal_sats: int
    fee_sats: int
    platform_fee_sats: int
    operator_fee_sats: int
    fiat_minor: int

    @property
    def fee_mismatch_sats(self) -> int:
        """Reported fee less the two that are owed."""
        return self.fee_sats - self.platform_fee_sats - self.operator_fee_sats


@dataclass(frozen=True, slots=True)
class Settlement:
    id: int
    machine_id: int
    wallet: str
    status: SettlementStatus
    reason: str | None
    payment_hash: str
    tx_type: TxType
    wire_sats: int
    principal_sats: int
    fee_sats: int
    platform_fee_sats: int
    operator_fee_sats: int
    fee_mismatch_sats: int
    fiat_minor: int
    currency: str
    exchange_rate: Decimal
    txid: str | None
    created_at: int
    """When this bot stored it."""
    reported_at: int
    """What the ATM gave as the time."""
    proof: str | None
    """`settled` once the wallet showed the payment; `not_supported` where the policy let it pass without; `operator`
    where it was entered by hand, without a payment that a wallet could show."""
    proof_checked_at: int | None
    processed_at: int | None
    landed: Amounts | None = None
    """The amounts with which it landed, where the operator has scaled it since."""
    by_hand: bool = False
    """The operator entered it: no machine reported it."""

    @property
    def amounts(self) -> Amounts:
        return Amounts(
            self.wire_sats,
            self.principal_sats,
            self.fee_sats,
            self.platform_fee_sats,
            self.operator_fee_sats,
            self.fiat_minor,
        )

    @property
    def as_landed(self) -> Amounts:
        return self.amounts if self.landed is None else self.landed

    @property
    def wire_moved_sats(self) -> int:
        """What the wallet really got or gave."""
        return self.wire_sats if self.landed is None else self.landed.wire_sats

    @property
    def undispensed_sats(self) -> int:
        """What the customer paid for cash that the machine did not give out."""
        return self.wire_moved_sats - self.wire_sats

    @property
    def owed(self) -> dict[LegType, int]:
        """What its legs add up to, by type: both fees, and the principal where LPs gave the fiat."""
        return {
            LegType.SUPER_FEE: self.platform_fee_sats,
            LegType.OPERATOR_SPLIT: self.operator_fee_sats,
            LegType.DCA: self.principal_sats if self.tx_type is TxType.CASH_OUT else 0,
        }


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A leg before it has an id. `status` is pending or skipped."""

    type: LegType
    status: LegStatus
    amount_sats: int
    payee: str
    """The account that is owed: `platform`, `split:<hash of target>`, `lp:<id>`, `customer:<settlement>`, `none`."""
    target: str | None = field(repr=False)
    label: str
    lp_id: int | None = None
    fiat_minor: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    id: int
    settlement_id: int | None
    machine_id: int
    wallet: str
    type: LegType
    status: LegStatus
    amount_sats: int
    credit_sats: int
    """The part that an earlier second payment to the same payee covers."""
    fiat_minor: int
    currency: str
    lp_id: int | None
    payee: str
    target: str | None = field(repr=False)
    label: str
    reason: str | None
    tries: int
    next_try_at: int
    created_at: int
    completed_at: int | None

    @property
    def due_msat(self) -> int:
        return (self.amount_sats - self.credit_sats) * MSAT


@dataclass(frozen=True, slots=True)
class Attempt:
    """One BOLT 11 invoice for one leg. The payment hash is its identity."""

    payment_hash: str
    leg_id: int
    wallet: str
    invoice: str
    amount_msat: int
    payee_key: str | None
    """The Lightning node that is paid."""
    state: AttemptState
    created_at: int
    expires_at: int
    """Of the invoice."""
    sent_at: int | None
    settled_at: int | None
    preimage: str | None
    fees_msat: int
    verify_url: str | None
    surplus: bool
    """Settled although its leg was paid by another attempt: booked as a credit."""
    next_check_at: int
    checks: int
