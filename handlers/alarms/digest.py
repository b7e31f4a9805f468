"""The day in one message: what yesterday brought, what lies in machines and wallets, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Any, Final

from handlers.alarms import telling
from handlers.alarms.telling import Message
from ledger.fees import TxType
from ledger.money import MSAT, fiat_digits, fiat_text
from storage import alarms, figures, fleet, meta, wallets
from storage.db import Tx
from storage.figures import Stretch, Volume

SHOWN: Final = 20
_SENT: Final = "digest_of"


@dataclass(frozen=True, slots=True)
class Schedule:
    at: str = ""
    """Such as `08:00`; empty: never by itself."""
    zone: tzinfo = UTC


def due(tx: Tx, schedule: Schedule, now: int) -> bool:
    """Whether the digest of this day is still to be sent. The first one is sent on the day after the first start."""
    return schedule.at != "" and _step(meta.get(tx, _SENT), schedule, now)[1]


def note(tx: Tx, schedule: Schedule, now: int) -> bool:
    """True where it is to be sent now; it counts as sent from here on."""
    if not schedule.at:
        return False
    sent, send = _step(before := meta.get(tx, _SENT), schedule, now)
    if sent != before:
        meta.put(tx, _SENT, sent)
    return send


def unplanned(tx: Tx, schedule: Schedule, now: int) -> bool:
    """Whether `note` would change anything."""
    before = meta.get(tx, _SENT)
    return schedule.at != "" and _step(before, schedule, now)[0] != before


def _step(sent: str | None, schedule: Schedule, now: int) -> tuple[str, bool]:
    """Up to which day digests are sent after this moment, and whether one is to be sent. A clock that was far ahead
    must not silence it for as long."""
    local = datetime.fromtimestamp(now, schedule.zone)
    today = local.date() if local.time() >= time.fromisoformat(schedule.at) else local.date() - timedelta(days=1)
    if sent is None:
        return today.isoformat(), False
    last = date.fromisoformat(sent)
    if last > today + timedelta(days=1):
        return today.isoformat(), False
    return max(last, today).isoformat(), last < today


def message(tx: Tx, zone: tzinfo, now: int) -> Message:
    """As of now, about the day before today."""
    return "digest", facts(tx, zone, now)


def send(tx: Tx, said: Message, operators: Iterable[str], now: int) -> None:
    telling.send(tx, said, operators, now)


def facts(tx: Tx, zone: tzinfo, now: int) -> dict[str, Any]:
    midnight = datetime.combine(datetime.fromtimestamp(now, zone).date(), time(), zone)
    yesterday = datetime.combine((midnight - timedelta(hours=12)).date(), time(), zone)
    since, until = int(yesterday.timestamp()), int(midnight.timestamp())
    found = figures.figures(tx, Stretch(since, until))
    open_alarms = telling.shapes(alarms.open_(tx), now)
    counts: dict[str, int] = {}
    for each in open_alarms:
        counts[each["cause"]] = counts.get(each["cause"], 0) + 1
    return {
        "date": yesterday.date().isoformat(),
        "since": since,
        "until": until,
        "cash_out": _volume(found.volume[TxType.CASH_OUT]),
        "cash_in": _volume(found.volume[TxType.CASH_IN]),
        "platform_fee_sats": found.platform_fee_sats,
        "operator_fee_sats": found.operator_fee_sats,
        "lps_sats": found.paid.to_lps_sats,
        "lps_fiat": _fiat(found.paid.fiat),
        "machines": _cash(tx, now),
        "wallets": _wallets(tx),
        "alarms": {"count": len(open_alarms), "counts": counts},
    }


def _volume(found: Volume) -> dict[str, Any]:
    return {"settlements": found.settlements, "principal_sats": found.principal_sats, "fiat": _fiat(found.fiat)}


def _fiat(amounts: dict[str, int]) -> list[dict[str, str]]:
    return [{"currency": each, "amount": fiat_text(amounts[each], each)} for each in sorted(amounts)]


def _cash(tx: Tx, now: int) -> list[dict[str, Any]]:
    """Of active machines whose bays are known, the emptiest first."""
    active = {each.id: each for each in fleet.machines(tx, 0, now)}
    found = []
    for machine_id, bays in groupby(fleet.bays(tx), lambda bay: bay.machine_id):
        if machine_id not in active:
            continue
        machine = active[machine_id]
        units = sum(bay.denomination * bay.count for bay in bays)
        amount = fiat_text(units * 10 ** fiat_digits(machine.fiat), machine.fiat)
        found.append((units, {"machine": machine.name, "amount": amount, "currency": machine.fiat}))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])][:SHOWN]


def _wallets(tx: Tx) -> list[dict[str, Any]]:
    """Those that are configured, the emptiest first."""
    known = [each for each in wallets.all_of_them(tx) if each.configured]
    known.sort(key=lambda wallet: -1 if wallet.balance_msat is None else wallet.balance_msat)
    return [
        {"name": each.name, "balance_sats": None if each.balance_msat is None else each.balance_msat // MSAT}
        for each in known
    ][:SHOWN]
