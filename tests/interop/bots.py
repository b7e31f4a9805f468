"""The bot as it is run, in this process: from a configuration file until it serves, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.config_file import load
from bot.daemon import Daemon, read_secrets
from bot.nostr import Keys
from tests.bot.conftest import HURRY
from tests.crash.shop import HASTE, Shop, until
from tests.crash.truth import rows

_READY_WITHIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that serves."""

    keys: Keys
    database_path: Path
    daemon: Daemon

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return rows(self.database_path, query, *values)

    async def seen(self, query: str, *values: Any, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The rows of the query as soon as there are any."""

        async def there() -> list[dict[str, Any]]:
            return self.rows(query, *values)

        found: list[dict[str, Any]] = await until(there, f"{query} {values}", seconds)
        return found

    async def settled(self, seconds: float = 20.0) -> None:
        """Waits until no settlement and no leg is open, and everything is published."""
        waits = (
            "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'processing')",
            "SELECT 1 FROM legs WHERE status = 'pending'",
            "SELECT 1 FROM outbox WHERE state = 'waiting'",
            "SELECT 1 FROM stale_views",
        )
        nothing = "SELECT 1 WHERE " + " AND ".join(f"NOT EXISTS ({query})" for query in waits)
        await self.seen(nothing, seconds=seconds)


def configure(
    directory: Path,
    *,
    keys: Keys,
    relays: Sequence[str],
    dm_relays: Sequence[str],
    operators: Sequence[str],
    wallets: Mapping[str, str],
) -> Path:
    """Writes the configuration of a bot with an empty database. `wallets` are their addresses, by name."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {f"{name}.nwc": uri for name, uri in wallets.items()}
    for file, secret in {"operator.nsec": keys.nsec(), **files}.items():
        (directory / file).write_text(secret)
        (directory / file).chmod(0o600)
    sections: dict[str, Mapping[str, Any]] = {
        "identity": {"key": "file:operator.nsec", "name": "Sintra ATMs"},
        "nostr": {"relays": list(relays), "dm_relays": list(dm_relays)},
        "roles": {"operators": list(operators)},
        **{f"wallets.{name}": {"uri": f"file:{name}.nwc"} for name in wallets},
        "payouts": HASTE,
    }
    lines = [
        f"[{title}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in each.items())
        for title, each in sections.items()
    ]
    path = directory / "config.toml"
    path.write_text("\n".join(lines))
    return path


def move(shop: Shop, relays: Sequence[str]) -> None:
    """From its next start on the bot of this shop lives at these relays, with its profile published."""
    text = shop.config_path.read_text()
    [old] = [line for line in text.splitlines() if line.startswith("relays = ")]
    text = text.replace(old, f"relays = {json.dumps(list(relays))}")
    shop.config_path.write_text(text.replace("publish_profile = false", "publish_profile = true"))


def connect_wallet(shop: Shop, relay: str, wallet_secret: str, client_secret: str) -> str:
    """From its next start on the bot pays from this wallet at this relay. The client's public key."""
    wallet, client = Keys.parse(wallet_secret).public_key, Keys.parse(client_secret).public_key
    shop.wallet_uri = f"nostr+walletconnect://{wallet}?relay={quote(relay, safe='')}&secret={client_secret}"
    shop.wallet_pubkey = wallet
    (shop.directory / "main.nwc").write_text(shop.wallet_uri)
    return client


@contextlib.asynccontextmanager
async def serving(config_path: Path) -> AsyncIterator[Bot]:
    """The bot from its start to its orderly end."""
    config = load(config_path)
    secrets, shutdown, ready = read_secrets(config), asyncio.Event(), asyncio.Event()
    daemon = Daemon(config, secrets, shutdown, timings=HURRY, on_ready=ready.set)
    running, waiting = asyncio.create_task(daemon.run()), asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=_READY_WITHIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        assert ready.is_set(), f"the bot was not ready within {_READY_WITHIN_SECONDS} s"
        yield Bot(secrets.keys, config.database_path, daemon)
        assert not running.done(), running.exception()
        shutdown.set()
        await asyncio.wait_for(running, 25)
    finally:
        for task in (waiting, running):
            task.cancel()
        await asyncio.gather(waiting, running, return_exceptions=True)
