"""Payments that were sent and that these books do not know: their database is a copy from before.

Each waits for the leg that it paid, which may be there, or be planned again once its settlement is reported again. When
they meet it becomes an attempt of that leg, and what came of it is found out as of any other. Until then it stands
between that settlement, or that LP, and any other payment.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.model import Attempt, Leg
from ledger.money import MSAT
from ledger.states import AttemptState, LegStatus
from storage import attempts, legs, payee_credits, purposes
from storage.db import Tx
from storage.purposes import Purpose
from storage.settlements import mark_view
from storage.witness import Fact, Request

ASIDE: Final = "a payment that these books forgot may be this one: forgotten list"
"""Why a leg waits."""
_ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    fact: Fact
    requests: tuple[Request, ...]
    purpose: Purpose | None
    """None: nobody knows what for."""
    settled: bool
    """The wallet's list shows it as paid."""
    found_at: int
    fees_msat: int = 0
    """What the way cost, as the wallet lists it."""

    @property
    def amounts_msat(self) -> tuple[int, ...]:
        """What the payee may have got: some wallets list what left them, with the fee."""
        got_msat = self.fact.amount_msat - self.fees_msat
        return (self.fact.amount_msat, got_msat) if 0 < got_msat < self.fact.amount_msat else (self.fact.amount_msat,)


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
    return Forgotten(fact, requests, purpose, bool(row["settled"]), row["found_at"], row["fees_msat"])


def get(tx: Tx, payment_hash: str) -> Forgotten | None:
    """One that waits."""
    row = tx.one("SELECT * FROM forgotten WHERE payment_hash = ? AND state = 'waiting'", (payment_hash,))
    return _from_row(row) if row else None


def known(tx: Tx, payment_hash: str) -> bool:
    """Whether it was ever among them, waiting or not."""
    return tx.one("SELECT 1 FROM forgotten WHERE payment_hash = ?", (payment_hash,)) is not None


def ours(tx: Tx, payment_hash: str) -> bool:
    """Whether it is known that this payment was made for a leg, in these books or in others."""
    row = tx.one("SELECT 1 FROM forgotten WHERE payment_hash = ? AND type IS NOT NULL", (payment_hash,))
    return row is not None


def any_known(tx: Tx) -> bool:
    """Whether there ever was one."""
    return tx.one("SELECT 1 FROM forgotten LIMIT 1") is not None


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


def awaited(tx: Tx) -> set[str]:
    """The payment hashes of the settlements that they wait for."""
    rows = tx.all("SELECT DISTINCT settlement FROM forgotten WHERE state = 'waiting' AND settlement IS NOT NULL")
    return {row["settlement"] for row in rows}


def unsure_machines(tx: Tx) -> list[int]:
    """Machines at which an LP was paid by one that waits: what LPs have there is less than these books say."""
    payees = {
        row["payee"]
        for row in tx.all("SELECT DISTINCT payee FROM forgotten WHERE state = 'waiting' AND payee IS NOT NULL")
    }
    if not payees:
        return []
    rows = tx.run(
        "SELECT m.id, m.pubkey AS machine, p.pubkey AS lp FROM enrolments e JOIN machines m ON m.id = e.machine_id"
        " JOIN lps p ON p.id = e.lp_id"
    )
    return sorted({row["id"] for row in rows if purposes.lp_at(row["machine"], row["lp"]) in payees})


def ending_in(tx: Tx, end: str) -> list[str]:
    """The payment hashes of those that wait and end so."""
    rows = tx.all(
        "SELECT payment_hash FROM forgotten WHERE state = 'waiting' AND substr(payment_hash, -length(?)) = ? LIMIT 2",
        (end, end),
    )
    return [row["payment_hash"] for row in rows]


def doubt(tx: Tx, attempt: Attempt, requests: tuple[Request, ...], now: int) -> None:
    """What these books have as ready may have been sent since."""
    put(tx, attempts.fact_of(tx, attempt.payment_hash, None), known_purpose=True, settled=False, now=now, state="back")
    attempts.send_in_doubt(tx, attempt.payment_hash, requests, now)


def put(
    tx: Tx,
    fact: Fact,
    *,
    known_purpose: bool,
    settled: bool,
    now: int,
    state: str = "waiting",
    fees_msat: int = 0,
) -> bool:
    """Notes a payment, or one more request of it: by itself one that no attempt stands for, and that waits. True for
    one that was not known. `fees_msat`: what the way cost, which some wallets list as part of the amount."""
    row = tx.one("SELECT requests FROM forgotten WHERE payment_hash = ?", (fact.payment_hash,))
    requests: list[dict[str, Any]] = json.loads(row["requests"]) if row else []
    if fact.request is not None and all(each["event_id"] != fact.request.event_id for each in requests):
        requests.append({name: getattr(fact.request, name) for name in fact.request.__slots__})
    if row is not None:
        tx.run(
            "UPDATE forgotten SET requests = ?, settled = max(settled, ?) WHERE payment_hash = ?",
            (json.dumps(requests), int(settled), fact.payment_hash),
        )
        if known_purpose:
            tx.run(
                "UPDATE forgotten SET settlement = ?, type = ?, payee = ?, leg = ?"
                " WHERE payment_hash = ? AND type IS NULL AND state = 'waiting'",
                (fact.settlement, fact.type, fact.payee, fact.leg, fact.payment_hash),
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
        fees_msat=fees_msat,
        payee_key=fact.payee_key,
        created_at=fact.created_at,
        expires_at=fact.expires_at,
        verify_url=fact.verify_url,
        requests=json.dumps(requests),
        settled=int(settled),
        found_at=now,
        state=state,
    )
    mark_view(tx, "worklist")
    return True


def set_settled(tx: Tx, fact: Fact, fees_msat: int) -> None:
    """The wallet's list shows it as paid, and with what: under way it may have shown what it kept for the fee, too."""
    tx.run("UPDATE forgotten SET settled = 1 WHERE payment_hash = ?", (fact.payment_hash,))
    tx.run(
        "UPDATE forgotten SET amount_msat = ?, fees_msat = ? WHERE payment_hash = ? AND state = 'waiting'"
        " AND requests = '[]'",  # what the witness tells is what was asked for
        (fact.amount_msat, fees_msat, fact.payment_hash),
    )


def drop(tx: Tx, payment_hash: str) -> None:
    """By the operator's word it stands for nothing here."""
    _end(tx, payment_hash, "dropped")


def meet(tx: Tx, now: int, *, settlement: str | None = None) -> int:
    """Puts back what finds its leg: open, without a live attempt, for the same payee, amount and wallet; or paid
    meanwhile, so that it is a second payment. All that wait, or those of one settlement by its payment hash. What a
    wallet shows as paid comes first. Returns how many were put back."""
    clause, values = ("AND settlement = ?", (settlement,)) if settlement is not None else ("", ())
    rows = tx.all(
        f"SELECT * FROM forgotten WHERE state = 'waiting' AND type IS NOT NULL {clause}"  # noqa: S608
        " ORDER BY settled DESC, created_at",
        values,
    )
    return sum(_meet(tx, _from_row(row), now) for row in rows)


def _meet(tx: Tx, found: Forgotten, now: int) -> bool:
    attempt = attempts.get(tx, found.fact.payment_hash)
    if attempt is not None and attempt.state is not AttemptState.DROPPED:
        _end(tx, found.fact.payment_hash, "back")
        return True
    for leg in _candidates(tx, found, attempt):
        if purposes.of(tx, leg) == found.purpose and attempts.live(tx, leg.id) is None and _fits(tx, leg, found):
            match(tx, found, leg, now)
            return True
    return False


def _fits(tx: Tx, leg: Leg, found: Forgotten) -> bool:
    """Whether it paid what is due on an open leg, or what was once the payee's credit was set off; or whether a leg was
    paid since this one was looked for: then it was paid twice."""
    if leg.status is LegStatus.COMPLETED:
        return leg.settlement_id is not None and (leg.completed_at or 0) >= found.found_at
    after_credit = leg.due_msat - MSAT * payee_credits.open_sats(tx, leg.payee)
    return leg.status is LegStatus.PENDING and not {leg.due_msat, after_credit}.isdisjoint(found.amounts_msat)


def fitting(tx: Tx, found: Forgotten, most: int) -> list[int]:
    """Open legs without an attempt that are due this very amount from this wallet, or were, as far as a credit of the
    payee goes: any of them may be what it paid."""
    fit = [
        leg_id for amount_msat in found.amounts_msat for leg_id in _fitting(tx, found.fact.wallet, amount_msat, most)
    ]
    return list(dict.fromkeys(fit))[:most]


def _fitting(tx: Tx, wallet: str, amount_msat: int, most: int) -> list[int]:
    rows = tx.all(
        "SELECT id FROM legs l WHERE status = 'pending' AND wallet = :wallet"
        " AND amount_sats * 1000 >= :msat AND :msat % 1000 = 0"
        " AND (amount_sats - credit_sats - (SELECT coalesce(sum(c.amount_sats - c.used_sats), 0) FROM credits c"
        "      WHERE c.payee = l.payee AND c.used_sats < c.amount_sats)) * 1000 <= :msat"
        " AND (credit_sats > 0 OR amount_sats * 1000 = :msat OR EXISTS (SELECT 1 FROM credits c WHERE"
        "      c.payee = l.payee AND c.used_sats < c.amount_sats))"
        " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.leg_id = l.id AND a.state IN ('ready', 'sent', 'claimed'))"
        " ORDER BY (amount_sats - credit_sats) * 1000 <> :msat, id LIMIT :most",
        {"wallet": wallet, "msat": amount_msat, "most": most},
    )
    return [row["id"] for row in rows]


def match(tx: Tx, found: Forgotten, leg: Leg, now: int) -> None:
    """It paid this leg, which must be `fitting`: by the operator's word, or where all else agrees, too."""
    fact = found.fact
    if leg.status is LegStatus.PENDING:
        got_msat = next(
            (each for each in found.amounts_msat if leg.id in _fitting(tx, fact.wallet, each, _ALL)), fact.amount_msat
        )
        fact = replace(fact, amount_msat=got_msat)
        leg = legs.set_off_exactly(tx, leg, leg.amount_sats - got_msat // MSAT)
    attempts.put_back(tx, leg, fact, found.requests, now)
    _end(tx, fact.payment_hash, "back")


def _candidates(tx: Tx, found: Forgotten, attempt: Attempt | None) -> list[Leg]:
    """Legs that it might have paid, open ones first, then the one of its number. What is an attempt already is of its
    leg alone."""
    fact = found.fact
    if attempt is not None:
        leg = legs.get(tx, attempt.leg_id)
        return [leg] if leg is not None else []
    where = "l.settlement_id IS NULL"
    values: tuple[int | str, ...] = (fact.wallet, fact.type)
    if fact.settlement is not None:
        where = "l.settlement_id IN (SELECT id FROM settlements WHERE payment_hash = ?)"
        values = (*values, fact.settlement)
    rows = tx.all(
        "SELECT l.* FROM legs l WHERE l.status IN ('pending', 'completed') AND l.wallet = ? AND l.type = ?"  # noqa: S608
        f" AND {where} ORDER BY l.status = 'completed', l.id <> ?, l.id",
        (*values, fact.leg),
    )
    return [legs.from_row(row) for row in rows]


def stands_before(tx: Tx, leg: Leg) -> str | None:
    """The payment hash of one that waits and may be what this leg owes: of the same settlement; for what an order pays,
    or to an LP, to the same payee at the same machine, whatever for; where nobody knows what for, of the very amount,
    unless a report has shown since that a customer got it. Nothing is paid beside it."""
    if tx.one("SELECT 1 FROM forgotten WHERE state = 'waiting' LIMIT 1") is None:
        return None
    purpose = purposes.of(tx, leg)
    row = tx.one(
        "SELECT payment_hash FROM forgotten WHERE state = 'waiting' AND (settlement = :settlement"
        " OR (:settlement IS NULL OR :lp) AND payee = :payee"
        " OR type IS NULL AND wallet = :wallet AND :due IN (amount_msat, amount_msat - fees_msat) AND NOT EXISTS ("
        "   SELECT 1 FROM settlements s WHERE s.payment_hash = forgotten.payment_hash AND s.wallet = :wallet"
        "   AND s.tx_type = 'cash_in' AND s.status NOT IN ('unverified', 'rejected')))"
        " ORDER BY created_at LIMIT 1",
        {
            "settlement": purpose.settlement,
            "payee": purpose.payee,
            "lp": leg.lp_id is not None,
            "wallet": leg.wallet,
            "due": leg.due_msat,
        },
    )
    return row["payment_hash"] if row else None


def _end(tx: Tx, payment_hash: str, state: str) -> None:
    tx.run("UPDATE forgotten SET state = ? WHERE payment_hash = ?", (state, payment_hash))
    tx.run("UPDATE legs SET next_try_at = 0 WHERE status = 'pending' AND reason = ?", (ASIDE,))
    tx.touch("legs", "settlements")
    mark_view(tx, "worklist")
