"""Somebody with a key and a Nostr client: the operator, the platform, an LP. Knows of the bot its public key alone.

Orders are direct messages (NIP-17). People write text; `ask` is for programs and writes JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import Any, Final, Self

from bot.demo.waiting import until
from bot.nostr import BadWrap, Keys, Rumor, unwrap, wrap_dm
from bot.query import Query, Subscription
from bot.relays import Relays
from bot.timings import Timings
from nwc.event import Event
from nwc.ports import Clock

GIFT_WRAP: Final = 1059
VIEW: Final = 30_078
ANSWERED_WITHIN_SECONDS: Final = 30.0
CONNECTED_WITHIN_SECONDS: Final = 20.0
TIMINGS: Final = Timings(retry_ask_seconds=0.5)
_MESSAGES_KEPT: Final = 16_384
_AGAIN_SECONDS: Final = 0.2
_PAGE: Final = 40
"""Items in a page of a list. Two layers of encryption make an answer more than twice as large, and many relays refuse
events above 64 kB."""


class NoAnswer(Exception):
    """The bot, or a relay, said nothing in time."""


class OrderRefused(Exception):
    """The bot's answer is an error. `code` as docs/protocol.md has them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Actor:
    """One person (or program). `async with`: connected and listening inside of it."""

    def __init__(
        self,
        name: str,
        bot: str,
        relay: str,
        clock: Clock,
        *,
        keys: Keys | None = None,
        on_told: Callable[[str, str], None] | None = None,
        on_view: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """`on_told(name, text)`: the bot writes without being asked. `on_view` gets the content of its encrypted
        events for this actor (LP balance, worklist)."""
        self.name = name
        self.keys = keys or Keys.generate()
        self.bot = bot
        self.clock = clock
        self._on_told, self._on_view = on_told, on_view
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._heard: set[str] = set()
        self._sent: set[str] = set()
        self._ids = count(1)
        self._relays = Relays([relay], self.keys, self._hear, clock, timings=TIMINGS, channel_messages=_MESSAGES_KEPT)
        me, now = (self.keys.public_key,), clock.now()
        self._relays.subscribe(Subscription("messages", Query(kinds=(GIFT_WRAP,), p=me), now))
        self._relays.subscribe(Subscription("views", Query(kinds=(VIEW,), authors=(bot,), p=me), now))

    async def __aenter__(self) -> Self:
        await self._relays.start()
        if not await until(self._relays.listening, CONNECTED_WITHIN_SECONDS):
            await self._relays.close()
            raise NoAnswer(f"the relay {self._relays.urls[0]} does not answer")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._relays.close()

    # --- orders ------------------------------------------------------------------------------------------------------

    async def write(self, text: str, seconds: float = ANSWERED_WITHIN_SECONDS) -> str:
        """Sends a message as a person does and gives the bot's answer to it. Raises NoAnswer."""
        at = self.clock.now()
        wrap, message = wrap_dm(self.keys, self.bot, text, None, at)
        while message in self._sent:  # the same words in the same second would be the same message
            at += 1
            wrap, message = wrap_dm(self.keys, self.bot, text, None, at)
        self._sent.add(message)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[message] = answer
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if (await self._relays.publish(wrap)).accepted:
                        return await answer
                    await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            raise NoAnswer(f"no answer to {self.name} within {seconds:g} s: {text[:60]}") from None
        finally:
            self._waiting.pop(message, None)

    async def ask(
        self, method: str, seconds: float = ANSWERED_WITHIN_SECONDS, *, confirm: bool = False, **params: Any
    ) -> dict[str, Any]:
        """Gives an order in JSON; the result. Raises OrderRefused, NoAnswer."""
        order: dict[str, Any] = {"id": f"{self.name}-{next(self._ids)}", "method": method, "params": params}
        if confirm:
            order["confirm"] = True
        answer = json.loads(await self.write(json.dumps(order), seconds))
        if "error" in answer:
            raise OrderRefused(answer["error"]["code"], answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result

    async def ask_all(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page, the newest first."""
        items: list[dict[str, Any]] = []
        page = await self.ask(method, limit=_PAGE, **params)
        items += page["items"]
        while page["next"] is not None:
            page = await self.ask(method, limit=_PAGE, before=page["next"], **params)
            items += page["items"]
        return items

    # --- what comes --------------------------------------------------------------------------------------------------

    def _hear(self, event: Event, url: str, repeat: bool) -> bool | None:
        if event.kind == GIFT_WRAP:
            self._hear_message(event)
        elif self._on_view is not None and event.id not in self._heard:
            self._heard.add(event.id)
            content = read_content(self.keys, event)
            if content is not None:
                self._on_view(content)
        return None

    def _hear_message(self, event: Event) -> None:
        try:
            rumor = unwrap(self.keys, event)
        except BadWrap:
            return
        if rumor.author != self.bot or rumor.id in self._heard:
            return
        self._heard.add(rumor.id)
        answered = _answered(rumor)
        waiting = self._waiting.get(answered) if answered else None
        if waiting is not None and not waiting.done():
            waiting.set_result(rumor.content)
        elif answered is None and self._on_told is not None:
            self._on_told(self.name, rumor.content)


def read_content(keys: Keys, event: Event) -> dict[str, Any] | None:
    """The JSON object that an event's author encrypted to `keys` (NIP-44); None for anything else."""
    try:
        content = json.loads(keys.cipher().nip44_decrypt(event.pubkey, event.content))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _answered(rumor: Rumor) -> str | None:
    """The id of the message that this one answers."""
    return next((tag[1] for tag in rumor.tags if tag[0] == "e" and len(tag) > 1), None)
