"""Direct messages that the bot sends of its own accord, to each person in that person's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from handlers import replies
from ledger.money import fiat_text
from ledger.states import LegType
from storage import legs, lps, machines, outbox, people
from storage.db import Tx
from storage.deposits import Deposit

_TO_LPS = (LegType.DCA, LegType.SETTLEMENT)


def tell(tx: Tx, recipients: Iterable[str], wording: str, facts: Mapping[str, Any], now: int) -> None:
    """One message to each of these public keys (hex). `wording` is one of `replies.TEXTS`."""
    for recipient in sorted(recipients):
        text = replies.render(wording, facts, people.language(tx, recipient))
        outbox.put_dm(tx, to=recipient, text=text, answers=None, signed=False, now=now)


def payment_completed(tx: Tx, leg_id: int, now: int) -> None:
    """The leg is completed: an LP that wants to hear of its payments hears of it."""
    leg = legs.get(tx, leg_id)
    if leg is None or leg.lp_id is None or leg.type not in _TO_LPS:
        return
    who = lps.get(tx, leg.lp_id)
    if who is None or not people.notified(tx, who.pubkey):
        return
    at = machines.get(tx, leg.machine_id)
    told = {
        "payment": f"P{leg.id}",
        "machine": at.name if at else None,
        "amount_sats": leg.amount_sats,
        "credit_sats": leg.credit_sats,
        "fiat_amount": fiat_text(leg.fiat_minor, leg.currency),
        "currency": leg.currency,
    }
    tell(tx, [who.pubkey], "notice paid", told, now)


def deposit_confirmed(tx: Tx, deposit: Deposit, now: int) -> None:
    """An LP that wants to hear of its payments hears that its fiat counts from now on."""
    if not people.notified(tx, deposit.lp_pubkey):
        return
    told = {
        "deposit": f"D{deposit.id}",
        "machine": deposit.machine,
        "amount": fiat_text(deposit.amount_minor, deposit.currency),
        "currency": deposit.currency,
    }
    tell(tx, [deposit.lp_pubkey], "notice deposit confirmed", told, now)
