"""Receipts to ATMs: live (ephemeral) for the machine that waits, stored for the one that was away."""

from __future__ import annotations

import json
from typing import Final

from ledger.errors import Code
from storage import outbox
from storage.db import Tx

LIVE_KIND: Final = 21_000
STORED_KIND: Final = 30_078
STORED_SECONDS: Final = 7 * 86_400
_LIVE_SECONDS: Final = 600


def send(
    tx: Tx,
    *,
    machine_pubkey: str,
    payment_hash: str,
    status: str,
    settlement_id: int | None,
    reason: Code | None,
    stored: bool,
    now: int,
) -> None:
    """Puts a receipt into the outbox. `status` is accepted, duplicate, rejected or unverified; what only repeats
    (duplicate, a conflict) is not `stored`, so that it never replaces the word that counts."""
    content = json.dumps(
        {
            "v": 1,
            "type": "receipt",
            "payment_hash": payment_hash,
            "status": status,
            "settlement": f"S{settlement_id}" if settlement_id is not None else None,
            "reason": reason.value if reason else None,
        },
        separators=(",", ":"),
    )
    tags = [["p", machine_pubkey]]
    outbox.put_event(
        tx, kind=LIVE_KIND, tags=tags, content=content, encrypt_to=machine_pubkey, now=now, life=_LIVE_SECONDS
    )
    if stored:
        outbox.put_replaceable(
            tx,
            kind=STORED_KIND,
            d=f"bitspire-receipt:{payment_hash}",
            tags=tags,
            content=content,
            encrypt_to=machine_pubkey,
            expires_in=STORED_SECONDS,
            now=now,
            keep=False,  # a machine that misses it reports again, and is answered
        )
