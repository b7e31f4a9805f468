"""The conversations in the guides are the ones that people will have: every answer is the bot's own.

`make docs` writes the answers anew after the wording has changed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.handlers.desk import Desk
from tests.handlers.guides import Replay, plain, turns

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("guide", ["operator-guide.md", "lp-guide.md"])
async def test_the_bot_answers_as_the_guide_says(desk: Desk, guide: str) -> None:
    replay = Replay(desk)
    held = 0
    for turn in turns((DOCS / guide).read_text(encoding="utf-8")):
        answer = await replay.answer(turn)
        if turn.who:
            assert plain(answer) == plain("\n".join(turn.answer)), f"{guide}: {turn.line}"
            held += 1
    assert held >= 8, f"{guide} holds hardly any conversation"


async def test_a_wrong_answer_is_noticed(desk: Desk) -> None:
    """The check can fail."""
    turn = next(turns("```chat\noperator > whoami\n    You are king here.\n```\n"))
    assert plain(await Replay(desk).answer(turn)) != plain("\n".join(turn.answer))


def test_what_is_neither_said_nor_answered_is_refused() -> None:
    with pytest.raises(ValueError, match="neither said nor answered"):
        list(turns("```chat\nhello\n```\n"))
