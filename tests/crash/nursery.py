"""Brings real bots into the world quickly: a process that has everything imported and forks one for each request.

Each line of its input is `{"config": path, "log": path, "fault": name or null}`; it answers with the child's pid. The
child runs `bot.daemon.main`, which is what `satmachine run` runs, with its own loop, sockets and database. Only the
half second that Python takes to import everything is saved. It ends, and kills its children, when its input closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

_ROOT = Path(__file__).resolve().parents[2]
_ANSWER_WITHIN_SECONDS = 20.0


@dataclass(slots=True)
class Child:
    """A bot that runs. `log` is what it has said since its start."""

    pid: int
    log_path: Path
    log_from: int

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def log(self) -> str:
        with self.log_path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self.log_from)
            return file.read()

    @property
    def ready(self) -> bool:
        return '"event": "ready"' in self.log


class Nursery:
    """The caller's side, as an async context."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process
        self._asking = asyncio.Lock()
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.nursery"),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), _ANSWER_WITHIN_SECONDS)

    async def start(self, config_path: Path, fault: str | None = None) -> Child:
        log_path = config_path.with_name("bot.log")
        log_path.touch()
        request = {"config": str(config_path), "log": str(log_path), "fault": fault}
        log_from = log_path.stat().st_size
        child = Child(int(await self._ask(request)), log_path, log_from)
        self._children = [other for other in self._children if other.alive()] + [child]
        return child

    async def gone(self, child: Child) -> None:
        """Returns when the process has ended and its locks are free."""
        async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            while child.alive():
                await asyncio.sleep(0.002)

    async def _ask(self, request: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking, asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()
            return (await self._process.stdout.readline()).decode()


def _become(request: dict[str, Any]) -> NoReturn:
    """In the child: the bot, until it ends or is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        from bot.daemon import main as run

        if request["fault"]:
            from tests.crash.faults import plant

            plant(request["fault"])
        code = run(Path(request["config"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    import bot.daemon  # noqa: F401 - imported here once instead of in each child
    import tests.crash.faults  # noqa: F401
    from tests.crash.sites import found

    found()  # as the source is now, which is what was just imported
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
