"""`satmachine run`: the daemon, in the foreground."""

from __future__ import annotations

from pathlib import Path

from bot.commands.configuration import require


def run(config_path: Path) -> int:
    require(config_path)
    from bot import daemon

    return daemon.main(config_path)
