"""What machines tell of themselves: the newest counts, what is wrong is counted, and nothing is overwritten by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.sightings import FUTURE_SECONDS, Heard
from handlers.wire.bad_event import BadEvent
from storage import beacons, cassettes, machines, telemetry
from tests.handlers.atm import TWENTIES, Atm, Came, state
from tests.handlers.desk import ATM2, BOSS, Desk

BEACON = {
    "cash_in": True,
    "cash_out": True,
    "cash_level": "ok",
    "fiat": "GTQ",
    "model": "Sintra 3",
    "name": "Sintra Mall",
    "location": "Floor 2",
    "geo": {"lat": 14.5586, "lng": -90.7295},
    "fees": {"cash_in": 0.05, "cash_out": "0.08"},
    "limits": {"cash_out": {"min": 20, "max": "5000.00"}, "daily": 10000},
    "denominations": [50, 20, 20],
    "version": "1.2.0",
}
KEPT = {
    **BEACON,
    "geo": "14.5586,-90.7295",
    "fees": {"cash_in": "0.05", "cash_out": "0.08"},
    "limits": {"cash_out": {"min": "20", "max": "5000"}, "daily": "10000"},
    "denominations": [20, 50],
}


@pytest.fixture
async def atm(desk: Desk) -> Atm:
    await desk.with_machine()
    return Atm(desk)


async def fields(desk: Desk) -> dict[str, Any]:
    found = await desk.tx(lambda tx: beacons.get(tx, 1))
    assert found is not None
    return dict(found.fields)


async def seen_at(desk: Desk) -> int | None:
    return await desk.tx(lambda tx: machines.last_seen_at(tx, 1))


def reason(came: Came) -> str:
    assert isinstance(came, BadEvent), came
    return came.reason


# --- beacons ---


async def test_a_beacon_is_kept_field_by_field(desk: Desk, atm: Atm) -> None:
    assert await atm.beacon({**BEACON, "color": "red", "name": None}) is Heard.TAKEN
    assert await fields(desk) == {name: value for name, value in KEPT.items() if name != "name"}
    assert await seen_at(desk) == desk.now
    desk.now += 60
    assert await atm.beacon({"cash_level": "low", "name": "Mall"}) is Heard.TAKEN
    assert await fields(desk) == {**KEPT, "cash_level": "low", "name": "Mall"}
    assert await seen_at(desk) == desk.now


async def test_the_newest_wins_and_of_one_second_the_lowest_id(desk: Desk, atm: Atm) -> None:
    ids = sorted(range(2), key=lambda number: atm.event(1, "", number=number).id)
    low, high = ids
    assert await atm.beacon({"version": "1"}, ago=12) is Heard.TAKEN
    assert await atm.beacon({"cash_level": "ok", "version": "2", "model": "x"}, ago=10, number=high) is Heard.TAKEN
    assert await atm.beacon({"cash_level": "low"}, ago=11) is Heard.OLD
    assert await atm.beacon({"cash_level": "low"}, ago=10, number=low) is Heard.TAKEN
    for number in (low, high):
        assert await atm.beacon({"cash_level": "full"}, ago=10, number=number) is Heard.OLD
    assert await fields(desk) == {"version": "1", "cash_level": "low"}, "whatever order they come in"
    assert await desk.count("SELECT count(*) FROM inbox") == 0, "a row for each beacon of a minute would fill the disk"


async def test_fields_of_the_wrong_kind_are_dropped_and_counted(desk: Desk, atm: Atm) -> None:
    wrong = {
        "cash_in": "yes",
        "cash_out": 1,
        "cash_level": "half",
        "fiat": "quetzal",
        "model": "x" * 101,
        "name": 7,
        "location": ["here"],
        "geo": [200, 0],
        "fees": {"cash_in": "5%"},
        "limits": {"a b": 1},
        "denominations": [20, -5],
        "version": {"major": 1},
    }
    assert await atm.beacon(BEACON) is Heard.TAKEN
    desk.now += 1
    assert await atm.beacon(wrong) is Heard.TAKEN
    assert await fields(desk) == KEPT
    for name in wrong:
        assert await atm.counted(f"beacon_bad_{name}") == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("not json", "unreadable"),
        ("[]", "unknown_form"),
        ('{"v": 2, "cash_in": true}', "unknown_version"),
        (json.dumps({"name": "x" * 20_000}), "too_large"),
        ('{"cash_in": NaN}', "unreadable"),
    ],
)
async def test_a_bad_beacon_is_counted(desk: Desk, atm: Atm, said: str, why: str) -> None:
    for number in (7, 8):
        assert reason(await atm.beacon(said, number=number)) == why
    assert await atm.counted(f"beacon_{why}") == 2
    assert await desk.count("SELECT count(*) FROM inbox") == 0, "with a stolen key they would fill the disk"
    assert await desk.count("SELECT count(*) FROM beacons") == 0
    assert await seen_at(desk) is None
    assert await atm.beacon(said, named=False, number=8) is None, "whatever that is, it is no beacon"


async def test_what_only_looks_a_little_like_a_beacon_is_none(desk: Desk, atm: Atm) -> None:
    assert await atm.beacon({"name": "my list", "version": 3}, named=False) is None
    assert await atm.beacon({"cash_level": "low"}, named=False) is Heard.TAKEN
    assert await fields(desk) == {"cash_level": "low"}


async def test_an_event_from_the_future_shuts_out_nothing(desk: Desk, atm: Atm) -> None:
    assert await atm.beacon({"cash_level": "ok"}, ago=-FUTURE_SECONDS) is Heard.TAKEN
    assert reason(await atm.beacon({"cash_level": "low"}, ago=-FUTURE_SECONDS - 1)) == "from_the_future"
    assert reason(await atm.beacon({"cash_level": "low"}, ago=-FUTURE_SECONDS - 1, named=False)) == "from_the_future"
    assert reason(await atm.telemetry({}, ago=-FUTURE_SECONDS - 1)) == "from_the_future"
    assert reason(await atm.state(TWENTIES, ago=-FUTURE_SECONDS - 1)) == "from_the_future"
    assert await fields(desk) == {"cash_level": "ok"}
    assert await desk.count("SELECT count(*) FROM bays") == 0


async def test_what_a_relay_had_kept_does_not_make_a_silent_machine_speak(desk: Desk, atm: Atm) -> None:
    assert await atm.beacon({"cash_level": "ok"}, ago=86_400, live=False) is Heard.TAKEN
    assert await seen_at(desk) == desk.now - 86_400
    assert await atm.telemetry({}, ago=3_600, live=False) is Heard.TAKEN
    assert await seen_at(desk) == desk.now - 3_600
    assert await atm.beacon({"cash_level": "ok"}, ago=90_000) is Heard.OLD, "an old one, brought again by anybody"
    assert await seen_at(desk) == desk.now - 3_600


async def test_strangers_are_not_heard(desk: Desk, atm: Atm) -> None:
    stranger = Atm(desk, ATM2)
    assert await stranger.beacon(BEACON) is Heard.STRANGER
    assert await stranger.telemetry({}) is Heard.STRANGER
    assert await stranger.state(TWENTIES) is Heard.STRANGER
    for table in ("beacons", "telemetry", "cassettes", "bays", "inbox"):
        assert await desk.count(f"SELECT count(*) FROM {table}") == 0


# --- telemetry ---


async def test_telemetry_is_kept_as_it_came(desk: Desk, atm: Atm) -> None:
    text = '{"disk": 0.5,  "Note": "\u00e9"}'
    assert await atm.telemetry(text) is Heard.TAKEN
    assert await atm.telemetry({"disk": 1}, ago=5) is Heard.OLD
    found = await desk.tx(lambda tx: telemetry.get(tx, 1))
    assert found is not None
    assert (found.body, found.fields, found.received_at) == (text, {"disk": 0.5, "Note": "\u00e9"}, desk.now)
    desk.now += 90
    shown = await desk.ask(BOSS, "machine.show", machine="sintra")
    assert (shown["telemetry_age_seconds"], shown["last_seen_at"]) == (90, desk.now - 90)


@pytest.mark.parametrize(
    ("said", "why"),
    [("{", "unreadable"), ("3", "unknown_form"), (json.dumps({"x": "y" * 1_000_000}), "too_large")],
)
async def test_bad_telemetry_overwrites_nothing(desk: Desk, atm: Atm, said: str, why: str) -> None:
    assert await atm.telemetry({"disk": 1}, ago=5) is Heard.TAKEN
    assert reason(await atm.telemetry(said)) == why
    assert await atm.counted(f"telemetry_{why}") == 1
    found = await desk.tx(lambda tx: telemetry.get(tx, 1))
    assert found is not None
    assert found.body == '{"disk": 1}'


# --- cassette states ---


async def test_a_state_makes_bays_and_is_believed_the_first_time(desk: Desk, atm: Atm) -> None:
    assert await atm.state({1: (20, 180), 2: (20, 175)}, number=1) is Heard.TAKEN
    assert await atm.state({1: (20, 180), 2: (20, 175)}, number=1) is Heard.OLD
    assert await atm.counts() == {1: 180, 2: 175}
    moves = await atm.moves()
    assert [(move.kind, move.position, move.notes, move.amount_minor) for move in moves] == [
        ("found", 1, 180, 360_000),
        ("found", 2, 175, 350_000),
    ]
    assert {move.who for move in moves} == {atm.pubkey}
    assert await seen_at(desk) == desk.now


async def test_later_states_are_held_against_what_is_believed(desk: Desk, atm: Atm) -> None:
    began = desk.now
    await atm.state(TWENTIES)
    desk.now += 60
    assert await atm.state({1: (20, 90), 2: (50, 40)}) is Heard.TAKEN
    desk.now += 60
    assert await atm.state({1: (20, 80), 2: (50, 40), 3: (100, 5)}) is Heard.TAKEN
    bays = await desk.tx(lambda tx: cassettes.bays(tx, 1))
    assert [(bay.count, bay.reported_count, bay.differs_since) for bay in bays] == [
        (100, 80, began + 60),
        (40, 40, None),
        (5, 5, None),
    ]
    desk.now += 60
    assert await atm.state({1: (20, 100)}) is Heard.TAKEN
    bays = await desk.tx(lambda tx: cassettes.bays(tx, 1))
    assert [(bay.count, bay.differs_since, bay.left_out_since) for bay in bays] == [
        (100, None, None),
        (40, desk.now, desk.now),
        (5, desk.now, desk.now),
    ]
    assert "not in the machine's last report" in await desk.told(BOSS, "cassette list sintra")
    desk.now += 60
    await atm.state(TWENTIES)
    bays = await desk.tx(lambda tx: cassettes.bays(tx, 1))
    assert [(bay.differs_since, bay.left_out_since is None) for bay in bays] == [
        (None, True),
        (None, True),
        (began + 180, False),
    ]


BAD_STATES: list[tuple[Any, str]] = [
    ("nonsense", "unreadable"),
    ([], "unknown_form"),
    ({"v": 1, "positions": []}, "unknown_form"),
    ({"v": 1, "positions": {"1": 5}}, "unknown_form"),
    ({"v": 2, "positions": {}}, "unknown_version"),
    (state({65: (20, 1)}), "unknown_position"),
    (state({0: (20, 1)}), "unknown_position"),
    ({"positions": {"01": {"denomination": 20, "count": 1}}}, "unknown_position"),
    (state({1: (20, 1), 2: (20, -1)}), "bad_count"),
    (state({1: (20, 1_000_001)}), "bad_count"),
    ({"positions": {"1": {"denomination": 20, "count": True}}}, "bad_count"),
    (state({1: (0, 1)}), "bad_denomination"),
    ({"positions": {"1": {"denomination": "20", "count": 1}}}, "bad_denomination"),
    (state(dict.fromkeys(range(1, 65), (10**9, 10**6))), "too_much"),
    ({"positions": {str(place): 0 for place in range(1, 66)}}, "too_many_bays"),
    (state(dict.fromkeys(range(1, 10001), (20, 1))), "too_large"),
]


@pytest.mark.parametrize(("said", "why"), BAD_STATES)
async def test_a_bad_state_is_refused_whole(desk: Desk, atm: Atm, said: Any, why: str) -> None:
    await atm.state(TWENTIES, ago=10)
    before = await desk.tx(lambda tx: (cassettes.bays(tx, 1), cassettes.state(tx, 1)))
    assert reason(await atm.says(said)) == why
    assert await atm.counted(f"cassettes_{why}") == 1
    assert await desk.tx(lambda tx: (cassettes.bays(tx, 1), cassettes.state(tx, 1))) == before
    desk.now += 1
    assert await atm.state({1: (20, 99), 2: (50, 40)}) is Heard.TAKEN, "what is good is taken as ever"


async def test_an_older_state_after_a_newer_one_is_refused(desk: Desk, atm: Atm) -> None:
    await atm.state(TWENTIES, ago=10, number=1)
    assert reason(await atm.state({1: (20, 1), 3: (20, 5)}, ago=11, number=2)) == "older"
    assert await atm.counted("cassettes_older") == 1
    assert await desk.count("SELECT count(*) FROM inbox") == 1, "of the state that was taken"
    assert await atm.counts() == {1: 100, 2: 40}


async def test_a_machine_that_is_removed_leaves_nothing(desk: Desk, atm: Atm) -> None:
    await atm.state(TWENTIES)
    await atm.beacon(BEACON)
    await atm.telemetry({})
    await desk.ask(BOSS, "box.set", machine="sintra", limit="100")
    error = await desk.refused(BOSS, "machine.set", machine="sintra", fiat="EUR")
    assert "machine remove sintra" in error["message"]
    await desk.ask(BOSS, "machine.remove", machine="sintra")
    for table in ("machines", "beacons", "telemetry", "cassettes", "bays", "boxes", "cash_moves"):
        assert await desk.count(f"SELECT count(*) FROM {table}") == 0, table
