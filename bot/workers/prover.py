"""Asks the machines' wallets whether what their machines report was really paid."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final, Literal

import structlog

from bot.wallets import Wallet
from bot.workers.wakeup import Bell
from handlers import proof
from handlers.proof import WalletWord
from ledger.decide.attempt import AttemptPolicy
from ledger.fees import TxType
from ledger.model import Settlement
from ledger.states import SettlementStatus
from nwc.messages import Transaction
from nwc.ports import Clock
from nwc.proof_of_payment import Payment, PaymentCheck, classify_payment
from nwc.trouble import WalletNotReady, WalletTrouble
from storage import settlements
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

ASK_AT_ONCE: Final = 16
IN_HAND: Final = 64
"""Settlements of one wallet."""
MAX_WANTED: Final = 1_000
RECEIPT_PATIENCE_SECONDS: Final = 3.0
"""A wallet mostly answers sooner, and the machine gets one receipt that says it all."""
LIST_MARGIN_SECONDS: Final = 86_400
"""How long before it was reported an invoice may have been made."""


class Prover:
    """The one task that turns `unverified` settlements into `pending` or `rejected` ones."""

    def __init__(
        self,
        wallets: Mapping[str, Wallet],
        db: Database,
        clock: Clock,
        bell: Bell,
        *,
        policy: AttemptPolicy,
        when_supported: bool,
        ask_seconds: float,
    ) -> None:
        self._wallets = wallets
        self._db = db
        self._clock = clock
        self._bell = bell
        self._policy = policy
        self._when_supported = when_supported
        self._ask_seconds = ask_seconds
        self._asking: dict[str, asyncio.Semaphore] = {}
        self._in_hand: dict[int, str] = {}
        """Settlements by id, with their wallet."""
        self._wanted: set[str] = set()

    def payment_seen(self, payment_hash: str) -> None:
        """A wallet announced this payment: an unproven settlement of it is asked about now. Called at any time."""
        if len(self._wanted) < MAX_WANTED:
            self._wanted.add(payment_hash)
            self._bell.ring()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                for settlement in await self._due():
                    group.create_task(self._work(settlement), name=f"prove S{settlement.id}")
                await self._bell.wait(await self._seconds_to_next())

    async def _seconds_to_next(self) -> float:
        now = self._clock.now()
        at = await self._db.read(lambda tx: settlements.next_proof_at(tx, now))
        return self._policy.resolve[-1] if at is None else at - now

    async def _due(self) -> list[Settlement]:
        """A share for each wallet: one that does not answer must not keep the others' machines waiting."""
        wanted, self._wanted = sorted(self._wanted), set()
        found = await self._db.read(lambda tx: self._find(tx, wanted))
        self._in_hand.update({settlement.id: settlement.wallet for settlement in found})
        return found

    def _find(self, tx: Tx, wanted: list[str]) -> list[Settlement]:
        now, busy, found = self._clock.now(), frozenset(self._in_hand), list[Settlement]()
        for wallet in settlements.wallets_to_prove(tx):
            room = IN_HAND - list(self._in_hand.values()).count(wallet)
            found += settlements.to_prove(tx, wallet, now, max(room, 0), wanted, busy)
        return found

    async def _work(self, settlement: Settlement) -> None:
        try:
            async with self._asking.setdefault(settlement.wallet, asyncio.Semaphore(ASK_AT_ONCE)):
                await self._prove(settlement)
        except (StorageBroken, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("settlement_held", settlement=f"S{settlement.id}")
            return
        self._in_hand.pop(settlement.id, None)
        self._bell.ring()

    async def _prove(self, settlement: Settlement) -> None:
        asking = asyncio.ensure_future(self._ask(settlement))
        try:
            done, _ = await asyncio.wait({asking}, timeout=RECEIPT_PATIENCE_SECONDS)
            if not done:
                await self._db.write(lambda tx: proof.tell_unverified(tx, settlement.id, self._clock.now()))
            word = await asking
        finally:
            asking.cancel()
        now = self._clock.now()
        status = await self._db.write(
            lambda tx: proof.apply(
                tx, settlement.id, word, policy=self._policy, when_supported=self._when_supported, now=now
            )
        )
        if status is not SettlementStatus.PENDING:
            detail = word.check.detail if word.check else "no look-ups"
            log.info("settlement_not_proven", settlement=f"S{settlement.id}", status=status, detail=detail)

    async def _ask(self, settlement: Settlement) -> WalletWord:
        """The machine's own wallet first; where that knows nothing of the payment, the other machines' wallets."""
        wallet = self._wallets.get(settlement.wallet)
        if wallet is None:
            gone = f"wallet {settlement.wallet} is not in the configuration"
            return WalletWord(PaymentCheck(Payment.UNKNOWN, gone))
        check = await self._ask_wallet(wallet, settlement)
        if check is not None and check.payment in (Payment.NOT_SETTLED, Payment.UNKNOWN) and check.row is None:
            for name, other in self._wallets.items():
                if name != settlement.wallet and await self._is_in(other, settlement):
                    return WalletWord(check, in_other_wallet=name)
        return WalletWord(check)

    async def _ask_wallet(self, wallet: Wallet, settlement: Settlement) -> PaymentCheck | None:
        """None: this wallet offers no look-ups."""
        direction: Literal["incoming", "outgoing"] = "incoming" if settlement.tx_type is TxType.CASH_OUT else "outgoing"
        looked_up: Transaction | WalletTrouble
        await self._until_ready(wallet)
        try:
            if "lookup_invoice" not in (await wallet.client.ready()).methods:
                return None
            looked_up = await wallet.client.lookup_invoice(settlement.payment_hash, self._ask_seconds)
            wallet.last_answer_at = self._clock.now()
        except WalletTrouble as trouble:
            looked_up = trouble
        check = classify_payment(settlement.payment_hash, looked_up, direction, settlement.wire_sats)
        if not check.needs_list:
            return check
        since = min(settlement.reported_at, settlement.created_at) - LIST_MARGIN_SECONDS
        if isinstance(looked_up, Transaction) and looked_up.created_at is not None:
            since = looked_up.created_at - 1
        try:
            listed = await wallet.client.list_transactions(max(0, since))
        except WalletTrouble:
            return check
        return classify_payment(settlement.payment_hash, looked_up, direction, settlement.wire_sats, listed)

    async def _until_ready(self, wallet: Wallet) -> None:
        """Right after the start the wallet's relay may not be connected yet: a moment's patience."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECEIPT_PATIENCE_SECONDS - 0.5):
                while not wallet.listening() or wallet.client.info is None:  # noqa: ASYNC110 - it has a deadline
                    await asyncio.sleep(0.1)

    async def _is_in(self, wallet: Wallet, settlement: Settlement) -> bool:
        """Whether the payment certainly lies in this wallet."""
        try:
            check = await self._ask_wallet(wallet, settlement)
        except WalletNotReady:
            return False
        return check is not None and check.payment in (Payment.SETTLED, Payment.WRONG_AMOUNT)
