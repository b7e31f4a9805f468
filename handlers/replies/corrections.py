"""Orders about what did not go as it should, and payments that an order makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from handlers.replies import names, payments
from handlers.replies.general import ask_for_code
from handlers.replies.plain import facts, lines, shown
from handlers.replies.words import Wording, Words

MAX_NOTES: Final = 10


def _status(r: Mapping[str, Any], w: Words) -> str:
    return w("{id} is {status}.", id=r["id"], status=names.name(w, names.STATUSES, r["status"]))


def _voided(ids: Sequence[str], w: Words) -> str | None:
    if not ids:
        return None
    more = w("and {count} more", count=len(ids) - 8) if len(ids) > 8 else None
    return w("Not to be paid any more: {payments}", payments=facts([*ids[:8], more]))


def _reset(r: Mapping[str, Any], w: Words) -> str:
    return lines([_status(r, w), w("To share it out and pay it again: retry {id}", id=r["id"])])


def _amounts(amounts: Mapping[str, Any], currency: str, w: Words) -> str:
    return w(
        "{fiat}: principal {principal}, platform {platform}, operator {operator}",
        fiat=w.money(amounts["fiat_amount"], currency),
        principal=w.sats(amounts["principal_sats"]),
        platform=w.sats(amounts["platform_fee_sats"]),
        operator=w.sats(amounts["operator_fee_sats"]),
    )


def _partial_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    return ask_for_code(
        [
            w(
                "{settlement} at {machine} is scaled to what was dispensed.",
                settlement=preview["settlement"],
                machine=preview["machine"],
            ),
            w("Now: {amounts}", amounts=_amounts(preview["was"], preview["currency"], w)),
            w("Then: {amounts}", amounts=_amounts(preview["to"], preview["currency"], w)),
            w("{sats} are the customer's: they stay in the wallet.", sats=w.sats(preview["undispensed_sats"])),
            _voided(preview["voided"], w),
        ],
        r,
        w,
    )


def _partial(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            _status(r, w),
            _amounts(r, r["currency"], w),
            w("{sats} are the customer's: they stay in the wallet.", sats=w.sats(r["undispensed_sats"])),
            w("It is shared out anew at once. To see how it goes: show {id}", id=r["id"]),
        ]
    )


def _note(r: Mapping[str, Any], w: Words) -> str:
    """The newest last; they may be long."""
    found = [
        w("{time}: {text}", time=w.moment(note["at"]), text=shown(note["text"], 400))
        for note in r["notes"][-MAX_NOTES:]
    ]
    return lines([w("Notes of {id}:", id=r["id"]) if found else w("{id} has no notes.", id=r["id"]), *found])


def _credit(preview: Mapping[str, Any], w: Words) -> str | None:
    if not preview["credit_sats"]:
        return None
    return w(
        "{credit} of it were paid twice before and are set off: {rest} leave the wallet.",
        credit=w.sats(preview["credit_sats"]),
        rest=w.sats(preview["sats"] - preview["credit_sats"]),
    )


def _refund_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    return ask_for_code(
        [
            w(
                "The customer of {settlement} gets {sats} back, from wallet {wallet}, paid to {target}.",
                settlement=preview["settlement"],
                sats=w.sats(preview["sats"]),
                wallet=preview["wallet"],
                target=preview["to"],
            ),
            _credit(preview, w),
            w("Nothing more of {settlement} is shared out.", settlement=preview["settlement"]),
            _voided(preview["voided"], w),
            w("{sats} could still be refunded after that.", sats=w.sats(preview["left_sats"]))
            if preview["left_sats"]
            else None,
        ],
        r,
        w,
    )


def _refund(r: Mapping[str, Any], w: Words) -> str:
    leg = next(each for each in r["legs"] if each["id"] == r["payment"])
    return lines([_status(r, w), payments.line(leg, w), w("To see how it goes: show {id}", id=leg["id"])])


def _entry_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    proven = (
        w("There is no payment hash: no wallet can prove it, your word alone makes it count.")
        if preview["proof"] == "operator"
        else w("It counts as soon as the wallet shows the payment …{end}.", end=preview["payment_hash"][-8:])
    )
    return ask_for_code(
        [
            w(
                "A {direction} of {sats} at {machine} is entered by hand.",
                direction=names.name(w, names.DIRECTIONS, preview["tx_type"]),
                sats=w.sats(preview["wire_sats"]),
                machine=preview["machine"],
            ),
            _amounts(preview, preview["currency"], w),
            w("The fee differs by {sats} sats from the fees that are set.", sats=f"{preview['fee_mismatch_sats']:+,}")
            if preview["fee_mismatch_sats"]
            else None,
            proven,
        ],
        r,
        w,
    )


def _entered(r: Mapping[str, Any], w: Words) -> str:
    return lines([_status(r, w), _amounts(r, r["currency"], w), w("To see how it goes: show {id}", id=r["id"])])


def _settle_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    return ask_for_code(
        [
            w(
                "{name} gets {sats} for {fiat} at {machine}, at {rate} sats for one {currency}.",
                name=preview["name"],
                sats=w.sats(preview["sats"]),
                fiat=w.money(preview["fiat_amount"], preview["currency"]),
                machine=preview["machine"],
                rate=preview["rate"],
                currency=preview["currency"],
            ),
            w("That is all that is left: the amount was more.") if preview["capped"] else None,
            w("From wallet {wallet}, paid to {target}.", wallet=preview["wallet"], target=preview["to"]),
            _credit(preview, w),
            w("It waits: the payee is frozen.") if preview["waits_for"] == "unfreeze" else None,
            w("It waits: payments are paused.") if preview["waits_for"] == "resume" else None,
            w("{fiat} are left after that.", fiat=w.money(preview["remaining"], preview["currency"])),
            w("It takes the place of {payments}, which failed.", payments=facts(preview["replaced"]))
            if preview["replaced"]
            else None,
        ],
        r,
        w,
    )


def _settled(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            payments.line(r, w),
            w("{fiat} are left after that.", fiat=w.money(r["remaining"], r["currency"])),
            w("To see how it goes: show {id}", id=r["id"]),
        ]
    )


def _left_out(found: Sequence[Mapping[str, Any]], w: Words) -> list[str]:
    return [w("Left out: {name}, {why}", name=each["name"], why=shown(each["reason"], 120)) for each in found[:3]]


def _run_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    paid = [
        w(
            "{name} gets {sats} for {fiat} at {machine}, at {rate} sats for one {currency}.",
            name=each["name"],
            sats=w.sats(each["sats"]),
            fiat=w.money(each["fiat_amount"], each["currency"]),
            machine=each["machine"],
            rate=each["rate"],
            currency=each["currency"],
        )
        for each in preview["payments"]
    ]
    more = w("and {count} more", count=len(paid) - 5) if len(paid) > 5 else None
    replaced = [payment for each in preview["payments"] for payment in each["replaced"]]
    instead = w("It takes the place of {payments}, which failed.", payments=facts(replaced[:8])) if replaced else None
    return ask_for_code([*paid[:5], more, instead, *_left_out(preview["left_out"], w)], r, w)


def _run(r: Mapping[str, Any], w: Words) -> str:
    paid = [payments.line(each, w) for each in r["payments"]]
    more = w("and {count} more", count=len(paid) - 7) if len(paid) > 7 else None
    return lines([*paid[:7], more, *_left_out(r["left_out"], w), w("To see how it goes: payment list")])


def _release_preview(r: Mapping[str, Any], w: Words) -> str:
    preview = r["preview"]
    word = names.name(w, names.EVIDENCE, preview["last_word"]) if preview["last_word"] else w("nothing")
    return ask_for_code(
        [
            payments.line(preview, w),
            w(
                "The attempt …{end} from wallet {wallet} is given up, and the payment is made again.",
                end=preview["payment_hash"][-8:],
                wallet=preview["wallet"],
            ),
            w("The wallet's last word about it: {word}", word=word),
            None
            if preview["expired"]
            else w(
                "Its invoice can be paid until {time} UTC: better wait until then.",
                time=w.moment(preview["expires_at"]),
            ),
            w("If the wallet paid it after all, {label} is paid twice, at your cost.", label=preview["label"]),
        ],
        r,
        w,
    )


def _released(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            payments.line(r, w),
            w("The attempt …{end} is given up.", end=r["released"][-8:]),
            w("To see how it goes: show {id}", id=r["id"]),
        ]
    )


def _withdrawn(r: Mapping[str, Any], w: Words) -> str:
    return lines([payments.line(r, w), w("Its sats stay in the wallet.")])


TEXTS: Final[dict[str, Wording]] = {
    "settlement reset": _reset,
    "settlement partial?": _partial_preview,
    "settlement partial": _partial,
    "settlement note": _note,
    "settlement refund?": _refund_preview,
    "settlement refund": _refund,
    "settlement add?": _entry_preview,
    "settlement add": _entered,
    "lp settle?": _settle_preview,
    "lp settle": _settled,
    "fixed run?": _run_preview,
    "fixed run": _run,
    "payment release?": _release_preview,
    "payment release": _released,
    "payment withdraw": _withdrawn,
}
