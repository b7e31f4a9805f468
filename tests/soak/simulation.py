"""Very many legs in hostile worlds, in virtual time: several processes side by side, one seed after the other."""

from __future__ import annotations

import argparse
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.__main__ import replay, story
from tests.simulation.machine import BOUNDS, HostileWorld
from tests.simulation.run import Outcome, Simulation

LEGS = 1_000_000
LEGS_OF_A_WORLD = 150
EXAMPLES = 1_000
TOLD_EVERY_SECONDS = 60.0
STORIES = 3
"""Of so many seeds at which something was found the story is printed, of the others the command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--legs", type=int, default=LEGS, help="so many in all")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="so many sequences that hypothesis makes up")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)


def run(arguments: argparse.Namespace) -> bool:
    """Prints what was counted, and each seed at which something was found with the command that shows it again."""
    began = told = time.monotonic()
    total = Total()
    with ProcessPoolExecutor(arguments.processes, max_tasks_per_child=50) as pool:
        seeds = iter(range(arguments.seed, arguments.seed + arguments.legs))
        running = {pool.submit(simulate, next(seeds)) for _ in range(arguments.processes * 2)}
        while running:
            done = next(as_completed(running))
            running.discard(done)
            total.add(done.result())
            if total.legs < arguments.legs:
                running.add(pool.submit(simulate, next(seeds)))
            if time.monotonic() - told > TOLD_EVERY_SECONDS:
                told = time.monotonic()
                print(total.line(told - began), flush=True)
    print(total.line(time.monotonic() - began), flush=True)
    return search(arguments.examples) and total.good


def search(examples: int) -> bool:
    """Other sequences of events each time; where one is found, hypothesis makes it short and prints it."""
    try:
        run_state_machine_as_test(
            HostileWorld, settings=settings(BOUNDS, max_examples=examples, derandomize=False, stateful_step_count=40)
        )
    except Exception:  # noqa: BLE001 - whatever it is, it was found
        traceback.print_exc()
        print("simulation: hypothesis found a sequence of events that breaks a rule", flush=True)
        return False
    print(f"simulation: {examples} sequences of hypothesis, none breaks a rule", flush=True)
    return True


def simulate(seed: int) -> Outcome:
    return Simulation(seed, LEGS_OF_A_WORLD).run()


class Total:
    """What all runs came to."""

    def __init__(self) -> None:
        self.seeds = self.legs = self.attempts = self.crashes = self.orders = self.releases = self.surplus = 0
        self.days = 0.0
        self.doubles = self.lost = self.violations = self.bad = 0

    @property
    def good(self) -> bool:
        return not (self.doubles or self.lost or self.violations)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.legs += outcome.legs
        self.attempts += outcome.attempts
        self.crashes += outcome.crashes
        self.orders += outcome.orders
        self.releases += outcome.releases
        self.surplus += outcome.surplus
        self.days += outcome.days
        self.doubles += len(outcome.doubles)
        self.lost += len(outcome.lost)
        self.violations += len(outcome.violations)
        if not outcome.good:
            self.bad += 1
            for line in _told(outcome) if self.bad <= STORIES else [replay(outcome.seed, LEGS_OF_A_WORLD)]:
                print(line, flush=True)

    def line(self, seconds: float) -> str:
        return (
            f"simulation: {self.seeds} seeds, {self.legs} legs, {self.attempts} attempts, {self.releases} released,"
            f" {self.surplus} paid again after an operator's release, {self.orders} orders, {self.crashes} crashes,"
            f" {self.days:.0f} virtual days, doubles {self.doubles}, lost {self.lost}, violations {self.violations},"
            f" {self.legs / seconds:.0f} legs/s"
        )


def _told(outcome: Outcome) -> Iterator[str]:
    yield replay(outcome.seed, LEGS_OF_A_WORLD)
    yield from outcome.found[:10]
    yield from story(Simulation(outcome.seed, LEGS_OF_A_WORLD, record=True).run())
