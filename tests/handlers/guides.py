"""Reads the conversations in the guides and holds them with the real handlers.

A conversation is a fenced block marked `chat`: a line `ana > balance` is what somebody writes, `bot >> ana` announces
a message that nobody asked for, indented lines are what the bot says. Between two blocks a comment such as
`<!-- happens: cash_out -->` lets something happen (tests/handlers/happenings.py has all that can), and
`<!-- happens: anew -->` takes empty books. `npub1…` stands for any key, a code for any code.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nwc.keys import npub_of
from tests.handlers.desk import BEN, Desk
from tests.handlers.happenings import PEOPLE, Happenings

OpenDesk = Callable[[], Awaitable[Desk]]
"""A desk over empty books."""
ANEW: Final = "anew"
_STEP: Final = re.compile(
    r"<!-- happens: (?P<event>[^>]+?) -->|^```chat\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SAID: Final = re.compile(r"(?P<who>\w+) > (?P<order>.+)|bot >> (?P<to>\w+)")
_NPUB: Final = re.compile(r"npub1[0-9a-z]*(?:…(?:[0-9a-z]{4})?)?")
_CODE: Final = re.compile(r"(confirm|confirmar) ([A-Z2-9]{6})\b")
_INDENT: Final = "    "
_CODE_SHOWN: Final = "K7QX3M"


@dataclass(slots=True)
class Turn:
    """One line of a conversation and what the bot says to it; or, without `who`, something that happens."""

    line: str
    who: str = ""
    order: str | None = None
    answer: list[str] = field(default_factory=list)


def turns(text: str) -> Iterator[Turn]:
    """Everything that a guide tells, in order."""
    for step in _STEP.finditer(text):
        if step["event"]:
            yield Turn(step["event"])
            continue
        turn: Turn | None = None
        for line in step["block"].splitlines():
            said = _SAID.fullmatch(line)
            if said:
                if turn is not None:
                    yield turn
                turn = Turn(line, said["who"] or said["to"], said["order"])
            elif turn is None or not line.startswith(_INDENT):
                raise ValueError(f"neither said nor answered: {line!r}")
            else:
                turn.answer.append(line.removeprefix(_INDENT))
        if turn is not None:
            yield turn


def plain(text: str) -> str:
    """Without what differs from one run to another: keys and codes."""
    return _CODE.sub(r"\1 CODE", _NPUB.sub("npub1…", text))


class Replay:
    """Holds the conversations of a guide, at one desk, or at a new one wherever the guide begins anew."""

    def __init__(self, open_desk: OpenDesk) -> None:
        self._open_desk = open_desk
        self._desk: Desk | None = None
        self._happenings: Happenings | None = None
        self._code = ""
        self._heard = 0

    async def answer(self, turn: Turn) -> str:
        """What the bot really says to it; empty for something that happens."""
        desk = await self._at_desk()
        if not turn.who:
            await self._happen(turn.line)
            return ""
        if turn.order is None:
            return await self._unasked(desk, PEOPLE[turn.who])
        await self._hear_out(desk)
        said = await desk.told(PEOPLE[turn.who], await self._real(turn.order))
        if found := _CODE.search(said):
            self._code = found[2]
        return said

    async def books_in_order(self) -> list[str]:
        """What is wrong with the books after all that was told."""
        return [] if self._happenings is None else await self._happenings.till.violations()

    async def _happen(self, line: str) -> None:
        if line == ANEW:
            assert await self.books_in_order() == []
            self._desk = None
            return
        assert self._happenings is not None
        await self._hear_out(self._happenings.desk)
        await self._happenings.happen(line)

    async def _at_desk(self) -> Desk:
        if self._desk is None:
            self._desk = await self._open_desk()
            self._happenings, self._heard = Happenings(self._desk), 0
        return self._desk

    async def _real(self, order: str) -> str:
        """The order with a real key and the code that was given out."""
        assert self._happenings is not None
        who = PEOPLE.get(order.rsplit(maxsplit=1)[-1], BEN)
        pubkey = await self._happenings.next_machine() if order.startswith("machine add") else who
        return _CODE.sub(rf"\1 {self._code}", order.replace("npub1…", npub_of(pubkey)))

    async def _unasked(self, desk: Desk, recipient: str) -> str:
        """The first message to them since the last order or event, of those that this guide has not told yet."""
        messages = await desk.dms()
        for index, message in enumerate(messages[self._heard :], self._heard):
            if message["to"] == recipient and message["answers"] is None:
                self._heard = index + 1
                return str(message["text"])
        return "(nothing)"

    async def _hear_out(self, desk: Desk) -> None:
        self._heard = len(await desk.dms())


async def rewritten(text: str, open_desk: OpenDesk) -> str:
    """The text of a guide as it must be: every answer as the bot really words it."""
    replay = Replay(open_desk)
    held = [(turn, await replay.answer(turn)) for turn in turns(text)]
    talk = iter([(turn, answer) for turn, answer in held if turn.who])

    def block(step: re.Match[str]) -> str:
        if step["event"]:
            return step[0]
        lines = []
        for _ in [line for line in step["block"].splitlines() if _SAID.fullmatch(line)]:
            turn, answer = next(talk)
            real = answer.splitlines()
            same = plain("\n".join(turn.answer)) == plain("\n".join(real))
            lines += [turn.line, *(_INDENT + line for line in (turn.answer if same else map(_shown, real)))]
        return "\n".join(["```chat", *lines, "```"])

    return _STEP.sub(block, text)


def _shown(line: str) -> str:
    return _CODE.sub(rf"\1 {_CODE_SHOWN}", _NPUB.sub("npub1…", line))
