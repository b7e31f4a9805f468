"""The running bot pays from a wallet whose NIP-47 is Alby's (@getalby/sdk), for a machine made of nostr-tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.shop import open_shop, sell
from tests.crash.truth import judge
from tests.interop.albys_wallet import AlbysWallet
from tests.interop.bots import serving
from tests.interop.clients import Clients
from tests.interop.machine import Machine
from tests.parts.world import World

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    async with Clients() as clients:
        yield clients


async def test_albys_wallet_proves_and_pays_everything(world: World, clients: Clients, tmp_path: Path) -> None:
    shop = await open_shop(world, tmp_path, "plain")
    sales = [await sell(world, shop, principal) for principal in (100_000, 55_500, 300)]
    async with AlbysWallet(world, shop, world.relay_url), serving(shop.config_path) as bot:
        machine = await Machine.open(clients, shop, [world.relay_url])
        for sale in sales:
            await machine.reports(sale)
            assert (await machine.receipt(sale, "accepted"))["settlement"]
        await bot.settled()
        assert {row["status"] for row in bot.rows("SELECT status FROM settlements")} == {"processed"}
        assert {row["proof"] for row in bot.rows("SELECT proof FROM settlements")} == {"settled"}
        assert len(bot.rows("SELECT 1 FROM evidence WHERE class = 'proof' AND source = 'pay'")) == 3 * 6
        # Its list, which had these sales before the bot began, was read to the end: so unreported payments are found.
        assert await bot.seen("SELECT 1 FROM wallets WHERE scanned_until > 0 AND last_answer_at > 0")
    verdict = await judge(world, shop, sales)
    assert verdict.good, str(verdict)


async def test_what_albys_wallet_did_not_answer_is_found_by_asking_it(
    world: World, clients: Clients, tmp_path: Path
) -> None:
    shop = await open_shop(world, tmp_path, "held", payouts={"request_life_seconds": 2})
    slow, unlucky = shop.lps[0], shop.partner
    async with AlbysWallet(world, shop, world.relay_url), serving(shop.config_path) as bot:
        machine = await Machine.open(clients, shop, [world.relay_url])
        await world.call("route", payee=slow, held=True)
        await world.call("route", payee=unlucky, failures_left=1)
        sale = await sell(world, shop)
        await machine.reports(sale)
        looked_up = "SELECT 1 FROM evidence WHERE class = 'in_flight' AND source = 'lookup'"
        assert await bot.seen(looked_up)
        # Everybody else is paid meanwhile.
        others = f"SELECT count(*) FROM legs WHERE status = 'completed' HAVING count(*) = {len(shop.payees) - 1}"
        assert await bot.seen(others)
        assert [leg["label"] for leg in bot.rows("SELECT label FROM legs WHERE status = 'pending'")] == [slow]

        await world.call("release", payee=slow)
        await bot.settled()
    verdict = await judge(world, shop, [sale])
    assert verdict.good, str(verdict)
    tries = [each["state"] for each in await world.call("payments") if each["payee"] == unlucky]
    assert sorted(tries) == ["failed", "settled"]
