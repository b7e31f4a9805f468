"""Proven settlements become legs: claimed by exactly one worker, planned, booked, all in one commit."""

from __future__ import annotations

from ledger.decide.distribution import plan
from ledger.model import Settlement
from ledger.states import LegType, SettlementStatus, settlement_after
from storage import forgotten, legs, lps, platform, settlements, splits
from storage.db import Tx


def distribute(tx: Tx, *, token: str, limit: int, now: int) -> list[Settlement]:
    """Takes up to `limit` settlements that wait, oldest first, and plans each; the payer finds the legs.

    Where a payment to an LP is forgotten, LPs have less at that machine than the books say: what that payment is of is
    planned, and nothing else there before the two have met, or an operator has said what it was."""
    unsure = forgotten.unsure_machines(tx)
    awaited = forgotten.awaited(tx) if unsure else set()
    claimed = settlements.claim(tx, token, now, limit, but_at=unsure, save=awaited)
    if claimed:
        lps.take_due_targets(tx, now)
    for settlement in claimed:
        # What a leg already owes or has paid is not planned again, however the settlement came back here.
        standing = legs.standing_sats(tx, settlement.id)
        planned = plan(
            settlement,
            platform.load(tx),
            splits.effective(tx, settlement.machine_id),
            lps.standings(tx, settlement.machine_id),
            super_fee_sats=settlement.platform_fee_sats - standing.get(LegType.SUPER_FEE, 0),
            operator_fee_sats=settlement.operator_fee_sats - standing.get(LegType.OPERATOR_SPLIT, 0),
            principal_sats=settlement.principal_sats - standing.get(LegType.DCA, 0),
        )
        legs.insert_plan(tx, settlement, planned, now)
        after = settlement_after(leg.status for leg in legs.of_settlement(tx, settlement.id))
        if after is not SettlementStatus.PROCESSING:
            settlements.set_status(tx, settlement.id, after, now)
        if settlement.payment_hash in awaited:
            forgotten.meet(tx, now, settlement=settlement.payment_hash)
    return claimed
