"""Split rules: how the operator fee is shared, for one machine or by default. A rule is replaced, never edited."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.model import SplitRule, SplitShare
from storage import seals
from storage.db import Tx


def own(tx: Tx, machine_id: int | None) -> SplitRule | None:
    """The rule set for this machine alone; for None the operator's default."""
    row = tx.one("SELECT id FROM split_rules WHERE coalesce(machine_id, 0) = ? AND active = 1", (machine_id or 0,))
    if row is None:
        return None
    shares = tx.all(
        "SELECT fraction_ppm, target, label FROM split_shares WHERE rule_id = ? ORDER BY position", (row["id"],)
    )
    return SplitRule(
        row["id"], machine_id, tuple(SplitShare(s["fraction_ppm"], s["target"], s["label"]) for s in shares)
    )


def effective(tx: Tx, machine_id: int) -> SplitRule | None:
    """The machine's own rule, else the default."""
    return own(tx, machine_id) or own(tx, None)


def replace(tx: Tx, machine_id: int | None, shares: Sequence[SplitShare], now: int) -> SplitRule:
    """A new rule takes the place of the one that is there."""
    clear(tx, machine_id)
    rule_id = tx.insert("split_rules", machine_id=machine_id, created_at=now)
    tx.many(
        "INSERT INTO split_shares (rule_id, position, fraction_ppm, target, label) VALUES (?, ?, ?, ?, ?)",
        [(rule_id, place, s.fraction_ppm, s.target, s.label) for place, s in enumerate(shares)],
    )
    seals.note(tx, seals.of_splits(machine_id), *([share.fraction_ppm, share.target] for share in shares))
    tx.touch("splits")
    stored = own(tx, machine_id)
    assert stored is not None
    return stored


def clear(tx: Tx, machine_id: int | None) -> bool:
    """Takes the rule away; False when there was none."""
    cursor = tx.run(
        "UPDATE split_rules SET active = 0 WHERE coalesce(machine_id, 0) = ? AND active = 1", (machine_id or 0,)
    )
    seals.note(tx, seals.of_splits(machine_id))
    return cursor.rowcount == 1


def known(tx: Tx, target: str) -> bool:
    """Whether any rule, also one that was replaced, has a share for this target."""
    return tx.one("SELECT 1 FROM split_shares WHERE target = ? LIMIT 1", (target,)) is not None


def without_rule(tx: Tx) -> list[str]:
    """The names of the active machines for which no rule is in force: operator fees stay in the wallet there."""
    if own(tx, None) is not None:
        return []
    rows = tx.all(
        "SELECT name FROM machines m WHERE active = 1 AND NOT EXISTS (SELECT 1 FROM split_rules r"
        " WHERE coalesce(r.machine_id, 0) = m.id AND r.active = 1) ORDER BY name"
    )
    return [row["name"] for row in rows]
