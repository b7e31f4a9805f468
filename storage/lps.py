"""LPs, where their sats go, and their enrolments at machines; applicants, who joined before they were enrolled."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

from ledger.model import EnrolmentStatus, LpMode, LpStanding
from storage import seals, switches
from storage.db import Tx, conditions
from storage.settlements import mark_view


@dataclass(frozen=True, slots=True)
class Lp:
    id: int
    pubkey: str
    name: str
    target: str | None = field(repr=False)
    """None until the LP has joined. May be a wallet connection, which is a secret."""
    next_target: str | None = field(repr=False)
    """Takes the place of `target` at `next_target_at`."""
    next_target_at: int | None
    mode: LpMode
    daily_limit: str | None
    """In fixed mode: decimal text, in each machine's own currency; None: no limit."""
    onboarded_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An LP at a machine, with the sums of its deposits and payments in minor units of the machine's currency."""

    id: int
    machine_id: int
    machine: str
    currency: str
    lp_id: int
    lp: str
    lp_pubkey: str
    onboarded: bool
    status: EnrolmentStatus
    deposited_minor: int
    pending_minor: int
    paid_minor: int
    reserved_minor: int
    paid_sats: int
    last_payment_at: int | None


_ENROLMENT: Final = (
    "SELECT e.*, m.name AS machine, m.fiat AS currency, p.name AS lp, p.pubkey AS lp_pubkey, p.onboarded_at"
    " FROM enrolments e JOIN machines m ON m.id = e.machine_id JOIN lps p ON p.id = e.lp_id "
)


def from_row(row: sqlite3.Row) -> Lp:
    return Lp(
        id=row["id"],
        pubkey=row["pubkey"],
        name=row["name"],
        target=row["target"],
        next_target=row["next_target"],
        next_target_at=row["next_target_at"],
        mode=LpMode(row["mode"]),
        daily_limit=row["daily_limit"],
        onboarded_at=row["onboarded_at"],
        created_at=row["created_at"],
    )


def enrolment_from_row(row: sqlite3.Row) -> Enrolment:
    return Enrolment(
        id=row["id"],
        machine_id=row["machine_id"],
        machine=row["machine"],
        currency=row["currency"],
        lp_id=row["lp_id"],
        lp=row["lp"],
        lp_pubkey=row["lp_pubkey"],
        onboarded=row["onboarded_at"] is not None,
        status=EnrolmentStatus(row["status"]),
        deposited_minor=row["deposited_minor"],
        pending_minor=row["pending_minor"],
        paid_minor=row["paid_minor"],
        reserved_minor=row["reserved_minor"],
        paid_sats=row["paid_sats"],
        last_payment_at=row["last_payment_at"],
    )


def get(tx: Tx, lp_id: int) -> Lp | None:
    row = tx.one("SELECT * FROM lps WHERE id = ?", (lp_id,))
    return from_row(row) if row else None


def by_pubkey(tx: Tx, pubkey: str) -> Lp | None:
    row = tx.one("SELECT * FROM lps WHERE pubkey = ?", (pubkey,))
    return from_row(row) if row else None


def by_name(tx: Tx, name: str) -> Lp | None:
    """People write names in any case."""
    row = tx.one("SELECT * FROM lps WHERE name = ? COLLATE NOCASE", (name,))
    return from_row(row) if row else None


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.all("SELECT name FROM lps ORDER BY name")]


def insert(tx: Tx, *, pubkey: str, name: str, now: int) -> Lp:
    lp_id = tx.insert("lps", pubkey=pubkey, name=name, created_at=now)
    seals.note(tx, seals.of_lp(lp_id), None, None)
    tx.touch("lps")
    stored = get(tx, lp_id)
    assert stored is not None
    return stored


def rename(tx: Tx, lp_id: int, name: str) -> None:
    """Legs that are planned keep the name they were planned with."""
    tx.run("UPDATE lps SET name = ? WHERE id = ?", (name, lp_id))


def set_mode(tx: Tx, lp_id: int, mode: LpMode, daily_limit: str | None) -> Lp:
    """`daily_limit` is decimal text; it counts in fixed mode."""
    tx.run("UPDATE lps SET mode = ?, daily_limit = ? WHERE id = ?", (mode.value, daily_limit, lp_id))
    stored = get(tx, lp_id)
    assert stored is not None
    return stored


def set_target(tx: Tx, lp_id: int, target: str, now: int) -> Lp:
    """The first target onboards; any target set here is used at once."""
    tx.run(
        "UPDATE lps SET target = ?, onboarded_at = coalesce(onboarded_at, ?), next_target = NULL, next_target_at = NULL"
        " WHERE id = ?",
        (target, now, lp_id),
    )
    mark_view(tx, f"balance:{lp_id}")
    return _sealed(tx, lp_id)


def set_next_target(tx: Tx, lp_id: int, target: str | None, at: int | None) -> Lp:
    """A change that waits out the cool-down; None takes it back."""
    tx.run("UPDATE lps SET next_target = ?, next_target_at = ? WHERE id = ?", (target, at, lp_id))
    return _sealed(tx, lp_id)


def _sealed(tx: Tx, lp_id: int) -> Lp:
    stored = get(tx, lp_id)
    assert stored is not None
    seals.note(tx, seals.of_lp(lp_id), stored.target, stored.next_target)
    return stored


def all_to_flow(tx: Tx) -> list[Lp]:
    """Takes every LP out of fixed mode; those that were in it."""
    rows = tx.all("UPDATE lps SET mode = 'flow' WHERE mode = 'fixed' RETURNING *")
    return [from_row(row) for row in rows]


def take_due_targets(tx: Tx, now: int) -> list[Lp]:
    """Changed targets whose cool-down is over come into force; the LPs that this concerns."""
    rows = tx.all("SELECT id, next_target FROM lps WHERE next_target_at <= ?", (now,))
    return [set_target(tx, row["id"], row["next_target"], now) for row in rows]


def standings(tx: Tx, machine_id: int) -> list[LpStanding]:
    """The LPs of a machine in the order of their enrolment. `take_due_targets` comes before, so that targets are those
    in force."""
    rows = tx.all(
        "SELECT e.status, e.deposited_minor - e.paid_minor - e.reserved_minor AS available_minor, p.id, p.name,"
        " p.pubkey, p.mode, p.target FROM enrolments e JOIN lps p ON p.id = e.lp_id"
        " WHERE e.machine_id = ? ORDER BY e.id",
        (machine_id,),
    )
    return [
        LpStanding(
            lp_id=row["id"],
            name=row["name"],
            pubkey=row["pubkey"],
            target=row["target"],
            mode=LpMode(row["mode"]),
            status=EnrolmentStatus(row["status"]),
            available_minor=row["available_minor"],
        )
        for row in rows
    ]


def enrol(tx: Tx, machine_id: int, lp_id: int, now: int) -> Enrolment:
    tx.insert("enrolments", machine_id=machine_id, lp_id=lp_id, created_at=now)
    mark_view(tx, f"balance:{lp_id}")
    stored = enrolment(tx, machine_id, lp_id)
    assert stored is not None
    return stored


def set_status(tx: Tx, enrolled: Enrolment, status: EnrolmentStatus) -> None:
    """A paused one takes no part in what is shared out from now on."""
    tx.run("UPDATE enrolments SET status = ? WHERE id = ?", (status.value, enrolled.id))


def has_history(tx: Tx, machine_id: int, lp_id: int) -> bool:
    """Whether the books know the LP at this machine: deposits, those that were deleted included, or payments."""
    return (
        tx.one(
            "SELECT 1 FROM deposits WHERE machine_id = :machine AND lp_id = :lp UNION ALL"
            " SELECT 1 FROM legs WHERE machine_id = :machine AND lp_id = :lp LIMIT 1",
            {"machine": machine_id, "lp": lp_id},
        )
        is not None
    )


def unenrol(tx: Tx, enrolled: Enrolment) -> None:
    """Takes away an enrolment without history."""
    tx.run("DELETE FROM enrolments WHERE id = ?", (enrolled.id,))
    mark_view(tx, f"balance:{enrolled.lp_id}")


def remove(tx: Tx, who: Lp) -> None:
    """An LP that is enrolled nowhere goes, with its switches."""
    tx.run("DELETE FROM lps WHERE id = ?", (who.id,))
    tx.run("DELETE FROM switches WHERE name IN (?, ?)", (switches.of_lp(who.id), switches.of_lp_itself(who.id)))
    tx.run("DELETE FROM stale_views WHERE view = ?", (f"balance:{who.id}",))
    tx.touch("lps")


def enrolment(tx: Tx, machine_id: int, lp_id: int) -> Enrolment | None:
    row = tx.one(_ENROLMENT + "WHERE e.machine_id = ? AND e.lp_id = ?", (machine_id, lp_id))
    return enrolment_from_row(row) if row else None


def enrolments(
    tx: Tx, *, machine_id: int | None = None, lp_id: int | None = None, before_id: int | None = None, limit: int = -1
) -> list[Enrolment]:
    """The newest first."""
    where, values = conditions([("e.machine_id = ?", machine_id), ("e.lp_id = ?", lp_id), ("e.id < ?", before_id)])
    rows = tx.all(_ENROLMENT + where + " ORDER BY e.id DESC LIMIT ?", (*values, limit))
    return [enrolment_from_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who joined before being enrolled."""

    id: int
    pubkey: str
    target: str = field(repr=False)
    created_at: int


def applicant(tx: Tx, pubkey: str) -> Applicant | None:
    row = tx.one("SELECT * FROM applicants WHERE pubkey = ?", (pubkey,))
    return Applicant(**row) if row else None


def applicant_by_id(tx: Tx, applicant_id: int) -> Applicant | None:
    row = tx.one("SELECT * FROM applicants WHERE id = ?", (applicant_id,))
    return Applicant(**row) if row else None


def applicants(tx: Tx) -> int:
    row = tx.one("SELECT count(*) AS number FROM applicants")
    return row["number"] if row else 0


def applicants_page(tx: Tx, *, before_id: int | None, limit: int) -> list[Applicant]:
    """The newest first."""
    rows = tx.all(
        "SELECT * FROM applicants WHERE :before IS NULL OR id < :before ORDER BY id DESC LIMIT :limit",
        {"before": before_id, "limit": limit},
    )
    return [Applicant(**row) for row in rows]


def keep_applicant(tx: Tx, pubkey: str, target: str, now: int) -> None:
    tx.run(
        "INSERT INTO applicants (pubkey, target, created_at) VALUES (?, ?, ?)"
        " ON CONFLICT (pubkey) DO UPDATE SET target = excluded.target",
        (pubkey, target, now),
    )


def forget_applicant(tx: Tx, pubkey: str) -> None:
    tx.run("DELETE FROM applicants WHERE pubkey = ?", (pubkey,))
