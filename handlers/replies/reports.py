"""Reports, charts, exports and the audit log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from handlers.replies.names import ROLES
from handlers.replies.plain import MAX_LINES, facts, lines, short_key, shown
from handlers.replies.words import Wording, Words, phrase
from nwc.keys import npub_of

_DAY: Final = 86_400
_BLOCKS: Final = " ▏▎▍▌▋▊▉"
_WIDTH: Final = 8
_BARS: Final = MAX_LINES - 3
_CHANGE_CHARS: Final = 70
_KEY: Final = re.compile(r"[0-9a-f]{64}|npub1\w+", re.ASCII)


def _fiat(amounts: Sequence[Mapping[str, str]], w: Words) -> str:
    return " + ".join(w.money(each["amount"], each["currency"]) for each in amounts)


def _of(sats: int, fiat: Sequence[Mapping[str, str]], w: Words) -> str:
    """`100,000 sats (Q2,000.00)`."""
    return f"{w.sats(sats)} ({_fiat(fiat, w)})" if sats and fiat else w.sats(sats)


def _stretch(r: Mapping[str, Any], w: Words) -> str:
    """Whole days by their first and last."""
    whole = r["until"] % _DAY == 0
    until = w.date(r["until"] - 1) if whole else w.moment(r["until"] - 1)
    if r["machine"]:
        return w("{machine}, {since} to {until} UTC:", machine=r["machine"], since=w.date(r["since"]), until=until)
    return w("All machines, {since} to {until} UTC:", since=w.date(r["since"]), until=until)


def _report(r: Mapping[str, Any], w: Words) -> str:
    cash_out, cash_in, fees, paid, still = r["cash_out"], r["cash_in"], r["fees"], r["paid"], r["open"]
    refunded = r["refunded_settlements"]
    remaining = [
        {"currency": each["currency"], "amount": each["remaining"]}
        for each in still["lps"]
        if each["remaining"].strip("0.-")
    ]
    return lines(
        [
            _stretch(r, w),
            w(
                "Cash-out: {count}, {amount}",
                count=f"{cash_out['settlements']:,}",
                amount=_of(cash_out["principal_sats"], cash_out["fiat"], w),
            ),
            w(
                "Cash-in: {count}, {amount}",
                count=f"{cash_in['settlements']:,}",
                amount=_of(cash_in["principal_sats"], cash_in["fiat"], w),
            )
            if cash_in["settlements"]
            else None,
            w(
                "Fees: platform {platform}, operator {operator}, mismatch {mismatch}",
                platform=w.sats(fees["platform_sats"]),
                operator=w.sats(fees["operator_sats"]),
                mismatch=w.sats(fees["mismatch_sats"]),
            ),
            w("Paid to LPs: {amount}", amount=_of(paid["lps_sats"], paid["lps_fiat"], w)),
            w(
                "Paid to partners: {partners}, to the platform: {platform}",
                partners=w.sats(paid["partners_sats"]),
                platform=w.sats(paid["platform_sats"]),
            ),
            w("Refunded: {count}, {sats} paid back", count=f"{refunded:,}", sats=w.sats(paid["customers_sats"]))
            if refunded or paid["customers_sats"]
            else None,
            w("Stayed in the wallet: {sats}", sats=w.sats(r["skipped_sats"])) if r["skipped_sats"] else None,
            w("Routing cost: {sats}", sats=msat(r["routing_msat"], w)),
            w("Profit: {sats} (operator fee and mismatch, less routing)", sats=msat(r["profit_msat"], w)),
            w(
                "Now: LPs have {remaining} left, {count} payments open ({sats}).",
                remaining=_fiat(remaining, w) or "0",
                count=f"{still['payments']:,}",
                sats=w.sats(still["payments_sats"]),
            ),
            w("Other times: report since=2026-01-01 until=2026-02-01"),
        ]
    )


def msat(amount: int, w: Words) -> str:
    """`4 sats`, `4.004 sats`."""
    sats, rest = divmod(abs(amount), 1_000)
    sign = "-" if amount < 0 else ""
    return w.sats(sats if amount >= 0 else -sats) if rest == 0 else f"{sign}{sats:,}.{rest:03d} sats"


def _who(each: Mapping[str, Any], w: Words) -> str:
    if each["name"] is None:
        return short_key(npub_of(each["who"])) if len(each["who"]) == 64 else shown(each["who"])
    return w.known(ROLES[each["name"]]) if each["name"] in ROLES else shown(each["name"])


def _telling(name: str, value: object) -> bool:
    """Whether a person can make something of it: no list, no key, no time in seconds."""
    if name == "id" or name.endswith("_at") or value == "":
        return False
    return isinstance(value, int) or (isinstance(value, str) and not _KEY.fullmatch(value))


def _text(value: object, w: Words) -> str:
    if isinstance(value, bool):
        return w("yes") if value else w("no")
    return str(value)


def _change(before: object, after: object, w: Words) -> str:
    """What changed, in a few words: `status pending > confirmed`."""
    if not isinstance(after, Mapping):
        return ""
    was = before if isinstance(before, Mapping) else {}
    found = []
    for name, value in after.items():
        if not _telling(name, value) or was.get(name) == value:
            continue
        old = f"{_text(was[name], w)} > " if _telling(name, was.get(name)) else ""
        found.append(f"{name.replace('_', ' ')} {old}{_text(value, w)}")
    return shown(", ".join(found), _CHANGE_CHARS)


def done(each: Mapping[str, Any], w: Words) -> str:
    """A line of the audit log: `2026-09-21 14:13 operator: deposit confirm D1, status pending > confirmed`."""
    what = " ".join(part for part in (each["command"], each["target"]) if part)
    change = _change(each["before"], each["after"], w)
    return facts([f"{w.moment(each['at'])} {_who(each, w)}: {shown(what, 80)}", change])


def _audit(r: Mapping[str, Any], w: Words) -> str:
    items = r["items"]
    if not items:
        return w("Nobody did anything here.")
    room = MAX_LINES - 2
    cursor = str(items[room - 1]["id"]) if len(items) > room else r["next"]
    order = f"audit {r['target']} before={cursor}" if r["target"] else f"audit before={cursor}"
    older = w("Older ones: {order}", order=order) if cursor else None
    return lines([w("Who did what:"), *(f"{each['id']} {done(each, w)}" for each in items[:room]), older])


def _export(r: Mapping[str, Any], w: Words) -> str:
    """The lines of the file and nothing else, so that they can be taken as they are."""
    if not r["rows"]:
        return w("No rows of {what} here.", what=r["what"])
    return str(r["content"])


_LAST_OF: Final = {
    "day": phrase("by day"),
    "week": phrase("by week, from its Monday"),
    "month": phrase("by month"),
}


def _bar(sats: int, most: int) -> str:
    """`███▌`: eight blocks for the most; something is never shown as nothing."""
    eighths = max(1, sats * _WIDTH * 8 // most) if sats and most else 0
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def _cost(sums: Mapping[str, Any], w: Words) -> str:
    """`100,000 sats, 50 per GTQ, Q2,000.00 for 100,000`."""
    found = [w.sats(sums["sats"])]
    for each in sums["fiat"]:
        if each["rate"] is not None and each["cost"] is not None:
            found.append(
                w(
                    "{rate} per {currency}, {cost} for 100,000",
                    rate=each["rate"],
                    currency=each["currency"],
                    cost=w.money(each["cost"], each["currency"]),
                )
            )
    return ", ".join(found)


def _when(at: int, period: str, w: Words) -> str:
    if period != "month":
        return w.date(at)
    return datetime.fromtimestamp(at, UTC).strftime(w.day.replace("-%d", "").replace("%d/", ""))


def _chart(r: Mapping[str, Any], w: Words) -> str:
    if not r["total"]["sats"]:
        return lines([w("No sats were received yet."), w("What LPs get comes with each cash-out: deposits go first.")])
    period = r["period"]
    items = r["items"][-_BARS:]
    most = max((each["sats"] for each in items), default=0)
    kind = w.known(_LAST_OF[period])
    head = (
        w("{name}: sats received {kind}", name=r["lp"], kind=kind)
        if r["lp"]
        else w("All LPs: sats received {kind}", kind=kind)
    )
    bars = [f"{_when(each['since'], period, w)} {_bar(each['sats'], most)} {_cost(each, w)}" for each in items]
    others = ", ".join(f"chart {each}" for each in islice((p for p in _LAST_OF if p != period), 2))
    return lines([head, *bars, w("In all: {sums}", sums=_cost(r["total"], w)), w("Also: {orders}", orders=others)])


TEXTS: Final[dict[str, Wording]] = {
    "report": _report,
    "audit": _audit,
    "export": _export,
    "chart": _chart,
}
