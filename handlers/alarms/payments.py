"""What is wrong with transactions and payments: stuck, not proven, in doubt, deposits that nobody confirms."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from handlers import wallet_trouble
from handlers.alarms.findings import Finding
from handlers.alarms.limits import Limits
from ledger.alarms import Cause
from ledger.money import fiat_text
from storage import holds, overdue
from storage.db import Tx


def find(tx: Tx, limits: Limits, silent: Collection[str], now: int) -> Iterator[Finding]:
    """`silent`: the wallets, as subjects of alarms, that give no answer, which is told of them."""
    for attempt in overdue.attempts(tx, now - limits.unresolved_minutes * 60):
        facts = {"payment": f"P{attempt.leg_id}", "sats": attempt.sats, "wallet": attempt.wallet, "at": attempt.sent_at}
        yield Finding(Cause.PAYMENT_UNRESOLVED, f"P{attempt.leg_id}", facts)
    held = holds.any(tx)
    for each in overdue.settlements(tx, now - limits.stuck_after_minutes * 60):
        name = f"S{each.id}"
        told = {"settlement": name, "machine": each.machine, "at": each.since}
        if each.unverified:
            unasked = wallet_trouble.subject(each.wallet) in silent
            yield Finding(Cause.SETTLEMENT_UNVERIFIED, name, None if unasked else told)
        else:  # what waits by somebody's word, or for a wallet, is no news
            yield Finding(Cause.SETTLEMENT_STUCK, name, None if held or each.waits else told)
    for deposit in overdue.deposits(tx, now - limits.deposit_pending_hours * 3_600):
        facts = {
            "deposit": f"D{deposit.id}",
            "amount": fiat_text(deposit.amount_minor, deposit.currency),
            "currency": deposit.currency,
            "lp": deposit.lp,
            "machine": deposit.machine,
            "at": deposit.created_at,
        }
        yield Finding(Cause.DEPOSIT_PENDING, f"D{deposit.id}", facts)
