"""What payments follow - targets, shares, fees - sealed into the audit log: a change that no order made shows.

Whoever changes such a thing notes it here, and the next line of the audit log in that transaction takes the digests in.
Only digests, for a target may be a secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Final

from ledger.decide.distribution import split_payee
from ledger.facts import SealFacts
from storage.db import Tx

PLATFORM: Final = "platform"
PLATFORM_FEES: Final = "platform fees"


def of_lp(lp_id: int) -> str:
    """Its target and the one that waits."""
    return f"L{lp_id}"


def of_fees(machine_id: int) -> str:
    return f"m{machine_id} fees"


def of_splits(machine_id: int | None) -> str:
    """The shares of its own rule; for None those of the default."""
    return f"m{machine_id} splits" if machine_id else "default splits"


def digest(value: object) -> str:
    """Of what JSON can say."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def note(tx: Tx, ref: str, *held: object) -> None:
    """From now on `ref` is so."""
    tx.seals[ref] = [digest(each) for each in held]


def facts(tx: Tx) -> Iterator[SealFacts]:
    """All that payments follow and that was ever sealed. What never was says nothing."""
    last: dict[str, tuple[str, ...]] = {}
    ever: dict[str, set[str]] = {}
    for row in tx.run("SELECT seals FROM audit WHERE seals IS NOT NULL ORDER BY id"):
        for ref, held in json.loads(row["seals"]).items():
            last[ref] = tuple(held)
            ever.setdefault(ref, set()).update(held)
    for ref, held in _held(tx):
        if ref in last:
            yield SealFacts(ref, held, _allowed(ref, last[ref]))
    yield from _open_legs(tx, ever)


def _allowed(ref: str, sealed: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    if ref.startswith("L"):  # the target that waits comes into force by itself
        return (sealed, (sealed[1], digest(None)))
    return (sealed,)


def _held(tx: Tx) -> Iterator[tuple[str, tuple[str, ...]]]:
    for row in tx.run("SELECT target, cash_in_ppm, cash_out_ppm FROM platform"):
        yield PLATFORM, (digest(row["target"]),)
        yield PLATFORM_FEES, (digest(row["cash_in_ppm"]), digest(row["cash_out_ppm"]))
    for row in tx.run("SELECT id, target, next_target FROM lps"):
        yield of_lp(row["id"]), (digest(row["target"]), digest(row["next_target"]))
    shares: dict[int, list[str]] = {0: []}
    for row in tx.run("SELECT id, cash_in_ppm, cash_out_ppm FROM machines"):
        shares[row["id"]] = []
        yield of_fees(row["id"]), (digest(row["cash_in_ppm"]), digest(row["cash_out_ppm"]))
    for row in tx.run(
        "SELECT coalesce(r.machine_id, 0) AS machine, s.fraction_ppm, s.target FROM split_rules r"
        " JOIN split_shares s ON s.rule_id = r.id WHERE r.active = 1 ORDER BY s.rule_id, s.position"
    ):
        shares.setdefault(row["machine"], []).append(digest([row["fraction_ppm"], row["target"]]))
    for machine_id, found in shares.items():
        yield of_splits(machine_id), tuple(found)


def _open_legs(tx: Tx, ever: dict[str, set[str]]) -> Iterator[SealFacts]:
    """They were planned to a target that their payee had then."""
    for row in tx.run("SELECT id, payee, lp_id, target FROM legs WHERE status = 'pending' AND target IS NOT NULL"):
        ref = f"P{row['id']}"
        if row["payee"].startswith("split:"):
            yield SealFacts(ref, (split_payee(row["target"]),), ((row["payee"],),))
            continue
        payee = of_lp(row["lp_id"]) if row["lp_id"] is not None else row["payee"]
        if payee in ever:
            yield SealFacts(ref, (digest(row["target"]),), tuple((each,) for each in ever[payee]))
