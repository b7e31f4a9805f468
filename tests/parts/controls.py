"""What a test can ask of its world, as verbs with JSON in and JSON out: the same by call and over HTTP.

`Controls` does them where the parts live; `WorldControl` is the caller's side, whichever process the world is in.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

from bot.demo.books import Payment
from bot.demo.lightning import Route
from bot.demo.wallet_behaviour import Behaviour
from bot.demo.wallet_messages import Request
from bot.demo.wallet_service import REQUEST_KIND, HostedWallet
from bot.nostr import Keys
from tests.parts.field_wallets import Alby
from tests.parts.personalities import make
from tests.parts.personality import Personality
from tests.parts.tricks import Trick

if TYPE_CHECKING:
    from tests.parts.world import World

CUSTOMER = "customer"


class Controls:
    """The verbs. Each public method is one; wrong arguments raise ValueError, KeyError, TypeError or LightningError."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._network = world.network
        self._wallets: dict[str, HostedWallet] = {}
        self._rotations = 0

    # -- wallets -----------------------------------------------------------------------------------------------------

    async def wallet(
        self, account: str, balance_msat: int = 0, personality: str = "honest", **options: Any
    ) -> dict[str, Any]:
        """A connection to `account`: `uri`, `pubkey`. Its keys are the same in every run of a directory."""
        self._network.add_account(account, balance_msat)
        if account not in self._wallets:
            self._wallets[account] = await self._world.service.add_wallet(
                account,
                make(personality, **options),
                wallet_secret=self._secret("wallet", account),
                client_secret=self._secret("client", account),
            )
        wallet = self._wallets[account]
        return {"uri": wallet.uri, "pubkey": wallet.public_key}

    async def rotate(self, account: str, *, another: bool = False) -> dict[str, Any]:
        """A further connection to `account`, honest, which the verbs mean from now on: `uri`, `pubkey`. The one before
        is revoked; or, with `another`, it has a wallet key of its own and both are served."""
        self._rotations += 1
        wallet = self._wallets[account] = await self._world.service.add_wallet(
            account,
            make("honest"),
            wallet_secret=self._secret(f"wallet {self._rotations}", account)
            if another
            else self._secret("wallet", account),
            client_secret=self._secret(f"client {self._rotations}", account),
        )
        return {"uri": wallet.uri, "pubkey": wallet.public_key}

    async def personality(self, account: str, name: str, **options: Any) -> None:
        """From now on the wallet of `account` behaves like this; what it paid so far it still knows."""
        wallet = self._wallets[account]
        wallet.behaviour = make(name, **options)
        await wallet.announce()

    async def tricks(self, account: str, tricks: list[dict[str, Any]]) -> None:
        """These tricks (fields of `Trick`) instead of those that were there."""
        self._personality(account).tricks = [Trick(**trick) for trick in tricks]

    async def forget(self, account: str, payment_hashes: list[str]) -> None:
        """The wallet was restored from a backup that did not know these yet. An empty list: it knows all again."""
        self._personality(account).forgotten = set(payment_hashes)

    async def sleep(self, account: str) -> None:
        """An `alby` wallet keeps requests from now on."""
        self._alby(account).asleep = True

    async def wake(self, account: str) -> int:
        """It acts on them. How many it had kept."""
        return self._alby(account).wake(self._wallets[account])

    async def requests(self, account: str) -> list[dict[str, Any]]:
        """Every request event that came to the wallet of `account` since it has its personality."""
        return [event.to_dict() for event in self._personality(account).received]

    async def act(self, account: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Does what an honest wallet would on that request, without Nostr: for wallets that bring their own NIP-47."""
        cipher = Keys.parse(self._secret("act", account)).cipher()
        wallet = HostedWallet(self._world.service, account, cipher, cipher.public_key, "", Behaviour())
        event = cipher.sign(REQUEST_KIND, [], "", self._world.clock.now())
        reply = await wallet.behaviour.answer(wallet, Request(event, "nip44_v2", method, params))
        return {} if reply is None else reply.to_dict()

    async def wallets_down(self) -> None:
        await self._world.service.stop()

    async def wallets_up(self) -> None:
        await self._world.service.start()

    # -- money -------------------------------------------------------------------------------------------------------

    async def account(self, name: str, balance_msat: int = 0, node: str | None = None) -> dict[str, Any]:
        account = self._network.add_account(name, balance_msat, node=node)
        return {"name": name, "balance_msat": account.balance_msat, "node_id": self._network.node_id(name)}

    async def fund(self, account: str, amount_msat: int) -> None:
        self._network.fund(account, amount_msat)

    async def invoice(self, account: str, amount_msat: int | None, **options: Any) -> dict[str, Any]:
        """A new invoice of `account`; options as in `LightningNetwork.make_invoice`."""
        return dataclasses.asdict(self._network.make_invoice(account, amount_msat, **options))

    async def pay(self, payer: str, bolt11: str, **options: Any) -> dict[str, Any]:
        """Pays from `payer` and waits."""
        return _payment(await self._network.pay(payer, bolt11, **options))

    async def customer_pays(
        self, account: str, amount_msat: int, metadata: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Cash-out: a customer pays an invoice of `account`, which has `metadata` in its record."""
        self._network.add_account(CUSTOMER)
        invoice = self._network.make_invoice(account, amount_msat, description="cash out", metadata=metadata)
        self._network.fund(CUSTOMER, amount_msat + self._network.fee_msat(CUSTOMER, account, amount_msat))
        return _payment(await self._network.pay(CUSTOMER, invoice.bolt11))

    async def customer_is_paid(
        self, account: str, amount_msat: int, metadata: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Cash-in: `account` pays an invoice of a customer."""
        self._network.add_account(CUSTOMER)
        invoice = self._network.make_invoice(CUSTOMER, amount_msat, description="cash in")
        return _payment(await self._network.pay(account, invoice.bolt11, metadata=metadata))

    async def route(self, payee: str, **behaviour: Any) -> None:
        """How the way to `payee` behaves: fields of `Route`."""
        self._network.routes[payee] = Route(**behaviour)

    async def release(self, payee: str) -> int:
        """What is held on its way to `payee` arrives, and its way is good again. How many payments that were."""
        return len(self._network.release(payee))

    async def settle(self, payment_hash: str) -> None:
        """The payment of that hash that is under way arrives."""
        self._network.settle(self._pending(payment_hash))

    async def fail(self, payment_hash: str, reason: str = "given up") -> None:
        """The payment of that hash that is under way fails for good."""
        self._network.fail(self._pending(payment_hash), reason)

    # -- what can be seen --------------------------------------------------------------------------------------------

    async def movements(self, account: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """What moved after record `after`, of one account or all: the truth that the bot's books are held against."""
        return [
            dataclasses.asdict(movement)
            for movement in self._network.books.movements
            if movement.seq > after and (account is None or account in (movement.payer, movement.payee))
        ]

    async def payments(self, payment_hash: str | None = None) -> list[dict[str, Any]]:
        """Every try to pay, whatever became of it."""
        books = self._network.books
        return [_payment(each) for each in (books.payments_of(payment_hash) if payment_hash else books.payments)]

    async def balances(self) -> dict[str, int]:
        return {name: account.balance_msat for name, account in self._network.books.accounts.items()}

    async def audit(self) -> list[str]:
        """What is wrong with the network's own books; empty when all is well."""
        return self._network.books.audit()

    # -- addresses, relay, time --------------------------------------------------------------------------------------

    async def address(self, user: str, account: str | None = None, twist: Any = None) -> str:
        """The Lightning address of `user`, paid into `account`."""
        address = self._world.addresses.add(user, account)
        self._world.addresses.twist(user, twist)
        return address

    async def twist(self, user: str, twist: Any = None) -> None:
        """Turns `user`'s server bad (`lnurl_servers.Twist`) or, with null, good."""
        self._world.addresses.twist(user, twist)

    async def asked(self) -> dict[str, int]:
        """How many invoices each user was asked for."""
        return dict(self._world.addresses.asked)

    async def addresses_down(self) -> None:
        await self._world.addresses.down()

    async def addresses_up(self) -> None:
        await self._world.addresses.up()

    async def relay_down(self) -> None:
        """Every connection closes and every stored event is gone."""
        await self._world.relay.stop()

    async def relay_up(self) -> None:
        """The relay is there again at the same port, and the wallets announce themselves anew."""
        await self._world.relay.start()
        if self._world.service.link.is_open:
            await self._world.service.stop()
            await self._world.service.start()

    async def advance(self, seconds: int) -> int:
        """Moves the clock of this side. The time it shows then."""
        self._world.clock.advance(seconds)
        return self._world.clock.now()

    # ----------------------------------------------------------------------------------------------------------------

    def _secret(self, purpose: str, account: str) -> str:
        """A key that is the same whenever this directory is opened."""
        seed = self._network.node_key(account)
        return hashlib.sha256(b"nwc/" + purpose.encode() + b"/" + seed).hexdigest()

    def _personality(self, account: str) -> Personality:
        behaviour = self._wallets[account].behaviour
        if not isinstance(behaviour, Personality):
            raise TypeError(f"the wallet of {account} has no personality")
        return behaviour

    def _alby(self, account: str) -> Alby:
        behaviour = self._wallets[account].behaviour
        if not isinstance(behaviour, Alby):
            raise TypeError(f"the wallet of {account} is no alby")
        return behaviour

    def _pending(self, payment_hash: str) -> Payment:
        payment = self._network.books.live_payment(payment_hash)
        if payment is None:
            raise KeyError(f"no payment of {payment_hash} is under way")
        return payment


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "payment_hash": payment.invoice.payment_hash,
        "payer": payment.payer,
        "payee": payment.payee,
        "bolt11": payment.invoice.bolt11,
        "amount_msat": payment.amount_msat,
        "fee_msat": payment.fee_msat,
        "created_at": payment.created_at,
        "state": payment.state,
        "settled_at": payment.settled_at,
        "reason": payment.reason,
        "metadata": payment.metadata,
        "preimage": payment.invoice.preimage if payment.state == "settled" else None,
    }
