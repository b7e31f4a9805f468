"""Machines, split rules, the platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.english.general import ask_for_code
from handlers.replies.plain import Wording, lines, listed, moment, percent, sats


def _line(machine: Mapping[str, Any]) -> str:
    state = "active" if machine["active"] else "not active"
    paused = ", paused" if machine["paused"] else ""
    return f"{machine['machine']}: {machine['fiat']}, wallet {machine['wallet']}, {state}{paused}"


def _facts(machine: Mapping[str, Any]) -> list[str | None]:
    return [
        _line(machine),
        f"Fees of the operator: cash-in {percent(machine['cash_in_fee'])}, cash-out {percent(machine['cash_out_fee'])}",
        f"Location: {machine['location']}" if machine["location"] else None,
        f"Key: {machine['npub']}",
    ]


def _added(result: Mapping[str, Any]) -> str:
    return lines([*_facts(result), f"Next, an LP: lp add {result['machine']} npub1… NAME"])


def _changed(result: Mapping[str, Any]) -> str:
    return lines(_facts(result))


def _list(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No machine yet. To register one: help machine add"
    following = f"Older ones: machine list before={result['next']}" if result["next"] else None
    return listed("Machines:", [_line(each) for each in result["items"]], following, "One of them: machine show NAME")


def _show(result: Mapping[str, Any]) -> str:
    totals = result["totals"]
    volume = f"{totals['settlements']:,} settlements, {sats(totals['principal_sats'])} principal"
    return lines(
        [
            *_facts(result),
            f"Last heard: {moment(result['last_seen_at'])}",
            f"{volume}, {sats(totals['operator_fee_sats'])} operator fee",
            f"Its transactions: settlement list {result['machine']}",
        ]
    )


def _shares(legs: list[Mapping[str, Any]]) -> list[str]:
    shown = [f"{percent(leg['fraction'])} to {leg['label']} ({leg['target']})" for leg in legs[:8]]
    return [*shown, *([f"and {len(legs) - 8} more"] if len(legs) > 8 else [])]


def _rule_head(result: Mapping[str, Any]) -> str:
    where = f"at {result['machine']}" if result["machine"] else "at every machine without a rule of its own"
    return f"The operator fee {where} goes to:"


def _splits_preview(result: Mapping[str, Any]) -> str:
    preview = result["preview"]
    replaced = preview["replaces"]
    was = f"It replaces {len(replaced)} share{'' if len(replaced) == 1 else 's'}." if replaced else None
    return ask_for_code([_rule_head(preview), *_shares(preview["legs"]), was], result)


def _splits(result: Mapping[str, Any]) -> str:
    if result["source"] is None:
        return (
            'No split rule is set: operator fees stay in the wallet. To set one: splits set 100% you@example.com "You"'
        )
    default = "This is the default rule." if result["source"] == "default" and result["machine"] else None
    return lines([_rule_head(result), *_shares(result["legs"]), default])


def _platform(result: Mapping[str, Any]) -> str:
    return lines(
        [
            f"Platform fee: cash-in {percent(result['cash_in_fee'])}, cash-out {percent(result['cash_out_fee'])}",
            f"Paid to {result['target']}"
            if result["target"]
            else "No target is set: platform fees stay in the wallets.",
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "machine add": _added,
    "machine set": _changed,
    "machine list": _list,
    "machine show": _show,
    "splits set": _splits,
    "splits set?": _splits_preview,
    "splits show": _splits,
    "platform show": _platform,
    "platform set": _platform,
}
