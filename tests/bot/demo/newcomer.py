"""Somebody who follows the first chapter of the operator guide at a running demo, word for word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import SystemClock
from bot.demo.actor import Actor
from bot.nostr import Keys, parse_public_key
from tests.bot.demo.running import Running
from tests.handlers.guides import Turn

GUIDE = (Path(__file__).parents[3] / "docs" / "operator-guide.md").read_text(encoding="utf-8")
_GIVEN_OUT = re.compile(r"\b[ASDP][0-9]+\b|(?<=confirm )[A-Z2-9]{6}\b")
_OF_A_RUN = re.compile(
    r"event …[0-9a-f]{8}|npub1[0-9a-z]*(?:…(?:[0-9a-z]{4})?)?|(?<=127\.0\.0\.1:)[0-9]+|\d{4}-\d\d-\d\d \d\d:\d\d"
)


def chapter(title: str) -> str:
    return GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]


async def shown_to_visitors(running: Running) -> dict[str, str]:
    """What the demo shows: `relay`, `bot`, `Operator`, `LP`, `ATM`, `With`."""
    found: dict[str, str] = {}
    for name in ("relay", "bot", "Operator", "LP", "ATM", "With"):
        line = await running.until(lambda line, name=name: line.startswith(f"{name} "))  # type: ignore[misc]
        found[name] = line.removeprefix(name).strip()
    return found


class Newcomer:
    """Somebody with two Nostr apps and the guide. What the bot gave out under the guide's names is kept in `_given`."""

    def __init__(self, running: Running, shown: dict[str, str]) -> None:
        self._running, self._shown = running, shown
        self._told: list[str] = []
        bot, clock = parse_public_key(shown["bot"]), SystemClock()
        self._operator, self._lp = (
            Actor(name, bot, shown["relay"], clock, keys=Keys.parse(shown[name]), on_told=self._hear)
            for name in ("Operator", "LP")
        )
        self._address = re.findall(r"you@127\.0\.0\.1:([0-9]+)", shown["With"])[0]
        self._given: dict[str, str] = {}
        self.messages = 0

    @asynccontextmanager
    async def people(self) -> AsyncIterator[None]:
        async with self._operator, self._lp:
            yield

    async def does(self, turn: Turn) -> None:
        if turn.order is not None:
            self.messages += 1
            who = {"operator": self._operator, "zoe": self._lp}[turn.who]
            self._read(turn, await who.write(self._real(turn.order)))
        elif turn.who:
            assert turn.who == "operator"
            async with asyncio.timeout(10):
                while not self._told:
                    await asyncio.sleep(0.01)
            self._read(turn, self._told.pop(0))
        else:
            await self._wait(turn.line)

    def _read(self, turn: Turn, answer: str) -> None:
        guide = "\n".join(turn.answer)
        self._given |= zip(_GIVEN_OUT.findall(guide), _GIVEN_OUT.findall(answer), strict=False)
        assert _alike(answer) == _alike(guide), turn.line

    def _real(self, order: str) -> str:
        for name, real in self._given.items():
            order = re.sub(rf"\b{name}\b", real, order)
        return order.replace("npub1…", self._shown["ATM"]).replace("41234", self._address)

    async def _wait(self, event: str) -> None:
        """Looks at the demo until what the guide speaks of has happened."""
        seen = {
            "demo": "ATM ",
            "cash_out home 500": "Your machine home: a customer paid 27,000 sats and took 500 GTQ",
            "paid P1 P2 P3 P4": " is processed: platform 750 sats, operator 1,250 sats, LPs 25,000 sats",
            "paid P5": "  75,000 sats → you (paid out by order)",
        }[event]
        if not any(seen in line for line in self._running.lines):
            await self._running.until(lambda line: seen in line)

    def _hear(self, who: str, text: str) -> None:
        if who == "Operator":
            self._told.append(text)


def _alike(text: str) -> str:
    return _OF_A_RUN.sub("…", _GIVEN_OUT.sub("…", text))
