"""Which settlements, legs and enrolments the program has changed since they were last looked at.

Triggers of the writing connection alone note them, so that no statement can be forgotten, and what is rolled back is
not noted. A change by somebody else's connection shows in SQLite's own counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from storage.db import Tx

_SETTLEMENT: Final = (
    "status, wire_sats, principal_sats, fee_sats, platform_fee_sats, operator_fee_sats, fee_mismatch_sats, fiat_minor,"
    " landed_wire_sats, landed_principal_sats, landed_fee_sats"
)
_LEG: Final = "status, settlement_id, wallet, type, amount_sats, credit_sats, fiat_minor, lp_id"
_ATTEMPT: Final = "state, leg_id, wallet, amount_msat, expires_at, sent_at, preimage, surplus"
_ENROLMENT: Final = "deposited_minor, pending_minor, paid_minor, reserved_minor, paid_sats"
_NOTE: Final = "INSERT OR IGNORE INTO changed (what, id)"
_WATCHED: Final = (
    ("INSERT ON main.settlements", "VALUES ('settlement', NEW.id)"),
    (f"UPDATE OF {_SETTLEMENT} ON main.settlements", "VALUES ('settlement', NEW.id)"),
    ("INSERT ON main.legs", "VALUES ('leg', NEW.id)"),
    (f"UPDATE OF {_LEG} ON main.legs", "VALUES ('leg', NEW.id)"),
    ("INSERT ON main.attempts", "VALUES ('leg', NEW.leg_id)"),
    (f"UPDATE OF {_ATTEMPT} ON main.attempts", "VALUES ('leg', NEW.leg_id)"),
    ("INSERT ON main.requests", "SELECT 'leg', leg_id FROM attempts WHERE payment_hash = NEW.payment_hash"),
    (f"UPDATE OF {_ENROLMENT} ON main.enrolments", "VALUES ('enrolment', NEW.id)"),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids. A leg's settlement is not among `settlements` for the leg's sake."""

    settlements: frozenset[int]
    legs: frozenset[int]
    enrolments: frozenset[int]
    version: int
    """Another number than before means that somebody else's connection has written."""

    @property
    def any(self) -> bool:
        return bool(self.settlements or self.legs or self.enrolments)


def watch(tx: Tx) -> None:
    """From now on the writing connection notes what it changes, until it is closed."""
    tx.run("CREATE TEMP TABLE changed (what TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (what, id)) WITHOUT ROWID")
    for number, (when, noted) in enumerate(_WATCHED):
        tx.run(f"CREATE TEMP TRIGGER noted_{number} AFTER {when} BEGIN {_NOTE} {noted}; END")


def take(tx: Tx) -> Changes:
    """What was changed since the last time. On the writing connection only."""
    noted: dict[str, set[int]] = {"settlement": set(), "leg": set(), "enrolment": set()}
    for row in tx.all("SELECT what, id FROM changed"):
        noted[row["what"]].add(row["id"])
    if any(noted.values()):
        tx.run("DELETE FROM changed")
    version = tx.one("PRAGMA data_version")
    assert version is not None
    return Changes(
        frozenset(noted["settlement"]), frozenset(noted["leg"]), frozenset(noted["enrolment"]), int(version[0])
    )


def settlements_of(tx: Tx, legs: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
    """The settlements of these legs, and which of the legs have none."""
    found: set[int] = set()
    alone: set[int] = set()
    for leg_id in legs:
        row = tx.one("SELECT settlement_id FROM legs WHERE id = ?", (leg_id,))
        if row is not None and row["settlement_id"] is not None:
            found.add(row["settlement_id"])
        else:
            alone.add(leg_id)
    return frozenset(found), frozenset(alone)
