"""What a wallet connection needs from outside: a key that signs and encrypts, relays that carry, a clock.

The bot gives real ones (relays and keys over its Nostr library), tests give their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nwc.event import Event


class Clock(Protocol):
    """Time as the process sees it."""

    def now(self) -> int:
        """Unix seconds."""
        ...


class Cipher(Protocol):
    """One secret key: signs events and talks in private with a peer. Never shows the key."""

    @property
    def public_key(self) -> str:
        """64 hex characters."""
        ...

    def sign(self, kind: int, tags: Sequence[Sequence[str]], content: str, created_at: int) -> Event:
        """The signed event (NIP-01)."""
        ...

    def nip44_encrypt(self, peer: str, text: str) -> str:
        """NIP-44 v2. Raises ValueError (too long, bad peer)."""
        ...

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        """NIP-44 v2. Raises ValueError for anything that is not a genuine payload of this peer."""
        ...

    def nip04_encrypt(self, peer: str, text: str) -> str:
        """NIP-04. Raises ValueError."""
        ...

    def nip04_decrypt(self, peer: str, payload: str) -> str:
        """NIP-04. Raises ValueError."""
        ...


class Wire(Protocol):
    """The relays of one wallet. Inbound events are pushed by the owner into `WalletClient.receive`."""

    async def publish(self, event: Event) -> bool:
        """True if at least one relay accepted. Bounded in time; never raises for network faults.

        False says nothing about the wallet: a relay may have passed on what it did not acknowledge.
        """
        ...

    async def fetch_info(self, wallet_pubkey: str) -> Event | None:
        """The newest kind 13194 event of the wallet; None where no relay gave one."""
        ...

    def connected(self) -> bool:
        """Whether at least one relay is connected now."""
        ...
