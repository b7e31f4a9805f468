"""People and machines at Nostr clients that are not ours, on node, driven from a test.

They are made of nostr-tools (clients.mjs); people's apps also of applesauce (applesauce.mjs).
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bot.nostr import Keys, npub_of
from tests.crash.shop import until
from tests.parts.node import NodePeer

DIRECT_MESSAGE = 14
GIFT_WRAP = 1059
_DONE_WITHIN_SECONDS = 20.0


class ClientFault(Exception):
    """The client could not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that the bot sent to a client. Of a gift wrap all but `envelope` and `wrap` is the rumor's."""

    relay: str
    envelope: int
    """The kind of what the relay brought, and its id."""
    wrap: str
    kind: int
    id: str
    pubkey: str
    created_at: int
    tags: tuple[tuple[str, ...], ...]
    plain: str | None
    """Decrypted; None where it is not for this client."""

    def names(self, message_id: str) -> bool:
        return any(tag[:2] == ("e", message_id) for tag in self.tags)

    @property
    def content(self) -> dict[str, Any]:
        assert self.plain is not None, "it can't be decrypted"
        content: dict[str, Any] = json.loads(self.plain)
        return content


class Clients(NodePeer):
    """One node process with as many clients as its tests open. An async context."""

    def __init__(self, script: str = "clients.mjs", *, life_seconds: int = 120) -> None:
        super().__init__(script, {}, life_seconds=life_seconds)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._people: dict[str, Person] = {}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        assert await self.line() == {"ready": True}
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await super().__aexit__(*failure)

    async def open(self, bot: str, relays: Sequence[str], *, keys: Keys | None = None) -> Person:
        """A program or a machine that writes and reads at `relays`."""
        return await self._person("open", bot, keys, bot=bot, relays=list(relays))

    async def app(
        self, bot: str, index: str, *, mailbox: str | None = None, says: Sequence[str] = (), keys: Keys | None = None
    ) -> Person:
        """A person's app. What it is told is the bot's npub and a relay to look that up at; it writes where the bot
        says. It reads at `mailbox` and says so in a kind 10050 of its own (which names `says`, where that is given);
        without one it reads where the bot does."""
        said = list(says) or ([mailbox] if mailbox else [])
        return await self._person("app", bot, keys, bot=npub_of(bot), index=index, mailbox=mailbox, says=said)

    async def _person(self, op: str, bot_pubkey: str, keys: Keys | None, **given: Any) -> Person:
        person = Person(self, str(next(self._numbers)), keys or Keys.generate(), bot_pubkey)
        self._people[person.name] = person
        done = await self.call(op, name=person.name, nsec=person.keys.nsec(), **given)
        person.relays = tuple(done["relays"])
        return person

    async def carry(self, source: str, target: str, **filter_: Any) -> int:
        """Brings what one relay has to another, as relays where people are looked up do: how many events."""
        carried: int = await self.call("carry", **{"from": source, "to": target}, filter=filter_)
        return carried

    async def call(self, op: str, **given: Any) -> Any:
        """What the client did. Raises ClientFault."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"n": number, "op": op, **given}).encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(future, _DONE_WITHIN_SECONDS)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while chunk := await self._process.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, said: dict[str, Any]) -> None:
        if "heard" in said:
            heard = said["heard"]
            tags = tuple(tuple(tag) for tag in heard.pop("tags"))
            self._people[said["name"]].heard.append(Heard(**heard, tags=tags))
            return
        waiting = self._waiting.pop(said["n"])
        if waiting.done():
            return  # nobody waits any more
        if "failed" in said:
            waiting.set_exception(ClientFault(said["failed"]))
        else:
            waiting.set_result(said["done"])


@dataclass
class Person:
    """One client: an operator, an LP, a stranger, or a machine."""

    clients: Clients = field(repr=False)
    name: str
    keys: Keys
    bot: str
    relays: tuple[str, ...] = ()
    """Where it writes."""
    heard: list[Heard] = field(default_factory=list, repr=False)
    """Everything, in order; with nostr-tools an event that two relays bring is in it twice."""

    @property
    def public_key(self) -> str:
        return self.keys.public_key

    @property
    def npub(self) -> str:
        return self.keys.npub

    async def send(self, text: str, **given: Any) -> dict[str, Any]:
        """Sends a direct message (NIP-17): `id` of the message, `wrap`, and what else the script says of it."""
        sent: dict[str, Any] = await self.clients.call("dm", name=self.name, text=text, **given)
        return sent

    async def write(self, text: str) -> Heard:
        """Sends a direct message and gives the answer to it."""
        return await self.answer((await self.send(text))["id"])

    async def says(self, text: str) -> str:
        """The text of the answer to a message."""
        return (await self.write(text)).plain or ""

    async def order(
        self, method: str, params: Mapping[str, Any] | None = None, *, order_id: str, confirm: bool = False
    ) -> dict[str, Any]:
        """An order in JSON as direct message: its whole answer."""
        text = {"id": order_id, "method": method, "params": params or {}} | ({"confirm": True} if confirm else {})
        return (await self.write(json.dumps(text))).content

    async def signed(self, text: str) -> Heard:
        """Sends a signed kind 14 (the envelope for programs) and gives the answer to it."""
        sent = await self.publish(DIRECT_MESSAGE, text, encrypt=True)
        return await self.answer(sent["id"])

    async def publish(
        self, kind: int, content: str = "", *, tags: Sequence[Sequence[str]] | None = None, encrypt: bool = False
    ) -> dict[str, Any]:
        """Any event, to the bot unless `tags` says otherwise: `id`, `created_at`, `refused` (by relay)."""
        given = [["p", self.bot]] if tags is None else [list(tag) for tag in tags]
        sent: dict[str, Any] = await self.clients.call(
            "publish", name=self.name, kind=kind, tags=given, content=content, encrypt=encrypt
        )
        return sent

    async def again(self, event_id: str) -> None:
        """The same bytes once more."""
        await self.clients.call("again", name=self.name, id=event_id)

    async def rewrap(self, message_id: str) -> None:
        """The same message in another wrap."""
        await self.clients.call("rewrap", name=self.name, id=message_id)

    async def stored(self, relay: str, **filter_: Any) -> list[dict[str, Any]]:
        """What `relay` has of a filter (`tag_d` is `#d`), newest first; `plain` is what is for this client."""
        asked = {key.replace("tag_", "#"): value for key, value in filter_.items()}
        found: list[dict[str, Any]] = await self.clients.call("query", name=self.name, relay=relay, filter=asked)
        return sorted(found, key=lambda event: -event["created_at"])

    async def answer(self, message_id: str, seconds: float = 20.0) -> Heard:
        """The answer to a message, by its `e` tag."""
        return await self.hears(lambda heard: heard.names(message_id), f"an answer to {message_id}", seconds)

    def answers(self, message_id: str) -> dict[str, Heard]:
        """All that came until now, each once, by its id."""
        return {heard.id: heard for heard in self.heard if heard.names(message_id)}

    async def hears(self, wanted: Callable[[Heard], bool], what: str, seconds: float = 20.0) -> Heard:
        """The first of such that came, or will come."""

        async def there() -> Heard | None:
            return next((heard for heard in self.heard if wanted(heard)), None)

        found: Heard = await until(there, f"{what}; heard: {self.heard[-5:]}", seconds)
        return found
