"""A settlement event becomes a stored settlement, a duplicate, or a refusal; the machine gets its receipt.

When this has run, the report is durable and the worker that asks the machine's wallet will find it. Nothing is owed
yet: that takes proof of payment (handlers/proof.py).
"""

from __future__ import annotations

from enum import StrEnum

from handlers.wire import receipt
from handlers.wire.settlement import BadSettlement, parse_settlement
from ledger.decide.landing import Landed, LandingPolicy, land
from ledger.errors import Code
from ledger.model import Machine, SettlementReport
from ledger.states import SettlementStatus
from nwc.event import Event
from storage import inbox, machines, platform, sequences, settlements, unmatched
from storage.db import Tx


class Received(StrEnum):
    """What became of a settlement event: the name under which it is counted."""

    STRANGER = "stranger"
    SEEN = "seen"
    MALFORMED = "malformed"
    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


def receive(tx: Tx, event: Event, text: str, *, policy: LandingPolicy, repeat: bool, now: int) -> Received:
    """`text` is the decrypted content; `repeat`: the machine sent this very event again, wanting its receipt.

    Copies of one event that several relays bring are one event.
    """
    machine = machines.by_pubkey(tx, event.pubkey)
    if machine is None:
        return Received.STRANGER
    first = inbox.take(tx, event.id, event.kind, event.pubkey, now)
    if not first and not repeat:
        return Received.SEEN
    machines.seen(tx, machine.id, now)
    try:
        report = parse_settlement(text)
    except BadSettlement as bad:
        _refuse_unread(tx, machine, bad, now)
        return Received.MALFORMED
    existing = settlements.of_machine(tx, machine.id, report.payment_hash)
    landing = land(report, machine, platform.load(tx), existing, policy)
    if landing.outcome is Landed.NEW:
        stored = settlements.insert(tx, report, machine, landing, event_id=event.id, now=now)
        unmatched.forget(tx, report.payment_hash, machine.wallet)
        _count(tx, machine, report, stored.id, fresh=True, now=now)
        if stored.status is SettlementStatus.REJECTED:
            receipt.send(
                tx,
                machine_pubkey=machine.pubkey,
                payment_hash=report.payment_hash,
                status="rejected",
                settlement_id=stored.id,
                reason=landing.reason,
                stored=True,
                now=now,
            )
        return Received.NEW
    if existing is None:  # pragma: no cover - land() says NEW where nothing exists
        raise AssertionError("a duplicate of nothing")
    _count(tx, machine, report, existing.id, fresh=existing.by_hand, now=now)
    conflict = landing.outcome is Landed.CONFLICT
    receipt.send(
        tx,
        machine_pubkey=machine.pubkey,
        payment_hash=report.payment_hash,
        status="rejected" if conflict else "duplicate",
        settlement_id=existing.id,
        reason=landing.reason,
        stored=False,
        now=now,
    )
    if conflict:
        settlements.note_conflict(tx, existing.id, landing.detail or "", now)
    return Received.CONFLICT if conflict else Received.DUPLICATE


def _count(tx: Tx, machine: Machine, report: SettlementReport, settlement_id: int, *, fresh: bool, now: int) -> None:
    """The machine's own number of its report: which ones never came is told (handlers/missing_reports.py)."""
    if report.seq is not None:
        sequences.came(tx, machine.id, report.seq, settlement_id, report.reported_at, fresh=fresh, now=now)


def _refuse_unread(tx: Tx, machine: Machine, bad: BadSettlement, now: int) -> None:
    """The machine is told what is wrong where its report at least names the payment."""
    if bad.payment_hash is None:
        return
    known = settlements.of_machine(tx, machine.id, bad.payment_hash)
    receipt.send(
        tx,
        machine_pubkey=machine.pubkey,
        payment_hash=bad.payment_hash,
        status="rejected",
        settlement_id=None,
        reason=bad.refusal.code if bad.refusal.code is not Code.BAD_REQUEST else Code.BAD_PAYLOAD,
        stored=known is None,
        now=now,
    )
