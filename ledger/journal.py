"""The double-entry journal: what each event of the business does to the accounts.

Amounts are integers: Lightning money in msat (commodity `msat`), fiat in minor units of its currency. Within one entry
every commodity sums to zero. A debit is positive. Entries form a hash chain: each carries the SHA-256 of itself and
of the entry before it, so that an altered or missing row shows.

Accounts
| account | what it holds |
|---|---|
| `assets:wallet:<wallet>` | msat in a machine's wallet, as far as this bot knows of them |
| `assets:cash:<machine>` | fiat in the machine |
| `assets:receivable:<payee>` | msat that a payee got twice and that its next legs set off |
| `liabilities:due:<part>:<machine>` | fees and principal of accepted settlements that no leg owes yet |
| `liabilities:payable:<payee>` | msat that open and failed legs owe |
| `liabilities:undispensed:<machine>` | msat that customers paid for cash that the machine did not give out |
| `liabilities:lp:<lp>:<machine>` | fiat that an LP has in a machine |
| `equity:exchange:<machine>` | the counter-account where fiat and sats meet |
| `equity:kept:<machine>` | sats that stayed in the wallet, less what refunds and the operator's own payments took |
| `income:mismatch:<machine>` | reported fee less the fees that were set |
| `expenses:routing:<wallet>` | Lightning fees paid |
| `expenses:trials:<wallet>` | Lightning fees of payments that a wallet made to itself, to be tried |
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.fees import TxType
from ledger.model import Amounts, Leg, PlannedLeg, Settlement
from ledger.money import MSAT
from ledger.states import LegStatus, LegType

SATS: Final = "msat"
GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Posting:
    account: str
    commodity: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One balanced set of postings. `kind` and `ref` say which event of which thing caused it."""

    kind: str
    ref: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        totals: Counter[str] = Counter()
        for posting in self.postings:
            totals[posting.commodity] += posting.amount
        if any(totals.values()):
            raise AssertionError(f"unbalanced {self.kind} entry for {self.ref}: {dict(totals)}")


def chain_hash(previous: str, entry_id: int, at: int, kind: str, ref: str, postings: Iterable[Posting]) -> str:
    """SHA-256 over the previous hash and a canonical JSON of this row."""
    body = [previous, entry_id, at, kind, ref, [[p.account, p.commodity, p.amount] for p in postings]]
    return hashlib.sha256(json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def _entry(kind: str, ref: str, rows: Sequence[tuple[str, str, int]]) -> Entry:
    return Entry(kind, ref, tuple(Posting(*row) for row in rows if row[2]))


def settlement_accepted(settlement: Settlement) -> Entry:
    """The wallet has shown the payment: sats came (or went), and fees and principal are due."""
    m = f"m{settlement.machine_id}"
    wire, principal = settlement.wire_sats * MSAT, settlement.principal_sats * MSAT
    fiat = settlement.fiat_minor
    out = settlement.tx_type is TxType.CASH_OUT
    return _entry(
        "settlement.accepted",
        f"S{settlement.id}",
        [
            (f"assets:wallet:{settlement.wallet}", SATS, wire if out else -wire),
            (f"liabilities:due:principal:{m}", SATS, -principal) if out else (f"equity:exchange:{m}", SATS, principal),
            (f"liabilities:due:platform:{m}", SATS, -settlement.platform_fee_sats * MSAT),
            (f"liabilities:due:operator:{m}", SATS, -settlement.operator_fee_sats * MSAT),
            (f"income:mismatch:{m}", SATS, -settlement.fee_mismatch_sats * MSAT),
            (f"assets:cash:{m}", settlement.currency, -fiat if out else fiat),
            (f"equity:exchange:{m}", settlement.currency, fiat if out else -fiat),
        ],
    )


def settlement_scaled(settlement: Settlement, to: Amounts) -> Entry:
    """The machine gave out only part of the cash: less is due, the customer is owed the difference of the wire, and
    the rest of the cash is there again. `settlement` is as it was before."""
    m = f"m{settlement.machine_id}"
    was = settlement.amounts
    fiat = was.fiat_minor - to.fiat_minor
    return _entry(
        "settlement.scaled",
        f"S{settlement.id}",
        [
            (f"liabilities:due:principal:{m}", SATS, (was.principal_sats - to.principal_sats) * MSAT),
            (f"liabilities:due:platform:{m}", SATS, (was.platform_fee_sats - to.platform_fee_sats) * MSAT),
            (f"liabilities:due:operator:{m}", SATS, (was.operator_fee_sats - to.operator_fee_sats) * MSAT),
            (f"income:mismatch:{m}", SATS, (was.fee_mismatch_sats - to.fee_mismatch_sats) * MSAT),
            (f"liabilities:undispensed:{m}", SATS, (to.wire_sats - was.wire_sats) * MSAT),
            (f"assets:cash:{m}", settlement.currency, fiat),
            (f"equity:exchange:{m}", settlement.currency, -fiat),
        ],
    )


def settlement_refunded(settlement: Settlement, due: Mapping[LegType, int]) -> Entry:
    """Nothing more is shared out of it: what is still due, in sats by the type of leg that would owe it, and what was
    not dispensed, is kept; the refund is paid out of that."""
    m = f"m{settlement.machine_id}"
    kept = sum(due.values()) + settlement.undispensed_sats
    return _entry(
        "settlement.refunded",
        f"S{settlement.id}",
        [
            *((due_account(part, settlement.machine_id), SATS, sats * MSAT) for part, sats in due.items()),
            (f"liabilities:undispensed:{m}", SATS, settlement.undispensed_sats * MSAT),
            (f"equity:kept:{m}", SATS, -kept * MSAT),
        ],
    )


_DUE: Final = {LegType.SUPER_FEE: "platform", LegType.OPERATOR_SPLIT: "operator", LegType.DCA: "principal"}


def due_account(leg_type: LegType, machine_id: int) -> str:
    """Where the sats of a leg come from before it owes them."""
    part = _DUE.get(leg_type)
    return f"liabilities:due:{part}:m{machine_id}" if part else f"equity:kept:m{machine_id}"


def legs_planned(ref: str, machine_id: int, legs: Iterable[PlannedLeg]) -> Entry:
    """What was due becomes payable to each payee; what is skipped is kept."""
    rows = []
    for leg in legs:
        amount = leg.amount_sats * MSAT
        owed = f"equity:kept:m{machine_id}" if leg.status == "skipped" else f"liabilities:payable:{leg.payee}"
        rows += [(due_account(leg.type, machine_id), SATS, amount), (owed, SATS, -amount)]
    return _entry("legs.planned", ref, rows)


def leg_completed(leg: Leg, fees_msat: int) -> Entry:
    """The payee has the sats: from the wallet, less what a credit covered; a dca leg lowers what the LP has in fiat."""
    rows = [
        (f"liabilities:payable:{leg.payee}", SATS, leg.amount_sats * MSAT),
        (f"assets:receivable:{leg.payee}", SATS, -leg.credit_sats * MSAT),
        (f"assets:wallet:{leg.wallet}", SATS, -leg.due_msat - fees_msat),
        (f"expenses:routing:{leg.wallet}", SATS, fees_msat),
    ]
    if leg.lp_id is not None and leg.fiat_minor:
        rows += [
            (f"liabilities:lp:l{leg.lp_id}:m{leg.machine_id}", leg.currency, leg.fiat_minor),
            (f"equity:exchange:m{leg.machine_id}", leg.currency, -leg.fiat_minor),
        ]
    return _entry("leg.completed", f"P{leg.id}", rows)


def leg_skipped(leg: Leg) -> Entry:
    """A planned leg turned out to be unpayable (outside of the payee's limits): its sats are kept."""
    amount = leg.amount_sats * MSAT
    return _entry(
        "leg.skipped",
        f"P{leg.id}",
        [(f"liabilities:payable:{leg.payee}", SATS, amount), (f"equity:kept:m{leg.machine_id}", SATS, -amount)],
    )


def leg_voided(leg: Leg) -> Entry:
    """An order replaced the leg: what it owed, or kept where it was skipped, is due again. `leg` is as it was before;
    of a skipped one whose sats came out of what is kept, there is nothing to book."""
    amount = leg.amount_sats * MSAT
    kept = f"equity:kept:m{leg.machine_id}"
    there = kept if leg.status is LegStatus.SKIPPED else f"liabilities:payable:{leg.payee}"
    due = due_account(leg.type, leg.machine_id)
    return _entry("leg.voided", f"P{leg.id}", [(there, SATS, amount), (due, SATS, -amount)] if there != due else [])


def surplus_paid(leg: Leg, amount_msat: int, fees_msat: int) -> Entry:
    """A released attempt settled after all although its leg was paid otherwise: the payee owes us."""
    return _entry(
        "leg.surplus",
        f"P{leg.id}",
        [
            (f"assets:receivable:{leg.payee}", SATS, amount_msat),
            (f"assets:wallet:{leg.wallet}", SATS, -amount_msat - fees_msat),
            (f"expenses:routing:{leg.wallet}", SATS, fees_msat),
        ],
    )


def wallet_tried(wallet: str, fees_msat: int) -> Entry:
    """A wallet paid one sat to itself: what left came back, but for the fee."""
    return _entry(
        "wallet.tried",
        wallet,
        [(f"assets:wallet:{wallet}", SATS, -fees_msat), (f"expenses:trials:{wallet}", SATS, fees_msat)],
    )


def deposit_confirmed(deposit_id: int, machine_id: int, lp_id: int, amount_minor: int, currency: str) -> Entry:
    """An LP's fiat is in the cassette."""
    return _entry(
        "deposit.confirmed",
        f"D{deposit_id}",
        [
            (f"assets:cash:m{machine_id}", currency, amount_minor),
            (f"liabilities:lp:l{lp_id}:m{machine_id}", currency, -amount_minor),
        ],
    )
