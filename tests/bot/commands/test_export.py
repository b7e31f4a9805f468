"""`satmachine export`: every row of the books in a file or on standard output, beside a running bot."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from storage.db import Database
from storage.export import SHEETS
from tests.bot.commands.conftest import ROOT, Called, Place, environment, run
from tests.handlers.desk import BOSS, NOW, Desk


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, in a thread because an event loop of its own makes them."""
    path = tmp_path_factory.mktemp("books") / "satmachine.db"
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, keep_books(path)).result()
    return path


async def keep_books(path: Path) -> None:
    database = await Database.open(path)
    desk = Desk(database)
    await desk.open_wallets()
    await desk.with_machine()
    await desk.with_lp()
    await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="0.50", note="=día, “1”")
    for number in (1, 2, 3):
        await desk.cash_out(number)
        desk.now += 100
    await desk.distribute()
    await database.close()


@pytest.fixture
def kept(place: Place, books: Path) -> Path:
    """A copy where the configuration expects it."""
    path = place.directory / "satmachine.db"
    shutil.copy(books, path)
    return path


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_file_beside_a_running_bot(kept: Path, place: Place) -> None:
    """It is the bot's own database that is read, while the bot has it."""
    database = await Database.open(kept)
    output = place.directory / "deposits.csv"
    try:
        told = await run("export", "deposits", "--output", output, "--config", place.config)
    finally:
        await database.close()
    assert (told.code, told.out, told.err) == (0, "", f"{output}: 2 rows of deposits\n")
    assert output.stat().st_mode & 0o777 == 0o600
    text = output.read_bytes().decode()
    assert text.count("\r\n") == 3
    assert [(row["id"], row["amount"], row["note"]) for row in rows_of(text)] == [
        ("D1", "2000.00", ""),
        ("D2", "0.50", "'=día, “1”"),
    ]
    assert sorted(path.name for path in place.directory.iterdir() if "deposits" in path.name) == ["deposits.csv"]


@pytest.mark.parametrize("what", SHEETS)
def test_every_sheet_in_both_formats(kept: Path, place: Place, call: Called, what: str) -> None:
    as_csv = call("export", what, "--config", place.config)
    as_json = call("export", what, "--format", "json", "--config", place.config)
    assert (as_csv.code, as_json.code, as_csv.err, as_json.err) == (0, 0, "", "")
    rows, items = rows_of(as_csv.out), as_json.json
    assert len(rows) == len(items) > 0 or what in ("attempts", "cash")
    assert [set(item) <= set(row) for row, item in zip(rows, items, strict=True)] == [True] * len(rows)


def test_a_stretch_of_time(kept: Path, place: Place, call: Called) -> None:
    def ids(*options: str) -> list[str]:
        ended = call("export", "settlements", "--format", "json", *options, "--config", place.config)
        return [item["id"] for item in ended.json]

    assert ids() == ["S1", "S2", "S3"]
    assert ids("--since", str(NOW + 100)) == ["S2", "S3"]
    assert ids("--since", str(NOW + 1), "--until", str(NOW + 200)) == ["S2"]
    assert ids("--until", "2026-01-31") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("wallets",), "what must be one of"),
        (("deposits", "--format", "xml"), "format must be one of"),
        (("deposits", "--since", "yesterday"), "since must be a date such as 2026-01-31"),
    ],
)
def test_what_can_not_work(kept: Path, place: Place, call: Called, options: tuple[str, ...], said: str) -> None:
    told = call("export", *options, "--config", place.config)
    assert (told.code, told.out) == (2, "")
    assert said in told.err


def test_no_file_is_replaced(kept: Path, place: Place, call: Called) -> None:
    """Not by mistake the database or a key."""
    before = kept.read_bytes()
    for name in ("satmachine.db", "operator.nsec"):
        told = call("export", "deposits", "--output", place.directory / name, "--config", place.config)
        assert (told.code, told.out) == (1, "")
        assert "there is one already" in told.err
    assert kept.read_bytes() == before


def test_a_place_that_is_not_there(kept: Path, place: Place, call: Called) -> None:
    told = call("export", "deposits", "--output", place.directory / "no" / "x.csv", "--config", place.config)
    assert told.code == 1
    assert "can't be written: No such file or directory" in told.err


def test_what_fails_leaves_no_file(kept: Path, place: Place, call: Called) -> None:
    with closing(sqlite3.connect(kept)) as raw:
        raw.execute("DROP TABLE settlement_notes")
        raw.commit()
    told = call("export", "settlements", "--output", place.directory / "s.csv", "--config", place.config)
    assert told.code == 1
    assert "can't be read to the end" in told.err
    assert list(place.directory.glob("*s.csv*")) == []


def test_databases_that_can_not_be_read(place: Place, call: Called) -> None:
    told = call("export", "deposits", "--config", place.config)
    assert (told.code, told.out) == (1, "")
    assert "there is no database" in told.err
    with closing(sqlite3.connect(place.directory / "satmachine.db")) as raw:
        raw.execute("PRAGMA user_version = 99")
    told = call("export", "deposits", "--config", place.config)
    assert told.code == 1
    assert "another version" in told.err


async def test_who_reads_may_stop_at_any_time(kept: Path, place: Place) -> None:
    """`satmachine export trail | head -1` ends in silence."""
    with closing(sqlite3.connect(kept)) as raw:
        raw.execute(
            "INSERT INTO audit (id, at, who, command, hash) WITH RECURSIVE n (i) AS"
            " (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT i, i, 'satmachine', 'pause', i FROM n"
        )
        raw.commit()
    line = f'"$1" -m bot export audit --config "{place.config}" | head -n 1'
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, "sh", sys.executable, cwd=ROOT, env=environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert err == b""
    assert out.startswith(b"id,at,at_utc,who,")


def test_json_is_one_array(kept: Path, place: Place, call: Called) -> None:
    nothing = call("export", "attempts", "--format", "json", "--config", place.config)
    assert nothing.out == "[]\n"
    lines = call("export", "machines", "--format", "json", "--config", place.config).out.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 3)
    assert json.loads(lines[1])["machine"] == "sintra"
