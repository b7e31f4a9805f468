"""Lightning addresses over real HTTP: what LUD-06, LUD-12, LUD-16 and LUD-21 ask for."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from typing import Any

import bolt11
import httpx
import pytest

from bot.clock import SystemClock
from bot.demo.addresses import AddressServer, Limits
from bot.demo.lightning import LightningNetwork


@pytest.fixture
async def server() -> AsyncIterator[AddressServer]:
    server = AddressServer(LightningNetwork(SystemClock()), limits=Limits(least_msat=1000, most_msat=1_000_000))
    await server.start()
    server.add("ana")
    yield server
    await server.stop()


async def get(url: str, **params: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer: dict[str, Any] = (await client.get(url, params=params or None)).json()
        return answer


async def test_an_address_gives_an_invoice_that_is_paid_and_verified(server: AddressServer) -> None:
    user, host = server.address("ana").split("@")
    request = await get(f"http://{host}/.well-known/lnurlp/{user}")
    answer = await get(request["callback"], amount=21_000, comment="for you")
    before = await get(answer["verify"])
    server.network.add_account("payer", 50_000)
    await server.network.pay("payer", answer["pr"])
    after = await get(answer["verify"])

    assert request["tag"] == "payRequest"
    assert (request["minSendable"], request["maxSendable"]) == (1000, 1_000_000)
    invoice = bolt11.decode(answer["pr"])
    assert invoice.amount_msat == 21_000
    assert invoice.description_hash == hashlib.sha256(request["metadata"].encode()).hexdigest()
    assert (before["settled"], before["preimage"]) == (False, None)
    assert after["settled"] is True
    assert hashlib.sha256(bytes.fromhex(after["preimage"])).hexdigest() == invoice.payment_hash
    assert after["pr"] == answer["pr"]
    assert server.network.books.newest_invoice("ana").metadata == {"comment": "for you"}
    assert server.asked == {"ana": 1}


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"amount": 999}, "from 1000 to 1000000"),
        ({"amount": 1_000_001}, "from 1000 to 1000000"),
        ({"amount": "1e4"}, "whole number"),
        ({"amount": "٣٣٣٣"}, "whole number"),
        ({"amount": "9" * 20}, "whole number"),
        ({}, "whole number"),
        ({"amount": 2000, "comment": "x" * 201}, "at most 200"),
    ],
)
async def test_what_is_out_of_bounds_gets_an_error_and_no_invoice(
    server: AddressServer, params: dict[str, Any], reason: str
) -> None:
    answer = await get(f"{server.url}/lnurlp/ana/callback", **params)

    assert answer["status"] == "ERROR"
    assert reason in answer["reason"]
    assert server.asked == {}


async def test_who_is_not_there_is_not_found(server: AddressServer) -> None:
    for path in ("/.well-known/lnurlp/nobody", "/lnurlp/nobody/callback?amount=2000", f"/lnurlp/verify/{'ab' * 32}"):
        assert (await get(server.url + path))["status"] == "ERROR"


async def test_it_stops_frees_its_port_and_leaves_signals_alone(server: AddressServer) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    url = server.url

    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(f"{url}/.well-known/lnurlp/ana")
    assert await server.start() == url
    assert (await get(f"{url}/.well-known/lnurlp/ana"))["tag"] == "payRequest"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_two_servers_take_two_ports(server: AddressServer) -> None:
    other = AddressServer(server.network)
    await other.start()
    assert other.url != server.url
    taken = AddressServer(server.network, port=int(server.url.rsplit(":", 1)[1]))
    with pytest.raises(OSError, match="in use"):
        await taken.start()
    await other.stop()
    assert len(asyncio.all_tasks()) < 10
