"""What keeps the bot from paying by its own rules: holds, caps, fees, differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import stored
from handlers.replies.general import ask_for_code
from handlers.replies.plain import lines, shown, typed
from handlers.replies.wallets import difference
from handlers.replies.words import Wording, Words


def _violation(each: Mapping[str, Any], w: Words) -> str:
    return w("{ref}: {rule} ({detail})", ref=each["ref"], rule=each["rule"], detail=shown(each["detail"], 90))


def _violations(r: Mapping[str, Any], w: Words) -> list[str | None]:
    found = r.get("violations", [])
    more = r.get("count", 0) - len(found)
    return [*[_violation(each, w) for each in found], w("and {count} more", count=more) if more > 0 else None]


def _books(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("The books don't hold: nothing more is paid. What is on its way is followed up."),
            *_violations(r, w),
            w("Look at it before anything else. When it is mended: resume. It is checked again then."),
            w("If you have looked and can live with it: hold lift books REASON"),
        ]
    )


def _books_unchecked(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w("Somebody else has written into the database, and to check all of it took too long."),
            w("Nothing new is paid until it is checked. It is tried again, and what is on its way is followed up."),
            w("If it lasts, have somebody at the server look: satmachine verify"),
        ]
    )


def _hold(r: Mapping[str, Any], w: Words) -> list[str | None]:
    since = w("Held since {time} UTC: {why}", time=w.moment(r["since"]), why=stored.first_reason([r], w))
    return [since, *(_violations(r, w) if r.get("count", 0) > 1 else [])]


def _lift_preview(r: Mapping[str, Any], w: Words) -> str:
    head = w("Payments go on although this was found. Whoever is paid wrongly by it, you answer for.")
    unread = ", ".join(r["preview"].get("unread", [])[:5])
    gap = w("What was sent since the backup was not read from {wallets}.", wallets=unread) if unread else None
    return ask_for_code([head, *_hold(r["preview"], w), gap], r, w)


def _lifted(r: Mapping[str, Any], w: Words) -> str:
    if r["holds"]:
        return lines(
            [
                w("{hold} holds nothing any more.", hold=r["lifted"]),
                w("Nothing is paid all the same: {why}", why=stored.first_reason(r["holds"], w)),
            ]
        )
    return w("{hold} holds nothing any more. Payments go on.", hold=r["lifted"])


def _cap_day(r: Mapping[str, Any], w: Words) -> str:
    return _cap(w("Wallet {wallet} has paid its cap of {sats} a day.", **_of_cap(r, w)), r, w)


def _cap_hour(r: Mapping[str, Any], w: Words) -> str:
    return _cap(w("Wallet {wallet} has paid its cap of {sats} an hour.", **_of_cap(r, w)), r, w)


def _cap_in_flight(r: Mapping[str, Any], w: Words) -> str:
    return _cap(w("Wallet {wallet} has its cap of {sats} on the way.", **_of_cap(r, w)), r, w)


def _of_cap(r: Mapping[str, Any], w: Words) -> dict[str, str]:
    return {"wallet": r["wallet"], "sats": w.sats(r["most_sats"])}


def _cap(head: str, r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            head,
            w("{payment} and what comes after it waits, and goes on by itself. Nothing is lost.", payment=r["payment"]),
            w("The caps are in the configuration, under payouts."),
        ]
    )


def _fee(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            w(
                "{payment} to {label}: the wallet paid {fee} for the routing of {sats}, at most {most} are allowed.",
                payment=r["payment"],
                label=shown(r["label"], 60),
                fee=w.sats(r["fee_sats"]),
                sats=w.sats(r["amount_sats"]),
                most=w.sats(r["most_sats"]),
            ),
            w("It is paid, and nothing more is paid to {label} for now.", label=shown(r["label"], 60)),
            w("To pay again: unfreeze {lp}", lp=typed(r["label"]) if r["lp"] else r["payment"]),
        ]
    )


def _reconcile(r: Mapping[str, Any], w: Words) -> str:
    count, found = r["count"], r["differences"]
    head = (
        w("Books and wallets differ: {count} differences.", count=f"{count:,}")
        if count > 1
        else w("Books and wallets differ in one point.")
    )
    more = w("and {count} more", count=count - len(found)) if count > len(found) else None
    return lines([head, *[difference(each, w) for each in found], more, w("To compare them again: reconcile")])


TEXTS: Final[dict[str, Wording]] = {
    "hold lift": _lifted,
    "hold lift?": _lift_preview,
    "notice books": _books,
    "notice books unchecked": _books_unchecked,
    "notice cap day": _cap_day,
    "notice cap hour": _cap_hour,
    "notice cap in_flight": _cap_in_flight,
    "notice fee": _fee,
    "notice reconcile": _reconcile,
}
