"""Which relays that other people name may be connected to: not those inside the operator's own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bot.query import BadRelayUrl, relay_url
from nwc.fetch import is_public

RESOLVE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Reach:
    """`private` lets everything through: for tests, and for an operator whose own relays are private addresses."""

    own: frozenset[str]
    """The operator's own relays, which need no check."""
    private: bool

    @classmethod
    async def of(cls, own: Iterable[str], *, private: bool) -> Reach:
        urls = frozenset(own)
        return cls(urls, private or any([await _is_private(url) for url in urls]))

    async def allowed(self, urls: Iterable[str], most: int) -> tuple[str, ...]:
        """Those of `urls` that may be used, `most` at most, in their order and spelling."""
        good: list[str] = []
        for text in urls:
            if len(good) == most:
                break
            try:
                url = relay_url(text)
            except BadRelayUrl:
                continue
            if self.private or url in self.own or await _is_public(url):
                good.append(url)
        return tuple(good)


async def _addresses(url: str) -> list[str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await loop.getaddrinfo(parts.hostname or "", port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]).partition("%")[0] for entry in found]


async def _is_public(url: str) -> bool:
    """Whether every address of the host is one that a stranger may send us to."""
    try:
        found = await _addresses(url)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return bool(found) and all(is_public(ipaddress.ip_address(address)) for address in found)


async def _is_private(url: str) -> bool:
    """Whether the host is certainly inside: a name that can't be resolved now tells nothing."""
    try:
        found = await _addresses(url)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return any(not is_public(ipaddress.ip_address(address)) for address in found)
