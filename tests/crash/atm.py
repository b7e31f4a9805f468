"""ATMs as they are in the field: each report is sent again until its receipt is there.

Written from the protocol alone, not with the codec of the program.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

from bot.demo.relay import RelayLink
from bot.nostr import Keys
from nwc.event import Event
from nwc.ports import Clock
from tests.crash.shop import RATE, Sale, Shop

LIVE_KIND = 21_000
STORED_KIND = 78
_ONCE_MORE_SECONDS = 0.15


def report(sale: Sale, now: int, **changes: Any) -> dict[str, Any]:
    """The content of a settlement event for a cash-out; `changes` replaces fields, None takes one out."""
    body: dict[str, Any] = {
        "v": 1,
        "type": "settlement",
        "source": "bitspire",
        "txid": sale.payment_hash[:8],
        "tx_type": "cash_out",
        "payment_hash": sale.payment_hash,
        "wire_sats": sale.wire_sats,
        "principal_sats": sale.principal_sats,
        "fee_sats": sale.fee_sats,
        "fiat_amount": f"{sale.principal_sats / RATE:.2f}",
        "currency": "GTQ",
        "exchange_rate": str(RATE),
        "created_at": now,
    }
    return {key: value for key, value in (body | changes).items() if value is not None}


class Atms:
    """The machines of several shops on one connection. An async context."""

    def __init__(self, relay_url: str, clock: Clock) -> None:
        self.link = RelayLink([relay_url])
        self._clock = clock
        self._machines: dict[str, tuple[Keys, str]] = {}
        self._receipts: dict[str, list[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        await self.link.open(self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.close()

    async def add(self, shop: Shop) -> None:
        """From now on its machine hears receipts."""
        self._machines[shop.atm.public_key] = (shop.atm, shop.bot.public_key)
        await self.link.listen(LIVE_KIND, shop.atm.public_key)

    def event(
        self, shop: Shop, body: Mapping[str, Any] | str, *, kind: int = LIVE_KIND, atm: Keys | None = None
    ) -> Event:
        """A signed settlement event by this shop's machine, or by `atm`."""
        cipher = (atm or shop.atm).cipher()
        text = body if isinstance(body, str) else json.dumps(body)
        tags = [["p", shop.bot.public_key]]
        if kind == STORED_KIND and not isinstance(body, str):
            tags.append(["d", f"bitspire-settlement:{body['payment_hash']}"])
        return cipher.sign(kind, tags, cipher.nip44_encrypt(shop.bot.public_key, text), self._clock.now())

    async def send(self, shop: Shop, body: Mapping[str, Any] | str, **options: Any) -> Event:
        event = self.event(shop, body, **options)
        await self.link.publish(event)
        return event

    def receipts(self, payment_hash: str) -> list[dict[str, Any]]:
        """Those that came for this payment, in order."""
        return self._receipts.get(payment_hash, [])

    async def settle(self, shop: Shop, sale: Sale) -> dict[str, Any]:
        """Reports a sale until it has a receipt: the same bytes again, and every third time in a new envelope."""
        tries = 0
        event = self.event(shop, report(sale, self._clock.now()))
        while not self.receipts(sale.payment_hash):
            if tries % 3 == 2:
                event = self.event(shop, report(sale, self._clock.now()))
            await self.link.publish(event)
            tries += 1
            for _ in range(int(_ONCE_MORE_SECONDS / 0.02)):
                if self.receipts(sale.payment_hash):
                    break
                await asyncio.sleep(0.02)
        return self.receipts(sale.payment_hash)[-1]

    def _hear(self, event: Event) -> None:
        for recipient in event.tag_values("p"):
            machine, bot_pubkey = self._machines.get(recipient, (None, ""))
            if machine is None or event.pubkey != bot_pubkey or event.kind != LIVE_KIND:
                continue
            receipt = json.loads(machine.cipher().nip44_decrypt(event.pubkey, event.content))
            if receipt.get("type") == "receipt":
                self._receipts.setdefault(receipt["payment_hash"], []).append(receipt)
