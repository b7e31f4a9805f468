"""The database: one writer, whose every transaction is one job on one thread, and readers beside it.

A unit of work is a plain function of a `Tx`. `write` queues it; whatever waits is taken together into one durable
commit, each function inside a savepoint of its own, so that one refusal doesn't undo its neighbours. Results are
handed out only after the commit. Cancelling the one who waits changes nothing: the job runs and commits all the same.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Generic, TypeVar
from urllib.parse import quote

import aiosqlite
import structlog

from storage.errors import AlreadyRunning, StorageBroken, StorageError, TookTooLong, is_broken, is_busy
from storage.migrate import migrate, version_of
from storage.witness import Fact, Mark, Witness

BATCH: Final = 256
QUEUE: Final = 4_096
APART: Final = 2
"""So many long reads run at a time; others wait for their turn."""
BUSY_SECONDS: Final = 60
"""For so long another program may be in the midst of writing."""
_LOOK_SECONDS: Final = 0.05
_LOOK_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at the time: about a millisecond."""

log = structlog.get_logger(__name__)

T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)


@dataclass(slots=True)
class Tx:
    """An open transaction. `touched` names what the workers should look at once it is committed."""

    sql: sqlite3.Connection
    touched: set[str] = field(default_factory=set)
    leaving: list[Fact] = field(default_factory=list)
    """What may leave once this is committed: it stands in the witness before anybody is told of the commit."""
    marks: bool = False
    """Whether the witness is to note how far the books are with this commit."""
    seals: dict[str, list[str]] = field(default_factory=dict)
    """What the next line of the audit log seals (storage/seals.py)."""
    coming: list[Any] = field(default_factory=list)
    """What is to leave soon: a hint only, for who makes it ready while this is being committed, or undone after all."""
    faults: list[Exception] = field(default_factory=list)
    """Of ours, in work that is undone by itself, so that the rest goes on. They are logged."""

    def run(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        return self.sql.execute(statement, values)

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self.sql.executemany(statement, rows)

    def one(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.sql.execute(statement, values).fetchone()
        return row

    def all(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        return self.sql.execute(statement, values).fetchall()

    def insert(self, table: str, **values: Any) -> int:
        """Inserts one row and returns its rowid. Column names come from the program, never from outside."""
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        cursor = self.sql.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608
        return int(cursor.lastrowid or 0)

    def touch(self, *names: str) -> None:
        self.touched.update(names)


Given = int | str | tuple[int | str, ...] | None


def conditions(given: Iterable[tuple[str, Given]]) -> tuple[str, list[int | str]]:
    """A WHERE clause of those that have a value, so that indexes can be used, and the values for its marks: one, or
    as many as are in a tuple. True stands for a clause without marks, False like None for no clause."""
    wanted = [(clause, value) for clause, value in given if value is not None and value is not False]
    values: list[int | str] = []
    for _, value in wanted:
        if value is not True:
            values += value if isinstance(value, tuple) else (value,)
    where = " AND ".join(clause for clause, _ in wanted)
    return (f"WHERE {where}" if wanted else ""), values


class _Busy(Exception):
    """Another program is writing: the transaction was not begun."""


@dataclass(frozen=True, slots=True)
class _Follower:
    name: str
    read: Callable[[Tx], Any]
    listener: Callable[[Any], None]


class _Job(Generic[T]):
    """One queued unit of work and the future of whoever waits for it."""

    __slots__ = ("error", "future", "result", "tx", "work")

    def __init__(self, work: Callable[[Tx], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.result: T | None = None
        self.error: BaseException | None = None
        self.tx: Tx | None = None


class _Timed(sqlite3.Connection):
    """A connection that gives up when its time is over, in the midst of a statement or before the next one."""

    until = float("inf")
    """On the monotonic clock. Another thread may set it: 0 ends what runs here."""

    def watch(self) -> None:
        self.set_progress_handler(lambda: time.monotonic() > self.until, _LOOK_STEPS)

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        if time.monotonic() > self.until:
            raise TookTooLong
        return super().execute(*statement)


class Database:
    """An open, locked and migrated database. Make one with `Database.open`."""

    def __init__(
        self,
        path: Path,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        lock: IO[str],
        witness: Witness,
    ) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self.witness = witness
        """Belongs to the thread that writes: only what runs in `write` may use it."""
        self._queue: asyncio.Queue[_Job[Any] | None] = asyncio.Queue(QUEUE)
        self._listeners: list[Callable[[set[str]], None]] = []
        self._followers: list[_Follower] = []
        self._loop = asyncio.get_running_loop()
        self._foresee: Callable[[list[Any]], None] | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with StorageBroken when nothing more may be written."""
        self.failed.add_done_callback(_seen)
        self._closing = False
        self._threads = ThreadPoolExecutor(APART, thread_name_prefix="storage.apart")
        self._apart: set[_Timed] = set()
        self._task = asyncio.create_task(self._write_batches(), name="storage.writer")

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Opens, locks and migrates. Raises StorageError when another bot has it or the file is not ours.

        Lock and witness are beside the file itself, by whatever link it is named.
        """
        path = _itself(path)
        lock = _take_lock(path)
        try:
            _refuse_second_name(path)
            writer = await aiosqlite.connect(path, isolation_level=None)
            try:
                await _on_thread(writer, lambda raw: _prepare(raw, path))
                witness = await _on_thread(writer, lambda _: Witness(witness_path(path)))
                reader = await aiosqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
                await _on_thread(reader, _prepare_reader)
            except BaseException:
                await writer.close()
                raise
        except sqlite3.Error as error:
            lock.close()
            if is_busy(error):
                raise AlreadyRunning(f"another program is writing into {path.name}: end that one first") from None
            raise StorageError(f"{path.name} can't be used as a database: {error}") from None
        except OSError as error:
            lock.close()
            raise StorageError(f"{witness_path(path).name} can't be read and written: {error.strerror}") from None
        except BaseException:
            lock.close()
            raise
        return cls(path, writer, reader, lock, witness)

    @property
    def path(self) -> Path:
        return self._path

    def on_commit(self, listener: Callable[[set[str]], None]) -> None:
        """`listener` is called on the event loop after each commit, with the names that were touched."""
        self._listeners.append(listener)

    def follow(self, name: str, read: Callable[[Tx], T], listener: Callable[[T], None]) -> None:
        """After each commit that touched `name` it is read anew, and `listener` called with what was found as the
        listeners of `on_commit` are. Nothing is committed in between, and who waits for the commit goes on later."""
        self._followers.append(_Follower(name, read, listener))

    def before_commit(self, listener: Callable[[list[Any]], None]) -> None:
        """`listener` is called on the event loop, with what transactions have in `coming`, while they are committed:
        whether they will be nobody knows then, so nothing may leave by that."""
        self._foresee = listener

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Runs `work` in a transaction and returns its result once that is durable.

        What `work` raises undoes what it did and is raised here. Raises StorageBroken once the disk has failed.
        """
        if self.failed.done() or self._closing:
            raise StorageBroken("the database takes no more writes")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_seen)
        await self._queue.put(_Job(work, future))
        return await asyncio.shield(future)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Runs `work` on one consistent snapshot of what is committed; it can't write."""

        def job(raw: sqlite3.Connection) -> T:
            raw.execute("BEGIN")
            try:
                return work(Tx(raw))
            finally:
                raw.execute("ROLLBACK")

        return await asyncio.shield(asyncio.ensure_future(_on_thread(self._reader, job)))

    async def read_apart(self, work: Callable[[Tx], T], *, seconds: float) -> T:
        """Runs `work` as `read` does, on a connection and a thread of its own: for what may take long.

        A few such reads run at a time, the others wait for their turn. Raises TookTooLong once one has run for so many
        `seconds`. Cancelling the one who waits ends the read.
        """
        cancelled = False
        mine: list[_Timed] = []

        def job() -> T:
            with closing(_open_read_only(self._path, _Timed)) as raw:
                raw.until = time.monotonic() + seconds
                raw.watch()
                mine.append(raw)
                self._apart.add(raw)
                if cancelled or self._closing:  # whoever cancels sees the connection, or is seen here
                    raw.until = 0
                try:
                    raw.execute("BEGIN")
                    return work(Tx(raw))
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                        raise TookTooLong from None
                    raise
                finally:
                    self._apart.discard(raw)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, job)
        except asyncio.CancelledError:
            cancelled = True
            for raw in mine:
                raw.until = 0
            raise

    async def close(self) -> None:
        """Ends the reads apart, commits what is queued, then lets go of file and lock."""
        if self._closing:
            return
        self._closing = True
        for raw in list(self._apart):
            raw.until = 0
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        await self._queue.put(None)
        await self._task
        await _on_thread(self._writer, lambda raw: _end_testimony(raw, self.witness))
        await self._reader.close()
        await self._writer.close()
        self._lock.close()

    async def _write_batches(self) -> None:
        ending = False
        while not ending:
            batch: list[_Job[Any]] = []
            job = await self._queue.get()
            while True:
                if job is None:
                    ending = True
                else:
                    batch.append(job)
                if ending or len(batch) >= BATCH or self._queue.empty():
                    break
                job = self._queue.get_nowait()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[_Job[Any]]) -> None:
        found: list[tuple[_Follower, Any]] = []
        if self.failed.done():
            error: BaseException | None = StorageBroken("the database takes no more writes")
            touched: set[str] = set()
        else:
            touched, error = await self._on_disk(batch, found)
        if error is not None:
            broken = is_broken(error) or isinstance(error, StorageBroken)
            if not self.failed.done() and (broken or not isinstance(error, Exception)):
                self.failed.set_exception(StorageBroken(f"the database failed: {error}"))
            for job in batch:
                _finish(job, StorageBroken(f"not stored: {error}") if broken else error)
            return
        for job in batch:
            for fault in job.tx.faults if job.tx is not None else ():
                log.error("left_undone", exc_info=fault)
            _finish(job, job.error)
        for follower, what in found:
            follower.listener(what)
        if touched:
            for listener in self._listeners:
                listener(touched)

    async def _on_disk(
        self, batch: list[_Job[Any]], found: list[tuple[_Follower, Any]]
    ) -> tuple[set[str], BaseException | None]:
        """What was touched, and the error if nobody may act on it; what is followed goes into `found`.

        While another program is in the midst of writing, the batch waits; nothing of it was begun, nothing leaves. Who
        never ends ends the bot: what it was asked meanwhile comes again at its next start.
        """
        until = time.monotonic() + BUSY_SECONDS
        told = False
        while True:
            touched, error = await _on_thread(self._writer, lambda raw: self._commit_on_disk(raw, batch, found))
            if not isinstance(error, _Busy):
                return touched, error
            if self._closing or time.monotonic() >= until:
                return set(), StorageBroken(f"another program is writing into {self._path.name}, and does not end")
            if not told:
                log.warning("database_busy", database=self._path.name, reason="another program is writing into it")
                told = True
            await asyncio.sleep(_LOOK_SECONDS)

    def _commit_on_disk(
        self, raw: sqlite3.Connection, batch: list[_Job[Any]], found: list[tuple[_Follower, Any]]
    ) -> tuple[set[str], BaseException | None]:
        """The batch in the database, then in the witness; only then is anything read that may leave."""
        touched, error = _transact(raw, batch, self._announce)
        if error is None:
            error = _testify(raw, batch, self.witness)
        if error is None:
            try:
                found += [(each, each.read(Tx(raw))) for each in self._followers if each.name in touched]
            except Exception as failed:  # noqa: BLE001 - what can't be read can't be acted on, whatever it is
                error = StorageBroken(f"what was committed can't be read: {failed!r}")
        return touched, error

    def _announce(self, coming: list[Any]) -> None:
        if self._foresee is not None:
            self._loop.call_soon_threadsafe(self._foresee, coming)


def _finish(job: _Job[Any], error: BaseException | None) -> None:
    if job.future.done():
        return
    if error is not None:
        job.future.set_exception(error)
    else:
        job.future.set_result(job.result)


def _seen(future: asyncio.Future[Any]) -> None:
    """Marks a result as looked at, for the one who waited may have been cancelled."""
    if not future.cancelled():
        future.exception()


async def _on_thread(connection: aiosqlite.Connection, job: Callable[[sqlite3.Connection], T]) -> T:
    """One function as one job on the connection's thread: the only way in which this package touches SQLite.

    aiosqlite's public calls are a job a statement, between which other tasks' statements would slip in.
    """
    result: T = await connection._execute(lambda: job(connection._conn))  # type: ignore[no-untyped-call]
    return result


def _transact(
    raw: sqlite3.Connection, batch: list[_Job[Any]], announce: Callable[[list[Any]], None] | None = None
) -> tuple[set[str], BaseException | None]:
    """Runs a batch in one transaction. Returns what was touched, and the error if nothing of it was committed."""
    touched: set[str] = set()
    coming: list[Any] = []
    try:
        _begin(raw)
        for job in batch:
            tx = job.tx = Tx(raw)
            raw.execute("SAVEPOINT message")
            try:
                job.result = job.work(tx)
            except Exception as error:
                if is_broken(error):
                    raise
                job.error = error
                raw.execute("ROLLBACK TO message")
            else:
                touched |= tx.touched
                coming += tx.coming
            raw.execute("RELEASE message")
        if coming and announce is not None:
            announce(coming)
        raw.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001 - whatever it is, nothing of this batch may stay
        with suppress(sqlite3.Error):
            raw.execute("ROLLBACK")
        return set(), error
    return touched, None


def _begin(raw: sqlite3.Connection) -> None:
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if is_busy(error):
            raise _Busy from None
        raise


def _testify(raw: sqlite3.Connection, batch: list[_Job[Any]], witness: Witness) -> BaseException | None:
    """What this commit lets leave stands in the witness before anybody is told of the commit, all of it by one write.
    Returns the error where it does not stand there: then nothing may leave."""
    committed = [job.tx for job in batch if job.tx is not None and job.error is None]
    leaving = [fact for tx in committed for fact in tx.leaving]
    witness.admitted = witness.admitted or any(tx.marks for tx in committed)
    if not leaving and not any(tx.marks for tx in committed):
        return None
    try:
        witness.write(leaving, mark_of(raw) if witness.admitted else None)
    except (OSError, sqlite3.Error) as error:
        return StorageBroken(f"{witness.path.name} can't be written: {error}")
    return None


def mark_of(raw: sqlite3.Connection) -> Mark:
    """How far the books are."""
    journal = raw.execute("SELECT id, hash, at FROM journal ORDER BY id DESC LIMIT 1").fetchone() or (0, "", 0)
    audit = raw.execute("SELECT id, hash, at FROM audit ORDER BY id DESC LIMIT 1").fetchone() or (0, "", 0)
    return Mark(journal[0], journal[1], audit[0], audit[1], max(journal[2], audit[2]))


def _end_testimony(raw: sqlite3.Connection, witness: Witness) -> None:
    """An orderly end is noted, so that a copy from before it is known for what it is."""
    with suppress(sqlite3.Error, OSError):
        if witness.admitted:
            witness.write((), mark_of(raw))
    with suppress(OSError):
        witness.close()


def witness_path(path: Path) -> Path:
    """Where the witness of the database at `path` is."""
    return path.with_name(f"{path.name}.witness")


def _take_lock(path: Path) -> IO[str]:
    """One bot for one database, held by the operating system until the process ends, however it ends."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"the folder of {path.name} can't be written: {error.strerror}") from None
    lock = os.fdopen(descriptor, "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise AlreadyRunning(f"another satmachine already runs on {path.name}: stop that one first") from None
    return lock


def _itself(path: Path) -> Path:
    """The file that is meant, where the path goes through links."""
    return path.resolve()


def _refuse_second_name(path: Path) -> None:
    """Under another name the same file would have another lock, another log and another witness."""
    if path.exists() and path.stat().st_nlink > 1:
        raise StorageError(
            f"{path.name} has another name too (a hard link), by which a second bot could run on it: remove that name,"
            " or make a copy of the file and use the copy"
        )


def _prepare(raw: sqlite3.Connection, path: Path) -> None:
    path.chmod(0o600)
    _settings(raw)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    migrate(raw, path)


def _prepare_reader(raw: sqlite3.Connection) -> None:
    _settings(raw)
    raw.execute("PRAGMA query_only = ON")


def _settings(raw: sqlite3.Connection) -> None:
    raw.row_factory = sqlite3.Row
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA recursive_triggers = ON")
    raw.execute("PRAGMA busy_timeout = 5000")
    raw.execute("PRAGMA trusted_schema = OFF")


def open_snapshot(path: Path) -> sqlite3.Connection:
    """A read-only connection for the command line, beside a running bot or without one.

    Raises StorageError where there is no database or one of another version's schema can't be read.
    """
    return _open_read_only(path, sqlite3.Connection)


def _open_read_only(path: Path, kind: type[C]) -> C:
    if not path.exists():
        raise StorageError(f"there is no database at {path.name} yet: it is made by the first `satmachine run`")
    try:
        raw = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, factory=kind)
        _prepare_reader(raw)
        version_of(raw)
    except sqlite3.Error as error:
        raise StorageError(f"{path.name} can't be read as a database: {error}") from None
    return raw
