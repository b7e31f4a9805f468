"""What the personalities of the tests' wallets have in common: tricks, forgotten hashes, a record of what came in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.demo.wallet_behaviour import Behaviour, Entry
from bot.demo.wallet_messages import Reply, Request
from bot.demo.wallet_service import HostedWallet
from bot.nostr import Keys
from nwc.event import Event
from nwc.ports import Cipher
from tests.parts.tricks import Trick, play


class Personality(Behaviour):
    """The honest wallet, with tricks on its answers and hashes that it has `forgotten` (a backup was restored)."""

    def __init__(self, tricks: Iterable[Trick] = ()) -> None:
        super().__init__()
        self.tricks = list(tricks)
        self.forgotten: set[str] = set()
        self.received: list[Event] = []
        self.stranger: Callable[[], Cipher] = lambda: Keys.generate().cipher()

    def admits(self, wallet: HostedWallet, event: Event) -> bool:
        self.received.append(event)
        return super().admits(wallet, event)

    def find(self, wallet: HostedWallet, payment_hash: str) -> Entry | None:
        return None if payment_hash in self.forgotten else super().find(wallet, payment_hash)

    def listed(self, wallet: HostedWallet, entries: list[Entry], unpaid: bool) -> list[Entry]:
        shown = super().listed(wallet, entries, unpaid)
        return [entry for entry in shown if entry.invoice.payment_hash not in self.forgotten]

    async def deliver(self, wallet: HostedWallet, request: Request, reply: Reply) -> None:
        for trick in self.tricks:
            if trick.wants(reply):
                await play(trick, wallet, request, reply, self.stranger)
                return
        await self.send(wallet, request, reply)

    async def send(self, wallet: HostedWallet, request: Request, reply: Reply) -> None:
        await wallet.respond(request, reply)

    def settle_now(self, wallet: HostedWallet, payment_hash: str) -> bool:
        """Lets the payment that is under way arrive. False where there is none."""
        payment = wallet.network.books.live_payment(payment_hash)
        if payment is None or payment.state != "pending":
            return False
        wallet.network.settle(payment)
        return True


def own_invoice_first(
    behaviour: Behaviour, wallet: HostedWallet, payment_hash: str, entry: Entry | None
) -> Entry | None:
    """Where a wallet paid itself, the incoming line stands for the hash."""
    invoice = wallet.network.books.invoice(payment_hash)
    if entry is not None and entry.outgoing and invoice is not None and invoice.account == wallet.account:
        return behaviour.entry_of_invoice(wallet, invoice)
    return entry
