"""Fee config to an ATM: for each direction the sum of platform and operator fee, as the customer is to be charged."""

from __future__ import annotations

import json
from typing import Final

from ledger.model import Machine, Platform
from ledger.money import fraction_text
from storage import outbox
from storage.db import Tx

KIND: Final = 30_078


def send(tx: Tx, machine: Machine, platform: Platform, now: int) -> None:
    """Puts the machine's fees into the outbox; a later one replaces it at the relays."""
    content = json.dumps(
        {
            "v": 1,
            "cash_in_fee": fraction_text(platform.fees.cash_in_ppm + machine.operator_fees.cash_in_ppm),
            "cash_out_fee": fraction_text(platform.fees.cash_out_ppm + machine.operator_fees.cash_out_ppm),
        },
        separators=(",", ":"),
    )
    outbox.put_replaceable(
        tx,
        kind=KIND,
        d=f"bitspire-fees:{machine.pubkey}",
        tags=[["p", machine.pubkey]],
        content=content,
        encrypt_to=machine.pubkey,
        now=now,
    )
