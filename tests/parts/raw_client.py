"""A NIP-47 client that can misbehave, and looks at each answer by itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bot.clock import SystemClock
from bot.demo.relay import RelayLink
from bot.demo.wallet_service import HostedWallet
from bot.nostr import Keys
from nwc.event import Event


class RawClient:
    """Signs any request event for `wallet` and collects what comes back, whoever wrote it. An async context."""

    def __init__(self, wallet: HostedWallet, keys: Keys | None = None, *, encryption: str = "nip44_v2") -> None:
        self.wallet = wallet
        self.keys = keys or Keys.parse(wallet.uri.rsplit("secret=", 1)[1])
        self.encryption = encryption
        self.link = RelayLink(wallet.service.relays)
        self.answers: list[Event] = []

    async def __aenter__(self) -> RawClient:
        await self.link.open(self.answers.append)
        await self.link.listen(23195, self.keys.public_key)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.close()

    def request(self, method: str, *tags: list[str], created_at: int | None = None, **params: Any) -> Event:
        """A signed request event."""
        text = json.dumps({"method": method, "params": params})
        cipher = self.keys.cipher()
        all_tags = [["p", self.wallet.public_key], ["encryption", self.encryption], *tags]
        encrypt = cipher.nip44_encrypt if self.encryption == "nip44_v2" else cipher.nip04_encrypt
        content = encrypt(self.wallet.public_key, text)
        return cipher.sign(23194, all_tags, content, created_at or SystemClock().now())

    async def ask(self, event: Event, *, wait_seconds: float = 5.0, count: int = 1) -> list[dict[str, Any]]:
        """Publishes, and gives the answers that name the event: `count` of them, or what came in time."""
        await self.link.publish(event)
        try:
            async with asyncio.timeout(wait_seconds):
                while len(self.to(event)) < count:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        return self.to(event)

    def to(self, event: Event) -> list[dict[str, Any]]:
        """The answers so far that name the event, in the order in which they came."""
        return [self.read(answer) for answer in self.answers if answer.tag("e") == event.id]

    def read(self, answer: Event) -> dict[str, Any]:
        cipher = self.keys.cipher()
        decrypt = cipher.nip04_decrypt if "?iv=" in answer.content else cipher.nip44_decrypt
        content: dict[str, Any] = json.loads(decrypt(answer.pubkey, answer.content))
        return content

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The first answer, which there must be."""
        answers = await self.ask(self.request(method, **params))
        if not answers:
            raise AssertionError(f"no answer to {method}")
        return answers[0]
