"""Each twist is really there, judged by the PyPI library `bolt11` and plain HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import bolt11
import httpx
import pytest

from bot.clock import SystemClock
from bot.demo.lightning import LightningNetwork
from tests.parts.lnurl_servers import HostileAddresses, Twist

AMOUNT_MSAT = 21_000


@pytest.fixture
async def server() -> AsyncIterator[HostileAddresses]:
    server = HostileAddresses(LightningNetwork(SystemClock()))
    server.delay_seconds = 0.05
    await server.start()
    server.add("ana")
    yield server
    await server.stop()


async def ask(server: HostileAddresses, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=5, **options) as client:
        return await client.get(f"{server.url}/lnurlp/ana/callback", params={"amount": AMOUNT_MSAT})


async def invoice(server: HostileAddresses) -> bolt11.Bolt11:
    return bolt11.decode((await ask(server)).json()["pr"])


async def pay_request(server: HostileAddresses) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=5) as client:
        content: dict[str, Any] = (await client.get(f"{server.url}/.well-known/lnurlp/ana")).json()
        return content


@pytest.mark.parametrize(
    ("twist", "amount_msat"),
    [("plus_one_msat", 21_001), ("times_1000", 21_000_000), ("amountless", None), (None, 21_000)],
)
async def test_the_amount(server: HostileAddresses, twist: Twist | None, amount_msat: int | None) -> None:
    server.twist("ana", twist)
    assert (await invoice(server)).amount_msat == amount_msat


async def test_what_else_an_invoice_says(server: HostileAddresses) -> None:
    now = SystemClock().now()
    honest = await invoice(server)
    server.twist("ana", "wrong_network")
    assert (honest.currency, (await invoice(server)).currency) == ("bcrt", "bc")
    server.twist("ana", "expired")
    expired = await invoice(server)
    assert expired.date + (expired.expiry or 3600) < now
    server.twist("ana", "soon_expired")
    assert (await invoice(server)).expiry == 2
    server.twist("ana", "long_cltv")
    assert ((await invoice(server)).min_final_cltv_expiry or 0) > 10_000
    server.twist("ana", "wrong_hash")
    metadata = (await pay_request(server))["metadata"]
    assert (await invoice(server)).description_hash != hashlib.sha256(metadata.encode()).hexdigest()
    server.twist("ana", "mixed_case")
    text = (await ask(server)).json()["pr"]
    assert text not in (text.lower(), text.upper())


async def test_the_same_again(server: HostileAddresses) -> None:
    server.twist("ana", "same_invoice")
    assert (await ask(server)).json()["pr"] == (await ask(server)).json()["pr"]
    server.twist("ana", "same_hash")
    one, other = (await ask(server)).json()["pr"], (await ask(server)).json()["pr"]
    assert one != other
    assert bolt11.decode(one).payment_hash == bolt11.decode(other).payment_hash
    server.twist("ana", "paid_by_other")
    paid = server.network.books.invoice((await invoice(server)).payment_hash)
    assert paid is not None
    assert paid.settled_at is not None
    assert server.network.books.audit() == []
    assert server.asked == {"ana": 5}


async def test_the_pay_request(server: HostileAddresses) -> None:
    server.twist("ana", "foreign_callback")
    assert (await pay_request(server))["callback"].startswith("http://169.254.169.254/")
    server.twist("ana", "wrong_tag")
    assert (await pay_request(server))["tag"] != "payRequest"
    server.twist("ana", "upside_down")
    request = await pay_request(server)
    assert request["minSendable"] > request["maxSendable"]
    server.twist("ana", "callback_with_query")
    callback = (await pay_request(server))["callback"]
    async with httpx.AsyncClient() as client:
        answer = (await client.get(f"{callback}&amount={AMOUNT_MSAT}")).json()
    assert bolt11.decode(answer["pr"]).amount_msat == AMOUNT_MSAT


async def test_how_it_behaves(server: HostileAddresses) -> None:
    server.twist("ana", "redirect")
    assert (await ask(server)).headers["location"] == server.redirect_url
    server.twist("ana", "error")
    assert (await ask(server)).json()["status"] == "ERROR"
    server.twist("ana", "unavailable")
    assert (await ask(server)).status_code == 503
    server.twist("ana", "not_json")
    with pytest.raises(json.JSONDecodeError):
        (await ask(server)).json()
    server.twist("ana", "slow")
    server.delay_seconds = 0.3
    answer = await ask(server)
    assert answer.elapsed.total_seconds() >= 0.3
    server.twist("ana", "drip")
    server.delay_seconds = 0.2
    async with (
        httpx.AsyncClient(timeout=5) as client,
        client.stream("GET", f"{server.url}/.well-known/lnurlp/ana") as drip,
    ):
        async for chunk in drip.aiter_raw():
            assert len(chunk) == 1
            break


async def test_a_bomb_is_small_outside_and_large_inside(server: HostileAddresses) -> None:
    server.twist("ana", "gzip_bomb")
    async with httpx.AsyncClient() as client, client.stream("GET", f"{server.url}/.well-known/lnurlp/ana") as answer:
        inside = 0
        async for chunk in answer.aiter_bytes():
            inside += len(chunk)
        assert inside == 64 * 1024 * 1024
        assert answer.num_bytes_downloaded < 200_000
    server.twist("ana", "endless")
    async with httpx.AsyncClient() as client, client.stream("GET", f"{server.url}/.well-known/lnurlp/ana") as answer:
        inside = 0
        async for chunk in answer.aiter_bytes():
            inside += len(chunk)
            if inside > 1_000_000:
                break


async def test_down_and_up(server: HostileAddresses) -> None:
    await server.down()
    with pytest.raises(httpx.ConnectError):
        await ask(server)
    await server.up()
    assert (await invoice(server)).amount_msat == AMOUNT_MSAT


def test_every_twist_is_tried_here() -> None:
    source = Path(__file__).read_text()
    assert [twist for twist in get_args(Twist) if f'"{twist}"' not in source] == []
