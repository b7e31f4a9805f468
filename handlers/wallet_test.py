"""What `wallet test` found out when it asked a wallet for all that can be asked without paying."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """One question to the wallet. `error`: why it did not go well, None where it did."""

    error: str | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class WalletTest:
    """A wallet that answered at least once."""

    methods: tuple[str, ...]
    encryption: tuple[str, ...]
    info: Trial
    balance: Trial
    lookup: Trial
    """Of a payment that nobody ever made: well means that the wallet says so in words that are understood."""
    listing: Trial
    balance_msat: int | None
    lookup_answer: str | None
    """The wallet's words for a payment that it does not know."""
    listed: int | None
    """Payments of the last hour."""
    asked_at: int
    """Unix seconds."""
