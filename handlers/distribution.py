"""Proven settlements become legs: claimed by exactly one worker, planned, booked, all in one commit."""

from __future__ import annotations

from ledger.decide.distribution import plan
from ledger.model import Settlement
from ledger.states import LegStatus, settlement_after
from storage import legs, lps, platform, settlements, splits
from storage.db import Tx


def distribute(tx: Tx, *, token: str, limit: int, now: int) -> list[Settlement]:
    """Takes up to `limit` settlements that wait, oldest first, and plans each; the payer finds the legs."""
    claimed = settlements.claim(tx, token, now, limit)
    for settlement in claimed:
        planned = plan(
            settlement,
            platform.load(tx),
            splits.effective(tx, settlement.machine_id),
            lps.standings(tx, settlement.machine_id),
            super_fee_sats=settlement.platform_fee_sats,
            operator_fee_sats=settlement.operator_fee_sats,
            principal_sats=settlement.principal_sats,
        )
        legs.insert_plan(tx, settlement, planned, now)
        if not any(leg.status is LegStatus.PENDING for leg in planned):
            settlements.set_status(tx, settlement.id, settlement_after(leg.status for leg in planned), now)
    return claimed
