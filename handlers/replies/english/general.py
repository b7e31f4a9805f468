"""Help, status, pauses, and how a money order asks for its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.plain import Wording, duration, lines, moment, sats, short_key, shown


def _help(result: Mapping[str, Any]) -> str:
    if "commands" not in result:
        required = [each["name"] if each["required"] else f"{each['name']}?" for each in result["parameters"]]
        return lines(
            [
                result["command"],
                result["summary"],
                f"Parameters: {', '.join(required)}" if required else None,
                "It is done only after confirm with a code." if result["money_order"] else None,
                f"For example: {result['example']}",
            ]
        )
    groups: dict[str, list[str]] = {}
    for each in result["commands"]:
        first, _, rest = each["name"].partition(" ")
        groups.setdefault(first, []).append(rest)
    singles = [name for name, rests in groups.items() if rests == [""]]
    nouns = [f"{name} {' | '.join(rest for rest in rests if rest)}" for name, rests in groups.items() if rests != [""]]
    if len(groups) == 1:
        return lines([f"{each['name']}: {each['summary']}" for each in result["commands"]])
    return lines([", ".join(singles), *nouns, f"More about one: help {result['commands'][-1]['name']}"])


_ROLES: Final = {"operator": "operator", "platform": "platform", "lp": "an LP"}


def _whoami(result: Mapping[str, Any]) -> str:
    roles = " and ".join(_ROLES[role] for role in result["roles"])
    known = f"You are {roles} here." if roles else "You have no role here yet. To become an LP: join you@example.com"
    return lines([known, f"Your key: {result['npub']}", "Say help for what you can do."])


def _status(result: Mapping[str, Any]) -> str:
    relays = result["relays"]
    down = [relay["url"] for relay in relays if not relay["up"]]
    counts = [f"{count} {bucket.replace('_', ' ')}" for bucket, count in result["worklist"].items() if count]
    wallets = []
    for wallet in result["wallets"][:5]:
        balance = "balance unknown" if wallet["balance_sats"] is None else sats(wallet["balance_sats"])
        flight = f", {sats(wallet['in_flight_sats'])} on the way" if wallet["in_flight_sats"] else ""
        state = "" if wallet["up"] else ", not reached"
        stopped = f", stopped: {shown(wallet['paused_reason'], 80)}" if wallet["paused_reason"] else ""
        wallets.append(f"Wallet {wallet['name']}: {balance}{flight}{state}{stopped}")
    if len(result["wallets"]) > 5:
        wallets.append(f"and {len(result['wallets']) - 5} more wallets")
    return lines(
        [
            "All payments are paused: resume" if result["paused"] else "Running, payments are on.",
            f"Version {result['version']}, up {duration(result['uptime_seconds'])}",
            f"Relays: {len(relays) - len(down)} of {len(relays)} up"
            + (f", down: {', '.join(down[:3])}" if down else ""),
            *wallets,
            f"Needs a person: {', '.join(counts)}. Say worklist." if counts else "Nothing needs a person.",
            f"Last settlement: {moment(result['last_settlement_at'])}",
        ]
    )


def _switched(result: Mapping[str, Any]) -> str:
    what = f"{result['machine']}: payments" if result["machine"] else "Payments"
    state = "are paused. What comes in is still recorded." if result["paused"] else "are on."
    late = None if result["obeyed"] else f"A newer order, of {moment(result['since'])}, stands."
    other = None
    if result["machine"] and not result["paused"] and result["all_paused"]:
        other = "All payments are still paused: resume"
    tail = ("To go on: resume " + (result["machine"] or "")).strip() if result["paused"] else None
    return lines([f"{what} {state}", late, other, tail])


def ask_for_code(what: list[str | None], result: Mapping[str, Any]) -> str:
    """How every money order ends: what would happen, then the code that does it."""
    head = "Meanwhile something changed. Now this would happen:" if result["changed"] else "This would happen:"
    return lines([head, *what, f"To do it, within 10 min: confirm {result['code']}"])


def _applicant(result: Mapping[str, Any]) -> str:
    return lines(
        [
            f"{short_key(result['npub'])} wants to join as an LP, paid to {result['target']}.",
            result["npub"],
            "To enrol: lp add MACHINE " + result["npub"] + " NAME",
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "help": _help,
    "whoami": _whoami,
    "status": _status,
    "pause": _switched,
    "resume": _switched,
    "notice applicant": _applicant,
}
