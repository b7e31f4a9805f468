"""What comes first, and how much of it is read: so that a flood of strangers holds up nobody who is known here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Final, Generic, TypeVar

from nwc.ports import Clock

READ_AT_ONCE: Final = 30
SECONDS_FOR_ONE_MORE: Final = 5
READ_OF_ONE: Final = 10
"""Messages of one stranger in a minute."""
_MINUTE: Final = 60
_KEPT: Final = 1_000

_Item = TypeVar("_Item")


class Queues(Generic[_Item]):
    """Two queues, each with room of its own: what shows on its face whose it is, and what anybody can send."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._signed: deque[_Item] = deque()
        self._sealed: deque[_Item] = deque()
        self._there = asyncio.Event()

    def put(self, item: _Item, *, sealed: bool) -> bool:
        """False where there is no room now."""
        queue = self._sealed if sealed else self._signed
        if len(queue) >= self._room:
            return False
        queue.append(item)
        self._there.set()
        return True

    @property
    def empty(self) -> bool:
        return not self._signed and not self._sealed

    async def take(self, signed: int, sealed: int, seconds: float | None = None) -> list[_Item]:
        """At least one; up to so many of each, the signed first. None is passed over for ever. With `seconds`: none
        where none came within them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.empty:
                    self._there.clear()
                    await self._there.wait()
        batch = [self._signed.popleft() for _ in range(min(signed, len(self._signed)))]
        return batch + [self._sealed.popleft() for _ in range(min(sealed, len(self._sealed)))]


class Strangers:
    """How many messages of people without a role are read. Reading one costs a decryption more, a commit, and perhaps
    an answer: some at once, then one every few seconds, however many keys there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(READ_AT_ONCE)
        self._counted_at = clock.now()
        self._lately: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """By key: the minute of its newest message, and how many there were in it."""

    def may_be_read(self, pubkey: str) -> bool:
        """Whether one more message of this key is read; True counts it."""
        now = self._clock.now()
        self._left = min(READ_AT_ONCE, self._left + max(0, now - self._counted_at) / SECONDS_FOR_ONE_MORE)
        self._counted_at = now
        minute, read = self._lately.get(pubkey, (0, 0))
        read = read if minute == now // _MINUTE else 0
        if self._left < 1 or read >= READ_OF_ONE:
            return False
        self._left -= 1
        self._lately[pubkey] = (now // _MINUTE, read + 1)
        self._lately.move_to_end(pubkey)
        if len(self._lately) > _KEPT:
            self._lately.popitem(last=False)
        return True
