"""Health over HTTP, for monitoring: /healthz says what is wrong, /readyz whether the daemon can do its work, /metrics.

Off unless `http.listen` is set. Nothing is changed by a request and no secret is shown, but balances may be: listen on
a loopback or private address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

STOP_SECONDS = 3


class HealthError(Exception):
    """The address of `http.listen` can't be used. The message says why."""


def _nothing() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Health:
    """What the daemon knows of itself. Each callable is quick and raises nothing."""

    problems: Callable[[], Mapping[str, str]]
    """What is wrong now, by name, in plain sentences; empty when all is well."""
    missing: Callable[[], Mapping[str, str]]
    """What is missing for being ready: database migrated, open attempts loaded, a relay subscribed."""
    details: Callable[[], Mapping[str, object]] = field(default=_nothing)
    """More for people: version, uptime, relays."""
    metrics: Callable[[], tuple[bytes, str]] | None = None
    """The metrics and their content type."""


def health_app(health: Health) -> Starlette:
    """The web application."""

    async def healthz(request: Request) -> Response:
        problems = dict(health.problems())
        body = {"status": "failing" if problems else "ok", "problems": problems, **health.details()}
        return JSONResponse(body, status_code=503 if problems else 200)

    async def readyz(request: Request) -> Response:
        missing = dict(health.missing())
        return JSONResponse({"ready": not missing, "missing": missing}, status_code=503 if missing else 200)

    async def metrics(request: Request) -> Response:
        content, kind = health.metrics() if health.metrics is not None else (b"", "text/plain")
        return Response(content, media_type=kind)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz)]
    if health.metrics is not None:
        routes.append(Route("/metrics", metrics))
    return Starlette(routes=routes)


class _Server(uvicorn.Server):
    """Leaves the signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HealthServer:
    """Serves `health` at a host and port. `bind` raises HealthError; `serve` runs until it is cancelled."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        """Port 0 takes a free one."""
        self._health, self._host, self._port = health, host, port
        self._socket: socket.socket | None = None

    def bind(self) -> str:
        """Takes the address, before anything else of the daemon starts; returns it as http:// URL."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self._port), family=family)
        except (OSError, OverflowError) as failed:
            reason = getattr(failed, "strerror", None) or str(failed)
            raise HealthError(f"http.listen: {self._host}:{self._port} can't be used: {reason}") from None
        host = f"[{self._host}]" if family == socket.AF_INET6 else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Lets go of the address, also where nothing was served."""
        if self._socket is not None:
            self._socket.close()

    async def serve(self) -> None:
        """Answers requests until cancelled; then ends within a few seconds."""
        listening = self._socket
        if listening is None:
            raise RuntimeError("bind first")
        config = uvicorn.Config(
            health_app(self._health),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            timeout_keep_alive=5,
            limit_concurrency=50,
            ws="none",
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            self.close()
