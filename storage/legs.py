"""Legs: planned with their settlement, paid one attempt at a time, and booked when they end."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ledger import journal as books
from ledger.model import Leg, Machine, PlannedLeg, Settlement
from ledger.states import LegStatus, LegType, SettlementStatus, settlement_after
from storage import journal, payee_credits, settlements
from storage.db import Tx

OVER_A_CAP: Final = "over the cap of "
"""How the reason begins for which a leg waits that a cap holds back."""


def from_row(row: sqlite3.Row) -> Leg:
    return Leg(
        id=row["id"],
        settlement_id=row["settlement_id"],
        machine_id=row["machine_id"],
        wallet=row["wallet"],
        type=LegType(row["type"]),
        status=LegStatus(row["status"]),
        amount_sats=row["amount_sats"],
        credit_sats=row["credit_sats"],
        fiat_minor=row["fiat_minor"],
        currency=row["currency"],
        lp_id=row["lp_id"],
        payee=row["payee"],
        target=row["target"],
        label=row["label"],
        reason=row["reason"],
        tries=row["tries"],
        next_try_at=row["next_try_at"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


def get(tx: Tx, leg_id: int) -> Leg | None:
    row = tx.one("SELECT * FROM legs WHERE id = ?", (leg_id,))
    return from_row(row) if row else None


def of_settlement(tx: Tx, settlement_id: int) -> list[Leg]:
    return [from_row(row) for row in tx.all("SELECT * FROM legs WHERE settlement_id = ? ORDER BY id", (settlement_id,))]


def owed_since(tx: Tx, leg_ids: Sequence[int]) -> int | None:
    """When the first of the customers paid for what these legs owe; for what an order pays, when that was given."""
    row = tx.one(
        "SELECT min(coalesce(min(s.reported_at, s.created_at), l.created_at)) AS at FROM legs l"  # noqa: S608
        f" LEFT JOIN settlements s ON s.id = l.settlement_id WHERE l.id IN ({','.join('?' * len(leg_ids))})",
        leg_ids,
    )
    return row["at"] if row else None


def standing_sats(tx: Tx, settlement_id: int) -> dict[LegType, int]:
    """What of a settlement is in legs that were not voided, by type."""
    rows = tx.all(
        "SELECT type, sum(amount_sats) AS sats FROM legs WHERE settlement_id = ? AND status <> 'voided' GROUP BY type",
        (settlement_id,),
    )
    return {LegType(row["type"]): row["sats"] for row in rows}


def insert_plan(tx: Tx, settlement: Settlement, plan: Iterable[PlannedLeg], now: int) -> None:
    """All legs of a plan and the journal entry that makes them payable."""
    legs = tuple(plan)
    tx.many(
        "INSERT INTO legs (settlement_id, machine_id, wallet, type, status, amount_sats, fiat_minor, currency, lp_id,"
        " payee, target, label, reason, next_try_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                settlement.id,
                settlement.machine_id,
                settlement.wallet,
                leg.type.value,
                leg.status.value,
                leg.amount_sats,
                leg.fiat_minor,
                settlement.currency,
                leg.lp_id,
                leg.payee,
                leg.target,
                leg.label,
                leg.reason,
                now,
                now,
            )
            for leg in legs
        ],
    )
    journal.append(tx, books.legs_planned(f"S{settlement.id}", settlement.machine_id, legs), now)
    tx.touch("legs")
    for leg in legs:
        _mark_balance(tx, leg.lp_id)


def insert_order(tx: Tx, machine: Machine, wallet: str, planned: PlannedLeg, now: int) -> Leg:
    """A payment that belongs to no settlement: an order made it. Booked as payable."""
    leg_id = tx.insert(
        "legs",
        machine_id=machine.id,
        wallet=wallet,
        type=planned.type.value,
        status=planned.status.value,
        amount_sats=planned.amount_sats,
        fiat_minor=planned.fiat_minor,
        currency=machine.fiat,
        lp_id=planned.lp_id,
        payee=planned.payee,
        target=planned.target,
        label=planned.label,
        reason=planned.reason,
        next_try_at=now,
        created_at=now,
    )
    journal.append(tx, books.legs_planned(f"P{leg_id}", machine.id, [planned]), now)
    tx.touch("legs")
    _mark_balance(tx, planned.lp_id)
    stored = get(tx, leg_id)
    assert stored is not None
    return stored


def unpaid_payouts(tx: Tx, machine_id: int, lp_id: int) -> list[Leg]:
    """What was to be paid out to an LP at a machine by an order, and failed or was skipped."""
    rows = tx.all(
        "SELECT * FROM legs WHERE lp_id = ? AND machine_id = ? AND type = 'settlement'"
        " AND status IN ('failed', 'skipped') ORDER BY id",
        (lp_id, machine_id),
    )
    return [from_row(row) for row in rows]


def ordered_fiat(tx: Tx, machine_id: int, lp_id: int, since: int) -> int:
    """What such orders paid an LP at a machine since then, or still may, in minor units."""
    row = tx.one(
        "SELECT coalesce(sum(fiat_minor), 0) AS total FROM legs WHERE lp_id = ? AND machine_id = ?"
        " AND type = 'settlement' AND status IN ('pending', 'completed') AND created_at >= ?",
        (lp_id, machine_id, since),
    )
    return int(row["total"]) if row else 0


def payable(
    tx: Tx,
    wallet: str,
    now: int,
    limit: int,
    exclude: Iterable[int],
    most_of_one: int,
    in_hand: Mapping[str, int] | None = None,
) -> list[Leg]:
    """Open legs of a wallet without a live attempt, oldest first, where neither payments nor the machine are paused,
    the payee is not frozen and nothing is held; of one payee only the first few, so that no payee stands in the way of
    the others.
    `exclude` are legs that are not asked for, `in_hand` says how many legs to a payee a worker has in hand."""
    busy = set(exclude)
    places = Counter(in_hand or {})
    rows = tx.all(
        "SELECT * FROM (SELECT l.*, row_number() OVER (PARTITION BY l.payee ORDER BY l.next_try_at, l.id) AS place"
        " FROM legs l WHERE l.wallet = ? AND l.status = 'pending' AND l.next_try_at <= ?"
        " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.leg_id = l.id AND a.state IN ('ready', 'sent', 'claimed'))"
        " AND NOT EXISTS (SELECT 1 FROM holds)"
        " AND NOT EXISTS (SELECT 1 FROM switches s WHERE s.paused = 1"
        "                 AND s.name IN ('payments', 'machine:' || l.machine_id, 'lp:' || l.lp_id,"
        "                                'lp:' || l.lp_id || ':itself', 'payee:' || l.payee)))"
        " WHERE place <= ? ORDER BY next_try_at, id LIMIT ?",
        (wallet, now, most_of_one, limit + len(busy) + most_of_one * len(places)),
    )
    found: list[Leg] = []
    for row in rows:
        if row["id"] not in busy and places[row["payee"]] < most_of_one and len(found) < limit:
            places[row["payee"]] += 1
            found.append(from_row(row))
    return found


def may_be_paid(tx: Tx, leg: Leg) -> bool:
    """False while payments, its machine or its payee are stopped by somebody, or the bot itself holds everything."""
    row = tx.one(
        "SELECT EXISTS (SELECT 1 FROM holds) OR EXISTS (SELECT 1 FROM switches WHERE paused = 1 AND name IN"
        " ('payments', 'machine:' || :machine, 'lp:' || :lp, 'lp:' || :lp || ':itself', 'payee:' || :payee)) AS held",
        {"machine": leg.machine_id, "lp": leg.lp_id, "payee": leg.payee},
    )
    return row is not None and not row["held"]


def open_msat(tx: Tx, wallet: str) -> int:
    """What a wallet still owes on open legs."""
    row = tx.one(
        "SELECT coalesce(sum(amount_sats - credit_sats), 0) AS total FROM legs WHERE wallet = ? AND status = 'pending'",
        (wallet,),
    )
    return int(row["total"]) * 1_000 if row else 0


def next_payable_at(tx: Tx, wallet: str, now: int) -> int | None:
    """When a leg that waits for its next try comes due; None when nothing waits."""
    row = tx.one(
        "SELECT min(next_try_at) AS at FROM legs WHERE wallet = ? AND status = 'pending' AND next_try_at > ?",
        (wallet, now),
    )
    return row["at"] if row else None


def no_later_than(tx: Tx, latest: int) -> None:
    """A clock that was ahead and came back must not leave legs waiting for a day that is far away."""
    tx.run("UPDATE legs SET next_try_at = ? WHERE status = 'pending' AND next_try_at > ?", (latest, latest))


def put_off(tx: Tx, leg: Leg, *, next_try_at: int, reason: str, counts: bool) -> None:
    """Not paid this time; `counts` when it uses up one of the leg's tries."""
    tx.run(
        "UPDATE legs SET tries = tries + ?, next_try_at = ?, reason = ? WHERE id = ? AND status = 'pending'",
        (int(counts), next_try_at, reason, leg.id),
    )
    tx.touch("legs")


def waits_for(tx: Tx, wallet: str) -> set[str]:
    """The reasons for which open legs of this wallet were put off."""
    rows = tx.all(
        "SELECT DISTINCT reason FROM legs WHERE wallet = ? AND status = 'pending' AND reason IS NOT NULL", (wallet,)
    )
    return {row["reason"] for row in rows}


def try_now(tx: Tx, wallet: str, reason: str, limit: int, now: int) -> None:
    """The first of a wallet's open legs that were put off for this reason need not wait any longer."""
    cursor = tx.run(
        "UPDATE legs SET next_try_at = :now WHERE id IN (SELECT id FROM legs WHERE wallet = :wallet"
        " AND status = 'pending' AND reason = :reason AND next_try_at > :now ORDER BY next_try_at, id LIMIT :limit)",
        {"now": now, "wallet": wallet, "reason": reason, "limit": limit},
    )
    if cursor.rowcount:
        tx.touch("legs")


def try_capped_now(tx: Tx, now: int, *, machine_id: int | None = None) -> None:
    """What waits for a cap need not wait any longer: the caps may be others by now, or there is room."""
    cursor = tx.run(
        "UPDATE legs SET next_try_at = :now WHERE status = 'pending' AND next_try_at > :now"
        " AND reason LIKE :capped AND (:machine IS NULL OR machine_id = :machine)",
        {"now": now, "capped": f"{OVER_A_CAP}%", "machine": machine_id},
    )
    if cursor.rowcount:
        tx.touch("legs")


def complete(tx: Tx, leg: Leg, fees_msat: int, now: int) -> None:
    """Proof is stored, or a credit covers it: the leg is completed and booked, and its settlement may be done."""
    tx.run("UPDATE legs SET status = 'completed', completed_at = ?, reason = NULL WHERE id = ?", (now, leg.id))
    if leg.status is LegStatus.FAILED:
        settlements.mark_view(tx, "worklist")
    journal.append(tx, books.leg_completed(leg, fees_msat), now)
    _ended(tx, leg, now)


def set_off(tx: Tx, leg: Leg) -> Leg:
    """Lowers what is due on an open leg by what its payee was paid twice before."""
    taken = payee_credits.take(tx, leg.payee, leg.amount_sats - leg.credit_sats)
    if not taken:
        return leg
    tx.run("UPDATE legs SET credit_sats = credit_sats + ? WHERE id = ?", (taken, leg.id))
    return replace(leg, credit_sats=leg.credit_sats + taken)


def set_off_exactly(tx: Tx, leg: Leg, sats: int) -> Leg:
    """Lowers what is due on an open leg by these sats altogether. The payee's credits must allow it, and no attempt of
    it may live."""
    more = sats - leg.credit_sats
    if more > 0:
        taken = payee_credits.take(tx, leg.payee, more)
        assert taken == more, "less is to be set off than that"
    elif more < 0:
        payee_credits.give_back(tx, leg.payee, -more)
    if more:
        tx.run("UPDATE legs SET credit_sats = ? WHERE id = ?", (sats, leg.id))
    return replace(leg, credit_sats=sats)


def _return_credit(tx: Tx, leg: Leg) -> None:
    """A leg that is not paid sets nothing off."""
    if leg.credit_sats:
        payee_credits.give_back(tx, leg.payee, leg.credit_sats)
        tx.run("UPDATE legs SET credit_sats = 0 WHERE id = ?", (leg.id,))


def skip(tx: Tx, leg: Leg, reason: str, now: int) -> None:
    """It can't be paid, by the payee's own limits: the sats stay in the wallet."""
    _return_credit(tx, leg)
    tx.run("UPDATE legs SET status = 'skipped', reason = ? WHERE id = ?", (reason, leg.id))
    settlements.mark_view(tx, "worklist")
    journal.append(tx, books.leg_skipped(leg), now)
    _ended(tx, leg, now)


def fail(tx: Tx, leg: Leg, reason: str, now: int) -> None:
    """Its target does not resolve, or its attempts are used up: an operator decides. It stays payable in the books."""
    tx.run("UPDATE legs SET status = 'failed', reason = ? WHERE id = ?", (reason, leg.id))
    settlements.mark_view(tx, "worklist")
    _ended(tx, leg, now)


def void(tx: Tx, leg: Leg, reason: str, now: int) -> None:
    """Replaced by an order: what it owed is due again. It may have no live attempt."""
    _return_credit(tx, leg)
    tx.run("UPDATE legs SET status = 'voided', reason = ? WHERE id = ?", (reason, leg.id))
    settlements.mark_view(tx, "worklist")
    journal.append(tx, books.leg_voided(leg), now)
    _mark_balance(tx, leg.lp_id)


def room_for(tx: Tx, leg: Leg) -> bool:
    """Whether a failed leg's fiat still fits the LP's balance, which it no longer reserves."""
    if leg.lp_id is None or leg.status is LegStatus.PENDING:
        return True
    row = tx.one(
        "SELECT deposited_minor - paid_minor - reserved_minor AS free FROM enrolments"
        " WHERE machine_id = ? AND lp_id = ?",
        (leg.machine_id, leg.lp_id),
    )
    return row is not None and row["free"] >= leg.fiat_minor


def _ended(tx: Tx, leg: Leg, now: int) -> None:
    _mark_balance(tx, leg.lp_id)
    if leg.settlement_id is None:
        return
    settlement = settlements.get(tx, leg.settlement_id)
    assert settlement is not None
    if settlement.status not in (SettlementStatus.PROCESSING, SettlementStatus.ERRORED):
        return
    rows = tx.all("SELECT DISTINCT status FROM legs WHERE settlement_id = ?", (leg.settlement_id,))
    after = settlement_after(LegStatus(row["status"]) for row in rows)
    if after is not settlement.status and after is not SettlementStatus.PROCESSING:
        settlements.set_status(
            tx, settlement.id, after, now, reason="leg_failed" if after is SettlementStatus.ERRORED else None
        )


def _mark_balance(tx: Tx, lp_id: int | None) -> None:
    if lp_id is not None:
        settlements.mark_view(tx, f"balance:{lp_id}")
