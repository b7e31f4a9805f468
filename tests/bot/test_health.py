"""Health over real HTTP on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.health import Health, HealthError, HealthServer


@contextlib.asynccontextmanager
async def serving(health: Health) -> AsyncIterator[str]:
    server = HealthServer(health, "127.0.0.1", 0)
    url = server.bind()
    task = asyncio.create_task(server.serve())
    try:
        yield url
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        server.close()


async def test_what_is_wrong_and_what_is_missing() -> None:
    problems: dict[str, str] = {}
    missing = {"relays": "no relay is subscribed"}
    health = Health(lambda: problems, lambda: missing, lambda: {"version": "1"}, lambda: (b"up 1\n", "text/plain"))
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving(health) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "problems": {}, "version": "1"})
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "missing": missing})
        missing.clear()
        problems["wallet main"] = "can't be reached"
        assert (await client.get("/readyz")).status_code == 200
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["problems"]) == (503, {"wallet main": "can't be reached"})
        assert (await client.get("/metrics")).text == "up 1\n"
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/readyz")).status_code == 405
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_an_address_that_is_taken_is_told() -> None:
    health = Health(dict, dict)
    async with serving(health) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(HealthError, match=f"127.0.0.1:{port} can't be used: .*in use"):
            HealthServer(health, "127.0.0.1", port).bind()
    for host in ("not a host", "203.0.113.1"):
        with pytest.raises(HealthError, match=r"http\.listen"):
            HealthServer(health, host, 1).bind()


async def test_it_ends_when_told_and_frees_the_port() -> None:
    health = Health(dict, dict)
    async with serving(health) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/healthz")).status_code == 200
    port = int(url.rsplit(":", 1)[1])
    server = HealthServer(health, "127.0.0.1", port)
    assert server.bind() == url
    server.close()
