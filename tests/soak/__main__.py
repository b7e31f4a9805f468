"""The hour-long tests: `python -m tests.soak`, or one of its parts with options: `python -m tests.soak kills --seed 7`.

A part is a module of this folder with `add_arguments(parser)` and `run(arguments) -> bool`. It prints what it counted
on a closing line of its own; the program ends with 1 where any of them found something.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final

PARTS: Final = {
    "kills": "kill bots at random moments under load, count what was paid",
    "points": "each crash point against each wallet, and once more during recovery",
    "simulation": "a hostile world in virtual time",
    "fuzz": "every parser of foreign bytes",
}


def main() -> int:
    parts = {name: importlib.import_module(f"tests.soak.{name}") for name in PARTS}
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="The hour-long tests.")
    chosen = parser.add_subparsers(title="parts, none: all of them", dest="part")
    for name, part in parts.items():
        part.add_arguments(chosen.add_parser(name, help=PARTS[name]))
    arguments = parser.parse_args()
    if arguments.part is not None:
        return 0 if parts[arguments.part].run(arguments) else 1
    good = [part.run(parser.parse_args([name])) for name, part in parts.items()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
