"""`make bench`: every figure beside what it is held against, measured in the same run, because machines differ.

Ends with 1 where a limit was missed, after everything was measured."""

from __future__ import annotations

import asyncio
import sys

from bot import logs
from tests.bench import lists, orders, paying, planning
from tests.bench.limits import Limits


async def main() -> int:
    logs.configure("warning", "text")
    limits = Limits()
    for part in (planning.measure(), paying.measure(), orders.measure(limits), lists.measure(limits)):
        print("\n".join(await part), flush=True)
        print()
    for missed in limits.missed:
        print(f"missed: {missed}")
    return 1 if limits.missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
