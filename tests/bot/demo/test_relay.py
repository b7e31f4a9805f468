"""The embedded relay and the services' connection to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from bot.clock import SystemClock
from bot.demo.relay import EmbeddedRelay, RelayLink, own_sockets
from bot.nostr import Keys
from nwc.event import Event


def event_for(recipient: str, text: str = "x", kind: int = 23194) -> Event:
    return Keys.generate().cipher().sign(kind, [["p", recipient]], text, SystemClock().now())


async def until(heard: list[Event], count: int, within_seconds: float = 10) -> None:
    async with asyncio.timeout(within_seconds):
        while len(heard) < count:
            await asyncio.sleep(0.01)


async def test_it_takes_a_free_port_and_keeps_it() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    with pytest.raises(OSError, match="no relay at port"):
        await EmbeddedRelay(relay.port).start()
    for _ in range(5):
        await relay.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((relay.host, relay.port))
        assert await relay.start() == url
    await relay.stop()


async def test_it_holds_nothing_back_until_it_is_acknowledged() -> None:
    relay = EmbeddedRelay()
    await relay.start()
    with socket.create_connection((relay.host, relay.port)) as client:
        async with asyncio.timeout(10):
            while (at_once := sends_at_once(client.getsockname())) is None:
                await asyncio.sleep(0.01)
        assert at_once
    await relay.stop()


def sends_at_once(client: object) -> bool | None:
    """Whether the server's end of a client's connection does; None where there is none yet."""
    for own in own_sockets():
        with own, contextlib.suppress(OSError):
            if own.getpeername() == client:
                return bool(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    return None


async def test_a_link_hears_what_is_for_it_again_when_it_is_sent_again() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    heard: list[Event] = []
    me = Keys.generate().public_key
    link, sender = RelayLink([url]), RelayLink([url])
    await link.open(heard.append)
    await sender.open(lambda _: None)
    await link.listen(23194, me)
    event = event_for(me)

    assert await sender.publish(event_for(Keys.generate().public_key))
    assert await sender.publish(event_for(me, kind=23195))
    assert await sender.publish(event)
    assert await sender.publish(event)
    await until(heard, 2)

    assert heard == [event, event]
    await link.close()
    await sender.close()
    await relay.stop()


async def test_a_sender_outlives_the_messages_that_a_connection_may_carry() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    heard: list[Event] = []
    me = Keys.generate().public_key
    link, sender = RelayLink([url]), RelayLink([url], messages_per_connection=3)
    await link.open(heard.append)
    await sender.open(lambda _: None)
    await link.listen(23194, me)

    sent = [event_for(me, str(number)) for number in range(20)]
    assert all([await sender.publish(event) for event in sent])
    await until(heard, 20)

    assert heard == sent
    await link.close()
    await sender.close()
    await relay.stop()


async def test_a_link_hears_again_after_the_relay_was_away() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    heard: list[Event] = []
    me = Keys.generate().public_key
    link = RelayLink([url])
    await link.open(heard.append)
    await link.listen(23194, me)

    await relay.stop()
    assert not await link.publish(event_for(me))
    await relay.start()
    async with asyncio.timeout(20):
        while not heard:
            await link.publish(event_for(me))
            await asyncio.sleep(0.1)

    await link.close()
    await relay.stop()
