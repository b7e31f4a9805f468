"""LPs, deposits, and what an LP sees of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.english.general import ask_for_code
from handlers.replies.plain import Wording, duration, lines, listed, moment, money, sats, short_key


def _enrolment(each: Mapping[str, Any]) -> str:
    joined = "" if each["onboarded"] else ", has not joined yet"
    paused = ", paused" if each["status"] == "paused" else ""
    return f"{each['name']} at {each['machine']}: {money(each['remaining'], each['currency'])} left{joined}{paused}"


def _added(result: Mapping[str, Any]) -> str:
    who = result["name"]
    if result["onboarded"]:
        following = f"Next: deposit {result['machine']} {who} AMOUNT"
    else:
        following = f"{who} must now write to this bot: join you@example.com"
    return lines([f"{who} is enrolled at {result['machine']}.", f"Key: {result['npub']}", following])


def _list(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No LP yet. To enrol one: lp add MACHINE npub1… NAME"
    following = f"Older ones: lp list before={result['next']}" if result["next"] else None
    return listed("LPs:", [_enrolment(each) for each in result["items"]], following, "One of them: lp show NAME")


def _show(result: Mapping[str, Any]) -> str:
    found = []
    for each in result["enrolments"][:4]:
        currency = each["currency"]
        brought = f"  deposited {money(each['deposited'], currency)}, pending {money(each['pending'], currency)}"
        gone = f", paid {money(each['paid'], currency)}, on the way {money(each['reserved'], currency)}"
        found += [_enrolment(each), brought + gone]
    joined = "has joined" if result["onboarded"] else "has not joined yet"
    frozen = ", frozen" if result["frozen"] else ""
    return lines([f"{result['name']} {joined}, {result['mode']} mode{frozen}", short_key(result["npub"]), *found])


def _deposit(each: Mapping[str, Any]) -> str:
    note = f" ({each['note'][:60]})" if each["note"] else ""
    amount = money(each["amount"], each["currency"])
    return f"{each['id']} {amount}, {each['name']} at {each['machine']}, {each['status']}{note}"


def _deposit_added(result: Mapping[str, Any]) -> str:
    return lines([_deposit(result), f"Once it is in the cassette: deposit confirm {result['id']}"])


def _deposit_confirmed(result: Mapping[str, Any]) -> str:
    return lines([_deposit(result), "From now on it counts."])


def _deposits(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No deposit here. To record one: deposit MACHINE LP AMOUNT"
    following = f"Older ones: deposit list before={result['next']}" if result["next"] else None
    return listed("Deposits:", [_deposit(each) for each in result["items"]], following)


def _join(result: Mapping[str, Any]) -> str:
    if result["status"] == "applicant":
        return lines(
            [
                f"Noted: your sats would go to {result['target']}.",
                "The operator has been told and still has to enrol you; you will hear from me then.",
            ]
        )
    if result["next_target"]:
        at = moment(result["next_target_at"])
        return lines(
            [
                f"From {at} UTC your sats go to {result['next_target']}, until then to {result['target']}.",
                "If that was not you, write to the operator now.",
            ]
        )
    return lines([f"Your sats go to {result['target']}.", "Say balance for what you have here."])


def _join_preview(result: Mapping[str, Any]) -> str:
    preview = result["preview"]
    wait = preview["cooldown_seconds"]
    when = f"{duration(wait)} after you confirm" if wait else "at once"
    return ask_for_code([f"Your sats go to {preview['target']}, {when}, instead of {preview['replaces']}."], result)


def _balance(result: Mapping[str, Any]) -> str:
    if not result["enrolments"]:
        return "You are enrolled at no machine."
    found = []
    for each in result["enrolments"][:4]:
        currency = each["currency"]
        pending = f", {money(each['pending'], currency)} not yet confirmed" if _something(each["pending"]) else ""
        got = f"  {sats(each['sats'])} so far"
        rate = f", {each['average_rate']} sats per {currency}" if each["average_rate"] else ""
        last = f", last {moment(each['last_payment_at'])}" if each["last_payment_at"] else ""
        left = f"{money(each['remaining'], currency)} of {money(each['deposited'], currency)} left"
        found += [f"{each['machine']}: {left}{pending}", got + rate + last]
    more = f"and {len(result['enrolments']) - 4} more machines" if len(result["enrolments"]) > 4 else None
    return lines([*found, more, "Your payments: history"])


def _something(amount: str) -> bool:
    """Whether an amount in decimal text is more than nothing."""
    return bool(amount.strip("0.-"))


def _history(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No payment to you yet. Say balance for what you have here."
    found = [
        f"{each['id']} {moment(each['completed_at'] or each['created_at'])}: {sats(each['amount_sats'])}, "
        f"{each['machine']}, {each['status']}"
        for each in result["items"]
    ]
    following = f"Older ones: history before={result['next']}" if result["next"] else None
    return listed("Your payments:", found, following)


def _enrolled(result: Mapping[str, Any]) -> str:
    return lines(
        [
            f"You are enrolled as an LP at {result['machine']}. Your sats go to {result['target']}.",
            "Say balance or help.",
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "lp add": _added,
    "lp list": _list,
    "lp show": _show,
    "deposit add": _deposit_added,
    "deposit confirm": _deposit_confirmed,
    "deposit list": _deposits,
    "join": _join,
    "join?": _join_preview,
    "balance": _balance,
    "history": _history,
    "notice enrolled": _enrolled,
}
