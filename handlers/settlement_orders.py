"""The operator's orders about settlements, each in one transaction: legs, books, notes, and its line in the audit log.

For each there is a `check_…` that refuses, or says what would be done now, and changes nothing: it makes the preview of
a money order. `by` is the public key of the operator. A worker that has a leg in hand meanwhile finds it closed: it
looks at the leg again in the transaction in which it stores an invoice, and in the one before the request leaves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from handlers import cash
from ledger import journal as books
from ledger.decide import entry as by_hand
from ledger.decide import settlement_orders
from ledger.decide.landing import Landing, LandingPolicy
from ledger.decide.settlement_orders import Partial, Refund
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Amounts, Leg, Machine, Settlement, SettlementReport
from ledger.money import decimal_text, fiat_text
from ledger.states import SettlementStatus
from storage import attempts, journal, legs, platform, reports, settlements, unmatched
from storage.db import Tx

_HASH: Final = re.compile(r"[0-9a-f]{64}")


# --- reset -----------------------------------------------------------------------------------------------------------


def check_reset(tx: Tx, found: Settlement, *, threshold_minutes: int, now: int) -> tuple[Leg, ...]:
    """The open legs, which would fail. Refuses `bad_state`, `too_young`, `unresolved_payment`."""
    return settlement_orders.reset(
        found,
        legs.of_settlement(tx, found.id),
        reports.unresolved_legs(tx, found.id),
        age_seconds=now - settlements.changed_at(tx, found.id),
        threshold_minutes=threshold_minutes,
    )


def reset(tx: Tx, found: Settlement, *, threshold_minutes: int, by: str, now: int) -> tuple[Leg, ...]:
    """What is stuck becomes `errored`, so that it can be retried. Returns the legs that failed with it."""
    failing = check_reset(tx, found, threshold_minutes=threshold_minutes, now=now)
    reason = "reset by the operator"
    settlements.set_status(tx, found.id, SettlementStatus.ERRORED, now, reason="reset")
    for leg in failing:
        attempts.drop_ready(tx, leg.id, reason, now)
        legs.fail(tx, leg, reason, now)
    journal.record(
        tx,
        at=now,
        who=by,
        command="settlement reset",
        target=f"S{found.id}",
        before={"status": found.status.value},
        after={"status": SettlementStatus.ERRORED.value, "failed": _names(failing)},
    )
    return failing


# --- partial ---------------------------------------------------------------------------------------------------------


def check_partial(tx: Tx, found: Settlement, *, fraction_ppm: int | None, principal_sats: int | None) -> Partial:
    """Exactly one of `fraction_ppm` and `principal_sats` says what was dispensed, of what landed. Refuses
    `bad_request`, `bad_state`, `unresolved_payment`."""
    return settlement_orders.partial(
        found,
        legs.of_settlement(tx, found.id),
        reports.unresolved_legs(tx, found.id),
        fraction_ppm=fraction_ppm,
        principal_sats=principal_sats,
    )


def partial(
    tx: Tx,
    found: Settlement,
    *,
    fraction_ppm: int | None,
    principal_sats: int | None,
    note: str | None,
    by: str,
    now: int,
) -> Partial:
    """Scales the settlement; the distributor plans it anew. A note keeps the old and the new values, another one what
    the operator says to it."""
    decided = check_partial(tx, found, fraction_ppm=fraction_ppm, principal_sats=principal_sats)
    _void(tx, decided.voided, "scaled to what was dispensed", now)
    settlements.scale(tx, found, decided.to, now)
    cash.corrected(tx, found.id, who=by, now=now)
    settlements.add_note(tx, found.id, by, scaling_memo(decided, found.currency), now)
    _note(tx, found.id, by, note, now)
    journal.record(
        tx,
        at=now,
        who=by,
        command="settlement partial",
        target=f"S{found.id}",
        before={
            "status": found.status.value,
            "voided": _names(decided.voided),
            **amounts_text(decided.was, found.currency),
        },
        after={"status": SettlementStatus.PARTIAL.value, **amounts_text(decided.to, found.currency)},
    )
    return decided


def scaling_memo(decided: Partial, currency: str) -> str:
    """The old and the new values in one line."""
    was, to = amounts_text(decided.was, currency), amounts_text(decided.to, currency)
    changes = ", ".join(f"{name} {_grouped(was[name])} to {_grouped(to[name])}" for name in was)
    return f"scaled to what was dispensed: {changes}"


def amounts_text(amounts: Amounts, currency: str) -> dict[str, Any]:
    """As programs see them, and the audit log: sats as integers, fiat as text."""
    return {
        "wire_sats": amounts.wire_sats,
        "principal_sats": amounts.principal_sats,
        "fee_sats": amounts.fee_sats,
        "platform_fee_sats": amounts.platform_fee_sats,
        "operator_fee_sats": amounts.operator_fee_sats,
        "fiat_amount": fiat_text(amounts.fiat_minor, currency),
    }


def _grouped(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


# --- refund ----------------------------------------------------------------------------------------------------------


def check_refund(tx: Tx, found: Settlement, *, target: str, sats: int | None) -> Refund:
    """`target` is in its canonical form; an invoice must be over exactly what is refunded. None: all `sats` that are
    left. Refuses `bad_request`, `bad_state`, `unresolved_payment`."""
    return settlement_orders.refund(
        found,
        legs.of_settlement(tx, found.id),
        reports.unresolved_legs(tx, found.id),
        target=target,
        sats=sats,
    )


def refund(
    tx: Tx, found: Settlement, *, target: str, sats: int | None, note: str | None, by: str, now: int
) -> tuple[Refund, Leg]:
    """The settlement becomes `refunded`: what is due to others no more is kept, and the customer's leg is paid out of
    that by the settlement's wallet like any other leg."""
    decided = check_refund(tx, found, target=target, sats=sats)
    _void(tx, decided.voided, "the customer is refunded", now)
    if found.status is not SettlementStatus.REFUNDED:
        settlements.set_status(tx, found.id, SettlementStatus.REFUNDED, now)
        journal.append(tx, books.settlement_refunded(found, decided.due), now)
    cash.corrected(tx, found.id, fully_refunded=decided.left_sats == 0, who=by, now=now)
    legs.insert_plan(tx, found, [decided.leg], now)
    leg = legs.of_settlement(tx, found.id)[-1]
    _note(tx, found.id, by, note, now)
    journal.record(
        tx,
        at=now,
        who=by,
        command="settlement refund",
        target=f"S{found.id}",
        before={"status": found.status.value, "voided": _names(decided.voided)},
        after={
            "status": SettlementStatus.REFUNDED.value,
            "payment": f"P{leg.id}",
            "sats": leg.amount_sats,
            "left_sats": decided.left_sats,
        },
    )
    return decided, leg


# --- entry by hand ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction as the operator types it; its currency is the machine's."""

    tx_type: TxType
    wire_sats: int
    principal_sats: int
    fee_sats: int
    fiat_minor: int
    exchange_rate: Decimal
    payment_hash: str | None = None
    """Lower-case hex. None: no wallet can show the payment, the operator's word is all there is."""


def check_entry(tx: Tx, machine: Machine, entry: Entry, *, policy: LandingPolicy) -> Landing:
    """How it would land, with its fees. Refuses `bad_request` with the field, and `conflict` where the payment is
    known."""
    return _land_by_hand(tx, machine, _report(machine, entry, entry.payment_hash or "", 0), policy)


def enter(
    tx: Tx, machine: Machine, entry: Entry, *, order_id: str, note: str | None, policy: LandingPolicy, by: str, now: int
) -> Settlement:
    """With a payment hash it is `unverified` until the machine's wallet shows the payment. Without one it is booked
    and `pending` at once, under a hash that is made of `order_id`, which must be another one each time; its machine
    gets no receipt."""
    payment_hash = entry.payment_hash or hashlib.sha256(f"by hand:{order_id}".encode()).hexdigest()
    report = _report(machine, entry, payment_hash, now)
    landing = _land_by_hand(tx, machine, report, policy)
    stored = settlements.insert(tx, report, machine, landing, event_id=order_id, now=now, entered_by=by)
    if entry.payment_hash is None:
        settlements.set_proof(tx, stored.id, "operator", now, None)
        settlements.set_status(tx, stored.id, SettlementStatus.PENDING, now)
        journal.append(tx, books.settlement_accepted(stored), now)
        cash.proven(tx, stored, who=by, now=now)
    _note(tx, stored.id, by, note, now)
    unmatched.forget_explained(tx)
    entered = settlements.get(tx, stored.id)
    assert entered is not None
    journal.record(
        tx,
        at=now,
        who=by,
        command="settlement add",
        target=f"S{entered.id}",
        after={
            "machine": machine.name,
            "status": entered.status.value,
            "tx_type": entered.tx_type.value,
            "payment_hash": entered.payment_hash,
            "exchange_rate": decimal_text(entered.exchange_rate),
            **amounts_text(entered.amounts, entered.currency),
        },
    )
    return entered


def _report(machine: Machine, entry: Entry, payment_hash: str, now: int) -> SettlementReport:
    return SettlementReport(
        payment_hash=payment_hash,
        tx_type=entry.tx_type,
        wire_sats=entry.wire_sats,
        principal_sats=entry.principal_sats,
        fee_sats=entry.fee_sats,
        fiat_minor=entry.fiat_minor,
        currency=machine.fiat,
        exchange_rate=entry.exchange_rate,
        reported_at=now,
    )


def _land_by_hand(tx: Tx, machine: Machine, report: SettlementReport, policy: LandingPolicy) -> Landing:
    """A claim by another machine that nobody proved shuts nothing out: the wallets will show whose payment it is."""
    payment_hash = report.payment_hash
    if payment_hash and not _HASH.fullmatch(payment_hash):
        raise Refusal(Code.BAD_REQUEST, "payment_hash must be 64 hex characters", field="payment_hash")
    return by_hand.enter(
        report,
        machine,
        platform.load(tx),
        policy,
        known=settlements.owner_of_payment(tx, payment_hash) or settlements.of_machine(tx, machine.id, payment_hash),
        own_leg=attempts.leg_of(tx, payment_hash),
    )


# --- what an order made and nobody paid ------------------------------------------------------------------------------


def check_withdrawal(tx: Tx, leg_id: int) -> Leg:
    """A refund or lp settle that is not paid. Refuses `not_found`, `bad_state`, `unresolved_payment`."""
    leg = legs.get(tx, leg_id)
    if leg is None:
        raise Refusal(Code.NOT_FOUND, "there is no payment P{id}: payment list", field="payment", id=leg_id)
    settlement_orders.check_withdrawal(leg, [leg.id] if attempts.unresolved(tx, leg.id) else [])
    return leg


def withdraw(tx: Tx, leg_id: int, *, by: str, now: int) -> Leg:
    """Gives it up: its sats are kept, and nothing lists it any more. A new order of its kind does the same."""
    leg = check_withdrawal(tx, leg_id)
    _void(tx, [leg], "given up by the operator", now)
    journal.record(
        tx, at=now, who=by, command="payment withdraw", target=f"P{leg.id}", before={"status": leg.status.value}
    )
    return leg


# --- inside ----------------------------------------------------------------------------------------------------------


def _void(tx: Tx, voided: Iterable[Leg], reason: str, now: int) -> None:
    for leg in voided:
        attempts.drop_ready(tx, leg.id, reason, now)
        legs.void(tx, leg, reason, now)


def _note(tx: Tx, settlement_id: int, by: str, note: str | None, now: int) -> None:
    if note:
        settlements.add_note(tx, settlement_id, by, note, now)


def _names(found: Iterable[Leg]) -> list[str]:
    return [f"P{leg.id}" for leg in found]
