"""How much work a settlement is: from its event, decrypted, to the durable plan of 24 legs and their postings.

Beside it, in the same run: the time of one fsync on this disk, and the same rows written one statement a transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from bot.nostr import Keys
from handlers import proof, settlement
from handlers.distribution import distribute
from handlers.proof import WalletWord
from ledger.decide.attempt import AttemptPolicy
from ledger.decide.landing import LandingPolicy
from nwc.event import Event
from nwc.proof_of_payment import Payment, PaymentCheck
from storage.db import Database, Tx
from tests.bench.books import LEGS, open_books, report

NUMBER = 400
BATCH = 64
NAIVE = 12
LANDING = LandingPolicy(Decimal("0.02"), reject_fee_mismatch=False)
ATTEMPTS = AttemptPolicy(600, 60, (20, 60, 180), (2, 5, 15, 60, 300), 600, 60, 50_000)
SETTLED = WalletWord(PaymentCheck(Payment.SETTLED, "settled"))
TABLES = ("settlements", "legs", "journal", "postings", "inbox", "outbox")


async def measure() -> list[str]:
    """Lines to print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        machine, now = Keys.generate().public_key, 1_790_000_000
        targets = [f"payee{number}@example.com" for number in range(LEGS)]
        db = await open_books(path, machine, targets, "0" * 64, now)
        wall, work = await _plan(db, machine, now)
        legs = (await db.read(lambda tx: tx.all("SELECT count(*) AS n FROM legs")))[0]["n"]
        if legs != NUMBER * LEGS:
            raise AssertionError(f"{legs} legs were planned, not {NUMBER * LEGS}")
        await db.close()
        naive = _naive(path, Path(folder) / "naive.db")
        fsync = _fsync(Path(folder) / "probe")
    return [
        f"planning: {NUMBER} settlements of {LEGS} legs in batches of {BATCH}",
        f"  work (CPU)            {work * 1e3:7.2f} ms a settlement   (figure to reach: 2 ms)",
        f"  wall clock            {wall * 1e3:7.2f} ms a settlement",
        f"  naive, same rows      {naive * 1e3:7.2f} ms a settlement   ({naive / wall:.1f} times as long)",
        f"  one fsync here        {fsync * 1e3:7.2f} ms",
    ]


async def _plan(db: Database, machine: str, now: int) -> tuple[float, float]:
    """Seconds of wall clock and of CPU a settlement."""
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(NUMBER)]
    events = [Event(digest, machine, now, 21_000, (), "", "0" * 128) for digest in hashes]
    texts = [report(digest, now) for digest in hashes]
    wall, work = time.perf_counter(), time.process_time()
    for start in range(0, NUMBER, BATCH):
        batch = range(start, min(start + BATCH, NUMBER))
        await asyncio.gather(*(db.write(lambda tx, n=n: _land(tx, events[n], texts[n], now)) for n in batch))  # type: ignore[misc]
        await asyncio.gather(*(db.write(lambda tx, n=n: _prove(tx, n + 1, now)) for n in batch))  # type: ignore[misc]
        await db.write(lambda tx: distribute(tx, token="bench", limit=BATCH, now=now))
    return (time.perf_counter() - wall) / NUMBER, (time.process_time() - work) / NUMBER


def _land(tx: Tx, event: Event, text: str, now: int) -> None:
    settlement.receive(tx, event, text, policy=LANDING, repeat=False, now=now)


def _prove(tx: Tx, settlement_id: int, now: int) -> None:
    proof.apply(tx, settlement_id, SETTLED, policy=ATTEMPTS, when_supported=False, now=now)


def _naive(source: Path, target: Path) -> float:
    """The rows of some settlements, each written by a statement that is a transaction. Seconds a settlement."""
    with closing(sqlite3.connect(source)) as books, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = WAL")
        copy.execute("PRAGMA synchronous = FULL")
        rows = []
        for table in TABLES:
            copy.execute(books.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0])
            total = books.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            share = books.execute(f"SELECT * FROM {table} LIMIT ?", (round(total * NAIVE / NUMBER),)).fetchall()
            rows += [(table, row) for row in share]
        began = time.perf_counter()
        for table, row in rows:
            copy.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        return (time.perf_counter() - began) / NAIVE


def _fsync(path: Path) -> float:
    """The median of some fsyncs of a small write, in seconds."""
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)
