"""Help, status, pauses, and how a money order asks for its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from handlers.replies import names, stored
from handlers.replies.plain import MAX_LINES, facts, lines
from handlers.replies.words import Wording, Words

_SHOWN: Final = ("deposit", "prefs", "join")
"""What help is asked about in the example that help gives: the first that the reader may use."""
_HELP_CHARS: Final = 64
"""How long a line of help may get that names several groups of orders."""


def _help(r: Mapping[str, Any], w: Words) -> str:
    if "command" in r:
        return _help_one(r, w)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for each in sorted(r["commands"], key=lambda command: str(command["name"])):
        groups.setdefault(each["name"].partition(" ")[0], []).append(each)
    if len(groups) == 1:
        return _help_group(r["commands"], w)
    singles = [_as_typed(found[0], w) for group, found in groups.items() if found[0]["name"] == group]
    several = {group: found for group, found in groups.items() if found[0]["name"] != group}
    named = [
        f"{group} {'|'.join(each['name'].partition(' ')[2] for each in found)}" for group, found in several.items()
    ]
    shown = next((group for group in _SHOWN if group in groups), next(iter(groups)))
    if shown in several:
        about = w("More about them: help {group}, help {command}", group=shown, command=groups[shown][0]["name"])
    else:
        about = w("More about one: help {command}", command=shown)
    return lines([", ".join(sorted(singles)), *_packed(named), about])


def _as_typed(command: Mapping[str, Any], w: Words) -> str:
    """An order by its word in the reader's language, where it has one."""
    own = [short for short in command["short"] if short in w.first_words]
    return own[0] if own else str(command["name"])


def _packed(groups: Sequence[str]) -> list[str]:
    """Groups one to a line; short neighbours share one, so that all of them fit."""
    packed: list[str] = []
    for group in groups:
        if packed and len(packed[-1]) + len(group) + 2 <= _HELP_CHARS:
            packed[-1] += f"; {group}"
        else:
            packed.append(group)
    return packed


def _help_group(commands: Sequence[Mapping[str, Any]], w: Words) -> str:
    """What each order of a group does, and an example of it."""
    if len(commands) * 2 > MAX_LINES:
        return lines([f"{each['example']}: {w.known(each['summary'])}" for each in commands])
    return lines(
        line for each in commands for line in (f"{each['name']}: {w.known(each['summary'])}", f"  {each['example']}")
    )


def _help_one(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            f"{r['command']}: {w.known(r['summary'])}",
            *[_parameter(each, w) for each in r["parameters"]],
            w("It is done only after confirm with a code.") if r["money_order"] else None,
            w("For example: {example}", example=r["example"]),
        ]
    )


def _parameter(each: Mapping[str, Any], w: Words) -> str:
    meaning = w.known(each["meaning"])
    return f"  {each['name']}: {meaning}" if each["required"] else f"  {each['name']}?: {meaning}"


def _whoami(r: Mapping[str, Any], w: Words) -> str:
    roles = ", ".join(names.name(w, names.ROLES, role) for role in r["roles"])
    known = w("Your role here: {roles}", roles=roles)
    return lines(
        [
            known if roles else w("You have no role here yet. To become an LP: join you@example.com"),
            w("Your key: {npub}", npub=r["npub"]),
            w("I talk to you in English.") if roles else None,
            w("Say help for what you can do."),
        ]
    )


def _wallet(each: Mapping[str, Any], w: Words) -> str:
    balance = w("balance unknown") if each["balance_sats"] is None else w.sats(each["balance_sats"])
    flight = w("{sats} on the way", sats=w.sats(each["in_flight_sats"])) if each["in_flight_sats"] else None
    stopped = None
    if each["paused_reason"]:
        stopped = w("stopped: {why}", why=names.name(w, names.WALLET_STOPS, each["paused_reason"]))
    found = facts([balance, flight, None if each["up"] else w("not reached"), stopped])
    return w("Wallet {wallet}: {facts}", wallet=each["name"], facts=found)


def _withholding(relays: Sequence[Mapping[str, Any]], w: Words) -> str | None:
    found = [relay["url"] for relay in relays if relay["withholding"]]
    return w("They take messages and deliver none: {relays}", relays=", ".join(found[:3])) if found else None


def _missing(machines: Sequence[Mapping[str, Any]], w: Words) -> str | None:
    if not machines:
        return None
    found = facts([f"{each['machine']} ({each['count']})" for each in machines[:5]])
    return w(
        "Reports that never came: {machines}. Which: machine show {machine}",
        machines=found,
        machine=machines[0]["machine"],
    )


def _relays(relays: Sequence[Mapping[str, Any]], w: Words) -> str:
    down = [relay["url"] for relay in relays if not relay["up"]]
    if not down:
        return w("Relays: all {count} up", count=len(relays))
    return w(
        "Relays: {up} of {count} up, down: {down}",
        up=len(relays) - len(down),
        count=len(relays),
        down=", ".join(down[:3]),
    )


def _paused_machines(names_: Sequence[str], w: Words) -> str | None:
    if not names_:
        return None
    more = w("and {count} more", count=len(names_) - 5) if len(names_) > 5 else None
    paused = facts([*names_[:5], more])
    return w("Paused: {machines}. To go on: {order}", machines=paused, order=f"resume {names_[0]}")


def _state(r: Mapping[str, Any], w: Words) -> str:
    if r["holds"]:
        why = stored.first_reason(r["holds"], w)
        return (
            w("Payments are paused, and held besides: {why}", why=why)
            if r["paused"]
            else w("Nothing is paid: {why}", why=why)
        )
    return w("All payments are paused: resume") if r["paused"] else w("Running, payments are on.")


def _needed(r: Mapping[str, Any], counts: Sequence[str], w: Words) -> list[str]:
    """What a person has to do."""
    held = {hold["name"] for hold in r["holds"]}
    return [
        *([w("Somebody has to look at the books, then: resume")] if "books" in held else []),
        *([w("What these books forgot, and what is to be done: forgotten list")] if "past" in held else []),
        *([w("Needs a person: {counts}. Say worklist.", counts=", ".join(counts))] if counts else []),
    ] or [w("Nothing needs a person.")]


def _status(r: Mapping[str, Any], w: Words) -> str:
    counts = [f"{names.name(w, names.BUCKETS, bucket)}: {count}" for bucket, count in r["worklist"].items() if count]
    left = len(r["wallets"]) - 5
    return lines(
        [
            _state(r, w),
            _paused_machines(r["paused_machines"], w),
            w("Version {version}, up {time}", version=r["version"], time=w.duration(r["uptime_seconds"])),
            _relays(r["relays"], w),
            _withholding(r["relays"], w),
            *[_wallet(each, w) for each in r["wallets"][:5]],
            w("and {count} more wallets: wallet list", count=left) if left > 0 else None,
            *_needed(r, counts, w),
            w("Alarms that are open: {count}. Say alarms.", count=r["alarms"]) if r["alarms"] else None,
            _missing(r["missing_reports"], w),
            w("Last settlement: {time}", time=w.moment(r["last_settlement_at"])),
        ]
    )


def _switched(r: Mapping[str, Any], w: Words) -> str:
    machine = r["machine"]
    tail = None
    if r["paused"]:
        state = (
            w("{machine}: payments are paused. What comes in is still recorded.", machine=machine)
            if machine
            else w("Payments are paused. What comes in is still recorded.")
        )
        tail = w("To go on: {command}", command=f"resume {machine}" if machine else "resume")
    elif r["holds"]:
        why = stored.first_reason(r["holds"], w)
        state = w("The pause is over, and nothing is paid all the same: {why}", why=why)
        tail = w("To go on all the same: hold lift {hold} REASON", hold=r["holds"][0]["name"])
    else:
        state = w("{machine}: payments are on.", machine=machine) if machine else w("Payments are on.")
        if machine and r["all_paused"]:
            tail = w("All payments are still paused: resume")
        elif r["checked"]:
            tail = w("Checked again: the books hold.")
    late = None if r["obeyed"] else w("A newer order, of {time}, stands.", time=w.moment(r["since"]))
    return lines([state, late, tail])


def ask_for_code(what: Sequence[str | None], r: Mapping[str, Any], w: Words) -> str:
    """How every money order ends: what would happen, then the code that does it."""
    head = w("Meanwhile something changed. Now this would happen:") if r["changed"] else w("This would happen:")
    return lines([head, *what, w("To do it, within 10 min: confirm {code}", code=r["code"])])


TEXTS: Final[dict[str, Wording]] = {
    "help": _help,
    "whoami": _whoami,
    "status": _status,
    "pause": _switched,
    "resume": _switched,
}
