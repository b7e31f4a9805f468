"""The relays of one wallet, as a wallet connection needs them: requests go out, the wallet's words come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Self

from bot.nostr import Keys
from bot.query import Query, Subscription
from bot.relays import Relays, RelayState
from bot.timings import Timings
from nwc.event import Event
from nwc.ports import Clock

INFO_KIND = 13194
ANSWER_KINDS = (23195, 23196, 23197)
"""Responses, and notifications in NIP-04 and NIP-44 (NIP-47)."""
CHANNEL_MESSAGES = 8_192
MAX_MESSAGE_BYTES = 1024 * 1024
"""In NIP-04, which carries what one likes, a page of a list may be longer than any other event."""


class WalletWire:
    """Implements `nwc.ports.Wire` over relays of its own. `async with`, or `start` and `close`.

    `on_event` gets what the wallet says to us, once each: responses, notifications, its info. It must not block; False
    says "no room now" (see `bot.inbox`). Stored events are brought back to `since` (unix seconds), less the overlap.
    """

    def __init__(
        self,
        urls: Iterable[str],
        keys: Keys,
        wallet_pubkey: str,
        on_event: Callable[[Event], bool | None],
        clock: Clock,
        *,
        since: int,
        on_state: Callable[[str, bool], None] | None = None,
        timings: Timings | None = None,
    ) -> None:
        """`keys` are the client's, from the secret of the connection URI."""

        def hear(event: Event, url: str, repeat: bool) -> bool | None:
            return None if repeat else on_event(event)

        self._relays = Relays(
            urls,
            keys,
            hear,
            clock,
            on_state=on_state,
            timings=timings,
            channel_messages=CHANNEL_MESSAGES,
            max_message_bytes=MAX_MESSAGE_BYTES,
        )
        # By author alone: some wallet services name the request in an answer (e) and not whom they answer (p).
        answers = Query(kinds=ANSWER_KINDS, authors=(wallet_pubkey,))
        self._relays.subscribe(Subscription("answers", answers, since))
        self._relays.subscribe(Subscription("info", _info(wallet_pubkey), 0))

    async def start(self) -> None:
        await self._relays.start()

    async def wait_closed(self) -> None:
        """Returns after `close`; raises what broke a task here."""
        await self._relays.wait_closed()

    async def close(self) -> None:
        await self._relays.close()

    async def publish(self, event: Event) -> bool:
        """True if at least one relay accepted. False says nothing: a relay may have passed it on all the same."""
        return bool((await self._relays.publish(event)).accepted)

    async def fetch_info(self, wallet_pubkey: str) -> Event | None:
        return await self._relays.fetch_one(_info(wallet_pubkey))

    def connected(self) -> bool:
        return self._relays.connected()

    def listening(self) -> bool:
        """Whether answers can be heard: publish no request before."""
        return self._relays.listening()

    def states(self) -> dict[str, RelayState]:
        return self._relays.states()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *failure: object) -> None:
        async with asyncio.timeout(30):
            await self._relays.__aexit__(*failure)


def _info(wallet_pubkey: str) -> Query:
    return Query(kinds=(INFO_KIND,), authors=(wallet_pubkey,))
