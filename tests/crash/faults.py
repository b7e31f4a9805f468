"""Faults that have cost others money, planted on purpose: tests that don't catch these prove nothing.

Each one is a small change of the program, made in the process that is tested and nowhere else. `plant(name)` makes it
for good; `planted(name)` for as long as a `with` block lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from bot.wallets import Wallet
from bot.workers.payer import Payer
from bot.workers.resolver import Resolver
from handlers import payment, wallet_trouble
from ledger.decide import attempt as rules
from ledger.model import Attempt
from ledger.states import AttemptState, EvidenceClass, LegStatus
from nwc.evidence import Evidence
from nwc.requests import SignedRequest
from storage import attempts, journal, legs
from storage.db import Tx
from tests.crash import points, troubles


def _give_up(tx: Tx, payment_hash: str, now: int, *, papers: bool = True) -> None:
    """What must never happen lightly: the leg may have another invoice."""
    attempt = attempts.get(tx, payment_hash)
    if attempt is None or attempt.state is not AttemptState.SENT:
        return
    attempts.end(tx, attempt, AttemptState.RELEASED, "planted", now)
    if papers:  # a release without them is found by the rules of the books before it does harm
        said, logged = {"said": "planted"}, {"payment_hash": payment_hash, "what": "planted"}
        attempts.add_evidence(tx, payment_hash, EvidenceClass.NEGATIVE, "operator", asked_at=now, now=now, detail=said)
        journal.record(tx, at=now, who="planted", command="payment.release", target=f"P{attempt.leg_id}", after=logged)
    leg = legs.get(tx, attempt.leg_id)
    if leg is not None and leg.status is LegStatus.PENDING:
        legs.put_off(tx, leg, next_try_at=now, reason="planted", counts=False)


def _publish_before_commit() -> Any:
    """The request leaves, and only then the database learns of it."""

    async def send(self: Payer, attempt: Attempt) -> None:
        async with self._slots:
            if attempt.state is not AttemptState.READY:
                return
            now = self._clock.now()
            await self._wallet.client.ready()
            request = self._wallet.client.prepare_pay(
                attempt.invoice,
                expires_at=payment.request_lifetime(attempt, self._policy, now),
                metadata={"leg": f"P{attempt.leg_id}"},
            )
            await self._wallet.client.publish(request)
            await self._db.write(lambda tx: payment.send(tx, attempt.payment_hash, request, self._policy, now))

    return mock.patch.object(Payer, "_send", send)


def _new_invoice_on_error() -> Any:
    """An error of pay_invoice is taken for "not paid"."""
    heed = wallet_trouble.heed

    def heed_and_give_up(
        tx: Tx, wallet: str, request_id: str, payment_hash: str, answer: Any, operators: Any, now: int
    ) -> None:
        heed(tx, wallet, request_id, payment_hash, answer, operators, now)
        _give_up(tx, payment_hash, now)

    return mock.patch.object(wallet_trouble, "heed", heed_and_give_up)


def _new_invoice_on_timeout() -> Any:
    """No answer in time is taken for "not paid"."""
    publish_and_wait = Wallet.publish_and_wait

    async def publish_wait_and_give_up(self: Wallet, request: SignedRequest, seconds: float) -> None:
        await publish_and_wait(self, request, seconds)
        giving_up.add(asyncio.create_task(give_up(self, request)))

    async def give_up(wallet: Wallet, request: SignedRequest) -> None:
        await asyncio.sleep(0.05)  # until the payer has let go of the leg, or it would notice seconds later
        await wallet.db.write(lambda tx: _give_up(tx, request.payment_hash, wallet.clock.now()))

    giving_up: set[asyncio.Task[None]] = set()
    return mock.patch.object(Wallet, "publish_and_wait", publish_wait_and_give_up)


def _new_invoice_on_not_found() -> Any:
    """A look-up that finds nothing is taken for "not paid" although the invoice has not expired."""
    learn = payment.learn

    def learn_and_give_up(
        tx: Tx, payment_hash: str, found: Evidence, *, source: str, now: int, **more: Any
    ) -> AttemptState | None:
        state = learn(tx, payment_hash, found, source=source, now=now, **more)
        if source == "lookup" and found.cls is EvidenceClass.NEGATIVE:
            _give_up(tx, payment_hash, now)
        return state

    return mock.patch.object(payment, "learn", learn_and_give_up)


def _new_invoice_on_restart() -> Any:
    """What was under way when the bot died is taken for "not paid"."""

    def forget_all(tx: Tx, now: int) -> None:
        for row in tx.all("SELECT payment_hash FROM attempts WHERE state = 'sent'"):
            _give_up(tx, row["payment_hash"], now, papers=False)

    return mock.patch.object(attempts, "all_due_now", forget_all)


def _one_negative() -> Any:
    """One look-up that finds nothing is enough for a release."""
    return mock.patch.object(rules, "_two_apart", lambda times, gap: len(times) > 0)


def _no_list() -> Any:
    """Look-ups alone are enough for a release: the list is neither asked nor missed."""

    async def not_there(self: Resolver, attempt: Attempt) -> EvidenceClass:
        return EvidenceClass.NEGATIVE

    return _both(_without("the wallet's whole list without it"), mock.patch.object(Resolver, "_ask_list", not_there))


def _no_control() -> Any:
    """A wallet that has forgotten its past is believed."""

    async def not_asked(self: Resolver, attempt: Attempt) -> None:
        return

    without = _without("a control look-up that finds a known payment")
    return _both(without, mock.patch.object(Resolver, "_ask_control", not_asked))


def _no_quarantine() -> Any:
    """An invoice that expired can't be paid any more, it is thought."""
    return mock.patch.object(rules, "quarantine_seconds", return_value=0)


def _without(condition: str) -> Any:
    missing = rules.missing_for_release

    def fewer(*args: Any, **more: Any) -> tuple[str, ...]:
        return tuple(each for each in missing(*args, **more) if each != condition)

    return mock.patch.object(payment, "missing_for_release", fewer)


class _both:  # noqa: N801 - used like the function that it is
    """Two patches as one."""

    def __init__(self, *patches: Any) -> None:
        self._patches = patches

    def start(self) -> None:
        for patch in self._patches:
            patch.start()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()


def _claim_is_nothing() -> Any:
    """Success without a preimage is taken for a failure, and never thought of again."""
    state_after = rules.state_after

    def after(state: AttemptState, found: EvidenceClass) -> AttemptState:
        if found is EvidenceClass.CLAIM and state is AttemptState.SENT:
            return AttemptState.SENT
        return state_after(state, found)

    return mock.patch.multiple(
        payment, state_after=after, _claimed_meanwhile=lambda *_: False, _claimed_before=lambda *_: False
    )


def _preimage_unchecked() -> Any:
    """Any preimage is taken for proof."""
    return mock.patch("nwc.evidence.proves", lambda preimage, payment_hash: preimage is not None)


def _ready_forgotten() -> Any:
    """What was stored and never published is not taken up after a restart."""
    return mock.patch.object(attempts, "ready", return_value=[])


FAULTS: dict[str, Callable[[], Any]] = {
    "publish_before_commit": _publish_before_commit,
    "new_invoice_on_error": _new_invoice_on_error,
    "new_invoice_on_timeout": _new_invoice_on_timeout,
    "new_invoice_on_not_found": _new_invoice_on_not_found,
    "new_invoice_on_restart": _new_invoice_on_restart,
    "one_negative": _one_negative,
    "no_list": _no_list,
    "no_control": _no_control,
    "no_quarantine": _no_quarantine,
    "claim_is_nothing": _claim_is_nothing,
    "preimage_unchecked": _preimage_unchecked,
    "ready_forgotten": _ready_forgotten,
}


def plant(name: str) -> None:
    """For good: in a process of its own. Several are parted by commas. `trouble:NAME` is something that seldom happens
    (tests/crash/troubles.py), `clock:FILE` a clock that is ahead, `crash:POINT` a moment at which the process dies
    (tests/crash/points.py); that one stands last."""
    for each in name.split(","):
        kind, _, what = each.partition(":")
        match kind:
            case "crash":
                points.arm(what)
            case "trouble":
                troubles.TROUBLES[what]()
            case "clock":
                troubles.set_clock(Path(what))
            case _:
                FAULTS[each]().start()


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    with FAULTS[name]():
        yield
