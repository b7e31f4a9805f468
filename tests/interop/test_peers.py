"""The peers on node do what they are there for, against parts that are not theirs."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import nostr_sdk as sdk
import pytest

from bot.demo.relay import EmbeddedRelay, RelayLink
from bot.nostr import Keys, unwrap, wrap_dm
from nwc.event import Event
from tests.parts.node import NodeFault, NodePeer, alby_wallet, direct_message
from tests.parts.world import World

pytestmark = pytest.mark.interop


async def test_albys_wallet_pays_with_the_money_of_the_world() -> None:
    wallet_secret, client_secret = secrets.token_hex(32), secrets.token_hex(32)
    async with World() as world:
        await world.call("account", name="alby", balance_msat=1_000_000)
        await world.call("account", name="ana")
        invoice = await world.call("invoice", account="ana", amount_msat=21_000)
        peer = alby_wallet(
            relay=world.relay_url,
            control=world.control_url,
            account="alby",
            wallet_secret=wallet_secret,
            client_pubkey=Keys.parse(client_secret).public_key,
        )
        async with peer:
            assert await peer.line() == {"ready": True}
            pubkey = Keys.parse(wallet_secret).public_key
            uri = f"nostr+walletconnect://{pubkey}?relay={quote(world.relay_url, safe='')}&secret={client_secret}"
            client = (
                sdk.NostrWalletConnectBuilder(sdk.NostrWalletConnectUri.parse(uri))
                .timeout(timedelta(seconds=8))
                .build()
            )
            paid = await client.pay_invoice(sdk.PayInvoiceRequest(id=None, invoice=invoice["bolt11"], amount=None))
            balance = await client.get_balance()
            found = await client.lookup_invoice(
                sdk.LookupInvoiceRequest(payment_hash=invoice["payment_hash"], invoice=None)
            )
            with pytest.raises(sdk.NostrSdkError, match="NotFound"):
                await client.lookup_invoice(sdk.LookupInvoiceRequest(payment_hash="ab" * 32, invoice=None))
            await client.client().shutdown()

        assert paid.preimage == invoice["preimage"]
        assert balance.balance == 979_000
        assert found.state == sdk.TransactionState.SETTLED
        assert await world.call("audit") == []


async def test_a_message_of_nostr_tools_is_read_and_its_answer_found() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    bot, person = Keys.generate(), secrets.token_hex(32)
    heard: asyncio.Queue[Event] = asyncio.Queue()
    link = RelayLink([url])
    await link.open(heard.put_nowait)
    await link.listen(1059, bot.public_key)
    now = int(time.time())

    async with direct_message(relay=url, secret=person, to=bot.npub, text="bálance ☕", wait_seconds=10) as peer:
        sent = await peer.line()
        wrap = await asyncio.wait_for(heard.get(), 5)
        rumor = unwrap(bot, wrap)
        for text, reply_to in (("to something else", "ab" * 32), ("1,500 GTQ", rumor.id)):
            answer, _ = wrap_dm(bot, rumor.author, text, reply_to, now)
            assert await link.publish(answer)
        found = await peer.line()
        assert await peer.ended() == 0

    assert (rumor.id, rumor.author) == (sent["sent"], sent["author"])
    assert rumor.author == Keys.parse(person).public_key
    assert rumor.content == "bálance ☕"
    assert abs(rumor.created_at - now) < 30
    assert wrap.created_at <= now + 1
    assert (found["content"], found["from"]) == ("1,500 GTQ", bot.public_key)
    await link.close()
    await relay.stop()


async def test_no_answer_is_told_by_the_exit_code() -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    async with direct_message(
        relay=url, secret=secrets.token_hex(32), to=Keys.generate().public_key, text="hello?", wait_seconds=0.3
    ) as peer:
        assert "sent" in await peer.line()
        assert await peer.ended() == 3
    await relay.stop()


async def test_a_peer_that_breaks_is_noticed_and_none_is_left_behind(tmp_path: Path) -> None:
    async with NodePeer("nothing_of_that_name.mjs", {}) as peer:
        with pytest.raises(NodeFault, match="nothing_of_that_name"):
            await peer.line()
    async with NodePeer(
        "dm.mjs", {"relay": "ws://127.0.0.1:9", "secret": "1" * 64, "to": "2" * 64, "text": ""}
    ) as peer:
        with pytest.raises(NodeFault):
            await peer.line()
