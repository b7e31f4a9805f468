"""Appends to the two hash chains, journal and audit log, and reads them back for `verify`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ledger.journal import GENESIS, Entry, Posting, chain_hash
from storage.db import Tx


def append(tx: Tx, entry: Entry, at: int) -> int:
    """Writes one balanced entry and returns its number; numbers have no gaps. An entry without postings is none."""
    if not entry.postings:
        return 0
    last = tx.one("SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1")
    number, previous = (last["id"] + 1, last["hash"]) if last else (1, GENESIS)
    digest = chain_hash(previous, number, at, entry.kind, entry.ref, entry.postings)
    tx.run(
        "INSERT INTO journal (id, at, kind, ref, hash) VALUES (?, ?, ?, ?, ?)",
        (number, at, entry.kind, entry.ref, digest),
    )
    tx.many(
        "INSERT INTO postings (entry_id, position, account, commodity, amount) VALUES (?, ?, ?, ?, ?)",
        [(number, place, p.account, p.commodity, p.amount) for place, p in enumerate(entry.postings)],
    )
    return number


def entries(tx: Tx) -> Iterator[tuple[int, int, Entry, str]]:
    """(number, time, entry, stored hash) in order, one at a time."""
    cursor = tx.run(
        "SELECT j.id, j.at, j.kind, j.ref, j.hash, p.account, p.commodity, p.amount"
        " FROM journal j LEFT JOIN postings p ON p.entry_id = j.id ORDER BY j.id, p.position"
    )
    head: tuple[int, int, str, str, str] | None = None
    postings: list[Posting] = []
    for row in cursor:
        if head is None or row["id"] != head[0]:
            if head is not None:
                yield _entry(head, postings)
            head = (row["id"], row["at"], row["kind"], row["ref"], row["hash"])
            postings = []
        if row["account"] is not None:
            postings.append(Posting(row["account"], row["commodity"], row["amount"]))
    if head is not None:
        yield _entry(head, postings)


def _entry(head: tuple[int, int, str, str, str], postings: list[Posting]) -> tuple[int, int, Entry, str]:
    entry = object.__new__(Entry)  # an altered entry must be reported, not refused by its own check
    for name, value in (("kind", head[2]), ("ref", head[3]), ("postings", tuple(postings))):
        object.__setattr__(entry, name, value)
    return head[0], head[1], entry, head[4]


def record(
    tx: Tx, *, at: int, who: str, command: str, target: str | None, before: Any = None, after: Any = None
) -> None:
    """One line of the audit log: who did what to what, and how it was before and after (JSON-able values)."""
    last = tx.one("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
    number, previous = (last["id"] + 1, last["hash"]) if last else (1, GENESIS)
    columns = (number, at, who, command, target, _json(before), _json(after), _json(tx.seals or None))
    tx.seals = {}
    tx.run(
        "INSERT INTO audit (id, at, who, command, target, before, after, seals, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*columns, audit_hash(previous, *columns)),
    )


def audit_hash(previous: str, *columns: int | str | None) -> str:
    """The chain of the audit log: SHA-256 over the hash before and the columns of the row."""
    body = json.dumps([previous, *columns], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(body.encode()).hexdigest()


def audit_breaks(tx: Tx) -> Iterator[int]:
    """Numbers of the audit rows whose hash is not what their content and the row before give, or that leave a gap."""
    previous, expected = GENESIS, 1
    for row in tx.run("SELECT id, at, who, command, target, before, after, seals, hash FROM audit ORDER BY id"):
        if row["id"] != expected or audit_hash(previous, *tuple(row)[:-1]) != row["hash"]:
            yield row["id"]
        previous, expected = row["hash"], row["id"] + 1


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
