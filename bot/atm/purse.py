"""A wallet as its holder uses it, over NIP-47: the machine's till, the customer's phone.

The same for the demo's own wallets and for anybody's: what is known of a wallet is its connection URI.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final, Self

from bot.demo.waiting import until
from bot.nostr import Keys
from bot.wallet_wire import WalletWire
from nwc import bolt11
from nwc.client import WalletClient
from nwc.event import Event
from nwc.evidence import Listing
from nwc.messages import Answer, ErrorAnswer, Notification, PayResult
from nwc.ports import Clock
from nwc.trouble import WalletError, WalletTrouble
from nwc.uri import WalletUri

READY_WITHIN_SECONDS: Final = 20.0
PAID_WITHIN_SECONDS: Final = 90.0
INVOICE_SECONDS: Final = 900
_REQUEST_SECONDS: Final = 60
_ASK_SECONDS: Final = 2.0


class PurseTrouble(Exception):
    """A wallet did not do what was asked of it. The message is fit to show."""


class Purse:
    """`async with`: connected inside of it. `owner` is how sentences call the wallet."""

    def __init__(self, owner: str, uri: WalletUri, clock: Clock) -> None:
        keys = Keys.parse(uri.secret)
        self.owner = owner
        self.clock = clock
        self._received: dict[str, asyncio.Event] = {}
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._wire = WalletWire(uri.relays, keys, uri.wallet_pubkey, self._hear, clock, since=clock.now())
        self.client = WalletClient(uri, self._wire, keys.cipher(), clock, self._on_answer, self._on_notification)

    async def __aenter__(self) -> Self:
        await self._wire.start()
        # The subscription brings the info event by itself.
        if not await until(lambda: self._wire.listening() and self.client.info is not None, READY_WITHIN_SECONDS):
            await self._wire.close()
            raise PurseTrouble(f"{self.owner}: the wallet is not reached; is the wallet service running?")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.close()

    # --- money -------------------------------------------------------------------------------------------------------

    async def invoice(self, amount_sats: int, description: str) -> bolt11.Invoice:
        """A new invoice, checked. Raises PurseTrouble."""
        try:
            text = await self.client.make_invoice(amount_sats * 1_000, description, INVOICE_SECONDS)
            made = bolt11.decode(text)
        except (WalletTrouble, bolt11.BadInvoice) as trouble:
            raise PurseTrouble(f"{self.owner}: no invoice ({trouble})") from None
        if made.amount_msat != amount_sats * 1_000:
            raise PurseTrouble(f"{self.owner}: the invoice is for {made.amount_msat} msat, not {amount_sats} sats")
        return made

    async def pay(self, invoice: bolt11.Invoice, metadata: dict[str, object] | None = None) -> None:
        """Pays; returns once it is proven that it has. Raises PurseTrouble."""
        request = self.client.prepare_pay(
            invoice.text, expires_at=self.clock.now() + _REQUEST_SECONDS, metadata=metadata
        )
        answered = self._answers[request.id] = asyncio.get_running_loop().create_future()
        why = "no answer"
        try:
            async with asyncio.timeout(PAID_WITHIN_SECONDS):
                await self.client.publish(request)
                answer = await answered
                if isinstance(answer, PayResult) and _proves(answer.preimage, invoice.payment_hash):
                    return
                why = f"{answer.code} {answer.message}" if isinstance(answer, ErrorAnswer) else "no preimage"
                await self.paid(invoice.payment_hash, looks=5 if isinstance(answer, ErrorAnswer) else None)
        except TimeoutError:
            raise PurseTrouble(f"{self.owner}: the payment did not go through ({why})") from None
        finally:
            self._answers.pop(request.id, None)
            self.client.forget(request.id)

    async def paid(self, payment_hash: str, looks: int | None = None) -> None:
        """Returns once the wallet says that this hash is settled. Raises TimeoutError after `looks` questions; whoever
        gives none sets the deadline."""
        heard = self._received.setdefault(payment_hash, asyncio.Event())
        while looks is None or looks > 0:
            looks = None if looks is None else looks - 1
            try:
                found = await self.client.lookup_invoice(payment_hash, 10)
                if found.state == "settled" or (_proves(found.preimage, payment_hash) and found.settled_at):
                    return
            except WalletTrouble:
                pass  # asked again; it may be on its way
            heard.clear()
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    await heard.wait()
            except TimeoutError:
                continue
        raise TimeoutError

    async def balance_msat(self) -> int:
        try:
            return await self.client.get_balance()
        except WalletTrouble as trouble:
            raise PurseTrouble(f"{self.owner}: no balance ({trouble})") from None

    async def network(self) -> str | None:
        """The network that the wallet says it is on; None where it does not say."""
        try:
            return (await self.client.get_info()).network
        except WalletError:
            return None
        except WalletTrouble as trouble:
            raise PurseTrouble(f"{self.owner}: {trouble}") from None

    async def history(self, since: int) -> Listing:
        """Everything since then that moved. Raises PurseTrouble."""
        try:
            return await self.client.list_transactions(since)
        except WalletTrouble as trouble:
            raise PurseTrouble(f"{self.owner}: no list of transactions ({trouble})") from None

    # --- what comes --------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        self.client.receive(event)

    def _on_answer(self, request_id: str, answer: Answer) -> None:
        waiting = self._answers.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _on_notification(self, notification: Notification) -> None:
        row = notification.transaction
        if row is not None and (heard := self._received.get(row.payment_hash)) is not None:
            heard.set()


def _proves(preimage: str | None, payment_hash: str) -> bool:
    return preimage is not None and hashlib.sha256(bytes.fromhex(preimage)).hexdigest() == payment_hash
