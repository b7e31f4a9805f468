"""The orders, one file for each noun. Importing this package registers them all."""

from __future__ import annotations

from handlers.commands import (
    audit,
    cassettes,
    chart,
    corrections,
    deposits,
    exports,
    freezes,
    general,
    lps,
    machines,
    own,
    pauses,
    payments,
    payouts,
    platform,
    prefs,
    reports,
    settlements,
    splits,
    wallets,
)

__all__ = [
    "audit",
    "cassettes",
    "chart",
    "corrections",
    "deposits",
    "exports",
    "freezes",
    "general",
    "lps",
    "machines",
    "own",
    "pauses",
    "payments",
    "payouts",
    "platform",
    "prefs",
    "reports",
    "settlements",
    "splits",
    "wallets",
]
