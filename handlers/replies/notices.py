"""What is said unasked: to operators when something needs them, to LPs when something of theirs happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.plain import facts, lines, ranges, short_key
from handlers.replies.words import Wording, Words


def _applicant(r: Mapping[str, Any], w: Words) -> str:
    who = w(
        "{id}: {key} wants to join as an LP, paid to {target}.",
        id=r["id"],
        key=short_key(r["npub"]),
        target=r["target"],
    )
    return lines([who, r["npub"], w("To enrol: lp add MACHINE {id} NAME", id=r["id"])])


def _enrolled(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "You are enrolled as an LP at {machine}. Your sats go to {target}.",
                machine=r["machine"],
                target=r["target"],
            ),
            w("Say balance or help."),
        ]
    )


def _surplus(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{payment} was paid a second time: {sats}, by a payment that the wallet had said was lost. "
        "The payee's next payments are lowered by it: show {payment}",
        payment=r["payment"],
        sats=w.sats(r["amount_sats"]),
    )


def _claimed_late(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{payment}: the wallet now says that it paid what it had said was lost, and gives no proof. "
        "Nothing more is tried with it. Look into the wallet.",
        payment=r["payment"],
    )


def _wallet_broke(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Wallet {wallet} has too little to pay {payment}: about {missing} are missing for what is owed. "
        "Nothing more is paid from it until it is filled. Nothing is lost: it goes on by itself then.",
        wallet=r["wallet"],
        payment=r["payment"],
        missing=w.sats(r["missing_sats"]),
    )


def _wallet_quota(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Wallet {wallet} refused {payment}: the connection's budget is used up. Nothing more is paid from it. "
        "Raise the budget in the wallet, then send: resume",
        wallet=r["wallet"],
        payment=r["payment"],
    )


def _wallet_revoked(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Wallet {wallet} refused {payment}: the connection may not pay any more (revoked or restricted). "
        "Allow it again in the wallet; it goes on by itself then, or send: resume",
        wallet=r["wallet"],
        payment=r["payment"],
    )


def _wallet_slow(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Wallet {wallet} asks us to slow down: payments from it wait a little and go on by themselves.",
        wallet=r["wallet"],
    )


def _wallet_unfit(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Nothing is paid from wallet {wallet}: it does not offer {methods}, so nobody could find out what became of a "
        "payment. Allow that for the connection, in the wallet; it goes on by itself then.",
        wallet=r["wallet"],
        methods=", ".join(r["methods"]),
    )


def _wallet_fit(r: Mapping[str, Any], w: Words) -> str:
    return w("Wallet {wallet} offers all that is needed now: payments from it go on.", wallet=r["wallet"])


def _wallet_gone(r: Mapping[str, Any], w: Words) -> str:
    """What waits there is named as far as it is there."""
    waiting = [
        w("payments: {count}", count=r["payments"]) if r["payments"] else None,
        w("of them in doubt: {count}", count=r["in_doubt"]) if r["in_doubt"] else None,
        w("settlements not proven: {count}", count=r["settlements"]) if r["settlements"] else None,
    ]
    return lines(
        [
            w(
                "The connection of wallet {wallet} is no longer in the configuration, and something of it is open.",
                wallet=r["wallet"],
            ),
            facts(waiting),
            w(
                "Nobody pays it or asks what became of it. Put the connection back until it is done. See what it is: "
                "worklist"
            ),
        ]
    )


def _wallet_filled(r: Mapping[str, Any], w: Words) -> str:
    return w("Wallet {wallet} has {sats}: payments from it go on.", wallet=r["wallet"], sats=w.sats(r["balance_sats"]))


def _fixed_mode(r: Mapping[str, Any], w: Words) -> str:
    found = [w("{name}: {why}", name=each["name"], why=w.say(each["why"])) for each in r["obstacles"]]
    more = w("and {count} more", count=len(found) - 8) if len(found) > 8 else None
    return lines([w("Not everybody in fixed mode could be paid:"), *found[:8], more, w("To pay them now: fixed run")])


def _fixed_mode_off(r: Mapping[str, Any], w: Words) -> str:
    return w("Nobody is paid at fixed times here any more: you get your share of every cash-out again.")


def _fixed_mode_ended(r: Mapping[str, Any], w: Words) -> str:
    names = r["names"]
    more = w("and {count} more", count=len(names) - 8) if len(names) > 8 else None
    return w(
        "The configuration has no times for fixed mode: {names} get their share of every cash-out again.",
        names=facts([*names[:8], more]),
    )


def _missing_reports(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "{machine}: reports {numbers} of its count never came, though later ones did.",
                machine=r["machine"],
                numbers=ranges(r["missing"]),
            ),
            w("If the machine can't send them again, look for payments without a settlement: worklist"),
            w("To enter one: help settlement add"),
        ]
    )


def _relay_withholds(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "Relay {relay} takes messages and delivers none: what is sent to me only there does not arrive.",
                relay=r["relay"],
            ),
            w("If that lasts, use another one. How it stands: status"),
        ]
    )


def _silence(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "I heard no relay from {since} to {until}, and paid nothing new from when I noticed.",
                since=w.moment(r["since"]),
                until=w.moment(r["until"]),
            ),
            w("Payments go on. What you ordered meanwhile and I did not answer, say again."),
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "notice applicant": _applicant,
    "notice enrolled": _enrolled,
    "notice surplus": _surplus,
    "notice claimed late": _claimed_late,
    "notice wallet no_balance": _wallet_broke,
    "notice wallet quota": _wallet_quota,
    "notice wallet revoked": _wallet_revoked,
    "notice wallet rate_limited": _wallet_slow,
    "notice wallet filled": _wallet_filled,
    "notice wallet unfit": _wallet_unfit,
    "notice wallet fit": _wallet_fit,
    "notice wallet gone": _wallet_gone,
    "notice missing reports": _missing_reports,
    "notice relay withholds": _relay_withholds,
    "notice silence": _silence,
    "notice fixed mode": _fixed_mode,
    "notice fixed mode off": _fixed_mode_off,
    "notice fixed mode ended": _fixed_mode_ended,
}
