"""One look at everything: what is wrong by now, and what that changes in the table of alarms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from handlers.alarms import machines, payments, surroundings, telling, wallets
from handlers.alarms.findings import Finding, Outside
from handlers.alarms.limits import Limits, Thresholds
from ledger.alarms import HOUR, Alarm, Cause, Change, Key, decide
from storage import alarms, fleet
from storage.db import Tx


def changes(tx: Tx, outside: Outside, limits: Limits, now: int) -> list[Change]:
    """What is to be done, as this transaction sees the books. Changes nothing."""
    thresholds = Thresholds.load(tx, limits)
    active = fleet.machines(tx, machines.FEES_IN_A_ROW, now)
    of_wallets = list(wallets.find(tx, outside, thresholds, active, now))
    silent = {each.subject for each in of_wallets if _is_there(tx, each, Cause.WALLET_UNREACHABLE)}
    found = _wrong(
        chain(
            surroundings.find(tx, outside, limits),
            of_wallets,
            payments.find(tx, limits, silent, now),
            machines.find(tx, active, outside, thresholds, now),
        ),
        now,
    )
    known = alarms.known(tx, (key for key, fresh in found.items() if fresh is not None))
    return decide(known, found, now, alarms.raised_since(tx, now - HOUR, now))


def look(tx: Tx, outside: Outside, limits: Limits, operators: Iterable[str], now: int) -> list[Change]:
    """Raises, reminds and clears, and tells the operators (public keys) what there is to tell."""
    kept = [alarms.keep(tx, change) for change in changes(tx, outside, limits, now)]
    telling.tell(tx, kept, operators, now)
    alarms.drop_old(tx, now)
    return kept


def _is_there(tx: Tx, found: Finding, cause: Cause) -> bool:
    """Whether it is of this cause, and is told with this look or was before."""
    return found.cause is cause and (found.facts is not None or alarms.get_open(tx, cause, found.subject) is not None)


def _wrong(findings: Iterable[Finding], now: int) -> dict[Key, Alarm | None]:
    found: dict[Key, Alarm | None] = {}
    for each in findings:
        key = (each.cause, each.subject)
        fresh = Alarm(0, *key, each.facts, each.mark, now, now) if each.facts is not None else None
        found[key] = found.get(key) or fresh
    return found
