"""`satmachine version`."""

from __future__ import annotations

from bot.commands.terminal import DONE, answer, answer_json
from bot.version import version


def show(*, as_json: bool) -> int:
    if as_json:
        answer_json({"name": "satmachine", "version": version()})
    else:
        answer(f"satmachine {version()}")
    return DONE
