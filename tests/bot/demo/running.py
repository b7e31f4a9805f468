"""`satmachine demo` as a process: started, watched line by line, ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path


class Running:
    """A demo under way: its lines as they come, its errors when it has ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, true: Callable[[str], bool], seconds: float = 40.0) -> str:
        """The next line of which it is true."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode().rstrip("\n"))
                if true(self.lines[-1]):
                    return self.lines[-1]
        raise AssertionError(f"it ended before: {self.lines[-10:]} {await self.errors()}")

    async def ended(self, seconds: float = 50.0) -> int:
        """Its exit code, after all of its lines."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            self.lines += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()

    async def errors(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()


@asynccontextmanager
async def demo(directory: Path, *arguments: str, **environ: str) -> AsyncIterator[Running]:
    """Whatever becomes of the test, the demo and its bot don't outlive it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "demo",
        *arguments,
        cwd=directory,
        env=os.environ | {"TMPDIR": str(directory)} | environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.communicate(), 15)
            except TimeoutError:
                process.kill()
                await process.communicate()
