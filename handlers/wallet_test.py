"""What `wallet test` found out when it asked a wallet for all that can be asked without paying."""

from __future__ import annotations

import json
from dataclasses import dataclass

from nwc.profile import Found


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
    found: Found | None = None
    """What kind of wallet it turned out to be; None where what it answered tells nothing."""
    preimages: bool | None = None
    """Whether it shows the proof of what it paid, as far as its list of the last hour tells."""
    metadata: bool | None = None
    """Whether it gives back what it was told about a payment."""


def found_text(found: Found, *, preimages: bool | None, metadata: bool | None, now: int) -> str:
    """What is kept with a wallet about how its profile was found, as JSON."""
    seen = {"looks": found.looks.value, "preimages": preimages, "metadata": metadata, "at": now}
    return json.dumps(seen, separators=(",", ":"))
