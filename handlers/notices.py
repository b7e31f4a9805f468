"""Direct messages that the bot sends of its own accord."""

from __future__ import annotations

from collections.abc import Iterable

from storage import outbox
from storage.db import Tx


def tell(tx: Tx, recipients: Iterable[str], text: str, now: int) -> None:
    """One message to each of these public keys (hex)."""
    for recipient in sorted(recipients):
        outbox.put_dm(tx, to=recipient, text=text, answers=None, signed=False, now=now)
