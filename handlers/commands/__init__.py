"""The orders, one file for each noun. Importing this package registers them all."""

from __future__ import annotations

from handlers.commands import (
    deposits,
    general,
    lps,
    machines,
    own,
    pauses,
    payments,
    platform,
    settlements,
    splits,
)

__all__ = [
    "deposits",
    "general",
    "lps",
    "machines",
    "own",
    "pauses",
    "payments",
    "platform",
    "settlements",
    "splits",
]
