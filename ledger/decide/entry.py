"""A transaction that no machine reported is entered by hand: it must add up like any other."""

from __future__ import annotations

from ledger.decide.landing import Landed, Landing, LandingPolicy, wrong_fees, wrong_numbers
from ledger.errors import Code, Refusal
from ledger.fees import fees_of
from ledger.model import Machine, Platform, Settlement, SettlementReport
from ledger.states import SettlementStatus


def enter(
    report: SettlementReport,
    machine: Machine,
    platform: Platform,
    policy: LandingPolicy,
    *,
    known: Settlement | None,
    own_leg: int | None,
) -> Landing:
    """How it lands. `known` is a settlement to which its payment belongs, `own_leg` the leg that this bot paid with
    it. The machine may be deactivated: then this is the only way in.

    Refuses `conflict`, and `bad_request` with the field that is wrong.
    """
    if known is not None and known.status is SettlementStatus.REJECTED:
        raise Refusal(
            Code.CONFLICT,
            "this payment is settlement S{id} already, which was rejected: show S{id} says why. Without payment_hash "
            "it is entered on your word",
            field="payment_hash",
            id=known.id,
        )
    if known is not None:
        raise Refusal(
            Code.CONFLICT,
            "this payment is settlement S{id} already, {status}: settlement show S{id}",
            field="payment_hash",
            id=known.id,
            status=known.status,
        )
    if own_leg is not None:
        raise Refusal(
            Code.CONFLICT,
            "this payment is our own, P{id}: no customer made it",
            field="payment_hash",
            id=own_leg,
        )
    fees = fees_of(report.principal_sats, report.fee_sats, report.tx_type, platform.fees, machine.operator_fees)
    wrong = wrong_numbers(report, machine, policy) or wrong_fees(fees, policy)
    if wrong is not None:
        wrong.code = Code.BAD_REQUEST  # the codes of receipts are for machines
        raise wrong
    return Landing(Landed.NEW, SettlementStatus.UNVERIFIED, None, None, fees)
