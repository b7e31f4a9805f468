"""What a wallet offers, and a payment request to it: the two things that outlive a moment.

The info event says how to write to the wallet; a signed request is what is stored before its first byte leaves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from nwc.event import Event
from nwc.foreign import parse_json
from nwc.messages import LIST_TRANSACTIONS, LOOKUP_INVOICE, PAY_INVOICE

NEEDED_METHODS = frozenset({PAY_INVOICE, LOOKUP_INVOICE, LIST_TRANSACTIONS})
"""Without look-ups nobody could say what became of a payment: such a wallet is not paid from."""
NIP44 = "nip44_v2"
NIP04 = "nip04"
_MAX_REQUEST_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class WalletInfo:
    """The wallet's info event: what it offers. `encryption` is what requests to it are written in, `encryptions` those
    of the ones it names that we speak."""

    created_at: int
    methods: frozenset[str]
    encryption: Literal["nip44_v2", "nip04"]
    encryptions: frozenset[str]
    notifications: frozenset[str]
    names_encryption: bool = True
    """False where there is no encryption tag: a service that is older than it, or does as if."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A `pay_invoice` request, signed, not necessarily sent. `expires_at` is its expiration tag, unix seconds."""

    event: Event
    payment_hash: str
    expires_at: int

    @property
    def id(self) -> str:
        return self.event.id

    @property
    def text(self) -> str:
        """The signed event as JSON: what the caller stores before anything is sent."""
        return json.dumps(self.event.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def load(cls, text: str, payment_hash: str) -> SignedRequest:
        """The request that `text` was the JSON of. Raises ValueError for what we never wrote."""
        event = Event.from_dict(parse_json(text, max_chars=_MAX_REQUEST_CHARS))
        return cls(event, payment_hash, int(event.tag("expiration") or ""))


def missing_methods(info: WalletInfo) -> tuple[str, ...]:
    """What the wallet does not offer and must before anything is paid from it."""
    return tuple(sorted(NEEDED_METHODS - info.methods))


def read_info(event: Event) -> WalletInfo | None:
    """None where the wallet names encryptions and we speak none of them. No encryption tag means NIP-04 (NIP-47)."""
    offered = {word for tag in event.tags if tag[:1] == ("encryption",) for value in tag[1:] for word in value.split()}
    if offered and not offered & {NIP44, NIP04}:
        return None
    notifications = event.tag("notifications") or ""
    return WalletInfo(
        created_at=event.created_at,
        methods=frozenset(event.content.split()),
        encryption="nip44_v2" if NIP44 in offered else "nip04",
        encryptions=frozenset((offered or {NIP04}) & {NIP44, NIP04}),
        notifications=frozenset(notifications.split()),
        names_encryption=bool(offered),
    )
