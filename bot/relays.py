"""The adapter to relays, the only one: what the Nostr library (nostr-sdk 0.45.1) gives, made safe to build on.

It loses silently in three ways, which shapes this file. One task alone takes its notifications, whose buffer is large,
because a slow taker loses the oldest. Every relay message is read rather than the library's own "new event", which
hides an event that its author sends again. And after one genuine copy it passes forgeries with the same id, so that
signatures are checked again (bot.inbox). It never calls back into Python, authentication is answered here: so it needs
no `uniffi_set_event_loop`, and the interpreter can end without a crash in one of the library's threads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import nostr_sdk as sdk
import structlog

from bot.delivery import NotAccepted
from bot.inbox import OnEvent
from bot.line import Unreachable
from bot.nostr import Keys, make_auth, words_of
from bot.pool import Hearer, Pool, RelayState
from bot.query import Filter, Query, Subscription
from bot.timings import Timings
from nwc.event import Event
from nwc.foreign import plain
from nwc.ports import Clock

__all__ = ["CHANNEL_MESSAGES", "Query", "RelayState", "Relays", "Subscription"]

log = structlog.get_logger(__name__)

CHANNEL_MESSAGES = 65_536
"""Notifications that may wait, two for each event; about 10 MB, which the library does not always give back when the
client ends. A wallet needs fewer."""
MAX_MESSAGE_BYTES = 256 * 1024
MAX_TAGS = 100
"""What is larger is dropped unread: a gift wrap has 90 kB at most, and what is asked for here has few tags."""
_LIBRARY_WORDS = frozenset(
    {
        "can't send message to the transport dispatcher",
        "invalid state",
        "not connected",
        "not found",
        "premature exit",
        "received termination request",
        "relay banned",
        "relay is initialized but not ready",
        "relay is sleeping",
        "relay not connected",
        "relay not found",
        "relay/s not specified",
        "timeout",
        "transport error",
    }
)
"""What the library itself says when sending fails. A relay's refusal comes as the same error, in the relay's words."""


class Relays(Pool):
    """A set of relays that are listened to and published at: see `bot.pool.Pool`."""

    def __init__(
        self,
        urls: Iterable[str],
        keys: Keys | None,
        on_event: OnEvent,
        clock: Clock,
        *,
        on_state: Callable[[str, bool], None] | None = None,
        timings: Timings | None = None,
        channel_messages: int = CHANNEL_MESSAGES,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """`urls` are checked (BadRelayUrl). With `keys` a relay that asks who we are gets an answer (NIP-42).

        `on_state(url, up)` is called when a connection comes or goes.
        """
        timings = timings or Timings()
        sockets = Sockets(keys, clock, timings, channel_messages, max_message_bytes)
        super().__init__(urls, sockets, on_event, clock, timings, on_state)


class Socket:
    """One relay as the library gives it. Implements `bot.line.Socket`."""

    def __init__(self, relay: sdk.Relay, keys: Keys | None, timings: Timings) -> None:
        self._relay, self._keys, self._timings = relay, keys, timings
        self._auth_id = ""
        self._admitted = asyncio.Event()

    def connected(self) -> bool:
        return bool(self._relay.status() == sdk.RelayStatus.CONNECTED)

    def connections(self) -> int:
        return int(self._relay.stats().success())

    async def request(self, sub_id: str, query: Filter, *, until_stored: bool) -> None:
        try:
            asked = sdk.Filter.from_json(json.dumps(query))
            if until_stored:
                at_eose: Any = sdk.ReqExitPolicy.EXIT_ON_EOSE()
                exits = sdk.SubscribeAutoCloseOptions().exit_policy(at_eose)
                limit = timedelta(seconds=self._timings.page_seconds)
                await self._relay.subscribe(asked, sub_id, exits.timeout(limit))
            else:
                await self._relay.subscribe(asked, sub_id)
        except sdk.NostrSdkError as failed:
            raise Unreachable(words_of(failed)) from None

    async def connect(self, seconds: float) -> None:
        """Returns when connected. Raises NotAccepted."""
        if not self.connected():
            try:
                await self._relay.try_connect(timedelta(seconds=seconds))
            except sdk.NostrSdkError as failed:
                raise NotAccepted(f"not connected: {words_of(failed)}", refused=False) from None

    async def withdraw(self, sub_id: str) -> None:
        try:
            await self._relay.unsubscribe(sub_id)
        except sdk.NostrSdkError as failed:
            log.debug("unsubscribe_failed", reason=words_of(failed))

    async def list_ids(self, query: Filter) -> set[str] | None:
        opts = sdk.SyncOptions().dry_run().initial_timeout(timedelta(seconds=self._timings.page_seconds))
        try:
            summary = await self._relay.sync(sdk.Filter.from_json(json.dumps(query)), [], opts)
        except sdk.NostrSdkError:
            return None
        return {found.to_hex() for found in summary.remote}

    async def send(self, event: Event, seconds: float) -> None:
        """Returns when the relay has it. Raises NotAccepted."""
        message = _to_sdk(event)
        try:
            async with asyncio.timeout(seconds):
                try:
                    await self._send_once(message, seconds)
                except NotAccepted as failed:
                    if self._keys is None or not str(failed).startswith("auth-required"):
                        raise
                    await self._admitted.wait()
                    await self._send_once(message, seconds)
        except TimeoutError:
            raise NotAccepted("no answer in time", refused=False) from None

    async def _send_once(self, event: sdk.Event, seconds: float) -> None:
        try:
            await self._relay.send_event(event, ok_timeout=timedelta(seconds=seconds))
        except sdk.NostrSdkError as failed:
            words = words_of(failed)
            if not words.startswith("duplicate:"):
                raise NotAccepted(words, refused=words not in _LIBRARY_WORDS) from None

    async def authenticate(self, challenge: str, created_at: int) -> None:
        """Answers the relay's question who we are (NIP-42)."""
        self._admitted.clear()
        if self._keys is None:
            return
        answer = make_auth(self._keys, str(self._relay.url()), challenge, created_at)
        self._auth_id = answer.id
        try:
            await self._relay.send_msg(sdk.ClientMessage.auth(_to_sdk(answer)))
        except sdk.NostrSdkError as failed:
            log.info("relay_auth_failed", reason=words_of(failed))

    def hear_ok(self, event_id: str, accepted: bool) -> bool:
        """True when this is the relay's yes to our authentication."""
        if event_id != self._auth_id or not accepted:
            return False
        self._admitted.set()
        return True

    def reconnect(self) -> None:
        self._relay.disconnect()
        self._relay.connect()


class Sockets:
    """All connections of one client of the library. Implements `bot.pool.Sockets`."""

    def __init__(
        self, keys: Keys | None, clock: Clock, timings: Timings, channel_messages: int, max_message_bytes: int
    ) -> None:
        self._keys, self._clock, self._timings = keys, clock, timings
        self._max_message_bytes = max_message_bytes
        builder = sdk.ClientBuilder().verify_subscriptions(True).notification_channel_size(channel_messages)
        self._client = builder.build()
        self._notifications = self._client.notifications()
        self._sockets: dict[str, Socket] = {}  # by the library's spelling of the address
        self._urls: dict[str, str] = {}  # and ours

    async def add(self, url: str, *, reconnect: bool) -> Socket:
        """Adds a relay; `connect` or `Socket.connect` begins to use it."""
        address = sdk.RelayUrl.parse(url)
        limits = sdk.RelayLimits().message_max_size(self._max_message_bytes).event_max_num_tags(MAX_TAGS)
        options = sdk.RelayOptions().retry_interval(timedelta(seconds=self._timings.retry_seconds)).limits(limits)
        await self._client.add_relay(address, opts=options.adjust_retry_interval(False).reconnect(reconnect))
        relay = await self._client.relay(address)
        if relay is None:
            raise RuntimeError("the relay that was just added is not there")
        socket = Socket(relay, self._keys, self._timings)
        self._sockets[str(address)], self._urls[str(address)] = socket, url
        return socket

    async def remove(self, url: str) -> None:
        address = sdk.RelayUrl.parse(url)
        self._sockets.pop(str(address), None)
        self._urls.pop(str(address), None)
        await self._client.remove_relay(address, force=True)

    async def connect(self) -> None:
        """Begins to connect to all; waits for none."""
        await self._client.connect()

    async def shutdown(self) -> None:
        """`pump` returns soon after."""
        await self._client.shutdown()

    async def pump(self, hearer: Hearer) -> None:
        """Hands on what the relays say, for ever: the only task that takes it."""
        while (notification := await self._notifications.next()) is not None and not notification.is_SHUTDOWN():
            told: Any = notification
            if told.is_MESSAGE() and (address := str(told.relay_url)) in self._sockets:
                await self._hear(self._urls[address], self._sockets[address], told.message.as_enum(), hearer)
                await asyncio.sleep(0)  # what is there already comes without a turn of the loop: now others have theirs

    async def _hear(self, url: str, socket: Socket, said: Any, hearer: Hearer) -> None:
        hearer.hear_any(url)
        if said.is_EVENT_MSG():
            try:
                event = Event.from_dict(json.loads(said.event.as_json()))
            except ValueError:
                hearer.hear_unreadable(url)
                return
            hearer.hear_event(url, said.subscription_id, event, said.event.verify)
        elif said.is_END_OF_STORED_EVENTS():
            hearer.hear_end(url, said.subscription_id)
        elif said.is_CLOSED():
            hearer.hear_closed(url, said.subscription_id, said.message)
        elif said.is_AUTH():
            await socket.authenticate(said.challenge, self._clock.now())
        elif said.is_OK() and socket.hear_ok(said.event_id.to_hex(), said.status):
            hearer.hear_admitted(url)
        elif said.is_NOTICE():
            log.info("relay_notice", relay=url, notice=plain(said.message))


def _to_sdk(event: Event) -> sdk.Event:
    return sdk.Event.from_json(json.dumps(event.to_dict()))
