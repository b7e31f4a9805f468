"""Wallets, and whether the books agree with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from handlers.replies import names, reports, stored
from handlers.replies.general import ask_for_code
from handlers.replies.plain import MAX_LINES, facts, lines, listed, shown
from handlers.replies.words import Wording, Words, phrase

NOT_OFFERED: Final = phrase("not offered")
NO_LIST: Final = phrase("it does not offer list_transactions")
NO_END: Final = phrase("it did not come to an end in time")
PART_OF_LIST: Final = phrase("the wallet did not give the whole list")
INVENTED: Final = phrase("it shows a payment that nobody made")
NO_RELAY: Final = phrase("none of its relays is connected")
"""What is said of a wallet's answer by us; everything else is its own words."""

_OURS: Final = frozenset({NOT_OFFERED, NO_LIST, NO_END, PART_OF_LIST, INVENTED, NO_RELAY})
_TESTS: Final[Mapping[str, str]] = {
    "info": phrase("What it offers"),
    "balance": phrase("Balance"),
    "lookup": phrase("Look-up of a payment nobody made"),
    "list": phrase("List of payments"),
}
_DIFFERENCES: Final[Mapping[str, str]] = {
    "not_in_wallet": phrase("paid by the books, and the wallet does not show it"),
    "wallet_amount": phrase("another amount in the wallet than in the books"),
    "unexplained_payment": phrase("a payment in the wallet that nothing explains"),
    "paid_after_release": phrase("the wallet shows it paid, and the books had given it up"),
    "paid_twice": phrase("the wallet shows it paid twice"),
}
_MOST: Final = 6


def _balance(r: Mapping[str, Any], w: Words) -> str:
    return w("balance unknown") if r["balance_sats"] is None else w.sats(r["balance_sats"])


def _line(r: Mapping[str, Any], w: Words) -> str:
    flight = w("{sats} on the way", sats=w.sats(r["in_flight_sats"])) if r["in_flight_sats"] else None
    stopped = None
    if r["paused_reason"]:
        stopped = w("stopped: {why}", why=names.name(w, names.WALLET_STOPS, r["paused_reason"]))
    heard = w("last heard {time}", time=w.moment(r["last_answer_at"]))
    up = None if r["up"] else facts([w("not reached"), heard])
    named = f"{r['name']} ({r['machine']})" if r["machine"] else w("{name} (no machine)", name=r["name"])
    return f"{named}: {facts([_balance(r, w), flight, up, stopped])}"


def _list(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No wallet is configured.")
    following = w("More: {order}", order=f"wallet list before={r['next']}") if r["next"] else None
    tail = w("To try one: {order}", order=f"wallet test {r['items'][0]['name']}")
    return listed(w, w("Wallets:"), [_line(each, w) for each in r["items"]], following, tail)


def _test(r: Mapping[str, Any], w: Words) -> str:
    tests = r["tests"]
    if r["missing_methods"]:
        head = w(
            "Wallet {wallet} is not fit to pay from: it does not offer {methods}. Nothing is paid from it. "
            "Allow that for the connection, in the wallet.",
            wallet=r["name"],
            methods=", ".join(r["missing_methods"]),
        )
    elif all(each["ok"] for each in tests.values()):
        head = w("Wallet {wallet} answers as it should.", wallet=r["name"])
    else:
        head = w("Wallet {wallet} answers, and not all is well:", wallet=r["name"])
    stopped = None
    if r["paused_reason"]:
        why = names.name(w, names.WALLET_STOPS, r["paused_reason"])
        stopped = w("Nothing is paid from it now: {why}", why=why)
    strange = None
    if tests["lookup"]["answer"] and not tests["lookup"]["ok"] and tests["balance"]["ok"]:
        strange = w(
            "Without a plain “not found” a payment that fails there waits for you instead of being tried again."
        )
    return lines(
        [
            head,
            f"{_line(r, w)}",
            *[_trial(w.known(what), tests[name], w) for name, what in _TESTS.items()],
            strange,
            w("It shows no proof of what it pays: each payment then waits for you.")
            if r["preimages"] is False
            else None,
            stopped,
            _kind(r, w),
            w("Encryption: {names}", names=", ".join(r["encryption"])),
            w("No sat was moved. All wallets: wallet list"),
        ]
    )


def _try_preview(r: Mapping[str, Any], w: Words) -> str:
    what = w(
        "Wallet {wallet} pays {sats} to itself. The sat stays in it; a routing fee may be lost.",
        wallet=r["preview"]["wallet"],
        sats=w.sats(r["preview"]["sats"]),
    )
    return ask_for_code([what], r, w)


def _tried(r: Mapping[str, Any], w: Words) -> str:
    if not r["paid"]:
        why = shown(r["error"], 100) if r["error"] else w("it did not answer in time")
        return lines(
            [
                w("Wallet {wallet} did not pay itself: {why}", wallet=r["wallet"], why=why),
                w(
                    "If it still does, its list explains it: nothing needs to be done. See: wallet test {wallet}",
                    wallet=r["wallet"],
                ),
            ]
        )
    fee = w("fee not told") if r["fees_msat"] is None else w("fee {sats}", sats=reports.msat(r["fees_msat"], w))
    proof = w("Proof of payment: given")
    if not r["preimage"]:
        proof = w("Proof of payment: none. Each payment from it then waits for you.")
    given_back = None
    if r["metadata"] is not None:
        given_back = w("Its list names what each payment is for.")
        if not r["metadata"]:
            given_back = w("Its list does not name what a payment is for.")
    paid = w("Wallet {wallet} paid {sats} to itself", wallet=r["wallet"], sats=w.sats(r["sats"]))
    took = w("{milliseconds} ms", milliseconds=r["milliseconds"])
    following = w("What else it can do: wallet test {wallet}", wallet=r["wallet"])
    return lines([facts([paid, took, fee]), proof, given_back, following])


_LOOKS: Final[Mapping[str, str]] = {
    "lnbits": phrase("LNbits"),
    "like_lnbits": phrase("something like LNbits"),
    "hub_ldk": phrase("Alby Hub with its own node"),
    "hub": phrase("Alby Hub with a node that does not tell what it is"),
    "other": phrase("none of the wallets that I know"),
}


def _kind(r: Mapping[str, Any], w: Words) -> str:
    """How long a payment that failed there may still turn out paid hangs on this."""
    if "looks" not in r:
        return w("Profile: {profile}. What it is can't be told now.", profile=r["profile"])
    looks = w.known(_LOOKS[r["looks"]])
    if r["found_profile"] == r["profile"]:
        return w("Profile: {profile}. It looks like {looks}.", profile=r["profile"], looks=looks)
    return w(
        "Profile: {profile}, by the configuration. It looks like {looks} ({found}).",
        profile=r["profile"],
        looks=looks,
        found=r["found_profile"],
    )


def _trial(what: str, each: Mapping[str, Any], w: Words) -> str:
    if each["ok"]:
        return w("{what}: well, {milliseconds} ms", what=what, milliseconds=each["milliseconds"])
    return w("{what}: {error}", what=what, error=shown(stored.sentence(w, each["error"]), 100))


def _why(text: str, w: Words) -> str:
    return w.known(text) if text in _OURS else shown(text, 90)


def _reconcile(r: Mapping[str, Any], w: Words) -> str:
    count, wallets = r["count"], r["wallets"]
    unread = [each for each in wallets if each["error"] is not None]
    partly = [each for each in wallets if each["error"] is None and not each["complete"]]
    if count:
        head = w("{count} differences.", count=f"{count:,}") if count > 1 else w("1 difference.")
    elif unread or partly:
        head = w("No difference in what could be compared, which is not everything.")
    else:
        head = w("No difference.")
    checked = r["checked"]
    looked = w(
        "Compared settlements: {settlements}, payments: {payments}, wallets: {wallets}, what they list: {listed}.",
        settlements=f"{checked.get('settlements', 0):,}",
        payments=f"{checked.get('legs', 0):,}",
        wallets=len(wallets) - len(unread),
        listed=f"{checked.get('listed', 0):,}",
    )
    troubles = [
        *(
            w(
                "Not compared: wallet {wallet}: {why}",
                wallet=each["name"],
                why=shown(stored.sentence(w, each["error"]), 80),
            )
            for each in unread
        ),
        *(w("Wallet {wallet} did not give its whole list.", wallet=each["name"]) for each in partly),
    ]
    unmatched = checked.get("unmatched", 0)
    shown_troubles = _some(troubles, 3, w)
    known = w("Payments without a settlement, on the worklist: {count}", count=f"{unmatched:,}") if unmatched else None
    following = w("All that is known of each, on the host: satmachine tell --json reconcile") if count else None
    room = MAX_LINES - len(shown_troubles) - len([line for line in (head, looked, known, following) if line])
    found = [difference(each, w) for each in r["differences"]]
    return lines([head, *_some(found, min(room, _MOST), w, count), *shown_troubles, looked, known, following])


def difference(each: Mapping[str, Any], w: Words) -> str:
    name = each["name"]
    what = w.known(_DIFFERENCES[name]) if name in _DIFFERENCES else w("the books: {name}", name=name.replace("_", " "))
    ref = f"{each['ref'][:8]}…" if len(each["ref"]) == 64 else each["ref"]
    where = w("wallet {wallet}", wallet=each["wallet"]) if "wallet" in each else None
    return f"{facts([ref, where])}: {what} ({shown(each['detail'], 90)})"


def _some(found: Sequence[str], most: int, w: Words, count: int | None = None) -> list[str]:
    """At most so many lines; the last one counts the rest of the `count` that there are."""
    total = len(found) if count is None else count
    if total <= most and len(found) == total:
        return list(found)
    kept = list(found[: most - 1])
    return [*kept, w("and {count} more", count=f"{total - len(kept):,}")]


TEXTS: Final[dict[str, Wording]] = {
    "wallet list": _list,
    "wallet test": _test,
    "wallet try?": _try_preview,
    "wallet try": _tried,
    "reconcile": _reconcile,
}
