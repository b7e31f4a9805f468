"""What people and programs are shown: the contents of the worklist event and of the LP balance event (protocol.md).

Which bucket a thing falls in is decided here, and the contents are cut so that each fits one encrypted event. Sats
come and go as integers, fiat comes in minor units and goes as decimal text, times are unix seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final

from ledger.model import Leg, Settlement
from ledger.money import MSAT, decimal_text, fiat_digits, fiat_text
from ledger.states import LegStatus, SettlementStatus

MAX_CONTENT_BYTES: Final = 40_000
"""Relays take events of up to 64 KiB, and encryption (padding, base64) makes this much of it."""
_MAX_REASON_CHARS: Final = 200
_ROOM_FOR_MORE: Final = 40
"""Bytes kept free for `more`."""
_RATE: Final = Context(prec=8)
"""An average is for reading: eight significant digits, half to even."""


class Bucket(StrEnum):
    REJECTED = "rejected"
    ERRORED = "errored"
    STUCK_PENDING = "stuck_pending"
    STUCK_PROCESSING = "stuck_processing"
    UNVERIFIED = "unverified"
    UNMATCHED = "unmatched"
    """A payment in a machine's wallet that no settlement explains."""
    SKIPPED = "skipped"
    """Sats that stayed in the wallet."""


@dataclass(frozen=True, slots=True)
class WorklistItem:
    """One line. `id` is what the orders take (`S12`, `P40`), for an unmatched payment its hash."""

    bucket: Bucket
    id: str
    machine: str
    """Its name."""
    status: str
    wire_sats: int
    """What is concerned: of a settlement the wire, of a leg its amount, of a payment what moved."""
    since: int
    reason: str
    leg: str | None = None
    """The leg that is concerned, where `id` is its settlement."""


@dataclass(frozen=True, slots=True)
class UnmatchedPayment:
    payment_hash: str
    machine: str
    incoming: bool
    amount_msat: int
    settled_at: int


@dataclass(frozen=True, slots=True)
class EnrolmentTotals:
    """An LP at one machine: fiat in minor units of `currency`, sats received there."""

    machine: str
    currency: str
    deposited_minor: int
    pending_minor: int
    paid_minor: int
    reserved_minor: int
    sats: int
    last_payment_at: int | None

    @property
    def remaining_minor(self) -> int:
        """What can still be given out: deposited = paid + reserved + remaining."""
        return self.deposited_minor - self.paid_minor - self.reserved_minor


_AT_ONCE: Final = {SettlementStatus.REJECTED: Bucket.REJECTED, SettlementStatus.ERRORED: Bucket.ERRORED}
_IN_TIME: Final = {
    SettlementStatus.UNVERIFIED: Bucket.UNVERIFIED,
    SettlementStatus.PENDING: Bucket.STUCK_PENDING,
    SettlementStatus.PARTIAL: Bucket.STUCK_PENDING,
    SettlementStatus.PROCESSING: Bucket.STUCK_PROCESSING,
}
_WHY: Final = {
    SettlementStatus.REJECTED: "rejected",
    SettlementStatus.ERRORED: "a payment failed: look at it, then retry",
    SettlementStatus.UNVERIFIED: "the machine's wallet has not shown the payment",
    SettlementStatus.PENDING: "waits to be shared out",
    SettlementStatus.PARTIAL: "scaled down, waits to be shared out",
    SettlementStatus.PROCESSING: "a payment of it is open",
}


def settlement_bucket(status: SettlementStatus, age_seconds: int, threshold_minutes: int) -> Bucket | None:
    """`age_seconds` since the status came about. A threshold of 0 lists everything that is unresolved."""
    if status in _AT_ONCE:
        return _AT_ONCE[status]
    return _IN_TIME.get(status) if _overdue(age_seconds, threshold_minutes * 60) else None


def leg_bucket(status: LegStatus, settlement: SettlementStatus | None) -> Bucket | None:
    """`settlement`: the status of the leg's settlement, if it has one. A failed leg is listed by itself only where its
    settlement does not show it: an order's own payment, a refund."""
    if status is LegStatus.SKIPPED:
        return Bucket.SKIPPED
    shown = settlement in (SettlementStatus.ERRORED, SettlementStatus.PROCESSING)
    return Bucket.ERRORED if status is LegStatus.FAILED and not shown else None


def waiting_leg_bucket(settlement: SettlementStatus | None, age_seconds: int, threshold_minutes: int) -> Bucket | None:
    """Of an open leg, `age_seconds` since it was planned: listed by itself where its settlement does not show it."""
    if settlement in (SettlementStatus.ERRORED, SettlementStatus.PROCESSING):
        return None
    return Bucket.STUCK_PROCESSING if _overdue(age_seconds, threshold_minutes * 60) else None


def gone_reason(wallet: str) -> str:
    """Why nothing happens with what waits for a wallet that is not in the configuration."""
    return f"wallet {wallet} is not in the configuration: put its connection back"


def unmatched_bucket(age_seconds: int, unmatched_after_seconds: int) -> Bucket | None:
    """`age_seconds` since it settled: its settlement may still be on the way. 0 lists it at once."""
    return Bucket.UNMATCHED if _overdue(age_seconds, unmatched_after_seconds) else None


def settlement_item(
    bucket: Bucket, settlement: Settlement, machine: str, since: int, *, why: str | None = None
) -> WorklistItem:
    """`why`: what is known of it beyond its status."""
    reason = why or settlement.reason or _WHY.get(settlement.status, settlement.status.value)
    return WorklistItem(
        bucket, f"S{settlement.id}", machine, settlement.status.value, settlement.wire_sats, since, reason
    )


def leg_item(bucket: Bucket, leg: Leg, machine: str, *, why: str | None = None) -> WorklistItem:
    """`why`: what is known of it beyond its own reason."""
    of = f" of S{leg.settlement_id}" if leg.settlement_id is not None else ""
    reason = f"{leg.type.value}{of}: {why or leg.reason or leg.status.value}"
    own = f"P{leg.id}"
    if leg.settlement_id is None:
        return WorklistItem(bucket, own, machine, leg.status.value, leg.amount_sats, leg.created_at, reason)
    settlement = f"S{leg.settlement_id}"
    return WorklistItem(bucket, settlement, machine, leg.status.value, leg.amount_sats, leg.created_at, reason, own)


def unmatched_item(payment: UnmatchedPayment) -> WorklistItem:
    """Sats rounded up, so that a payment of less than one sat does not read as nothing."""
    reason = f"{'incoming' if payment.incoming else 'outgoing'} payment that no settlement explains"
    sats = -(-payment.amount_msat // MSAT)
    return WorklistItem(
        Bucket.UNMATCHED, payment.payment_hash, payment.machine, "unmatched", sats, payment.settled_at, reason
    )


def worklist(
    items: Iterable[WorklistItem], updated_at: int, *, unlisted: int = 0, limit: int = MAX_CONTENT_BYTES
) -> dict[str, Any]:
    """The content of the worklist event, newest first in each bucket.

    Where not all of it fits, the buckets are filled in turn, one item each, so that a flood in one never hides
    another; what was left out, with the `unlisted` that the caller left out before, is counted in `more`.
    """
    queues: dict[Bucket, list[WorklistItem]] = {bucket: [] for bucket in Bucket}
    for item in items:
        queues[item.bucket].append(item)
    for queue in queues.values():
        queue.sort(key=lambda item: (-item.since, item.id))
    chosen: dict[str, list[dict[str, Any]]] = {bucket.value: [] for bucket in Bucket}
    content: dict[str, Any] = {"v": 1, "type": "worklist", "updated_at": updated_at, "buckets": chosen}
    room = limit - len(content_text(content)) - _ROOM_FOR_MORE
    for turn in zip_longest(*queues.values()):
        for item in turn:
            if item is None:
                continue
            line = _line(item)
            room -= len(content_text(line)) + 1
            if room < 0:
                break
            chosen[item.bucket.value].append(line)
        if room < 0:
            break
    listed = sum(map(len, chosen.values()))
    return _with_more(content, unlisted + sum(map(len, queues.values())) - listed)


def lp_balance(
    lp: str, enrolments: Iterable[EnrolmentTotals], updated_at: int, *, limit: int = MAX_CONTENT_BYTES
) -> dict[str, Any]:
    """The content of the balance event of the LP with public key `lp`; `enrolments` in the order to show them."""
    chosen: list[dict[str, Any]] = []
    content: dict[str, Any] = {
        "v": 1,
        "type": "lp_balance",
        "updated_at": updated_at,
        "lp": lp,
        "enrolments": chosen,
    }
    room = limit - len(content_text(content)) - _ROOM_FOR_MORE
    left_out = 0
    for totals in enrolments:
        line = _enrolment(totals)
        room -= len(content_text(line)) + 1
        if room < 0:
            left_out += 1
        else:
            chosen.append(line)
    return _with_more(content, left_out)


def average_rate(sats: int, paid_minor: int, currency: str) -> str | None:
    """Sats received per one unit of fiat paid out for, as decimal text; None where nothing was paid."""
    if paid_minor <= 0:
        return None
    per_unit = _RATE.divide(Decimal(sats * 10 ** fiat_digits(currency)), Decimal(paid_minor))
    return decimal_text(per_unit)


def average_cost(sats: int, paid_minor: int, unit_sats: int) -> int | None:
    """Minor units that `unit_sats` cost on average, half to even; None where no fiat was given for sats."""
    if sats <= 0 or paid_minor <= 0:
        return None
    quotient, remainder = divmod(paid_minor * unit_sats, sats)
    return quotient + (2 * remainder > sats or (2 * remainder == sats and quotient % 2))


def content_text(content: Mapping[str, Any]) -> str:
    """The JSON that is encrypted: ASCII, so its length is its size in bytes."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True)


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of what it says, apart from when: an event is published again only when this changes."""
    said = {key: value for key, value in content.items() if key != "updated_at"}
    return hashlib.sha256(content_text(said).encode()).hexdigest()


def _overdue(age_seconds: int, after_seconds: int) -> bool:
    return after_seconds == 0 or age_seconds > after_seconds


def _line(item: WorklistItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "machine": item.machine,
        "status": item.status,
        "wire_sats": item.wire_sats,
        "since": item.since,
        "reason": item.reason[:_MAX_REASON_CHARS],
        **({"leg": item.leg} if item.leg is not None else {}),
    }


def _enrolment(totals: EnrolmentTotals) -> dict[str, Any]:
    return {
        "machine": totals.machine,
        "currency": totals.currency,
        "deposited": fiat_text(totals.deposited_minor, totals.currency),
        "pending": fiat_text(totals.pending_minor, totals.currency),
        "paid": fiat_text(totals.paid_minor, totals.currency),
        "reserved": fiat_text(totals.reserved_minor, totals.currency),
        "remaining": fiat_text(totals.remaining_minor, totals.currency),
        "sats": totals.sats,
        "average_rate": average_rate(totals.sats, totals.paid_minor, totals.currency),
        "last_payment_at": totals.last_payment_at,
    }


def _with_more(content: dict[str, Any], left_out: int) -> dict[str, Any]:
    return {**content, "more": left_out} if left_out else content
