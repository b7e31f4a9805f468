"""Kills bots 10,000 times, in rounds, and counts what was paid.

Each round has a new world, other wallets and a seed of its own, which is printed: `kills --seed N --kills K --round K`
runs one again. With `--fault NAME` the bot makes that mistake (tests/crash/faults.py), to see that the count finds it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from pathlib import Path
from typing import Final

from tests.crash.campaign import Campaign, Outcome, Plan, Wallets
from tests.crash.faults import FAULTS

SALE_EVERY_SECONDS: Final = 1.5
"""More than bots with such short lives get done; what they leave is paid in the end, and takes long if it is much."""
KINDS: Final = ("sloppy", "lnbits", "liar", "alby", "honest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--round", type=int, default=400, help="kills before a new world")
    parser.add_argument("--shops", type=int, default=4, choices=range(1, len(KINDS) + 1), help="bots side by side")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--finish-within", type=float, default=600.0, help="seconds to settle everything after a round")
    parser.add_argument("--fault", choices=FAULTS, default=None)


def run(arguments: argparse.Namespace) -> bool:
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> bool:
    total, seed = Outcome(), arguments.seed
    while total.kills < arguments.kills:
        plan = Plan(
            kills=min(arguments.round, arguments.kills - total.kills),
            seed=seed,
            personalities=wallets(seed, arguments.shops),
            sale_every=SALE_EVERY_SECONDS,
            finish_within=arguments.finish_within,
            fault=arguments.fault,
        )
        with tempfile.TemporaryDirectory(prefix="soak-") as directory:
            outcome = await Campaign(plan, Path(directory)).run()
        kinds = " ".join(kind for kind, _ in plan.personalities)
        print(f"seed {seed} ({kinds}): {outcome}", flush=True)
        total.add(outcome)
        if not outcome.verdict.good:
            print(outcome.verdict, flush=True)
        seed += 1
    verdict = total.verdict
    print(
        f"kills: {total.kills} kills, {total.sales} sales, {verdict.legs} legs, {len(verdict.doubles)} doubles, "
        f"{len(verdict.lost)} lost, {len(verdict.problems)} other problems, {total.seconds / 60:.0f} min",
        flush=True,
    )
    return verdict.good


def wallets(seed: int, shops: int) -> Wallets:
    """Personalities for the shops of a round, and what is particular about each."""
    chance = random.Random(seed)
    options: dict[str, dict[str, object]] = {
        "sloppy": {"seed": seed, "latest_seconds": chance.choice((0.1, 0.5, 1.5))},
        "liar": {"settle_after_seconds": chance.choice((0.1, 0.5, 1.5)), "blind_seconds": chance.randrange(4)},
        "alby": {"flips": chance.randrange(30), "flip_after_seconds": chance.choice((0.1, 0.5, 2.0))},
    }
    return [(kind, options.get(kind, {})) for kind in chance.sample(KINDS, shops)]
