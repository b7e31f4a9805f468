"""A relay that says exactly what a test tells it to: for forged, off-filter and repeated events, silence and CLOSED.

It speaks just enough WebSocket (RFC 6455): text frames, ping, close. It checks nothing of what it is given.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Peer:
    """One connected client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def say(self, *message: Any) -> None:
        """Sends one relay message, say `say("EOSE", "sub")`."""
        await self.frame(_TEXT, json.dumps(message).encode())

    async def frame(self, opcode: int, body: bytes) -> None:
        size = len(body)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 65_536:
            head = bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")
        self._writer.write(head + body)
        await self._writer.drain()

    def drop(self) -> None:
        """Breaks the connection."""
        self._writer.close()


Handler = Callable[[Peer, list[Any]], Awaitable[None]]


class RawRelay:
    """`handle` is called with every message of a client, `welcome` with every client; `heard` keeps all messages;
    `peers` are the open connections."""

    def __init__(self, handle: Handler, welcome: Callable[[Peer], Awaitable[None]] | None = None) -> None:
        self._handle = handle
        self._welcome = welcome
        self.heard: list[list[Any]] = []
        self.peers: list[Peer] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[RawRelay]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for peer in list(self.peers):
                peer.drop()
            while self.peers:
                await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(writer)
        try:
            await self._greet(reader, writer)
            self.connections += 1
            self.peers.append(peer)
            if self._welcome is not None:
                await self._welcome(peer)
            while (message := await self._next(reader, peer)) is not None:
                self.heard.append(message)
                await self._handle(peer, message)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if peer in self.peers:
                self.peers.remove(peer)
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
        key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await writer.drain()

    async def _next(self, reader: asyncio.StreamReader, peer: Peer) -> list[Any] | None:
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
            body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(size)))
            opcode = first & 0x0F
            if opcode == _CLOSE:
                return None
            if opcode == _PING:
                await peer.frame(_PONG, body)
            elif opcode == _TEXT:
                message: list[Any] = json.loads(body)
                return message
