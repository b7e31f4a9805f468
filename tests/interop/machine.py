"""An ATM made of nostr-tools: what it reports and what it hears is encrypted and read by code that is not ours."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.crash.atm import LIVE_KIND, STORED_KIND, report
from tests.crash.shop import Sale, Shop
from tests.interop.clients import Clients, Person

STORED_RECEIPT_KIND = 30_078


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a shop, connected."""

    client: Person
    sent: list[str] = field(default_factory=list)
    """The ids of its reports."""

    @classmethod
    async def open(cls, clients: Clients, shop: Shop, relays: Sequence[str]) -> Self:
        return cls(await clients.open(shop.bot.public_key, relays, keys=shop.atm))

    async def reports(self, sale: Sale, *, stored: bool = False, **changes: Any) -> dict[str, Any]:
        """Publishes a cash-out, live or stored. `id`, `created_at`, `refused` (by relay)."""
        body = report(sale, int(time.time()), **changes)
        tags = [["p", self.client.bot]]
        if stored:
            tags.append(["d", f"bitspire-settlement:{sale.payment_hash}"])
        kind = STORED_KIND if stored else LIVE_KIND
        published = await self.client.publish(kind, json.dumps(body), tags=tags, encrypt=True)
        self.sent.append(published["id"])
        return published

    def receipts(self, sale: Sale) -> list[dict[str, Any]]:
        """The live ones that came for this sale, one for each relay that brought it."""
        heard = [each.content for each in self.client.heard if each.kind == LIVE_KIND and each.plain is not None]
        return [each for each in heard if each["type"] == "receipt" and each["payment_hash"] == sale.payment_hash]

    async def receipt(self, sale: Sale, status: str) -> dict[str, Any]:
        """The first live receipt of that status."""

        def wanted(receipt: dict[str, Any]) -> bool:
            return bool(receipt["status"] == status)

        await self.client.hears(
            lambda _: any(map(wanted, self.receipts(sale))), f"a receipt {status}, there is {self.receipts(sale)}"
        )
        return next(filter(wanted, self.receipts(sale)))

    async def stored_receipts(self, relay: str, sale: Sale) -> list[dict[str, Any]]:
        """Those that the relay keeps for this sale."""
        d = f"bitspire-receipt:{sale.payment_hash}"
        return await self.client.stored(relay, kinds=[STORED_RECEIPT_KIND], authors=[self.client.bot], tag_d=[d])
