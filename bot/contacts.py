"""What other people publish about themselves: where they read direct messages, where they are paid.

Asked of the relays that the bot uses, kept for a while, so that neither an answer nor a payment waits for it twice.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from bot.query import Query
from bot.reach import Reach
from bot.relays import Relays
from nwc.event import Event
from nwc.foreign import parse_json
from nwc.ports import Clock

DM_RELAYS_KIND: Final = 10_050
PROFILE_KIND: Final = 0
KEEP_SECONDS: Final = 600
KEEP_NONE_SECONDS: Final = 60
MAX_KEPT: Final = 2_000
ASK_SECONDS: Final = 3.0
MAX_DM_RELAYS: Final = 5
_MAX_PROFILE_CHARS: Final = 65_536


class Contacts:
    """Implements `nwc.targets.Profiles`."""

    def __init__(self, relays: Relays, clock: Clock, *, allow_private: bool) -> None:
        self._relays = relays
        self._allow_private = allow_private
        self._reach: Reach | None = None
        self._clock = clock
        self._kept: OrderedDict[tuple[int, str], tuple[int, Event | None]] = OrderedDict()

    async def dm_relays(self, pubkey: str) -> tuple[str, ...]:
        """The relays at which this key reads direct messages (NIP-17, kind 10050); empty where it names none."""
        event = await self._newest(DM_RELAYS_KIND, pubkey)
        if event is None:
            return ()
        return await (await self.reach()).allowed(event.tag_values("relay"), MAX_DM_RELAYS)

    async def reach(self) -> Reach:
        """Which relays that others name may be connected to."""
        if self._reach is None:
            self._reach = await Reach.of(self._relays.urls, private=self._allow_private)
        return self._reach

    async def lud16(self, pubkey: str) -> str | None:
        """The Lightning address in the profile (kind 0) of this key, as it stands there. Asked anew each time: what
        is paid there must be what it says now."""
        event = await self._relays.fetch_one(Query(kinds=(PROFILE_KIND,), authors=(pubkey,)), ASK_SECONDS)
        if event is None:
            return None
        try:
            profile = parse_json(event.content, max_chars=_MAX_PROFILE_CHARS)
        except ValueError:
            return None
        found = profile.get("lud16") if isinstance(profile, dict) else None
        return found if isinstance(found, str) and found else None

    async def _newest(self, kind: int, pubkey: str) -> Event | None:
        now = self._clock.now()
        kept = self._kept.get((kind, pubkey))
        if kept is not None and 0 <= now - kept[0] < (KEEP_SECONDS if kept[1] else KEEP_NONE_SECONDS):
            return kept[1]
        event = await self._relays.fetch_one(Query(kinds=(kind,), authors=(pubkey,)), ASK_SECONDS)
        self._kept[(kind, pubkey)] = (now, event)
        self._kept.move_to_end((kind, pubkey))
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return event
