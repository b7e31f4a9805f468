"""The wallet service as an independent NIP-47 client sees it: the one of nostr-sdk."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import nostr_sdk as sdk
import pytest

from bot.clock import SystemClock
from bot.demo.lightning import LightningNetwork, Route
from bot.demo.relay import EmbeddedRelay, RelayLink
from bot.demo.wallet_behaviour import Behaviour
from bot.demo.wallet_messages import Encryption
from bot.demo.wallet_service import HostedWallet, WalletService
from bot.nostr import Keys
from nwc.event import Event
from tests.parts.raw_client import RawClient


class Nip04Only(Behaviour):
    encryptions: tuple[Encryption, ...] = ("nip04",)


class Scene:
    """A relay, a network with a payee, and a service; clients as a test needs them."""

    def __init__(self) -> None:
        self.relay = EmbeddedRelay()
        self.network = LightningNetwork(SystemClock(), fee_ppm=1000, fee_base_msat=1000)
        self.service: WalletService
        self._clients: list[sdk.NostrWalletConnect] = []

    async def start(self) -> None:
        self.service = WalletService(self.network, [await self.relay.start()], SystemClock())
        await self.service.start()
        self.network.add_account("payee")

    async def wallet(
        self, name: str = "main", sats: int = 1_000_000, behaviour: Behaviour | None = None
    ) -> HostedWallet:
        self.network.add_account(name, sats * 1000)
        return await self.service.add_wallet(name, behaviour)

    def client(self, wallet: HostedWallet) -> sdk.NostrWalletConnect:
        uri = sdk.NostrWalletConnectUri.parse(wallet.uri)
        client = sdk.NostrWalletConnectBuilder(uri).timeout(timedelta(seconds=5)).build()
        self._clients.append(client)
        return client

    async def stop(self) -> None:
        for client in self._clients:
            await client.client().shutdown()
        await self.service.stop()
        await self.network.close()
        await self.relay.stop()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.start()
    yield scene
    await scene.stop()


def pay(invoice: str, amount: int | None = None) -> sdk.PayInvoiceRequest:
    return sdk.PayInvoiceRequest(id=None, invoice=invoice, amount=amount)


def listing(**fields: Any) -> sdk.ListTransactionsRequest:
    names = ("_from", "until", "limit", "offset", "unpaid", "transaction_type")
    return sdk.ListTransactionsRequest(**{name: fields.get(name) for name in names})


async def test_it_tells_who_it_is_and_what_it_has(scene: Scene) -> None:
    client = scene.client(await scene.wallet(sats=1234))

    info = await client.get_info()
    balance = await client.get_balance()

    assert info.network == "regtest"
    assert info.pubkey == scene.network.node_id("main")
    assert any(isinstance(method, sdk.Method.PAY_INVOICE) for method in info.methods)
    assert info.notifications == ["payment_received", "payment_sent"]
    assert balance.balance == 1_234_000


@pytest.mark.parametrize("behaviour", [Behaviour(), Nip04Only()], ids=["nip44", "nip04"])
async def test_paying_moves_msat_and_gives_the_preimage(scene: Scene, behaviour: Behaviour) -> None:
    client = scene.client(await scene.wallet(behaviour=behaviour))
    invoice = scene.network.make_invoice("payee", 250_000)

    paid = await client.pay_invoice(pay(invoice.bolt11))

    assert hashlib.sha256(bytes.fromhex(paid.preimage)).hexdigest() == invoice.payment_hash
    assert paid.fees_paid == 1250
    assert scene.network.books.accounts["payee"].balance_msat == 250_000
    assert scene.network.books.accounts["main"].balance_msat == 1_000_000_000 - 251_250
    assert scene.network.books.audit() == []


async def test_paying_again_gives_the_same_result_and_moves_nothing(scene: Scene) -> None:
    client = scene.client(await scene.wallet())
    invoice = scene.network.make_invoice("payee", 250_000)

    first, second = await asyncio.gather(
        client.pay_invoice(pay(invoice.bolt11)), client.pay_invoice(pay(invoice.bolt11))
    )
    third = await client.pay_invoice(pay(invoice.bolt11))

    assert first.preimage == second.preimage == third.preimage
    assert len(scene.network.books.movements) == 2
    assert scene.network.books.audit() == []


async def test_many_requests_are_worked_on_side_by_side(scene: Scene) -> None:
    client = scene.client(await scene.wallet())
    scene.network.routes["payee"] = Route(delay_seconds=0.2)
    invoices = [scene.network.make_invoice("payee", 1000 + number) for number in range(100)]
    loop = asyncio.get_running_loop()

    began = loop.time()
    paid = await asyncio.gather(*(client.pay_invoice(pay(invoice.bolt11)) for invoice in invoices))

    assert [answer.preimage for answer in paid] == [invoice.preimage for invoice in invoices]
    assert loop.time() - began < 100 * 0.2 / 2
    assert scene.network.books.audit() == []


async def test_what_can_not_be_paid_says_why(scene: Scene) -> None:
    client = scene.client(await scene.wallet(sats=100))
    too_much = scene.network.make_invoice("payee", 100_000)
    expired = scene.network.make_invoice("payee", 1000, expiry_seconds=0)
    scene.network.add_account("shut")
    scene.network.routes["shut"] = Route(failures_left=1)
    no_route = scene.network.make_invoice("shut", 1000)

    with pytest.raises(sdk.NostrSdkError, match="InsufficientBalance"):
        await client.pay_invoice(pay(too_much.bolt11))
    with pytest.raises(sdk.NostrSdkError, match=r"expired \[PaymentFailed\]"):
        await client.pay_invoice(pay(expired.bolt11))
    with pytest.raises(sdk.NostrSdkError, match=r"no route to the payee \[PaymentFailed\]"):
        await client.pay_invoice(pay(no_route.bolt11))

    await client.pay_invoice(pay(no_route.bolt11))
    rows = await client.list_transactions(listing(transaction_type=sdk.TransactionType.OUTGOING))
    assert [row.state for row in rows] == [sdk.TransactionState.SETTLED, sdk.TransactionState.FAILED]


async def test_invoices_are_made_found_and_paid(scene: Scene) -> None:
    client = scene.client(await scene.wallet())
    scene.network.add_account("customer", 10_000_000)

    made = await client.make_invoice(
        sdk.MakeInvoiceRequest(amount=1_999, description="two beers", description_hash=None, expiry=600)
    )
    assert made.payment_hash is not None
    by_hash = sdk.LookupInvoiceRequest(payment_hash=made.payment_hash, invoice=None)
    by_text = sdk.LookupInvoiceRequest(payment_hash=None, invoice=made.invoice)
    before = await client.lookup_invoice(by_hash)
    await scene.network.pay("customer", made.invoice)
    after = await client.lookup_invoice(by_text)

    assert (before.state, before.settled_at, before.preimage) == (sdk.TransactionState.PENDING, None, None)
    assert before.amount == 1_999
    assert before.description == "two beers"
    assert after.state == sdk.TransactionState.SETTLED
    assert after.transaction_type == sdk.TransactionType.INCOMING
    assert after.settled_at is not None
    assert after.preimage is not None
    assert hashlib.sha256(bytes.fromhex(after.preimage)).hexdigest() == made.payment_hash
    with pytest.raises(sdk.NostrSdkError, match="NotFound"):
        await client.lookup_invoice(sdk.LookupInvoiceRequest(payment_hash="ab" * 32, invoice=None))


async def test_wallets_of_one_service_do_not_see_each_other(scene: Scene) -> None:
    one, other = await scene.wallet("one"), await scene.wallet("other")
    invoice = scene.network.make_invoice("payee", 5000)
    await scene.client(one).pay_invoice(pay(invoice.bolt11))

    assert await scene.client(other).list_transactions(listing(unpaid=True)) == []
    with pytest.raises(sdk.NostrSdkError, match="NotFound"):
        await scene.client(other).lookup_invoice(
            sdk.LookupInvoiceRequest(payment_hash=invoice.payment_hash, invoice=None)
        )


async def test_the_list_is_paged_filtered_and_newest_first(scene: Scene) -> None:
    client = scene.client(await scene.wallet())
    invoices = [scene.network.make_invoice("payee", 1000 + number) for number in range(120)]
    for invoice in invoices:
        await scene.network.pay("main", invoice.bolt11, metadata={"leg": "P1", "note": "x" * 100})
    unpaid = scene.network.make_invoice("main", 7000)

    rows: list[sdk.LookupInvoiceResponse] = []
    while page := await client.list_transactions(listing(offset=len(rows), limit=1000)):
        rows += page
        assert len(page) <= 50

    assert [row.payment_hash for row in rows] == [invoice.payment_hash for invoice in reversed(invoices)]
    assert all(row.transaction_type == sdk.TransactionType.OUTGOING for row in rows)
    metadata: Any = rows[0].metadata
    assert set(metadata.map) == {"leg", "note"}
    everything = await client.list_transactions(listing(unpaid=True, limit=1))
    assert everything[0].payment_hash == unpaid.payment_hash
    incoming = await client.list_transactions(listing(unpaid=True, transaction_type=sdk.TransactionType.INCOMING))
    assert [row.payment_hash for row in incoming] == [unpaid.payment_hash]
    past = sdk.Timestamp.from_secs(1_000_000_000)
    assert await client.list_transactions(listing(unpaid=True, until=past)) == []


async def test_both_sides_of_a_payment_are_notified_in_both_encryptions(scene: Scene) -> None:
    payer, payee = await scene.wallet("payer"), await scene.wallet("payee2")
    heard: list[Event] = []
    link = RelayLink([scene.relay.url])
    await link.open(heard.append)
    for wallet in (payer, payee):
        await link.listen(23196, wallet.client)
        await link.listen(23197, wallet.client)
    invoice = scene.network.make_invoice("payee2", 3000)

    await scene.network.pay("payer", invoice.bolt11)
    async with asyncio.timeout(20):
        while len(heard) < 4:
            await asyncio.sleep(0.01)
    await link.close()

    read = sorted(
        (event.kind, *_notification(event, wallet))
        for event in heard
        for wallet in (payer, payee)
        if wallet.public_key == event.pubkey
    )
    assert read == [
        (23196, "payment_received", "incoming", invoice.preimage),
        (23196, "payment_sent", "outgoing", invoice.preimage),
        (23197, "payment_received", "incoming", invoice.preimage),
        (23197, "payment_sent", "outgoing", invoice.preimage),
    ]


def _notification(event: Event, wallet: HostedWallet) -> tuple[str, str, str]:
    cipher = Keys.parse(wallet.uri.rsplit("secret=", 1)[1]).cipher()
    decrypt = cipher.nip04_decrypt if event.kind == 23196 else cipher.nip44_decrypt
    content = json.loads(decrypt(event.pubkey, event.content))
    line = content["notification"]
    return content["notification_type"], line["type"], line["preimage"]


async def test_a_request_after_its_expiration_is_ignored(scene: Scene) -> None:
    wallet = await scene.wallet()
    invoice = scene.network.make_invoice("payee", 1000)
    now = SystemClock().now()
    async with RawClient(wallet) as client:
        # The relay would keep an expired event away, so the wallet is handed it as a relay without NIP-40 would.
        wallet.service.take(client.request("pay_invoice", ["expiration", str(now - 1)], invoice=invoice.bolt11))
        alive = await client.ask(client.request("get_balance", ["expiration", str(now + 60)]))

    assert alive[0]["result"] == {"balance": 1_000_000_000}
    assert len(scene.network.books.payments) == 0


async def test_one_request_event_is_acted_on_once(scene: Scene) -> None:
    wallet = await scene.wallet()
    invoice = scene.network.make_invoice("payee", 1000)
    async with RawClient(wallet) as client:
        request = client.request("pay_invoice", invoice=invoice.bolt11, metadata={"leg": "P40"})
        await client.ask(request)
        wallet.service.take(request)
        await client.call("get_balance")

    assert len(client.to(request)) == 1
    assert scene.network.books.movements[-1].metadata == {"leg": "P40"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("multi_pay_keysend", {}, "NOT_IMPLEMENTED"),
        ("", {}, "NOT_IMPLEMENTED"),
        ("pay_invoice", {}, "OTHER"),
        ("pay_invoice", {"invoice": "lnbcrt1nonsense"}, "PAYMENT_FAILED"),
        ("make_invoice", {"amount": "1000"}, "OTHER"),
        ("make_invoice", {"amount": 1.5}, "OTHER"),
        ("make_invoice", {"amount": True}, "OTHER"),
        ("make_invoice", {"amount": 1000, "description_hash": "zz"}, "OTHER"),
        ("list_transactions", {"limit": -1}, "OTHER"),
        ("lookup_invoice", {"payment_hash": 7}, "NOT_FOUND"),
    ],
)
async def test_wrong_requests_get_an_error(scene: Scene, method: str, params: dict[str, Any], code: str) -> None:
    async with RawClient(await scene.wallet()) as client:
        answer = await client.call(method, **params)

    assert answer["result"] is None
    assert answer["error"]["code"] == code


async def test_a_stranger_is_unauthorized(scene: Scene) -> None:
    async with RawClient(await scene.wallet(), Keys.generate()) as client:
        answer = await client.call("get_balance")

    assert answer["error"]["code"] == "UNAUTHORIZED"


async def test_the_secret_shows_in_no_repr(scene: Scene) -> None:
    wallet = await scene.wallet()

    assert wallet.uri.rsplit("secret=", 1)[1] not in repr(wallet)
    assert scene.network.make_invoice("payee", 1000).preimage not in repr(scene.network.books.newest_invoice("payee"))
