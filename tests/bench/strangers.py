"""A relay in a process of its own that checks nothing and, when told, floods whoever listens with junk.

As a program: `python -m tests.bench.strangers BOT COUNT` tells its address in one line once the junk is made. Then it
reads words: `on` floods at `COUNT` events a minute, `off` stops; each is answered with the number sent so far. It ends
when its standard input closes. Every second's worth holds one frame of 1 MiB, every sixth second's one of 5 MB of tags.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests.bot.raw_relay import Peer, RawRelay
from tests.parts.junk import Junk

TURNS_A_SECOND = 20
_TEXT = 1
_LARGE = 20


class Strangers:
    """Floods the subscriptions at one relay."""

    def __init__(self, bot: str, a_minute: int) -> None:
        self._each_turn = a_minute / 60 / TURNS_A_SECOND
        junk = Junk(bot, random.Random(7), int(time.time()))
        self._small = iter([junk.some()[1].encode() for _ in range(a_minute * 3 // 2)])
        mebibytes = itertools.cycle([junk.one("1 MiB").encode() for _ in range(_LARGE)])
        tags = itertools.cycle([junk.one("5 MB of tags").encode() for _ in range(_LARGE // 10)])
        self._large: Iterator[bytes] = (
            next(tags) if number % 6 == 5 else next(mebibytes) for number in itertools.count()
        )
        self._listening: dict[Peer, str] = {}
        self.relay = RawRelay(self._hear)
        self.on = False
        self.sent = 0

    async def _hear(self, peer: Peer, message: list[Any]) -> None:
        match message:
            case ["REQ", str(name), *_]:
                await peer.say("EOSE", name)
                if name.startswith("for-us"):
                    self._listening[peer] = name
            case ["EVENT", {"id": event_id}]:
                await peer.say("OK", event_id, True, "")

    async def flood(self) -> None:
        """For ever."""
        due = 0.0
        for turn in itertools.count():
            await asyncio.sleep(1 / TURNS_A_SECOND)
            if not self.on:
                continue
            due += self._each_turn
            frames = [next(self._small) for _ in range(int(due))]
            due -= len(frames)
            if turn % TURNS_A_SECOND == 0:
                frames.append(next(self._large))
            for peer, name in list(self._listening.items()):
                if peer in self.relay.peers:
                    for frame in frames:
                        await peer.frame(_TEXT, b'["EVENT","%s",%s]' % (name.encode(), frame))
            self.sent += len(frames)


async def main(bot: str, a_minute: int) -> None:
    strangers = Strangers(bot, a_minute)
    async with strangers.relay.running():
        print(strangers.relay.url, flush=True)
        flooding = asyncio.create_task(strangers.flood())
        while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
            strangers.on = word == "on"
            print(strangers.sent, flush=True)
        flooding.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
