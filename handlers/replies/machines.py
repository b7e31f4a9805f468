"""Machines, split rules, the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from handlers.replies import cash
from handlers.replies.general import ask_for_code
from handlers.replies.plain import facts, lines, listed, ranges, shown
from handlers.replies.words import Wording, Words, phrase

CASH_LEVELS: Final[Mapping[str, str]] = {
    "full": phrase("full"),
    "ok": phrase("ok"),
    "low": phrase("low"),
    "empty": phrase("empty"),
}
"""By the words of a beacon."""


def _line(machine: Mapping[str, Any], w: Words) -> str:
    state = w("active") if machine["active"] else w("not active")
    wallet = w("wallet {wallet}", wallet=machine["wallet"])
    found = facts([machine["fiat"], wallet, state, w("paused") if machine["paused"] else None])
    return f"{machine['machine']}: {found}"


def _facts(machine: Mapping[str, Any], w: Words) -> list[str | None]:
    fees = w(
        "Fees of the operator: cash-in {cash_in}, cash-out {cash_out}",
        cash_in=w.percent(machine["cash_in_fee"]),
        cash_out=w.percent(machine["cash_out_fee"]),
    )
    return [
        _line(machine, w),
        fees,
        w("Location: {place}", place=machine["location"]) if machine["location"] else None,
        w("Key: {npub}", npub=machine["npub"]),
    ]


def _added(r: Mapping[str, Any], w: Words) -> str:
    return lines([*_facts(r, w), w("Next, an LP: lp add {machine} npub1… NAME", machine=r["machine"])])


def _changed(r: Mapping[str, Any], w: Words) -> str:
    return lines(_facts(r, w))


def _list(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No machine yet. To register one: help machine add")
    following = w("Older ones: {order}", order=f"machine list before={r['next']}") if r["next"] else None
    one = w("One of them: machine show NAME")
    return listed(w, w("Machines:"), [_line(each, w) for each in r["items"]], following, one)


def _show(r: Mapping[str, Any], w: Words) -> str:
    totals = r["totals"]
    volume = w(
        "Settlements: {count}, principal {principal}, operator fee {fee}",
        count=f"{totals['settlements']:,}",
        principal=w.sats(totals["principal_sats"]),
        fee=w.sats(totals["operator_fee_sats"]),
    )
    return lines(
        [
            *_facts(r, w),
            _heard(r, w),
            _told(r, w),
            _charged(r, w),
            *_cash(r, w),
            w("Reports that never came: {numbers}", numbers=ranges(r["missing_reports"]))
            if r["missing_reports"]
            else None,
            volume,
            w("Its transactions: {order}", order=f"settlement list {r['machine']}"),
        ]
    )


def _heard(r: Mapping[str, Any], w: Words) -> str:
    last = w("Last heard: {time}", time=w.moment(r["last_seen_at"]))
    age = r["telemetry_age_seconds"]
    return facts([last, w("telemetry {age} old", age=w.duration(age)) if age is not None else None])


def _told(r: Mapping[str, Any], w: Words) -> str | None:
    """What it tells everybody of itself."""
    beacon = r["beacon"]
    if not beacon:
        return None
    level = beacon.get("cash_level")
    said = facts(
        [
            facts([beacon.get("model"), beacon.get("version")]) or None,
            beacon.get("location"),
            w("no cash-in") if beacon.get("cash_in") is False else None,
            w("no cash-out") if beacon.get("cash_out") is False else None,
            w("cash {level}", level=w.known(CASH_LEVELS[level])) if level else None,
            w("limits {limits}", limits=_named(beacon["limits"])) if beacon.get("limits") else None,
        ]
    )
    return w("It says: {what}", what=shown(said, 300)) if said else None


def _named(values: Mapping[str, Any]) -> str:
    """`cash_out max 5000, min 20`."""
    return ", ".join(
        f"{name} {_named(value)}" if isinstance(value, Mapping) else f"{name} {value}" for name, value in values.items()
    )


def _charged(r: Mapping[str, Any], w: Words) -> str | None:
    """Whether it charges the fees that it was told: what its reports show, and what its beacon says."""
    beacon_fees = (r["beacon"] or {}).get("fees")
    said = w("its beacon says {fees}", fees=_named(beacon_fees)) if beacon_fees else None
    charged = r["fees_in_use"]
    if charged is None and said is None:
        return None
    if charged is None:
        return w("Fees told to it: {fees}", fees=facts([_fees(r, w), said]))
    if charged:
        return w("It charges the fees that it was told: {fees}", fees=facts([_fees(r, w), said]))
    return w("It does not charge the fees that it was told: {fees}", fees=facts([_fees(r, w), said]))


def _fees(r: Mapping[str, Any], w: Words) -> str:
    told = r["fees_told"]
    return w(
        "cash-in {cash_in}, cash-out {cash_out}",
        cash_in=w.percent(told["cash_in_fee"]),
        cash_out=w.percent(told["cash_out_fee"]),
    )


def _cash(r: Mapping[str, Any], w: Words) -> list[str | None]:
    held = r["cash"]
    if not held["cassettes"]:
        return [cash.box(held, w)] if Decimal(held["box"]) or held["box_limit"] else []
    soonest = [each["days_left"] for each in held["cassettes"].values() if each["days_left"] is not None]
    amount = w("Cash: {amount}", amount=w.money(held["believed"], held["currency"]))
    forecast = w("{days} days left", days=min(soonest)) if soonest else None
    more = w("bays: {order}", order=f"cassette list {r['machine']}")
    return [
        facts([amount, forecast, cash.box(held, w), more]),
        cash.gap(held, w) if held["gap_since"] is not None else None,
    ]


def _shares(legs: Sequence[Mapping[str, Any]], w: Words) -> list[str]:
    shown = [
        w("{share} to {label} ({target})", share=w.percent(leg["fraction"]), label=leg["label"], target=leg["target"])
        for leg in legs[:8]
    ]
    left = len(legs) - 8
    return [*shown, *([w("and {count} more", count=left)] if left > 0 else [])]


def _rule_head(r: Mapping[str, Any], w: Words) -> str:
    if r["machine"]:
        return w("The operator fee at {machine} goes to:", machine=r["machine"])
    return w("The operator fee at every machine without a rule of its own goes to:")


def _splits_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    replaced = preview["replaces"]
    was = w("It replaces the rule that is there (shares: {count}).", count=len(replaced)) if replaced else None
    return ask_for_code([_rule_head(preview, w), *_shares(preview["legs"], w), was], r, w)


def _splits(r: Mapping[str, Any], w: Words) -> str:
    if r["source"] is None:
        return w(
            'No split rule is set: operator fees stay in the wallet. To set one: splits set 100% you@example.com "You"'
        )
    default = w("This is the default rule.") if r["source"] == "default" and r["machine"] else None
    return lines([_rule_head(r, w), *_shares(r["legs"], w), default])


def _splits_cleared(r: Mapping[str, Any], w: Words) -> str:
    head = (
        w("{machine} has no rule of its own now.", machine=r["machine"])
        if r["machine"]
        else w("No default is set now.")
    )
    if r["legs"]:
        return lines([head, _rule_head(r, w), *_shares(r["legs"], w), w("This is the default rule.")])
    places = ", ".join(r["kept_at"][:8]) + (", …" if len(r["kept_at"]) > 8 else "")
    kept = w("Operator fees stay in the wallet, for no rule is in force: {machines}", machines=places)
    return lines([head, kept if places else None, w("To set one: {order}", order="help splits set")])


def _platform(r: Mapping[str, Any], w: Words) -> str:
    fees = w(
        "Platform fee: cash-in {cash_in}, cash-out {cash_out}",
        cash_in=w.percent(r["cash_in_fee"]),
        cash_out=w.percent(r["cash_out_fee"]),
    )
    paid = (
        w("Paid to {target}", target=r["target"])
        if r["target"]
        else w("No target is set: platform fees stay in the wallets.")
    )
    return lines([fees, paid])


TEXTS: Final[dict[str, Wording]] = {
    "machine add": _added,
    "machine set": _changed,
    "machine list": _list,
    "machine show": _show,
    "splits set": _splits,
    "splits set?": _splits_preview,
    "splits show": _splits,
    "splits clear": _splits_cleared,
    "platform show": _platform,
    "platform set": _platform,
}
