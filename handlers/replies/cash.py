"""Bays and boxes: what is believed to be in them, what the machine says, and what does not add up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from handlers.replies.plain import MAX_LINES, facts, lines
from handlers.replies.words import Wording, Words


def _money(amount: str, r: Mapping[str, Any], w: Words) -> str:
    """Without a sign: the words around it say which way."""
    return w.money(amount.removeprefix("-"), r["currency"])


def _report(r: Mapping[str, Any], w: Words) -> str | None:
    """How the machine's own report compares."""
    at = w.moment(r["reported_at"])
    if r["differs_since"] is None:
        return w("Its report of {time} says the same.", time=at)
    difference = Decimal(r["believed"]) - Decimal(r["reported"])
    amount, since = _money(f"{difference:f}", r, w), w.moment(r["differs_since"])
    if difference > 0:
        return w(
            "Its report of {time} says {amount} less; different since {since}", time=at, amount=amount, since=since
        )
    if difference < 0:
        return w(
            "Its report of {time} says {amount} more; different since {since}", time=at, amount=amount, since=since
        )
    return w("Its report of {time} says the same amount in other bays, since {since}", time=at, since=since)


def _held(each: Mapping[str, Any]) -> str:
    return f"{each['count']:,} × {each['denomination']:,}"


def _reported(each: Mapping[str, Any], w: Words) -> str | None:
    """What its machine says of a bay, where that is something else."""
    if each["left_out_since"] is not None:
        return w("not in the machine's last report, since {time}", time=w.moment(each["left_out_since"]))
    if each["differs_since"] is None:
        return None
    count, denomination = each["reported_count"], each["reported_denomination"]
    if denomination == each["denomination"]:
        return w("reported {count}", count=f"{count:,}")
    return w("reported {count}", count=f"{count:,} × {denomination:,}")


def _bays(r: Mapping[str, Any], w: Words, room: int) -> list[str]:
    """A line for each, or several to a line where there are more than lines."""
    found = list(r["cassettes"].items())
    if len(found) <= room:
        return [
            facts(
                [
                    f"{position}: {_held(each)}",
                    _reported(each, w),
                    w("{days} days left", days=each["days_left"]) if each["days_left"] is not None else None,
                ]
            )
            for position, each in found
        ]
    each_line = -(-len(found) // room)
    short = [
        f"{position}: {_held(each)}" + (f" ({said})" if (said := _reported(each, w)) else "")
        for position, each in found
    ]
    return ["; ".join(short[first : first + each_line]) for first in range(0, len(short), each_line)]


def _unplaced(r: Mapping[str, Any], w: Words) -> str | None:
    amount = Decimal(r["unplaced"])
    if amount == 0:
        return None
    if amount < 0:
        return w("{amount} more must be there than the bays show.", amount=_money(r["unplaced"], r, w))
    return w(
        "{amount} went out of no known bay. Count all, then with the last one: unplaced=0",
        amount=_money(r["unplaced"], r, w),
    )


def gap(r: Mapping[str, Any], w: Words) -> str | None:
    """What is believed, against LPs' deposits less what was dispensed."""
    amount, explained = _money(r["gap"], r, w), w.money(r["explained"], r["currency"])
    since = w.moment(r["gap_since"])
    if Decimal(r["gap"]) == 0:
        return w("LPs' deposits less what was dispensed: the same.")
    if Decimal(r["gap"]) > 0:
        return w(
            "LPs' deposits less what was dispensed: {explained}; {amount} more is there, since {since}",
            explained=explained,
            amount=amount,
            since=since,
        )
    return w(
        "LPs' deposits less what was dispensed: {explained}; {amount} is missing, since {since}",
        explained=explained,
        amount=amount,
        since=since,
    )


def box(r: Mapping[str, Any], w: Words) -> str:
    held = w.money(r["box"], r["currency"])
    if r["box_limit"] is None:
        return w("Box: {amount}", amount=held)
    return w("Box: {amount} of {limit}", amount=held, limit=w.money(r["box_limit"], r["currency"]))


def _config(r: Mapping[str, Any], w: Words) -> str | None:
    if r["config_sent_at"] is None:
        return None
    sent = w.moment(r["config_sent_at"])
    if r["config_applied_at"] is None:
        return w("What was sent to it at {time} it has not taken yet.", time=sent)
    return w("It took what was sent to it at {time}.", time=sent)


def _total(r: Mapping[str, Any], w: Words) -> str:
    return w("{machine}: {amount} in its bays", machine=r["machine"], amount=w.money(r["believed"], r["currency"]))


def _list(r: Mapping[str, Any], w: Words) -> str:
    head = [_total(r, w), _report(r, w)]
    tail = [
        _unplaced(r, w),
        gap(r, w),
        box(r, w),
        _config(r, w),
        w("To put one right: cassette set {machine} {position} count=…", machine=r["machine"], position=_first(r)),
    ]
    room = MAX_LINES - len([line for line in (*head, *tail) if line])
    return lines([*head, *_bays(r, w, room), *tail])


def _first(r: Mapping[str, Any]) -> str:
    """The bay that is most likely to be put right."""
    found: Mapping[str, Mapping[str, Any]] = r["cassettes"]
    return next((position for position, each in found.items() if each["differs_since"] is not None), next(iter(found)))


def _set(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            _total(r, w),
            *_bays(r, w, 6),
            _unplaced(r, w),
            w("To tell the machine: cassette publish {machine}", machine=r["machine"]),
        ]
    )


def _published(r: Mapping[str, Any], w: Words) -> str:
    sent = w("That is sent to the machine. Its next report shows if it took it.")
    return lines([_total(r, w), *_bays(r, w, 6), sent])


def _box(r: Mapping[str, Any], w: Words) -> str:
    emptied = w("Emptied: {time}", time=w.moment(r["box_emptied_at"]))
    how = w("To empty it: box empty {machine} AMOUNT", machine=r["machine"])
    return lines([f"{r['machine']}: {box(r, w)}", emptied, how])


def _emptied(r: Mapping[str, Any], w: Words) -> str:
    return lines([f"{r['machine']}: {box(r, w)}", _counted(r, w)])


def _counted(r: Mapping[str, Any], w: Words) -> str:
    believed = w.money(r["believed"], r["currency"])
    if r["counted"] is None:
        return w("{amount} was in it.", amount=believed)
    if Decimal(r["difference"]) == 0:
        return w("{amount} was in it, just what you counted.", amount=believed)
    counted, amount = w.money(r["counted"], r["currency"]), _money(r["difference"], r, w)
    if Decimal(r["difference"]) < 0:
        return w(
            "{amount} was to be in it, you counted {counted}: {less} less",
            amount=believed,
            counted=counted,
            less=amount,
        )
    return w(
        "{amount} was to be in it, you counted {counted}: {more} more", amount=believed, counted=counted, more=amount
    )


TEXTS: Final[dict[str, Wording]] = {
    "cassette list": _list,
    "cassette set": _set,
    "cassette publish": _published,
    "box show": _box,
    "box empty": _emptied,
    "box set": _box,
}
