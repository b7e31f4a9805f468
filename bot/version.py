"""The version of the program, from the one place that says it: the installed package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as installed


@cache
def version() -> str:
    return installed("satmachine")
