"""The daemon in this process, beside a world, on that world's clock; and how tests look at what it did."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from bot.clock import SystemClock
from bot.daemon import Daemon, read_secrets
from bot.timings import Timings
from nwc.ports import Clock
from storage.db import Tx
from tests.bot.conftest import HURRY
from tests.crash.atm import Atms, report
from tests.crash.shop import Controlled, Sale, Shop, sell, until
from tests.crash.truth import rows


class WorldClock(SystemClock):
    """The world's time: a test that moves it moves wallets, payees and the bot together."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.drift = 0.0

    def now(self) -> int:
        return self._clock.now()

    def drift_seconds(self) -> float:
        return self.drift


@dataclass(slots=True)
class Running:
    """A shop whose bot runs."""

    world: Controlled
    shop: Shop
    atms: Atms
    daemon: Daemon
    clock: WorldClock

    async def sell(self, principal_sats: int = 100_000, **changes: Any) -> Sale:
        """A customer pays and the machine reports it; returns when its receipt says `accepted`."""
        sale = await sell(self.world, self.shop, principal_sats)
        await self.atms.send(self.shop, report(sale, self.clock.now(), **changes))
        await self.receipt(sale, "accepted")
        return sale

    async def receipt(self, sale: Sale, status: str) -> dict[str, Any]:
        """The first receipt of that status for this sale."""

        async def there() -> Any:
            return next((r for r in self.atms.receipts(sale.payment_hash) if r["status"] == status), None)

        found: dict[str, Any] = await until(there, f"a receipt {status}, there are {self.atms.receipts(sale.payment_hash)}")
        return found

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return rows(self.shop.database_path, query, *values)

    async def seen(self, query: str, *values: Any, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The rows of the query as soon as there are any."""

        async def there() -> Any:
            return self.rows(query, *values)

        found: list[dict[str, Any]] = await until(there, f"{query} {values}\n{self._state()}", seconds)
        return found

    async def settled(self, seconds: float = 20.0) -> None:
        """Waits until nothing is open: no unproven settlement, no open leg."""

        async def done() -> bool:
            return not self.rows(
                "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'processing')"
                " UNION ALL SELECT 1 FROM legs WHERE status = 'pending'"
            )

        try:
            await until(done, "everything is settled", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._state()}") from None

    def _state(self) -> str:
        queries = (
            "SELECT id, status, reason, detail FROM settlements",
            "SELECT id, type, status, tries, reason FROM legs",
            "SELECT leg_id, payment_hash, state, expires_at, next_check_at, checks FROM attempts",
            "SELECT payment_hash, class, source, asked_at, detail FROM evidence ORDER BY id DESC LIMIT 30",
            "SELECT name, paused_reason, missing_msat, balance_msat FROM wallets",
        )
        return "\n".join(str(row) for query in queries for row in self.rows(query)) + f"\nnow {self.clock.now()}"

    async def advance(self, seconds: int) -> None:
        """Time passes for everybody, and the bot's workers look again."""
        await self.world.call("advance", seconds=seconds)
        await self.look()

    async def look(self) -> None:
        """The workers look at once instead of when they would have."""
        if self.daemon.db is not None:
            await self.daemon.db.write(_touch_all)

    async def told(self) -> list[str]:
        """What the operator was told, in order."""
        return [
            str(row["text"])
            for row in self.rows(
                "SELECT json_extract(body, '$.text') AS text FROM outbox WHERE kind = 'dm'"
                " AND json_extract(body, '$.to') = ? ORDER BY id",
                self.shop.operator.public_key,
            )
        ]


def _touch_all(tx: Tx) -> None:
    tx.touch("settlements", "legs", "attempts", "wallets", "outbox", "views")


@contextlib.asynccontextmanager
async def running(
    world: Controlled, shop: Shop, atms: Atms, clock: WorldClock, *, timings: Timings = HURRY
) -> AsyncIterator[Running]:
    """The bot of `shop` from its start until it serves; ends it as abruptly as a cancellation does."""
    config = shop.config()
    ready = asyncio.Event()
    daemon = Daemon(config, read_secrets(config), asyncio.Event(), clock=clock, timings=timings, on_ready=ready.set)
    task = asyncio.create_task(daemon.run())
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, timeout=15, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        assert ready.is_set(), "the bot was not ready within 15 s"
        yield Running(world, shop, atms, daemon, clock)
        if task.done():
            task.result()
    finally:
        waiting.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
