"""A real HTTP server on 127.0.0.1 whose every byte the tests choose."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Writer = asyncio.StreamWriter
Handler = Callable[[str, dict[str, str], Writer], Awaitable[None]]
"""path with query, headers in lower case, where to write the answer."""


@dataclass
class Server:
    port: int
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(0)
    busy: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            server.paths.append(head[0].split(" ")[1])
            server.headers.append(headers)
            await handler(server.paths[-1], headers, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, which is what some tests want
        finally:
            busy.discard(task)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for task in busy:
            task.cancel()
        listening.close()
        await asyncio.gather(*busy, return_exceptions=True)
        await listening.wait_closed()


async def answer(writer: Writer, body: bytes, status: str = "200 OK", headers: str = "") -> None:
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n".encode() + body
    )
    await writer.drain()


async def answer_json(writer: Writer, value: object, status: str = "200 OK") -> None:
    await answer(writer, json.dumps(value).encode(), status, "Content-Type: application/json\r\n")


def always(body: bytes, status: str = "200 OK", headers: str = "") -> Handler:
    async def handler(path: str, request_headers: dict[str, str], writer: Writer) -> None:
        await answer(writer, body, status, headers)

    return handler
