"""What is said unasked: to operators when something needs them, to LPs when something of theirs happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.plain import facts, lines, short_key
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
    "notice fixed mode": _fixed_mode,
    "notice fixed mode off": _fixed_mode_off,
    "notice fixed mode ended": _fixed_mode_ended,
}
