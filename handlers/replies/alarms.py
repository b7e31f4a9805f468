"""Alarms: one when it is new, many at once, reminders, ends; the list of them, thresholds, and the daily digest.

Of every cause there is a headline, which stands in lists and reminders too, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from handlers.replies import names
from handlers.replies.plain import MAX_LINES, facts, lines, listed
from handlers.replies.words import Wording, Words, phrase
from ledger.alarms import UNTIL_CLEARED, Cause

_LINES: Final = 5
"""So many alarms are shown in a message about several."""


def _machine_silent(r: Mapping[str, Any], w: Words) -> str:
    return w("{machine} has been silent since {time} UTC", machine=r["machine"], time=w.moment(r["at"]))


def _cash_low(r: Mapping[str, Any], w: Words) -> str:
    if "position" not in r:
        out = w("{machine} says that it is out of cash", machine=r["machine"])
        return out if r["level"] == "empty" else w("{machine} says that its cash is low", machine=r["machine"])
    note = w.money(str(r["denomination"]), r["currency"])
    if not r["count"]:
        return w("{machine}: bay {position} ({note}) is empty", machine=r["machine"], position=r["position"], note=note)
    return w(
        "{machine}: bay {position} ({note}) is low, notes left: {count}",
        machine=r["machine"],
        position=r["position"],
        note=note,
        count=r["count"],
    )


def _box_full(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{machine}: the box for cash-in is nearly full, {amount} of {limit}",
        machine=r["machine"],
        amount=w.money(r["amount"], r["currency"]),
        limit=w.money(r["limit"], r["currency"]),
    )


def _cash_gap(r: Mapping[str, Any], w: Words) -> str:
    values = {"machine": r["machine"], "amount": w.money(r["amount"], r["currency"]), "time": w.moment(r["at"])}
    if r["missing"]:
        return w("{machine}: {amount} of cash less than deposits explain, since {time} UTC", **values)
    return w("{machine}: {amount} of cash more than deposits explain, since {time} UTC", **values)


def _fee_mismatch(r: Mapping[str, Any], w: Words) -> str:
    return w("{machine} charges other fees than those that are set", machine=r["machine"])


def _reports_missing(r: Mapping[str, Any], w: Words) -> str:
    return w("{machine}: some of its reports never came", machine=r["machine"])


def _wallet_stopped(r: Mapping[str, Any], w: Words) -> str:
    why = names.name(w, names.WALLET_STOPS, r["cause"].removeprefix("wallet_"))
    return w("Wallet {wallet} is stopped: {why}", wallet=r["wallet"], why=why)


def _wallet_unreachable(r: Mapping[str, Any], w: Words) -> str:
    if r["at"] is None:
        return w("Wallet {wallet} has never answered", wallet=r["wallet"])
    return w("Wallet {wallet} has not answered since {time} UTC", wallet=r["wallet"], time=w.moment(r["at"]))


def _wallet_low(r: Mapping[str, Any], w: Words) -> str:
    return w("Wallet {wallet} is low: {sats}", wallet=r["wallet"], sats=w.sats(r["sats"]))


def _forgotten(r: Mapping[str, Any], w: Words) -> str:
    return w("Wallet {wallet} shows payments that are not in the books", wallet=r["wallet"])


def _cap(r: Mapping[str, Any], w: Words) -> str:
    return w("Wallet {wallet} is at a cap of {sats}", wallet=r["wallet"], sats=w.sats(r["most_sats"]))


def _payment_unresolved(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{payment} is in doubt: {sats}, sent at {time} UTC from {wallet}",
        payment=r["payment"],
        sats=w.sats(r["sats"]),
        time=w.moment(r["at"]),
        wallet=r["wallet"],
    )


def _settlement_stuck(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{settlement} at {machine} is stuck since {time} UTC",
        settlement=r["settlement"],
        machine=r["machine"],
        time=w.moment(r["at"]),
    )


def _settlement_unverified(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{settlement} at {machine} is not proven since {time} UTC",
        settlement=r["settlement"],
        machine=r["machine"],
        time=w.moment(r["at"]),
    )


def _deposit_pending(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "{deposit}: {amount} of {lp} at {machine} is not confirmed since {date}",
        deposit=r["deposit"],
        amount=w.money(r["amount"], r["currency"]),
        lp=r["lp"],
        machine=r["machine"],
        date=w.date(r["at"]),
    )


def _relay_down(r: Mapping[str, Any], w: Words) -> str:
    return w("Relay {relay} is down since {time} UTC", relay=r["relay"], time=w.moment(r["at"]))


def _relay_withholds(r: Mapping[str, Any], w: Words) -> str:
    return w("Relay {relay} delivers nothing", relay=r["relay"])


def _deaf(r: Mapping[str, Any], w: Words) -> str:
    return w("No relay is heard since {time} UTC: nothing new is paid", time=w.moment(r["at"]))


def _clock_off(r: Mapping[str, Any], w: Words) -> str:
    if r["way"] == "behind":
        return w("The clock of my server is behind")
    return w("The clock of my server is ahead")


def _disk_low(r: Mapping[str, Any], w: Words) -> str:
    return w("The disk of my server is nearly full: less than {least} MB are free", least=r["least"])


def _reconcile(r: Mapping[str, Any], w: Words) -> str:
    return w("Books and wallets differ, in points: {count}", count=f"{r['count']:,}")


def _fixed(text: str) -> Callable[[Mapping[str, Any], Words], str]:
    return lambda _, w: w.known(text)


_HEADLINES: Final[Mapping[Cause, Callable[[Mapping[str, Any], Words], str]]] = {
    Cause.BOOKS: _fixed(phrase("The books don't hold")),
    Cause.PAST: _fixed(phrase("The database is from the past")),
    Cause.BOOKS_UNCHECKED: _fixed(phrase("The books are not checked yet")),
    Cause.DEAF: _deaf,
    Cause.CLOCK_OFF: _clock_off,
    Cause.DISK_LOW: _disk_low,
    Cause.RECONCILE: _reconcile,
    Cause.WALLET_NO_BALANCE: _wallet_stopped,
    Cause.WALLET_QUOTA: _wallet_stopped,
    Cause.WALLET_REVOKED: _wallet_stopped,
    Cause.WALLET_RATE_LIMITED: _wallet_stopped,
    Cause.WALLET_UNFIT: _wallet_stopped,
    Cause.WALLET_GONE: _wallet_stopped,
    Cause.WALLET_UNREACHABLE: _wallet_unreachable,
    Cause.WALLET_LOW: _wallet_low,
    Cause.FORGOTTEN: _forgotten,
    Cause.CAP_DAY: _cap,
    Cause.CAP_HOUR: _cap,
    Cause.CAP_IN_FLIGHT: _cap,
    Cause.PAYMENT_UNRESOLVED: _payment_unresolved,
    Cause.SETTLEMENT_STUCK: _settlement_stuck,
    Cause.SETTLEMENT_UNVERIFIED: _settlement_unverified,
    Cause.CASH_LOW: _cash_low,
    Cause.BOX_FULL: _box_full,
    Cause.CASH_GAP: _cash_gap,
    Cause.MACHINE_SILENT: _machine_silent,
    Cause.FEE_MISMATCH: _fee_mismatch,
    Cause.REPORTS_MISSING: _reports_missing,
    Cause.DEPOSIT_PENDING: _deposit_pending,
    Cause.RELAY_DOWN: _relay_down,
    Cause.RELAY_WITHHOLDS: _relay_withholds,
}
_WHAT_TO_DO: Final[Mapping[Cause, str]] = {
    Cause.BOOKS: phrase("Look at it before anything else: status"),
    Cause.PAST: phrase("How far it is: forgotten list"),
    Cause.BOOKS_UNCHECKED: phrase("If it lasts, have somebody at the server look: satmachine verify"),
    Cause.DEAF: phrase("Look at the server's network and at the relays. It goes on by itself."),
    Cause.CLOCK_OFF: phrase("Have the server's clock set, by NTP: with a wrong one nothing in doubt is given up."),
    Cause.DISK_LOW: phrase("Make room there: a full disk stops me."),
    Cause.RECONCILE: phrase("To compare them again: reconcile"),
    Cause.WALLET_NO_BALANCE: phrase("Fill it: it goes on by itself then."),
    Cause.WALLET_QUOTA: phrase("Raise the budget in the wallet, then send: resume"),
    Cause.WALLET_REVOKED: phrase("Allow it again in the wallet, then send: resume"),
    Cause.WALLET_RATE_LIMITED: phrase("It goes on by itself."),
    Cause.WALLET_UNFIT: phrase("Allow what is missing for the connection, in the wallet: wallet list"),
    Cause.WALLET_GONE: phrase("Put the connection back until all is done: worklist"),
    Cause.WALLET_UNREACHABLE: phrase("See whether it runs and its relay is up: wallet test NAME"),
    Cause.WALLET_LOW: phrase("Fill it before it is empty: then nothing more is paid."),
    Cause.FORGOTTEN: phrase("Say of each what it was: forgotten list"),
    Cause.CAP_DAY: phrase("The caps are in the configuration, under payouts."),
    Cause.CAP_HOUR: phrase("The caps are in the configuration, under payouts."),
    Cause.CAP_IN_FLIGHT: phrase("The caps are in the configuration, under payouts."),
    Cause.PAYMENT_UNRESOLVED: phrase("It is asked about on and on, and never paid twice. What is known: show P12"),
    Cause.SETTLEMENT_STUCK: phrase("What it waits for: worklist"),
    Cause.SETTLEMENT_UNVERIFIED: phrase("The wallet does not show the customer's payment. Look at it: worklist"),
    Cause.CASH_LOW: phrase("Refill it, and record that: cassette list"),
    Cause.BOX_FULL: phrase("Empty it, and record that: box empty NAME AMOUNT"),
    Cause.CASH_GAP: phrase("Count it, and record what is there: cassette list"),
    Cause.MACHINE_SILENT: phrase("See whether it has power and a network."),
    Cause.FEE_MISMATCH: phrase("See what it uses, or have it started again: machine show NAME"),
    Cause.REPORTS_MISSING: phrase("Which, and what to do: machine show NAME"),
    Cause.DEPOSIT_PENDING: phrase("Count it, then: deposit confirm D12. If it never came: deposit delete D12"),
    Cause.RELAY_DOWN: phrase("If that lasts, use another one. How it stands: status"),
    Cause.RELAY_WITHHOLDS: phrase("If that lasts, use another one. How it stands: status"),
}


def headline(each: Mapping[str, Any], w: Words) -> str:
    """What is wrong, in one line."""
    return _HEADLINES[Cause(each["cause"])]({**each["facts"], "cause": each["cause"]}, w)


def _alarm(r: Mapping[str, Any], w: Words) -> str:
    return lines(
        [
            f"{headline(r, w)}.",
            w.known(_WHAT_TO_DO[Cause(r["cause"])]),
            w("To be left in peace for a day: alarm silence {id}", id=r["id"]),
        ]
    )


def _line(each: Mapping[str, Any], w: Words) -> str:
    return f"{each['id']}: {headline(each, w)}"


def _counted(r: Mapping[str, Any], w: Words) -> list[str | None]:
    """Some by name, the others by number."""
    found = r["alarms"][:_LINES]
    more = r["count"] - len(found)
    return [*[_line(each, w) for each in found], w("and {count} more: alarms", count=more) if more else None]


def _kinds(r: Mapping[str, Any], w: Words) -> str:
    kinds = list(r["counts"].items())
    shown = [f"{count} × {names.name(w, names.CAUSES, cause)}" for cause, count in kinds[:4]]
    return facts([*shown, "…" if len(kinds) > 4 else None])


def _what_to_do(r: Mapping[str, Any], w: Words) -> str | None:
    """Where all are of one kind."""
    causes = list(r["counts"])
    return w.known(_WHAT_TO_DO[Cause(causes[0])]) if len(causes) == 1 else None


def _new(r: Mapping[str, Any], w: Words) -> str:
    return lines([w("Alarms: {kinds}.", kinds=_kinds(r, w)), *_counted(r, w), _what_to_do(r, w)])


def _still(r: Mapping[str, Any], w: Words) -> str:
    first = r["alarms"][0]["id"]
    silence = w("To be left in peace for a day: alarm silence {id}", id=first)
    if r["count"] == 1:
        return lines([w("Still: {headline}.", headline=headline(r["alarms"][0], w)), _what_to_do(r, w), silence])
    head = w("Still wrong: {kinds}.", kinds=_kinds(r, w))
    return lines([head, *_counted(r, w), _what_to_do(r, w), silence])


def _over(r: Mapping[str, Any], w: Words) -> str:
    if r["count"] == 1:
        return w("Over: {headline}.", headline=headline(r["alarms"][0], w))
    return lines([w("Over: {kinds}.", kinds=_kinds(r, w)), *_counted(r, w)])


# --- orders ----------------------------------------------------------------------------------------------------------


def _state(each: Mapping[str, Any], w: Words) -> str | None:
    if each["silenced_until"] is not None:
        if each["silenced_until"] == UNTIL_CLEARED:
            return w("silenced until it is over")
        return w("silenced until {time}", time=w.moment(each["silenced_until"]))
    return w("reminders: {count}", count=each["reminders"]) if each["reminders"] else None


def _list(r: Mapping[str, Any], w: Words) -> str:
    found = r["items"]
    if not found:
        return w("No alarm: nothing is wrong that I know of.")
    shown = []
    for each in found:
        since = w("noticed {time}", time=w.moment(each["since"]))
        shown.append(f"{_line(each, w)} ({facts([since, _state(each, w)])})")
    following = w("More: {order}", order=f"alarm list before={r['next']}") if r["next"] else None
    tail = w("To be left in peace for a day: alarm silence {id}", id=found[0]["id"])
    return listed(w, w("Alarms:"), shown, following, tail)


def _silence(r: Mapping[str, Any], w: Words) -> str:
    if r["silenced_until"] is None:
        return lines([_line(r, w), w("It is not silenced any more.")])
    return lines([_line(r, w), w("No reminders: {state}. When it is over you hear of it.", state=_state(r, w))])


def _threshold_value(name: str, value: int, w: Words) -> str:
    return f"{name}={value}" if value else w("{name}=0 (never)", name=name)


def _of_machine(each: Mapping[str, Any], w: Words) -> str:
    own = facts(_threshold_value(name, value, w) for name, value in each["thresholds"].items() if name in each["own"])
    return f"{each['machine']}: {own or w('as the configuration says')}"


def _threshold_set(r: Mapping[str, Any], w: Words) -> str:
    return _of_machine(r, w)


def _threshold_list(r: Mapping[str, Any], w: Words) -> str:
    everywhere = facts(_threshold_value(name, value, w) for name, value in r["configuration"].items())
    found = r["items"]
    room = MAX_LINES - 3
    more = len(found) - room
    return lines(
        [
            w("For all machines: {thresholds}", thresholds=everywhere),
            *[_of_machine(each, w) for each in found[:room]],
            w("and {count} more here", count=more) if more > 0 else None,
            w("To change it for one: threshold set MACHINE silent_minutes=120"),
        ]
    )


# --- the day ---------------------------------------------------------------------------------------------------------


def _volume(each: Mapping[str, Any], w: Words) -> str:
    fiat = " + ".join(w.money(one["amount"], one["currency"]) for one in each["fiat"])
    return facts([f"{each['settlements']:,}", w.sats(each["principal_sats"]), fiat])


def _digest(r: Mapping[str, Any], w: Words) -> str:
    wrong = r["alarms"]
    paid = " + ".join(w.money(one["amount"], one["currency"]) for one in r["lps_fiat"])
    cash = [f"{each['machine']} {w.money(each['amount'], each['currency'])}" for each in r["machines"]]
    held = [
        f"{each['name']} {w('unknown') if each['balance_sats'] is None else w.sats(each['balance_sats'])}"
        for each in r["wallets"]
    ]
    return lines(
        [
            w("Alarms: {kinds}. Say alarms.", kinds=_kinds(wrong, w)) if wrong["count"] else w("No alarm is open."),
            w("{date}:", date=w.date(int(datetime.fromisoformat(r["date"]).replace(tzinfo=UTC).timestamp()))),
            w("Cash-out: {volume}", volume=_volume(r["cash_out"], w)),
            w("Cash-in: {volume}", volume=_volume(r["cash_in"], w)) if r["cash_in"]["settlements"] else None,
            w(
                "Fees: operator {operator}, platform {platform}",
                operator=w.sats(r["operator_fee_sats"]),
                platform=w.sats(r["platform_fee_sats"]),
            ),
            w("Paid to LPs: {amount}", amount=facts([w.sats(r["lps_sats"]), paid])),
            w("Cash now: {cash}", cash=_few(cash, w)) if cash else None,
            w("Wallets now: {wallets}", wallets=_few(held, w)) if held else None,
        ]
    )


def _few(found: Sequence[str], w: Words) -> str:
    more = w("and {count} more", count=len(found) - _LINES) if len(found) > _LINES else None
    return facts([*found[:_LINES], more])


def _unworded(r: Mapping[str, Any], w: Words) -> str:
    return w(
        "Something is wrong, and by a fault of mine I can't say what ({wording}). Look: status", wording=r["wording"]
    )


TEXTS: Final[dict[str, Wording]] = {
    "digest": _digest,
    "alarm list": _list,
    "alarm silence": _silence,
    "threshold set": _threshold_set,
    "threshold list": _threshold_list,
    "notice alarm": _alarm,
    "notice alarm unworded": _unworded,
    "notice alarms new": _new,
    "notice alarms still": _still,
    "notice alarms over": _over,
}
