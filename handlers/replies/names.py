"""What the values that the books store are called when people read them.

Statuses keep the English word that is also typed (`status=errored`); other kinds get plainer ones. Every table holds
all values of its kind: a test says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.replies.words import Words, phrase

STATUSES: Final[Mapping[str, str]] = {
    "active": phrase("active"),
    "claimed": phrase("claimed"),
    "completed": phrase("completed"),
    "confirmed": phrase("confirmed"),
    "deleted": phrase("deleted"),
    "dropped": phrase("dropped"),
    "errored": phrase("errored"),
    "failed": phrase("failed"),
    "partial": phrase("partial"),
    "paused": phrase("paused"),
    "pending": phrase("pending"),
    "processed": phrase("processed"),
    "processing": phrase("processing"),
    "ready": phrase("ready"),
    "refunded": phrase("refunded"),
    "rejected": phrase("rejected"),
    "released": phrase("released"),
    "sent": phrase("sent"),
    "settled": phrase("settled"),
    "skipped": phrase("skipped"),
    "unmatched": phrase("unmatched"),
    "unverified": phrase("unverified"),
    "voided": phrase("voided"),
}
"""Of settlements, payments, attempts, deposits and enrolments."""

PAYMENT_TYPES: Final[Mapping[str, str]] = {
    "super_fee": phrase("platform fee"),
    "operator_split": phrase("operator fee"),
    "dca": phrase("LP share"),
    "settlement": phrase("payout of the rest"),
    "autoforward": phrase("forwarding"),
    "refund": phrase("refund to the customer"),
}
DIRECTIONS: Final[Mapping[str, str]] = {
    "cash_in": phrase("cash-in"),
    "cash_out": phrase("cash-out"),
}
WAYS: Final[Mapping[str, str]] = {
    "incoming": phrase("incoming"),
    "outgoing": phrase("outgoing"),
}
"""Of a payment, as a wallet sees it."""

MODES: Final[Mapping[str, str]] = {
    "flow": phrase("paid with every cash-out"),
    "fixed": phrase("paid at fixed times"),
}
ROLES: Final[Mapping[str, str]] = {
    "operator": phrase("operator"),
    "platform": phrase("platform"),
    "lp": phrase("LP"),
}
REASONS: Final[Mapping[str, str]] = {
    "unknown_machine": phrase("unknown machine"),
    "bad_signature": phrase("bad signature"),
    "bad_payload": phrase("bad report"),
    "bad_arithmetic": phrase("the numbers don't add up"),
    "currency_mismatch": phrase("another currency than the machine's"),
    "amount_conflict": phrase("reported again with other amounts"),
    "not_paid": phrase("not paid"),
    "fee_mismatch": phrase("the fee is not the one that is set"),
    "leg_failed": phrase("a payment failed"),
    "reset": phrase("reset by the operator"),
}
"""Why a settlement is rejected or needs somebody."""

BUCKETS: Final[Mapping[str, str]] = {
    "rejected": phrase("Rejected"),
    "errored": phrase("Errored"),
    "stuck_pending": phrase("Stuck before sharing out"),
    "stuck_processing": phrase("Stuck while paying"),
    "unverified": phrase("Not proven yet"),
    "unmatched": phrase("Payments without a settlement"),
    "skipped": phrase("Stayed in the wallet"),
}
"""Of the worklist."""

WALLET_STOPS: Final[Mapping[str, str]] = {
    "no_balance": phrase("too few sats"),
    "quota": phrase("the connection's budget is used up"),
    "revoked": phrase("the connection may not pay any more"),
    "rate_limited": phrase("it asked us to slow down"),
    "unfit": phrase("it does not offer what is needed to follow payments up"),
    "gone": phrase("its connection is not in the configuration"),
}
"""Why nothing is paid from a wallet for now."""

CAUSES: Final[Mapping[str, str]] = {
    "books": phrase("books that don't hold"),
    "past": phrase("database from the past"),
    "books_unchecked": phrase("books not checked"),
    "deaf": phrase("no relay heard"),
    "clock_off": phrase("wrong clock"),
    "disk_low": phrase("disk nearly full"),
    "reconcile": phrase("books and wallets differ"),
    "wallet_no_balance": phrase("wallet stopped: too few sats"),
    "wallet_quota": phrase("wallet stopped: budget used up"),
    "wallet_revoked": phrase("wallet stopped: it may not pay"),
    "wallet_rate_limited": phrase("wallet slowed down"),
    "wallet_unfit": phrase("wallet stopped: it can't be followed up"),
    "wallet_gone": phrase("wallet not in the configuration"),
    "wallet_unreachable": phrase("wallet without an answer"),
    "wallet_low": phrase("wallet low"),
    "forgotten": phrase("payments not in the books"),
    "cap_day": phrase("cap of a day reached"),
    "cap_hour": phrase("cap of an hour reached"),
    "cap_in_flight": phrase("cap on the way reached"),
    "payment_unresolved": phrase("payment in doubt"),
    "settlement_stuck": phrase("transaction stuck"),
    "settlement_unverified": phrase("transaction not proven"),
    "cash_low": phrase("cash low"),
    "box_full": phrase("box nearly full"),
    "cash_gap": phrase("cash unexplained"),
    "machine_silent": phrase("machine silent"),
    "fee_mismatch": phrase("other fees than set"),
    "reports_missing": phrase("reports missing"),
    "deposit_pending": phrase("deposit not confirmed"),
    "relay_down": phrase("relay down"),
    "relay_withholds": phrase("relay delivers nothing"),
}
"""Of alarms."""

EVIDENCE: Final[Mapping[str, str]] = {
    "proof": phrase("proof of payment"),
    "claim": phrase("paid, without proof"),
    "in_flight": phrase("still on the way"),
    "negative": phrase("not paid"),
    "none": phrase("nothing certain"),
    "ambiguous": phrase("reads both ways"),
}
"""What a wallet's word about an attempt comes to."""

SOURCES: Final[Mapping[str, str]] = {
    "pay": phrase("the wallet's answer"),
    "notification": phrase("the wallet's notice"),
    "lookup": phrase("look-up"),
    "list": phrase("the wallet's list"),
    "verify": phrase("the payee's server"),
    "control": phrase("control look-up"),
    "operator": phrase("the operator"),
}
"""Who said it."""


def name(w: Words, table: Mapping[str, str], value: str) -> str:
    """The word for a stored value; the value itself, made readable, where the table does not have it."""
    return w.known(table[value]) if value in table else value.replace("_", " ")
