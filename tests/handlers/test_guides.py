"""The conversations in the guides are the ones that people will have: every answer is the bot's own.

`make docs` writes the answers anew after the wording has changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from handlers.commands import registry
from handlers.commands.grammar import tokens
from handlers.roles import Role
from tests.handlers.desk import desks
from tests.handlers.guides import OpenDesk, Replay, plain, turns
from tests.handlers.reference import GUIDES

TURNS = {guide.name: list(turns(guide.read_text(encoding="utf-8"))) for guide in GUIDES}


@pytest.fixture
async def open_desk(tmp_path: Path) -> AsyncIterator[OpenDesk]:
    async with desks(tmp_path) as opening:
        yield opening


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
async def test_the_bot_answers_as_the_guide_says(open_desk: OpenDesk, guide: Path) -> None:
    replay = Replay(open_desk)
    held = 0
    for turn in TURNS[guide.name]:
        answer = await replay.answer(turn)
        if turn.who:
            assert plain(answer) == plain("\n".join(turn.answer)), f"{guide.name}: {turn.line}"
            held += 1
    assert held >= 8, f"{guide.name} holds hardly any conversation"
    assert await replay.books_in_order() == []


def test_every_order_is_given_in_a_guide() -> None:
    orders = [turn.order for told in TURNS.values() for turn in told if turn.order is not None]
    given = {registry.by_words(tokens(order), tuple(Role))[0].name for order in orders}
    assert given == {command.name for command in registry.every_command()}


async def test_a_wrong_answer_is_noticed(open_desk: OpenDesk) -> None:
    """The check can fail."""
    turn = next(turns("```chat\noperator > whoami\n    You are king here.\n```\n"))
    assert plain(await Replay(open_desk).answer(turn)) != plain("\n".join(turn.answer))


async def test_what_nobody_can_make_happen_is_refused(open_desk: OpenDesk) -> None:
    for event in ("an earthquake", "happen cash_out", "_receive", "desk"):
        with pytest.raises(ValueError, match="nobody knows how"):
            await Replay(open_desk).answer(next(turns(f"<!-- happens: {event} -->")))


def test_what_is_neither_said_nor_answered_is_refused() -> None:
    with pytest.raises(ValueError, match="neither said nor answered"):
        list(turns("```chat\nhello\n```\n"))
