"""Waiting for what gives no sign of its own: looked at again and again, never longer than said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_LOOK_SECONDS: Final = 0.02


async def until(true: Callable[[], bool], seconds: float) -> bool:
    """Returns as soon as it is true; False where it was not within so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
