"""What hypothesis does with the world, a bounded number of times; `make soak` lets it search for longer."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.crash.faults import planted
from tests.simulation.machine import BOUNDS, HostileWorld

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]


def test_no_sequence_of_events_pays_twice_or_loses() -> None:
    run_state_machine_as_test(HostileWorld, settings=BOUNDS)


def test_its_rules_can_be_broken() -> None:
    """By hand: a wallet does not find what is under way, and the program takes that for "not paid"."""
    world = HostileWorld()
    with planted("new_invoice_on_not_found"):
        world.begin(seed=1, manners=["lnbits"])
        world.a_wallet_lies(number=0, lies="unseen")
        for _ in range(3):
            world.sell(number=0, seconds=30)
        world.time_passes(400)
        with pytest.raises(AssertionError, match=r"double|was paid"):
            world.teardown()
