"""What is asked of relays: filters (NIP-01) and the standing questions made of them. Pure, no Nostr library.

A relay's word is not taken for it: `matches` checks each event against the filter that it is said to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from nwc.event import Event

Filter = dict[str, object]
"""A filter as NIP-01 writes it."""

MAX_RELAY_URL_CHARS = 200


class BadRelayUrl(ValueError):
    """The text is no relay address. The message says why."""


@dataclass(frozen=True, slots=True)
class Query:
    """One filter. An empty tuple asks for anything; `p`, `d` and `e` are the values of these tags."""

    kinds: tuple[int, ...] = ()
    authors: tuple[str, ...] = ()
    p: tuple[str, ...] = ()
    d: tuple[str, ...] = ()
    e: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def to_dict(self, since: int | None = None, until: int | None = None, limit: int | None = None) -> Filter:
        """`since` and `until` are unix seconds, both inclusive."""
        lists = {
            "ids": self.ids,
            "authors": self.authors,
            "kinds": self.kinds,
            "#p": self.p,
            "#d": self.d,
            "#e": self.e,
        }
        numbers = {"since": since, "until": until, "limit": limit}
        told: Filter = {name: list(values) for name, values in lists.items() if values}
        return told | {name: value for name, value in numbers.items() if value is not None}

    def matches(self, event: Event) -> bool:
        """Whether the event is an answer to this filter."""
        return (
            _among(event.id, self.ids)
            and _among(event.kind, self.kinds)
            and _among(event.pubkey, self.authors)
            and all(
                not wanted or not set(wanted).isdisjoint(event.tag_values(name))
                for name, wanted in (("p", self.p), ("d", self.d), ("e", self.e))
            )
        )


OVERLAP_SECONDS = 2 * 86_400 + 3_600
"""Gift wraps are dated back by up to two days (NIP-59); an hour for clocks that are wrong."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing question: live events from now on, and stored ones back to `since - overlap_seconds` (unix seconds).

    `name` is ours, unique among the subscriptions of one `Relays`, at most 40 characters. The overlap is gone through
    again after each reconnect: gift wraps are dated back, a machine may publish late what it signed long ago.
    """

    name: str
    query: Query
    since: int
    overlap_seconds: int = OVERLAP_SECONDS


def relay_url(text: str) -> str:
    """A relay address in its one spelling: lower-case host, no default port, no lone slash. Raises BadRelayUrl."""
    if len(text) > MAX_RELAY_URL_CHARS or not text.isascii() or not text.isprintable() or " " in text:
        raise BadRelayUrl("a relay address is at most 200 plain characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadRelayUrl("the relay address can't be read") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise BadRelayUrl("a relay address starts with wss:// (or ws://) and names a host")
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise BadRelayUrl("a relay address has no user, no password and no #")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != {"ws": 80, "wss": 443}[parts.scheme]:
        host = f"{host}:{port}"
    return urlunsplit((parts.scheme, host, "" if parts.path == "/" else parts.path, parts.query, ""))


def _among(value: object, wanted: tuple[object, ...]) -> bool:
    return not wanted or value in wanted
