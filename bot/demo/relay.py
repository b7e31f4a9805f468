"""A Nostr relay inside the process, and the connection that the services of this world have to relays.

The connection is not the bot's own: what stands opposite the bot shares no code with it that could hide a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

import nostr_sdk

from nwc.event import Event

# The embedded relay closes a connection for good after 6,000 messages; a sender takes a new one well before.
_MESSAGES_PER_CONNECTION = 4000
_ACKNOWLEDGED_WITHIN = timedelta(seconds=5)
_PORT_FREE_WITHIN_SECONDS = 3.0
_CONNECTED_WITHIN = timedelta(seconds=5)
# Where the fast consumer is slow for a moment nothing may be lost: the default ring of 4,096 drops silently.
_NOTIFICATIONS_KEPT = 32_768


class EmbeddedRelay:
    """A relay in memory on a loopback port, without the usual limits. Port 0 takes a free one, and keeps it."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self.port = port
        self.host = host
        self._relay: nostr_sdk.LocalRelay | None = None

    @property
    def url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    async def start(self) -> str:
        """Serves at the URL that is returned. Raises OSError where the port is taken."""
        builder = nostr_sdk.LocalRelayBuilder().addr(self.host)
        builder = builder.rate_limit(nostr_sdk.RateLimit(max_reqs=100_000, notes_per_minute=10_000_000))
        if self.port:
            builder = builder.port(self.port)
        relay = builder.build()
        try:
            await relay.run()
        except nostr_sdk.NostrSdkError as error:
            raise OSError(f"no relay at port {self.port}: {error}") from error
        self._relay = relay
        self.port = int(str(await relay.url()).rstrip("/").rsplit(":", 1)[1])
        send_at_once(self.port)
        return self.url

    async def stop(self) -> None:
        """Closes every connection and forgets every event. `start` begins anew at the same port."""
        relay, self._relay = self._relay, None
        if relay is None:
            return
        # The library's signal gets lost now and then, and it does not say when the port is free: so both are looked at.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PORT_FREE_WITHIN_SECONDS):
                while True:
                    relay.shutdown()
                    await asyncio.sleep(0.01)
                    _, writer = await asyncio.open_connection(self.host, self.port)
                    writer.close()


def send_at_once(port: int) -> None:
    """Has this process's server at `port` send small messages without delay (TCP_NODELAY).

    The library's relay doesn't ask for that: whatever follows its OK waits until the client acknowledges, for 40 ms.
    What a listening socket is set to holds for every connection that it accepts.
    """
    for found in own_sockets():
        with found, contextlib.suppress(OSError):
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and found.family == socket.AF_INET and found.getsockname()[1] == port:
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def own_sockets() -> Iterator[socket.socket]:
    """This process's sockets, as copies that are to be closed."""
    for opened in Path("/dev/fd").iterdir():
        try:
            copy = os.dup(int(opened.name))
        except OSError:
            continue  # closed meanwhile
        try:
            found = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)  # something else than a socket
        else:
            yield found


class RelayLink:
    """A service's connection to its relays: verified events in, signed events out, connected again by itself."""

    def __init__(self, urls: Sequence[str], *, messages_per_connection: int = _MESSAGES_PER_CONNECTION) -> None:
        self.urls = tuple(urls)
        self.messages_per_connection = messages_per_connection
        self._listener: nostr_sdk.Client | None = None
        self._sender: nostr_sdk.Client | None = None
        self._worn: nostr_sdk.Client | None = None
        self._sent = 0
        self._on_event: Callable[[Event], None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._rotating = asyncio.Lock()
        self._asked = count(1)
        self._begins: dict[str, asyncio.Event] = {}

    @property
    def is_open(self) -> bool:
        return self._sender is not None

    async def open(self, on_event: Callable[[Event], None]) -> None:
        """Connects. `on_event` gets each event that `listen` asked for, as often as a relay sends it."""
        self._on_event = on_event
        self._listener = await self._connect()
        self._sender = await self._connect()
        # The stream has to exist before the first subscription, and one task alone reads it.
        stream = self._listener.notifications()
        self._pump = asyncio.create_task(self._read(stream))

    async def listen(self, kind: int, recipient: str) -> None:
        """Subscribes to events of `kind` that carry a `p` tag with `recipient` (64 hex characters).

        What a relay that is connected gets from now on is heard: ephemeral events before that would be lost.
        """
        if self._listener is None:
            raise RuntimeError("open() comes first")
        wanted = nostr_sdk.Filter().kind(nostr_sdk.Kind(kind)).pubkey(nostr_sdk.PublicKey.parse(recipient))
        name = f"listen.{next(self._asked)}"
        begins = self._begins[name] = asyncio.Event()
        try:
            asked = await self._listener.subscribe(nostr_sdk.ReqTarget.auto([wanted]), name)
            if asked.success:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ACKNOWLEDGED_WITHIN.total_seconds()):
                        await begins.wait()
        finally:
            del self._begins[name]

    async def publish(self, event: Event) -> bool:
        """True where a relay took it."""
        sender = await self._sender_with_room()
        try:
            output = await sender.send_event(
                nostr_sdk.Event.from_json(json.dumps(event.to_dict())), ok_timeout=_ACKNOWLEDGED_WITHIN
            )
        except nostr_sdk.NostrSdkError:
            return False
        return bool(output.success)

    async def close(self) -> None:
        for client in (self._listener, self._sender, self._worn):
            if client is not None:
                await client.shutdown()
        if self._pump is not None:
            await self._pump
        self._listener = self._sender = self._worn = self._pump = None

    async def _connect(self) -> nostr_sdk.Client:
        client = (
            nostr_sdk.ClientBuilder().verify_subscriptions(True).notification_channel_size(_NOTIFICATIONS_KEPT).build()
        )
        options = nostr_sdk.RelayOptions().retry_interval(timedelta(seconds=1)).adjust_retry_interval(False)
        for url in self.urls:
            await client.add_relay(nostr_sdk.RelayUrl.parse(url), opts=options)
        await client.connect(and_wait=_CONNECTED_WITHIN)
        return client

    async def _sender_with_room(self) -> nostr_sdk.Client:
        async with self._rotating:
            if self._sender is None:
                raise RuntimeError("open() comes first")
            self._sent += 1
            if self._sent > self.messages_per_connection:
                # What is on its way through the old connection gets a whole turn to arrive before that is closed.
                if self._worn is not None:
                    await self._worn.shutdown()
                self._worn, self._sender, self._sent = self._sender, await self._connect(), 1
            return self._sender

    async def _read(self, stream: nostr_sdk.ClientNotificationStream) -> None:
        # Every message, not the library's "new events": an event sent again has to be seen again, wallets differ in
        # what they do with it. The price is that signatures are checked here.
        while (notification := await stream.next()) is not None and not notification.is_SHUTDOWN():
            if isinstance(notification, nostr_sdk.ClientNotification.MESSAGE):
                message = notification.message.as_enum()
                if isinstance(message, nostr_sdk.RelayMessageEnum.EVENT_MSG) and message.event.verify():
                    self._hear(Event.from_dict(json.loads(message.event.as_json())))
                elif isinstance(message, nostr_sdk.RelayMessageEnum.END_OF_STORED_EVENTS):
                    begins = self._begins.get(message.subscription_id)
                    if begins is not None:
                        begins.set()

    def _hear(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)
