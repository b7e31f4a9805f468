"""What is said of a database from the past, and of the payments that it has forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import names, stored
from handlers.replies.general import ask_for_code
from handlers.replies.plain import facts, lines
from handlers.replies.words import Wording, Words

_SHOWN: Final = 6


def _noticed(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("Nothing more is paid: {why}.", why=stored.sentence(w, r["why"])),
            w(
                "What was sent after {time} UTC is looked for in the wallets now. What is found is booked, "
                "and not paid again.",
                time=w.moment(r["since"]),
            ),
            w("Payments go on by themselves when all is found.")
            if r["witnessed"]
            else w("I can't know that all of it is found: I will ask you then."),
            w("Orders and deposits since then are lost: enter them again. How far it is: forgotten list"),
        ]
    )


def _accepted_before(r: Mapping[str, Any], w: Words) -> str:
    named = {"settlement": r["settlement"]}
    return lines(
        [
            w(
                "{settlement} was accepted before these books were begun: what is owed for it may have been paid.",
                **named,
            ),
            w("It is not paid until you have looked into the wallet: show {settlement}", **named),
            w("To pay it: settlement retry {settlement}", **named),
        ]
    )


def _waits(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "{payment} and others like it wait: wallet {wallet} shows payments that are not in the books and may "
                "be these.",
                payment=r["payment"],
                wallet=r["wallet"],
            ),
            w("Say of each what it was: forgotten list"),
        ]
    )


def _over(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("What the restored database had forgotten is found: payments go on."),
            w("{count} of these payments still wait for their transaction: forgotten list", count=r["waiting"])
            if r["waiting"]
            else None,
        ]
    )


def _stays(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("All wallets were asked what they sent since the backup.")
            if r["witnessed"]
            else w("All wallets were asked what they sent since the backup. Nothing more is paid until you say so."),
            w(
                "{waiting} payments are not in the books, of {unexplained} of them nobody knows what for: "
                "forgotten list",
                waiting=r["waiting"],
                unexplained=r["unexplained"],
            ),
            w("Payments go on when each has met its transaction, or you have said of each what it was.")
            if r["witnessed"]
            else w("Say of each what it was, then: hold lift past REASON"),
        ]
    )


def _unread(r: Mapping[str, Any], w: Words) -> str:
    wallets = ", ".join(r["wallets"][:5])
    return lines(
        [
            w("Nothing is paid yet: what was sent since the backup can't be read from {wallets}.", wallets=wallets),
            w("Each is asked again and again. How it answers: wallet test {wallet}", wallet=r["wallets"][0]),
            w("If it never will: look into it yourself, say what you find, then: hold lift past REASON"),
            w("What you find: forgotten list"),
        ]
    )


def _unseen(r: Mapping[str, Any], w: Words) -> str:
    named = {"wallet": r["wallet"]}
    return lines(
        [
            w("Wallet {wallet} does not show all that it sent before, and is paid from all the same.", **named),
            w("If these books were lost or put back, pause now: what they forgot may be paid again."),
            w("How it answers: wallet test {wallet}", **named),
        ]
    )


def _forgotten(each: Mapping[str, Any], w: Words) -> str:
    kind = names.name(w, names.PAYMENT_TYPES, each["type"]) if each["type"] else w("nobody knows what for")
    return facts(
        [
            w(
                "…{end}: {sats}, {time}",
                end=each["payment_hash"][-8:],
                sats=w.sats(each["amount_sats"]),
                time=w.moment(each["at"]),
            ),
            each["wallet"],
            kind,
            w("the wallet shows it paid") if each["settled"] else None,
            w("may be {payments}", payments=", ".join(each["may_be"])) if each["may_be"] else None,
            w("for {settlement}", settlement=each["planned_otherwise"]) if _elsewhere(each) else None,
        ]
    )


def _elsewhere(each: Mapping[str, Any]) -> bool:
    """Whether it paid for a transaction of which no leg fits it."""
    return not each["may_be"] and each["planned_otherwise"] is not None


def _list(r: Mapping[str, Any], w: Words) -> str:
    unread = w("Not asked to the end yet: {wallets}", wallets=", ".join(r["unread"][:5])) if r["unread"] else None
    if not r["count"]:
        return lines([w("No payment is forgotten."), unread])
    found = [_forgotten(each, w) for each in r["forgotten"][:_SHOWN]]
    more = r["count"] - len(found)
    otherwise = next((each["planned_otherwise"] for each in r["forgotten"] if _elsewhere(each)), None)
    return lines(
        [
            w("Sent, and not in the books:"),
            *found,
            w("and {count} more", count=more) if more > 0 else None,
            unread,
            w(
                "Where none fits, a deposit or a rule is missing: enter it again, then: settlement reset {settlement}, "
                "settlement retry {settlement}",
                settlement=otherwise,
            )
            if otherwise
            else None,
            w("If you know what one of them paid: forgotten match HASH_END P40"),
            w("If it paid nothing that is owed here: forgotten drop HASH_END REASON"),
        ]
    )


def _drop_preview(r: Mapping[str, Any], w: Words) -> str:
    head = w("This payment would count for nothing here. If it did pay what is owed, that is paid a second time:")
    return ask_for_code([head, _forgotten(r["preview"], w)], r, w)


def _match_preview(r: Mapping[str, Any], w: Words) -> str:
    head = w("This payment would count as what paid {payment}:", payment=r["preview"]["payment"])
    return ask_for_code([head, _forgotten(r["preview"], w)], r, w)


def _matched(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "…{end} is looked into as what paid {payment}: show {payment}", end=r["payment_hash"][-8:], payment=r["payment"]
    )


def _dropped(r: Mapping[str, Any], w: Words) -> str:
    return w("…{end} stands in the way of nothing any more. The others: forgotten list", end=r["payment_hash"][-8:])


TEXTS: Final[dict[str, Wording]] = {
    "forgotten list": _list,
    "forgotten drop": _dropped,
    "forgotten drop?": _drop_preview,
    "forgotten match": _matched,
    "forgotten match?": _match_preview,
    "notice accepted before": _accepted_before,
    "notice forgotten": _waits,
    "notice past": _noticed,
    "notice past unread": _unread,
    "notice wallet unseen": _unseen,
    "notice past over": _over,
    "notice past stays": _stays,
}
