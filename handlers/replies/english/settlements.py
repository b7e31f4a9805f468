"""Settlements and the worklist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.english import payments
from handlers.replies.plain import Wording, lines, listed, moment, money, sats, shown

_BUCKETS: Final = {
    "rejected": "Rejected",
    "errored": "Errored",
    "stuck_pending": "Stuck before sharing out",
    "stuck_processing": "Stuck while paying",
    "unverified": "Not proven yet",
    "unmatched": "Payments without a settlement",
    "skipped": "Stayed in the wallet",
}


def _line(each: Mapping[str, Any]) -> str:
    kind = each["tx_type"].replace("_", "-")
    reason = f", {each['reason'].replace('_', ' ')}" if each["reason"] else ""
    return f"{each['id']} {kind} {sats(each['wire_sats'])} at {each['machine']}, {each['status']}{reason}"


def _list(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No settlement here."
    following = f"Older ones: settlement list before={result['next']}" if result["next"] else None
    return listed("Settlements:", [_line(each) for each in result["items"]], following, "One of them: show S…")


def _amounts(each: Mapping[str, Any]) -> list[str | None]:
    mismatch = each["fee_mismatch_sats"]
    fiat = f"{money(each['fiat_amount'], each['currency'])} at {each['exchange_rate']} sats"
    return [
        f"{fiat}: principal {sats(each['principal_sats'])}, fee {sats(each['fee_sats'])}",
        f"Platform {sats(each['platform_fee_sats'])}, operator {sats(each['operator_fee_sats'])}"
        + (f", mismatch {mismatch:+,} sats" if mismatch else ""),
    ]


def _legs(legs: list[Mapping[str, Any]], room: int) -> list[str]:
    """The legs that stand, those that need somebody first."""
    standing = sorted((leg for leg in legs if leg["status"] != "voided"), key=lambda leg: leg["status"] != "failed")
    shown = [payments.line(leg) for leg in standing[:room]]
    return [*shown, *([f"and {len(standing) - room} more"] if len(standing) > room else [])]


def _show(result: Mapping[str, Any]) -> str:
    proof = result["proof"]
    proven = {
        "settled": "Proven: the wallet shows the payment",
        "not_supported": "Accepted without proof: the wallet can't be asked",
        None: "Not proven",
    }[proof["state"]]
    checked = f", asked {moment(proof['checked_at'])}" if proof["checked_at"] else ""
    note = result["notes"][-1] if result["notes"] else None
    following = f"To pay what failed: retry {result['id']}" if result["status"] == "errored" else None
    return lines(
        [
            _line(result),
            shown(result["detail"], 200) if result["detail"] else None,
            f"Arrived {moment(result['created_at'])} UTC. {proven}{checked}.",
            *_amounts(result),
            *_legs(result["legs"], 4),
            f"Note of {moment(note['at'])}: {shown(note['text'], 200)}" if note else None,
            following,
        ]
    )


def _retry(result: Mapping[str, Any]) -> str:
    open_legs = [leg for leg in result["legs"] if leg["status"] == "pending"]
    return lines(
        [
            f"{result['id']} is {result['status']} again, open payments: {len(open_legs)}.",
            *_legs(open_legs, 7),
            f"To see how it goes: show {result['id']}",
        ]
    )


def _worklist(result: Mapping[str, Any]) -> str:
    buckets = {bucket: items for bucket, items in result["buckets"].items() if items}
    if not buckets:
        return "Nothing needs a person."
    found = []
    each_room = max(1, 8 // len(buckets))
    for bucket, items in buckets.items():
        for item in items[:each_room]:
            name = item["id"] if len(item["id"]) < 20 else f"…{item['id'][-8:]}"
            why = shown(item["reason"].replace("_", " "), 80)
            found.append(f"{_BUCKETS[bucket]}: {name} {item['machine']}, {sats(item['wire_sats'])}, {why}")
    total = sum(len(items) for items in buckets.values()) + result.get("more", 0)
    hidden = total - len(found)
    return lines(
        [
            f"{total:,} to look at:",
            *found,
            f"and {hidden:,} more" if hidden else None,
            "One of them: show S… or show P…",
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "settlement list": _list,
    "settlement show": _show,
    "settlement retry": _retry,
    "worklist": _worklist,
}
