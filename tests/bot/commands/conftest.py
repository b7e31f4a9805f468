"""The command line as a process of its own, a configuration for it, and a bot that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot import cli
from bot.clock import SystemClock
from bot.nostr import Keys, unwrap, wrap_dm
from bot.query import Query, Subscription
from bot.relays import Relays
from nwc.event import Event
from tests.bot.conftest import HURRY, EmbeddedRelay, until
from tests.parts.forks import Forked, Forks

ROOT = Path(__file__).parents[3]
_ENDS_WITHIN_SECONDS = 40.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith("SATMACHINE")}
    return {**plain, "PYTHONPATH": str(ROOT), **more}


_forks = Forks()


@pytest.fixture(scope="session", autouse=True)
def forks() -> Iterator[None]:
    with _forks:
        yield


async def start(*arguments: str | Path, cwd: Path | None = None, **more: str) -> Forked:
    return await _forks.start(*map(str, arguments), cwd=cwd or ROOT, env=environment(**more))


async def run(*arguments: str | Path, typed: str = "", cwd: Path | None = None, **more: str) -> Ended:
    """Runs `satmachine` to its end. `typed` is its standard input, `more` its environment."""
    process = await start(*arguments, cwd=cwd, **more)
    try:
        async with asyncio.timeout(_ENDS_WITHIN_SECONDS):
            out, err = await process.communicate(typed.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


Called = Callable[..., Ended]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Called]:
    """The same within this process, for what ends before anything is sent: a process takes half a second to begin."""
    root, wording = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level

    def call_main(*arguments: str | Path) -> Ended:
        code = cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ended(code, told.out, told.err)

    yield call_main
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**wording)


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@dataclass
class Place:
    """A directory with a configuration, the bot's key and somebody else's."""

    directory: Path
    bot: Keys
    ana: Keys

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def ana_source(self) -> str:
        return f"file:{self.directory / 'ana.nsec'}"

    def write(self, *relays: str, more: str = "") -> None:
        write_secret(self.directory / "operator.nsec", self.bot.nsec())
        write_secret(self.directory / "ana.nsec", self.ana.nsec())
        identity = '[identity]\nkey = "file:operator.nsec"\n'
        write_secret(self.config, f"{identity}[nostr]\nrelays = {json.dumps(relays)}\n{more}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path, Keys.generate(), Keys.generate())
    made.write("wss://relay.example.com")
    return made


Answers = Callable[[str], list[str]]


class AnsweringBot:
    """Answers each direct message to `keys` with the texts that `answers` gives for it. `heard`: author and text."""

    def __init__(self, keys: Keys, urls: list[str], answers: Answers, *, signer: Keys | None = None) -> None:
        self.heard: list[tuple[str, str]] = []
        self._keys, self._answers, self._signer = keys, answers, signer or keys
        self._clock = SystemClock()
        self._seen: set[str] = set()
        self._events: asyncio.Queue[Event] = asyncio.Queue(1_000)
        self.relays = Relays(urls, keys, self._hear, self._clock, timings=HURRY)
        wanted = Query(kinds=(1059,), p=(keys.public_key,))
        self.relays.subscribe(Subscription("orders", wanted, self._clock.now()))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[AnsweringBot]:
        async with self.relays:
            await until(self.relays.listening, "the answering bot listens")
            task = asyncio.create_task(self._serve())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _hear(self, event: Event, url: str, repeat: bool) -> None:
        self._events.put_nowait(event)

    async def _serve(self) -> None:
        while True:
            rumor = unwrap(self._keys, await self._events.get())
            if rumor.id in self._seen or any(tag[0] == "e" for tag in rumor.tags):
                continue
            self._seen.add(rumor.id)
            self.heard.append((rumor.author, rumor.content))
            for text in self._answers(rumor.content):
                wrap, _ = wrap_dm(self._signer, rumor.author, text, rumor.id, self._clock.now())
                await self.relays.publish(wrap)


@pytest.fixture
def relay_place(place: Place, relay: EmbeddedRelay) -> Place:
    """Its bot's relay is the embedded one."""
    place.write(relay.url)
    return place
