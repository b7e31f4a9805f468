"""JSON over HTTPS from addresses that strangers choose, without letting them reach our own network.

The only place that makes HTTP requests. A host is resolved here, every address of it is checked, and the connection
goes to a checked address with the host's name in Host and in TLS: DNS that changes its mind in between has no effect.
No redirects, no proxies, no compression, 256 KiB and 15 seconds at most for the whole exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self, cast

import httpx

from ledger.errors import Worded
from nwc.foreign import parse_json

MAX_BYTES = 256 * 1024
MAX_SECONDS = 15.0
MAX_URL_CHARS = 4_000
MAX_KEPT = 32
"""Hosts to which connections are kept, and for how long, and how many to each."""
KEEP_SECONDS = 5.0
KEPT_CONNECTIONS = 4
_USER_AGENT = "satmachine"
_HOST = re.compile(r"[a-z0-9._\-]+|[0-9a-f:.]+")  # a name or an IPv4 address; an IPv6 address, brackets off

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""host, port -> its addresses as text. Raises OSError."""

# IPv6 ranges that carry an IPv4 address, and how far from the right end it begins (RFC 4291, 6052, 3056).
_CARRIERS = (
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
# Never public, whatever the release of Python thinks: NAT64 of a site, Teredo, the site-local range of old,
# and the broadcast-like ends.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b:1::/48",
        "2001::/32",
        "fec0::/10",
        "100.64.0.0/10",
        "192.88.99.0/24",
        "0.0.0.0/8",
        "240.0.0.0/4",
    )
)


class FetchFailed(Worded):
    """No usable answer came. Transient, but for `permanent`: then the address itself will never do."""

    def __init__(self, template: str, /, *, permanent: bool = False, **values: object) -> None:
        super().__init__(template, **values)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a URL points, taken apart once."""

    url: httpx.URL
    host: str
    port: int

    @property
    def host_header(self) -> str:
        default = 443 if self.url.scheme == "https" else 80
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == default else f"{name}:{self.port}"


_RESOLVERS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="resolve")


@dataclass(slots=True)
class _Kept:
    """Connections that may be used again."""

    transport: httpx.AsyncHTTPTransport
    users: int = 0


def is_public(address: Address) -> bool:
    """Whether a stranger may send us to this address: not private, local, shared, multicast, nor one in disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                return is_public(ipaddress.IPv4Address(int(address) >> shift & 0xFFFF_FFFF))
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class GuardedHttp:
    """Fetches JSON. `allow_private` (for tests) lets it use http, and addresses that are not public."""

    def __init__(
        self,
        allow_private: bool = False,
        *,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.allow_private = allow_private
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._resolve = resolve or _system_resolve
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._open = False
        self._kept: OrderedDict[tuple[str, str, int, Address], _Kept] = OrderedDict()

    async def __aenter__(self) -> Self:
        """From here on connections are kept for the next request to the same host, a few seconds."""
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        for kept in self._kept.values():
            await kept.transport.aclose()
        self._kept.clear()

    async def get_json(self, url: str) -> object:
        """The JSON value that a GET of `url` answers, whatever the status (LUD-01). Raises FetchFailed, which names
        the host and never the path or the query."""
        place = self._place(url)
        try:
            async with asyncio.timeout(self._max_seconds):
                addresses = await self._addresses(place)
                status, body = await self._first_that_connects(place, addresses)
        except TimeoutError:
            raise FetchFailed(
                "{host} took longer than {seconds:g} s", host=place.host, seconds=self._max_seconds
            ) from None
        try:
            return parse_json(body, max_chars=self._max_bytes)
        except ValueError:
            raise FetchFailed(
                "{host} answered something that is no JSON (HTTP {status})", host=place.host, status=status
            ) from None

    def _place(self, url: str) -> _Place:
        if len(url) > MAX_URL_CHARS:
            raise FetchFailed("the address is too long", permanent=True)
        try:
            parsed = httpx.URL(url)
            host, port = parsed.raw_host.decode("ascii").rstrip("."), parsed.port
        except (httpx.InvalidURL, ValueError):
            raise FetchFailed("the address can't be read", permanent=True) from None
        if not host:
            raise FetchFailed("the address names no host", permanent=True)
        if not _HOST.fullmatch(host) or (port is not None and not 0 < port < 65_536):
            raise FetchFailed("the address can't be read", permanent=True)
        if host.endswith(".onion"):
            raise FetchFailed("{host} is an onion address: they are not supported", permanent=True, host=host)
        if parsed.scheme != "https" and not (parsed.scheme == "http" and self.allow_private):
            raise FetchFailed("{host} must be reached by https", permanent=True, host=host)
        if parsed.userinfo:
            raise FetchFailed("the address at {host} has a user name in it", permanent=True, host=host)
        return _Place(parsed, host, port or (443 if parsed.scheme == "https" else 80))

    async def _addresses(self, place: _Place) -> list[Address]:
        """The addresses of the host. One that is not public refuses them all: an honest host has none such."""
        try:
            found = [_address(text) for text in await self._resolve(place.host, place.port)]
        except (OSError, UnicodeError, ValueError):
            raise FetchFailed("{host} has no address that can be found", host=place.host) from None
        if not found:
            raise FetchFailed("{host} has no address", host=place.host)
        if not self.allow_private and not all(is_public(address) for address in found):
            raise FetchFailed("{host} has an address that is not public", host=place.host)
        return found

    async def _first_that_connects(self, place: _Place, addresses: list[Address]) -> tuple[int, bytes]:
        connect_seconds = self._max_seconds / len(addresses)
        for address in addresses:
            try:
                return await self._exchange(place, address, connect_seconds)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except (httpx.HTTPError, httpx.InvalidURL) as failed:
                raise FetchFailed("{host} broke off ({why})", host=place.host, why=type(failed).__name__) from None
        raise FetchFailed("{host} can't be reached", host=place.host)

    async def _exchange(self, place: _Place, address: Address, connect_seconds: float) -> tuple[int, bytes]:
        """One GET at one address."""
        request = httpx.Request(
            "GET",
            place.url.copy_with(host=str(address), port=place.port, fragment=None),
            headers={
                "Host": place.host_header,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": _USER_AGENT,
            },
            extensions={
                "sni_hostname": place.host,
                "timeout": httpx.Timeout(self._max_seconds, connect=connect_seconds).as_dict(),
            },
        )
        async with self._transport(place, address) as transport:
            response = await transport.handle_async_request(request)
            try:
                return response.status_code, await self._body(place, response)
            finally:
                await response.aclose()

    @contextlib.asynccontextmanager
    async def _transport(self, place: _Place, address: Address) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Connections to this host at this address, and to no other: nothing is shared between hosts."""
        if not self._open:
            async with self._connections() as transport:
                yield transport
            return
        key = (place.url.scheme, place.host, place.port, address)
        kept = self._kept.setdefault(key, _Kept(self._connections()))
        self._kept.move_to_end(key)
        kept.users += 1
        try:
            yield kept.transport
        finally:
            kept.users -= 1
            if len(self._kept) > MAX_KEPT:
                await self._drop_oldest()

    def _connections(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEEP_SECONDS)
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, retries=0, limits=limits)

    async def _drop_oldest(self) -> None:
        """Closes the connections that nobody has used for longest."""
        for key, kept in list(self._kept.items()):
            if kept.users == 0:
                del self._kept[key]
                await kept.transport.aclose()
                return

    async def _body(self, place: _Place, response: httpx.Response) -> bytes:
        if 300 <= response.status_code < 400:
            raise FetchFailed("{host} redirects: redirects are not followed", host=place.host)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise FetchFailed("{host} sent a compressed answer that nobody asked for", host=place.host)
        body = bytearray()
        # The stream as it came: nothing is unpacked on the way.
        async for piece in cast(httpx.AsyncByteStream, response.stream):
            body += piece
            if len(body) > self._max_bytes:
                raise FetchFailed("{host} sent more than {most} bytes", host=place.host, most=self._max_bytes)
        return bytes(body)


def _address(text: str) -> Address:
    """Without the zone of a link-local address, which makes nothing public."""
    return ipaddress.ip_address(text.partition("%")[0])


async def _system_resolve(host: str, port: int) -> list[str]:
    # Threads of its own: a name server that does not answer holds one far beyond our deadline.
    found = await asyncio.get_running_loop().run_in_executor(
        _RESOLVERS, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
