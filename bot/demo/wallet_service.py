"""A NIP-47 wallet service: accounts of the Lightning network that clients reach over relays.

Source: NIP-47, written from the service's side. Each connection has a wallet key and a client secret of its own; what
a wallet does with a request is up to its `Behaviour`. Requests are worked on side by side, up to a bound.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from bot.demo.books import Payment
from bot.demo.lightning import LightningNetwork
from bot.demo.relay import RelayLink
from bot.demo.wallet_behaviour import Behaviour
from bot.demo.wallet_messages import Encryption, Reply, Request, WalletError
from bot.nostr import Keys
from nwc.event import Event
from nwc.ports import Cipher, Clock

INFO_KIND = 13194
REQUEST_KIND = 23194
RESPONSE_KIND = 23195
NOTIFICATION_KINDS: dict[Encryption, int] = {"nip04": 23196, "nip44_v2": 23197}

_MOST_REQUESTS_AT_ONCE = 1000

_log = logging.getLogger(__name__)


class HostedWallet:
    """One connection: the account it spends from, the key it answers with, the one client it answers.

    `uri` is the secret that the client gets; it shows in no repr.
    """

    def __init__(
        self, service: WalletService, account: str, cipher: Cipher, client: str, uri: str, behaviour: Behaviour
    ) -> None:
        self.service = service
        self.network = service.network
        self.account = account
        self.cipher = cipher
        self.client = client
        self.uri = uri
        self.behaviour = behaviour
        self._announced_at = 0

    def __repr__(self) -> str:
        return f"<wallet of {self.account}, {self.behaviour.name}>"

    @property
    def clock(self) -> Clock:
        return self.service.clock

    @property
    def public_key(self) -> str:
        return self.cipher.public_key

    async def announce(self) -> None:
        """Publishes the info event. Its time always grows, so that relays take the newer one."""
        behaviour = self.behaviour
        tags = [["encryption", " ".join(behaviour.encryptions)]] if behaviour.tells_encryption else []
        methods = list(behaviour.methods)
        if behaviour.notifications:
            tags.append(["notifications", " ".join(behaviour.notifications)])
            methods.append("notifications")
        self._announced_at = max(self._announced_at + 1, self.clock.now())
        await self.service.link.publish(self.cipher.sign(INFO_KIND, tags, " ".join(methods), self._announced_at))

    async def respond(
        self, request: Request, reply: Reply, *, signer: Cipher | None = None, answers: str | None = None
    ) -> None:
        """Publishes the response. `signer` and `answers` (an event id) are for wallets that get those wrong."""
        cipher = signer or self.cipher
        content = encrypt(cipher, request.encryption, request.event.pubkey, reply.to_dict())
        tags = [["p", request.event.pubkey], ["e", answers or request.event.id]]
        await self.service.link.publish(cipher.sign(RESPONSE_KIND, tags, content, self.clock.now()))

    async def notify(self, kind: str, line: dict[str, Any]) -> None:
        """Publishes a notification in each encryption that the wallet offers."""
        notification = {"notification_type": kind, "notification": line}
        for encryption in self.behaviour.encryptions:
            content = encrypt(self.cipher, encryption, self.client, notification)
            await self.service.link.publish(
                self.cipher.sign(NOTIFICATION_KINDS[encryption], [["p", self.client]], content, self.clock.now())
            )


class WalletService:
    """Hosts wallets at relays, for accounts of the Lightning network."""

    def __init__(self, network: LightningNetwork, relays: Sequence[str], clock: Clock) -> None:
        self.network = network
        self.relays = tuple(relays)
        self.clock = clock
        self.link = RelayLink(relays)
        self.wallets: dict[str, HostedWallet] = {}
        self._working: set[asyncio.Task[None]] = set()
        network.watch(self._on_settled)

    async def start(self) -> None:
        """Listens for every wallet there is, and announces them."""
        await self.link.open(self.take)
        for wallet in self.wallets.values():
            await self.link.listen(REQUEST_KIND, wallet.public_key)
            await wallet.announce()

    async def stop(self) -> None:
        """Drops what is being worked on, as a wallet does that goes down. Payments on their way go on; so does
        the service, with the same wallets, after another `start`."""
        for task in tuple(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.link.close()

    async def add_wallet(
        self,
        account: str,
        behaviour: Behaviour | None = None,
        *,
        wallet_secret: str | None = None,
        client_secret: str | None = None,
    ) -> HostedWallet:
        """A new connection to `account`, heard and announced when this returns. Secrets are 64 hex characters."""
        cipher = Keys.parse(wallet_secret or secrets.token_hex(32)).cipher()
        client_secret = client_secret or secrets.token_hex(32)
        relays = "&".join(f"relay={quote(url, safe='')}" for url in self.relays)
        uri = f"nostr+walletconnect://{cipher.public_key}?{relays}&secret={client_secret}"
        client = Keys.parse(client_secret).public_key
        wallet = HostedWallet(self, account, cipher, client, uri, behaviour or Behaviour())
        self.wallets[wallet.public_key] = wallet
        await self.link.listen(REQUEST_KIND, wallet.public_key)
        await wallet.announce()
        return wallet

    def take(self, event: Event) -> None:
        """Begins to work on a request event; drops it where too many are under way."""
        if event.kind != REQUEST_KIND:
            return
        for recipient in event.tag_values("p"):
            wallet = self.wallets.get(recipient)
            if wallet is not None and len(self._working) < _MOST_REQUESTS_AT_ONCE:
                self._work(self._serve(wallet, event))

    def _on_settled(self, payment: Payment) -> None:
        for wallet in self.wallets.values():
            if wallet.account in (payment.payer, payment.payee) and self.link.is_open:
                self._work(wallet.behaviour.settled(wallet, payment))

    def _work(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._working.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a wallet request ended in a fault", exc_info=error)

    async def _serve(self, wallet: HostedWallet, event: Event) -> None:
        behaviour = wallet.behaviour
        if not behaviour.admits(wallet, event):
            return
        try:
            request = behaviour.decrypt(wallet, event)
        except WalletError as error:
            unread = Request(event, behaviour.encryptions[0], "", {})
            await behaviour.deliver(wallet, unread, Reply("", error=error))
            return
        if request is None:
            return
        reply = await behaviour.answer(wallet, request)
        if reply is not None:
            await behaviour.deliver(wallet, request, reply)


def encrypt(cipher: Cipher, encryption: Encryption, peer: str, content: dict[str, Any]) -> str:
    text = json.dumps(content)
    return cipher.nip44_encrypt(peer, text) if encryption == "nip44_v2" else cipher.nip04_encrypt(peer, text)
