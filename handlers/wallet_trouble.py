"""A wallet said that it can't pay: nothing new is tried with it, and the operators are told once, with what is missing.

The pause says nothing about the payment that was refused; that one is looked up like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from handlers.alarms import telling
from ledger.alarms import WALLET_STOPS, Cause
from ledger.money import MSAT, PPM
from ledger.states import AttemptState
from nwc.messages import ErrorAnswer
from storage import alarms, attempts, legs, wallets
from storage.db import Tx

BROKE: Final = "no_balance"
QUOTA: Final = "quota"
REVOKED: Final = "revoked"
RATE_LIMITED: Final = "rate_limited"
UNFIT: Final = "unfit"
GONE: Final = "gone"

_BY_CODE: Final = {
    "INSUFFICIENT_BALANCE": BROKE,
    "QUOTA_EXCEEDED": QUOTA,
    "RESTRICTED": REVOKED,
    "UNAUTHORIZED": REVOKED,
    "RATE_LIMITED": RATE_LIMITED,
}
CAUSES: Final = {
    BROKE: Cause.WALLET_NO_BALANCE,
    QUOTA: Cause.WALLET_QUOTA,
    REVOKED: Cause.WALLET_REVOKED,
    RATE_LIMITED: Cause.WALLET_RATE_LIMITED,
    UNFIT: Cause.WALLET_UNFIT,
    GONE: Cause.WALLET_GONE,
}
"""Of alarms, by the reason of the pause."""
HOLD_SECONDS: Final = 60
SLOW_SECONDS: Final = 2
MAX_DOUBLINGS: Final = 6
_SAYS_BROKE: Final = re.compile(r"insufficient|not enough (?:balance|funds|sats)", re.IGNORECASE)
_NOT_BY_BALANCE: Final = frozenset({QUOTA, UNFIT, GONE})
"""Pauses about which a balance says nothing: `resume` ends that for a quota, another offer or connection the others."""
_FEE_RESERVE_PPM: Final = 10_000
_FEE_RESERVE_MSAT: Final = 10 * MSAT
"""What wallets keep back for routing: with less than that on top they refuse again."""


def pause_reason(answer: ErrorAnswer) -> str | None:
    """Which pause an error of `pay_invoice` calls for, if any."""
    reason = _BY_CODE.get(answer.code)
    if reason is None and _SAYS_BROKE.search(answer.message):
        return BROKE
    return reason


def heed(
    tx: Tx,
    wallet: str,
    request_id: str,
    payment_hash: str,
    answer: ErrorAnswer,
    operators: Iterable[str],
    now: int,
) -> None:
    """Pauses the wallet where the error of this attempt calls for it, and raises an alarm. Of a reason that comes and
    goes the operators are told once an hour at most, until one of them says `resume`."""
    reason = pause_reason(answer)
    attempt = attempts.get(tx, payment_hash)
    known = wallets.get(tx, wallet)
    if reason is None or attempt is None or known is None or attempt.state is not AttemptState.SENT:
        return
    needed_msat = _needed_msat(attempt.amount_msat)
    # It was not tried at all: the same request may be said again once the wallet pays, while it lives.
    attempts.set_refused(tx, request_id)
    news = wallets.pause(tx, wallet, reason, needed_msat if reason == BROKE else 0, now)
    if news:
        facts: dict[str, Any] = {"wallet": wallet, "payment": f"P{attempt.leg_id}"}
        if reason == BROKE:
            facts["missing_sats"] = _missing_sats(tx, wallet, needed_msat)
        telling.raise_(tx, CAUSES[reason], subject(wallet), facts, operators, now)


def balance_seen(
    tx: Tx, wallet: str, balance_msat: int, operators: Iterable[str], now: int, *, granted: bool = False
) -> None:
    """A balance came in: notes it, and ends a pause that it shows to be over. `granted`: the wallet had denied even
    this question since it was paused.

    A balance that was enough all along does not end a pause: the wallet refused for a reason that it does not show, and
    each refusal costs a payment its time. Then it is tried again after a while, longer each time. What it refused so is
    no shortage: it uses up a try of its payment if it ends unpaid, so that the payment fails in the end.
    """
    wallets.set_balance(tx, wallet, balance_msat, now)
    known = wallets.get(tx, wallet)
    if known is None or known.paused_at is None or known.paused_reason in _NOT_BY_BALANCE:
        return
    before = known.paused_balance_msat
    if before is None:
        before = balance_msat
        wallets.set_paused_balance(tx, wallet, balance_msat)
    hold = SLOW_SECONDS if known.paused_reason == RATE_LIMITED else HOLD_SECONDS
    waited = now - known.paused_at >= hold * 2 ** min(known.pauses - 1, MAX_DOUBLINGS)
    if known.paused_reason == BROKE:
        _note_refused_for_nothing(tx, wallet, known.paused_at, min(before, balance_msat))
        filled = before < known.missing_msat or balance_msat > before
        over = balance_msat >= known.missing_msat and (filled or waited)
    else:
        over = granted or waited
    if not over:
        return
    wallets.resume(tx, wallet)
    attempts.check_now(tx, wallet, now)
    said = "notice wallet filled", {"wallet": wallet, "balance_sats": balance_msat // MSAT}
    telling.over(tx, CAUSES[known.paused_reason or BROKE], subject(wallet), operators, now, said)


def offer_seen(tx: Tx, wallet: str, missing: Sequence[str], operators: Iterable[str], now: int) -> None:
    """What the wallet lacks for being paid from, of what it says that it offers; nothing: it is fit."""
    known = wallets.get(tx, wallet)
    if known is None:
        return
    if missing:
        if wallets.pause(tx, wallet, UNFIT, 0, now):
            facts = {"wallet": wallet, "methods": list(missing)}
            telling.raise_(tx, Cause.WALLET_UNFIT, subject(wallet), facts, operators, now)
    elif known.paused_reason == UNFIT:
        wallets.resume(tx, wallet)
        attempts.check_now(tx, wallet, now)
        said = "notice wallet fit", {"wallet": wallet}
        telling.over(tx, Cause.WALLET_UNFIT, subject(wallet), operators, now, said)


def connections_seen(tx: Tx, configured: Collection[str], operators: Iterable[str], now: int) -> None:
    """At the start: a wallet whose connection was taken out of the configuration while something of it is open is
    followed up by nobody. The operators are told, once for each time that it was taken out."""
    wallets.set_configured(tx, configured)
    for known in wallets.all_of_them(tx):
        if known.name in configured:
            if known.paused_reason == GONE:
                wallets.resume(tx, known.name)
                alarms.forget(tx, Cause.WALLET_GONE, subject(known.name), now)  # whoever put it back knows
        elif known.paused_reason != GONE and (open_work := wallets.open_work(tx, known.name)).any:
            wallets.resume(tx, known.name)
            wallets.pause(tx, known.name, GONE, 0, now)
            _forget(tx, known.name, now)
            facts = {"wallet": known.name, "payments": open_work.payments, "in_doubt": open_work.in_doubt}
            facts["settlements"] = open_work.settlements
            telling.raise_(tx, Cause.WALLET_GONE, subject(known.name), facts, operators, now)


def resumed(tx: Tx, wallet: str | None, now: int) -> int:
    """Somebody lets a wallet pay again, or all of them (None); how many had been paused. Whoever does so wants to know
    where it does not help, however lately that was told. What a wallet does not offer, or a connection that is not
    there, is not changed by it."""
    for known in wallets.all_of_them(tx):
        if wallet in (None, known.name) and known.paused_reason not in (UNFIT, GONE):
            _forget(tx, known.name, now)
    return wallets.resume(tx, wallet)


def subject(wallet: str) -> str:
    """Of alarms."""
    return f"wallet:{wallet}"


def _note_refused_for_nothing(tx: Tx, wallet: str, paused_at: int, had_msat: int) -> None:
    """Of what was refused since the pause began: that for which the wallet had enough, whatever else is on its way."""
    refused = attempts.refused_since(tx, wallet, paused_at)
    others_msat = attempts.under_way_msat(tx, wallet, stored=False) - sum(amount for _, amount in refused)
    for request_id, amount_msat in refused:
        if had_msat - others_msat >= _needed_msat(amount_msat):
            attempts.set_refused_for_nothing(tx, request_id)


def _needed_msat(amount_msat: int) -> int:
    """What a wallet must have before it pays so much."""
    return amount_msat + amount_msat * _FEE_RESERVE_PPM // PPM + _FEE_RESERVE_MSAT


def _forget(tx: Tx, wallet: str, now: int) -> None:
    """What was told of it: it would be news again."""
    for cause in WALLET_STOPS:
        alarms.forget(tx, cause, subject(wallet), now)


def _missing_sats(tx: Tx, wallet: str, needed_msat: int) -> int:
    """About what a wallet lacks for all that it owes."""
    known = wallets.get(tx, wallet)
    total = max(needed_msat, legs.open_msat(tx, wallet))
    have = known.balance_msat if known is not None and known.balance_msat is not None else 0
    # A balance that would have been enough is out of date: then whatever is owed may be missing.
    return -(-(total - (have if have < needed_msat else 0)) // MSAT)
