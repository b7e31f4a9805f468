"""A settlement lands: is it this operator's, is it new, do its numbers add up, and what will its fees be?

Proof of payment comes after this (decide/proof.py): the best that landing gives is `unverified`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ledger.errors import Code
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
    wrong = _wrong(report, machine, policy)
    if wrong is not None:
        fees = fees_of(0, 0, report.tx_type, platform.fees, machine.operator_fees)
        return Landing(Landed.NEW, SettlementStatus.REJECTED, wrong[0], wrong[1], fees)
    fees = fees_of(report.principal_sats, report.fee_sats, report.tx_type, platform.fees, machine.operator_fees)
    if fees.mismatch_out_of_tolerance and policy.reject_fee_mismatch:
        return Landing(
            Landed.NEW,
            SettlementStatus.REJECTED,
            Code.FEE_MISMATCH,
            f"the fee differs by {fees.fee_mismatch_sats:+,} sats from the fees that are set",
            fees,
        )
    return Landing(Landed.NEW, SettlementStatus.UNVERIFIED, None, None, fees)


def _wrong(report: SettlementReport, machine: Machine, policy: LandingPolicy) -> tuple[Code, str] | None:
    if not machine.active:
        return Code.UNKNOWN_MACHINE, f"machine {machine.name} is deactivated"
    if report.currency != machine.fiat:
        return Code.CURRENCY_MISMATCH, f"{report.currency} reported, the machine's currency is {machine.fiat}"
    amounts = (report.wire_sats, report.principal_sats, report.fiat_minor)
    if min(amounts) <= 0 or report.fee_sats < 0 or report.exchange_rate <= 0:
        return Code.BAD_ARITHMETIC, "amounts and rate must be positive, the fee not negative"
    if max(report.wire_sats, report.principal_sats, report.fee_sats) > MAX_SATS:
        return Code.BAD_ARITHMETIC, "more sats than there are"
    if report.fiat_minor > MAX_FIAT_MINOR:
        return Code.BAD_ARITHMETIC, "more fiat than is taken"
    sign = 1 if report.tx_type is TxType.CASH_OUT else -1
    if report.wire_sats != report.principal_sats + sign * report.fee_sats:
        word = "plus" if sign > 0 else "less"
        return Code.BAD_ARITHMETIC, f"wire is not principal {word} fee for {report.tx_type.value}"
    if report.fee_sats > report.principal_sats // 2:
        # With the wire as small as one likes beside the principal, a stolen machine key could have fees paid out on
        # sats that never moved.
        return Code.BAD_ARITHMETIC, "the fee is more than half of the principal"
    worth = fiat_value_in_sats(report.fiat_minor, report.currency, report.exchange_rate)
    if abs(worth - report.principal_sats) > max(Decimal(1), policy.rate_tolerance * report.principal_sats):
        return Code.BAD_ARITHMETIC, "fiat times rate is too far from the principal"
    return None
