"""The cash of a machine that is played, and the file that remembers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.atm.cash import Cash, Cassette, positions, read_positions, typed_bays
from bot.atm.memory import BadMemory, Keeper, Memory
from ledger.cash import Notes


def test_bays_are_typed_and_told_in_one_form() -> None:
    bays = typed_bays(["1=20x180", "2=20x175", "3=100x0"])
    assert bays == {1: Cassette(20, 180), 2: Cassette(20, 175), 3: Cassette(100, 0)}
    assert read_positions(positions(bays)) == bays
    assert positions(bays)["1"] == {"denomination": 20, "count": 180}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1"], "1 is no bay: it is written POSITION=DENOMINATIONxCOUNT"),
        (["1=20x-5"], "is no bay"),
        (["1=20x5", "1=50x5"], "bay 1 is given twice"),
        (["65=20x5"], "bay 65: positions go from 1 to 64"),
        (["0=20x5"], "bay 0"),
        (["1=0x5"], "bay 1: the denomination"),
        (["1=20x1000001"], "bay 1: the count"),
    ],
)
def test_a_bay_that_can_not_be_is_named(words: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        typed_bays(words)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"one": {"denomination": 20, "count": 1}},
        {"1": 20},
        {"1": {"denomination": 20}},
        {"1": {"denomination": 20, "count": -1}},
        {"1": {"denomination": 20, "count": True}},
        {"1": {"denomination": 20.0, "count": 1}},
        {"99": {"denomination": 20, "count": 1}},
        {str(number): {"denomination": 20, "count": 1} for number in range(1, 10_000)},
    ],
)
def test_a_config_that_can_not_be_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"bay|positions"):
        read_positions(value)


def test_notes_come_out_of_the_bays_that_have_them() -> None:
    cash = Cash()
    cash.fill(typed_bays(["1=20x3", "2=100x2", "3=20x9"]))
    notes = cash.notes_for(240)
    assert notes is not None
    assert sum(each.amount for each in notes) == 240
    cash.dispense(notes)
    assert (cash.amount, cash.bays[2]) == (200, Cassette(100, 0))
    assert cash.notes_for(30) is None
    assert cash.notes_for(1_000) is None


@pytest.mark.parametrize(("left", "level"), [(100, "full"), (94, "ok"), (20, "ok"), (19, "low"), (0, "empty")])
def test_the_level_is_of_what_was_filled_in(left: int, level: str) -> None:
    cash = Cash()
    cash.fill(typed_bays(["1=20x100"]))
    cash.dispense([Notes(1, 20, 100 - left)])
    assert cash.level == level


def test_what_a_machine_knows_survives_it(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "atm.json")
    assert keeper.fresh
    memory = keeper.memory
    memory.cash.fill(typed_bays(["1=20x180"]))
    memory.cash.box, memory.seq, memory.fees = 50, 41, {"cash_in_fee": "0.05", "cash_out_fee": "0.08"}
    memory.fees_at, memory.config_at, memory.config_id, memory.state_at = 1, 2, "ab", 3
    memory.unreported.append({"payment_hash": "ab" * 32})
    keeper.save()
    again = Keeper(tmp_path / "atm.json")
    assert not again.fresh
    assert again.memory == memory
    assert [path.name for path in tmp_path.iterdir()] == ["atm.json"]
    assert Keeper(None).memory == Memory()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no machine's memory"),
        ("[]", "no JSON object"),
        ('{"seq": -1}', "seq must be"),
        ('{"bays": {"1": {}}}', "bay 1"),
        ('{"unreported": [1]}', "unreported"),
        ('{"fees": {"cash_in_fee": 1}}', "fees"),
    ],
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "atm.json"
    path.write_text(text)
    with pytest.raises(BadMemory, match=said) as raised:
        Keeper(path)
    assert str(path) in str(raised.value)
    assert path.read_text() == text


def test_a_power_cut_leaves_the_old_file_or_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(tmp_path / "atm.json")
    keeper.save()

    def cut(*_: object, **__: object) -> None:
        raise OSError("no space left on the device")

    monkeypatch.setattr(json, "dump", cut)
    keeper.memory.seq = 7
    with pytest.raises(OSError, match="no space"):
        keeper.save()
    assert Keeper(tmp_path / "atm.json").memory.seq == 0
    assert [path.name for path in tmp_path.iterdir()] == ["atm.json"]
