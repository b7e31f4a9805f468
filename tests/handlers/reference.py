"""`make docs`: afterwards the table in docs/commands.md and the answers in the guides are what the program says."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Final

from handlers import commands
from handlers.commands.registry import reference_markdown
from tests.handlers.desk import desks
from tests.handlers.guides import rewritten

DOCS: Final = Path(__file__).parents[2] / "docs"
COMMANDS: Final = DOCS / "commands.md"
GUIDES: Final = tuple(DOCS / name for name in ("operator-guide.md", "lp-guide.md", "emergencies.md"))
_TABLE: Final = re.compile(r"(?<=<!-- written by make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def with_table(page: str) -> str:
    """The page with the table of all commands as they are declared now."""
    assert commands.__all__, "importing them registers them"
    found = _TABLE.search(page)
    if found is None:
        raise ValueError("docs/commands.md has lost the two comments between which the table stands")
    return f"{page[: found.start()]}\n{reference_markdown()}\n{page[found.end() :]}"


async def _with_answers(guide: str, directory: Path) -> str:
    """The guide with the bot's own answers, given over fresh books."""
    async with desks(directory) as open_desk:
        return await rewritten(guide, open_desk)


def main() -> None:
    COMMANDS.write_text(with_table(COMMANDS.read_text(encoding="utf-8")), encoding="utf-8")
    for guide in GUIDES:
        with tempfile.TemporaryDirectory() as directory:
            text = asyncio.run(_with_answers(guide.read_text(encoding="utf-8"), Path(directory)))
        guide.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
