"""The machine: sells and buys cash for Lightning sats and reports every payment to the bot, until it has the receipt.

It says what a real one says (docs/protocol.md), signed by its own key; nothing else connects it with the bot.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Self

from bot.demo.actor import CONNECTED_WITHIN_SECONDS, TIMINGS, NoAnswer, read_content
from bot.demo.script import Sale
from bot.demo.waiting import until
from bot.nostr import Keys
from bot.query import Query, Subscription
from bot.relays import Relays
from ledger.fees import FeeRates
from ledger.money import decimal_text, fiat_digits, fiat_text, parse_fraction
from nwc.event import Event
from nwc.ports import Clock

SETTLEMENT: Final = 21_000
HEARD: Final = (21_000, 30_078)
"""Kinds of what the bot says to a machine: receipts and its fees."""
REPEAT_SECONDS: Final = 5.0
RECEIPT_WITHIN_SECONDS: Final = 60.0


class Atm:
    """`async with`: connected inside of it. `on_receipt` gets the content of every receipt, as often as one comes;
    `on_fees` is called when the bot has told the machine its fees, which it does once the machine is registered."""

    def __init__(
        self,
        bot: str,
        relay: str,
        clock: Clock,
        on_receipt: Callable[[dict[str, Any]], None],
        on_fees: Callable[[], None] = lambda: None,
    ) -> None:
        self.keys = Keys.generate()
        self.bot = bot
        self.clock = clock
        self.fees: FeeRates | None = None
        """What customers are to be charged, platform and operator together. None: the bot does not know the machine."""
        self._fees_at = 0
        self._on_receipt, self._on_fees = on_receipt, on_fees
        self._heard: set[str] = set()
        self._receipts: dict[str, asyncio.Event] = {}
        self._relays = Relays([relay], self.keys, self._hear, clock, timings=TIMINGS, channel_messages=20_000)
        wanted = Query(kinds=HEARD, authors=(bot,), p=(self.keys.public_key,))
        self._relays.subscribe(Subscription("the bot", wanted, clock.now()))

    async def __aenter__(self) -> Self:
        await self._relays.start()
        if not await until(self._relays.listening, CONNECTED_WITHIN_SECONDS):
            await self._relays.close()
            raise NoAnswer("the machine can't reach the relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._relays.close()

    async def report(self, sale: Sale, payment_hash: str) -> None:
        """Publishes the settlement again and again until its receipt is there. Raises NoAnswer."""
        event = self._event(sale, payment_hash)
        receipt = self._receipts.setdefault(payment_hash, asyncio.Event())
        try:
            async with asyncio.timeout(RECEIPT_WITHIN_SECONDS):
                while True:
                    await self._relays.publish(event)
                    try:
                        async with asyncio.timeout(REPEAT_SECONDS):
                            await receipt.wait()
                    except TimeoutError:
                        continue
                    return
        except TimeoutError:
            raise NoAnswer(f"no receipt for transaction {sale.number} within {RECEIPT_WITHIN_SECONDS:g} s") from None

    def _event(self, sale: Sale, payment_hash: str) -> Event:
        now = self.clock.now()
        settlement: dict[str, Any] = {
            "v": 1,
            "type": "settlement",
            "source": "bitspire",
            "txid": f"demo-{sale.number}",
            "tx_type": sale.tx_type,
            "payment_hash": payment_hash,
            "wire_sats": sale.wire_sats,
            "principal_sats": sale.principal_sats,
            "fee_sats": sale.fee_sats,
            "fiat_amount": fiat_text(sale.fiat * 10 ** fiat_digits(sale.currency), sale.currency),
            "currency": sale.currency,
            "exchange_rate": decimal_text(sale.rate),
            "created_at": now,
            "seq": sale.number,
        }
        if sale.cash_out and sale.fiat % sale.bill == 0:
            settlement["bills"] = {str(sale.bill): sale.fiat // sale.bill}
        cipher = self.keys.cipher()
        content = cipher.nip44_encrypt(self.bot, json.dumps(settlement))
        return cipher.sign(SETTLEMENT, [("p", self.bot)], content, now)

    def _hear(self, event: Event, url: str, repeat: bool) -> bool | None:
        content = read_content(self.keys, event) if event.id not in self._heard else None
        self._heard.add(event.id)
        if content is None:
            return None
        if content.get("type") == "receipt":
            self._on_receipt(content)
            if (waiting := self._receipts.get(str(content.get("payment_hash")))) is not None:
                waiting.set()
        elif f"bitspire-fees:{self.keys.public_key}" in event.tag_values("d") and event.created_at >= self._fees_at:
            rates = [parse_fraction(content[name], name) for name in ("cash_in_fee", "cash_out_fee")]
            self.fees, self._fees_at = FeeRates(*rates), event.created_at
            self._on_fees()
        return None
