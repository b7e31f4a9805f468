"""How alarms are told: in each one's language, many in one message, to services outside, and to nobody twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from handlers import replies
from handlers.alarms import telling
from handlers.replies import names
from handlers.replies.alarms import headline
from handlers.replies.plain import MAX_LINES
from ledger.alarms import ORDER, UNTIL_CLEARED, Alarm, Cause, Change, Tell
from storage import alarms, alerts
from storage.db import Tx
from tests.handlers.alarms.looking import look, open_alarms
from tests.handlers.conftest import open_shop
from tests.handlers.desk import ANA, BOSS, EVE, NOW, Desk

HOUR, DAY = 3_600, 86_400
WALLET = {"wallet": "main", "payment": "P3", "missing_sats": 5, "methods": ["pay"], "payments": 1, "in_doubt": 1}
FACTS: Mapping[Cause, dict[str, Any]] = {
    Cause.BOOKS: {"violations": [], "count": 1},
    Cause.PAST: {"why": "x", "since": NOW, "witnessed": True},
    Cause.BOOKS_UNCHECKED: {},
    Cause.DEAF: {"at": NOW},
    Cause.CLOCK_OFF: {"way": "ahead"},
    Cause.DISK_LOW: {"least": 500},
    Cause.RECONCILE: {"differences": [], "count": 2},
    **{cause: {**WALLET, "settlements": 0} for cause in Cause if cause.startswith("wallet_")},
    Cause.WALLET_UNREACHABLE: {"wallet": "main", "at": NOW},
    Cause.WALLET_LOW: {"wallet": "main", "sats": 900, "least": 1_000},
    Cause.FORGOTTEN: WALLET,
    **{cause: {**WALLET, "most_sats": 10_000} for cause in Cause if cause.startswith("cap_")},
    Cause.PAYMENT_UNRESOLVED: {"payment": "P3", "sats": 5, "wallet": "main", "at": NOW},
    Cause.SETTLEMENT_STUCK: {"settlement": "S1", "machine": "sintra", "at": NOW},
    Cause.SETTLEMENT_UNVERIFIED: {"settlement": "S1", "machine": "sintra", "at": NOW},
    Cause.CASH_LOW: {"machine": "sintra", "position": 1, "denomination": 20, "currency": "GTQ", "count": 3},
    Cause.BOX_FULL: {"machine": "sintra", "amount": "90.00", "limit": "100.00", "currency": "GTQ"},
    Cause.CASH_GAP: {"machine": "sintra", "amount": "90.00", "currency": "GTQ", "missing": True, "at": NOW},
    Cause.MACHINE_SILENT: {"machine": "sintra", "at": NOW},
    Cause.FEE_MISMATCH: {"machine": "sintra", "count": 3},
    Cause.REPORTS_MISSING: {"machine": "sintra", "missing": [{"first": 1, "last": 2, "since": NOW}]},
    Cause.DEPOSIT_PENDING: {
        "deposit": "D1", "amount": "9.00", "currency": "GTQ", "lp": "ana", "machine": "sintra", "at": NOW,
    },
    Cause.RELAY_DOWN: {"relay": "wss://one.example", "at": NOW},
    Cause.RELAY_WITHHOLDS: {"relay": "wss://one.example"},
}  # fmt: skip


def alarm(cause: Cause, number: int = 1, **facts: Any) -> Alarm:
    return Alarm(number, cause, f"x:{number}", {**FACTS[cause], **facts}, "", NOW, NOW)


async def tell(desk: Desk, changes: Iterable[Change], to: Iterable[str] = (BOSS,)) -> list[str]:
    before = len(await desk.dms(BOSS))
    await desk.tx(lambda tx: telling.tell(tx, list(changes), to, desk.now))
    return [dm["text"] for dm in (await desk.dms(BOSS))[before:]]


def silent(count: int) -> list[Change]:
    return [Change(alarm(Cause.MACHINE_SILENT, n, machine=f"atm{n}"), Tell.NEW) for n in range(1, count + 1)]


@pytest.mark.parametrize("cause", Cause)
async def test_every_cause_has_words_in_every_language(desk: Desk, cause: Cause) -> None:
    """Alone, as a reminder, at its end, among others, in the list: the interpreter of these tests looks at each."""
    assert cause.value in names.CAUSES
    for kind in Tell:
        told = await tell(desk, [Change(alarm(cause), kind)])
        assert len(told) == (0 if cause is Cause.DEAF else 1)
    for kind in Tell:
        told = await tell(desk, [Change(alarm(cause, n), kind) for n in range(1, 10)])
        assert all(len(text.splitlines()) <= MAX_LINES for text in told)
    for words in replies.LANGUAGES.values():
        assert headline(telling.shape(alarm(cause), NOW), words)
    if cause is Cause.DEAF:  # said by no message, so nobody has looked at its words yet
        assert "{" not in replies.render("notice alarm", telling.shape(alarm(cause), NOW), "es")


async def test_two_hundred_at_once_are_one_message(desk: Desk) -> None:
    (told,) = await tell(desk, silent(200))
    assert told.splitlines() == [
        "Alarms: 200 × machine silent.",
        *[f"N{n}: atm{n} has been silent since 2026-09-21 14:13 UTC" for n in range(1, 6)],
        "and 195 more: alarms",
        "See whether it has power and a network.",
    ]
    assert len(await tell(desk, silent(3))) == 3
    (still,) = await tell(desk, [replace(each, tell=Tell.STILL) for each in silent(200)])
    assert still.startswith("Still wrong: 200 × machine silent.")
    (over,) = await tell(desk, [replace(each, tell=Tell.OVER) for each in silent(200)])
    assert over.splitlines()[0] == "Over: 200 × machine silent."


async def test_a_look_sends_a_few_messages_whatever_is_wrong(desk: Desk) -> None:
    """The most pressing each by itself, what is left in one; reminders in one, ends in one."""
    every = [Change(alarm(cause, n), kind) for kind in Tell for cause in Cause for n in range(1, 3)]
    told = await tell(desk, every)
    assert telling.MOST_MESSAGES - 1 <= len(told) <= telling.MOST_MESSAGES
    assert told[0].startswith("The books don't hold")
    assert told[-3].startswith("Alarms: ")
    assert told[-2].startswith("Still wrong: ")
    assert told[-1].startswith("Over: ")
    assert all(len(text.splitlines()) <= MAX_LINES for text in told)


async def test_the_most_pressing_comes_first(desk: Desk) -> None:
    found = [alarm(cause, n) for n, cause in enumerate(reversed(Cause), 1)]
    assert [each["cause"] for each in telling.shapes(found, NOW)] == [
        cause.value for cause in sorted(Cause, key=lambda cause: ORDER[cause])
    ]


async def test_each_operator_hears_it_in_their_language_and_services_in_theirs(desk: Desk) -> None:
    await desk.with_machine()
    desk.with_settings(operators=frozenset({BOSS, EVE}))
    await desk.ask(EVE, "prefs.set", language="es")
    await desk.tx(lambda tx: alerts.configure(tx, 2, "es"))
    await tell(desk, silent(1), [BOSS, EVE])
    assert (await desk.dms(BOSS))[-1]["text"].startswith("atm1 has been silent")
    assert (await desk.dms(EVE))[-1]["text"].startswith("atm1 no da señales desde")

    def waiting(tx: Tx) -> list[str]:
        return [found[0].text for place in range(3) if (found := alerts.first(tx, place)) is not None]

    texts = await desk.tx(waiting)
    assert len(texts) == 2
    assert all(text.startswith("atm1 no da señales desde") for text in texts)


async def test_a_deaf_bot_is_told_of_outside_alone(desk: Desk) -> None:
    await desk.tx(lambda tx: alerts.configure(tx, 1, "en"))
    assert await tell(desk, [Change(alarm(Cause.DEAF), Tell.NEW)]) == []
    found = await desk.tx(lambda tx: alerts.first(tx, 0))
    assert found is not None
    assert found[0].text.startswith("No relay is heard since 2026-09-21 14:13 UTC: nothing new is paid.")


async def test_a_fault_of_the_words_does_not_undo_what_comes_with_an_alarm(desk: Desk) -> None:
    """A wallet's answer, a hold: they are in one transaction with it. That something is wrong is said all the same."""
    broken = replace(alarm(Cause.BOX_FULL), facts={})
    (told,) = await tell(desk, [Change(broken, Tell.NEW)])
    assert told == "Something is wrong, and by a fault of mine I can't say what (notice alarm). Look: status"


async def test_what_waits_for_a_service_is_bounded_and_dropped_with_it(desk: Desk) -> None:
    def put(tx: Tx) -> None:
        alerts.configure(tx, 2, "en")
        for number in range(alerts.MOST_WAITING + 5):
            alerts.put(tx, f"alert {number}", NOW)

    await desk.tx(put)
    first = await desk.tx(lambda tx: alerts.first(tx, 1))
    assert first is not None
    assert first[0].text == "alert 5"
    await desk.tx(lambda tx: alerts.configure(tx, 1, "en"))
    assert await desk.count("SELECT count(*) FROM alerts") == alerts.MOST_WAITING


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    """Sintra has been silent for two hours, and its wallet is low."""
    await open_shop(desk)

    def work(tx: Tx) -> None:
        tx.run("UPDATE machines SET last_seen_at = ?", (desk.now - 2 * HOUR,))
        tx.run("UPDATE wallets SET balance_msat = 5000000 WHERE name = 'main'")

    await desk.tx(work)
    await look(desk)
    return desk


async def test_the_list_of_alarms(shop: Desk) -> None:
    text = await shop.told(BOSS, "alarms")
    assert text.splitlines()[0] == "Alarms:"
    assert text.splitlines()[1].startswith("N2: sintra has been silent since ")
    assert "N1: Wallet main is low: 5,000 sats (noticed 2026-09-21 14:13)" in text
    assert "Alarms that are open: 2. Say alarms." in await shop.told(BOSS, "status")
    first = await shop.ask(BOSS, "alarm.list", limit=1)
    assert [item["id"] for item in first["items"]] == ["N2"]
    rest = await shop.ask(BOSS, "alarm.list", before=first["next"])
    assert [(item["id"], item["cause"], item["subject"]) for item in rest["items"]] == [
        ("N1", "wallet_low", "wallet:main")
    ]
    assert rest["items"][0] == {
        "id": "N1", "cause": "wallet_low", "subject": "wallet:main", "since": NOW, "reminders": 0,
        "silenced_until": None, "facts": {"wallet": "main", "sats": 5_000, "least": 100_000},
    }  # fmt: skip
    assert (await shop.refused(ANA, "alarm.list"))["code"] == "forbidden"


async def test_no_alarm(desk: Desk) -> None:
    assert await desk.told(BOSS, "alarms") == "No alarm: nothing is wrong that I know of."
    assert "Alarms" not in await desk.told(BOSS, "status")


async def test_silence(shop: Desk) -> None:
    """Reminders go on after it; the end is told all the same."""
    text = await shop.told(BOSS, "silence N1")
    assert "No reminders: silenced until 2026-09-22 14:13." in text
    await shop.told(BOSS, "alarm silence N2 3")
    assert ("alarm silence", "N1") in await shop.audit()
    heard = []
    for hour in range(1, 26):
        shop.now = NOW + hour * HOUR
        heard += [(hour, "Wallet" in text, "silent" in text) for text in await look(shop)]
    assert [hour for hour, wallet, _ in heard if wallet] == [24, 25] or [
        hour for hour, wallet, _ in heard if wallet
    ] == [24]
    assert [hour for hour, _, machine in heard if machine][:3] == [3, 4, 5]
    assert "silenced until" not in await shop.told(BOSS, "alarms")
    await shop.tx(lambda tx: tx.run("UPDATE wallets SET balance_msat = 500000000 WHERE name = 'main'"))
    assert any(text.startswith("Over: Wallet main is low") for text in await look(shop))


async def test_silence_until_it_is_over_and_none_at_all(shop: Desk) -> None:
    text = await shop.told(BOSS, "alarm silence N1 until=cleared")
    assert "No reminders: silenced until it is over." in text
    assert "silenced until it is over" in await shop.told(BOSS, "alarms")
    assert (await open_alarms(shop))[0].silenced_until == UNTIL_CLEARED
    shop.now += 40 * DAY
    assert not any("Wallet" in text for text in await look(shop))
    shop.now += 1
    assert "It is not silenced any more." in await shop.told(BOSS, "alarm silence N1 hours=0")
    assert any("Wallet" in text for text in await look(shop))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"alarm": "N9"}, "not_found"),
        ({"alarm": "S1"}, "bad_request"),
        ({"alarm": "N1", "hours": 8_761}, "bad_request"),
        ({"alarm": "N1", "hours": -1}, "bad_request"),
        ({"alarm": "N1", "until": "never"}, "bad_request"),
    ],
)
async def test_what_can_not_be_silenced(shop: Desk, params: dict[str, Any], code: str) -> None:
    assert (await shop.refused(BOSS, "alarm.silence", **params))["code"] == code


async def test_what_is_over_can_not_be_silenced(shop: Desk) -> None:
    await shop.tx(lambda tx: alarms.clear(tx, Cause.WALLET_LOW, "wallet:main", shop.now))
    assert (await shop.refused(BOSS, "alarm.silence", alarm="N1"))["code"] == "bad_state"


async def test_thresholds_of_one_machine(shop: Desk) -> None:
    text = await shop.told(BOSS, "threshold set sintra silent_minutes=240 wallet_low_sats=0")
    assert text == "sintra: silent_minutes=240, wallet_low_sats=0 (never)"
    (over,) = await look(shop)
    assert over.splitlines()[0] == "Over: 1 × wallet low, 1 × machine silent."
    everywhere = await shop.told(BOSS, "thresholds")
    assert everywhere.splitlines()[:2] == [
        "For all machines: silent_minutes=90, cash_low_notes=50, wallet_low_sats=100000",
        "sintra: silent_minutes=240, wallet_low_sats=0 (never)",
    ]
    done = await shop.ask(BOSS, "threshold.set", machine="sintra", silent_minutes="default", wallet_low_sats="default")
    assert (done["own"], done["thresholds"]["silent_minutes"]) == ([], 90)
    assert "sintra: as the configuration says" in await shop.told(BOSS, "threshold list sintra")
    assert ("threshold set", "sintra") in await shop.audit()


@pytest.mark.parametrize("value", ["-1", "1.5", "many", 10**10 + 1, True, -1])
async def test_thresholds_that_are_none(shop: Desk, value: Any) -> None:
    refused = await shop.refused(BOSS, "threshold.set", machine="sintra", silent_minutes=value)
    assert (refused["code"], refused["field"]) == ("bad_request", "silent_minutes")
    assert (await shop.refused(BOSS, "threshold.set", machine="sintra"))["code"] == "bad_request"
