"""One simulation from its seed to the verdict."""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from storage import meta
from tests.simulation.clockwork import Clockwork
from tests.simulation.fate import Fate
from tests.simulation.life import Life, simulated
from tests.simulation.lightning import MARGIN_SECONDS, Payment
from tests.simulation.wallet import HOUR
from tests.simulation.world import Scenery, World

LONGEST_SECONDS = 3 * 86_400
"""Customers must have come by then."""
ROUNDS = 8
"""So often is waited in the friendly world for what is still in doubt."""
PROBLEMS = 5
"""A run ends early once it has found so many."""


@dataclass(slots=True)
class Outcome:
    seed: int
    legs: int = 0
    crashes: int = 0
    days: float = 0.0
    attempts: int = 0
    releases: int = 0
    """By rule, and by the operator."""
    surplus: int = 0
    """Second payments after an operator's release, all of them booked as credits."""
    orders: int = 0
    doubles: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    trace: str = ""
    seconds: float = 0.0
    """Of one core."""
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.doubles or self.lost or self.violations)

    @property
    def found(self) -> list[str]:
        return [*self.doubles, *self.lost, *self.violations]


class Simulation:
    """A world and the bot's lives in it."""

    def __init__(self, seed: int, legs: int, scenery: Scenery | None = None, *, record: bool = False) -> None:
        self.seed = seed
        self._folder = tempfile.TemporaryDirectory(prefix="simulation-")
        self.world = World(seed, scenery or chosen(seed), Path(self._folder.name), record=record)
        self.fate = Fate(self.world, legs)
        self.legs = legs

    @property
    def clockwork(self) -> Clockwork:
        return self.world.clockwork

    def run(self) -> Outcome:
        began = time.process_time()
        gc.freeze()  # what is there already is not looked at when dead bots are cleared away
        gc.disable()  # what they leave behind is small, and looking for it all the time takes a fifth of it
        try:
            return self._run(began)
        finally:
            gc.enable()
            gc.collect()
            gc.unfreeze()

    def _run(self, began: float) -> Outcome:
        try:
            with simulated(self.clockwork):
                while not self._is_over():
                    self.live()
                    self.sleep()
                self.make_friendly()
                self.settle()
            outcome = self.judge()
        finally:
            self.close()
        outcome.seconds = time.process_time() - began
        return outcome

    def close(self) -> None:
        self.world.books.raw.close()
        self._folder.cleanup()

    def _is_over(self) -> bool:
        clock = self.clockwork
        if clock.elapsed > LONGEST_SECONDS:
            clock.problem("customers did not come to an end: payments don't go on")
        return self.fate.over or len(clock.problems) >= PROBLEMS

    # --- lives -------------------------------------------------------------------------------------------------------

    def live(self, seconds: float | None = None) -> None:
        """The bot starts and runs until it dies, or for so many seconds."""
        clock, scenery = self.clockwork, self.world.scenery
        dies_at = None
        if scenery.steps_of_a_life and not clock.friendly:
            dies_at = 1 + int(clock.chance.expovariate(1 / scenery.steps_of_a_life))
            if clock.chance.random() < 0.3:  # soon after the start, while it takes up what is left
                dies_at = clock.chance.randrange(1, 40)
        life = self.world.life = Life(self.world, dies_at)
        self.world.lives += 1
        clock.note(f"LIFE {self.world.lives}")
        end = clock.between(1_800, 5_400) if seconds is None else seconds
        clock.after(end, lambda: life.end() if life.alive else None)
        self._look_for_the_end(life)
        life.run()

    def _look_for_the_end(self, life: Life) -> None:
        """Ends a life of which nothing more is expected."""
        clock = self.clockwork

        def look() -> None:
            if not life.alive:
                return
            over = self.fate.over if not clock.friendly else self.only_waits()
            if over or len(clock.problems) >= PROBLEMS:
                life.end()
            else:
                clock.after(30, look)

        clock.after(30, look)

    def sleep(self) -> None:
        """The bot is down: mostly for seconds, now and then for hours."""
        clock = self.clockwork
        seconds = clock.between(1, 30)
        if clock.chance.random() < 0.05:
            seconds = clock.between(60, 2 * HOUR)
        clock.pass_time(seconds)
        if clock.chance.random() < 0.2:
            self.world.books.check_all()

    # --- the end -----------------------------------------------------------------------------------------------------

    def make_friendly(self) -> None:
        """From now on everybody keeps their word, and the operator lifts what was held."""
        self.clockwork.friendly = True
        self.clockwork.note("FRIENDLY")
        self.world.bot_clock.offset = 0

    def settle(self) -> None:
        """Time passes until nothing is open, with the bot asleep where only a wallet's quarantine is waited for."""
        world, clock = self.world, self.clockwork
        before: list[list[tuple[object, ...]]] = []
        for _ in range(ROUNDS):
            self._lift_everything()
            self.live(3_600)
            before.append(self._states())
            stuck = before[-3:].count(before[-1]) == 3
            if self.quiet() or stuck or len(clock.problems) >= PROBLEMS:
                break
            clock.pass_time(max(60, self._last_end() - clock.now()))
        world.books.check_all()

    def _states(self) -> list[tuple[object, ...]]:
        query = (
            "SELECT 'attempt', state, count(*) FROM attempts GROUP BY state"
            " UNION ALL SELECT 'leg', status, count(*) FROM legs GROUP BY status"
            " UNION ALL SELECT 'settlement', status, count(*) FROM settlements GROUP BY status"
        )
        return [tuple(row) for row in self.world.books.rows(query)]

    def _lift_everything(self) -> None:
        clock, world = self.clockwork, self.world

        def lift() -> None:
            world.order("resume")
            for machine in world.machines:
                world.order("resume", machine=machine.name)
            for name in world.lp_names:
                world.order("target.unfreeze", lp=name)
            self.fate.retry()

        world.report_all_again()
        for seconds in (10, 200, 700):
            clock.after(seconds, lift)

    def quiet(self) -> bool:
        """Whether everything has come to its end."""
        return not self._unreported() and not self.world.books.value(
            "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'processing', 'errored', 'partial')"
            " UNION ALL SELECT 1 FROM legs WHERE status = 'pending'"
            " UNION ALL SELECT 1 FROM attempts WHERE state IN ('ready', 'sent', 'claimed') LIMIT 1"
        )

    def only_waits(self) -> bool:
        """Whether nothing happens any more but that wallets' quarantines pass."""
        now = self.clockwork.now()
        return (
            not self._unreported()
            and not self.world.books.value(
                "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'errored', 'partial')"
                " UNION ALL SELECT 1 FROM legs WHERE status = 'pending' AND NOT EXISTS (SELECT 1 FROM attempts"
                "   WHERE leg_id = legs.id AND state = 'sent' AND checks > 1)"
                " UNION ALL SELECT 1 FROM attempts WHERE state IN ('ready', 'claimed') LIMIT 1"
            )
            and not any(end <= now for end in self._ends())
        )

    def _ends(self) -> list[float]:
        """For each payment in doubt the time from which its wallet's word counts and a payee holds it no longer.
        Where the clock was ahead, the bot trusts it again when it is as late as that."""
        wallets = {wallet.name: wallet for wallet in self.world.wallets}
        held = {each.payment_hash: each.ends_at for each in self.world.lightning.payments if each.state == "in_flight"}
        newest = self.world.books.read(meta.newest_time)
        trusted = newest if newest > self.clockwork.now() else 0
        return [
            max(
                trusted,
                row["expires_at"] + max(MARGIN_SECONDS, wallets[row["wallet"]].quarantine_seconds(row["amount_msat"])),
                held.get(row["payment_hash"], 0),
            )
            for row in self.world.books.rows(
                "SELECT payment_hash, wallet, expires_at, amount_msat FROM attempts WHERE state IN ('sent', 'claimed')"
            )
        ]

    def _last_end(self) -> float:
        return max(self._ends(), default=0)

    def _unreported(self) -> bool:
        """Whether a machine has not told of a payment."""
        known = {row["payment_hash"] for row in self.world.books.rows("SELECT payment_hash FROM settlements")}
        return any(sale.paid and sale.payment_hash not in known for sale in self.world.sales)

    # --- the verdict -------------------------------------------------------------------------------------------------

    def judge(self) -> Outcome:
        """Counted from what is true of money; only then the books are held against it."""
        world, clock = self.world, self.clockwork
        count = world.books.value
        outcome = Outcome(
            self.seed,
            legs=count("SELECT count(*) FROM legs"),
            crashes=world.crashes,
            days=clock.elapsed / 86_400,
            attempts=count("SELECT count(*) FROM attempts"),
            releases=count("SELECT count(*) FROM attempts WHERE state = 'released'"),
            surplus=count("SELECT count(*) FROM attempts WHERE surplus = 1"),
            orders=count("SELECT count(*) FROM orders"),
            violations=list(clock.problems),
            trace=clock.trace,
            lines=clock.lines,
        )
        self._count_doubles(outcome)
        self._count_lost(outcome)
        self._compare_wallets(outcome)
        return outcome

    def _count_doubles(self, outcome: Outcome) -> None:
        """A leg may be paid a second time where the operator released the first, and it is a credit then."""
        by_operator = {
            row["payment_hash"]
            for row in self.world.books.rows("SELECT DISTINCT payment_hash FROM evidence WHERE source = 'operator'")
            if row["payment_hash"] in self.world.released
        }
        surplus = {row["payment_hash"] for row in self.world.books.rows("SELECT payment_hash FROM credits")}
        by_leg: dict[str, list[Payment]] = defaultdict(list)
        for payment in self.world.lightning.paid():
            by_leg[payment.leg].append(payment)
        for leg, paid in by_leg.items():
            unreleased = [payment for payment in paid if payment.payment_hash not in by_operator]
            if len(unreleased) > 1:
                outcome.doubles.append(f"double {leg} was paid {len(paid)} times")
            elif len(paid) > 1 and sum(each.payment_hash in surplus for each in paid) != len(paid) - 1:
                outcome.violations.append(f"surplus {leg} was paid {len(paid)} times, and not all but one are credits")

    def _count_lost(self, outcome: Outcome) -> None:
        books = self.world.books
        paid = {payment.payment_hash: payment for payment in self.world.lightning.paid()}
        for row in books.rows("SELECT payment_hash, leg_id, amount_msat, state FROM attempts"):
            payment = paid.pop(row["payment_hash"], None)
            if payment is not None and row["state"] != "settled":
                outcome.violations.append(
                    f"unbooked P{row['leg_id']}: {row['payment_hash'][:8]} is {row['state']}, and paid"
                )
            elif payment is None and row["state"] == "settled":
                outcome.lost.append(f"lost P{row['leg_id']}: {row['payment_hash'][:8]} is settled, and was never paid")
        outcome.doubles += [f"unknown {payment.leg}: a payment that is in no book" for payment in paid.values()]
        # What an order paid out or paid back may fail for good: the operator gives another order.
        for row in books.rows(
            "SELECT id, status, reason FROM legs WHERE status = 'pending'"
            " OR status = 'failed' AND settlement_id IS NOT NULL AND type <> 'refund'"
        ):
            outcome.lost.append(f"lost P{row['id']}: {row['status']}, {row['reason']}")
        known = {
            row["payment_hash"]: row["status"] for row in books.rows("SELECT payment_hash, status FROM settlements")
        }
        for sale in self.world.sales:
            status = known.get(sale.payment_hash)
            if sale.paid and status not in ("processed", "refunded"):
                outcome.lost.append(f"lost sale {sale.payment_hash[:8]}: {status}")

    def _compare_wallets(self, outcome: Outcome) -> None:
        """Every sat of a wallet is in the journal, but for fees of which the wallet told nothing."""
        books = self.world.books
        untold: Counter[str] = Counter()
        fees = {
            row["payment_hash"]: row["fees_msat"] for row in books.rows("SELECT payment_hash, fees_msat FROM attempts")
        }
        for payment in self.world.lightning.paid():
            untold[payment.wallet] += payment.fee_msat - fees.get(payment.payment_hash, 0)
        for wallet in self.world.wallets:
            booked = books.value(
                "SELECT coalesce(sum(amount), 0) FROM postings WHERE account = ?", f"assets:wallet:{wallet.name}"
            )
            if wallet.balance_msat != booked - untold[wallet.name]:
                detail = f"{wallet.balance_msat} msat, booked {booked}, of untold fees {untold[wallet.name]}"
                outcome.violations.append(f"wallet {wallet.name}: {detail}")


def chosen(seed: int) -> Scenery:
    """A world for a seed: their differences are a part of the search."""
    chance = random.Random(seed)
    manners = ["honest", "lnbits", "alby-lnd", "alby-ldk"]
    return Scenery(
        wallets=tuple(chance.choice(manners) for _ in range(chance.randrange(1, 4))),
        lps=chance.randrange(2, 6),
        wallet_chaos=chance.choice((0.5, 1, 2, 4)),
        relay_chaos=chance.choice((0.3, 1, 3)),
        payee_chaos=chance.choice((0.3, 1, 3)),
        troubles=chance.choice((0.3, 1, 2)),
        orders=chance.choice((0.3, 1, 2)),
        steps_of_a_life=chance.choice((300, 1_500, 6_000)),
        seconds_between_sales=chance.choice((4, 10, 25)),
    )
