"""The real bot, unchanged, as a process of its own: what `satmachine run` starts on a server.

It is given a configuration file and, in its environment, its key and its wallets. Everything else reaches it over the
relay. Its log goes to a file, of which the end is shown when something goes wrong.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bot.nostr import Keys

_KEY: Final = "SATMACHINE_DEMO_KEY"
_WALLET: Final = "SATMACHINE_DEMO_WALLET"
_LOG_LINES: Final = 15
_GONE_WITHIN_SECONDS: Final = 5.0
_CHECKED_WITHIN_SECONDS: Final = 60.0


class BotProcess:
    """One bot. `start` it, `wait` for its end, `stop` it."""

    def __init__(
        self,
        directory: Path,
        *,
        keys: Keys,
        relay: str,
        wallets: Mapping[str, str],
        operators: Sequence[str],
        platform: str,
        network: str,
        allow_private_targets: bool,
    ) -> None:
        """`wallets`: connection URIs by name. `operators` and `platform` are public keys in hex."""
        self.config = directory / "config.toml"
        self.log = directory / "bot.log"
        self.config.write_text(
            "\n".join(
                [
                    "[identity]",
                    f'key = "env:{_KEY}"',
                    'name = "Sintra ATMs"',
                    "[nostr]",
                    f'relays = ["{relay}"]',
                    "[roles]",
                    f"operators = [{', '.join(f'{key!r}' for key in operators)}]",
                    f'platform = ["{platform}"]',
                    *(f'[wallets.{name}]\nuri = "env:{_WALLET}_{name}"' for name in wallets),
                    "[payouts]",
                    f'network = "{network}"',
                    f"allow_private_targets = {str(allow_private_targets).lower()}",
                    "[log]",
                    'format = "text"',
                    "",
                ]
            )
        )
        # What is set for another bot on this machine must not reach this one.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SATMACHINE__") and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")
        }
        secrets = {f"{_WALLET}_{name}": uri for name, uri in wallets.items()}
        self._environment = inherited | {_KEY: keys.nsec()} | secrets
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *_bot("run", self.config),
                cwd=self.config.parent,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops the bot in order
            )

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait() if self._process is not None else 0

    async def stop(self, seconds: float) -> int:
        """Asks it to stop, and kills it after so many seconds: what it was doing is in its database. The exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            self._process.kill()
            return await asyncio.wait_for(self._process.wait(), _GONE_WITHIN_SECONDS)

    def last_words(self) -> str:
        """The end of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-_LOG_LINES:])

    async def verify(self) -> str | None:
        """Has `satmachine verify` look at the books of the bot, which has stopped. What it finds wrong, or None."""
        process = await asyncio.create_subprocess_exec(
            *_bot("verify", self.config),
            cwd=self.config.parent,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            told, _ = await asyncio.wait_for(process.communicate(), _CHECKED_WITHIN_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"no result within {_CHECKED_WITHIN_SECONDS:g} s"
        return None if process.returncode == 0 else told.decode(errors="replace").strip() or "exit code not 0"


def _bot(command: str, config: Path) -> tuple[str, ...]:
    """`satmachine COMMAND --config …` with this very program, wherever it is installed."""
    return (sys.executable, "-m", "bot", command, "--config", str(config))
