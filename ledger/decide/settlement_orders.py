"""What the operator may do with a settlement that did not end well: reset it, scale it down, refund its customer.

Each function refuses, or says what would be done; nothing else happens here. `unresolved` are ids of legs with an
attempt in sent or claimed: while there is one, nobody knows what has been paid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.decide.distribution import still_due
from ledger.decide.retry import refuse_unresolved
from ledger.errors import Code, Refusal
from ledger.fees import TxType
from ledger.model import Amounts, Leg, PlannedLeg, Settlement
from ledger.money import PPM, share_of
from ledger.sharing import largest_remainder
from ledger.states import LegStatus, LegType, SettlementStatus
from ledger.views import settlement_bucket

_RESET: Final = frozenset({SettlementStatus.PENDING, SettlementStatus.PROCESSING})
_SCALED: Final = _RESET | {SettlementStatus.PARTIAL, SettlementStatus.ERRORED}
_REFUNDED: Final = _SCALED | {SettlementStatus.PROCESSED, SettlementStatus.REFUNDED}
_PAID: Final = frozenset({LegStatus.COMPLETED, LegStatus.REFUNDED})


def reset(
    settlement: Settlement,
    legs: Sequence[Leg],
    unresolved: Collection[int],
    *,
    age_seconds: int,
    threshold_minutes: int,
) -> tuple[Leg, ...]:
    """The open legs, which are to fail. `age_seconds`: since its status came about; a threshold of 0 takes any age.

    Refuses `bad_state`, `too_young` and `unresolved_payment`.
    """
    if settlement.status not in _RESET:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is {status}: only a pending or processing settlement can be reset",
            field="settlement",
            id=settlement.id,
            status=settlement.status,
        )
    if settlement_bucket(settlement.status, age_seconds, threshold_minutes) is None:
        raise Refusal(
            Code.TOO_YOUNG,
            "S{id} is {status} for {age} min: it can be reset after more than {threshold} min",
            field="settlement",
            id=settlement.id,
            status=settlement.status,
            age=age_seconds // 60,
            threshold=threshold_minutes,
        )
    refuse_unresolved(unresolved)
    return tuple(leg for leg in legs if leg.status is LegStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Partial:
    was: Amounts
    to: Amounts
    voided: tuple[Leg, ...]
    """Every leg that stands: what is owed is planned anew."""


def partial(
    settlement: Settlement,
    legs: Sequence[Leg],
    unresolved: Collection[int],
    *,
    fraction_ppm: int | None = None,
    principal_sats: int | None = None,
) -> Partial:
    """A cash-out of which the machine gave out only a part of the cash: a fraction, or so many sats of the principal,
    always of what landed. So a wrong one can be put right by another.

    Refuses `bad_request`, `bad_state` and `unresolved_payment`.
    """
    if settlement.tx_type is not TxType.CASH_OUT:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is a cash_in: only a cash_out can be scaled to what was dispensed",
            field="settlement",
            id=settlement.id,
        )
    if settlement.status not in _SCALED:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is {status}: only a pending, processing, partial or errored settlement can be scaled",
            field="settlement",
            id=settlement.id,
            status=settlement.status,
        )
    _refuse_paid(settlement, [leg for leg in legs if leg.status in _PAID])
    refuse_unresolved(unresolved)
    to = _scaled(settlement.as_landed, *_extent(settlement.as_landed, fraction_ppm, principal_sats))
    return Partial(settlement.amounts, to, tuple(leg for leg in legs if leg.status is not LegStatus.VOIDED))


def _refuse_paid(settlement: Settlement, paid: Sequence[Leg]) -> None:
    if paid:
        raise Refusal(
            Code.BAD_STATE,
            "of S{id} {payments} is paid already: it stays as it is",
            field="settlement",
            id=settlement.id,
            payments=", ".join(f"P{leg.id}" for leg in paid),
        )


def _extent(landed: Amounts, fraction_ppm: int | None, principal_sats: int | None) -> tuple[str, int, int]:
    """The field that says it, and the part and the whole whose quotient it is."""
    if fraction_ppm is not None and principal_sats is None:
        if not 0 < fraction_ppm <= PPM:
            raise Refusal(Code.BAD_REQUEST, "fraction must be above 0 and at most 1 (100%)", field="fraction")
        return "fraction", fraction_ppm, PPM
    if principal_sats is not None and fraction_ppm is None:
        if not 0 < principal_sats <= landed.principal_sats:
            raise Refusal(
                Code.BAD_REQUEST,
                "sats is the principal that was dispensed: from 1 to the {landed:,} sats that landed",
                field="sats",
                landed=landed.principal_sats,
            )
        return "sats", principal_sats, landed.principal_sats
    raise Refusal(Code.BAD_REQUEST, "say how much was dispensed: either fraction or sats", field="fraction")


def _scaled(landed: Amounts, field: str, part: int, whole: int) -> Amounts:
    """Each amount half to even; both fees share what they come to in the proportion in which they landed."""
    principal = share_of(landed.principal_sats, part, whole)
    fiat = share_of(landed.fiat_minor, part, whole)
    if principal == 0 or fiat == 0:
        raise Refusal(
            Code.BAD_REQUEST,
            "{field} leaves nothing of the settlement: settlement refund pays the customer back",
            field=field,
        )
    fee = share_of(landed.fee_sats, part, whole)
    owed = (landed.platform_fee_sats, landed.operator_fee_sats)
    platform_fee, operator_fee = largest_remainder(share_of(sum(owed), part, whole), owed)
    return Amounts(principal + fee, principal, fee, platform_fee, operator_fee, fiat)


@dataclass(frozen=True, slots=True)
class Refund:
    leg: PlannedLeg
    voided: tuple[Leg, ...]
    due: Mapping[LegType, int]
    """Sats that would have been shared out and are kept now, by the type of leg."""
    left_sats: int
    """What can still be refunded after this."""


def refund(
    settlement: Settlement,
    legs: Sequence[Leg],
    unresolved: Collection[int],
    *,
    target: str,
    sats: int | None = None,
) -> Refund:
    """Pays the customer of a cash-out back: `sats`, or all that is left of what the wallet got. A refund that failed,
    or that its payee would not take, is replaced. Skipped legs of other kinds stay: their sats are kept already.

    Refuses `bad_request`, `bad_state` and `unresolved_payment`.
    """
    if settlement.tx_type is not TxType.CASH_OUT:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is a cash_in: its customer paid in cash, so there are no sats to give back",
            field="settlement",
            id=settlement.id,
        )
    if settlement.status not in _REFUNDED:
        raise Refusal(
            Code.BAD_STATE,
            "S{id} is {status}: nothing that was paid for it is proven, so nothing can be refunded",
            field="settlement",
            id=settlement.id,
            status=settlement.status,
        )
    _refuse_paid(settlement, [leg for leg in legs if leg.type is LegType.DCA and leg.status is LegStatus.COMPLETED])
    refuse_unresolved(unresolved)
    left = settlement.wire_moved_sats - sum(leg.amount_sats for leg in legs if _gives_back(leg))
    amount = _refunded_sats(settlement, sats, left)
    voided = tuple(leg for leg in legs if _is_over(leg))
    over = {leg.id for leg in voided}
    due = still_due(settlement, [leg for leg in legs if leg.id not in over])
    planned = PlannedLeg(
        LegType.REFUND, LegStatus.PENDING, amount, f"customer:{settlement.id}", target, f"customer of S{settlement.id}"
    )
    already = settlement.status is SettlementStatus.REFUNDED
    return Refund(planned, voided, {} if already else due, left - amount)


def _gives_back(leg: Leg) -> bool:
    return leg.type is LegType.REFUND and leg.status in (LegStatus.PENDING, LegStatus.COMPLETED)


def _is_over(leg: Leg) -> bool:
    if leg.type is LegType.REFUND:
        return leg.status in (LegStatus.FAILED, LegStatus.SKIPPED)
    return leg.status in (LegStatus.PENDING, LegStatus.FAILED)


def _refunded_sats(settlement: Settlement, sats: int | None, left: int) -> int:
    if left <= 0:
        raise Refusal(
            Code.BAD_STATE,
            "all {wire:,} sats of S{id} are refunded already",
            field="settlement",
            id=settlement.id,
            wire=settlement.wire_moved_sats,
        )
    if sats is not None and not 0 < sats <= left:
        raise Refusal(
            Code.BAD_REQUEST,
            "sats must be from 1 to {left:,}: so much of S{id} is left to refund",
            field="sats",
            id=settlement.id,
            left=left,
        )
    return left if sats is None else sats


def check_withdrawal(leg: Leg, unresolved: Collection[int]) -> None:
    """Whether a payment that an order made, and that was not paid, may be given up. Refuses `bad_state` and
    `unresolved_payment`."""
    ordered = leg.type in (LegType.REFUND, LegType.SETTLEMENT)
    if not ordered or leg.status not in (LegStatus.PENDING, LegStatus.FAILED, LegStatus.SKIPPED):
        raise Refusal(
            Code.BAD_STATE,
            "P{id} is a {type} that is {status}: only a refund or lp settle that is not paid can be given up",
            field="payment",
            id=leg.id,
            type=leg.type.value,
            status=leg.status,
        )
    refuse_unresolved(unresolved, "payment")
