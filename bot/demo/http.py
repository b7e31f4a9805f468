"""A web server on loopback inside a running event loop: quiet, on a free port, without signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_STARTED_WITHIN_SECONDS = 10.0
_GRACE_SECONDS = 1


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process that this server is a part of."""
        yield


class LoopbackServer:
    """Serves `app` at 127.0.0.1. Port 0 takes a free one, and keeps it over `stop` and `start`."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self.port = port
        self._app = app
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> str:
        """Serves when this returns. Raises OSError where the port is taken."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", self.port))
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        async with asyncio.timeout(_STARTED_WITHIN_SECONDS):
            while not self._server.started:
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.005)
        return self.url

    async def stop(self) -> None:
        """Answers what was begun, for a second at most, and frees the port."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._server = self._task = None
