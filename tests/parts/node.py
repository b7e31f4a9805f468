"""Starts the peers of tests/interop on node and talks with them in JSON lines. None outlives its test."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any, Self

_INTEROP = Path(__file__).resolve().parents[1] / "interop"
_LINE_WITHIN_SECONDS = 30.0
_GONE_WITHIN_SECONDS = 5.0


class NodeFault(Exception):
    """A peer is missing, or ended, or said nothing."""


def node() -> str:
    """The node of this environment, or else the one in PATH."""
    own = Path(sys.executable).with_name("node")
    found = str(own) if own.exists() else shutil.which("node")
    if found is None or not (_INTEROP / "node_modules").is_dir():
        raise NodeFault("node or the peers' packages are missing: `make test` installs them (npm ci in tests/interop)")
    return found


class NodePeer:
    """One script of tests/interop, as an async context. `config` is its first line of input."""

    def __init__(self, script: str, config: dict[str, Any], *, life_seconds: int = 60) -> None:
        self.script = script
        self.config = config | {"lifeSeconds": life_seconds}
        self._process: asyncio.subprocess.Process
        self._told = bytearray()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            node(),
            self.script,
            cwd=_INTEROP,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._errors = asyncio.create_task(self._read_errors())
        if self._process.stdin is not None:
            # The secrets of the peer go in here, where no list of processes shows them.
            self._process.stdin.write(json.dumps(self.config).encode() + b"\n")
            await self._process.stdin.drain()
        return self

    async def line(self, within_seconds: float = _LINE_WITHIN_SECONDS) -> dict[str, Any]:
        """The next thing that it says. Raises NodeFault where nothing comes."""
        if self._process.stdout is None:
            raise NodeFault("no standard output")
        try:
            async with asyncio.timeout(within_seconds):
                text = await self._process.stdout.readline()
        except TimeoutError:
            text = b""
        if not text:
            raise NodeFault(f"{self.script} said nothing: {self._told.decode(errors='replace')[-1000:]}")
        said: dict[str, Any] = json.loads(text)
        return said

    async def __aexit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GONE_WITHIN_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._errors

    async def _read_errors(self) -> None:
        """Keeps the last of what it complains about, so that its pipe never fills up."""
        while self._process.stderr is not None and (chunk := await self._process.stderr.read(4096)):
            self._told += chunk
            del self._told[:-20_000]


def alby_wallet(
    *, relay: str, control: str, account: str, wallet_secret: str, client_pubkey: str, life_seconds: int = 120
) -> NodePeer:
    """Alby's wallet service for `account` of a world; its first line says that it is ready."""
    config = {
        "relay": relay,
        "control": control,
        "account": account,
        "walletSecret": wallet_secret,
        "clientPubkey": client_pubkey,
    }
    return NodePeer("alby_wallet.mjs", config, life_seconds=life_seconds)
