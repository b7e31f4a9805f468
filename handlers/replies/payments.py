"""Payments and their attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies import names, reports, stored
from handlers.replies.plain import facts, lines, listed, shown
from handlers.replies.words import Wording, Words, phrase


def line(leg: Mapping[str, Any], w: Words) -> str:
    """`P40 LP share, 50,000 sats to ana: failed, the target does not answer`."""
    what = w(
        "{id} {type}, {sats} to {label}: {status}",
        id=leg["id"],
        type=names.name(w, names.PAYMENT_TYPES, leg["type"]),
        sats=w.sats(leg["amount_sats"]),
        label=leg["label"] if leg["lp"] else stored.sentence(w, leg["label"]),
        status=names.name(w, names.STATUSES, leg["status"]),
    )
    return facts([what, shown(stored.sentence(w, leg["reason"]), 80) if leg["reason"] else None])


def _list(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No payment here.")
    following = w("Older ones: {order}", order=f"payment list before={r['next']}") if r["next"] else None
    found = [line(each, w) for each in r["items"]]
    return listed(w, w("Payments:"), found, following, w("One of them: {order}", order="show P…"))


_STEPS: Final = {
    "retry_by_operator": phrase("It waits for you: retry {settlement}"),
    "send": phrase("An invoice is there; the wallet is asked to pay it next."),
    "ask_wallet": phrase("The wallet is asked what became of it, next at {time} UTC. Nothing is paid again before."),
    "look_for_proof": phrase(
        "The wallet says paid, without proof: it is never paid again, proof is looked for at {time} UTC."
    ),
    "wait_for_hold": phrase("It waits: the bot holds all payments. Say status."),
    "wait_for_resume": phrase("It waits: payments are paused. To go on: resume"),
    "wait_for_wallet": phrase("It waits: the wallet can't pay now. Say status."),
    "wait_for_unfreeze": phrase("It waits: the payee is frozen."),
    "get_invoice": phrase("The payee is asked for an invoice at {time} UTC."),
}


def _attempt(each: Mapping[str, Any], w: Words) -> str:
    what = w(
        "Attempt …{end}: {state}, sent {time}",
        end=each["payment_hash"][-8:],
        state=names.name(w, names.STATUSES, each["state"]),
        time=w.moment(each["sent_at"]),
    )
    # A control look-up is about another payment: whether the wallet still knows its past.
    heard = [seen for seen in each["evidence"] if seen["source"] != "control"]
    if not heard:
        return what
    last = heard[-1]
    word = w(
        "last word: {what} ({who}) {time}",
        what=names.name(w, names.EVIDENCE, last["class"]),
        who=names.name(w, names.SOURCES, last["source"]),
        time=w.moment(last["received_at"]),
    )
    return facts([what, word])


def _show(r: Mapping[str, Any], w: Words) -> str:
    step = _STEPS.get(r["next"]["step"])
    following = None
    if step is not None and not (r["settlement"] is None and "{settlement}" in step):
        following = w.known(step).format(time=w.moment(r["next"]["at"]), settlement=r["settlement"])
    if r["next"]["step"] == "wait_for_connection":
        following = w(
            "It waits: wallet {wallet} is not in the configuration, so nobody pays or asks. Put its connection back.",
            wallet=r["wallet"],
        )
    if "machine" in r["next"]:
        following = w("It waits: {machine} is paused. To go on: resume {machine}", machine=r["next"]["machine"])
    attempts = r["attempts"]
    place = (
        w("Of {settlement}, {machine}", settlement=r["settlement"], machine=r["machine"])
        if r["settlement"]
        else r["machine"]
    )
    planned = w("planned {time} UTC, wallet {wallet}", time=w.moment(r["created_at"]), wallet=r["wallet"])
    fee = w("routing {sats}", sats=reports.msat(r["fees_msat"], w)) if r["fees_msat"] else None
    twice = None
    if r["paid_twice"]:
        twice = w(
            "Paid a second time: {sats}, of which the payee's next payments have yet to set off {open}.",
            sats=w.sats(r["paid_twice"]["sats"]),
            open=w.sats(r["paid_twice"]["open_sats"]),
        )
    return lines(
        [
            line(r, w),
            twice,
            facts([place, planned]),
            w("Paid to {target}", target=r["to"]) if r["to"] else None,
            w("Earlier attempts: {count}", count=len(attempts) - 4) if len(attempts) > 4 else None,
            *[_attempt(each, w) for each in attempts[-4:]],
            facts([w("Completed {time} UTC", time=w.moment(r["completed_at"])), fee]) if r["completed_at"] else None,
            w("Preimage {preimage}", preimage=r["preimage"]) if r["preimage"] else None,
            w("Last: {done}", done=reports.done(r["audit"][-1], w)) if r["audit"] else None,
            following,
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "payment list": _list,
    "payment show": _show,
}
