"""Reads the conversations in docs/operator-guide.md and docs/lp-guide.md and holds them with the real handlers.

A conversation is a fenced block marked `chat`: a line `ana > balance` is what somebody writes, `bot >> ana` announces
a message that nobody asked for, indented lines are what the bot says. Between two blocks a comment such as
`<!-- happens: cash_out -->` lets something happen. `npub1…` stands for any key, a code for any code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from nwc.keys import npub_of
from storage import legs
from storage.db import Tx
from tests.handlers.desk import ANA, ATM, BEN, BOSS, EVE, SUPER, Desk

PEOPLE: Final = {"operator": BOSS, "platform": SUPER, "ana": ANA, "ben": BEN, "somebody": EVE}
_STEP: Final = re.compile(
    r"<!-- happens: (?P<event>[^>]+?) -->|^```chat\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SAID: Final = re.compile(r"(?P<who>\w+) > (?P<order>.+)|bot >> (?P<to>\w+)")
_NPUB: Final = re.compile(r"npub1[0-9a-z]*(?:…(?:[0-9a-z]{4})?)?")
_CODE: Final = re.compile(r"confirm ([A-Z2-9]{6})\b")
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
    return _CODE.sub("confirm CODE", _NPUB.sub("npub1…", text))


class Replay:
    """Holds the conversations of a guide at a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._code = ""
        self._told: set[tuple[str, str]] = set()

    async def answer(self, turn: Turn) -> str:
        """What the bot really says to it; empty for something that happens."""
        if not turn.who:
            await self._happen(*turn.line.split())
            return ""
        if turn.order is None:
            return await self._unasked(PEOPLE[turn.who])
        said = await self._desk.told(PEOPLE[turn.who], self._real(turn.order))
        if found := _CODE.search(said):
            self._code = found[1]
        return said

    def _real(self, order: str) -> str:
        """The order with a real key and the code that was given out."""
        key = ATM if order.startswith("machine") else PEOPLE.get(order.rsplit(maxsplit=1)[-1], BEN)
        return _CODE.sub(f"confirm {self._code}", order.replace("npub1…", npub_of(key)))

    async def _unasked(self, recipient: str) -> str:
        for message in await self._desk.dms(recipient):
            if message["answers"] is None and (recipient, message["text"]) not in self._told:
                self._told.add((recipient, message["text"]))
                return str(message["text"])
        return "(nothing)"

    async def _happen(self, what: str, *words: str) -> None:
        self._desk.now += 60
        if what == "cash_out":
            await self._desk.cash_out(platform_fee_sats=3_000)
            await self._desk.distribute()
        elif what == "paid":
            for word in words:
                await self._desk.tx(lambda tx, number=int(word[1:]): self._pay(tx, number))  # type: ignore[misc]
        elif what == "unpaid":
            await self._desk.fail_leg(int(words[0][1:]), " ".join(words[1:]))
        elif what == "business":
            await self._desk.with_machine()
            await self._desk.ask(SUPER, "platform.set", cash_out_fee="3%", target="fees@example.com")
            await self._desk.ask(BOSS, "splits.set", legs="100% me@example.com", confirm=True)
        elif what == "enrol":
            await self._desk.told(BOSS, f"lp add sintra {npub_of(PEOPLE[words[0]])} {words[0]}")
        elif what in ("deposit", "confirm"):
            order = "deposit sintra" if what == "deposit" else "deposit confirm"
            await self._desk.told(BOSS, " ".join([order, *words]))
        else:
            raise ValueError(f"nobody knows how to make {what!r} happen")

    def _pay(self, tx: Tx, number: int) -> None:
        leg = legs.get(tx, number)
        assert leg is not None
        legs.complete(tx, leg, 0, self._desk.now)


async def rewritten(text: str, desk: Desk) -> str:
    """The text of a guide as it must be: every answer as the bot really words it."""
    replay = Replay(desk)
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
    return _CODE.sub(f"confirm {_CODE_SHOWN}", _NPUB.sub("npub1…", line))
