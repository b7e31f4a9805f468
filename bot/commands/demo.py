"""`satmachine demo`: the whole thing on this machine."""

from __future__ import annotations

from typing import Any


def demo(**given: Any) -> int:
    """`given` are fields of `DemoOptions`; None means what the demo does by itself."""
    from bot.demo.main import run
    from bot.demo.options import DemoOptions

    return run(DemoOptions(**{name: value for name, value in given.items() if value is not None}))
