"""Each personality does what it is there for: a wallet that turned out to be nicer than the real one proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.demo.books import Invoice
from bot.demo.lightning import LightningNetwork, Route
from bot.demo.relay import EmbeddedRelay
from bot.demo.wallet_service import HostedWallet, WalletService
from bot.nostr import Keys
from tests.parts.clocks import MovableClock
from tests.parts.field_wallets import ZERO_PREIMAGE, Alby
from tests.parts.personalities import PERSONALITIES, Liar, make
from tests.parts.personality import Personality
from tests.parts.raw_client import RawClient
from tests.parts.tricks import Trick

NIP04_ONLY = {"lnbits"}


class Scene:
    """One wallet with a personality, its client, and a payee."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.network = LightningNetwork(self.clock)
        self.relay = EmbeddedRelay()
        self.service: WalletService
        self.wallet: HostedWallet
        self.client: RawClient

    async def start(self) -> None:
        self.service = WalletService(self.network, [await self.relay.start()], self.clock)
        await self.service.start()
        self.network.add_account("main", 1_000_000_000)
        self.network.add_account("payee")

    async def be(self, personality: Personality) -> RawClient:
        self.wallet = await self.service.add_wallet("main", personality)
        self.client = RawClient(self.wallet, encryption="nip04" if personality.name in NIP04_ONLY else "nip44_v2")
        await self.client.__aenter__()
        return self.client

    def invoice(self, amount_msat: int = 1000, **options: Any) -> Invoice:
        return self.network.make_invoice("payee", amount_msat, **options)

    async def code(self, method: str, **params: Any) -> str | None:
        """The error code of the answer, or None for a success."""
        error = (await self.client.call(method, **params))["error"]
        return error["code"] if error else None

    def paid(self) -> int:
        return len([movement for movement in self.network.books.movements if movement.kind == "paid"])

    async def stop(self) -> None:
        await self.client.__aexit__()
        await self.service.stop()
        await self.network.close()
        await self.relay.stop()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.start()
    yield scene
    await scene.stop()
    assert scene.network.books.audit() == []


async def until_paid(scene: Scene, invoice: Invoice) -> None:
    async with asyncio.timeout(5):
        while invoice.settled_at is None:
            await asyncio.sleep(0.01)


def test_all_that_testing_asks_for_are_there() -> None:
    assert set(PERSONALITIES) == {
        *("honest", "lnbits", "alby", "sloppy", "liar"),
        *("broke", "quota", "revoked", "silent", "ratelimited"),
    }
    assert all(make(name).name == name for name in PERSONALITIES)


async def test_lnbits_calls_a_repeated_pay_failed_though_it_was_paid(scene: Scene) -> None:
    client = await scene.be(make("lnbits"))
    invoice = scene.invoice()
    request = client.request("pay_invoice", invoice=invoice.bolt11)

    first = await client.ask(request)
    again = await client.ask(request, count=2)

    assert first[0]["result"] == {"preimage": invoice.preimage}
    assert again[1]["error"]["code"] == "PAYMENT_FAILED"
    assert "already paid" in again[1]["error"]["message"]
    assert scene.paid() == 1


async def test_lnbits_shows_a_failed_payment_as_settled_and_leaves_it_out_of_the_list(scene: Scene) -> None:
    client = await scene.be(make("lnbits"))
    scene.network.routes["payee"] = Route(failures_left=1)
    invoice = scene.invoice()

    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "PAYMENT_FAILED"
    line = (await client.call("lookup_invoice", payment_hash=invoice.payment_hash))["result"]
    listed = (await client.call("list_transactions", unpaid=True))["result"]["transactions"]

    assert line["settled_at"] is not None
    assert line["preimage"] == ZERO_PREIMAGE
    assert "state" not in line
    assert listed == []
    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "PAYMENT_FAILED"


async def test_lnbits_shows_an_unpaid_invoice_with_settled_at_and_its_preimage(scene: Scene) -> None:
    client = await scene.be(make("lnbits"))
    made = (await client.call("make_invoice", amount=1999))["result"]

    line = (await client.call("lookup_invoice", payment_hash=made["payment_hash"]))["result"]
    listed = (await client.call("list_transactions"))["result"]["transactions"]

    assert made["amount"] == 1999
    assert scene.network.books.newest_invoice("main").amount_msat == 1000
    assert (line["settled_at"], line["preimage"]) != (None, None)
    assert listed == []


async def test_lnbits_speaks_nip04_and_meets_nip44_with_silence(scene: Scene) -> None:
    client = await scene.be(make("lnbits"))
    assert await scene.code("get_balance") is None
    client.encryption = "nip44_v2"
    assert await client.ask(client.request("get_balance"), wait_seconds=0.3) == []


async def test_lnbits_pays_what_has_expired_and_says_not_found_in_its_own_way(scene: Scene) -> None:
    await scene.be(make("lnbits"))
    invoice = scene.invoice(expiry_seconds=0)

    assert await scene.code("pay_invoice", invoice=invoice.bolt11) is None
    assert await scene.code("lookup_invoice", payment_hash="ab" * 32) == "INTERNAL"


async def test_lnbits_provider_hangs_for_every_wallet_when_a_failed_invoice_is_paid_again(scene: Scene) -> None:
    client = await scene.be(make("lnbits", hangs_on_failed=True))
    scene.network.routes["payee"] = Route(failures_left=1)
    invoice = scene.invoice()
    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "PAYMENT_FAILED"

    assert await client.ask(client.request("pay_invoice", invoice=invoice.bolt11), wait_seconds=0.2) == []
    assert await client.ask(client.request("get_balance"), wait_seconds=0.2) == []


async def test_alby_drops_a_repeated_request_and_calls_already_paid_internal(scene: Scene) -> None:
    client = await scene.be(make("alby"))
    invoice = scene.invoice()
    request = client.request("pay_invoice", invoice=invoice.bolt11)

    await client.ask(request)
    assert len(await client.ask(request, count=2, wait_seconds=0.3)) == 1
    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "INTERNAL"
    assert scene.paid() == 1


async def test_alby_shows_failed_and_settles_later(scene: Scene) -> None:
    client = await scene.be(make("alby", flips=1, flip_after_seconds=0.3))
    invoice = scene.invoice()

    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "INTERNAL"
    early = (await client.call("lookup_invoice", payment_hash=invoice.payment_hash))["result"]
    await until_paid(scene, invoice)
    late = (await client.call("lookup_invoice", payment_hash=invoice.payment_hash))["result"]

    assert early["state"] == "failed"
    assert (late["state"], late["preimage"]) == ("settled", invoice.preimage)


async def test_alby_acts_on_requests_up_to_six_hours_old_when_it_wakes(scene: Scene) -> None:
    personality = make("alby")
    assert isinstance(personality, Alby)
    client = await scene.be(personality)
    personality.asleep = True
    now = scene.clock.now()
    young, old = scene.invoice(1000, expiry_seconds=90_000), scene.invoice(2000, expiry_seconds=90_000)
    expired = ["expiration", str(now + 60)]
    await client.ask(client.request("pay_invoice", expired, invoice=young.bolt11), wait_seconds=0.05)
    await client.ask(client.request("pay_invoice", created_at=now - 7200, invoice=old.bolt11), wait_seconds=0.3)

    scene.clock.advance(5 * 3600)
    assert personality.wake(scene.wallet) == 2
    await until_paid(scene, young)

    assert old.settled_at is None
    assert scene.paid() == 1


async def test_alby_lists_only_what_settled_unless_asked(scene: Scene) -> None:
    client = await scene.be(make("alby", flips=1, flip_after_seconds=None))
    invoice = scene.invoice()
    await client.call("pay_invoice", invoice=invoice.bolt11)

    assert (await client.call("list_transactions"))["result"]["transactions"] == []
    (line,) = (await client.call("list_transactions", unpaid=True))["result"]["transactions"]
    assert line["state"] == "failed"
    assert scene.wallet.behaviour.settle_now(scene.wallet, invoice.payment_hash)  # type: ignore[attr-defined]
    assert len((await client.call("list_transactions"))["result"]["transactions"]) == 1


async def test_sloppy_pays_once_and_answers_in_every_wrong_way(scene: Scene) -> None:
    client = await scene.be(make("sloppy", seed=3, latest_seconds=0.05))
    invoices = [scene.invoice(1000 + number) for number in range(150)]
    requests = [client.request("pay_invoice", invoice=invoice.bolt11) for invoice in invoices]
    await asyncio.gather(*(client.link.publish(request) for request in requests))
    for invoice in invoices:
        await until_paid(scene, invoice)
    await asyncio.sleep(0.5)

    answers = [client.to(request) for request in requests]
    preimages = [[(answer["result"] or {}).get("preimage") for answer in each] for each in answers]
    assert scene.paid() == 150
    assert any(not each for each in answers), "none was lost"
    assert any(len(each) == 2 and each[0] == each[1] for each in answers), "none came twice"
    assert any(each and each[0]["error"] and each[-1]["result"] for each in answers), "no error came first"
    assert any(len(each) == 2 and None not in each and each[0] != each[1] for each in preimages), (
        "no wrong preimage came first"
    )
    order = [answer.tag("e") for answer in client.answers]
    sent = [request.id for request in requests if request.id in order]
    assert [one for one in dict.fromkeys(order) if one] != sent, "all came in order"


async def test_sloppy_is_the_same_for_the_same_seed() -> None:
    ways = [[make("sloppy", seed=5)._chance.random() for _ in range(1)] for _ in range(2)]  # type: ignore[attr-defined]
    assert ways[0] == ways[1]


async def test_liar_says_failed_and_not_found_while_the_payment_is_on_its_way(scene: Scene) -> None:
    personality = make("liar", settle_after_seconds=None, blind_seconds=30)
    assert isinstance(personality, Liar)
    client = await scene.be(personality)
    invoice = scene.invoice()
    by_hash = {"payment_hash": invoice.payment_hash}

    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "PAYMENT_FAILED"
    assert await scene.code("lookup_invoice", **by_hash) == "NOT_FOUND"
    assert (await client.call("list_transactions", unpaid=True))["result"]["transactions"] == []
    scene.clock.advance(31)
    assert (await client.call("lookup_invoice", **by_hash))["result"]["state"] == "pending"
    assert await scene.code("pay_invoice", invoice=invoice.bolt11) == "PAYMENT_FAILED"
    assert personality.settle_now(scene.wallet, invoice.payment_hash)
    assert (await client.call("lookup_invoice", **by_hash))["result"]["preimage"] == invoice.preimage
    assert scene.paid() == 1


@pytest.mark.parametrize(("name", "code"), [("broke", "INSUFFICIENT_BALANCE"), ("quota", "QUOTA_EXCEEDED")])
async def test_broke_and_quota_refuse_after_the_first_ones(scene: Scene, name: str, code: str) -> None:
    client = await scene.be(make(name, first=2))
    codes = [await scene.code("pay_invoice", invoice=scene.invoice().bolt11) for _ in range(4)]

    assert codes == [None, None, code, code]
    assert scene.paid() == 2
    balance = (await client.call("get_balance"))["result"]["balance"]
    assert balance == 0 if name == "broke" else balance > 0


async def test_revoked_refuses_everything(scene: Scene) -> None:
    await scene.be(make("revoked", first=1))
    assert await scene.code("pay_invoice", invoice=scene.invoice().bolt11) is None
    assert await scene.code("lookup_invoice", payment_hash="ab" * 32) == "UNAUTHORIZED"
    assert await scene.code("get_balance") == "UNAUTHORIZED"


@pytest.mark.parametrize("pays", [False, True])
async def test_silent_says_nothing_and_pays_or_not(scene: Scene, pays: bool) -> None:
    client = await scene.be(make("silent", pays=pays, methods=["pay_invoice"]))
    invoice = scene.invoice()

    assert await client.ask(client.request("pay_invoice", invoice=invoice.bolt11), wait_seconds=0.3) == []
    assert scene.paid() == int(pays)
    assert await scene.code("lookup_invoice", payment_hash=invoice.payment_hash) == (None if pays else "NOT_FOUND")


async def test_ratelimited_takes_some_requests_in_each_window(scene: Scene) -> None:
    scene.clock.fixed_at = 1_790_000_000
    await scene.be(make("ratelimited", requests=2, window_seconds=10))
    codes = [await scene.code("get_balance") for _ in range(3)]
    scene.clock.advance(10)

    assert [*codes, await scene.code("get_balance")] == [None, None, "RATE_LIMITED", None]


@pytest.mark.parametrize(
    ("trick", "seen"),
    [
        (Trick("drop", method="pay_invoice"), []),
        (Trick("twice"), ["right", "right"]),
        (Trick("no_preimage"), ["none"]),
        (Trick("wrong_preimage"), ["wrong"]),
        (Trick("error", error_code="PAYMENT_FAILED"), ["PAYMENT_FAILED"]),
        (Trick("error_first", delay_seconds=0.05), ["INTERNAL", "right"]),
        (Trick("not_found"), ["NOT_FOUND"]),
        (Trick("delay", delay_seconds=0.2), ["right"]),
        (Trick("other_request"), []),
        (Trick("stranger"), ["right"]),
    ],
    ids=lambda value: value.what if isinstance(value, Trick) else "",
)
async def test_tricks_spoil_the_answer_and_not_the_payment(scene: Scene, trick: Trick, seen: list[str]) -> None:
    client = await scene.be(make("honest", tricks=[trick]))
    invoice = scene.invoice()
    request = client.request("pay_invoice", invoice=invoice.bolt11)

    answers = await client.ask(request, count=max(1, len(seen)), wait_seconds=5 if seen else 0.4)

    told = {invoice.preimage: "right", None: "none"}
    assert [
        answer["error"]["code"] if answer["error"] else told.get(answer["result"].get("preimage"), "wrong")
        for answer in answers
    ] == seen
    assert scene.paid() == 1
    if trick.what == "stranger":
        assert client.answers[0].pubkey != scene.wallet.public_key
    if trick.what == "other_request":
        assert client.answers[0].pubkey == scene.wallet.public_key


async def test_a_trick_takes_the_answers_that_it_names(scene: Scene) -> None:
    client = await scene.be(make("honest", tricks=[{"what": "error", "method": "get_balance", "skip": 1, "times": 1}]))
    codes = [await scene.code("get_balance") for _ in range(3)]
    assert await scene.code("get_info") is None
    assert codes == [None, "INTERNAL", None]
    assert client.wallet.behaviour.name == "honest"


async def test_a_restored_wallet_has_forgotten_its_payments(scene: Scene) -> None:
    personality = make("honest")
    client = await scene.be(personality)
    invoice = scene.invoice()
    await client.call("pay_invoice", invoice=invoice.bolt11)
    personality.forgotten.add(invoice.payment_hash)

    assert await scene.code("lookup_invoice", payment_hash=invoice.payment_hash) == "NOT_FOUND"
    assert (await client.call("list_transactions", unpaid=True))["result"]["transactions"] == []


async def test_what_came_in_is_kept_for_the_test(scene: Scene) -> None:
    personality = make("silent")
    client = await scene.be(personality)
    request = client.request("get_balance")
    await client.ask(request, wait_seconds=0.2)
    assert personality.received == [request]
    assert Keys.generate().public_key != request.pubkey
