"""`python -m bot.demo.picture PATH`: a picture (SVG) of the live view, taken in the middle of a real run.

The README shows it. Keys and ports in it belong to that run and are worth nothing afterwards.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from bot.demo import live
from bot.demo.main import Demo
from bot.demo.options import DemoOptions
from bot.demo.plan import check
from bot.demo.scene import Scene
from bot.demo.waiting import until

WIDTH: Final = 140
HEIGHT: Final = 42
_MOMENT_WITHIN_SECONDS: Final = 120.0


def telling(scene: Scene) -> bool:
    """Several customers are served, the payments of the newest are just arriving, and a machine ran low."""
    newest = next((row for row in reversed(scene.sales) if row.settlement), None)
    low = any(row.alarm or row.configs for row in scene.cash.values())
    return newest is not None and newest.sale.number >= 6 and not newest.ended and bool(newest.receipt) and low


def picture(scene: Scene) -> str:
    """The live view as SVG."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
    console.print(live.draw(scene, width=WIDTH, height=HEIGHT), height=HEIGHT)
    # Without the fonts that would be fetched from elsewhere: any fixed-width one does.
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="make demo"), flags=re.DOTALL)


async def _take(directory: Path) -> str | None:
    """None where the run did not get there, or did not end well."""
    plan = check(DemoOptions(transactions=12, once=True), base=directory)
    demo = Demo(plan, directory, Console(file=io.StringIO()))
    running = asyncio.create_task(demo.run())
    seen = await until(lambda: telling(demo.scene) or running.done(), _MOMENT_WITHIN_SECONDS)
    if not seen or running.done():
        return None
    taken = picture(demo.scene)
    return taken if await running == 0 else None


def main() -> int:
    if len(sys.argv) != 2:
        print("python -m bot.demo.picture PATH.svg", file=sys.stderr)  # noqa: T201 - for the person at the shell
        return 2
    with tempfile.TemporaryDirectory(prefix="satmachine-demo-") as directory:
        taken = asyncio.run(_take(Path(directory)))
    if taken is None:
        return 1
    Path(sys.argv[1]).write_text(taken)
    return 0


if __name__ == "__main__":
    sys.exit(main())
