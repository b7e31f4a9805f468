"""Settlements and the worklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from handlers.replies import names, payments, reports, stored
from handlers.replies.plain import MAX_LINES, facts, lines, listed, shown
from handlers.replies.words import Wording, Words, phrase


def _line(each: Mapping[str, Any], w: Words) -> str:
    what = w(
        "{id} {direction} {sats} at {machine}, {status}",
        id=each["id"],
        direction=names.name(w, names.DIRECTIONS, each["tx_type"]),
        sats=w.sats(each["wire_sats"]),
        machine=each["machine"],
        status=names.name(w, names.STATUSES, each["status"]),
    )
    return facts([what, names.name(w, names.REASONS, each["reason"]) if each["reason"] else None])


def _list(r: Mapping[str, Any], w: Words) -> str:
    if not r["items"]:
        return w("No settlement here.")
    following = w("Older ones: {order}", order=f"settlement list before={r['next']}") if r["next"] else None
    found = [_line(each, w) for each in r["items"]]
    return listed(w, w("Settlements:"), found, following, w("One of them: {order}", order="show S…"))


def _amounts(each: Mapping[str, Any], w: Words) -> list[str]:
    mismatch = each["fee_mismatch_sats"]
    return [
        w(
            "{fiat} at {rate} sats: principal {principal}, fee {fee}",
            fiat=w.money(each["fiat_amount"], each["currency"]),
            rate=each["exchange_rate"],
            principal=w.sats(each["principal_sats"]),
            fee=w.sats(each["fee_sats"]),
        ),
        facts(
            [
                w("Platform {sats}", sats=w.sats(each["platform_fee_sats"])),
                w("operator {sats}", sats=w.sats(each["operator_fee_sats"])),
                w("mismatch {sats} sats", sats=f"{mismatch:+,}") if mismatch else None,
            ]
        ),
    ]


def _urgency(leg: Mapping[str, Any]) -> int:
    return {"failed": 0, "pending": 1, "skipped": 2}.get(leg["status"], 3)


def _legs(legs: Sequence[Mapping[str, Any]], room: int, w: Words) -> list[str]:
    """The legs that stand, those that need somebody first, in so many lines."""
    standing = sorted((leg for leg in legs if leg["status"] != "voided"), key=_urgency)
    if len(standing) <= room:
        return [_paid(leg, w) for leg in standing]
    left = len(standing) - room + 1
    return [*(_paid(leg, w) for leg in standing[: room - 1]), w("and {count} more", count=left)]


_LAST_TIME: Final = 253_402_300_799
"""The last second of the calendar."""
_PROOFS: Final = {
    "settled": phrase("Proven: the wallet shows the payment"),
    "not_supported": phrase("Accepted without proof: the wallet can't be asked"),
    "operator": phrase("Entered by hand, on the operator's word"),
    None: phrase("Not proven"),
}


def _came(event: Mapping[str, Any], w: Words) -> str:
    """How it got into the books."""
    arrived, end = w.moment(event["arrived_at"]), event["id"][-8:]
    if event["entered_by"]:
        return w("Entered {time} UTC, order …{end}.", time=arrived, end=end)
    if event["reported_at"] > _LAST_TIME:  # machines may say anything
        return w("Arrived {time} UTC, event …{end}.", time=arrived, end=end)
    said = w.moment(event["reported_at"])
    return w("Reported {said}, arrived {time} UTC, event …{end}.", said=said, time=arrived, end=end)


def _proof(proof: Mapping[str, Any], w: Words) -> str:
    again = proof["next_check_at"]
    found = [
        w.known(_PROOFS[proof["state"]]),
        w("wallet {wallet}", wallet=proof["wallet"]),
        w("asked {time}", time=w.moment(proof["checked_at"])) if proof["checked_at"] else None,
        w("next {time}", time=w.moment(again)) if again is not None else None,
    ]
    return f"{facts(found)}."


def _paid(leg: Mapping[str, Any], w: Words) -> str:
    """A payment, when it was completed and what that cost."""
    at = w.moment(leg["completed_at"]) if leg["completed_at"] else None
    fee = w("routing {sats}", sats=reports.msat(leg["fees_msat"], w)) if leg["fees_msat"] else None
    return facts([payments.line(leg, w), at, fee])


def _show(r: Mapping[str, Any], w: Words) -> str:
    """In the order in which it happened; of the payments as many as there is room for."""
    landed = r["landed"]
    before = [
        _line(r, w),
        shown(stored.sentence(w, r["detail"]), 200) if r["detail"] else None,
        _came(r["event"], w),
        _proof(r["proof"], w),
        w(
            "It came with {sats} for {fiat}, and was scaled since.",
            sats=w.sats(landed["wire_sats"]),
            fiat=w.money(landed["fiat_amount"], r["currency"]),
        )
        if landed
        else None,
        *_amounts(r, w),
    ]
    note = r["notes"][-1] if r["notes"] else None
    after = [
        w("Processed {time} UTC.", time=w.moment(r["processed_at"])) if r["processed_at"] else None,
        w("Last: {done}", done=reports.done(r["audit"][-1], w)) if r["audit"] else None,
        w("Note of {time}: {text}", time=w.moment(note["at"]), text=shown(note["text"], 200)) if note else None,
        w("To pay what failed: retry {id}", id=r["id"]) if r["status"] == "errored" else None,
    ]
    room = MAX_LINES - sum(line is not None for line in (*before, *after))
    return lines([*before, *_legs(r["legs"], room, w), *after])


def _retry(r: Mapping[str, Any], w: Words) -> str:
    open_legs = [leg for leg in r["legs"] if leg["status"] == "pending"]
    return lines(
        [
            w(
                "{id} is {status} again, open payments: {count}.",
                id=r["id"],
                status=names.name(w, names.STATUSES, r["status"]),
                count=len(open_legs),
            ),
            *_legs(open_legs, 7, w),
            w("To see how it goes: show {id}", id=r["id"]),
        ]
    )


def _item(bucket: str, item: Mapping[str, Any], w: Words) -> str:
    return w(
        "{bucket}: {id} {machine}, {sats}, {why}",
        bucket=names.name(w, names.BUCKETS, bucket),
        id=item["id"] if len(item["id"]) < 20 else f"…{item['id'][-8:]}",
        machine=item["machine"],
        sats=w.sats(item["wire_sats"]),
        why=shown(_why(item, w), 80),
    )


def _why(item: Mapping[str, Any], w: Words) -> str:
    """The reason of a settlement; of a payment what kind it is and its reason."""
    kind, colon, reason = item["reason"].partition(": ")
    kind = kind.partition(" ")[0]
    if colon and kind in names.PAYMENT_TYPES:
        return f"{names.name(w, names.PAYMENT_TYPES, kind)}: {stored.sentence(w, reason)}"
    if item["reason"] in names.REASONS:
        return names.name(w, names.REASONS, item["reason"])
    return stored.sentence(w, item["reason"])


def _worklist(r: Mapping[str, Any], w: Words) -> str:
    buckets = {bucket: items for bucket, items in r["buckets"].items() if items}
    if not buckets:
        return w("Nothing needs a person.")
    each_room = max(1, 8 // len(buckets))
    found = [_item(bucket, item, w) for bucket, items in buckets.items() for item in items[:each_room]]
    total = sum(len(items) for items in buckets.values()) + r.get("more", 0)
    hidden = total - len(found)
    return lines(
        [
            w("To look at: {count}", count=f"{total:,}"),
            *found,
            w("and {count} more", count=f"{hidden:,}") if hidden else None,
            w("One of them: {order}", order="show S…, show P…"),
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "settlement list": _list,
    "settlement show": _show,
    "settlement retry": _retry,
    "worklist": _worklist,
}
