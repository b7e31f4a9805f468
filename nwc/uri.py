"""A wallet connection as NIP-47 writes it: nostr+walletconnect://<wallet pubkey>?relay=…&secret=…&lud16=…

The secret is a spending key: it appears in no repr, no refusal, no log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from ledger.errors import BadText

_HEX_64 = re.compile(r"[0-9a-f]{64}")
_SCHEMES = ("nostr+walletconnect", "nostrwalletconnect")
_MAX_CHARS = 4_000
_MAX_RELAYS = 10
_ORDER_OF_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class BadWalletUri(BadText):
    """The text is no usable wallet connection. The message names what is wrong and never quotes the secret."""


@dataclass(frozen=True, slots=True)
class WalletUri:
    """One connection. `wallet_pubkey` and `secret` are 64 hex characters, `relays` ws:// or wss:// addresses."""

    wallet_pubkey: str
    relays: tuple[str, ...]
    secret: str = field(repr=False)
    lud16: str | None = None

    @property
    def text(self) -> str:
        """The canonical URI, secret and all: for storing in a secret place only."""
        query = "&".join(f"relay={quote(relay, safe='')}" for relay in self.relays)
        address = f"&lud16={quote(self.lud16, safe='@')}" if self.lud16 else ""
        return f"nostr+walletconnect://{self.wallet_pubkey}?{query}&secret={self.secret}{address}"

    @property
    def shown(self) -> str:
        """How people see this connection."""
        return f"NWC wallet {self.wallet_pubkey[:8]}…"


def parse_wallet_uri(text: str) -> WalletUri:
    """Reads a connection URI (NIP-47). Raises BadWalletUri."""
    stripped = text.strip()
    if len(stripped) > _MAX_CHARS:
        raise BadWalletUri("the wallet connection is too long")
    scheme, colon, rest = stripped.partition(":")
    if not stripped.isascii():
        raise BadWalletUri("the wallet connection has a letter that does not belong there: copy it again")
    if not colon or scheme.lower() not in _SCHEMES:
        raise BadWalletUri("a wallet connection starts with nostr+walletconnect://")
    try:
        parts = urlsplit("//" + rest.removeprefix("//"))
        values = parse_qs(parts.query, max_num_fields=50)
    except ValueError:
        raise BadWalletUri("the wallet connection can't be read: copy it again from the wallet") from None
    pubkey = parts.netloc.lower()
    if not _HEX_64.fullmatch(pubkey):
        raise BadWalletUri("the wallet's public key (after ://) must be 64 hex characters")
    return WalletUri(
        wallet_pubkey=pubkey,
        relays=_relays(values.get("relay", [])),
        secret=_secret(values.get("secret", [])),
        lud16=values.get("lud16", [None])[0] or None,
    )


def _relays(given: list[str]) -> tuple[str, ...]:
    relays = tuple(dict.fromkeys(given))
    if not relays:
        raise BadWalletUri("the wallet connection names no relay (relay=wss://…)")
    if len(relays) > _MAX_RELAYS:
        raise BadWalletUri("the wallet connection names more than {most} relays", most=_MAX_RELAYS)
    for relay in relays:
        try:
            parts = urlsplit(relay)
            usable = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(c.isspace() or ord(c) < 32 for c in relay):
            raise BadWalletUri("a relay of the wallet connection is no ws:// or wss:// address")
    return relays


def _secret(given: list[str]) -> str:
    if len(set(given)) != 1:
        raise BadWalletUri("the wallet connection must have exactly one secret (secret=…)")
    secret = given[0].lower()
    if not _HEX_64.fullmatch(secret) or not 0 < int(secret, 16) < _ORDER_OF_SECP256K1:
        raise BadWalletUri("the secret of the wallet connection must be 64 hex characters and a valid key")
    return secret
