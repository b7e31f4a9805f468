"""How much a flood of strangers slows down a sale: from a machine's report to the last request to pay, with 10,000 junk
events a minute and without, turn about in one run, while an operator gives orders all the time."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bot.demo.relay import RelayLink
from bot.nostr import Keys
from nwc.event import Event
from nwc.uri import parse_wallet_uri
from tests.bench.limits import Limits
from tests.bench.orders import Asker, _line, _process
from tests.crash.atm import Atms, report
from tests.crash.shop import Sale, Shop, open_shop, sell, until
from tests.crash.truth import judge, rows
from tests.parts.world import WorldProcess

LIMIT = 1.5
GROWTH_MIB = 20
A_MINUTE = 10_000
TURNS = 12
SECONDS = 5.0
"""Of a turn with the flood, and of one without: short, and each kind as often first, so that what else the machine does
meets both."""
WARM_SECONDS = 30.0
PAUSE_SECONDS = 0.2
"""Between a sale, or an order, and the next one; give or take a half. Some 200 of each kind: the p95 of a few dozen is
the chance of two or three."""
PAY_REQUEST = 23_194


class Wallet:
    """Sees at the relay what the bot asks of its wallet, and when."""

    def __init__(self, shop: Shop, relay: str) -> None:
        uri = parse_wallet_uri(shop.wallet_uri)
        self._wallet, self._client = uri.wallet_pubkey, Keys.parse(uri.secret).cipher()
        self.asked_at: dict[int, float] = {}
        """When the first request to pay a leg came."""
        self._link = RelayLink([relay])

    async def __aenter__(self) -> Wallet:
        await self._link.open(self._hear)
        await self._link.listen(PAY_REQUEST, self._wallet)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    def _hear(self, event: Event) -> None:
        at = time.perf_counter()
        asked = json.loads(self._client.nip44_decrypt(self._wallet, event.content))
        if asked["method"] == "pay_invoice":
            self.asked_at.setdefault(int(asked["params"]["metadata"]["leg"][1:]), at)


@dataclass(slots=True)
class Run:
    """What happened in the turns of one kind."""

    reported: dict[str, float] = field(default_factory=dict)
    orders: list[float] = field(default_factory=list)


async def measure(limits: Limits) -> list[str]:
    """Lines to print."""
    quiet, flooded = Run(), Run()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with WorldProcess(folder / "world") as world:
            shop = await open_shop(world, folder / "shop", number_of_lps=2)
            async with (
                _process("tests.bench.strangers", shop.bot.public_key, str(A_MINUTE)) as strangers,
                Atms(world.relay_url, _Now()) as atms,
                Wallet(shop, world.relay_url) as wallet,
            ):
                url = (await _line(strangers)).strip()
                written = shop.config_path.read_text()
                shop.config_path.write_text(
                    written.replace(f'["{world.relay_url}"]', f'["{world.relay_url}", "{url}"]')
                )
                async with (
                    _process("bot", "run", "--config", str(shop.config_path), told=folder / "bot.log") as bot,
                    Asker(shop.operator, world.relay_url) as asker,
                ):
                    await asker.ask(shop.bot.public_key, "whoami")
                    trade = _Trade(world, shop, atms, asker)
                    await _tell(strangers, "on")
                    await trade.go_on(Run(), WARM_SECONDS)
                    started = await _tell(strangers, "off")
                    before = _resident_mib(bot.pid)
                    for turn in range(TURNS):
                        for word, run in (("off", quiet), ("on", flooded))[:: 1 if turn % 2 else -1]:
                            await _tell(strangers, word)
                            await trade.go_on(run, SECONDS)
                    ended = await _tell(strangers, "off")
                    await trade.finished()
                    grown = _resident_mib(bot.pid) - before
                verdict = await judge(world, shop, trade.sales)
                if not verdict.good:
                    raise AssertionError(str(verdict))
                return [
                    f"flood: {ended - started} events of strangers in {TURNS * SECONDS:g} s, and as long without",
                    *_compared(limits, shop, wallet, quiet, flooded),
                    *_answers(limits, shop),
                    f"  memory          {grown:+.1f} MiB {limits.at_most('flood, growth in MiB', grown, GROWTH_MIB)}",
                ]


class _Now:
    def now(self) -> int:
        return int(time.time())


@dataclass(slots=True)
class _Trade:
    """Sales and orders, side by side."""

    world: WorldProcess
    shop: Shop
    atms: Atms
    asker: Asker
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    sales: list[Sale] = field(default_factory=list)

    async def go_on(self, run: Run, seconds: float) -> None:
        until_then = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sell(run, until_then))
            group.create_task(self._order(run, until_then))

    async def _sell(self, run: Run, until_then: float) -> None:
        while time.perf_counter() < until_then:
            sale = await sell(self.world, self.shop)
            self.sales.append(sale)
            event = self.atms.event(self.shop, report(sale, int(time.time())))
            run.reported[sale.payment_hash] = time.perf_counter()
            await self.atms.link.publish(event)
            await self._pause()

    async def _order(self, run: Run, until_then: float) -> None:
        while time.perf_counter() < until_then:
            run.orders.append((await self.asker.ask(self.shop.bot.public_key, "whoami"))[1])
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + self.chance.random()))

    async def finished(self) -> None:
        async def done() -> bool:
            found = rows(self.shop.database_path, "SELECT count(*) AS n FROM settlements WHERE status = 'processed'")
            return bool(found[0]["n"] == len(self.sales))

        await until(done, "every sale is settled", 60)


async def _tell(strangers: asyncio.subprocess.Process, word: str) -> int:
    assert strangers.stdin is not None
    strangers.stdin.write(f"{word}\n".encode())
    return int(await _line(strangers))


def _compared(limits: Limits, shop: Shop, wallet: Wallet, quiet: Run, flooded: Run) -> list[str]:
    last: dict[str, float] = {}
    for row in rows(
        shop.database_path,
        "SELECT s.payment_hash AS hash, l.id AS leg FROM settlements s JOIN legs l ON l.settlement_id = s.id",
    ):
        last[row["hash"]] = max(last.get(row["hash"], 0.0), wallet.asked_at[row["leg"]])
    lines = []
    for what, of, limit in (
        ("report to sent", lambda run: [last[each] - at for each, at in run.reported.items()], LIMIT),
        ("orders", lambda run: run.orders, None),
    ):
        without, within = of(quiet), of(flooded)
        ratio = _p95(within) / _p95(without)
        wanted = limits.at_most(f"flood, {what}, p95", ratio, limit) if limit else ""
        lines.append(
            f"  {what:15} p95 {_p95(without) * 1e3:6.1f} ms, flooded {_p95(within) * 1e3:6.1f} ms   ratio {ratio:5.2f}"
            f" {wanted}  (medians {statistics.median(without) * 1e3:.1f}, {statistics.median(within) * 1e3:.1f} ms;"
            f" {len(without)} and {len(within)})"
        )
    return lines


def _answers(limits: Limits, shop: Shop) -> list[str]:
    told = rows(
        shop.database_path,
        "SELECT json_extract(body, '$.to') AS who, count(*) AS n FROM outbox WHERE kind IN ('dm', 'signed_dm')"
        " AND json_extract(body, '$.to') <> ? GROUP BY 1",
        shop.operator.public_key,
    )
    most = max((row["n"] for row in told), default=0)
    return [
        f"  answers         to {len(told)} strangers, to one {most} {limits.at_most('flood, answers to one', most, 1)}"
    ]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
