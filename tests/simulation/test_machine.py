"""What hypothesis does with the world, a bounded number of times; tests/soak/simulation.py lets it search longer."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crash.faults import planted
from tests.simulation.machine import BOUNDS, HostileWorld

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(240)]


def test_no_sequence_of_events_pays_twice_or_loses() -> None:
    run_state_machine_as_test(HostileWorld, settings=BOUNDS)


def test_a_planted_fault_is_found_by_some_sequence() -> None:
    with planted("new_invoice_on_not_found"), pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(HostileWorld, settings=settings(BOUNDS, phases=(Phase.generate,)))
