"""The least that pays a list of Lightning addresses over NIP-47: fetch an invoice, pay it, store nothing.

What the bot's speed is held against. It checks nothing and would pay twice after the first lost answer.
"""

from __future__ import annotations

import asyncio
import json

import httpx

from bot.clock import SystemClock
from bot.demo.relay import RelayLink
from bot.nostr import Keys
from nwc.event import Event
from nwc.uri import WalletUri


class MinimalPayer:
    """Pays from one connection, `in_flight` payments at a time."""

    def __init__(self, uri: WalletUri, in_flight: int) -> None:
        self._uri = uri
        self._keys = Keys.parse(uri.secret)
        self._cipher = self._keys.cipher()
        self._link = RelayLink(list(uri.relays))
        self._room = asyncio.Semaphore(in_flight)
        self._answers: dict[str, asyncio.Future[str]] = {}

    async def pay_all(self, addresses: list[str], amount_msat: int) -> int:
        """The number of addresses that were paid."""
        await self._link.open(self._hear)
        await self._link.listen(23195, self._keys.public_key)
        try:
            async with httpx.AsyncClient(timeout=30) as http:
                paid = await asyncio.gather(*(self._pay(http, address, amount_msat) for address in addresses))
        finally:
            await self._link.close()
        return sum(paid)

    async def _pay(self, http: httpx.AsyncClient, address: str, amount_msat: int) -> bool:
        async with self._room:
            user, _, host = address.partition("@")
            callback = (await http.get(f"http://{host}/.well-known/lnurlp/{user}")).json()["callback"]
            invoice = (await http.get(callback, params={"amount": amount_msat})).json()["pr"]
            text = json.dumps({"method": "pay_invoice", "params": {"invoice": invoice}})
            content = self._cipher.nip44_encrypt(self._uri.wallet_pubkey, text)
            tags = [["p", self._uri.wallet_pubkey], ["encryption", "nip44_v2"]]
            event = self._cipher.sign(23194, tags, content, SystemClock().now())
            answer = self._answers[event.id] = asyncio.get_running_loop().create_future()
            await self._link.publish(event)
            return "preimage" in json.loads(await asyncio.wait_for(answer, 30))["result"]

    def _hear(self, event: Event) -> None:
        answer = self._answers.get(event.tag("e") or "")
        if answer is not None and not answer.done():
            answer.set_result(self._cipher.nip44_decrypt(event.pubkey, event.content))
