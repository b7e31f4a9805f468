"""What an order is run with: the open transaction, the time, the settings, who says it, the state of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handlers.roles import Role
from storage import journal
from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the configuration that orders depend on. Keys are 64 hex characters."""

    bot_pubkey: str
    operators: frozenset[str]
    platforms: frozenset[str]
    wallets: frozenset[str]
    """The names of the configured wallets."""
    version: str
    order_max_age_seconds: int
    max_total_fee_ppm: int
    stuck_after_minutes: int
    target_cooldown_seconds: int
    unmatched_after_seconds: int = 600
    allow_private_targets: bool = False


@dataclass(frozen=True, slots=True)
class Relay:
    url: str
    up: bool


@dataclass(frozen=True, slots=True)
class Live:
    """What only the running process knows, as it was when the order came."""

    relays: tuple[Relay, ...]
    wallets_up: frozenset[str]
    started_at: int
    """Unix seconds."""
    strangers: tuple[tuple[str, int], ...] = ()
    """The latest few keys that reported settlements and are no machine here, with the time of the last one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A direct message whose author is proven."""

    id: str
    """The recomputed id of the rumor, or the id of the signed kind 14."""
    sender: str
    text: str
    said_at: int
    """Its own `created_at`, unix seconds."""
    signed: bool
    """A signed kind 14: answered in kind."""


@dataclass(frozen=True, slots=True)
class Context:
    tx: Tx
    now: int
    settings: Settings
    live: Live
    message: Message
    roles: frozenset[Role]
    command: str = ""

    @property
    def sender(self) -> str:
        return self.message.sender

    def record(self, target: str | None, *, before: Any = None, after: Any = None) -> None:
        """Writes into the audit log what this order changed. JSON-able values, never a secret."""
        journal.record(
            self.tx, at=self.now, who=self.sender, command=self.command, target=target, before=before, after=after
        )
