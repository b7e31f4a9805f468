"""The platform's fee and where it is paid: one row."""

from __future__ import annotations

from ledger.fees import FeeRates
from ledger.model import Platform
from storage import seals
from storage.db import Tx


def load(tx: Tx) -> Platform:
    row = tx.one("SELECT cash_in_ppm, cash_out_ppm, target FROM platform WHERE id = 1")
    if row is None:
        return Platform(FeeRates(0, 0), None)
    return Platform(FeeRates(row["cash_in_ppm"], row["cash_out_ppm"]), row["target"])


def start(tx: Tx, platform: Platform) -> bool:
    """The start values of the configuration; without effect once there are any, for then `platform set` rules. Whether
    they came into force."""
    cursor = tx.run(
        "INSERT OR IGNORE INTO platform (id, cash_in_ppm, cash_out_ppm, target) VALUES (1, ?, ?, ?)",
        (platform.fees.cash_in_ppm, platform.fees.cash_out_ppm, platform.target),
    )
    if cursor.rowcount:
        _seal(tx, platform)
    return cursor.rowcount == 1


def save(tx: Tx, platform: Platform) -> None:
    tx.run(
        "INSERT INTO platform (id, cash_in_ppm, cash_out_ppm, target) VALUES (1, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET cash_in_ppm = excluded.cash_in_ppm,"
        " cash_out_ppm = excluded.cash_out_ppm, target = excluded.target",
        (platform.fees.cash_in_ppm, platform.fees.cash_out_ppm, platform.target),
    )
    _seal(tx, platform)
    tx.touch("platform")


def _seal(tx: Tx, platform: Platform) -> None:
    seals.note(tx, seals.PLATFORM, platform.target)
    seals.note(tx, seals.PLATFORM_FEES, platform.fees.cash_in_ppm, platform.fees.cash_out_ppm)
