"""From when on something is wrong: the configuration's word, and where an operator said so, one machine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from storage import thresholds
from storage.db import Tx

SILENT: Final = "silent_minutes"
CASH_LOW: Final = "cash_low_notes"
WALLET_LOW: Final = "wallet_low_sats"
OF_MACHINES: Final = (SILENT, CASH_LOW, WALLET_LOW)
"""What can be set for one machine. 0: never an alarm."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The configuration's."""

    machine_silent_minutes: int = 90
    cash_low_notes: int = 50
    wallet_low_sats: int = 100_000
    wallet_unreachable_minutes: int = 15
    unresolved_minutes: int = 15
    stuck_after_minutes: int = 30
    deposit_pending_hours: int = 48
    relay_down_minutes: int = 10
    disk_low_mb: int = 500

    def of_any_machine(self) -> dict[str, int]:
        return {
            SILENT: self.machine_silent_minutes,
            CASH_LOW: self.cash_low_notes,
            WALLET_LOW: self.wallet_low_sats,
        }


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of all machines, as one transaction sees them."""

    limits: Limits
    own: Mapping[int, Mapping[str, int]]

    @classmethod
    def load(cls, tx: Tx, limits: Limits) -> Thresholds:
        return cls(limits, thresholds.of_all(tx))

    def of(self, machine_id: int | None, name: str) -> int:
        """None: of no machine."""
        own = self.own.get(machine_id, {}) if machine_id is not None else {}
        return own[name] if name in own else self.limits.of_any_machine()[name]
