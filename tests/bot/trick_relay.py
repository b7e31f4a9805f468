"""A whole relay, small, that fails in the ways that real ones do: it withholds, repeats, keeps, lies about what it did.

And a tunnel before any relay that goes dead without a word, as a router does that forgets a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.heartbeat import Heartbeat
from bot.relays import Relays
from tests.bot.raw_relay import Peer, RawRelay


@dataclass
class Tricks:
    """What a relay does otherwise than it should; may be changed at any time."""

    withholds: bool = False
    """It takes everything, answers every question, and delivers nothing new."""
    keeps_ephemeral: bool = False
    copies: int = 1
    page: int = 500
    """It gives no more stored events at a time."""
    answer: Callable[[dict[str, Any]], tuple[bool, str]] = lambda event: (True, "")
    """What its OK says; the event is taken all the same where the reason begins with `error`."""
    closed: list[str] = field(default_factory=list)
    """What it says instead of opening the next subscriptions, one after the other."""


class TrickRelay(RawRelay):
    def __init__(self, **tricks: Any) -> None:
        super().__init__(self._hear)
        self.tricks = Tricks(**tricks)
        self.events: list[dict[str, Any]] = []
        self._subscriptions: dict[tuple[Peer, str], list[dict[str, Any]]] = {}

    async def deliver(self, event: dict[str, Any]) -> None:
        """Takes an event and hands it to whoever asked for it."""
        if event["id"] not in {each["id"] for each in self.events} and (
            self.tricks.keeps_ephemeral or not 20_000 <= event["kind"] < 30_000
        ):
            self.events.append(event)
        if self.tricks.withholds:
            return
        for (peer, sub_id), filters in list(self._subscriptions.items()):
            if peer in self.peers and any(_matches(event, each) for each in filters):
                for _ in range(self.tricks.copies):
                    await peer.say("EVENT", sub_id, event)

    async def _hear(self, peer: Peer, message: list[Any]) -> None:
        match message:
            case ["REQ", sub_id, *filters]:
                if self.tricks.closed and not sub_id.startswith("page."):
                    await peer.say("CLOSED", sub_id, self.tricks.closed.pop(0))
                    return
                for event in self._stored(filters):
                    await peer.say("EVENT", sub_id, event)
                await peer.say("EOSE", sub_id)
                self._subscriptions[(peer, sub_id)] = filters
            case ["CLOSE", sub_id]:
                self._subscriptions.pop((peer, sub_id), None)
            case ["EVENT", event]:
                accepted, reason = self.tricks.answer(event)
                if accepted or reason.startswith("error"):
                    await self.deliver(event)
                await peer.say("OK", event["id"], accepted, reason)
            case ["NEG-OPEN", sub_id, *_]:
                await peer.say("NEG-ERR", sub_id, "blocked: not here")

    def _stored(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        newest = sorted(self.events, key=lambda event: (-event["created_at"], event["id"]))
        found = []
        for each in filters:
            matching = [event for event in newest if _matches(event, each)]
            found += matching[: min(each.get("limit", self.tricks.page), self.tricks.page)]
        return found


def owes_lastingly(heartbeat: Heartbeat, relays: Relays, url: str) -> bool:
    """Whether the relay took a beat and gave nothing back, by a subscription that is not made anew any more: while that
    is done it owes nothing, and time that leaps then is not held against it."""
    echo = heartbeat._echoes.get(url)
    return echo is not None and echo.asked_again and echo.owed is not None and relays.states()[url].listening


def _matches(event: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """NIP-01."""
    for name, value in wanted.items():
        match name:
            case "since" if event["created_at"] < value:
                return False
            case "until" if event["created_at"] > value:
                return False
            case "ids" | "authors" | "kinds" if (
                event[{"ids": "id", "authors": "pubkey", "kinds": "kind"}[name]] not in value
            ):
                return False
            case _ if name.startswith("#"):
                if not {tag[1] for tag in event["tags"] if len(tag) > 1 and tag[0] == name[1:]} & set(value):
                    return False
    return True


class Tunnel:
    """Passes connections on to a port of this machine until it is frozen: those open then stay so, and dead."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._connections: list[asyncio.Event] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """Whatever is connected gets no byte through any more. What connects from now on does."""
        for passes in self._connections:
            passes.clear()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Tunnel]:
        async with asyncio.TaskGroup() as group:

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                passes = asyncio.Event()
                passes.set()
                self._connections.append(passes)
                onward = await asyncio.open_connection("127.0.0.1", self._to)
                for source, sink in ((reader, onward[1]), (onward[0], writer)):
                    tasks.append(group.create_task(_pass(source, sink, passes)))

            tasks: list[asyncio.Task[None]] = []
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                server.close()
                for task in tasks:
                    task.cancel()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: asyncio.Event) -> None:
    try:
        while data := await source.read(65_536):
            await passes.wait()
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()
