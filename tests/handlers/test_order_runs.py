"""Orders and payments in any sequence, some too late, some twice: after each step the books keep all their rules."""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers import lp_settle, payment, settlement_orders
from handlers.context import Message
from handlers.distribution import distribute
from handlers.lp_settle import Wanted
from handlers.orders import handle
from handlers.settlement_orders import Entry
from ledger.errors import Refusal
from ledger.fees import TxType
from ledger.model import Attempt, Leg, Settlement
from ledger.states import AttemptState, EvidenceClass, LegStatus
from nwc.event import Event
from nwc.evidence import Evidence, Source
from nwc.requests import SignedRequest
from storage import attempts, legs, lps, machines, settlements
from storage.attempts import NewAttempt
from storage.db import Tx
from storage.verify import Report, check_books
from tests.handlers.desk import BOSS, LIVE, SETTINGS
from tests.handlers.till import INVOICE_SECONDS, LANDING, POLICY, Till
from tests.ledger.build import hash_of, preimage

T = TypeVar("T")


@dataclass
class Run:
    """Books in memory, and steps that each pick what they are about from what is there."""

    tx: Tx
    now: int
    done: Counter[str]
    pick: int = 0
    amount: int = 1
    _numbers: dict[str, int] = field(default_factory=dict)
    """Payment hash to the number that it was made of."""
    _in_hand: dict[int, int] = field(default_factory=dict)
    """Legs whose payee was asked for an invoice of so many msat."""
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    def step(self, name: str, pick: int, amount: int) -> None:
        """One step in a transaction of its own; a refusal undoes it."""
        self.pick, self.amount = pick, amount
        self.tx.run("SAVEPOINT step")
        try:
            if STEPS[name](self):
                self.done[name] += 1
        except Refusal:
            self.tx.run("ROLLBACK TO step")
        self.tx.run("RELEASE step")

    def one_of(self, found: Sequence[T]) -> T | None:
        return found[self.pick % len(found)] if found else None

    def a_settlement(self) -> Settlement:
        rows = self.tx.all("SELECT * FROM settlements")
        return settlements.from_row(rows[self.pick % len(rows)])

    def a_leg(self, status: LegStatus) -> Leg | None:
        return self.one_of([legs.from_row(row) for row in self.tx.all("SELECT * FROM legs") if row["status"] == status])

    def an_attempt(self, *states: AttemptState) -> Attempt | None:
        found = [attempts.from_row(row) for row in self.tx.all("SELECT * FROM attempts ORDER BY created_at, rowid")]
        return self.one_of([attempt for attempt in found if attempt.state in states])

    # --- the business ---

    def sale(self) -> bool:
        principal = 1_000 + self.amount
        fee = principal * (8 + self.pick % 3) // 100
        entry = Entry(TxType.CASH_OUT, principal + fee, principal, fee, principal * 2, Decimal(50))
        if self.pick % 5 == 0:
            entry = Entry(TxType.CASH_IN, principal - fee, principal, fee, principal * 2, Decimal(50))
        machine = machines.by_name(self.tx, "sintra")
        assert machine is not None
        settlement_orders.enter(
            self.tx, machine, entry, order_id=self._id(), note=None, policy=LANDING, by=BOSS, now=self.now
        )
        return True

    def share_out(self) -> bool:
        return bool(distribute(self.tx, token="t", limit=1, now=self.now))

    def later(self) -> bool:
        self.now += 700
        return True

    # --- paying ---

    def ask(self) -> bool:
        """A worker takes a leg in hand and asks its payee."""
        leg = self.a_leg(LegStatus.PENDING)
        if leg is None or leg.id in self._in_hand:
            return False
        go, leg = payment.open_leg(self.tx, leg.id, POLICY, self.now)
        if go is payment.Go.YES and leg is not None:
            self._in_hand[leg.id] = leg.due_msat
        return go is payment.Go.YES

    def invoice(self) -> bool:
        """The payee's invoice comes, whatever became of the leg meanwhile."""
        leg_id = self.one_of(sorted(self._in_hand))
        if leg_id is None:
            return False
        due_msat = self._in_hand.pop(leg_id)
        number = len(self._numbers) + 1
        self._numbers[hash_of(number)] = number
        new = NewAttempt(hash_of(number), "lnbc1", due_msat, None, self.now + INVOICE_SECONDS, None)
        return payment.ready(self.tx, leg_id, new, POLICY, self.now) is not None

    def send(self) -> bool:
        attempt = self.an_attempt(AttemptState.READY)
        if attempt is None:
            return False
        event = Event(self._id(), "ab" * 32, self.now, 23_194, (), "sealed", "00" * 64)
        request = SignedRequest(event, attempt.payment_hash, self.now + 600)
        return payment.send(self.tx, attempt.payment_hash, request, POLICY, self.now)

    def proof(self) -> bool:
        """Also of what was released long ago."""
        return self._learn(EvidenceClass.PROOF, AttemptState.SENT, AttemptState.CLAIMED, AttemptState.RELEASED)

    def claim(self) -> bool:
        return self._learn(EvidenceClass.CLAIM, AttemptState.SENT, AttemptState.RELEASED)

    def _learn(self, cls: EvidenceClass, *states: AttemptState) -> bool:
        attempt = self.an_attempt(*states)
        if attempt is None:
            return False
        proven = preimage(self._numbers[attempt.payment_hash]) if cls is EvidenceClass.PROOF else None
        found = Evidence(cls, Source.LOOKUP, proven, "came", self.amount % 3_000)
        state = payment.learn(
            self.tx, attempt.payment_hash, found, source="lookup", asked_at=self.now, policy=POLICY, now=self.now
        )
        return state is not attempt.state

    def payee_away(self) -> bool:
        leg = self.a_leg(LegStatus.PENDING)
        if leg is not None:
            payment.not_fetched(self.tx, leg.id, "away", POLICY, self.now)
        return leg is not None and legs.get(self.tx, leg.id) != leg

    def payee_takes_no_such_amount(self) -> bool:
        leg = self.a_leg(LegStatus.PENDING)
        if leg is not None:
            payment.unpayable(self.tx, leg.id, "too small", self.now)
        return leg is not None and legs.get(self.tx, leg.id) != leg

    # --- orders ---

    def release(self) -> bool:
        attempt = self.an_attempt(AttemptState.SENT, AttemptState.CLAIMED)
        if attempt is None:
            return False
        payment.release_by_operator(
            self.tx, attempt.leg_id, attempt.payment_hash[-8:], "lost", by=BOSS, policy=POLICY, now=self.now
        )
        return True

    def reset(self) -> bool:
        settlement_orders.reset(self.tx, self.a_settlement(), threshold_minutes=0, by=BOSS, now=self.now)
        return True

    def retry(self) -> bool:
        """The order as it is given by message: refused, it changes nothing but its answer."""
        errored = self.tx.all("SELECT * FROM settlements WHERE status = 'errored'")
        row = self.one_of(errored)
        if row is None:
            return False
        found = settlements.from_row(row)
        text = json.dumps({"method": "settlement.retry", "params": {"settlement": found.id}})
        bug = handle(self.tx, Message(self._id(), BOSS, text, self.now, signed=False), SETTINGS, LIVE, self.now)
        if bug is not None:
            raise bug
        after = settlements.get(self.tx, found.id)
        return after is not None and after.status is not found.status

    def partial(self) -> bool:
        found = self.a_settlement()
        sats = self.amount % found.as_landed.principal_sats + 1 if self.pick % 2 else None
        ppm = self.amount * 10 if sats is None else None
        settlement_orders.partial(
            self.tx, found, fraction_ppm=ppm, principal_sats=sats, note=None, by=BOSS, now=self.now
        )
        return True

    def refund(self) -> bool:
        sats = self.amount // 3 if self.pick % 2 else None
        settlement_orders.refund(
            self.tx, self.a_settlement(), target="c@example.com", sats=sats, note=None, by=BOSS, now=self.now
        )
        return True

    def pay_out_lp(self) -> bool:
        machine, lp = machines.by_name(self.tx, "sintra"), lps.get(self.tx, 1 + self.pick % 2)
        assert machine is not None
        assert lp is not None
        wanted = Wanted(Decimal(50), self.amount // 4, "second" if self.pick % 3 else None)
        lp_settle.settle(self.tx, machine, lp, wanted, configured=SETTINGS.wallets, note=None, by=BOSS, now=self.now)
        return True

    def withdraw(self) -> bool:
        rows = self.tx.all("SELECT * FROM legs WHERE type IN ('refund', 'settlement')")
        leg = self.one_of([legs.from_row(row) for row in rows if row["status"] in ("failed", "skipped")])
        if leg is not None:
            settlement_orders.withdraw(self.tx, leg.id, by=BOSS, now=self.now)
        return leg is not None

    def _id(self) -> str:
        return hashlib.sha256(f"id {next(self._ids)}".encode()).hexdigest()

    def violations(self) -> list[str]:
        found = Report()
        check_books(self.tx, found)
        return [str(violation) for violation in found.violations]


STEPS: dict[str, Callable[[Run], bool]] = {
    step.__name__: step
    for step in (
        Run.sale, Run.share_out, Run.later, Run.ask, Run.invoice, Run.send, Run.proof, Run.claim, Run.payee_away,
        Run.payee_takes_no_such_amount, Run.release, Run.reset, Run.retry, Run.partial, Run.refund, Run.pay_out_lp,
        Run.withdraw,
    )
}  # fmt: skip


def memory() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    made.row_factory = sqlite3.Row
    made.execute("PRAGMA foreign_keys = ON")
    made.execute("PRAGMA recursive_triggers = ON")
    return made


def likely(name: str) -> int:
    """Paying takes several steps in a row, an order one."""
    return 4 if name in ("ask", "invoice", "send", "proof", "later") else 2 if name == "share_out" else 1


FIRST = [("sale", 1, 50_000), ("share_out", 0, 1), ("sale", 2, 90_000)]
EACH_ONCE = [
    ("ask", 0, 1), ("invoice", 0, 1), ("send", 0, 1), ("claim", 0, 1), ("later", 0, 1), ("release", 0, 1),
    ("ask", 1, 1), ("invoice", 0, 1), ("send", 0, 1), ("proof", 1, 1), ("payee_away", 0, 1), ("reset", 0, 1),
    ("retry", 0, 1), ("partial", 1, 30_000), ("share_out", 0, 1), ("refund", 1, 30_000), ("pay_out_lp", 1, 40_000),
    *[("payee_takes_no_such_amount", 0, 1)] * 9, ("withdraw", 0, 1),
]  # fmt: skip


async def test_any_run_of_orders_and_payments_leaves_the_books_in_order(till: Till) -> None:
    done: Counter[str] = Counter()
    names = [name for name in STEPS for _ in range(likely(name))]
    step = st.tuples(st.sampled_from(names), st.integers(0, 11), st.integers(1, 99_999))
    with closing(memory()) as start:
        await till.desk.db.read(lambda tx: tx.sql.backup(start))

        @settings(max_examples=10)
        @example(EACH_ONCE)
        @given(st.lists(step, min_size=25, max_size=40))
        def run(steps: list[tuple[str, int, int]]) -> None:
            with closing(memory()) as books:
                start.backup(books)
                made = Run(Tx(books), till.now, done)
                for each in [*FIRST, *steps]:
                    made.step(*each)
                    assert made.violations() == [], each

        run()
    assert set(STEPS) == set(done), "each step was taken at least once"
