"""A thousand legs in hostile worlds: none paid twice, none lost, every sat explained, no rule broken by any commit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.__main__ import replay, story
from tests.simulation.run import Outcome, Simulation, chosen

LEGS = 1_000
LEGS_OF_A_WORLD = 110

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]


def told(outcome: Outcome, legs: int) -> str:
    """What was found, how to see it again, and how it came about."""
    again = Simulation(outcome.seed, legs, record=True).run()
    return "\n".join([replay(outcome.seed, legs), *outcome.found[:10], *story(again)])


def test_a_thousand_legs_in_hostile_worlds() -> None:
    legs = crashes = seed = 0
    while legs < LEGS:
        seed += 1
        outcome = Simulation(seed, LEGS_OF_A_WORLD).run()
        assert outcome.good, told(outcome, LEGS_OF_A_WORLD)
        legs, crashes = legs + outcome.legs, crashes + outcome.crashes
    assert crashes > 10


def test_the_same_seed_gives_the_same_run_in_every_process() -> None:
    """Also where sets are in another order."""
    here = Simulation(4, 15).run()
    assert here.attempts
    command = [sys.executable, "-m", "tests.simulation", "--seed", "4", "--legs", "15"]
    said = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True, timeout=120
    )
    assert f"trace {here.trace}" in said.stdout
    assert Simulation(5, 15).run().trace != here.trace


def test_worlds_differ() -> None:
    assert len({chosen(seed) for seed in range(20)}) == 20
