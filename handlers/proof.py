"""What a machine's wallet shows about a reported payment decides what becomes of the settlement.

When this has run, the settlement is `pending` and booked, `rejected` with its reason, or still `unverified` with a
time at which the wallet is asked again; and its machine has the receipt for that.
"""

from __future__ import annotations

from dataclasses import dataclass

from handlers import cash
from handlers.wire import receipt
from ledger import journal as books
from ledger.decide.attempt import AttemptPolicy, check_delay
from ledger.errors import Code
from ledger.model import Machine, Settlement
from ledger.states import SettlementStatus
from nwc.proof_of_payment import Payment, PaymentCheck
from storage import attempts, forgotten, journal, machines, settlements, trials
from storage.db import Tx

SENDER_FIELD = "nostr_sender_pubkey"
OLD_SECONDS = 86_400
OLD_DELAY_SECONDS = 3_600
"""What was not paid for a day hardly will be: it is asked about now and then."""


@dataclass(frozen=True, slots=True)
class WalletWord:
    """What was found out: in the machine's own wallet, and, where that did not have it, in the other machines'."""

    check: PaymentCheck | None
    """None: the wallet can't look payments up."""
    in_other_wallet: str | None = None


def apply(
    tx: Tx, settlement_id: int, word: WalletWord, *, policy: AttemptPolicy, when_supported: bool, now: int
) -> SettlementStatus | None:
    """Returns the new status, None if somebody else decided meanwhile."""
    settlement = settlements.get(tx, settlement_id)
    if settlement is None or settlement.status is not SettlementStatus.UNVERIFIED:
        return None
    machine = machines.get(tx, settlement.machine_id)
    if machine is None:
        raise AssertionError(f"settlement {settlement.id} without its machine")
    refused = _refusal(tx, settlement, machine, word)
    if refused is not None:
        _reject(tx, settlement, machine, *refused, now=now)
        return SettlementStatus.REJECTED
    if word.check is None and when_supported:
        _accept(tx, settlement, machine, "not_supported", now)
        return SettlementStatus.PENDING
    if word.check is not None and word.check.payment is Payment.SETTLED:
        _accept(tx, settlement, machine, "settled", now)
        return SettlementStatus.PENDING
    checks = tx.one("SELECT proof_checks FROM settlements WHERE id = ?", (settlement.id,))
    delay = check_delay(checks["proof_checks"] if checks else 0, policy)
    if now - settlement.created_at > OLD_SECONDS:
        delay = max(delay, OLD_DELAY_SECONDS)
    settlements.set_proof(tx, settlement.id, None, now, now + delay)
    tell_unverified(tx, settlement.id, now)
    return SettlementStatus.UNVERIFIED


def tell_unverified(tx: Tx, settlement_id: int, now: int) -> None:
    """The machine learns that its report is stored and not proven yet; once."""
    settlement = settlements.get(tx, settlement_id)
    if settlement is None or settlement.status is not SettlementStatus.UNVERIFIED:
        return
    if settlements.set_receipt(tx, settlement_id, "unverified"):
        machine = machines.get(tx, settlement.machine_id)
        if machine is not None:
            _receipt(tx, settlement, machine, "unverified", Code.NOT_PAID, now)


def _refusal(tx: Tx, settlement: Settlement, machine: Machine, word: WalletWord) -> tuple[Code, str] | None:
    if not machine.active and not settlement.by_hand:
        return Code.UNKNOWN_MACHINE, f"machine {machine.name} is deactivated"
    owner = settlements.owner_of_payment(tx, settlement.payment_hash)
    if owner is not None:
        return Code.UNKNOWN_MACHINE, f"this payment is settlement S{owner.id} of another machine"
    leg = attempts.leg_of(tx, settlement.payment_hash)
    if leg is not None:
        return Code.UNKNOWN_MACHINE, f"this payment is our own, of P{leg}: no customer made it"
    if forgotten.ours(tx, settlement.payment_hash):
        return Code.UNKNOWN_MACHINE, "this payment is our own, from before a restore: no customer made it"
    if trials.known(tx, settlement.payment_hash):
        return Code.UNKNOWN_MACHINE, "this payment tried a wallet: no customer made it"
    if word.in_other_wallet is not None:
        return Code.UNKNOWN_MACHINE, f"this payment lies in wallet {word.in_other_wallet}, not in the machine's own"
    if word.check is None:
        return None
    sender = word.check.row.metadata.get(SENDER_FIELD) if word.check.row is not None else None
    if isinstance(sender, str) and sender and sender.lower() != machine.pubkey:
        return Code.UNKNOWN_MACHINE, "the wallet's record names another sender"
    if word.check.payment is Payment.WRONG_AMOUNT:
        return Code.AMOUNT_CONFLICT, word.check.detail
    if word.check.payment is Payment.WRONG_DIRECTION:
        return Code.NOT_PAID, word.check.detail
    return None


def _accept(tx: Tx, settlement: Settlement, machine: Machine, proof: str, now: int) -> None:
    settlements.set_proof(tx, settlement.id, proof, now, None)
    settlements.set_status(tx, settlement.id, SettlementStatus.PENDING, now)
    journal.append(tx, books.settlement_accepted(settlement), now)
    cash.proven(tx, settlement, who=machine.pubkey, now=now)
    settlements.set_receipt(tx, settlement.id, "accepted")
    _receipt(tx, settlement, machine, "accepted", None, now)
    for rival in settlements.rivals(tx, settlement):
        other = machines.get(tx, rival.machine_id)
        if other is not None:
            detail = f"this payment is settlement S{settlement.id} of another machine"
            _reject(tx, rival, other, Code.UNKNOWN_MACHINE, detail, now=now)


def _reject(tx: Tx, settlement: Settlement, machine: Machine, code: Code, detail: str, *, now: int) -> None:
    settlements.set_proof(tx, settlement.id, None, now, None)
    settlements.set_status(tx, settlement.id, SettlementStatus.REJECTED, now, reason=code.value, detail=detail)
    settlements.set_receipt(tx, settlement.id, "rejected")
    _receipt(tx, settlement, machine, "rejected", code, now)


def _receipt(tx: Tx, settlement: Settlement, machine: Machine, status: str, code: Code | None, now: int) -> None:
    receipt.send(
        tx,
        machine_pubkey=machine.pubkey,
        payment_hash=settlement.payment_hash,
        status=status,
        settlement_id=settlement.id,
        reason=code,
        stored=True,
        now=now,
    )
