"""`satmachine` as processes that begin at once: one that has everything imported forks another for each call.

A process has the arguments, directory, environment and standard streams that it is given, runs what `python -m bot`
runs, and ends with its exit code. Only the half second that Python takes to import what a command needs is saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Self

_ROOT = Path(__file__).resolve().parents[2]
_LENGTH_BYTES = 4
_STREAMS = 3


class Forked:
    """A process that runs, with as much of `asyncio.subprocess.Process` as is needed."""

    def __init__(self, pid: int, typing: BinaryIO, streams: Sequence[asyncio.StreamReader]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr, self._end = streams
        self._typing = typing

    async def communicate(self, typed: bytes = b"") -> tuple[bytes, bytes]:
        """Its standard output and errors, whole. `typed`, less than what a pipe holds, is its standard input."""
        with contextlib.suppress(BrokenPipeError), self._typing:
            self._typing.write(typed)
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err

    def type_line(self, text: str) -> None:
        """One more line of its standard input, which stays open."""
        self._typing.write(f"{text}\n".encode())
        self._typing.flush()

    def stop(self) -> None:
        """Asks it to end, as the system does (SIGTERM)."""
        os.kill(self.pid, signal.SIGTERM)

    async def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(await self._end.read())
        return self.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Forks:
    """The caller's side. As a context: what it forks from ends with it."""

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.parts.forks", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=_ROOT, pass_fds=[theirs.fileno()])
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait(10)

    async def start(self, *arguments: str, cwd: Path, env: Mapping[str, str]) -> Forked:
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        stdin, typing = os.pipe()
        ours, theirs = zip(*(os.pipe() for _ in range(_STREAMS)), strict=True)  # output, errors, exit code
        socket.send_fds(self._control, [len(request).to_bytes(_LENGTH_BYTES, "big")], [stdin, *theirs])
        self._control.sendall(request)
        for end in (stdin, *theirs):
            os.close(end)
        streams = [await _reader(end) for end in ours]
        return Forked(int(await streams[-1].readline()), os.fdopen(typing, "wb"), streams)


async def _reader(end: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(end, "rb"))
    return reader


def _become(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """In the child: `satmachine`, until it ends."""
    for number, end in enumerate(streams):
        os.dup2(end, number)
        os.close(end)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    from bot.cli import main as satmachine

    code = 1
    try:
        code = satmachine(request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _serve_one(request: dict[str, Any], streams: Sequence[int], end: int) -> NoReturn:
    """In a process between: starts the child, tells its pid, and when it has ended how."""
    child = os.fork()
    if child == 0:
        os.close(end)
        _become(request, streams)
    for stream in streams:
        os.close(stream)
    os.write(end, b"%d\n" % child)
    _, status = os.waitpid(child, 0)
    os.write(end, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _import_everything() -> None:
    import bot.commands.atm
    import bot.commands.atm_run
    import bot.commands.check
    import bot.commands.demo
    import bot.commands.init
    import bot.commands.run
    import bot.commands.tell
    import bot.commands.verify
    import bot.daemon  # noqa: F401


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the processes between
    _import_everything()
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        length, ends, _, _ = socket.recv_fds(control, _LENGTH_BYTES, 1 + _STREAMS)
        if not length:
            return
        wanted, text = int.from_bytes(length, "big"), b""
        while len(text) < wanted:
            text += control.recv(wanted - len(text))
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _serve_one(json.loads(text), ends[:-1], ends[-1])
        for end in ends:
            os.close(end)


if __name__ == "__main__":
    main()
