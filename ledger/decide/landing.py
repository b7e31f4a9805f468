"""A settlement lands: is it this operator's, is it new, do its numbers add up, and what will its fees be?

Proof of payment comes after this (decide/proof.py): the best that landing gives is `unverified`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ledger.errors import Code, Refusal
from ledger.fees import Fees, TxType, fees_of
from ledger.model import Machine, Platform, Settlement, SettlementReport
from ledger.money import MAX_FIAT_MINOR, MAX_SATS, fiat_value_in_sats
from ledger.states import SettlementStatus


@dataclass(frozen=True, slots=True)
class LandingPolicy:
    rate_tolerance: Decimal
    """How far fiat times rate may be from the principal, as a fraction of the principal."""
    reject_fee_mismatch: bool


class Landed(StrEnum):
    NEW = "new"
    DUPLICATE = "duplicate"
    """The same claim again: answered with the settlement that is there."""
    CONFLICT = "conflict"
    """The same payment hash with other amounts: reported, never a silent update."""


@dataclass(frozen=True, slots=True)
class Landing:
    outcome: Landed
    status: SettlementStatus
    reason: Code | None
    detail: str | None
    fees: Fees


NO_FEES = Fees(0, 0, 0, False)


def land(
    report: SettlementReport, machine: Machine, platform: Platform, existing: Settlement | None, policy: LandingPolicy
) -> Landing:
    """`existing` is the settlement of this machine with this payment hash, if there is one."""
    if existing is not None:
        if report.same_amounts(existing):
            return Landing(Landed.DUPLICATE, existing.status, None, None, NO_FEES)
        return Landing(
            Landed.CONFLICT,
            existing.status,
            Code.AMOUNT_CONFLICT,
            f"payment hash {report.payment_hash[-8:]} came again with other amounts",
            NO_FEES,
        )
    wrong = _not_ours(machine) or wrong_numbers(report, machine, policy)
    if wrong is not None:
        fees = fees_of(0, 0, report.tx_type, platform.fees, machine.operator_fees)
        return Landing(Landed.NEW, SettlementStatus.REJECTED, wrong.code, wrong.message, fees)
    fees = fees_of(report.principal_sats, report.fee_sats, report.tx_type, platform.fees, machine.operator_fees)
    wrong = wrong_fees(fees, policy)
    if wrong is not None:
        return Landing(Landed.NEW, SettlementStatus.REJECTED, wrong.code, wrong.message, fees)
    return Landing(Landed.NEW, SettlementStatus.UNVERIFIED, None, None, fees)


def _not_ours(machine: Machine) -> Refusal | None:
    if machine.active:
        return None
    return Refusal(Code.UNKNOWN_MACHINE, "machine {machine} is deactivated", machine=machine.name)


def wrong_numbers(report: SettlementReport, machine: Machine, policy: LandingPolicy) -> Refusal | None:
    """What does not add up, with a receipt's code; None where all of it does."""
    if report.currency != machine.fiat:
        return Refusal(
            Code.CURRENCY_MISMATCH,
            "{currency} reported, the machine's currency is {fiat}",
            field="currency",
            currency=report.currency,
            fiat=machine.fiat,
        )
    positive = {
        "wire_sats": report.wire_sats > 0,
        "principal_sats": report.principal_sats > 0,
        "fee_sats": report.fee_sats >= 0,
        "fiat_amount": report.fiat_minor > 0,
        "exchange_rate": report.exchange_rate > 0,
    }
    for field, good in positive.items():
        if not good:
            return Refusal(Code.BAD_ARITHMETIC, "amounts and rate must be positive, the fee not negative", field=field)
    sats = {"wire_sats": report.wire_sats, "principal_sats": report.principal_sats, "fee_sats": report.fee_sats}
    largest = max(sats, key=lambda field: sats[field])
    if sats[largest] > MAX_SATS:
        return Refusal(Code.BAD_ARITHMETIC, "more sats than there are", field=largest)
    if report.fiat_minor > MAX_FIAT_MINOR:
        return Refusal(Code.BAD_ARITHMETIC, "more fiat than is taken", field="fiat_amount")
    return _wrong_sum(report, policy)


def _wrong_sum(report: SettlementReport, policy: LandingPolicy) -> Refusal | None:
    if report.tx_type is TxType.CASH_OUT and report.wire_sats != report.principal_sats + report.fee_sats:
        return Refusal(Code.BAD_ARITHMETIC, "wire is not principal plus fee for cash_out", field="wire_sats")
    if report.tx_type is TxType.CASH_IN and report.wire_sats != report.principal_sats - report.fee_sats:
        return Refusal(Code.BAD_ARITHMETIC, "wire is not principal less fee for cash_in", field="wire_sats")
    if report.fee_sats > report.principal_sats // 2:
        # With the wire as small as one likes beside the principal, a stolen machine key could have fees paid out on
        # sats that never moved.
        return Refusal(Code.BAD_ARITHMETIC, "the fee is more than half of the principal", field="fee_sats")
    worth = fiat_value_in_sats(report.fiat_minor, report.currency, report.exchange_rate)
    if abs(worth - report.principal_sats) > max(Decimal(1), policy.rate_tolerance * report.principal_sats):
        return Refusal(Code.BAD_ARITHMETIC, "fiat times rate is too far from the principal", field="fiat_amount")
    return None


def wrong_fees(fees: Fees, policy: LandingPolicy) -> Refusal | None:
    """A fee that is too far from the fees that are set, where the policy does not take that."""
    if not (fees.mismatch_out_of_tolerance and policy.reject_fee_mismatch):
        return None
    return Refusal(
        Code.FEE_MISMATCH,
        "the fee differs by {off:+,} sats from the fees that are set",
        field="fee_sats",
        off=fees.fee_mismatch_sats,
    )
