"""`satmachine tell`: one order to the running bot as a direct message (NIP-17), and its answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bot.clock import SystemClock
from bot.commands.configuration import key_from, require_config, require_identity
from bot.commands.sending import Sending, until_listening
from bot.commands.terminal import DONE, FAILED, NO_ANSWER, USAGE, Quit, answer, answer_json, log_to_stderr
from bot.contacts import Contacts
from bot.nostr import BadWrap, Keys, Rumor, unwrap, wrap_dm
from bot.query import Query, Subscription
from bot.relays import Relays
from handlers import orders  # noqa: F401 - it declares the commands
from handlers.commands import registry
from handlers.commands.grammar import bind, tokens
from handlers.replies import says_no
from handlers.roles import Role
from ledger.errors import Refusal
from nwc.event import Event

GIFT_WRAP: Final = 1059
MORE_SECONDS: Final = 0.4
"""So long after a part of an answer in text another part is waited for."""
MAX_WAITING: Final = 10_000
MAX_OTHER_RELAYS: Final = 5
MAX_ORDER_BYTES: Final = 28_000
"""As long as an answer may be: its gift wrap stays below what relays take."""
_PART = re.compile(r"\((\d{1,4})/(\d{1,4})\)\s*")


def tell(config_path: Path, order: str, *, as_key: str | None, as_json: bool, seconds: float) -> int:
    """Exit 0 for a result, 1 for an error answer, 3 for none."""
    config = require_config(config_path)
    bot = require_identity(config_path, config)
    sender = bot if as_key is None else key_from("--as", as_key)
    text = sys.stdin.read(MAX_ORDER_BYTES + 1).strip() if order == "-" else order.strip()
    if not text:
        raise Quit(USAGE, "the order is empty: try  satmachine tell help")
    if as_json and parsed_object(text) is None:
        try:
            text = as_program(text)
        except Refusal as refusal:
            answer_json({"error": {"code": refusal.code.value, "message": refusal.message, "field": refusal.field}})
            return FAILED
    log_to_stderr("error")  # a relay that is down is told of once, at the end
    conversation = Conversation(config.nostr.all_relays, sender, bot.public_key)
    try:
        said = asyncio.run(conversation.ask(text, seconds))
    except ValueError as error:
        raise Quit(USAGE, f"the order can't be sent: {error}") from None
    if said is None:
        raise Quit(NO_ANSWER, f"no answer within {seconds:g} s{conversation.excuse()}: is the bot running?")
    return _show(said, as_json=as_json)


def as_program(order: str) -> str:
    """An order as people type it in the JSON form, whose answer a script can read. Refuses what is no order."""
    command, following = registry.by_words(tokens(order), frozenset(Role))
    params = dict(bind(following, command.places, command.rest, command.params.model_fields))
    return json.dumps({"id": secrets.token_hex(8), "method": command.method, "params": params}, ensure_ascii=False)


def _show(said: str, *, as_json: bool) -> int:
    parsed = parsed_object(said)
    if as_json:
        answer_json({"text": said} if parsed is None else parsed)
    else:
        answer(said)
    refused = says_no(said) if parsed is None else "error" in parsed
    return FAILED if refused else DONE


def parsed_object(text: str) -> dict[str, Any] | None:
    """The JSON object that this text is; None for anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        parsed = json.loads(text)
        if isinstance(parsed, dict):
            return parsed
    return None


def joined(parts: Iterable[Rumor]) -> str:
    """An answer in one piece: parts that begin with `(2/3)` in that order, others in the order of their times."""
    numbered = []
    for place, part in enumerate(parts):
        mark = _PART.match(part.content)
        number = int(mark[1]) if mark else 0
        numbered.append((number, part.created_at, place, part.content[mark.end() :] if mark else part.content))
    return "\n".join(text for *_, text in sorted(numbered))


class Conversation:
    """One question and its answer. `urls` are the bot's relays."""

    def __init__(self, urls: Iterable[str], sender: Keys, bot: str) -> None:
        self._urls = tuple(urls)
        self._sender = sender
        self._bot = bot
        self._clock = SystemClock()
        self._wraps: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING)
        self._sending: Sending | None = None

    async def ask(self, text: str, seconds: float) -> str | None:
        """The answer, or None after `seconds`. Raises ValueError for a text that can't be encrypted."""
        wrap, rumor_id = wrap_dm(self._sender, self._bot, text, None, self._clock.now())
        parts: list[Rumor] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), contextlib.AsyncExitStack() as open_parts:
                relays = await open_parts.enter_async_context(self._listener(self._urls))
                await until_listening(relays)
                # The bot answers where the sender reads its messages, which may be elsewhere (kind 10050).
                elsewhere = await self._other_relays(relays)
                if elsewhere:
                    await open_parts.enter_async_context(self._listener(elsewhere))
                self._sending = Sending(relays, wrap)
                task = asyncio.create_task(self._sending.until_accepted())
                try:
                    await self._collect(rumor_id, parts)
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        return joined(parts) if parts else None

    def excuse(self) -> str:
        """What stood in the way of the last question."""
        told = "; ".join(f"{url}: not connected" for url in self._urls) if not self._sending else self._sending.told()
        return f" ({told})" if told else ""

    def _listener(self, urls: Iterable[str]) -> Relays:
        relays = Relays(urls, self._sender, self._hear, self._clock)
        wanted = Query(kinds=(GIFT_WRAP,), p=(self._sender.public_key,))
        relays.subscribe(Subscription("answers", wanted, self._clock.now()))
        return relays

    def _hear(self, event: Event, url: str, repeat: bool) -> bool:
        try:
            self._wraps.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    async def _other_relays(self, relays: Relays) -> list[str]:
        # Private addresses, too: these are the relays of whoever types the order.
        named = await Contacts(relays, self._clock, allow_private=True).dm_relays(self._sender.public_key)
        return [url for url in named if url not in self._urls][:MAX_OTHER_RELAYS]

    async def _collect(self, rumor_id: str, parts: list[Rumor]) -> None:
        """Returns when the answer is complete."""
        while True:
            wait = MORE_SECONDS if parts and not _lacking(parts) else None
            try:
                async with asyncio.timeout(wait):
                    event = await self._wraps.get()
            except TimeoutError:
                return
            rumor = self._opened(event, rumor_id)
            if rumor is None or any(rumor.id == part.id for part in parts):
                continue
            parts.append(rumor)
            if parsed_object(rumor.content) is not None:
                return

    def _opened(self, event: Event, rumor_id: str) -> Rumor | None:
        """The message inside, if it is the bot's answer to this order."""
        try:
            rumor = unwrap(self._sender, event)
        except BadWrap:
            return None
        answers = any(tag[:2] == ("e", rumor_id) for tag in rumor.tags)
        return rumor if answers and rumor.author == self._bot else None


def _lacking(parts: list[Rumor]) -> bool:
    """Whether the parts that are there say that more must come."""
    marks = [mark for part in parts if (mark := _PART.match(part.content))]
    return bool(marks) and len(marks) < int(marks[0][2])
