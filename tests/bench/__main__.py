"""`make bench`: every figure beside what it is held against, measured in the same run, because machines differ.

`python -m tests.bench flood` measures one part alone. Fails where a figure that is a limit was missed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from bot import logs
from tests.bench import flood, lists, machines, orders, paying, planning
from tests.bench.limits import Limits


async def main(names: list[str]) -> int:
    logs.configure("warning", "text")
    limits = Limits()
    parts: Mapping[str, Callable[[], Awaitable[list[str]]]] = {
        "planning": planning.measure,
        "paying": paying.measure,
        "orders": partial(orders.measure, limits),
        "machines": partial(machines.measure, limits),
        "lists": partial(lists.measure, limits),
        "flood": partial(flood.measure, limits),
    }
    for name in names or parts:
        print("\n".join(await parts[name]()), flush=True)
        print()
    if limits.missed:
        print("\n".join(["Missed:", *(f"  {each}" for each in limits.missed)]), file=sys.stderr)
    return 1 if limits.missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
