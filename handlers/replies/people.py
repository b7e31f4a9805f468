"""Who comes and goes, who is frozen, what people wish for themselves, and what they are told of it unasked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import names
from handlers.replies.general import ask_for_code
from handlers.replies.lps import change_of_target, own_target
from handlers.replies.plain import lines, listed, short_key, shown, typed
from handlers.replies.words import Wording, Words

_LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "es": "Español"}
"""Each in its own words, for whoever came into the wrong one."""


def _machine_removed(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("{machine} is removed. Its wallet {wallet} is free.", machine=r["machine"], wallet=r["wallet"]),
            w("To register one: help machine add"),
        ]
    )


def _lp_changed(r: Mapping[str, Any], w: Words) -> str:
    paused = r["status"] == "paused"
    line = (
        w("{name} at {machine}: paused, it gets no share of what comes.", name=r["name"], machine=r["machine"])
        if paused
        else w("{name} at {machine}: active.", name=r["name"], machine=r["machine"])
    )
    back = w("To go on: lp set {machine} {lp} status=active", machine=r["machine"], lp=typed(r["name"]))
    return lines([line, back if paused else None])


def _lp_removed(r: Mapping[str, Any], w: Words) -> str:
    if r["gone"]:
        return w("{name} is removed: it is an LP here no more.", name=r["name"])
    return lines(
        [
            w("{name} is not enrolled at {machine} any more.", name=r["name"], machine=r["machine"]),
            w("Where it still is: lp show {lp}", lp=typed(r["name"])),
        ]
    )


def _applicant(each: Mapping[str, Any], w: Words) -> str:
    return w(
        "{id} {key}, paid to {target}, since {date}",
        id=each["id"],
        key=short_key(each["npub"]),
        target=shown(each["target"], 60),
        date=w.date(each["since"]),
    )


def _applicants(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("Nobody waits to be enrolled.")
    following = w("Older ones: {order}", order=f"lp applicants before={r['next']}") if r["next"] else None
    tail = w("To enrol one: lp add MACHINE {id} NAME", id=r["items"][0]["id"])
    return listed(w, w("Waiting to be enrolled:"), [_applicant(each, w) for each in r["items"]], following, tail)


def _dismissed(r: Mapping[str, Any], w: Words) -> str:
    return w("{id} is forgotten, and is not told.", id=r["id"])


def _where(r: Mapping[str, Any], w: Words) -> str | None:
    """Where an LP's sats go, for somebody else."""
    if r["target"] is None:
        return None
    if r["next_target"] is None:
        return w("Its sats go to {target}.", target=r["target"])
    return w(
        "Its sats go to {target}, from {time} UTC to {next}.",
        target=r["target"],
        time=w.moment(r["next_target_at"]),
        next=r["next_target"],
    )


def _switched(r: Mapping[str, Any], w: Words) -> str:
    """For the one who said it: an operator about an LP, or an LP about itself."""
    late = None if r["obeyed"] else w("A newer order, of {time}, stands.", time=w.moment(r["since"]))
    reason = w("Reason: {reason}", reason=shown(r["reason"], 200)) if r["reason"] else None
    if r["yourself"]:
        if not r["frozen"]:
            return lines([w("You are paid again."), late, w("Where your sats go: prefs show")])
        head = w("You are frozen: nothing more is paid to you. What is on its way can't be called back.")
        back = w("To be paid again: unfreeze") if r["by"] == "lp" else w("Only the operator can lift this.")
        return lines([head, reason, late, back])
    if not r["frozen"]:
        return lines([w("{name} is paid again.", name=r["name"]), late, _where(r, w)])
    head = w("{name} is frozen: nothing more is paid to it. What is on its way can't be called back.", name=r["name"])
    back = w("To pay again: unfreeze {lp}", lp=typed(r["name"]))
    return lines([head, reason, late, _where(r, w), back])


def _frozen_notice(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("The operator has frozen your payments: your sats wait."),
            w("Reason: {reason}", reason=shown(r["reason"], 200)) if r["reason"] else None,
            w("Only the operator can lift this: write to the operator."),
        ]
    )


def _unfrozen_notice(r: Mapping[str, Any], w: Words) -> str:
    return lines([w("The operator has lifted the freeze: you are paid again."), w("Where your sats go: prefs show")])


def _lp_frozen_notice(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("{name} has frozen itself: nothing more is paid to it.", name=r["name"]),
            w("Reason: {reason}", reason=shown(r["reason"], 200)) if r["reason"] else None,
            _where(r, w),
            w("If its key may be in other hands, so that only you can lift it: freeze {lp}", lp=typed(r["name"])),
        ]
    )


def _lp_unfrozen_notice(r: Mapping[str, Any], w: Words) -> str:
    return lines([w("{name} has unfrozen itself: it is paid again.", name=r["name"]), _where(r, w)])


def _target_changed(r: Mapping[str, Any], w: Words) -> str:
    """To the LP itself, which may not be the one who did it."""
    if r["next_target"] is None:
        head = w("Your sats go to {target} now, not to {replaces}.", target=r["target"], replaces=r["replaces"])
    else:
        head = w(
            "Your sats will go to {next} from {time} UTC, not to {replaces}.",
            next=r["next_target"],
            time=w.moment(r["next_target_at"]),
            replaces=r["replaces"],
        )
    return lines([head, w("If that was not you: freeze, and speak to the operator at once.")])


def _lp_target_changed(r: Mapping[str, Any], w: Words) -> str:
    if r["next_target"] is None:
        head = w(
            "{name}: its sats go to {target} now, not to {replaces}.",
            name=r["name"],
            target=r["target"],
            replaces=r["replaces"],
        )
    else:
        head = w(
            "{name}: its sats will go to {next} from {time} UTC, not to {replaces}.",
            name=r["name"],
            next=r["next_target"],
            time=w.moment(r["next_target_at"]),
            replaces=r["replaces"],
        )
    return lines([head, w("If {name} knows nothing of it: freeze {lp}", name=r["name"], lp=typed(r["name"]))])


def _prefs(r: Mapping[str, Any], w: Words) -> str:
    language = w("Language: {language}", language=_LANGUAGES[r["language"]])
    other = w("Another one: language {code}", code="es" if r["language"] == "en" else "en")
    if r["mode"] is None:
        return lines([language, other])
    if r["target"] is None:
        target = w("Nobody knows yet where your sats go: join you@example.com")
    else:
        target = own_target(r, w)
    limit = w("At fixed times at most {amount} a day at each machine", amount=r["daily_limit"])
    messages = w("Messages at each payment: on") if r["notify"] else w("Messages at each payment: off")
    return lines(
        [
            target,
            w("You are frozen: nothing is paid to you until unfreeze.") if r["frozen"] else None,
            w("Mode: {mode}", mode=names.name(w, names.MODES, r["mode"])),
            limit if r["daily_limit"] else None,
            messages,
            language,
            w("To change something: help prefs set"),
        ]
    )


def _prefs_preview(r: Mapping[str, Any], w: Words) -> str:
    also = ", ".join(f"{name}={_value(value)}" for name, value in r["preview"].get("also", {}).items())
    besides = w("Besides: {changes}", changes=also) if also else None
    return ask_for_code([change_of_target(r["preview"], w), besides], r, w)


def _value(value: object) -> object:
    """As it is typed."""
    return ("off", "on")[value] if isinstance(value, bool) else value


def _paid(r: Mapping[str, Any], w: Words) -> str:
    covered = w("{sats} of it was set off against what had been paid to you twice.", sats=w.sats(r["credit_sats"]))
    return lines(
        [
            w(
                "{payment}: {sats} for {amount} of yours in {machine}.",
                payment=r["payment"],
                sats=w.sats(r["amount_sats"]),
                amount=w.money(r["fiat_amount"], r["currency"]),
                machine=r["machine"],
            ),
            covered if r["credit_sats"] else None,
            w("What is left: balance"),
        ]
    )


def _deposit_confirmed(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "{deposit}: your {amount} are in {machine} and count from now on.",
                deposit=r["deposit"],
                amount=w.money(r["amount"], r["currency"]),
                machine=r["machine"],
            ),
            w("What is left: balance"),
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "machine remove": _machine_removed,
    "lp set": _lp_changed,
    "lp remove": _lp_removed,
    "lp applicants": _applicants,
    "lp dismiss": _dismissed,
    "target freeze": _switched,
    "target unfreeze": _switched,
    "prefs show": _prefs,
    "prefs set": _prefs,
    "prefs set?": _prefs_preview,
    "notice frozen": _frozen_notice,
    "notice unfrozen": _unfrozen_notice,
    "notice lp frozen": _lp_frozen_notice,
    "notice lp unfrozen": _lp_unfrozen_notice,
    "notice target changed": _target_changed,
    "notice lp target changed": _lp_target_changed,
    "notice paid": _paid,
    "notice deposit confirmed": _deposit_confirmed,
}
