"""What a check of the books looks at: settlements, legs, attempts and journal as they are stored, nothing derived.

`verify`, `reconcile` and the random runs of the tests load these and hand them to ledger/balances.py and
ledger/invariants.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.decide.attempt import Request, Seen
from ledger.journal import Posting
from ledger.model import Attempt, Leg, Settlement
from ledger.states import DepositStatus


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    attempt: Attempt
    requests: tuple[Request, ...]
    evidence: tuple[Seen, ...] = ()
    """Of one that is released or claimed; of others it is left out."""
    release_logged: bool = False
    """Whether the audit log says that it was released."""


@dataclass(frozen=True, slots=True)
class LegFacts:
    leg: Leg
    attempts: tuple[AttemptFacts, ...]


@dataclass(frozen=True, slots=True)
class SettlementFacts:
    settlement: Settlement
    legs: tuple[LegFacts, ...]
    cash_minor: int | None = None
    """What it moved out of the bays of its machine, or into its box; None where it moved none."""
    cash_due: bool = False
    """Whether the machine's bays were known before it came, so that it must have moved cash once it is proven."""
    notes_named: bool = False
    """Whether the machine named the notes: they may come to more than the amount."""


@dataclass(frozen=True, slots=True)
class CashFacts:
    """One stored figure of a machine's cash, such as `bay 1`, and what it must be by that of which it is the sum."""

    machine_id: int
    what: str
    stored: int
    summed: int


@dataclass(frozen=True, slots=True)
class DepositFacts:
    id: int
    machine_id: int
    lp_id: int
    amount_minor: int
    currency: str
    status: DepositStatus


@dataclass(frozen=True, slots=True)
class EnrolmentFacts:
    """The stored sums of an LP at a machine, with all that they are sums of."""

    machine_id: int
    lp_id: int
    currency: str
    deposited_minor: int
    pending_minor: int
    paid_minor: int
    reserved_minor: int
    paid_sats: int
    deposits: tuple[DepositFacts, ...]
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class CreditFacts:
    """What a payee got twice, and how much of it its later legs have set off."""

    payee: str
    amount_sats: int
    used_sats: int
    payment_hash: str
    surplus_sats: int | None
    """What its attempt paid this payee a second time; None where there is no such attempt."""


@dataclass(frozen=True, slots=True)
class SealFacts:
    """Something that payments follow, such as a target: digests of how it is, and of how it may be by the audit log."""

    ref: str
    held: tuple[str, ...]
    sealed: tuple[tuple[str, ...], ...]
    """Any of these will do."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One entry as it is stored; `id` counts from 1 without gaps, `hash` is `ledger.journal.chain_hash` of it."""

    id: int
    at: int
    kind: str
    ref: str
    postings: tuple[Posting, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class WalletRow:
    """One settled payment of the wallet's own list."""

    payment_hash: str
    outgoing: bool
    amount_msat: int
    fees_msat: int = 0
    """What the wallet says that the way cost."""

    def is_of(self, amount_msat: int) -> bool:
        """Whether so much was paid: some wallets list what left them, with the fee."""
        return self.amount_msat - amount_msat in (0, self.fees_msat if self.outgoing else 0)


@dataclass(frozen=True, slots=True)
class ProvenFacts:
    """A settlement whose payment its wallet has shown, and the row that the wallet's list must have of it."""

    ref: str
    row: WalletRow


@dataclass(frozen=True, slots=True)
class Violation:
    """`name` is stable, `ref` names the thing (`S12`, `P40`, `L3@m1`, a payment hash, an account), `detail` says what
    is and what must be."""

    name: str
    ref: str
    detail: str
