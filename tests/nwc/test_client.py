"""The wallet client: whom it believes, what it waits for, and what it never loses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest

from nwc import client as client_module
from nwc.bolt11 import BadInvoice
from nwc.client import WalletClient
from nwc.event import Event
from nwc.messages import Answer, Balance, ErrorAnswer, MalformedAnswer, Notification, PayResult
from nwc.requests import SignedRequest
from nwc.trouble import WalletError, WalletGarbled, WalletNotReady, WalletSilent, WalletTrouble
from tests.nwc.made import (
    CLIENT,
    HASH,
    NOW,
    PREIMAGE,
    URI,
    WALLET,
    HandClock,
    OpenCipher,
    WireToWallet,
    error_text,
    info_event,
    invoice,
    opened,
    response,
    result_text,
    row,
    sealed,
)


@dataclass
class Bench:
    wire: WireToWallet
    client: WalletClient
    cipher: OpenCipher
    clock: HandClock
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def result(self, request_number: int = -1) -> dict[str, object]:
        return self.wire.requests[request_number]

    async def prepared(self, **more: object) -> SignedRequest:
        await self.client.ready()
        return self.client.prepare_pay(invoice(100_000), expires_at=NOW + 600, **more)  # type: ignore[arg-type]


def bench(info: Event | None = None, *, no_info: bool = False) -> Bench:
    wire, cipher, clock = WireToWallet(None if no_info else info or info_event()), OpenCipher(), HandClock()
    answers: list[tuple[str, Answer]] = []
    notifications: list[Notification] = []

    def on_answer(request_id: str, answer: Answer) -> None:
        answers.append((request_id, answer))

    client = WalletClient(URI, wire, cipher, clock, on_answer, notifications.append, timeout_seconds=0.05)
    wire.deliver = client.receive
    return Bench(wire, client, cipher, clock, answers, notifications)


# --- readiness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "encryption"),
    [
        ([["encryption", "nip44_v2 nip04"]], "nip44_v2"),
        ([["encryption", "nip04 nip44_v2"]], "nip44_v2"),
        ([["encryption", "nip44_v2"]], "nip44_v2"),
        ([["encryption", "nip04", "nip44_v2"]], "nip44_v2"),
        ([["encryption", "nip04"]], "nip04"),
        ([], "nip04"),
        ([["encryption"]], "nip04"),
        ([["encryption", ""]], "nip04"),
    ],
)
async def test_requests_are_written_in_what_the_wallet_reads(tags: list[list[str]], encryption: str) -> None:
    b = bench(info_event(tags=tags))
    assert (await b.client.ready()).encryption == encryption
    request = await b.prepared()
    form = "nip04" if encryption == "nip04" else "nip44"
    body = json.loads(opened(form, WALLET, CLIENT, request.event.content))
    assert body["method"] == "pay_invoice"
    assert request.event.tags == (("p", WALLET), ("encryption", encryption), ("expiration", str(NOW + 600)))
    assert (request.event.kind, request.event.pubkey, request.event.created_at) == (23194, CLIENT, NOW)


async def test_the_info_event_says_what_the_wallet_can() -> None:
    info = await bench(info_event("pay_invoice  get_balance\nnotifications")).client.ready()
    assert info.methods == {"pay_invoice", "get_balance", "notifications"}
    assert info.notifications == {"payment_sent"}
    assert (await bench(info_event(tags=[])).client.ready()).notifications == frozenset()


async def test_without_an_info_event_the_wallet_is_not_ready_and_is_asked_again_later() -> None:
    b = bench(no_info=True)
    assert b.client.wallet_pubkey == WALLET
    with pytest.raises(WalletNotReady, match="running"):
        await b.client.ready()
    with pytest.raises(WalletNotReady, match="not there yet"):
        await b.client.get_balance()
    with pytest.raises(WalletNotReady):
        b.client.prepare_pay(invoice(), expires_at=NOW + 5)
    assert (b.client.info, b.wire.info_asked) == (None, 1)
    b.wire.info = info_event()
    b.clock.time += 5
    assert (await b.client.ready()).created_at == NOW
    assert await b.client.ready() is b.client.info
    assert b.wire.info_asked == 2
    assert b.wire.sent == []


async def test_those_who_wait_for_the_info_share_one_question() -> None:
    b = bench()
    fetch, gate = b.wire.fetch_info, asyncio.Event()

    async def slow(wallet_pubkey: str) -> Event | None:
        await gate.wait()
        return await fetch(wallet_pubkey)

    b.wire.fetch_info = slow  # type: ignore[method-assign]
    waiting = [asyncio.create_task(b.client.ready()) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert b.wire.info_asked == 1


@pytest.mark.parametrize(
    "info",
    [
        info_event(author="cc" * 32),
        info_event(kind=13195),
        info_event(tags=[["encryption", "nip99"]]),
    ],
)
async def test_an_unusable_info_event(info: Event) -> None:
    with pytest.raises(WalletNotReady, match="unusable"):
        await bench(info).client.ready()


async def test_newer_info_counts_and_older_does_not() -> None:
    b = bench(info_event(created_at=NOW))
    await b.client.ready()
    assert b.client.receive(info_event("get_info", tags=[], created_at=NOW - 1))
    assert (await b.client.ready()).encryption == "nip44_v2"
    assert b.client.receive(info_event("get_info", tags=[], created_at=NOW + 1))
    assert not b.client.receive(info_event(author="cc" * 32, created_at=NOW + 2))
    assert (await b.client.ready()).encryption == "nip04"
    # A relay that lost the newer one changes nothing either.
    assert (await b.client.refresh_info()).encryption == "nip04"


# --- paying ----------------------------------------------------------------------------------------------------------


async def test_a_payment_is_signed_without_being_sent() -> None:
    b = bench()
    request = await b.prepared(metadata={"leg": "P4"})
    assert b.wire.sent == []
    assert (request.payment_hash, request.expires_at, request.id) == (HASH, NOW + 600, request.event.id)
    body = json.loads(opened("nip44", WALLET, CLIENT, request.event.content))
    assert body["params"] == {"invoice": invoice(100_000), "metadata": {"leg": "P4"}}
    bare = b.client.prepare_pay(invoice(None), expires_at=NOW + 600, amount_msat=5_000)
    body = json.loads(opened("nip44", WALLET, CLIENT, bare.event.content))
    assert body["params"] == {"invoice": invoice(None), "amount": 5_000}
    with pytest.raises(BadInvoice):
        b.client.prepare_pay("lnbc1", expires_at=NOW)


async def test_what_was_stored_is_what_is_sent_again() -> None:
    request = await bench().prepared()
    assert SignedRequest.load(request.text, HASH) == request
    for text in ("", "{}", request.text.replace("expiration", "exp")):
        with pytest.raises(ValueError):  # noqa: PT011
            SignedRequest.load(text, HASH)


async def test_every_answer_to_a_payment_is_handed_on_early_late_and_repeated() -> None:
    b = bench()
    request = await b.prepared()
    bodies = [
        error_text("pay_invoice", "PAYMENT_FAILED", "timeout"),
        result_text("pay_invoice", {"preimage": "00" * 32}),
        result_text("pay_invoice", {"preimage": PREIMAGE.hex()}),
    ]
    b.wire.answer = lambda method, params, event: bodies[:1]
    assert await b.client.publish(request)
    assert b.answers == [(request.id, ErrorAnswer("PAYMENT_FAILED", "timeout"))]
    for at, body in enumerate(bodies[1:], start=100):
        assert b.client.receive(response(request.id, body, created_at=NOW + at))
    assert [answer for _, answer in b.answers[1:]] == [PayResult("00" * 32), PayResult(PREIMAGE.hex())]


async def test_the_same_event_from_three_relays_counts_once() -> None:
    b = bench()
    request = await b.prepared()
    await b.client.publish(request)
    event = response(request.id, result_text("pay_invoice", {"preimage": PREIMAGE.hex()}))
    assert [b.client.receive(event) for _ in range(5)] == [True, False, False, False, False]
    assert len(b.answers) == 1


async def test_a_refused_publish_is_reported_and_its_answer_still_counts() -> None:
    """A relay may say no and have passed it on all the same."""
    b = bench()
    b.wire.accepts = False
    b.wire.answer = lambda method, params, event: [result_text(method, {"preimage": PREIMAGE.hex()})]
    request = await b.prepared()
    assert not await b.client.publish(request)
    assert b.answers == [(request.id, PayResult(PREIMAGE.hex()))]


async def test_answers_to_requests_of_an_earlier_run() -> None:
    b = bench()
    event = response("dd" * 32, result_text("pay_invoice", {"preimage": PREIMAGE.hex()}))
    assert not b.client.receive(event)
    b.client.expect("dd" * 32)
    assert b.client.receive(event)
    assert b.answers == [("dd" * 32, PayResult(PREIMAGE.hex()))]
    b.client.forget("dd" * 32)
    b.client.forget("dd" * 32)
    assert not b.client.receive(response("dd" * 32, "x"))


async def test_a_wallet_answers_in_another_encryption() -> None:
    b = bench()
    b.client.expect("dd" * 32)
    body = result_text("pay_invoice", {"preimage": PREIMAGE.hex()})
    assert b.client.receive(response("dd" * 32, body, form="nip04"))
    assert b.answers == [("dd" * 32, PayResult(PREIMAGE.hex()))]


async def test_strangers_and_unasked_answers_are_not_even_decrypted() -> None:
    b = bench()
    request = await b.prepared()
    await b.client.publish(request)
    body = result_text("pay_invoice", {"preimage": PREIMAGE.hex()})
    forged = [
        response(request.id, body, author="cc" * 32),
        response("dd" * 32, body),
        response(request.id, body, kind=23194),
        response(request.id, body, kind=1),
        OpenCipher(WALLET).sign(23195, (("p", CLIENT),), sealed("nip44", WALLET, CLIENT, body), NOW),
        OpenCipher(WALLET).sign(23195, (("e",),), sealed("nip44", WALLET, CLIENT, body), NOW),
        OpenCipher("cc" * 32).sign(23197, (), sealed("nip44", "cc" * 32, CLIENT, "{}"), NOW),
    ]
    assert [b.client.receive(event) for event in forged] == [False] * len(forged)
    assert b.cipher.opened == 0
    assert b.answers == []


async def test_one_of_several_e_tags_may_be_ours() -> None:
    b = bench()
    b.client.expect("dd" * 32)
    content = sealed("nip44", WALLET, CLIENT, error_text("pay_invoice", "INTERNAL"))
    assert b.client.receive(OpenCipher(WALLET).sign(23195, (("e", "ee" * 32), ("e", "dd" * 32)), content, NOW))
    assert b.answers == [("dd" * 32, ErrorAnswer("INTERNAL", ""))]


async def test_what_can_not_be_read_is_handed_on_as_such() -> None:
    b = bench()
    b.client.expect("dd" * 32)
    assert b.client.receive(OpenCipher(WALLET).sign(23195, (("e", "dd" * 32),), "rubbish", NOW))
    assert b.client.receive(OpenCipher(WALLET).sign(23195, (("e", "dd" * 32),), "rubbish?iv=x", NOW))
    assert b.client.receive(response("dd" * 32, "[" * 200_000))
    assert [type(answer) for _, answer in b.answers] == [MalformedAnswer] * 3


async def test_known_requests_and_seen_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_KNOWN_REQUESTS", 3)
    monkeypatch.setattr(client_module, "MAX_SEEN_EVENTS", 3)
    b = bench()
    for number in (1, 2, 3, 1, 4):  # 2 is now the oldest
        b.client.expect(f"{number:064x}")
    assert not b.client.receive(response(f"{2:064x}", "x"))
    for at in range(10):
        assert b.client.receive(response(f"{1:064x}", "x", created_at=NOW + at))
    assert len(b.client._seen) == 3


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_reads_carry_an_expiration_and_get_their_answer() -> None:
    b = bench()
    b.wire.answer = lambda method, params, event: [result_text(method, {"balance": 21_000})]
    assert await b.client.get_balance() == 21_000
    sent = b.wire.sent[0]
    assert sent.tag("expiration") == str(NOW + 1 + 60)
    assert (sent.tag("p"), sent.tag("encryption")) == (WALLET, "nip44_v2")
    assert b.answers == []


async def test_each_read_gets_its_own_answer_whatever_the_order() -> None:
    b = bench()
    first, second = asyncio.create_task(b.client.get_balance()), asyncio.create_task(b.client.get_balance())
    while len(b.wire.sent) < 2:
        await asyncio.sleep(0)
    for at, amount in ((1, 2), (0, 1)):
        b.client.receive(response(b.wire.sent[at].id, result_text("get_balance", {"balance": amount})))
    assert (await first, await second) == (1, 2)


async def test_a_silent_wallet() -> None:
    b = bench()
    with pytest.raises(WalletSilent, match="did not answer get_balance within"):
        await b.client.get_balance()
    assert b.client._reads == {}
    late = response(b.wire.sent[0].id, result_text("get_balance", {"balance": 1}))
    assert not b.client.receive(late)
    assert b.answers == []


async def test_relays_that_are_down_are_not_waited_for() -> None:
    b = bench()
    b.wire.accepts = b.wire.up = False
    with pytest.raises(WalletSilent, match="no relay"):
        await b.client.request("get_balance", {}, timeout_seconds=60)
    # None acknowledged, but one is connected: the wallet may have it.
    b.wire.up = True
    b.wire.answer = lambda method, params, event: [result_text(method, {"balance": 7})]
    assert await b.client.get_balance() == 7


async def test_a_wallet_that_refuses() -> None:
    b = bench()
    b.wire.answer = lambda method, params, event: [error_text(method, "RATE_LIMITED", "slow down")]
    with pytest.raises(WalletError, match="RATE_LIMITED: slow down") as refused:
        await b.client.get_balance()
    assert (refused.value.code, refused.value.message) == ("RATE_LIMITED", "slow down")
    assert isinstance(refused.value, WalletTrouble)
    assert await b.client.request("get_balance", {}) == ErrorAnswer("RATE_LIMITED", "slow down")
    assert str(WalletError("X", "")) == "X"


async def test_unreadable_answers_do_not_end_a_read() -> None:
    b = bench()
    good = result_text("get_balance", {"balance": 1})
    b.wire.answer = lambda method, params, event: ["nonsense", good, good]
    assert await b.client.get_balance() == 1
    b.wire.answer = lambda method, params, event: ["nonsense", result_text("get_info", {})]
    with pytest.raises(WalletGarbled, match="get_info"):
        await b.client.get_balance()


async def test_reads_in_flight_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_PENDING_READS", 1)
    b = bench()
    waiting = asyncio.create_task(b.client.get_balance())
    while not b.wire.sent:
        await asyncio.sleep(0)
    with pytest.raises(WalletSilent, match="too many"):
        await b.client.get_balance()
    with pytest.raises(WalletSilent, match="did not answer"):
        await waiting


async def test_payments_do_not_go_the_way_of_reads() -> None:
    with pytest.raises(ValueError, match="prepared"):
        await bench().client.request("pay_invoice", {})


async def test_lookup_info_and_invoices() -> None:
    b = bench()
    results: dict[str, object] = {
        "lookup_invoice": row(state="settled"),
        "get_info": {"pubkey": "02", "network": "mainnet", "methods": ["pay_invoice"]},
        "make_invoice": {"invoice": "lnbc1"},
    }
    b.wire.answer = lambda method, params, event: [result_text(method, results[method])]
    assert (await b.client.lookup_invoice(HASH)).state == "settled"
    assert b.result()["params"] == {"payment_hash": HASH}
    assert (await b.client.get_info()).network == "mainnet"
    assert await b.client.make_invoice(1_000, "d", 60) == "lnbc1"
    assert b.result()["params"] == {"amount": 1_000, "description": "d", "expiry": 60}


async def test_lists_are_paged_and_filtered() -> None:
    b = bench()

    def answer(method: str, params: dict[str, object], event: Event) -> list[str]:
        rows = [row(payment_hash=f"{n:064x}", created_at=NOW - n) for n in range(30)]
        offset, limit = params["offset"], params["limit"]
        assert isinstance(offset, int)
        assert isinstance(limit, int)
        return [result_text(method, {"transactions": rows[offset : offset + limit]})]

    b.wire.answer = answer
    found = await b.client.list_transactions(5, NOW, "outgoing", unpaid=True)
    assert found.complete
    assert len(found.rows) == 30
    assert b.result(0)["params"] == {
        "from": 5,
        "until": NOW,
        "limit": 25,
        "offset": 0,
        "unpaid": True,
        "type": "outgoing",
    }
    await b.client.list_transactions(5)
    assert b.result()["params"] == {"from": 5, "until": NOW + 60, "limit": 25, "offset": 30, "unpaid": False}


# --- notifications ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "form"), [(23196, "nip04"), (23197, "nip44"), (23196, "nip44")])
async def test_notifications_are_handed_on_once(kind: int, form: str) -> None:
    b = bench()
    body = json.dumps({"notification_type": "payment_sent", "notification": row(preimage=PREIMAGE.hex())})
    event = OpenCipher(WALLET).sign(kind, (("p", CLIENT),), sealed(form, WALLET, CLIENT, body), NOW)
    assert b.client.receive(event)
    assert not b.client.receive(event)
    assert [found.type for found in b.notifications] == ["payment_sent"]
    assert b.notifications[0].transaction is not None
    assert b.notifications[0].transaction.preimage == PREIMAGE.hex()


async def test_unreadable_notifications_are_dropped() -> None:
    b = bench()
    for content in ("rubbish", sealed("nip44", WALLET, CLIENT, "NaN")):
        assert not b.client.receive(OpenCipher(WALLET).sign(23197, (), content, NOW))
    assert b.notifications == []


async def test_the_answer_to_a_read_may_come_before_publish_returns() -> None:
    b = bench()
    b.wire.answer = lambda method, params, event: [result_text(method, {"balance": 3})]
    assert await b.client.request("get_balance", {}) == Balance(3)


# --- the wallet's clock ----------------------------------------------------------------------------------------------


async def asked_at(b: Bench, wallet_ahead: int) -> None:
    """The wallet answers a question, by its own clock."""

    def deliver(event: Event) -> object:
        return b.client.receive(replace(event, created_at=b.clock.time + wallet_ahead))

    b.wire.deliver = deliver
    b.wire.answer = lambda method, params, event: [result_text(method, {"balance": 3})]
    await b.client.get_balance()


@pytest.mark.parametrize("ahead", [0, 7, -7, 172_800, -172_800])
async def test_how_far_the_wallets_clock_is_ahead(ahead: int) -> None:
    """Our machine's clock may be days off (a restored snapshot, a dead battery): then an invoice looks expired that is
    not. The date of an answer to a question that was just asked shows it."""
    b = bench()
    await asked_at(b, ahead)
    assert b.client.clock_difference(60) == ahead


async def test_the_newest_answer_counts_and_an_old_one_says_nothing() -> None:
    """Ours may have been set since."""
    b = bench()
    assert b.client.clock_difference(60) is None
    await asked_at(b, 0)
    b.clock.time += 60
    assert b.client.clock_difference(60) == 0
    b.clock.time += 1
    assert b.client.clock_difference(60) is None
    await asked_at(b, -900)
    assert b.client.clock_difference(60) == -900
    b.clock.time -= 1
    assert b.client.clock_difference(60) is None, "our own clock went back"


async def test_only_an_answer_to_a_question_that_waits_tells_the_time() -> None:
    """A relay may bring an answer to a payment, or a notification, a day after it was written: that is no clock."""
    b = bench()
    request = await b.prepared()
    await b.client.publish(request)
    late = response(request.id, result_text("pay_invoice", {"preimage": PREIMAGE.hex()}), created_at=NOW - 86_400)
    assert b.client.receive(late)
    body = json.dumps({"notification_type": "payment_sent", "notification": row(preimage=PREIMAGE.hex())})
    sent = OpenCipher(WALLET).sign(23197, (("p", CLIENT),), sealed("nip44", WALLET, CLIENT, body), NOW - 86_400)
    assert b.client.receive(sent)
    assert b.client.receive(info_event(created_at=NOW - 86_400))
    with pytest.raises(WalletSilent):
        await b.client.get_balance()
    over = response(b.wire.sent[-1].id, result_text("get_balance", {"balance": 3}), created_at=NOW - 86_400)
    assert not b.client.receive(over)
    assert b.client.clock_difference(60) is None
