"""`verify`: agrees with books that were kept as they should be, and names what was altered in any other."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ledger.journal import GENESIS, chain_hash
from ledger.states import LegStatus
from storage import facts, legs
from storage.db import Database, Tx
from storage.facts import Facts
from storage.verify import MAX_LISTED, Report, check_books, verify_file
from tests.bot.commands.conftest import Place, run
from tests.handlers.desk import BEN, BOSS, SUPER, Desk

SPLIT_LEG, LP_LEG = 2, 4
"""Open ones of the first settlement."""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, in a thread because an event loop of its own makes them."""
    path = tmp_path_factory.mktemp("books") / "satmachine.db"
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, keep_books(path)).result()
    return path


@pytest.fixture
def kept(place: Place, books: Path) -> Path:
    """A copy that may be spoiled, where the configuration expects it."""
    path = place.directory / "satmachine.db"
    shutil.copy(books, path)
    return path


async def keep_books(path: Path) -> None:
    """Real books: deposits, three cash-outs shared between two LPs, legs that ended in every way but paid."""
    database = await Database.open(path)
    desk = Desk(database)
    await desk.open_wallets()
    await desk.with_machine()
    await desk.with_lp()
    await desk.with_lp(BEN, "ben", deposited="1500.00")
    await desk.ask(BOSS, "splits.set", confirm=True, legs="60% ana@example.com + 40% ben@example.com")
    await desk.ask(SUPER, "platform.set", target="fees@example.com")
    for number in (1, 2, 3):
        await desk.cash_out(number)
    await desk.distribute()
    await desk.tx(end_some_legs)
    await database.close()


def end_some_legs(tx: Tx) -> None:
    for place, settlement_id in enumerate((1, 2, 3)):
        for leg in legs.of_settlement(tx, settlement_id):
            if leg.status is LegStatus.PENDING and place:
                (legs.fail if place == 1 else legs.skip)(tx, leg, "no way to its target", 1_790_000_100)


def altered(path: Path, *statements: str) -> Report:
    """What is said of books after somebody with an editor was at them."""
    with edited(path) as raw:
        for statement in statements:
            assert raw.execute(statement).rowcount > 0, statement
    return verify_file(path)


@contextmanager
def edited(path: Path) -> Iterator[sqlite3.Connection]:
    """By somebody who leaves no trace of it in the schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        yield raw
        for _, made in triggers:
            raw.execute(made)


async def test_books_that_agree(kept: Path, place: Place) -> None:
    told = await run("verify", "--config", place.config)
    assert (told.code, told.err) == (0, "")
    assert "The books agree: 3 settlements" in told.out
    answer = (await run("verify", "--config", place.config, "--json")).json
    assert (answer["ok"], answer["violations"], answer["more"]) == (True, [], 0)
    assert answer["checked"]["settlements"] == 3
    assert all(answer["checked"][name] > 0 for name in ("legs", "deposits", "enrolments", "journal", "audit"))


async def test_books_that_do_not(kept: Path, place: Place) -> None:
    altered(kept, "UPDATE postings SET amount = amount + 1 WHERE entry_id = 2 AND position = 0")
    told = await run("verify", "--config", place.config)
    assert (told.code, told.err) == (1, "")
    assert "journal_chain" in told.out
    assert "The books do not agree" in told.out
    answer = await run("verify", "--config", place.config, "--json")
    assert answer.code == 1
    assert answer.json["ok"] is False
    assert {"name", "ref", "detail"} == set(answer.json["violations"][0])


@pytest.mark.parametrize(
    ("statement", "name", "ref"),
    [
        ("UPDATE postings SET amount = amount + 1 WHERE entry_id = 2 AND position = 0", "journal_chain", "J2"),
        ("UPDATE postings SET amount = amount + 1 WHERE entry_id = 2 AND position = 0", "journal_balance", "J2"),
        ("DELETE FROM postings WHERE entry_id = 2", "journal_balance", "J2"),
        ("UPDATE journal SET at = at + 1 WHERE id = 3", "journal_chain", "J3"),
        ("UPDATE audit SET who = 'nobody' WHERE id = 2", "audit_chain", "A2"),
        ("DELETE FROM audit WHERE id = 2", "audit_chain", "A3"),
        ("UPDATE enrolments SET reserved_minor = reserved_minor + 1 WHERE id = 1", "enrolment_sum", "L1@m1"),
        ("UPDATE enrolments SET paid_sats = 5 WHERE id = 2", "enrolment_sum", "L2@m1"),
        ("UPDATE deposits SET amount_minor = amount_minor + 100 WHERE id = 1", "enrolment_sum", "L1@m1"),
        ("UPDATE deposits SET amount_minor = amount_minor + 100 WHERE id = 1", "account", "assets:cash:m1"),
        ("UPDATE legs SET amount_sats = amount_sats - 1 WHERE id = 1", "settlement_sum", "S1"),
        ("UPDATE legs SET status = 'completed', completed_at = 1 WHERE id = 1", "completed_without_payment", "P1"),
        ("UPDATE settlements SET wire_sats = wire_sats + 1 WHERE id = 2", "settlement_arithmetic", "S2"),
        ("UPDATE settlements SET status = 'processed' WHERE id = 2", "settlement_status", "S2"),
        ("UPDATE settlements SET status = 'lost' WHERE id = 3", "unreadable", "S3"),
        ("UPDATE settlements SET exchange_rate = 'much' WHERE id = 3", "unreadable", "S3"),
        ("UPDATE deposits SET status = 'lost' WHERE id = 2", "unreadable", "D2"),
        ("UPDATE legs SET lp_id = 99 WHERE lp_id = 2", "file", None),
        ("UPDATE lps SET target = 'evil@example.com' WHERE id = 1", "target", "L1"),
        ("UPDATE lps SET next_target = 'evil@example.com', next_target_at = 1 WHERE id = 2", "target", "L2"),
        ("UPDATE platform SET target = 'evil@example.com'", "target", "platform"),
        ("UPDATE platform SET cash_in_ppm = 900000", "target", "platform fees"),
        ("UPDATE machines SET cash_out_ppm = 900000", "target", "m1 fees"),
        ("UPDATE split_shares SET target = 'evil@example.com' WHERE position = 1", "target", "default splits"),
        ("UPDATE split_shares SET fraction_ppm = 1000000 - fraction_ppm", "target", "default splits"),
        ("DELETE FROM split_shares WHERE position = 0", "target", "default splits"),
        (f"UPDATE legs SET target = 'evil@example.com' WHERE id = {SPLIT_LEG}", "target", f"P{SPLIT_LEG}"),
        (f"UPDATE legs SET target = 'evil@example.com' WHERE id = {LP_LEG}", "target", f"P{LP_LEG}"),
        ("UPDATE audit SET seals = NULL WHERE seals IS NOT NULL", "audit_chain", None),
    ],
)
async def test_what_was_altered_is_named(kept: Path, statement: str, name: str, ref: str | None) -> None:
    report = altered(kept, statement)
    found = {(each.name, each.ref) for each in report.violations}
    assert not report.clean
    assert (name, ref) in found if ref else name in {each for each, _ in found}, report.violations


async def test_the_end_of_the_journal_can_not_be_cut_off(kept: Path) -> None:
    last = "(SELECT max(id) FROM journal)"
    report = altered(kept, f"DELETE FROM postings WHERE entry_id = {last}", f"DELETE FROM journal WHERE id = {last}")
    assert {each.name for each in report.violations} == {"account"}


async def test_a_journal_written_anew_from_an_altered_entry_still_differs(kept: Path) -> None:
    """Somebody who knows how the hashes are made can mend the chain, but not what the rest of the books says."""
    altered(kept, "UPDATE postings SET amount = amount * 2 WHERE entry_id = 2")
    with edited(kept) as raw:
        raw.row_factory = sqlite3.Row
        previous = GENESIS
        for row in list(Facts(Tx(raw)).journal()):
            previous = chain_hash(previous, row.id, row.at, row.kind, row.ref, row.postings)
            raw.execute("UPDATE journal SET hash = ? WHERE id = ?", (previous, row.id))
    assert {each.name for each in verify_file(kept).violations} == {"account"}


async def test_it_does_not_matter_how_much_is_read_at_a_time(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verify_file(kept)
    for stretch in (1, 2):
        monkeypatch.setattr(facts, "STRETCH", stretch)
        part = verify_file(kept)
        assert part.clean
        assert part.counts == whole.counts
    assert whole.counts["settlements"] == 3


async def test_a_flood_of_differences_is_cut(kept: Path) -> None:
    report = altered(
        kept,
        "INSERT INTO audit (id, at, who, command, hash) WITH RECURSIVE n (i) AS"
        f" (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < {999 + MAX_LISTED + 7})"
        " SELECT i, 1, 'x', 'x', i FROM n",
    )
    assert len(report.violations) == MAX_LISTED
    assert report.more == 7


async def test_a_running_bot_goes_on_meanwhile(kept: Path) -> None:
    database = await Database.open(kept.with_name("other.db"))
    try:
        report = verify_file(kept.with_name("other.db"))
        assert report.clean
        await database.write(lambda tx: check_books(tx, report))
        assert report.clean
    finally:
        await database.close()


async def test_without_a_database(place: Place) -> None:
    told = await run("verify", "--config", place.config)
    assert (told.code, told.out) == (1, "")
    assert "there is no database" in told.err
    assert not (place.directory / "satmachine.db").exists()
