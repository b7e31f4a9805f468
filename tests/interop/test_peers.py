"""The peers on node do what they are there for, against parts that are not theirs."""

from __future__ import annotations

import secrets
from datetime import timedelta
from urllib.parse import quote

import nostr_sdk as sdk
import pytest

from bot.nostr import Keys
from tests.parts.node import NodeFault, NodePeer, alby_wallet
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


async def test_a_peer_that_breaks_is_noticed() -> None:
    async with NodePeer("nothing_of_that_name.mjs", {}) as peer:
        with pytest.raises(NodeFault, match="nothing_of_that_name"):
            await peer.line()
