"""LPs, deposits, and what an LP sees of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import names
from handlers.replies.general import ask_for_code
from handlers.replies.plain import facts, lines, listed, short_key, shown, typed
from handlers.replies.words import Wording, Words


def _enrolment(each: Mapping[str, Any], w: Words) -> str:
    left = w(
        "{lp} at {machine}: {amount} left",
        lp=each["name"],
        machine=each["machine"],
        amount=w.money(each["remaining"], each["currency"]),
    )
    joined = None if each["onboarded"] else w("has not joined yet")
    return facts([left, joined, w("paused") if each["status"] == "paused" else None])


def _added(r: Mapping[str, Any], w: Words) -> str:
    who, machine = r["name"], r["machine"]
    if r["onboarded"]:
        following = w("Next: deposit {machine} {lp} AMOUNT", machine=machine, lp=typed(who))
    else:
        following = w("{lp} must now write to this bot: join you@example.com", lp=who)
    return lines(
        [w("{lp} is enrolled at {machine}.", lp=who, machine=machine), w("Key: {npub}", npub=r["npub"]), following]
    )


def _list(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No LP yet. To enrol one: lp add MACHINE npub1… NAME")
    following = w("Older ones: {order}", order=f"lp list before={r['next']}") if r["next"] else None
    return listed(
        w,
        w("LPs:"),
        [_enrolment(each, w) for each in r["items"]],
        following,
        w("One of them: lp show NAME"),
    )


def _show(r: Mapping[str, Any], w: Words) -> str:
    found = []
    for each in r["enrolments"][:4]:
        currency = each["currency"]
        found.append(_enrolment(each, w))
        found.append(
            "  "
            + w(
                "deposited {deposited}, pending {pending}, paid {paid}, on the way {reserved}",
                deposited=w.money(each["deposited"], currency),
                pending=w.money(each["pending"], currency),
                paid=w.money(each["paid"], currency),
                reserved=w.money(each["reserved"], currency),
            )
        )
    left = len(r["enrolments"]) - 4
    joined = w("has joined") if r["onboarded"] else w("has not joined yet")
    mode = names.name(w, names.MODES, r["mode"])
    return lines(
        [
            f"{r['name']}: {facts([joined, mode, w('frozen') if r['frozen'] else None])}",
            short_key(r["npub"]),
            *found,
            w("and {count} more machines", count=left) if left > 0 else None,
        ]
    )


def _deposit(each: Mapping[str, Any], w: Words) -> str:
    what = w(
        "{id} {amount}, {lp} at {machine}, {status}",
        id=each["id"],
        amount=w.money(each["amount"], each["currency"]),
        lp=each["name"],
        machine=each["machine"],
        status=names.name(w, names.STATUSES, each["status"]),
    )
    return f"{what} ({shown(each['note'], 60)})" if each["note"] else what


def _deposit_added(r: Mapping[str, Any], w: Words) -> str:
    return lines([_deposit(r, w), w("Once it is in the cassette: deposit confirm {id}", id=r["id"])])


def _deposit_confirmed(r: Mapping[str, Any], w: Words) -> str:
    refilled = r.get("refilled")
    if not refilled:
        return lines([_deposit(r, w), w("From now on it counts.")])
    filled = ", ".join(
        f"{place}: +{number:,} = {r['cassettes'][place]['count']:,}" for place, number in refilled.items()
    )
    return lines([_deposit(r, w), w("From now on it counts."), w("Notes in the bays: {bays}", bays=filled)])


def _deposits(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No deposit here. To record one: deposit MACHINE LP AMOUNT")
    following = w("Older ones: {order}", order=f"deposit list before={r['next']}") if r["next"] else None
    return listed(w, w("Deposits:"), [_deposit(each, w) for each in r["items"]], following)


def _join(r: Mapping[str, Any], w: Words) -> str:
    if r["status"] == "applicant":
        return lines(
            [
                w("Noted: your sats would go to {target}.", target=r["target"]),
                w("The operator has been told and still has to enrol you; you will hear from me then."),
            ]
        )
    if r["next_target"]:
        return lines([own_target(r, w), w("If that was not you: freeze, and write to the operator.")])
    return lines([own_target(r, w), w("Say balance for what you have here.")])


def own_target(r: Mapping[str, Any], w: Words) -> str:
    """Where the sats of the one who reads it go, and will go."""
    if r["next_target"] is None:
        return w("Your sats go to {target}.", target=r["target"])
    return w(
        "From {time} UTC your sats go to {next}, until then to {target}.",
        time=w.moment(r["next_target_at"]),
        next=r["next_target"],
        target=r["target"],
    )


def _join_preview(r: Mapping[str, Any], w: Words) -> str:
    return ask_for_code([change_of_target(r["preview"], w)], r, w)


def change_of_target(preview: Mapping[str, Any], w: Words) -> str:
    """What would become of the reader's target."""
    wait, target, old = preview["cooldown_seconds"], preview["target"], preview["replaces"]
    if not wait:
        return w("Your sats go to {target} at once, instead of {old}.", target=target, old=old)
    return w(
        "Your sats go to {target}, {time} after you confirm, instead of {old}.",
        target=target,
        time=w.duration(wait),
        old=old,
    )


def _own_enrolment(each: Mapping[str, Any], w: Words) -> list[str]:
    currency = each["currency"]
    left = w(
        "{machine}: {left} of {deposited} left",
        machine=each["machine"],
        left=w.money(each["remaining"], currency),
        deposited=w.money(each["deposited"], currency),
    )
    pending = None
    if _something(each["pending"]):
        pending = w("{amount} not yet confirmed", amount=w.money(each["pending"], currency))
    rate, last = each["average_rate"], each["last_payment_at"]
    got = facts(
        [
            w("{sats} so far", sats=w.sats(each["sats"])),
            w("{rate} sats per {currency}", rate=rate, currency=currency) if rate else None,
            w("last {time}", time=w.moment(last)) if last else None,
        ]
    )
    return [facts([left, pending]), f"  {got}"]


def _balance(r: Mapping[str, Any], w: Words) -> str:
    if not r["enrolments"]:
        return w("You are enrolled at no machine.")
    found = [line for each in r["enrolments"][:4] for line in _own_enrolment(each, w)]
    left = len(r["enrolments"]) - 4 + r.get("more", 0)
    more = w("and {count} more machines", count=left) if left > 0 else None
    return lines([*found, more, w("Your payments: history")])


def _something(amount: str) -> bool:
    """Whether an amount in decimal text is more than nothing."""
    return bool(amount.strip("0.-"))


def _history(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No payment to you yet. Say balance for what you have here.")
    found = [
        w(
            "{id} {time}: {sats}, {machine}, {status}",
            id=each["id"],
            time=w.moment(each["completed_at"] or each["created_at"]),
            sats=w.sats(each["amount_sats"]),
            machine=each["machine"],
            status=names.name(w, names.STATUSES, each["status"]),
        )
        for each in r["items"]
    ]
    following = w("Older ones: {order}", order=f"history before={r['next']}") if r["next"] else None
    return listed(w, w("Your payments:"), found, following)


TEXTS: Final[dict[str, Wording]] = {
    "lp add": _added,
    "lp list": _list,
    "lp show": _show,
    "deposit add": _deposit_added,
    "deposit set": _deposit_added,
    "deposit delete": _deposit,
    "deposit confirm": _deposit_confirmed,
    "deposit list": _deposits,
    "join": _join,
    "join?": _join_preview,
    "balance": _balance,
    "history": _history,
}
