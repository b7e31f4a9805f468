"""Alarms told: as direct messages to each operator, in each one's language, and to the services outside.

Whoever finds a cause raises it here, in the transaction that found it. Many that come together are one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from handlers import notices, replies
from ledger.alarms import ORDER, Alarm, Cause, Change, Tell
from storage import alarms, alerts
from storage.db import Tx

EACH: Final = 3
"""So many new alarms of one cause are told one by one; more are one message."""
MOST_MESSAGES: Final = 8
"""Of one look at everything. What is beyond is counted in the last."""
NAMED: Final = 6
"""So many alarms are named in a message that is about more."""
Message = tuple[str, dict[str, Any]]
"""A wording of `replies.TEXTS`, and its facts."""
_WORDINGS: Final[Mapping[Cause, str]] = {
    Cause.BOOKS: "notice books",
    Cause.PAST: "notice past",
    Cause.BOOKS_UNCHECKED: "notice books unchecked",
    Cause.RECONCILE: "notice reconcile",
    Cause.WALLET_NO_BALANCE: "notice wallet no_balance",
    Cause.WALLET_QUOTA: "notice wallet quota",
    Cause.WALLET_REVOKED: "notice wallet revoked",
    Cause.WALLET_RATE_LIMITED: "notice wallet rate_limited",
    Cause.WALLET_UNFIT: "notice wallet unfit",
    Cause.WALLET_GONE: "notice wallet gone",
    Cause.FORGOTTEN: "notice forgotten",
    Cause.CAP_DAY: "notice cap day",
    Cause.CAP_HOUR: "notice cap hour",
    Cause.CAP_IN_FLIGHT: "notice cap in_flight",
    Cause.REPORTS_MISSING: "notice missing reports",
    Cause.RELAY_WITHHOLDS: "notice relay withholds",
}
"""Of the causes that have words of their own for when they are new."""
_NO_WAY_TO_SAY: Final = frozenset({Cause.DEAF})
"""A message would wait for a relay until this is over: only services outside are told."""


def raise_(
    tx: Tx,
    cause: Cause,
    subject: str,
    facts: Mapping[str, Any],
    operators: Iterable[str],
    now: int,
    *,
    mark: str = "",
) -> bool:
    """The cause is there; the operators (public keys) are told where that is news. `facts` are what its words need."""
    change = alarms.raise_(tx, cause, subject, facts, now, mark=mark)
    if change is not None:
        tell(tx, [change], operators, now)
    return change is not None


def over(
    tx: Tx,
    cause: Cause,
    subject: str,
    operators: Iterable[str],
    now: int,
    said: Message | None = None,
) -> bool:
    """The cause is gone; the operators are told where they had been told of it. `said`: in these words."""
    change = alarms.clear(tx, cause, subject, now)
    if change is None:
        return False
    if said is None:
        tell(tx, [change], operators, now)
    else:
        send(tx, said, operators, now)
    return True


def tell(tx: Tx, changes: Sequence[Change], operators: Iterable[str], now: int) -> None:
    """All that is to be told of these, in few messages, the most pressing first."""
    recipients = tuple(operators)
    by_services_alone = [each for each in changes if each.alarm.cause in _NO_WAY_TO_SAY]
    for message in _messages(by_services_alone, now):
        send(tx, message, (), now)
    for message in _messages([each for each in changes if each.alarm.cause not in _NO_WAY_TO_SAY], now):
        send(tx, message, recipients, now)


def shape(alarm: Alarm, now: int) -> dict[str, Any]:
    """As JSON shows it, and as words need it."""
    return {
        "id": f"N{alarm.id}",
        "cause": alarm.cause.value,
        "subject": alarm.subject,
        "since": alarm.raised_at,
        "reminders": alarm.reminders,
        "silenced_until": alarm.silenced_until if alarm.silenced(now) else None,
        "facts": dict(alarm.facts),
    }


def shapes(found: Iterable[Alarm], now: int) -> list[dict[str, Any]]:
    """The most pressing first."""
    return [shape(each, now) for each in sorted(found, key=lambda alarm: (ORDER[alarm.cause], alarm.id))]


def _messages(changes: Iterable[Change], now: int) -> list[Message]:
    told: dict[Tell, list[Alarm]] = {each: [] for each in Tell}
    for change in changes:
        if change.tell is not None:
            told[change.tell].append(change.alarm)
    others = [_group(kind.value, told[kind], now) for kind in (Tell.STILL, Tell.OVER) if told[kind]]
    return [*_new(told[Tell.NEW], MOST_MESSAGES - len(others), now), *others]


def _new(found: Sequence[Alarm], room: int, now: int) -> list[Message]:
    """At most `room` messages."""
    of_causes = [[alarm for alarm in found if alarm.cause is cause] for cause in Cause]
    messages: list[Message] = []
    rest: list[Alarm] = []
    for same in filter(None, of_causes):
        made = [_one(alarm, now) for alarm in same] if len(same) <= EACH else [_group("new", same, now)]
        if rest or len(messages) + len(made) > room - 1:
            rest += same
        else:
            messages += made
    return [*messages, _group("new", rest, now) if len(rest) > 1 else _one(rest[0], now)] if rest else messages


def _one(alarm: Alarm, now: int) -> Message:
    if alarm.cause in _WORDINGS:
        return _WORDINGS[alarm.cause], dict(alarm.facts)
    return "notice alarm", shape(alarm, now)


def _group(kind: str, found: Sequence[Alarm], now: int) -> Message:
    """What of several alarms is said in one message: some are named, all are counted by their cause."""
    listed = shapes(found, now)
    counts: dict[str, int] = {}
    for each in listed:
        counts[each["cause"]] = counts.get(each["cause"], 0) + 1
    return f"notice alarms {kind}", {"count": len(listed), "counts": counts, "alarms": listed[:NAMED]}


def send(tx: Tx, message: Message, operators: Iterable[str], now: int) -> None:
    """To each operator and to the services outside."""
    wording, facts = _that_can_be_said(tx, message)
    notices.tell(tx, operators, wording, facts, now)
    if alerts.services(tx):
        alerts.put(tx, replies.render(wording, facts, alerts.language(tx)), now)


def _that_can_be_said(tx: Tx, message: Message) -> Message:
    """The message, or where its words have a fault another one that says so: what goes with an alarm in one
    transaction, such as a wallet's answer or a hold, must not fail with its words."""
    wording, facts = message
    try:
        for language in replies.LANGUAGES:
            replies.render(wording, facts, language)
    except Exception as error:  # noqa: BLE001 - it is logged with the commit
        tx.faults.append(error)
        return "notice alarm unworded", {"wording": wording}
    return message
