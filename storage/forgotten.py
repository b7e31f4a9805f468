"""Payments that were sent and that these books do not know: their database is a copy from before.

Each waits for the leg that it paid, which may be there, or be planned again once its settlement is reported again. When
they meet it becomes an attempt of that leg, and what came of it is found out as of any other. Until then it stands
between that settlement, or that LP, and any other payment.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from ledger.model import Leg
from storage import attempts, legs, purposes
from storage.db import Tx
from storage.purposes import Purpose
from storage.settlements import mark_view
from storage.witness import Fact, Request

ASIDE: Final = "a payment that these books forgot may be this one: forgotten list"
"""Why a leg waits."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    fact: Fact
    requests: tuple[Request, ...]
    purpose: Purpose | None
    """None: nobody knows what for."""
    settled: bool
    """The wallet's list shows it as paid."""
    found_at: int


def _from_row(row: sqlite3.Row) -> Forgotten:
    requests = tuple(Request(**each) for each in json.loads(row["requests"]))
    purpose = Purpose(row["settlement"], row["type"], row["payee"]) if row["type"] is not None else None
    fact = Fact(
        payment_hash=row["payment_hash"],
        leg=row["leg"],
        settlement=row["settlement"],
        type=row["type"] or "",
        payee=row["payee"] or "",
        wallet=row["wallet"],
        invoice=row["invoice"],
        amount_msat=row["amount_msat"],
        payee_key=row["payee_key"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        verify_url=row["verify_url"],
        request=None,
    )
    return Forgotten(fact, requests, purpose, bool(row["settled"]), row["found_at"])


def get(tx: Tx, payment_hash: str) -> Forgotten | None:
    """One that waits."""
    row = tx.one("SELECT * FROM forgotten WHERE payment_hash = ? AND state = 'waiting'", (payment_hash,))
    return _from_row(row) if row else None


def known(tx: Tx, payment_hash: str) -> bool:
    """Whether it was ever among them, waiting or not."""
    return tx.one("SELECT 1 FROM forgotten WHERE payment_hash = ?", (payment_hash,)) is not None


def has(tx: Tx, fact: Fact) -> bool:
    """Whether this very request of it is among them."""
    row = tx.one("SELECT requests FROM forgotten WHERE payment_hash = ?", (fact.payment_hash,))
    if row is None:
        return False
    return fact.request is None or any(
        each["event_id"] == fact.request.event_id for each in json.loads(row["requests"])
    )


def waiting(tx: Tx) -> list[Forgotten]:
    """The oldest first."""
    rows = tx.all("SELECT * FROM forgotten WHERE state = 'waiting' ORDER BY created_at, payment_hash")
    return [_from_row(row) for row in rows]


def purposeless(tx: Tx) -> int:
    """How many wait of which nobody knows what for: each might be any leg's."""
    row = tx.one("SELECT count(*) AS number FROM forgotten WHERE state = 'waiting' AND type IS NULL")
    return int(row["number"]) if row else 0


def ending_in(tx: Tx, end: str) -> list[str]:
    """The payment hashes of those that wait and end so."""
    rows = tx.all(
        "SELECT payment_hash FROM forgotten WHERE state = 'waiting' AND substr(payment_hash, -length(?)) = ? LIMIT 2",
        (end, end),
    )
    return [row["payment_hash"] for row in rows]


def put(tx: Tx, fact: Fact, *, known_purpose: bool, settled: bool, now: int) -> bool:
    """Notes a payment that no attempt stands for, or one more request of it. True for one that was not known."""
    row = tx.one("SELECT requests FROM forgotten WHERE payment_hash = ?", (fact.payment_hash,))
    requests: list[dict[str, Any]] = json.loads(row["requests"]) if row else []
    if fact.request is not None and all(each["event_id"] != fact.request.event_id for each in requests):
        requests.append({name: getattr(fact.request, name) for name in fact.request.__slots__})
    if row is not None:
        tx.run(
            "UPDATE forgotten SET requests = ?, settled = max(settled, ?) WHERE payment_hash = ?",
            (json.dumps(requests), int(settled), fact.payment_hash),
        )
        return False
    tx.insert(
        "forgotten",
        payment_hash=fact.payment_hash,
        wallet=fact.wallet,
        settlement=fact.settlement if known_purpose else None,
        type=fact.type if known_purpose else None,
        payee=fact.payee if known_purpose else None,
        leg=fact.leg,
        invoice=fact.invoice,
        amount_msat=fact.amount_msat,
        payee_key=fact.payee_key,
        created_at=fact.created_at,
        expires_at=fact.expires_at,
        verify_url=fact.verify_url,
        requests=json.dumps(requests),
        settled=int(settled),
        found_at=now,
    )
    mark_view(tx, "worklist")
    return True


def set_settled(tx: Tx, payment_hash: str) -> None:
    """The wallet's list shows it as paid."""
    tx.run("UPDATE forgotten SET settled = 1 WHERE payment_hash = ?", (payment_hash,))


def drop(tx: Tx, payment_hash: str) -> None:
    """By the operator's word it stands for nothing here."""
    _end(tx, payment_hash, "dropped")


def meet(tx: Tx, now: int, *, settlement: str | None = None) -> int:
    """Puts back what finds its leg: open, without a live attempt, for the same payee, amount and wallet. All that wait,
    or those of one settlement by its payment hash. Returns how many were put back."""
    clause, values = ("AND settlement = ?", (settlement,)) if settlement is not None else ("", ())
    rows = tx.all(
        f"SELECT * FROM forgotten WHERE state = 'waiting' AND type IS NOT NULL {clause} ORDER BY created_at",  # noqa: S608
        values,
    )
    return sum(_meet(tx, _from_row(row), now) for row in rows)


def _meet(tx: Tx, found: Forgotten, now: int) -> bool:
    for leg in _candidates(tx, found):
        due = leg.due_msat == found.fact.amount_msat
        if due and purposes.of(tx, leg) == found.purpose and attempts.live(tx, leg.id) is None:
            attempts.put_back(tx, leg, found.fact, found.requests, now)
            _end(tx, found.fact.payment_hash, "back")
            return True
    return False


def fitting(tx: Tx, found: Forgotten, most: int) -> list[int]:
    """Open legs without an attempt that are due this very amount from this wallet: any of them may be what it paid."""
    rows = tx.all(
        "SELECT id FROM legs l WHERE status = 'pending' AND wallet = ? AND (amount_sats - credit_sats) * 1000 = ?"
        " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.leg_id = l.id AND a.state IN ('ready', 'sent', 'claimed'))"
        " ORDER BY id LIMIT ?",
        (found.fact.wallet, found.fact.amount_msat, most),
    )
    return [row["id"] for row in rows]


def match(tx: Tx, found: Forgotten, leg: Leg, now: int) -> None:
    """By the operator's word it paid this leg, which must be `fitting`."""
    attempts.put_back(tx, leg, found.fact, found.requests, now)
    _end(tx, found.fact.payment_hash, "back")


def _candidates(tx: Tx, found: Forgotten) -> list[Leg]:
    """Open legs that it might have paid, first the one of its number."""
    fact = found.fact
    where = "l.settlement_id IS NULL"
    values: tuple[int | str, ...] = (fact.wallet, fact.type)
    if fact.settlement is not None:
        where = "l.settlement_id IN (SELECT id FROM settlements WHERE payment_hash = ?)"
        values = (*values, fact.settlement)
    rows = tx.all(
        "SELECT l.* FROM legs l WHERE l.status = 'pending' AND l.wallet = ? AND l.type = ?"  # noqa: S608
        f" AND {where} ORDER BY l.id <> ?, l.id",
        (*values, fact.leg),
    )
    return [legs.from_row(row) for row in rows]


def stands_before(tx: Tx, leg: Leg) -> str | None:
    """The payment hash of one that waits and may be what this leg owes: of the same settlement; for what an order pays,
    to the same payee at the same machine, whatever for; where nobody knows what for, of the very amount. Nothing is
    paid beside it."""
    if tx.one("SELECT 1 FROM forgotten WHERE state = 'waiting' LIMIT 1") is None:
        return None
    purpose = purposes.of(tx, leg)
    row = tx.one(
        "SELECT payment_hash FROM forgotten WHERE state = 'waiting' AND (settlement = :settlement"
        " OR :settlement IS NULL AND payee = :payee OR type IS NULL AND wallet = :wallet AND amount_msat = :due)"
        " ORDER BY created_at LIMIT 1",
        {
            "settlement": purpose.settlement,
            "payee": purpose.payee,
            "wallet": leg.wallet,
            "due": leg.due_msat,
        },
    )
    return row["payment_hash"] if row else None


def _end(tx: Tx, payment_hash: str, state: str) -> None:
    tx.run("UPDATE forgotten SET state = ? WHERE payment_hash = ?", (state, payment_hash))
    tx.run("UPDATE legs SET next_try_at = 0 WHERE status = 'pending' AND reason = ?", (ASIDE,))
    tx.touch("legs")
    mark_view(tx, "worklist")
