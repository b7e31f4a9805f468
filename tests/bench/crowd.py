"""Books of many years, made by SQL alone: as many rows as one likes, the rare among them the oldest.

What nobody asks for is left out: the journal, most attempts. The triggers, which check how rows come about one by one,
are away while they are made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ledger.fees import FeeRates
from ledger.model import Platform
from nwc.keys import is_public_key
from storage import machines, platform, wallets
from storage.db import Database, Tx

NOW = 1_790_000_000
EVERY_SECONDS = 600
"""Between two settlements: 100,000 of them are two years."""
MACHINES = 20
LEGS = 4
"""Of a settlement: for the platform, for the operator, for the one LP that is everywhere, and for another one."""


@dataclass(frozen=True, slots=True)
class Crowd:
    settlements: int
    lps: int
    enrolments_each: int
    rare: int
    """How many there are of whatever is rare."""

    @property
    def began_at(self) -> int:
        return NOW - self.settlements * EVERY_SECONDS


MANY = Crowd(settlements=100_000, lps=2_000, enrolments_each=5, rare=20)
FEW = Crowd(settlements=100, lps=20, enrolments_each=5, rare=20)


def key_of(name: str) -> str:
    """A public key, always the same."""
    number = 0
    while not is_public_key(found := hashlib.sha256(f"{name} {number}".encode()).hexdigest()):
        number += 1
    return found


async def open_crowd(path: Path, crowd: Crowd) -> Database:
    db = await Database.open(path)
    await db.write(lambda tx: _fill(tx, crowd))
    return db


def _fill(tx: Tx, crowd: Crowd) -> None:
    triggers = tx.all("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for trigger in triggers:
        tx.run(f"DROP TRIGGER {trigger['name']}")
    platform.start(tx, Platform(FeeRates(30_000, 30_000), "platform@example.com"))
    for number in range(1, MACHINES + 1):
        pubkey, fees = key_of(f"machine {number}"), FeeRates(50_000, 50_000)
        wallets.register(tx, f"w{number}", wallet_pubkey=pubkey, client_pubkey=pubkey, now=crowd.began_at)
        machines.insert(
            tx, pubkey=pubkey, name=f"m{number}", wallet=f"w{number}", fiat="GTQ", location=None, fees=fees, now=NOW
        )
    _lps(tx, crowd)
    values: dict[str, int | str] = {
        "began": crowd.began_at,
        "every": EVERY_SECONDS,
        "machines": MACHINES,
        "lps": crowd.lps,
    }
    values |= {"number": crowd.settlements, "each": crowd.enrolments_each, "boss": key_of("boss"), "rare": crowd.rare}
    for statement in (_DEPOSITS, _SETTLEMENTS, _LEGS, _AUDIT):
        tx.run(
            f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number) {statement}", values
        )
    for trigger in triggers:
        tx.run(trigger["sql"])


def _lps(tx: Tx, crowd: Crowd) -> None:
    numbers = range(1, crowd.lps + 1)
    tx.many(
        "INSERT INTO lps (pubkey, name, target, onboarded_at, created_at) VALUES (?, ?, ?, ?, ?)",
        [(key_of(f"lp {n}"), f"lp{n}", f"lp{n}@example.com", NOW, crowd.began_at) for n in numbers],
    )
    # The first LP is at every machine. What all have brought is more than was ever paid out.
    places = {((n + more) % MACHINES + 1, n) for more in range(crowd.enrolments_each) for n in numbers}
    places |= {(machine, 1) for machine in range(1, MACHINES + 1)}
    tx.many(
        "INSERT INTO enrolments (machine_id, lp_id, deposited_minor, created_at) VALUES (?, ?, ?, ?)",
        [(*place, 10**12, crowd.began_at) for place in sorted(places, key=lambda place: place[::-1])],
    )


_DEPOSITS = """
INSERT INTO deposits (machine_id, lp_id, amount_minor, currency, status, created_by, created_at, confirmed_at)
SELECT (lp + i % :each) % :machines + 1, lp, 100000, 'GTQ', status, :boss, :began + i * :every,
       CASE status WHEN 'confirmed' THEN :began + i * :every + 60 END
FROM (SELECT i, CASE i % 2 WHEN 0 THEN 1 ELSE i % :lps + 1 END AS lp,
             CASE WHEN i <= :rare THEN 'deleted' WHEN i <= :rare * 2 THEN 'pending'
             ELSE 'confirmed' END AS status FROM n)
"""
_SETTLEMENTS = """
INSERT INTO settlements (machine_id, wallet, status, reason, payment_hash, tx_type, wire_sats, principal_sats, fee_sats,
    platform_fee_sats, operator_fee_sats, fee_mismatch_sats, fiat_minor, currency, exchange_rate, event_id, reported_at,
    created_at, changed_at, proof, receipt, processed_at)
SELECT machine, 'w' || machine, status, CASE status WHEN 'rejected' THEN 'not_paid' END, printf('%064x', i), 'cash_out',
       108000, 100000, 8000, 3000, 5000, 0, 200000, 'GTQ', '50', printf('%064x', i), at, at, at + 60,
       CASE WHEN status <> 'rejected' THEN 'settled' END, 'accepted', CASE status WHEN 'processed' THEN at + 60 END
FROM (SELECT i, :began + i * :every AS at, CASE WHEN i <= :rare THEN 1 ELSE i % (:machines - 1) + 2 END AS machine,
             CASE WHEN i <= :rare THEN 'errored' WHEN i <= :rare * 2 THEN 'rejected' WHEN i <= :rare * 3 THEN 'refunded'
             ELSE 'processed' END AS status FROM n)
"""
_LEGS = """
INSERT INTO legs (settlement_id, machine_id, wallet, type, status, amount_sats, fiat_minor, currency, lp_id, payee,
    target, label, reason, next_try_at, created_at, completed_at)
SELECT s, machine, 'w' || machine, type, status, 25000, CASE type WHEN 'dca' THEN 50000 ELSE 0 END, 'GTQ', lp,
       'payee' || p || '@example.com', 'payee' || p || '@example.com', 'payee',
       CASE WHEN status IN ('failed', 'skipped') THEN 'no_target' END, at, at,
       CASE WHEN status IN ('completed', 'refunded') THEN at + 60 END
FROM (SELECT s.id AS s, machine_id AS machine, created_at AS at, p.p,
             CASE WHEN p = 0 THEN 'super_fee' WHEN p = 1 AND s.id <= :rare THEN 'refund'
             WHEN p = 1 THEN 'operator_split' ELSE 'dca' END AS type,
             CASE p WHEN 2 THEN 1 WHEN 3 THEN 1 + (:machines * s.id
                 + (machine_id + 2 * :machines - 2 - s.id % :each) % :machines) % :lps END AS lp,
             CASE WHEN p = 3 AND s.id <= :rare * 5 THEN 'skipped' WHEN s.id <= :rare THEN 'failed'
             WHEN s.id <= :rare * 2 THEN 'voided' WHEN s.id <= :rare * 3 THEN 'refunded' ELSE 'completed' END AS status
      FROM settlements s, (SELECT 0 AS p UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) p
      WHERE s.id IN (SELECT i FROM n) ORDER BY s.id, p.p)
"""
_AUDIT = """
INSERT INTO audit (id, at, who, command, target, after, hash)
SELECT i, :began + i * :every, :boss, 'settlement note', CASE WHEN i <= :rare THEN 'platform' ELSE 'S' || i END, '{}',
       printf('%064x', i) FROM n
"""
