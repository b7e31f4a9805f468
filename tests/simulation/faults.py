"""For each planted fault of tests/crash/faults.py a world in which it shows soon.

The same world must do the program as it is no harm: tests run each both ways.
"""

from __future__ import annotations

from typing import Final

from tests.simulation.wallet import Lies
from tests.simulation.world import Scenery

_QUICK: Final = {"wallets": ("lnbits",), "expiry_seconds": (300,), "principal_sats": (100, 400), "orders": 0.0}
"""A wallet whose profile has no quarantine for small payments, and invoices that are soon over."""
_OFTEN: Final = (("resolve_seconds", (5, 20, 40)),)
_CRASHES: Final = Scenery(
    wallets=("honest",),
    lies=Lies(unseen=0.5, to_the_edge=0.0),
    steps_of_a_life=200,
    danger=0.25,
    troubles=0.0,
    orders=0.0,
    principal_sats=(100, 400),
)


def _lying(**lies: float) -> Scenery:
    return Scenery(
        **_QUICK,  # type: ignore[arg-type]
        payouts=_OFTEN,
        lies=Lies(**{"unseen": 0.0, "failed": 0.0, "blind": 0.0, "unproven": 0.0, "to_the_edge": 1.0, **lies}),
        steps_of_a_life=0,
        relay_chaos=0.0,
        payee_chaos=0.0,
        troubles=0.0,
        seconds_afterwards=1_500.0,
        verifying=0.0,
    )


_UNSEEN: Final = _lying(unseen=0.2)
_UNPROVEN: Final = _lying(unproven=0.4)
WORLDS: Final[dict[str, Scenery]] = {
    "publish_before_commit": _CRASHES,
    "new_invoice_on_error": _lying(failed=0.2),
    "new_invoice_on_timeout": _UNSEEN,
    "new_invoice_on_not_found": _UNSEEN,
    "new_invoice_on_restart": _CRASHES,
    "one_negative": _UNSEEN,
    "no_list": _lying(blind=0.2),
    "no_control": Scenery(
        **_QUICK,  # type: ignore[arg-type]
        payouts=_OFTEN,
        steps_of_a_life=0,
        troubles=0.0,
        relay_chaos=0.0,
        forget_at=150.0,
        seconds_afterwards=1_500.0,
    ),
    "no_quarantine": Scenery(
        wallets=("alby-ldk",),
        lies=Lies(failed=0.2, to_the_edge=1.0),
        expiry_seconds=(300,),
        orders=0.0,
        steps_of_a_life=0,
        seconds_afterwards=1_500.0,
        troubles=0.0,
        principal_sats=(100, 400),
    ),
    "claim_is_nothing": _UNPROVEN,
    "preimage_unchecked": _UNPROVEN,
    "ready_forgotten": _CRASHES,
}
