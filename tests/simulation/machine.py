"""What hypothesis makes of the same world: whatever it does, and in whatever order, no leg is paid twice or lost."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.simulation.fate import REFUSALS
from tests.simulation.life import Life, simulated
from tests.simulation.run import Outcome, Simulation
from tests.simulation.wallet import HOUR, MANNERS, Lies
from tests.simulation.world import Scenery

QUIET = Scenery(lps=2, wallet_chaos=0, relay_chaos=0, payee_chaos=0, troubles=0, orders=0, steps_of_a_life=0)
NO_LIES = Lies(unseen=0, failed=0, blind=0, unproven=0, to_the_edge=0)
LIES = {
    "honest": NO_LIES,
    "unseen": replace(NO_LIES, unseen=1.0),
    "unseen to the edge": replace(NO_LIES, unseen=1.0, to_the_edge=1.0),
    "failed": replace(NO_LIES, failed=1.0),
    "failed to the edge": replace(NO_LIES, failed=1.0, to_the_edge=1.0),
    "found by the list alone": replace(NO_LIES, blind=1.0),
    "without a preimage": replace(NO_LIES, unproven=1.0),
}


class HostileWorld(RuleBasedStateMachine):
    """One bot that is started, killed, ordered and lied to."""

    def __init__(self) -> None:
        super().__init__()
        self._patches = contextlib.ExitStack()

    @initialize(seed=st.integers(0, 2**32), manners=st.lists(st.sampled_from(sorted(MANNERS)), min_size=1, max_size=2))
    def begin(self, seed: int, manners: list[str]) -> None:
        self.simulation = Simulation(seed, 0, replace(QUIET, wallets=tuple(manners)))
        self.world, self.clock = self.simulation.world, self.simulation.clockwork
        self._patches.enter_context(simulated(self.clock))
        self._start()

    def _start(self) -> None:
        self.life = self.world.life = Life(self.world, None)
        self.life.go_on(1)

    def _wallet(self, number: int) -> Any:
        return self.world.wallets[number % len(self.world.wallets)]

    # --- rules -------------------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 1), seconds=st.sampled_from((0, 1, 30)))
    def sell(self, number: int, seconds: float) -> None:
        self.world.sell(self.world.machines[number % len(self.world.machines)])
        self.life.go_on(seconds)

    @rule(seconds=st.sampled_from((0.1, 1, 10, 60, 400, 1_800)))
    def time_passes(self, seconds: float) -> None:
        self.life.go_on(seconds)

    @rule(steps=st.integers(1, 60), seconds=st.sampled_from((0, 5, 700, 2 * HOUR)))
    def crash(self, steps: int, seconds: float) -> None:
        """Within the next steps, and the machine starts it again after a while."""
        self.life.die_after(steps)
        self.life.go_on(30)
        self.life.kill()
        self.clock.pass_time(seconds)
        self._start()

    @rule(offset=st.sampled_from((-86_400, -300, 300, 86_400)), seconds=st.sampled_from((5, 120)))
    def the_clock_is_set(self, offset: int, seconds: float) -> None:
        self.world.set_clock(offset, seconds)
        self.life.go_on(seconds + 5)

    @rule(number=st.integers(0, 1), lies=st.sampled_from(sorted(LIES)))
    def a_wallet_lies(self, number: int, lies: str) -> None:
        wallet = self._wallet(number)
        wallet.lies, wallet.chaos = LIES[lies], 1.0

    @rule(number=st.integers(0, 1), refusal=st.sampled_from((None, *REFUSALS)))
    def a_wallet_refuses(self, number: int, refusal: tuple[str, str] | None) -> None:
        self._wallet(number).refuses = refusal

    @rule(
        number=st.integers(0, 1),
        seconds=st.sampled_from((20, 900)),
        what=st.sampled_from(("silent", "amnesia", "away")),
    )
    def a_wallet_is_gone(self, number: int, seconds: float, what: str) -> None:
        wallet = self._wallet(number)
        if what == "away":
            self.world.wire_fails(wallet, seconds)
        else:
            setattr(wallet, f"{what}_until", self.clock.elapsed + seconds)

    @rule(chaos=st.sampled_from((0.0, 1.0, 8.0)))
    def relays_drop_and_delay(self, chaos: float) -> None:
        self.world.scenery = replace(self.world.scenery, relay_chaos=chaos)

    @rule(seconds=st.sampled_from((20, 300)))
    def the_bot_is_deaf(self, seconds: float) -> None:
        self.world.relays_fail(seconds)
        self.life.go_on(seconds)

    @rule(name=st.sampled_from(("platform", "partner", "lp0")), seconds=st.sampled_from((10, 600)))
    def a_payee_is_down(self, name: str, seconds: float) -> None:
        self.world.payees.by_name[name].down_until = self.clock.elapsed + seconds

    @rule(method=st.sampled_from(("pause", "resume")))
    def everything_is_paused_or_not(self, method: str) -> None:
        self.world.order(method)
        self.life.go_on(1)

    @rule(method=st.sampled_from(("target.freeze", "target.unfreeze")))
    def a_payee_is_frozen_or_not(self, method: str) -> None:
        self.world.order(method, lp="lp0")
        self.life.go_on(1)

    @rule(order=st.sampled_from(("release", "retry", "_correct", "_confirm_deposits")))
    def an_order(self, order: str) -> None:
        getattr(self.simulation.fate, order)()
        self.life.go_on(2)

    @rule()
    def an_lp_brings_fiat_and_is_paid_out(self) -> None:
        machine = self.world.machines[0].name
        self.world.order("deposit.add", machine=machine, lp="lp0", amount="1000.00")
        self.world.order("lp.settle", machine=machine, lp="lp0", rate="50", amount="20.00")
        self.life.go_on(2)

    # --- what must be true -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "simulation"):
            assert not self.clock.problems, self.clock.problems
            so_far = Outcome(0)
            self.simulation._count_doubles(so_far)
            assert not so_far.found, so_far.found

    def teardown(self) -> None:
        """In the end everybody keeps their word, and then everything is paid, once."""
        try:
            if hasattr(self, "simulation"):
                self.life.kill()
                self.simulation.make_friendly()
                self.simulation.settle()
                found = self.simulation.judge().found
                assert not found, found
        finally:
            self._patches.close()
            if hasattr(self, "simulation"):
                self.simulation.close()


BOUNDS = settings(
    max_examples=30, stateful_step_count=20, suppress_health_check=list(HealthCheck), print_blob=True, deadline=None
)
