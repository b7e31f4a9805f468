"""`make bench`: every figure beside what it is held against, measured in the same run, because machines differ."""

from __future__ import annotations

import asyncio

from bot import logs
from tests.bench import paying, planning


async def main() -> None:
    logs.configure("warning", "text")
    for part in (planning, paying):
        print("\n".join(await part.measure()), flush=True)
        print()


if __name__ == "__main__":
    asyncio.run(main())
