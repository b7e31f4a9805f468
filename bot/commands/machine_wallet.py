"""The machine's wallet as an ATM uses it: makes the invoice that the customer pays, and sees when it is paid."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import Final, Self

from bot.clock import SystemClock
from bot.commands.sending import LOOK_SECONDS
from bot.nostr import Keys
from bot.wallet_wire import WalletWire
from nwc.client import WalletClient
from nwc.event import Event
from nwc.messages import Notification, Transaction
from nwc.proof_of_payment import Payment, classify_payment
from nwc.trouble import WalletSilent, WalletTrouble
from nwc.uri import WalletUri

POLL_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 15.0


class MachineWallet:
    """`async with`: connected inside of it."""

    def __init__(self, uri: WalletUri) -> None:
        self._clock = SystemClock()
        self._since = self._clock.now()
        self._hint = asyncio.Event()
        self._open = AsyncExitStack()
        keys = Keys.parse(uri.secret)
        self._wire = WalletWire(uri.relays, keys, uri.wallet_pubkey, self._hear, self._clock, since=self._since)
        self._client = WalletClient(
            uri,
            self._wire,
            keys.cipher(),
            self._clock,
            lambda *_: None,
            self._notified,
            timeout_seconds=ANSWER_SECONDS,
        )

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._wire)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._open.aclose()

    async def make_invoice(self, amount_sats: int, description: str) -> str:
        """The text of the invoice. Raises WalletTrouble."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not self._wire.listening():  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise WalletSilent("none of the wallet's relays can be reached") from None
        return await self._client.make_invoice(amount_sats * 1_000, description)

    async def until_paid(self, payment_hash: str, wire_sats: int) -> None:
        """Returns when the wallet has it. The caller sets the deadline; a wallet that is silent is asked again."""
        while not await self._is_paid(payment_hash, wire_sats):
            self._hint.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._hint.wait()

    async def _is_paid(self, payment_hash: str, wire_sats: int) -> bool:
        found: Transaction | WalletTrouble
        try:
            found = await self._client.lookup_invoice(payment_hash)
        except WalletTrouble as trouble:
            found = trouble
        checked = classify_payment(payment_hash, found, "incoming", wire_sats)
        if checked.needs_list:
            with contextlib.suppress(WalletTrouble):
                listed = await self._client.list_transactions(self._since - 60, direction="incoming")
                checked = classify_payment(payment_hash, found, "incoming", wire_sats, listed)
        return checked.payment is Payment.SETTLED

    def _hear(self, event: Event) -> None:
        self._client.receive(event)

    def _notified(self, notification: Notification) -> None:
        if notification.type == "payment_received":
            self._hint.set()
