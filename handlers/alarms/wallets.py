"""What is wrong with wallets: no answer, too few sats, and what handlers/wallet_trouble.py and the caps have found."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from handlers import wallet_trouble
from handlers.alarms.findings import Finding, Outside
from handlers.alarms.limits import WALLET_LOW, Thresholds
from ledger.alarms import Cause
from ledger.money import MSAT
from storage import forgotten, legs, wallets
from storage.db import Tx
from storage.fleet import Machine
from storage.wallets import Wallet

CAPS: Final = {Cause.CAP_DAY: "a day", Cause.CAP_HOUR: "an hour", Cause.CAP_IN_FLIGHT: "on the way at once"}
"""How the reasons end for which payments wait (handlers/payment.py)."""


def find(
    tx: Tx, outside: Outside, thresholds: Thresholds, machines: Collection[Machine], now: int
) -> Iterator[Finding]:
    """`machines`: the active ones. What no machine uses may be empty and silent, unless something of it is open."""
    using = {machine.wallet: machine.id for machine in machines}
    for wallet in wallets.all_of_them(tx):
        yield from _stopped(tx, wallet)
        yield from _waiting(tx, wallet.name)
        machine_id = using.get(wallet.name)
        if wallet.name in outside.wallets and (machine_id is not None or wallets.open_work(tx, wallet.name).any):
            yield from _unreachable(wallet, outside.wallets[wallet.name], thresholds, now)
            yield from _low(wallet, thresholds.of(machine_id, WALLET_LOW))


def _stopped(tx: Tx, wallet: Wallet) -> Iterator[Finding]:
    """Raised and ended by wallet_trouble; here it is only seen whether it lasts."""
    reason = wallet.paused_reason
    if reason is None or (reason == wallet_trouble.GONE and not wallets.open_work(tx, wallet.name).any):
        return
    yield Finding(wallet_trouble.CAUSES[reason], wallet_trouble.subject(wallet.name))


def _waiting(tx: Tx, name: str) -> Iterator[Finding]:
    """Raised by payment.py, over when nothing waits for it any more."""
    reasons = legs.waits_for(tx, name)
    for cause, ending in CAPS.items():
        if any(reason.endswith(ending) for reason in reasons):
            yield Finding(cause, wallet_trouble.subject(name))
    if forgotten.ASIDE in reasons:
        yield Finding(Cause.FORGOTTEN, wallet_trouble.subject(name))


def _unreachable(wallet: Wallet, silent_for: int, thresholds: Thresholds, now: int) -> Iterator[Finding]:
    after = thresholds.limits.wallet_unreachable_minutes * 60
    last = wallet.last_answer_at
    if silent_for > after:
        facts = {"wallet": wallet.name, "at": last}
        yield Finding(Cause.WALLET_UNREACHABLE, wallet_trouble.subject(wallet.name), facts)
    elif last is None or now - last > after:  # the process is too young to know
        yield Finding(Cause.WALLET_UNREACHABLE, wallet_trouble.subject(wallet.name))


def _low(wallet: Wallet, least_sats: int) -> Iterator[Finding]:
    if wallet.balance_msat is None or wallet.balance_msat // MSAT >= least_sats:
        return
    subject = wallet_trouble.subject(wallet.name)
    if wallet.paused_reason == wallet_trouble.BROKE:
        yield Finding(Cause.WALLET_LOW, subject)  # that it is too little was told
    else:
        facts = {"wallet": wallet.name, "sats": wallet.balance_msat // MSAT, "least": least_sats}
        yield Finding(Cause.WALLET_LOW, subject, facts)
