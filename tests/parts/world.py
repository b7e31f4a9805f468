"""Everything that stands opposite the bot: relay, Lightning network, wallets, Lightning addresses, on free ports.

`World` runs it in this process; `WorldProcess` in one of its own, so that it outlives a bot that is killed, or a test's
event loop that is blocked. Both take the same verbs (`Controls`) through `call`. As a program:
`python -m tests.parts.world --directory D` prints one line of JSON with its addresses and ends when its standard input
closes or its life is over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.demo.http import LoopbackServer
from bot.demo.lightning import LightningError, LightningNetwork
from bot.demo.relay import EmbeddedRelay
from bot.demo.wallet_service import WalletService
from tests.parts.clocks import MovableClock
from tests.parts.controls import Controls
from tests.parts.lnurl_servers import HostileAddresses

_ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN_SECONDS = 30.0
_GONE_WITHIN_SECONDS = 10.0
_ANSWERED_WITHIN_SECONDS = 60.0


class WorldFault(Exception):
    """The world could not do what it was asked."""


class World:
    """The other side in this process. With a directory its Lightning network is kept there and found again."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        clock: MovableClock | None = None,
        relay_port: int = 0,
        fee_base_msat: int = 0,
        fee_ppm: int = 0,
    ) -> None:
        self.clock = clock or MovableClock()
        self.relay = EmbeddedRelay(relay_port)
        self.network = LightningNetwork(
            self.clock,
            log_path=directory / "lightning.log" if directory else None,
            fee_base_msat=fee_base_msat,
            fee_ppm=fee_ppm,
        )
        self.addresses = HostileAddresses(self.network)
        self.controls = Controls(self)
        self.service: WalletService
        self._control = LoopbackServer(Starlette(routes=[Route("/{verb}", self._on_verb, methods=["POST"])]))

    @property
    def relay_url(self) -> str:
        return self.relay.url

    @property
    def addresses_url(self) -> str:
        return self.addresses.url

    @property
    def control_url(self) -> str:
        """POST a JSON object to `control_url/verb`: `{"result": …}`, or status 400 and `{"error": "…"}`."""
        return self._control.url

    async def __aenter__(self) -> Self:
        await self.relay.start()
        self.service = WalletService(self.network, [self.relay.url], self.clock)
        await self.service.start()
        await self.addresses.start()
        await self._control.start()
        self.network.resume()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._control.stop()
        await self.addresses.stop()
        await self.service.stop()
        await self.network.close()
        await self.relay.stop()

    async def call(self, verb: str, **arguments: Any) -> Any:
        """Does one of the verbs of `Controls`."""
        if verb.startswith("_") or not hasattr(Controls, verb):
            raise WorldFault(f"there is no verb {verb}")
        try:
            return await getattr(self.controls, verb)(**arguments)
        except (LightningError, ValueError, KeyError, TypeError) as error:
            raise WorldFault(f"{verb}: {error}") from error

    async def _on_verb(self, request: Request) -> Response:
        try:
            return JSONResponse({"result": await self.call(request.path_params["verb"], **await request.json())})
        except WorldFault as fault:
            return JSONResponse({"error": str(fault)}, 400)


class WorldProcess:
    """The other side in a process of its own, as an async context. It ends with this process, however that ends."""

    def __init__(self, directory: Path, *, life_seconds: int = 900, relay_port: int = 0) -> None:
        self.directory = directory
        self.life_seconds = life_seconds
        self.relay_port = relay_port
        self.relay_url = ""
        self.addresses_url = ""
        self.control_url = ""
        self._process: asyncio.subprocess.Process
        self._http: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "world.err").open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.parts.world", "--directory", str(self.directory)),
                *("--life", str(self.life_seconds), "--relay-port", str(self.relay_port)),
                cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        try:
            if self._process.stdout is None:
                raise WorldFault("the world has no standard output")
            async with asyncio.timeout(_READY_WITHIN_SECONDS):
                line = await self._process.stdout.readline()
            addresses = json.loads(line)
        except (TimeoutError, ValueError) as error:
            await self._end()
            told = (self.directory / "world.err").read_text()[-2000:]
            raise WorldFault(f"the world did not begin: {told}") from error
        self.relay_url, self.addresses_url = addresses["relay"], addresses["addresses"]
        self.control_url = addresses["control"]
        # The server closes a connection that was idle for 5 s: it must not be taken for a call at that very moment.
        kept = httpx.Limits(keepalive_expiry=1.0)
        self._http = httpx.AsyncClient(base_url=self.control_url, timeout=_ANSWERED_WITHIN_SECONDS, limits=kept)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        await self._end()

    async def call(self, verb: str, **arguments: Any) -> Any:
        """Does one of the verbs of `Controls`."""
        answer = (await self._http.post(f"/{verb}", json=arguments)).json()
        if "error" in answer:
            raise WorldFault(answer["error"])
        return answer["result"]

    async def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GONE_WITHIN_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    # Standard input closes when whoever started this is gone, also by SIGKILL.
    loop.add_reader(sys.stdin.fileno(), _read_input, ended)
    async with World(
        arguments.directory,
        relay_port=arguments.relay_port,
        fee_base_msat=arguments.fee_base_msat,
        fee_ppm=arguments.fee_ppm,
    ) as world:
        addresses = {"relay": world.relay_url, "addresses": world.addresses_url, "control": world.control_url}
        print(json.dumps(addresses), flush=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), arguments.life)


def _read_input(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        ended.set()


def main() -> None:
    parser = argparse.ArgumentParser(description="The other side of the tests, until standard input closes.")
    parser.add_argument("--directory", type=Path, required=True, help="where the Lightning network is kept")
    parser.add_argument("--life", type=float, default=900, help="seconds after which it ends in any case")
    parser.add_argument("--relay-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--fee-base-msat", type=int, default=0)
    parser.add_argument("--fee-ppm", type=int, default=0)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(arguments))


if __name__ == "__main__":
    main()
