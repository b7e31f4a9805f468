"""How a wallet acts on NIP-47 requests: here an honest one, which does what the NIP says.

Each method is a point where another kind of wallet differs: what it takes in (`admits`, `decrypt`), what it does
(`pay_invoice` and its siblings), what it shows (`find`, `listed`, `show`) and how its answers leave (`deliver`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bot.demo.books import Invoice, Payment
from bot.demo.lightning import LightningError
from bot.demo.wallet_messages import Encryption, Reply, Request, WalletError, number_param, read_request, text_param
from nwc.event import Event

if TYPE_CHECKING:
    from bot.demo.wallet_service import HostedWallet

State = Literal["pending", "settled", "expired", "failed"]

_REQUESTS_REMEMBERED = 100_000
# NIP-44 carries 65,535 bytes at most; some libraries a little less.
_BYTES_IN_A_PAGE = 60_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a wallet's history: an invoice of its own, or a payment that it makes."""

    invoice: Invoice
    payment: Payment | None
    state: State

    @property
    def outgoing(self) -> bool:
        return self.payment is not None

    @property
    def created_at(self) -> int:
        return self.payment.created_at if self.payment else self.invoice.created_at

    @property
    def seq(self) -> int:
        """Tells lines of the same second apart."""
        return self.payment.seq if self.payment else self.invoice.seq


class Behaviour:
    """The honest wallet. A repeated pay of one invoice, in whatever event, gives the result of the first."""

    name = "honest"
    methods: tuple[str, ...] = (
        "pay_invoice",
        "make_invoice",
        "lookup_invoice",
        "list_transactions",
        "get_balance",
        "get_info",
    )
    encryptions: tuple[Encryption, ...] = ("nip44_v2", "nip04")
    notifications: tuple[str, ...] = ("payment_received", "payment_sent")
    # False where the wallet is older than the tag: clients must then take NIP-04.
    tells_encryption = True
    # True where expired invoices are paid all the same.
    pays_expired = False
    # So long a pay request waits for its payment; then the answer is an error while the payment goes on.
    pay_wait_seconds = 60.0
    # The most rows in one answer of list_transactions, and how many there are where the request says nothing.
    most_rows = 50

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    # -- what comes in -----------------------------------------------------------------------------------------------

    def admits(self, wallet: HostedWallet, event: Event) -> bool:
        """Whether this request event is acted on at all: not twice, and not after its `expiration`."""
        expiration = event.tag("expiration")
        if expiration is not None and expiration.isdigit() and wallet.clock.now() > int(expiration):
            return False
        return self.first_sight(event)

    def first_sight(self, event: Event) -> bool:
        if event.id in self._seen:
            return False
        self._seen[event.id] = None
        if len(self._seen) > _REQUESTS_REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def decrypt(self, wallet: HostedWallet, event: Event) -> Request | None:
        """The request in the event; None for what can't be read. Raises WalletError for an encryption not offered."""
        tag = event.tag("encryption") or "nip04"
        if tag not in self.encryptions:
            raise WalletError("UNSUPPORTED_ENCRYPTION", f"this wallet speaks {' '.join(self.encryptions)}")
        encryption: Encryption = "nip44_v2" if tag == "nip44_v2" else "nip04"
        try:
            if encryption == "nip44_v2":
                text = wallet.cipher.nip44_decrypt(event.pubkey, event.content)
            else:
                text = wallet.cipher.nip04_decrypt(event.pubkey, event.content)
        except ValueError:
            return None
        return read_request(event, encryption, text)

    # -- what it does ------------------------------------------------------------------------------------------------

    async def answer(self, wallet: HostedWallet, request: Request) -> Reply | None:
        """Does what is asked. None for no answer at all."""
        try:
            if request.event.pubkey != wallet.client:
                raise WalletError("UNAUTHORIZED", "this public key has no wallet connected")
            return Reply(request.method, result=await self.act(wallet, request))
        except WalletError as error:
            return Reply(request.method, error=error)

    async def act(self, wallet: HostedWallet, request: Request) -> dict[str, Any]:
        """The result of the request. Raises WalletError."""
        if request.method not in self.methods:
            raise WalletError("NOT_IMPLEMENTED", "this wallet does not offer that method")
        match request.method:
            case "pay_invoice":
                return await self.pay_invoice(wallet, request.params)
            case "make_invoice":
                return self.make_invoice(wallet, request.params)
            case "lookup_invoice":
                return self.lookup_invoice(wallet, request.params)
            case "list_transactions":
                return self.list_transactions(wallet, request.params)
            case "get_balance":
                return self.get_balance(wallet)
            case _:
                return self.get_info(wallet)

    async def pay_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        payment = self.earlier_payment(wallet, params)
        if payment is None:
            payment = self.start_payment(wallet, params)
            wallet.network.send(payment)
        return self.paid(payment, await wallet.network.wait(payment, self.pay_wait_seconds))

    def earlier_payment(self, wallet: HostedWallet, params: dict[str, Any]) -> Payment | None:
        """The payment of the same invoice from this wallet that is under way or settled."""
        invoice = wallet.network.books.invoice_of(text_param(params, "invoice"))
        live = wallet.network.books.live_payment(invoice.payment_hash) if invoice else None
        return live if live is not None and live.payer == wallet.account else None

    def start_payment(self, wallet: HostedWallet, params: dict[str, Any]) -> Payment:
        metadata = params.get("metadata")
        try:
            return wallet.network.start(
                wallet.account,
                text_param(params, "invoice"),
                amount_msat=number_param(params, "amount"),
                metadata=metadata if isinstance(metadata, dict) else None,
                even_expired=self.pays_expired,
            )
        except LightningError as error:
            raise WalletError(self.code_of(error), str(error)) from error

    def code_of(self, error: LightningError) -> str:
        """The error code for a payment that was not even started."""
        return "INSUFFICIENT_BALANCE" if error.code == "insufficient_balance" else "PAYMENT_FAILED"

    def paid(self, payment: Payment, state: str) -> dict[str, Any]:
        if state == "pending":
            raise WalletError("OTHER", "the payment is still under way")
        if state == "failed":
            raise WalletError("PAYMENT_FAILED", payment.reason or "the payment failed")
        return {"preimage": payment.invoice.preimage, "fees_paid": payment.fee_msat}

    def make_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        amount_msat = number_param(params, "amount")
        if not amount_msat:
            raise WalletError("OTHER", "amount must be a positive number of msat")
        metadata = params.get("metadata")
        try:
            invoice = wallet.network.make_invoice(
                wallet.account,
                amount_msat,
                description=str(params.get("description") or ""),
                description_hash=params.get("description_hash"),
                expiry_seconds=number_param(params, "expiry") or 3600,
                metadata=metadata if isinstance(metadata, dict) else None,
            )
        except (ValueError, TypeError) as error:
            raise WalletError("OTHER", f"no invoice can be made of that: {error}") from error
        return self.show(wallet, Entry(invoice, None, "pending"))

    def lookup_invoice(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        payment_hash = params.get("payment_hash")
        if payment_hash is None:
            invoice = wallet.network.books.invoice_of(text_param(params, "invoice"))
            payment_hash = invoice.payment_hash if invoice else ""
        entry = self.find(wallet, str(payment_hash).lower())
        if entry is None:
            raise WalletError("NOT_FOUND", "this wallet knows no such invoice")
        return self.show(wallet, entry)

    def list_transactions(self, wallet: HostedWallet, params: dict[str, Any]) -> dict[str, Any]:
        since, until = number_param(params, "from") or 0, number_param(params, "until")
        entries = [
            entry
            for entry in self.listed(wallet, self.entries(wallet), params.get("unpaid") is True)
            if self.moment(entry) >= since and (until is None or self.moment(entry) <= until)
        ]
        if kind := params.get("type"):
            entries = [entry for entry in entries if entry.outgoing == (kind == "outgoing")]
        offset = number_param(params, "offset") or 0
        limit = min(number_param(params, "limit") or self.most_rows, self.most_rows)
        page = [self.show(wallet, entry) for entry in entries[offset : offset + limit]]
        while len(page) > 1 and len(json.dumps(page)) > _BYTES_IN_A_PAGE:
            page.pop()
        return {"transactions": page, "total_count": len(entries)}

    def get_balance(self, wallet: HostedWallet) -> dict[str, Any]:
        return {"balance": wallet.network.books.accounts[wallet.account].spendable_msat}

    def get_info(self, wallet: HostedWallet) -> dict[str, Any]:
        return {
            "alias": wallet.account,
            "color": "#f7931a",
            "pubkey": wallet.network.node_id(wallet.account),
            "network": wallet.network.chain,
            "block_height": 840_000,
            "block_hash": "00" * 32,
            "methods": list(self.methods),
            "notifications": list(self.notifications),
        }

    # -- what it shows -----------------------------------------------------------------------------------------------

    def entries(self, wallet: HostedWallet) -> list[Entry]:
        """Everything in the wallet's history, the newest first."""
        account = wallet.network.books.accounts[wallet.account]
        entries = [self.entry_of_invoice(wallet, invoice) for invoice in account.invoices]
        entries += [Entry(payment.invoice, payment, payment.state) for payment in account.payments]
        return sorted(entries, key=lambda entry: (self.moment(entry), entry.seq), reverse=True)

    def moment(self, entry: Entry) -> int:
        """The time that list_transactions goes by, unix seconds."""
        return entry.created_at

    def entry_of_invoice(self, wallet: HostedWallet, invoice: Invoice) -> Entry:
        if invoice.settled_at is not None:
            return Entry(invoice, None, "settled")
        return Entry(invoice, None, "expired" if wallet.clock.now() >= invoice.expires_at else "pending")

    def find(self, wallet: HostedWallet, payment_hash: str) -> Entry | None:
        """The line for that hash; where the wallet pays an invoice of its own, the payment."""
        payments = [
            payment for payment in wallet.network.books.payments_of(payment_hash) if payment.payer == wallet.account
        ]
        if payments:
            return Entry(payments[-1].invoice, payments[-1], payments[-1].state)
        invoice = wallet.network.books.invoice(payment_hash)
        if invoice is None or invoice.account != wallet.account:
            return None
        return self.entry_of_invoice(wallet, invoice)

    def listed(self, wallet: HostedWallet, entries: list[Entry], unpaid: bool) -> list[Entry]:
        """What list_transactions shows of the history: payments, paid invoices, and with `unpaid` the others."""
        return [entry for entry in entries if unpaid or entry.outgoing or entry.state == "settled"]

    def show(self, wallet: HostedWallet, entry: Entry) -> dict[str, Any]:
        """The line as NIP-47 writes it. Amounts are msat."""
        invoice, payment = entry.invoice, entry.payment
        line: dict[str, Any] = {
            "type": "outgoing" if payment else "incoming",
            "state": entry.state,
            "invoice": invoice.bolt11,
            "description": invoice.description,
            "payment_hash": invoice.payment_hash,
            "amount": payment.amount_msat if payment else invoice.amount_msat or 0,
            "fees_paid": payment.fee_msat if payment else 0,
            "created_at": entry.created_at,
            "expires_at": invoice.expires_at,
            "metadata": (payment.metadata if payment else invoice.metadata) or {},
        }
        if invoice.description_hash is not None:
            line["description_hash"] = invoice.description_hash
        if entry.state == "settled":
            line["preimage"] = invoice.preimage
            line["settled_at"] = payment.settled_at if payment else invoice.settled_at
        return line

    # -- how it leaves -----------------------------------------------------------------------------------------------

    async def deliver(self, wallet: HostedWallet, request: Request, reply: Reply) -> None:
        await wallet.respond(request, reply)

    async def settled(self, wallet: HostedWallet, payment: Payment) -> None:
        """A payment of or to this wallet has settled: the client is told, where notifications are offered."""
        if payment.payee == wallet.account and "payment_received" in self.notifications:
            entry = self.entry_of_invoice(wallet, payment.invoice)
            await wallet.notify("payment_received", self.show(wallet, entry))
        if payment.payer == wallet.account and "payment_sent" in self.notifications:
            entry = Entry(payment.invoice, payment, payment.state)
            await wallet.notify("payment_sent", self.show(wallet, entry))
