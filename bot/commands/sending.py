"""How a command gets an event to the bot and waits for what comes back: over all relays, until there is an answer."""

from __future__ import annotations

import asyncio
from typing import Final

from bot.relays import Relays
from nwc.event import Event

REPEAT_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.05


async def until_listening(relays: Relays) -> None:
    """Returns when an answer could be heard; the caller sets the deadline."""
    while not relays.listening():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(LOOK_SECONDS)


class Sending:
    """One event on its way to several relays. `troubles`: what each said that has not accepted it so far."""

    def __init__(self, relays: Relays, event: Event) -> None:
        self._relays = relays
        self._event = event
        self.troubles: dict[str, str] = dict.fromkeys(relays.urls, "not connected")

    async def until_accepted(self) -> None:
        """Sends until every relay has accepted or refused it, for ever if need be."""
        await self._repeat(forever=False)

    async def for_ever(self) -> None:
        """Sends again and again, as an ATM does that has no receipt: relays keep nothing of a live event."""
        await self._repeat(forever=True)

    async def _repeat(self, *, forever: bool) -> None:
        waiting = set(self._relays.urls)
        while forever or waiting:
            result = await self._relays.publish(self._event, len(self._relays.urls), REPEAT_SECONDS)
            self.troubles = {**result.silent, **result.refused}
            waiting -= result.accepted | result.refused.keys()
            if forever or waiting:
                await asyncio.sleep(REPEAT_SECONDS)

    def told(self) -> str:
        """What stood in the way, for people; empty where nothing did."""
        return "; ".join(f"{url}: {reason}" for url, reason in self.troubles.items())
