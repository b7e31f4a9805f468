"""`make bench`: every figure beside what it is held against, measured in the same run, because machines differ.

Fails where a figure that is a limit was missed.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from bot import logs
from tests.bench import lists, orders, paying, planning
from tests.bench.limits import Limits


async def main() -> int:
    logs.configure("warning", "text")
    limits = Limits()
    parts = (planning.measure, paying.measure, partial(orders.measure, limits), partial(lists.measure, limits))
    for measure in parts:
        print("\n".join(await measure()), flush=True)
        print()
    if limits.missed:
        print("\n".join(["Missed:", *(f"  {each}" for each in limits.missed)]), file=sys.stderr)
    return 1 if limits.missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
