"""`nostr-relay` from PyPI as a process of its own: a relay that shares no code with ours or with the library's.

It keeps ephemeral events for some minutes and gives them to whoever asks, answers "duplicate" to bytes that it has, and
slows a connection down that sent something it refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self

_READY_WITHIN_SECONDS = 20.0
_GONE_WITHIN_SECONDS = 5.0


class PypiRelay:
    """An async context. `max_content_chars`: longer contents it refuses (its own default is 4,096)."""

    def __init__(self, directory: Path, *, max_content_chars: int = 200_000) -> None:
        self.directory = directory
        self._max_content_chars = max_content_chars
        self._process: asyncio.subprocess.Process
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = {
            "relay_name": "second relay",
            "storage": {
                "sqlalchemy.url": f"sqlite+aiosqlite:///{self.directory / 'relay.sqlite3'}",
                "num_concurrent_adds": 2,
                "validators": [
                    f"nostr_relay.validators.{name}" for name in ("is_not_too_large", "is_signed", "is_recent")
                ],
            },
            "gunicorn": {"bind": f"127.0.0.1:{self.port}", "loglevel": "warning"},
            "authentication": {"enabled": False},
            "max_event_size": self._max_content_chars,
        }
        path = self.directory / "relay.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        program = Path(sys.executable).with_name("nostr-relay")
        with (self.directory / "relay.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(program, "-c", path, "serve", "--use-uvicorn"),
                cwd=self.directory,
                env={**os.environ, "HOME": str(self.directory)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_READY_WITHIN_SECONDS):
                while not await self._answers():
                    await asyncio.sleep(0.05)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _answers(self) -> bool:
        if self._process.returncode is not None:
            raise RuntimeError(f"nostr-relay ended: {(self.directory / 'relay.log').read_text()[-1000:]}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), _GONE_WITHIN_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
