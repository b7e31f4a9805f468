"""`python -m tests.simulation --seed 7 --legs 500`: one run; where something was found, the story of the leg."""

from __future__ import annotations

import argparse
import re
import sys

from tests.simulation.run import Outcome, Simulation

LINES_OF_A_STORY = 60


def replay(seed: int, legs: int) -> str:
    return f"python -m tests.simulation --seed {seed} --legs {legs}"


def story(outcome: Outcome) -> list[str]:
    """What is recorded of the first leg that something is wrong with."""
    for found in outcome.found:
        named = re.search(r"\bP\d+\b", found)
        if named:
            about = re.compile(rf"\b{named[0]}\b|PROBLEM|CRASH|LIFE|FRIENDLY")
            hashes = {
                word
                for _, text in outcome.lines
                if named[0] in text.split()
                for word in re.findall(r"[0-9a-f]{8}", text)
            }
            lines = [
                f"{at:12.3f} {text}"
                for at, text in outcome.lines
                if about.search(text) or any(word in text for word in hashes)
            ]
            own = [line for line in lines if "CRASH" not in line and "LIFE" not in line]
            return own[-LINES_OF_A_STORY:]
    return [f"{at:12.3f} {text}" for at, text in outcome.lines[-LINES_OF_A_STORY:]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--legs", type=int, default=500)
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    arguments = parser.parse_args()
    simulation = Simulation(arguments.seed, arguments.legs, record=True)
    if arguments.profile:
        import cProfile
        import pstats

        profile = cProfile.Profile()
        outcome = profile.runcall(simulation.run)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    else:
        outcome = simulation.run()
    print(
        f"seed {outcome.seed}: {outcome.legs} legs, {outcome.attempts} attempts, {outcome.releases} released,"
        f" {outcome.surplus} surplus, {outcome.orders} orders, {outcome.crashes} crashes, {outcome.days:.2f} days,"
        f" {outcome.legs / outcome.seconds:.0f} legs/s, trace {outcome.trace}"
    )
    for found in outcome.found[:20]:
        print(found)
    if not outcome.good:
        print("\n".join(story(outcome)))
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
