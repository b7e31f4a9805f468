"""Each planted fault is found within few legs, in a world that does the program as it is no harm."""

from __future__ import annotations

import pytest

from tests.crash.faults import FAULTS, planted
from tests.simulation.faults import WORLDS
from tests.simulation.run import Simulation
from tests.simulation.world import Scenery

LEGS_OF_A_WORLD = 20
LEGS_UNTIL_FOUND = 120

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    legs = seed = 0
    found: list[str] = []
    while not found and legs < LEGS_UNTIL_FOUND:
        seed += 1
        with planted(fault):
            outcome = Simulation(seed, LEGS_OF_A_WORLD, WORLDS[fault]).run()
        legs, found = legs + outcome.legs, outcome.found
    assert found, f"{fault} is not found among {legs} legs"


@pytest.mark.parametrize("world", sorted(set(WORLDS.values()), key=repr), ids=lambda world: ",".join(world.wallets))
def test_in_the_same_worlds_nothing_is_found_without_a_fault(world: Scenery) -> None:
    assert Simulation(1, LEGS_OF_A_WORLD, world).run().found == []
