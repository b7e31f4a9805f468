"""Fee config to an ATM: for each direction the sum of platform and operator fee, as the customer is to be charged."""

from __future__ import annotations

import json

from ledger.model import Machine, Platform
from ledger.money import fraction_text


def content(machine: Machine, platform: Platform) -> str:
    """What the machine is told, before it is encrypted to it."""
    return json.dumps({"v": 1, **fees(machine, platform)}, separators=(",", ":"))


def fees(machine: Machine, platform: Platform) -> dict[str, str]:
    """What customers are charged, as fractions."""
    return {
        "cash_in_fee": fraction_text(platform.fees.cash_in_ppm + machine.operator_fees.cash_in_ppm),
        "cash_out_fee": fraction_text(platform.fees.cash_out_ppm + machine.operator_fees.cash_out_ppm),
    }
