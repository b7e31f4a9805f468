"""What seldom happens to a bot, made to happen: patches for a process that is to get to its rare crash points.

None of them changes a decision about money: they make waits short, and the world around a decision bad.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from bot import daemon
from bot.clock import SystemClock
from bot.delivery import PublishResult
from bot.relays import Relays
from bot.timings import Timings
from bot.workers import auditor, fitness, payer, prover, reconciling, watchman
from bot.workers.payer import Payer
from bot.workers.prover import Prover
from bot.workers.publisher import Publisher
from bot.workers.scanner import Scanner
from handlers.proof import WalletWord
from ledger.errors import said
from ledger.facts import Violation
from ledger.model import Settlement
from nwc.messages import REQUEST_KIND, Transaction
from nwc.proof_of_payment import classify_payment
from nwc.targets import TargetFailed, Targets
from storage.outbox import Outgoing

SOON_SECONDS = 0.2


def _often_cleaning() -> None:
    mock.patch.object(daemon, "HOUSEKEEPING_SECONDS", SOON_SECONDS).start()


def _often_comparing() -> None:
    mock.patch.multiple(reconciling, LOOK_SECONDS=SOON_SECONDS, SETTLE_SECONDS=0).start()


def _curious() -> None:
    """A wallet that did not show what it is, is asked again at once."""
    mock.patch.object(fitness, "RETRY_SECONDS", 1).start()


def _impatient() -> None:
    """The machine is told `unverified` although the wallet is about to answer."""
    real = Prover._ask

    async def ask(self: Prover, settlement: Settlement) -> WalletWord:
        await asyncio.sleep(SOON_SECONDS)
        return await real(self, settlement)

    mock.patch.object(prover, "RECEIPT_PATIENCE_SECONDS", 0.01).start()
    mock.patch.object(Prover, "_ask", ask).start()


def _hasty() -> None:
    """A wallet that gave no list is asked again at once."""
    real = Timings.__init__

    def init(self: Timings, *args: Any, **more: Any) -> None:
        real(self, *args, **{"retry_ask_seconds": SOON_SECONDS} | more)

    mock.patch.object(Timings, "__init__", init).start()
    mock.patch.object(payer, "SEARCH_AGAIN_SECONDS", (0, 0, 0)).start()


def _stateless() -> None:
    """The wallet's rows have no `state`: whether a customer has paid, the list must say."""

    def classified(payment_hash: str, looked_up: Any, *more: Any) -> Any:
        if isinstance(looked_up, Transaction):
            looked_up = dataclasses.replace(looked_up, state=None)
        return classify_payment(payment_hash, looked_up, *more)

    mock.patch.object(prover, "classify_payment", classified).start()


def _faulty_payer() -> None:
    """A fault of ours before an invoice is stored."""
    mock.patch.object(Payer, "_fetch", side_effect=RuntimeError("planted")).start()


def _faulty_publisher() -> None:
    """A fault of ours when a receipt is signed."""
    real = Publisher._event

    async def event(self: Publisher, outgoing: Outgoing) -> Any:
        if outgoing.kind == "event":
            raise RuntimeError("planted")
        return await real(self, outgoing)

    mock.patch.object(Publisher, "_event", event).start()


def _picky_payee() -> None:
    """The platform takes no such amounts."""
    real = Targets.fetch_invoice

    async def fetch(self: Targets, target: Any, *args: Any) -> Any:
        if "platform" in target.value:
            raise TargetFailed(said("too much"), permanent=True, reason="out_of_range")
        return await real(self, target, *args)

    mock.patch.object(Targets, "fetch_invoice", fetch).start()


def _nobody_scans() -> None:
    """Only who compares the books reads the wallets' lists."""

    async def scan(_: Scanner) -> bool:
        return True

    mock.patch.object(Scanner, "scan", scan).start()


def _broken_rule() -> None:
    """Whoever reads the books finds one broken."""
    found = [Violation("sum", "S1", "planted")]
    mock.patch.object(auditor, "look_quickly", return_value=found).start()


def _refused_events() -> None:
    """No relay takes what the bot tells others, though all deliver what others tell it."""
    real = Relays.publish

    async def publish(self: Relays, event: Any, *args: Any, **more: Any) -> PublishResult:
        if event.kind == REQUEST_KIND or more:  # what goes to a wallet, and the bot's own heartbeat
            return await real(self, event, *args, **more)
        return PublishResult(refused={"wss://relay": "blocked: not on the list"})

    mock.patch.object(Relays, "publish", publish).start()


def _often_watching() -> None:
    mock.patch.multiple(watchman, LOOK_SECONDS=2 * SOON_SECONDS, REST_SECONDS=SOON_SECONDS).start()


TROUBLES: dict[str, Callable[[], None]] = {
    "often_cleaning": _often_cleaning,
    "often_comparing": _often_comparing,
    "often_watching": _often_watching,
    "curious": _curious,
    "impatient": _impatient,
    "hasty": _hasty,
    "stateless": _stateless,
    "faulty_payer": _faulty_payer,
    "faulty_publisher": _faulty_publisher,
    "nobody_scans": _nobody_scans,
    "broken_rule": _broken_rule,
    "picky_payee": _picky_payee,
    "refused_events": _refused_events,
}


def set_clock(path: Path) -> None:
    """From now on this process's clock is ahead by so many seconds as that file says."""

    def now(_: SystemClock) -> int:
        return int(time.time()) + int(path.read_text())

    mock.patch.object(SystemClock, "now", now).start()
