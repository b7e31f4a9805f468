"""Each crash point under each wallet personality, with a second crash during every recovery."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tests.crash.lives import chains, live

PERSONALITIES: Final = ("honest", "sloppy", "lnbits", "alby", "liar", "ratelimited", "silent")
AT_ONCE: Final = 8
PATIENCE: Final = 6.0
"""Nothing waits for these tests."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wallets", nargs="+", choices=PERSONALITIES, default=PERSONALITIES)
    parser.add_argument("--only", default="", help="points whose names begin so")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="shops side by side")


def run(arguments: argparse.Namespace) -> bool:
    wanted = list(chains(arguments.wallets, by_turns=False, only=arguments.only))
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        count = asyncio.run(live(wanted, Path(directory), at_once=arguments.at_once, patience=PATIENCE))
    if not count.verdict.good:
        print(count.verdict)
    print(f"points: {count}", flush=True)
    return count.verdict.good
