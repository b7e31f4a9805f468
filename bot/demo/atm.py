"""The machine: sells and buys cash for Lightning sats and reports every payment to the bot, until it has the receipt.

It says what a real one says (docs/protocol.md), signed by its own key; nothing else connects it with the bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from bot.atm.cash import Cassette
from bot.atm.machine import NoReceipt, NotConnected, settlement
from bot.atm.memory import Keeper
from bot.atm.running import RunningMachine
from bot.demo.actor import CONNECTED_WITHIN_SECONDS, TIMINGS, NoAnswer
from bot.demo.script import Sale
from bot.nostr import Keys
from nwc.ports import Clock

RECEIPT_WITHIN_SECONDS: Final = 60.0
BEAT_SECONDS: Final = 15.0


class Atm(RunningMachine):
    """`async with`: connected and running inside of it. `on_told` is called with what happens to it: its receipts, and
    its fees, which the bot tells it once it is registered."""

    def __init__(
        self,
        bot: str,
        relay: str,
        clock: Clock,
        on_told: Callable[[str, Mapping[str, Any]], None],
        *,
        bays: Mapping[int, Cassette] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """With `bays` it counts its notes and reports them."""
        super().__init__(
            Keys.generate(),
            bot,
            [relay],
            clock,
            Keeper(None),
            tell=on_told,
            about={"cash_in": True, **({} if bays else {"cash_out": True}), **(about or {})},
            timings=TIMINGS,
            connect_seconds=CONNECTED_WITHIN_SECONDS,
        )
        self._task: asyncio.Task[None] | None = None
        if bays:
            self.fill(bays)

    async def __aenter__(self) -> Self:
        """Raises NoAnswer."""
        try:
            await super().__aenter__()
        except NotConnected:
            raise NoAnswer("the machine can't reach the relay") from None
        self._task = asyncio.create_task(self.run(beat_seconds=BEAT_SECONDS))
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await super().__aexit__(*failure)

    def has_cash_for(self, sale: Sale) -> bool:
        """Whether its notes make what the customer wants; one that counts none has enough."""
        return not sale.cash_out or not self.cash.bays or self.cash.notes_for(sale.fiat) is not None

    async def sold(self, sale: Sale, payment_hash: str) -> None:
        """The customer has paid, or was paid, and got the notes: reports it until the receipt is there. Raises
        NoAnswer."""
        content = settlement(
            tx_type=sale.tx_type,
            payment_hash=payment_hash,
            sats=(sale.wire_sats, sale.principal_sats, sale.fee_sats),
            fiat=sale.fiat,
            currency=sale.currency,
            rate=sale.rate,
            at=self.clock.now(),
            txid=f"demo-{sale.number}",
        )
        if sale.cash_out:
            if not self.cash.bays and sale.fiat % sale.bill == 0:
                content["bills"] = {str(sale.bill): sale.fiat // sale.bill}
            report = self.take(content, self.cash.notes_for(sale.fiat) or ())
        else:
            report = self.take(content, put_in=sale.fiat)
        try:
            await self.report(report, seconds=RECEIPT_WITHIN_SECONDS)
        except NoReceipt:
            raise NoAnswer(f"no receipt for transaction {sale.number} within {RECEIPT_WITHIN_SECONDS:g} s") from None
