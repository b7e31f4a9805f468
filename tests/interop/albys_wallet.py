"""Alby's wallet service as the paying wallet of a shop's machine, which can be started anew."""

from __future__ import annotations

import contextlib
import secrets
from typing import Self

from tests.crash.shop import Shop
from tests.interop.bots import connect_wallet
from tests.parts.node import alby_wallet
from tests.parts.world import World


class AlbysWallet:
    """An async context: it serves the machine's account at `relay`, and the bot's next start finds it there."""

    def __init__(self, world: World, shop: Shop, relay: str) -> None:
        self._secret, client_secret = secrets.token_hex(32), secrets.token_hex(32)
        self._client = connect_wallet(shop, relay, self._secret, client_secret)
        self._world, self._account, self._relay = world, shop.wallet, relay
        self._serving = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        peer = await self._serving.enter_async_context(
            alby_wallet(
                relay=self._relay,
                control=self._world.control_url,
                account=self._account,
                wallet_secret=self._secret,
                client_pubkey=self._client,
            )
        )
        assert await peer.line() == {"ready": True}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.aclose()

    async def restart(self) -> None:
        """Its memory of requests is gone, its money and its keys are not."""
        await self.__aexit__()
        await self.__aenter__()
