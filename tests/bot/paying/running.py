"""The daemon in this process, beside a world, on that world's clock; and how tests look at what it did."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from bot.clock import SystemClock
from bot.daemon import Daemon, read_secrets
from bot.demo.wallet_service import HostedWallet
from bot.timings import Timings
from storage import wallets
from storage.db import Tx
from tests.bot.conftest import HURRY
from tests.crash.atm import Atms, report
from tests.crash.shop import Controlled, Sale, Shop, sell, until
from tests.crash.truth import judge, rows
from tests.parts.clocks import MovableClock
from tests.parts.world import World

PATIENCE_SECONDS = 20.0
"""How long something may take that takes moments on an idle machine."""


class WorldClock(SystemClock):
    """The world's time: a test that moves it moves wallets, payees and the bot together."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self._clock = clock
        self.drift = 0.0

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> float:
        return super().monotonic() + self._clock.ahead

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

    def again(self) -> AbstractAsyncContextManager[Running]:
        """The bot of the same shop, started once more after it has ended."""
        return running(self.world, self.shop, self.atms, self.clock)

    async def receipt(self, sale: Sale, status: str) -> dict[str, Any]:
        """The first receipt of that status for this sale."""

        async def there() -> Any:
            return next((r for r in self.atms.receipts(sale.payment_hash) if r["status"] == status), None)

        found: dict[str, Any] = await until(
            there, f"a receipt {status}, there are {self.atms.receipts(sale.payment_hash)}"
        )
        return found

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return rows(self.shop.database_path, query, *values)

    async def seen(self, query: str, *values: Any, seconds: float | None = None) -> list[dict[str, Any]]:
        """The rows of the query as soon as there are any."""

        async def there() -> Any:
            return self.rows(query, *values)

        found: list[dict[str, Any]] = await self._until(there, f"{query} {values}", seconds)
        return found

    async def _until(self, true: Any, what: str, seconds: float | None = None) -> Any:
        try:
            return await until(true, what, seconds or PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._state()}") from None

    async def settled(self, seconds: float | None = None) -> None:
        """Waits until nothing is open: no unproven settlement, no open leg."""

        async def done() -> bool:
            return not self.rows(
                "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'processing')"
                " UNION ALL SELECT 1 FROM legs WHERE status = 'pending'"
            )

        await self._until(done, "everything is settled", seconds)

    def _state(self) -> str:
        queries = (
            "SELECT id, status, reason, detail FROM settlements",
            "SELECT id, type, status, tries, reason FROM legs",
            "SELECT leg_id, payment_hash, state, expires_at, next_check_at, checks FROM attempts",
            "SELECT payment_hash, class, source, asked_at, detail FROM evidence ORDER BY id DESC LIMIT 12",
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

    async def pass_time(self, seconds: int, until_state: str | None = None, *, step: int = 61) -> None:
        """Time passes in steps, each long enough for the bot to ask the wallet about every open attempt; ends early
        once some attempt is in `until_state`."""
        ends_at = self.clock.now() + seconds
        while self.clock.now() < ends_at:
            if until_state and self.rows("SELECT 1 FROM attempts WHERE state = ?", until_state):
                return
            await self.waited_for_none()
            await self.advance(min(step, max(1, ends_at - self.clock.now())))
            await self.asked_about_all()

    async def waited_for_none(self) -> None:
        """Returns when no invoice is being fetched and no request to pay is on its way any more: time that passes over
        them makes payees be asked once more, and wallets take nothing that is late."""
        parts = self.daemon._parts

        async def none() -> bool:
            return parts is None or not any(part.payer._in_hand for part in parts.wallets.values())

        await self._until(none, "requests to pay are answered, or nobody waits for their answers")

    async def all_sent(self) -> None:
        """Waits until every leg that is owed has left, and nobody waits for its answer: time may leap from then on."""

        async def sent() -> bool:
            owed = self.rows("SELECT id FROM legs WHERE status = 'pending'")
            left = self.rows("SELECT DISTINCT leg_id AS id FROM attempts WHERE state IN ('sent', 'claimed')")
            return bool(self.rows("SELECT 1 FROM legs")) and all(leg in left for leg in owed)

        await self._until(sent, "every leg has left")
        await self.waited_for_none()

    async def asked_about_all(self) -> None:
        """Returns when every open attempt has been looked at as of now."""
        now = self.clock.now()

        async def done() -> bool:
            return not self.rows(
                "SELECT 1 FROM attempts WHERE state IN ('sent', 'claimed') AND next_check_at <= ?", now
            )

        await self._until(done, "open attempts are looked at")

    @property
    def behaviour(self) -> Any:
        """How this shop's wallet behaves: for what no verb of the world does."""
        return self.hosted.behaviour

    @property
    def hosted(self) -> HostedWallet:
        """This shop's wallet itself."""
        assert isinstance(self.world, World)
        return self.world.controls._wallets[self.shop.wallet]

    async def has_listed(self) -> None:
        """The wallet has shown what it sent before its first payment, and need not show it again."""
        assert self.daemon.db is not None
        await self.daemon.db.write(lambda tx: wallets.set_searched(tx, "main", 0))

    def mute(self) -> None:
        """The wallet sends no notifications any more, as many don't."""
        self.behaviour.notifications = ()

    async def asked(self) -> dict[str, int]:
        """How many invoices each payee of this shop was asked for."""
        asked = await self.world.call("asked")
        return {payee: asked.get(payee, 0) for payee in self.shop.payees}

    async def attempt(self, payee: str) -> dict[str, Any]:
        """The newest attempt to pay `payee`, as soon as there is one that was sent."""
        found = await self.seen(
            "SELECT a.* FROM attempts a JOIN legs l ON l.id = a.leg_id WHERE l.target = ? AND a.state <> 'ready'"
            " ORDER BY a.created_at DESC, a.rowid DESC",
            self.shop.addresses[payee],
        )
        return found[0]

    async def under_way(self, *payees: str) -> None:
        """Waits until the wallet has begun to pay each of these."""

        async def begun() -> bool:
            return {payment["payee"] for payment in await self.world.call("payments")} >= set(payees)

        await self._until(begun, f"payments to {payees} are under way")

    async def state(self, payment_hash: str, wanted: str) -> None:
        """Waits until the attempt is in that state."""
        await self.seen("SELECT 1 FROM attempts WHERE payment_hash = ? AND state = ?", payment_hash, wanted)

    def certain(self, payment_hash: str) -> None:
        """Asserts, from the stored evidence alone, that a release was allowed: see docs, "Paying a leg", step 6."""
        attempt = self.rows("SELECT * FROM attempts WHERE payment_hash = ?", payment_hash)[0]
        from_then = attempt["expires_at"] + self.daemon.config.payouts.release_margin_seconds
        late = self.rows("SELECT * FROM evidence WHERE payment_hash = ? AND asked_at >= ?", payment_hash, from_then)
        times = [row["asked_at"] for row in late if row["source"] == "lookup" and row["class"] == "negative"]
        assert times, late
        assert max(times) - min(times) >= self.daemon.config.payouts.release_gap_seconds, late
        found = {(row["source"], row["class"]) for row in late}
        assert {("list", "negative"), ("control", "proof"), ("verify", "negative")} <= found, found

    async def keep_house(self) -> None:
        """Does what the bot does every minute."""
        assert self.daemon.db is not None
        await self.daemon.db.write(self.daemon._clean)

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


class Start(Protocol):
    """Starts the bot of a new shop, as a context."""

    def __call__(self, personality: str = "honest", **options: Any) -> AbstractAsyncContextManager[Running]: ...


async def finished(bot: Running, sales: Sequence[Sale], seconds: float | None = None) -> None:
    """Everything gets settled, and then every payee has what is due, once, and the books say so."""
    await bot.settled(seconds)
    verdict = await judge(bot.world, bot.shop, sales)
    assert verdict.good, str(verdict)


def lives_at(shop: Shop, relays: Sequence[str]) -> None:
    """From its next start on the bot of this shop is at these relays."""
    text = shop.config_path.read_text()
    [line] = [line for line in text.splitlines() if line.startswith("relays = ")]
    shop.config_path.write_text(text.replace(line, f"relays = {json.dumps(list(relays))}"))


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
