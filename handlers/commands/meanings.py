"""What each parameter means, in a few words: for help and for the reference in the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.replies.words import phrase

_ANYWHERE: Final[Mapping[str, str]] = {
    "active": phrase("on or off: an inactive machine's reports are refused"),
    "after": phrase("the next of the answer before"),
    "alarm": phrase("an alarm's id, such as N3"),
    "amount": phrase("fiat, such as 2000.50"),
    "applicant": phrase("an applicant's id, such as A3"),
    "bays": phrase("the bays that it fills and the notes in each, such as 1=50 2=25; or one bay"),
    "before": phrase("older ones than this id"),
    "cash_in_fee": phrase("part of the principal, such as 3% or 0.03"),
    "cash_out_fee": phrase("part of the principal, such as 5% or 0.05"),
    "cash_low_notes": phrase("so many notes in a bay are few; 0 never, default as everywhere"),
    "code": phrase("the code that you were given"),
    "command": phrase("an order, or the first word of several"),
    "count": phrase("how many notes are in it"),
    "daily_limit": phrase("the most fiat in a day, or none"),
    "denomination": phrase("what one note is worth"),
    "deposit": phrase("a deposit's id, such as D7"),
    "exchange_rate": phrase("sats for one unit of fiat"),
    "fee_sats": phrase("the whole fee in sats"),
    "fiat": phrase("the machine's currency, such as GTQ"),
    "fiat_amount": phrase("fiat in or out, such as 2000.50"),
    "format": phrase("csv or json"),
    "forward": phrase("on or off"),
    "forward_to": phrase("where to forward to"),
    "fraction": phrase("the part that was dispensed, such as 40%"),
    "hours": phrase("how long, such as 24; 0 ends it"),
    "hash_end": phrase("the last 8 digits of the payment hash: payment show has them"),
    "hold": phrase("what is held, such as books: status says so"),
    "language": phrase("en or es"),
    "legs": phrase('shares joined by +: 60% ana@example.com "Ana" + 40% npub1… "Ops"'),
    "limit": phrase("how many, from 1 to 200"),
    "location": phrase("where it stands"),
    "lp": phrase("an LP's name or key"),
    "machine": phrase("a machine's name or key"),
    "mode": phrase("flow: with every cash-out; fixed: at fixed times"),
    "name": phrase("a name, such as ana"),
    "note": phrase("a remark, at most 2,000 characters"),
    "notify": phrase("on: you are told of every payment"),
    "npub": phrase("a public key, npub or hex"),
    "payment": phrase("a payment's id, such as P40"),
    "payment_hash": phrase("the hash of the payment; without it your word is the proof"),
    "period": phrase("day, week or month"),
    "position": phrase("which bay, from 1"),
    "principal_sats": phrase("the sats that were bought or sold"),
    "rate": phrase("sats for one unit of fiat, such as 50"),
    "reason": phrase("why, in your words"),
    "sats": phrase("how many sats"),
    "settlement": phrase("a settlement's id, such as S12"),
    "silent_minutes": phrase("without a word for so long it is silent; 0 never, default as everywhere"),
    "since": phrase("from this date on, such as 2026-01-31"),
    "status": phrase("only with this status"),
    "target": phrase("a Lightning address, LNURL, npub or wallet connection"),
    "text": phrase("the remark, at most 2,000 characters"),
    "threshold_minutes": phrase("older than so many minutes"),
    "tx_type": phrase("cash_out or cash_in"),
    "type": phrase("only payments of this kind"),
    "unplaced": phrase("0, once you counted every bay: nothing is missing that nobody knows the bay of"),
    "until": phrase("up to this date, which is not included"),
    "wallet": phrase("the name of a configured wallet"),
    "wallet_low_sats": phrase("with less its wallet is low; 0 never, default as everywhere"),
    "what": phrase("machines, lps, deposits, settlements, payments, attempts, cash, journal, audit or trail"),
    "wire_sats": phrase("the sats that moved over Lightning"),
}
_OF_ONE: Final[Mapping[tuple[str, str], str]] = {
    ("alarm silence", "until"): phrase("cleared: for as long as it lasts"),
    ("audit", "target"): phrase("what it was done to: S12, P40, D7, a machine or an LP"),
    ("box empty", "amount"): phrase("what you counted"),
    ("box set", "limit"): phrase("how much fiat it holds, or none"),
    ("deposit confirm", "amount"): phrase("what was really counted, where it differs"),
    ("lp add", "npub"): phrase("the LP's public key, its name here, or an applicant's id such as A3"),
    ("lp set", "status"): phrase("active or paused"),
    ("lp settle", "amount"): phrase("fiat; without it all that remains"),
    ("lp settle", "wallet"): phrase("the wallet that pays; without it the machine's"),
    ("machine add", "name"): phrase("a name, such as sintra"),
    ("machine set", "name"): phrase("a name, such as sintra"),
    ("platform set", "target"): phrase("where the platform fee is paid; none for nowhere"),
    ("forgotten drop", "hash_end"): phrase("the last 8 digits of the payment hash: forgotten list has them"),
    ("forgotten match", "hash_end"): phrase("the last 8 digits of the payment hash: forgotten list has them"),
    ("settlement partial", "sats"): phrase("the principal that was dispensed, in sats"),
    ("settlement refund", "sats"): phrase("how many sats; without it all that is left"),
    ("settlement refund", "target"): phrase("where the customer wants the sats, or an invoice"),
    ("target freeze", "lp"): phrase("an LP's name or key; or platform, a partner's target, a payment's id such as P40"),
    ("target unfreeze", "lp"): phrase(
        "an LP's name or key; or platform, a partner's target, a payment's id such as P40"
    ),
    ("wallet list", "before"): phrase("the wallets after this name"),
}
"""Where a command means something of its own: (command, parameter)."""


def meaning(command: str, parameter: str) -> str:
    """In English."""
    return _OF_ONE.get((command, parameter)) or _ANYWHERE[parameter]
