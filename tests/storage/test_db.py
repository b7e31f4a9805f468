"""The database as a place where nothing is half done: batches, refusals, cancellation, a failing disk, one owner."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import Code, Refusal
from storage import meta
from storage.db import APART, Database, Tx, open_snapshot
from storage.errors import AlreadyRunning, StorageBroken, StorageError, TookTooLong
from storage.migrate import MIGRATIONS, migrate, migration_files, version_of


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "books.db")
    yield opened
    await opened.close()


async def test_a_write_is_durable_and_seen_by_a_reader(db: Database) -> None:
    await db.write(lambda tx: meta.put(tx, "word", "said"))
    assert await db.read(lambda tx: meta.get(tx, "word")) == "said"
    with closing(open_snapshot(db.path)) as beside:
        assert beside.execute("SELECT value FROM meta WHERE key = 'word'").fetchone()[0] == "said"


async def test_the_settings_that_our_promises_stand_on(db: Database) -> None:
    def settings(tx: Tx) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
        return {name: tx.all(f"PRAGMA {name}")[0][0] for name in names}

    assert await db.write(settings) == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}


async def test_a_refusal_in_a_batch_undoes_its_own_work_alone(db: Database) -> None:
    def refused(tx: Tx) -> None:
        meta.put(tx, "b", "half")
        raise Refusal(Code.BAD_STATE, "no")

    results = await asyncio.gather(
        db.write(lambda tx: meta.put(tx, "a", "1")),
        db.write(refused),
        db.write(lambda tx: meta.put(tx, "c", "3")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Refusal, type(None)]
    assert await db.read(lambda tx: [meta.get(tx, key) for key in "abc"]) == ["1", None, "3"]


async def test_what_waits_together_is_committed_together(db: Database) -> None:
    """Counted by the listener, which is called once a commit."""
    commits: list[set[str]] = []
    db.on_commit(commits.append)

    def work(tx: Tx) -> None:
        tx.touch("something")

    await asyncio.gather(*(db.write(work) for _ in range(200)))
    assert 1 <= len(commits) <= 3


async def test_what_is_followed_is_known_before_anybody_goes_on(db: Database) -> None:
    found: list[str | None] = []
    db.follow("word", lambda tx: meta.get(tx, "word"), found.append)

    def put(tx: Tx, word: str, touched: str) -> None:
        meta.put(tx, "word", word)
        tx.touch(touched)

    await db.write(lambda tx: put(tx, "first", "word"))
    assert found == ["first"]
    await db.write(lambda tx: put(tx, "second", "something else"))
    assert found == ["first"]
    await db.write(lambda tx: put(tx, "third", "word"))
    assert found == ["first", "third"]


async def test_what_can_not_be_read_is_not_acted_on(db: Database) -> None:
    def broken(tx: Tx) -> None:
        raise ValueError("no such word")

    db.follow("word", broken, lambda _: None)
    with pytest.raises(StorageBroken, match="no such word"):
        await db.write(lambda tx: tx.touch("word"))
    assert db.failed.done()


async def test_what_is_coming_is_told_while_it_is_committed(db: Database) -> None:
    """A hint: of what is refused in the batch nothing is told, and what is told may still be undone."""
    told: list[str] = []
    db.before_commit(told.extend)

    def work(tx: Tx, word: str, *, refused: bool) -> None:
        tx.coming.append(word)
        if refused:
            raise Refusal(Code.BAD_STATE, "no")

    results = await asyncio.gather(
        db.write(lambda tx: work(tx, "a", refused=False)),
        db.write(lambda tx: work(tx, "b", refused=True)),
        return_exceptions=True,
    )
    assert isinstance(results[1], Refusal)
    assert told == ["a"]


async def test_only_committed_work_is_announced(db: Database) -> None:
    heard: list[set[str]] = []
    db.on_commit(heard.append)

    def refused(tx: Tx) -> None:
        tx.touch("nothing happened")
        raise Refusal(Code.BAD_STATE, "no")

    with pytest.raises(Refusal):
        await db.write(refused)
    await db.write(lambda tx: tx.touch("it happened"))
    assert heard == [{"it happened"}]


async def test_cancelling_who_waits_does_not_cancel_the_commit(db: Database) -> None:
    waiting = [asyncio.create_task(db.write(lambda tx, n=n: meta.put(tx, f"k{n}", "v"))) for n in range(50)]  # type: ignore[misc]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(task.cancelled() for task in waiting)
    await db.write(lambda tx: None)
    stored = await db.read(lambda tx: tx.all("SELECT count(*) AS n FROM meta WHERE key LIKE 'k%'"))
    assert stored[0]["n"] == 50


async def test_a_reader_can_not_write(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await db.read(lambda tx: meta.put(tx, "word", "said"))


async def test_a_full_disk_stops_writing_for_good(db: Database) -> None:
    await db.write(lambda tx: meta.put(tx, "before", "kept"))
    pages = (await db.read(lambda tx: tx.all("PRAGMA page_count")))[0][0]
    await db.write(lambda tx: tx.all(f"PRAGMA max_page_count = {pages}"))
    big = "x" * 100_000
    with pytest.raises(StorageBroken):
        await db.write(lambda tx: meta.put(tx, "big", big))
    assert db.failed.done()
    with pytest.raises(StorageBroken):
        await db.write(lambda tx: meta.put(tx, "after", "not taken"))
    assert await db.read(lambda tx: [meta.get(tx, key) for key in ("before", "big", "after")]) == ["kept", None, None]


async def test_a_full_disk_at_any_statement_of_a_batch_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    """The limit moves up page by page until the batch fits."""
    outcomes = set()
    for room in range(0, 40, 3):
        opened = await Database.open(tmp_path / f"books{room}.db")
        pages = (await opened.read(lambda tx: tx.all("PRAGMA page_count")))[0][0]
        await opened.write(lambda tx, limit=pages + room: tx.all(f"PRAGMA max_page_count = {limit}"))  # type: ignore[misc]
        works = [opened.write(lambda tx, n=n: meta.put(tx, f"k{n}", "x" * 9_000)) for n in range(10)]  # type: ignore[misc]
        results = await asyncio.gather(*works, return_exceptions=True)
        stored = (await opened.read(lambda tx: tx.all("SELECT count(*) AS n FROM meta")))[0]["n"]
        failed = [result for result in results if isinstance(result, StorageBroken)]
        assert (stored, len(failed)) in {(0, 10), (10, 0)}
        outcomes.add(stored)
        await opened.close()
    assert outcomes == {0, 10}


async def test_a_second_owner_is_refused_at_once(db: Database) -> None:
    with pytest.raises(AlreadyRunning, match="another satmachine"):
        await Database.open(db.path)


async def test_a_second_owner_by_another_name_is_refused(db: Database, tmp_path: Path) -> None:
    """A symbolic link names the same file, so it is the same lock. A hard link would have a lock, a log and a witness
    of its own: with one there is no start, by either name."""
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(db.path)
    with pytest.raises(AlreadyRunning, match="another satmachine"):
        await Database.open(link)
    await db.close()
    again = await Database.open(link)
    assert (again.path, again.witness.path.parent) == (db.path, tmp_path)
    await again.close()
    (tmp_path / "hard.db").hardlink_to(db.path)
    for path in (db.path, tmp_path / "hard.db"):
        with pytest.raises(StorageError, match="hard link"):
            await Database.open(path)


async def test_a_write_waits_while_another_program_writes(db: Database) -> None:
    """Somebody at `sqlite3` typed BEGIN IMMEDIATE and went for coffee: what is written meanwhile waits, and is all
    there when he is done."""
    await _impatient(db)
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        works = [asyncio.create_task(db.write(lambda tx, n=n: meta.put(tx, f"k{n}", "v"))) for n in range(3)]  # type: ignore[misc]
        done, _ = await asyncio.wait(works, timeout=0.1)
        assert not done
        other.execute("ROLLBACK")
    await asyncio.gather(*works)
    assert await db.read(lambda tx: [meta.get(tx, f"k{n}") for n in range(3)]) == ["v"] * 3


async def test_another_program_that_writes_for_ever_ends_the_bot(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one sentence, and exit code 1: what starts it again starts it once it can be started."""
    await _impatient(db)
    monkeypatch.setattr("storage.db.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageBroken, match="another program is writing into"):
            await db.write(lambda tx: meta.put(tx, "word", "said"))
        assert db.failed.done()


async def _impatient(db: Database) -> None:
    """SQLite itself doesn't wait for the other program."""
    await db.write(lambda tx: tx.all("PRAGMA busy_timeout = 0"))


async def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    program = (
        "import asyncio, pathlib, sys\nfrom storage.db import Database\n"
        "async def main():\n    db = await Database.open(pathlib.Path(sys.argv[1]))\n    print('open', flush=True)\n"
        "    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(path)), stdout=asyncio.subprocess.PIPE, cwd=MIGRATIONS.parents[1]
    )
    assert other.stdout is not None
    assert await asyncio.wait_for(other.stdout.readline(), 30) == b"open\n"
    with pytest.raises(AlreadyRunning):
        await Database.open(path)
    other.kill()
    await other.wait()
    await (await Database.open(path)).close()


async def test_files_that_are_not_ours(tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StorageError, match="can't be used as a database"):
        await Database.open(junk)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StorageError, match="another program"):
        await Database.open(other)
    newer = tmp_path / "newer.db"
    with closing(sqlite3.connect(newer)) as made:
        made.execute("PRAGMA user_version = 9999")
    with pytest.raises(StorageError, match="newer version"):
        await Database.open(newer)
    assert junk.read_bytes() == b"this is no database" * 1000


async def test_the_files_are_the_owners_alone(db: Database) -> None:
    await db.write(lambda tx: meta.put(tx, "word", "said"))
    assert {oct(file.stat().st_mode & 0o777) for file in db.path.parent.iterdir()} == {"0o600"}


def test_each_further_migration_makes_a_backup_and_is_all_or_nothing(tmp_path: Path) -> None:
    folder, path = tmp_path / "migrations", tmp_path / "books.db"
    folder.mkdir()
    for _, file in migration_files():
        (folder / file.name).write_text(file.read_text())
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        migrate(raw, path, folder)
        first = version_of(raw)
        raw.execute("INSERT INTO meta VALUES ('kept', 'yes')")
        step = folder / f"{first + 1:04d}_more.sql"
        step.write_text("CREATE TABLE more (id INTEGER);\nCREATE TABLE broken (id INTEGER\n")
        with pytest.raises(sqlite3.Error):
            migrate(raw, path, folder)
        assert version_of(raw) == first
        assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone()[0] == 0
        step.write_text("CREATE TABLE more (id INTEGER);\n")
        migrate(raw, path, folder)
        assert version_of(raw) == first + 1
    with closing(sqlite3.connect(tmp_path / f"books.db.before-{first + 1:04d}")) as backup:
        assert version_of(backup) == first
        assert backup.execute("SELECT value FROM meta").fetchone()[0] == "yes"


def test_migrations_are_numbered_without_a_gap(tmp_path: Path) -> None:
    assert next(version for version, _ in migration_files(MIGRATIONS)) == 1
    (tmp_path / "0002_second.sql").write_text("")
    with pytest.raises(StorageError, match="without a gap"):
        migration_files(tmp_path)


# --- reads apart ------------------------------------------------------------------------------------------------------

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def test_a_read_apart_sees_one_snapshot_and_stands_in_nobodys_way(db: Database) -> None:
    await db.write(lambda tx: meta.put(tx, "word", "before"))
    begun, go_on = threading.Event(), threading.Event()

    def work(tx: Tx) -> list[str | None]:
        first = meta.get(tx, "word")
        begun.set()
        assert go_on.wait(10)
        return [first, meta.get(tx, "word")]

    apart = asyncio.create_task(db.read_apart(work, seconds=20))
    assert await asyncio.to_thread(begun.wait, 10)
    await db.write(lambda tx: meta.put(tx, "word", "after"))
    assert await db.read(lambda tx: meta.get(tx, "word")) == "after"
    go_on.set()
    assert await apart == ["before", "before"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await db.read_apart(lambda tx: meta.put(tx, "word", "never"), seconds=5)


@pytest.mark.parametrize("steps", ["one endless statement", "endlessly many statements"])
async def test_a_read_apart_ends_when_its_time_is_over(db: Database, steps: str) -> None:
    def work(tx: Tx) -> None:
        while True:
            tx.one(LONG if steps == "one endless statement" else "SELECT 1")

    with pytest.raises(TookTooLong):
        await db.read_apart(work, seconds=0.05)
    assert await db.read_apart(lambda tx: 7, seconds=5) == 7


async def test_so_many_reads_apart_at_a_time_and_cancelling_ends_one(db: Database) -> None:
    running = []

    def work(tx: Tx) -> None:
        running.append(tx)
        tx.one(LONG)

    reads = [asyncio.create_task(db.read_apart(work, seconds=50)) for _ in range(APART + 1)]
    while len(running) < APART:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    assert len(running) == APART
    reads[0].cancel()
    while len(running) <= APART:  # the next one has its turn
        await asyncio.sleep(0.005)
    for read in reads:
        read.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*reads, return_exceptions=True)
    )
    assert await db.read_apart(lambda tx: 7, seconds=5) == 7


async def test_closing_ends_reads_apart(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "books.db")
    begun = threading.Event()

    def work(tx: Tx) -> None:
        begun.set()
        tx.one(LONG)

    apart = asyncio.create_task(db.read_apart(work, seconds=50))
    assert await asyncio.to_thread(begun.wait, 10)
    async with asyncio.timeout(5):
        await db.close()
    with pytest.raises(TookTooLong):
        await apart
