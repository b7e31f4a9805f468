"""The cash that is believed to be in each machine: bays, the box, and every move that made it so.

A change of a count and the move that explains it are one call here, so that the counts are always the sums of the
moves. Amounts are minor units of the machine's currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.cash import HISTORY_SECONDS, Bay, Change, MoveKind, Notes, believed_minor
from storage import cassettes
from storage.db import Tx, conditions

_TAKEN: Final = (MoveKind.DISPENSED.value, MoveKind.NOT_DISPENSED.value)


@dataclass(frozen=True, slots=True)
class Box:
    """What is known of a machine's cash beside its bays."""

    box_minor: int = 0
    """What customers put in since it was emptied."""
    limit_minor: int | None = None
    emptied_at: int | None = None
    unplaced_minor: int = 0
    """Dispensed, nobody knows from which bay."""
    explained_minor: int = 0
    """LPs' confirmed deposits less what cash-outs dispensed."""
    gap_minor: int = 0
    """What is believed to be in the bays less what is explained, when last seen."""
    gap_since: int | None = None
    """Since when cash has been missing, or too much of it there; None where there is no gap."""


@dataclass(frozen=True, slots=True)
class Move:
    id: int
    at: int
    kind: MoveKind
    position: int | None
    denomination: int | None
    notes: int | None
    amount_minor: int
    assumed: bool
    counted_minor: int | None
    who: str
    settlement_id: int | None
    deposit_id: int | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why cash moves: who said so, and the settlement or deposit that it is of."""

    kind: MoveKind
    who: str
    """The key of the machine or of the operator."""
    at: int
    settlement_id: int | None = None
    deposit_id: int | None = None


def box(tx: Tx, machine_id: int) -> Box:
    row = tx.one("SELECT * FROM boxes WHERE machine_id = ?", (machine_id,))
    if row is None:
        return Box()
    return Box(
        box_minor=row["box_minor"],
        limit_minor=row["limit_minor"],
        emptied_at=row["emptied_at"],
        unplaced_minor=row["unplaced_minor"],
        explained_minor=row["explained_minor"],
        gap_minor=row["gap_minor"],
        gap_since=row["gap_since"],
    )


def moves(
    tx: Tx,
    machine_id: int | None = None,
    *,
    settlement_id: int | None = None,
    since: int | None = None,
    limit: int = 200,
) -> list[Move]:
    """The newest first."""
    where, values = conditions(
        [("machine_id = ?", machine_id), ("settlement_id = ?", settlement_id), ("at >= ?", since)]
    )
    return [
        Move(
            id=row["id"],
            at=row["at"],
            kind=MoveKind(row["kind"]),
            position=row["position"],
            denomination=row["denomination"],
            notes=row["notes"],
            amount_minor=row["amount_minor"],
            assumed=bool(row["assumed"]),
            counted_minor=row["counted_minor"],
            who=row["who"],
            settlement_id=row["settlement_id"],
            deposit_id=row["deposit_id"],
        )
        for row in tx.all(f"SELECT * FROM cash_moves {where} ORDER BY id DESC LIMIT ?", (*values, limit))  # noqa: S608
    ]


def find(tx: Tx, machine_id: int, found: Sequence[Notes], unit: int, cause: Cause, *, now: int) -> None:
    """Makes bays that the machine reports for the first time: what it says of them is believed. `cause` is of the time
    at which it said so."""
    for each in found:
        tx.insert(
            "bays",
            machine_id=machine_id,
            position=each.position,
            denomination=each.denomination,
            count=each.notes,
            reported_denomination=each.denomination,
            reported_count=each.notes,
        )
        _move(tx, machine_id, cause, each, each.amount * unit)
    tx.run(
        "UPDATE cassettes SET after_settlement = (SELECT coalesce(max(id), 0) FROM settlements)"
        " WHERE machine_id = ? AND after_settlement IS NULL",
        (machine_id,),
    )
    note_gap(tx, machine_id, unit, now)


def change(tx: Tx, machine_id: int, made: Change, unit: int, cause: Cause) -> None:
    """Takes notes out of bays that are there, or puts them in, and notes each."""
    for each in made.notes:
        tx.run(
            "UPDATE bays SET count = count + ? WHERE machine_id = ? AND position = ?",
            (each.notes, machine_id, each.position),
        )
        _move(tx, machine_id, cause, each, each.amount * unit, assumed=made.assumed)
    if made.unplaced_minor:
        _add(tx, machine_id, "unplaced_minor", made.unplaced_minor)
        _move(tx, machine_id, cause, None, -made.unplaced_minor, assumed=made.assumed)
    cassettes.note_differences(tx, machine_id, cause.at)
    note_gap(tx, machine_id, unit, cause.at)


def set_bay(tx: Tx, machine_id: int, bay: Bay, *, denomination: int, count: int, unit: int, cause: Cause) -> None:
    """What somebody counted in a bay is believed from now on."""
    tx.run(
        "UPDATE bays SET denomination = ?, count = ? WHERE machine_id = ? AND position = ?",
        (denomination, count, machine_id, bay.position),
    )
    counted = Notes(bay.position, denomination, count - bay.count)
    _move(tx, machine_id, cause, counted, (denomination * count - bay.amount) * unit)
    cassettes.note_differences(tx, machine_id, cause.at)
    note_gap(tx, machine_id, unit, cause.at)


def insert(tx: Tx, machine_id: int, amount_minor: int, cause: Cause) -> None:
    """A customer put notes in: they are in the box."""
    _add(tx, machine_id, "box_minor", amount_minor)
    _move(tx, machine_id, cause, None, amount_minor)


def empty(tx: Tx, machine_id: int, counted_minor: int | None, cause: Cause) -> int:
    """The box is emptied. Returns what was believed to be in it; the move keeps what was counted."""
    believed = box(tx, machine_id).box_minor
    tx.run(
        "INSERT INTO boxes (machine_id, emptied_at) VALUES (:id, :at) ON CONFLICT (machine_id)"
        " DO UPDATE SET box_minor = 0, emptied_at = :at",
        {"id": machine_id, "at": cause.at},
    )
    _move(tx, machine_id, cause, None, -believed, counted_minor=counted_minor)
    return believed


def was_emptied(tx: Tx, machine_id: int, amount_minor: int, cause: Cause) -> None:
    """What is only now booked as put in went with the box when that was emptied."""
    tx.run("UPDATE boxes SET box_minor = box_minor - ? WHERE machine_id = ?", (amount_minor, machine_id))
    _move(tx, machine_id, cause, None, -amount_minor)


def set_limit(tx: Tx, machine_id: int, limit_minor: int | None) -> None:
    tx.run(
        "INSERT INTO boxes (machine_id, limit_minor) VALUES (:id, :most) ON CONFLICT (machine_id)"
        " DO UPDATE SET limit_minor = :most",
        {"id": machine_id, "most": limit_minor},
    )


def has_moved(tx: Tx, settlement_id: int) -> bool:
    """Whether a settlement has moved cash."""
    return tx.one("SELECT 1 FROM cash_moves WHERE settlement_id = ? LIMIT 1", (settlement_id,)) is not None


def moved(tx: Tx, settlement_id: int) -> tuple[bool, list[Notes], list[Notes], int]:
    """Of a cash-out: whether it has moves at all, the notes that it took and has not given back, those that it has
    given back, and what of it is unplaced, in minor units."""
    rows = tx.all(
        "SELECT position, denomination, kind, sum(notes) AS notes, sum(amount_minor) AS amount_minor FROM cash_moves"
        " WHERE settlement_id = ? GROUP BY position, denomination, kind ORDER BY position, kind",
        (settlement_id,),
    )
    net: dict[tuple[int, int], int] = {}
    given: list[Notes] = []
    unplaced = 0
    for row in rows:
        if row["position"] is None:
            unplaced -= row["amount_minor"]
            continue
        place = (row["position"], row["denomination"])
        net[place] = net.get(place, 0) - row["notes"]
        if row["kind"] == MoveKind.NOT_DISPENSED and row["notes"] > 0:
            given.append(Notes(*place, row["notes"]))
    taken = [Notes(*place, notes) for place, notes in net.items() if notes > 0]
    return bool(rows), taken, given, unplaced


def counted_since(
    tx: Tx, machine_id: int, positions: Iterable[int], *, sold_at: int, settlement_id: int
) -> set[int | None]:
    """Those of these bays that somebody counted, or the machine showed for the first time, after the cash-out was sold
    or after it moved cash; None among them where what was unplaced was."""
    found = {
        place
        for place in (None, *positions)
        if tx.one(
            "SELECT 1 FROM cash_moves WHERE machine_id = ? AND position IS ? AND at > ? AND kind IN ('found', 'set')"
            " AND settlement_id IS NULL AND assumed = 0 LIMIT 1",
            (machine_id, place, sold_at),
        )
    }
    rows = tx.all(
        "SELECT DISTINCT position FROM cash_moves WHERE id > (SELECT min(id) FROM cash_moves WHERE settlement_id = ?)"
        " AND +machine_id = ? AND kind = 'set' AND settlement_id IS NULL AND (assumed = 0 OR position IS NULL)",
        (settlement_id, machine_id),
    )
    return found | {row["position"] for row in rows}


def dispensed(tx: Tx, machine_id: int, positions: Iterable[int], now: int) -> tuple[dict[int, int], int]:
    """Notes by denomination that cash-outs took from these bays in the last weeks, and for how many seconds of those
    weeks there were bays."""
    since = now - HISTORY_SECONDS
    total: dict[int, int] = {}
    began = now
    for position in positions:
        for row in tx.all(
            "SELECT denomination, -sum(notes) AS notes FROM cash_moves WHERE machine_id = ? AND position = ? AND at > ?"
            " AND at <= ? AND kind IN (?, ?) GROUP BY denomination",
            (machine_id, position, since, now, *_TAKEN),
        ):
            total[row["denomination"]] = total.get(row["denomination"], 0) + row["notes"]
        first = tx.one(
            "SELECT min(at) AS at FROM cash_moves WHERE machine_id = ? AND position = ?", (machine_id, position)
        )
        if first is not None and first["at"] is not None:
            began = min(began, first["at"])
    return total, now - max(began, since)


def note_gap(tx: Tx, machine_id: int, unit: int, now: int) -> None:
    """How far what is believed is from what is explained, and since when cash is missing or too much; nothing where
    there are no bays."""
    found = cassettes.bays(tx, machine_id)
    held = box(tx, machine_id)
    gap = believed_minor(found, held.unplaced_minor, unit) - held.explained_minor if found else 0
    if gap == held.gap_minor:
        return
    tx.run(
        "INSERT INTO boxes (machine_id, gap_minor, gap_since) VALUES (:id, :gap, :since) ON CONFLICT (machine_id)"
        " DO UPDATE SET gap_minor = :gap, gap_since = :since",
        {"id": machine_id, "gap": gap, "since": _since(held, gap, now)},
    )


def _since(before: Box, gap: int, now: int) -> int | None:
    """A gap that grows or shrinks is as old as it was: what is lost bit by bit must not look fresh each time."""
    if gap == 0:
        return None
    same = before.gap_since is not None and (gap > 0) == (before.gap_minor > 0)
    return before.gap_since if same else now


def known(tx: Tx, machine_id: int) -> bool:
    """Whether any cash of the machine is on record."""
    return tx.one("SELECT 1 FROM cash_moves WHERE machine_id = ? LIMIT 1", (machine_id,)) is not None


def _add(tx: Tx, machine_id: int, column: str, amount_minor: int) -> None:
    """`column` comes from above, never from outside."""
    tx.run(
        f"INSERT INTO boxes (machine_id, {column}) VALUES (:id, :more) ON CONFLICT (machine_id)"  # noqa: S608
        f" DO UPDATE SET {column} = {column} + :more",
        {"id": machine_id, "more": amount_minor},
    )


def _move(
    tx: Tx,
    machine_id: int,
    cause: Cause,
    notes: Notes | None,
    amount_minor: int,
    *,
    assumed: bool = False,
    counted_minor: int | None = None,
) -> None:
    tx.insert(
        "cash_moves",
        machine_id=machine_id,
        at=cause.at,
        kind=cause.kind.value,
        position=notes.position if notes is not None else None,
        denomination=notes.denomination if notes is not None else None,
        notes=notes.notes if notes is not None else None,
        amount_minor=amount_minor,
        assumed=int(assumed),
        counted_minor=counted_minor,
        who=cause.who,
        settlement_id=cause.settlement_id,
        deposit_id=cause.deposit_id,
    )
