"""What became of publishing one event at several relays. Knows no Nostr library.

A quorum is enough: one dead relay beside a live one must not slow anything down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field


class NotAccepted(Exception):
    """A relay did not accept an event; the message is its reason, or what happened to the connection."""

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(reason)
        self.refused = refused
        """True where the relay itself said no (OK false)."""


@dataclass(frozen=True, slots=True)
class PublishResult:
    """Which relays did what. None of it proves that an event was *not* delivered.

    A relay may pass on what it refuses or never acknowledges: only the answer of the addressee says more.
    """

    accepted: frozenset[str] = frozenset()
    """Said OK true, or that they have it already."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Said OK false, with the reason in the relay's words."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Said nothing in time, with what happened: not connected, timeout."""
    pending: frozenset[str] = frozenset()
    """Were not waited for any longer, because enough had accepted; the sending goes on."""


async def gather_acks(sendings: Mapping[str, Awaitable[None]], min_acks: int, seconds: float) -> PublishResult:
    """Waits until `min_acks` relays have accepted, all have answered, or `seconds` are over.

    The sendings must be tasks that end by themselves and raise nothing but NotAccepted.
    """
    tasks: dict[asyncio.Future[None], str] = {asyncio.ensure_future(sending): url for url, sending in sendings.items()}
    deadline = asyncio.get_running_loop().time() + seconds
    waiting = set(tasks)
    result = _result(tasks)
    while waiting and len(result.accepted) < min_acks:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            break
        _, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        result = _result(tasks)
    if len(result.accepted) >= min_acks:
        return result
    late = dict.fromkeys(result.pending, "no answer in time")
    return PublishResult(result.accepted, result.refused, {**result.silent, **late})


def _result(tasks: Mapping[asyncio.Future[None], str]) -> PublishResult:
    accepted: set[str] = set()
    pending: set[str] = set()
    refused: dict[str, str] = {}
    silent: dict[str, str] = {}
    for task, url in tasks.items():
        failure = task.exception() if task.done() and not task.cancelled() else None
        if not task.done():
            pending.add(url)
        elif task.cancelled():
            silent[url] = "given up"
        elif failure is None:
            accepted.add(url)
        elif isinstance(failure, NotAccepted):
            (refused if failure.refused else silent)[url] = str(failure)
        else:
            raise failure
    return PublishResult(frozenset(accepted), refused, silent, frozenset(pending))
