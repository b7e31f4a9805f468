"""What an order is run with: the open transaction, the time, the settings, who says it, the state of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handlers.alarms.digest import Schedule
from handlers.alarms.limits import Limits
from handlers.fixed_mode import FixedMode
from handlers.payment import PaymentPolicy
from handlers.roles import Role
from ledger.decide.landing import LandingPolicy
from ledger.errors import Refusal
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
    landing: LandingPolicy
    payments: PaymentPolicy
    fixed_mode: FixedMode
    unmatched_after_seconds: int = 600
    allow_private_targets: bool = False
    limits: Limits = field(default_factory=Limits)
    """From when on something is an alarm."""
    digest: Schedule = field(default_factory=Schedule)

    @property
    def operators_to_tell(self) -> frozenset[str]:
        """Who is told what an operator should know; the bot's own key only where nobody else is one."""
        return self.operators - {self.bot_pubkey} or frozenset({self.bot_pubkey})


@dataclass(frozen=True, slots=True)
class Relay:
    url: str
    up: bool
    withholding: bool = False
    """It takes events and delivers none."""


@dataclass(frozen=True, slots=True)
class WalletOffer:
    """What a wallet says of itself (its info event)."""

    methods: tuple[str, ...]
    encryption: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """What only the running process knows, as it was when the order came."""

    relays: tuple[Relay, ...]
    wallets_up: frozenset[str]
    started_at: int
    """Unix seconds."""
    strangers: tuple[tuple[str, int], ...] = ()
    """The latest few keys that reported settlements and are no machine here, with the time of the last one."""
    offers: Mapping[str, WalletOffer] = field(default_factory=dict)
    """By the wallet's name; of those whose info event was seen."""
    heard: Mapping[str, int] = field(default_factory=dict)
    """When each wallet last answered since the start, unix seconds."""


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
class Question:
    """What an order needs to know before it can be answered, and what is not to be found out inside a transaction:
    a wallet must be asked, or so much is to be read that payments would wait for it."""

    kind: str
    """`wallet`, `trial`, `reconcile`, `verify` or `read`."""
    wallet: str | None = None
    read: Callable[[Tx], Any] | None = None
    """What to run on a snapshot of its own; for `read`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out for the one question that an order may ask. A Refusal is raised where it was asked."""

    value: Any


class Ask(Exception):
    """Leaves `orders.handle` with nothing done: find the answer, then handle the message again with it."""

    def __init__(self, question: Question, message: Message) -> None:
        super().__init__(question.kind)
        self.question = question
        self.message = message


@dataclass(frozen=True, slots=True)
class Context:
    tx: Tx
    now: int
    settings: Settings
    live: Live
    message: Message
    roles: frozenset[Role]
    command: str = ""
    answer: Answer | None = None
    in_json: bool = False
    """Whether a program asks, in JSON; people write text."""

    def ask(self, question: Question) -> Any:
        """The answer, which is there when the message is handled the second time. Raises Ask the first time."""
        if self.answer is None:
            raise Ask(question, self.message)
        if isinstance(self.answer.value, Refusal):
            raise self.answer.value
        return self.answer.value

    @property
    def sender(self) -> str:
        return self.message.sender

    def record(self, target: str | None, *, before: Any = None, after: Any = None) -> None:
        """Writes into the audit log what this order changed. JSON-able values, never a secret."""
        journal.record(
            self.tx, at=self.now, who=self.sender, command=self.command, target=target, before=before, after=after
        )
