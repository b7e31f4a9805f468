"""A desk where orders are given: a real database with the order handler on it, people with keys, and a clock."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from handlers import cash, distribution
from handlers.context import Answer, Ask, Live, Message, Question, Relay, Settings
from handlers.fixed_mode import FixedMode
from handlers.orders import handle
from handlers.payment import PaymentPolicy
from handlers.payment_evidence import Policy as ListPolicy
from handlers.reconciliation import Reconciliation, WalletList, compare, heed
from handlers.wallet_test import Trial, WalletTest
from handlers.wallet_trial import WalletTrial
from ledger import journal as books
from ledger.decide.attempt import AttemptPolicy, WalletProfile
from ledger.decide.landing import LandingPolicy, land
from ledger.errors import Refusal
from ledger.fees import TxType
from ledger.model import Settlement, SettlementReport
from ledger.states import SettlementStatus
from nwc.keys import is_public_key, npub_of
from nwc.profile import Found, Looks
from storage import journal, legs, machines, outbox, platform, settlements, wallets
from storage.db import Database, Tx
from storage.verify import check_everything
from tests.fresh import open_fresh

T = TypeVar("T")
NOW = 1_790_000_000


def key(name: str) -> str:
    """A public key for a name, always the same."""
    for counter in itertools.count():
        found = hashlib.sha256(f"{name} {counter}".encode()).hexdigest()
        if is_public_key(found):
            return found
    raise AssertionError


BOT, BOSS, SUPER, ANA, BEN, EVE, ATM, ATM2 = (
    key(name) for name in ("bot", "boss", "super", "ana", "ben", "eve", "atm", "atm2")
)

SETTINGS = Settings(
    bot_pubkey=BOT,
    operators=frozenset({BOSS}),
    platforms=frozenset({SUPER}),
    wallets=frozenset({"main", "second"}),
    version="0.1.0",
    order_max_age_seconds=900,
    max_total_fee_ppm=150_000,
    stuck_after_minutes=30,
    target_cooldown_seconds=86_400,
    landing=LandingPolicy(Decimal("0.02"), False),
    payments=PaymentPolicy(
        attempt=AttemptPolicy(
            request_life=600,
            request_margin=60,
            resend=(20, 60, 180),
            resolve=(2, 5, 15, 60, 300),
            release_margin=600,
            release_gap=60,
            auto_release_max_sats=100_000,
        ),
        max_attempts=3,
        invoice_min_left=120,
        max_leg_sats=1_000_000,
        max_day_sats=0,
        operators=frozenset({BOSS}),
    ),
    fixed_mode=FixedMode((), UTC, 3_600, 1_000_000),
)
LIVE = Live((Relay("wss://one.example", True), Relay("wss://two.example", False)), frozenset({"main"}), NOW - 3_700)

WELL = WalletTest(
    methods=("get_balance", "get_info", "list_transactions", "lookup_invoice", "make_invoice", "pay_invoice"),
    encryption=("nip04", "nip44_v2"),
    info=Trial(None, 20),
    balance=Trial(None, 110),
    lookup=Trial(None, 120),
    listing=Trial(None, 240),
    balance_msat=1_500_000_000,
    lookup_answer="NOT_FOUND: no such payment",
    listed=3,
    asked_at=NOW,
    found=Found(Looks.OTHER, WalletProfile.UNKNOWN, repays=True),
)

PAID_ITSELF = WalletTrial(paid=True, preimage=True, metadata=True, fees_msat=0, error=None, milliseconds=700)


@dataclass
class Desk:
    db: Database
    now: int = NOW
    settings: Settings = SETTINGS
    live: Live = LIVE
    bug: Exception | None = None
    """What the last order ran into."""
    wallet_test: WalletTest | Refusal = WELL
    """What is found out when a wallet is tested."""
    wallet_trial: WalletTrial | Refusal = PAID_ITSELF
    """What comes of it when a wallet is to pay itself."""
    lists: list[WalletList] = field(default_factory=list)
    """What the wallets list when the books are compared with them."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def tx(self, work: Callable[[Tx], T]) -> T:
        return await self.db.write(work)

    async def send(self, message: Message) -> None:
        """Brings a message, as a relay may do more than once. What it asks is found out, or known here."""
        try:
            self.bug = await self.tx(lambda tx: handle(tx, message, self.settings, self.live, self.now))
        except Ask as ask:
            answer = Answer(await self._found_out(ask.question))
            self.bug = await self.tx(lambda tx: handle(tx, message, self.settings, self.live, self.now, answer))

    async def _found_out(self, question: Question) -> Any:
        if question.kind == "wallet":
            return self.wallet_test
        if question.kind == "trial":
            return self.wallet_trial
        if question.kind == "reconcile":
            policy = ListPolicy(self.settings.payments, self.settings.unmatched_after_seconds)
            found = await self.db.read_apart(lambda tx: compare(tx, self.lists, policy), seconds=60)
            result = Reconciliation(found.differences, found.more, found.counts, self.lists)
            await self.tx(lambda tx: heed(tx, result, self.settings.operators_to_tell, self.now))
            return result
        if question.kind == "verify":
            return (await self.db.read_apart(check_everything, seconds=60)).violations
        assert question.read is not None
        try:
            return await self.db.read_apart(question.read, seconds=60)
        except Refusal as refusal:
            return refusal

    def message(self, sender: str, text: str, *, said_at: int | None = None, signed: bool = False) -> Message:
        number = hashlib.sha256(f"message {next(self._numbers)}".encode()).hexdigest()
        return Message(number, sender, text, self.now if said_at is None else said_at, signed)

    async def say(self, sender: str, text: str, *, said_at: int | None = None) -> str | None:
        """The answer to an order in text; None where there is none."""
        message = self.message(sender, text, said_at=said_at)
        await self.send(message)
        found = await self.answers(message.id)
        assert len(found) < 2
        return found[0] if found else None

    async def told(self, sender: str, text: str) -> str:
        answer = await self.say(sender, text)
        assert answer is not None, f"no answer to {text!r}"
        assert self.bug is None, self.bug
        return answer

    async def json(self, sender: str, order: Any, *, said_at: int | None = None) -> dict[str, Any]:
        """The answer to an order in JSON, parsed."""
        text = order if isinstance(order, str) else json.dumps(order)
        answer = await self.say(sender, text, said_at=said_at)
        assert answer is not None, f"no answer to {text!r}"
        found: dict[str, Any] = json.loads(answer)
        return found

    async def ask(self, sender: str, method: str, /, *, confirm: bool = False, **params: Any) -> dict[str, Any]:
        """The result of an order that must succeed."""
        answer = await self.json(sender, {"method": method, "params": params, **({"confirm": True} if confirm else {})})
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def refused(self, sender: str, method: str, /, *, confirm: bool = False, **params: Any) -> dict[str, Any]:
        """The error of an order that must be refused."""
        answer = await self.json(sender, {"method": method, "params": params, **({"confirm": True} if confirm else {})})
        assert "error" in answer, answer
        error: dict[str, Any] = answer["error"]
        return error

    async def answers(self, message_id: str) -> list[str]:
        return [dm["text"] for dm in await self.dms() if dm["answers"] == message_id]

    async def dms(self, to: str | None = None) -> list[dict[str, Any]]:
        def work(tx: Tx) -> list[dict[str, Any]]:
            rows = tx.all("SELECT kind, body FROM outbox WHERE kind IN ('dm', 'signed_dm') ORDER BY id")
            return [{"kind": row["kind"], **json.loads(row["body"])} for row in rows]

        return [dm for dm in await self.tx(work) if to is None or dm["to"] == to]

    async def count(self, statement: str, *values: Any) -> int:
        def work(tx: Tx) -> int:
            row = tx.one(statement, values)
            assert row is not None
            return int(row[0])

        return await self.tx(work)

    async def audit(self) -> list[tuple[str, str | None]]:
        """(command, target) of every line."""

        def work(tx: Tx) -> list[tuple[str, str | None]]:
            return [(row["command"], row["target"]) for row in tx.all("SELECT command, target FROM audit ORDER BY id")]

        return await self.tx(work)

    def with_settings(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    # --- a business to give orders in ---

    async def open_wallets(self) -> None:
        def work(tx: Tx) -> None:
            for name in ("main", "second"):
                wallets.register(tx, name, wallet_pubkey=key(name), client_pubkey=key(f"{name} client"), now=self.now)

        await self.tx(work)

    async def with_machine(self) -> None:
        """The machine sintra, 5 % each way."""
        await self.ask(
            BOSS, "machine.add", npub=npub_of(ATM), name="sintra", wallet="main", fiat="GTQ",
            cash_in_fee="0.05", cash_out_fee="0.05",
        )  # fmt: skip

    async def with_lp(self, who: str = ANA, name: str = "ana", *, deposited: str | None = "2000.00") -> None:
        """An LP at sintra who has joined, with a confirmed deposit."""
        await self.ask(BOSS, "lp.add", machine="sintra", npub=npub_of(who), name=name)
        await self.ask(who, "join", target=f"{name}@example.com")
        if deposited is not None:
            made = await self.ask(BOSS, "deposit.add", machine="sintra", lp=name, amount=deposited)
            await self.ask(BOSS, "deposit.confirm", deposit=made["id"])

    async def cash_out(self, number: int = 1, *, platform_fee_sats: int = 0) -> int:
        """A proven cash-out of 100,000 sats for 2,000 GTQ at sintra; its id."""
        report = SettlementReport(
            payment_hash=hashlib.sha256(f"payment {number}".encode()).hexdigest(),
            tx_type=TxType.CASH_OUT,
            wire_sats=105_000 + platform_fee_sats,
            principal_sats=100_000,
            fee_sats=5_000 + platform_fee_sats,
            fiat_minor=200_000,
            currency="GTQ",
            exchange_rate=Decimal(50),
            reported_at=self.now,
        )

        def work(tx: Tx) -> int:
            machine = machines.by_name(tx, "sintra")
            assert machine is not None
            landing = land(report, machine, platform.load(tx), None, LandingPolicy(Decimal("0.02"), False))
            event_id = hashlib.sha256(f"event {number}".encode()).hexdigest()
            stored = settlements.insert(tx, report, machine, landing, event_id=event_id, now=self.now)
            settlements.set_proof(tx, stored.id, "settled", self.now, None)
            settlements.set_status(tx, stored.id, SettlementStatus.PENDING, self.now)
            journal.append(tx, books.settlement_accepted(stored), self.now)
            cash.proven(tx, stored, who=machine.pubkey, now=self.now)
            return stored.id

        return await self.tx(work)

    async def distribute(self) -> list[Settlement]:
        return await self.tx(lambda tx: distribution.distribute(tx, token="t", limit=100, now=self.now))

    async def fail_leg(self, leg_id: int, reason: str = "the target does not answer") -> None:
        def work(tx: Tx) -> None:
            leg = legs.get(tx, leg_id)
            assert leg is not None
            legs.fail(tx, leg, reason, self.now)

        await self.tx(work)

    async def outbox_events(self) -> list[dict[str, Any]]:
        def work(tx: Tx) -> list[dict[str, Any]]:
            return [each.body for each in outbox.due(tx, self.now, 1_000) if each.kind == "replaceable"]

        return await self.tx(work)


@asynccontextmanager
async def desks(directory: Path) -> AsyncIterator[Callable[[], Awaitable[Desk]]]:
    """Opens as many desks as are asked for, each over a fresh database with two wallets; closes them at the end."""
    opened: list[Desk] = []

    async def open_desk() -> Desk:
        opened.append(Desk(await open_fresh(directory / f"books{len(opened)}.db")))
        await opened[-1].open_wallets()
        return opened[-1]

    try:
        yield open_desk
    finally:
        for desk in opened:
            await desk.db.close()
