"""The world in this process and in its own: the same verbs, and the same truth after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import nostr_sdk as sdk
import pytest

from tests.parts.world import World, WorldFault, WorldProcess


def client_of(uri: str) -> sdk.NostrWalletConnect:
    return sdk.NostrWalletConnectBuilder(sdk.NostrWalletConnectUri.parse(uri)).timeout(timedelta(seconds=5)).build()


async def pays_an_address(world: World | WorldProcess) -> None:
    """The whole way: a customer pays the machine, a client of the wallet pays a Lightning address."""
    wallet = await world.call("wallet", account="sintra")
    came_in = await world.call("customer_pays", account="sintra", amount_msat=103_000_000)
    went_out = await world.call("customer_is_paid", account="sintra", amount_msat=1_000_000)
    await world.call("account", name="ana")
    invoice = await world.call("invoice", account="ana", amount_msat=21_000)
    client = client_of(wallet["uri"])
    found = await client.lookup_invoice(sdk.LookupInvoiceRequest(payment_hash=came_in["payment_hash"], invoice=None))
    await client.pay_invoice(sdk.PayInvoiceRequest(id=None, invoice=invoice["bolt11"], amount=None))
    await client.client().shutdown()

    assert found.amount == 103_000_000
    assert found.state == sdk.TransactionState.SETTLED
    moved = [
        (movement["payer"], movement["payee"], movement["amount_msat"])
        for movement in await world.call("movements", account="sintra")
        if movement["kind"] == "paid"
    ]
    assert moved == [
        ("customer", "sintra", 103_000_000),
        ("sintra", "customer", 1_000_000),
        ("sintra", "ana", 21_000),
    ]
    assert went_out["state"] == "settled"
    assert (await world.call("balances"))["sintra"] == 103_000_000 - 1_000_000 - 21_000
    assert await world.call("audit") == []


async def test_the_whole_way_in_this_process() -> None:
    async with World(fee_ppm=0) as world:
        await pays_an_address(world)


async def test_the_whole_way_in_a_process_of_its_own(tmp_path: Path) -> None:
    async with WorldProcess(tmp_path) as world:
        await pays_an_address(world)


async def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    async with WorldProcess(tmp_path) as world:
        for verb, arguments in (
            ("nonsense", {}),
            ("_pending", {"payment_hash": "ab"}),
            ("settle", {"payment_hash": "ab"}),
            ("pay", {"payer": "nobody", "bolt11": "lnbcrt1"}),
            ("wallet", {"account": "x", "personality": "kind"}),
            ("tricks", {}),
        ):
            with pytest.raises(WorldFault):
                await world.call(verb, **arguments)
        assert await world.call("balances") == {"x": 0}


async def test_a_killed_world_comes_back_with_its_money_and_the_same_wallets(tmp_path: Path) -> None:
    async with WorldProcess(tmp_path) as world:
        first = await world.call("wallet", account="main", balance_msat=5000)
        await world.call("customer_pays", account="main", amount_msat=1000)
        os.kill(world._process.pid, signal.SIGKILL)
        await world._process.wait()
    port = int(world.relay_url.rsplit(":", 1)[1])
    async with WorldProcess(tmp_path, relay_port=port) as again:
        second = await again.call("wallet", account="main", balance_msat=5000)
        assert second == first
        assert (await again.call("balances"))["main"] == 6000
        assert await again.call("audit") == []


def test_it_ends_when_its_starter_is_gone(tmp_path: Path) -> None:
    world = subprocess.Popen(
        [sys.executable, "-m", "tests.parts.world", "--directory", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert world.stdout is not None
    assert world.stdin is not None
    assert world.stdout.readline().startswith(b"{")
    world.stdin.close()
    assert world.wait(timeout=10) == 0
    world.stdout.close()


async def test_parts_go_down_and_come_back() -> None:
    async with World() as world:
        wallet = await world.call("wallet", account="main", balance_msat=7000)
        await world.call("address", user="ana")
        await world.call("wallets_down")
        silent = client_of(wallet["uri"])
        with pytest.raises(sdk.NostrSdkError):
            await asyncio.wait_for(silent.get_balance(), 20)
        await silent.client().shutdown()
        await world.call("wallets_up")
        await world.call("addresses_down")
        with pytest.raises(ConnectionRefusedError), socket.create_connection(_host(world.addresses_url)):
            pass
        await world.call("addresses_up")
        await world.call("relay_down")
        await world.call("relay_up")
        client = client_of(wallet["uri"])
        assert (await client.get_balance()).balance == 7000
        await client.client().shutdown()
        socket.create_connection(_host(world.addresses_url)).close()


async def test_personalities_tricks_routes_and_twists_are_set_while_it_runs() -> None:
    async with World() as world:
        wallet = await world.call("wallet", account="main", balance_msat=9000)
        await world.call("account", name="ana")
        await world.call("route", payee="ana", held=True)
        invoice = await world.call("invoice", account="ana", amount_msat=1000)
        client = client_of(wallet["uri"])
        request = sdk.PayInvoiceRequest(id=None, invoice=invoice["bolt11"], amount=None)
        await world.call("personality", account="main", name="liar", settle_after_seconds=None, blind_seconds=0)
        with pytest.raises(sdk.NostrSdkError, match="PaymentFailed"):
            await client.pay_invoice(request)
        assert (await world.call("payments", payment_hash=invoice["payment_hash"]))[0]["state"] == "pending"
        await world.call("settle", payment_hash=invoice["payment_hash"])
        await world.call("tricks", account="main", tricks=[{"what": "error", "method": "get_balance", "times": 1}])
        with pytest.raises(sdk.NostrSdkError, match="Internal"):
            await client.get_balance()
        assert (await client.get_balance()).balance == 8000
        assert len(await world.call("requests", account="main")) == 3
        await world.call("personality", account="main", name="broke")
        assert (await client.get_balance()).balance == 0
        await client.client().shutdown()
        before = world.clock.now()
        assert await world.call("advance", seconds=3600) >= before + 3600


def _host(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)
