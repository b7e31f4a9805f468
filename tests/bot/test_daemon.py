"""What the daemon decides about itself: whether it hears, whether its clock left work behind, what is wrong with it."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bot import logs
from bot.clock import SystemClock
from bot.config import Config
from bot.config_file import load
from bot.daemon import HEARD_KEY, CannotStart, Daemon, _main, read_secrets
from bot.nostr import Keys
from bot.wiring import Parts, Secrets
from storage import attempts, legs, meta, outbox, settlements
from storage.db import Tx
from tests.bot.conftest import until
from tests.handlers.conftest import desk, owed, till
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

__all__ = ["desk", "owed", "till"]

DEAF_AFTER = 120
LEAST = '[identity]\nkey = "file:operator.nsec"\n[nostr]\nrelays = ["wss://relay.example.com"]\n'


class HandClock(SystemClock):
    """Wall clock and monotonic clock, each moved by hand."""

    def __init__(self, now: int) -> None:
        super().__init__()
        self.wall = now
        self.since_start = 5_000.0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.since_start

    def advance(self, seconds: int) -> None:
        self.wall += seconds
        self.since_start += seconds


@dataclass
class Ears:
    """The relays, as far as hearing goes."""

    clock: HandClock
    subscribed: bool = True
    heard: int | None = None
    """When anything came from a relay, by the wall clock."""

    def listening(self) -> bool:
        return self.subscribed

    def heard_at(self) -> int | None:
        return self.heard

    def hear(self) -> None:
        self.heard = self.clock.now()


@dataclass
class WalletAtWork:
    """What `health` looks at in a wallet's parts."""

    up: bool = True
    held: set[int] = field(default_factory=set)
    loaded: bool = True

    def connected(self) -> bool:
        return self.up

    @property
    def parts(self) -> SimpleNamespace:
        return SimpleNamespace(wire=self, payer=self, resolver=self)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    path = tmp_path / "config.toml"
    path.write_text(LEAST + f"[policy]\ndeaf_after_seconds = {DEAF_AFTER}\n")
    return Daemon(load(path, {}), Secrets(Keys.generate(), {}), asyncio.Event(), clock=HandClock(1_790_000_000))


def with_ears(daemon: Daemon, **wallets: WalletAtWork) -> tuple[HandClock, Ears]:
    assert isinstance(daemon.clock, HandClock)
    ears = Ears(daemon.clock)
    parts = SimpleNamespace(relays=ears, wallets={name: wallet.parts for name, wallet in wallets.items()})
    daemon._parts = cast(Parts, parts)
    return daemon.clock, ears


# --- deafness --------------------------------------------------------------------------------------------------------


async def test_it_is_deaf_before_it_has_heard_anything(daemon: Daemon) -> None:
    assert not daemon._may_pay()
    _, ears = with_ears(daemon)
    assert not daemon._may_pay()
    ears.hear()
    assert daemon._may_pay()


async def test_it_is_deaf_when_nothing_was_heard_for_long(daemon: Daemon) -> None:
    """A `pause` that was said meanwhile would not have reached it."""
    clock, ears = with_ears(daemon)
    ears.hear()
    for seconds, may_pay in ((DEAF_AFTER, True), (1, False)):
        clock.advance(seconds)
        assert daemon._may_pay() is may_pay
    assert "deaf" in daemon._problems()
    ears.hear()
    assert daemon._may_pay()


async def test_a_relay_that_talks_but_closed_the_subscription_is_not_heard(daemon: Daemon) -> None:
    """It sends pings, OKs and notices, and no orders: `heard_at` stays fresh, and still nobody's `pause` arrives."""
    clock, ears = with_ears(daemon)
    ears.hear()
    assert daemon._may_pay()
    ears.subscribed = False
    for _ in range(DEAF_AFTER // 10):
        clock.advance(10)
        ears.hear()
        assert daemon._may_pay()
    clock.advance(1)
    ears.hear()
    assert not daemon._may_pay()
    ears.subscribed = True
    assert daemon._may_pay()


async def test_one_that_never_subscribed_is_deaf_from_the_start(daemon: Daemon) -> None:
    _, ears = with_ears(daemon)
    ears.subscribed = False
    ears.hear()
    assert not daemon._may_pay()


async def test_a_clock_that_is_set_back_does_not_make_it_hear(daemon: Daemon) -> None:
    """By the wall clock what was heard lies in the future for days. How long ago it listened is measured otherwise."""
    clock, ears = with_ears(daemon)
    ears.hear()
    assert daemon._may_pay()
    clock.wall -= 7 * 86_400
    ears.subscribed = False
    clock.advance(DEAF_AFTER + 1)
    assert not daemon._may_pay()


async def test_nothing_is_paid_by_one_that_is_stopping(daemon: Daemon) -> None:
    _, ears = with_ears(daemon)
    ears.hear()
    assert daemon._may_pay()
    daemon._draining = True
    assert not daemon._may_pay()


# --- times that a wrong clock left behind ----------------------------------------------------------------------------


async def put_off_for_days(till: Till) -> None:
    """The clock was ten days ahead: a leg, a payment in doubt, a report and a message wait for days that are far."""
    await till.sent(3, 3)
    await till.receive(report(hash_of(7)))
    far = till.now + 10 * 86_400

    def work(tx: Tx) -> None:
        leg = legs.get(tx, 1)
        assert leg is not None
        legs.put_off(tx, leg, next_try_at=far, reason="away", counts=True)
        attempts.check_again(tx, hash_of(3), far, counts=True)
        settlements.set_proof(tx, 2, None, far, far)
        outbox.put_dm(tx, to="ab" * 32, text="x", answers=None, signed=False, now=till.now)
        tx.run("UPDATE outbox SET next_try_at = ?", (far,))

    await till.desk.tx(work)


async def waits(till: Till) -> dict[str, int]:
    """The longest that anything of each kind waits, in seconds from now."""
    statements = {
        "leg": "SELECT max(next_try_at) FROM legs WHERE status = 'pending'",
        "attempt": "SELECT max(next_check_at) FROM attempts WHERE state = 'sent'",
        "settlement": "SELECT max(next_proof_at) FROM settlements WHERE status = 'unverified'",
        "message": "SELECT max(next_try_at) FROM outbox WHERE state = 'waiting'",
    }
    return {name: await till.desk.count(statement) - till.now for name, statement in statements.items()}


async def test_the_start_mends_what_a_clock_ahead_put_off(owed: Till, daemon: Daemon) -> None:
    """Payments in doubt are even looked at before all else; the rest within the hour, instead of in ten days."""
    await put_off_for_days(owed)
    assert min((await waits(owed)).values()) == 10 * 86_400
    await owed.desk.tx(daemon._open_books)
    assert await waits(owed) == {"leg": 3_600, "attempt": 0, "settlement": 3_600, "message": 3_600}


async def test_so_does_the_running_bot(owed: Till, daemon: Daemon) -> None:
    """The clock comes right while it runs: within a minute, by its housekeeping."""
    await put_off_for_days(owed)
    _, ears = with_ears(daemon)
    ears.heard = owed.now + 10 * 86_400
    await owed.desk.tx(daemon._clean)
    assert set((await waits(owed)).values()) == {3_600}
    assert await owed.desk.tx(lambda tx: meta.get(tx, HEARD_KEY)) == str(owed.now), (
        "nor does it miss ten days of orders"
    )


async def test_a_clock_behind_the_books_is_not_sane(owed: Till, daemon: Daemon) -> None:
    """Something was booked at a time that is yet to come: nothing is released until that time has passed."""
    await owed.desk.tx(daemon._open_books)
    assert daemon._clock_sane()
    assert isinstance(daemon.clock, HandClock)
    daemon.clock.wall -= 3_600
    assert not daemon._clock_sane()


# --- health ----------------------------------------------------------------------------------------------------------


async def test_health_names_what_is_held(daemon: Daemon) -> None:
    """A payment at which our own program tripped waits for a person: nobody would look without being told."""
    main, second = WalletAtWork(held={3, 7}), WalletAtWork(up=False)
    _, ears = with_ears(daemon, main=main, second=second)
    ears.hear()
    problems = daemon._problems()
    assert set(problems) == {"wallets.main.held", "wallets.second"}
    assert problems["wallets.main.held"].startswith("2 payments are held")
    main.held.clear()
    assert set(daemon._problems()) == {"wallets.second"}


# --- reload ----------------------------------------------------------------------------------------------------------


class Served:
    """Stands for the daemon, as far as its start and its end go. `names` of the configurations that were begun with."""

    names: list[str]

    def __init__(self, config: Config, secrets: Secrets, shutdown: asyncio.Event) -> None:
        self.name, self.shutdown = config.identity.name, shutdown

    async def run(self) -> None:
        self.names.append(self.name)
        if self.name == "another wallet":
            raise CannotStart("payments from the one before are not resolved")
        await self.shutdown.wait()


async def test_a_configuration_that_can_not_start_leaves_the_one_before_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another wallet while a payment is in doubt: that shows only at the start, and once ended the bot at a reload."""
    path = tmp_path / "config.toml"
    (tmp_path / "operator.nsec").write_text(Keys.generate().nsec())
    (tmp_path / "operator.nsec").chmod(0o600)
    Served.names = []
    monkeypatch.setattr("bot.daemon.Daemon", Served)
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def configure(name: str) -> None:
        path.write_text(LEAST.replace("[nostr]", f'name = "{name}"\n[nostr]'))

    async def reload(name: str, then: str) -> None:
        configure(name)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: Served.names[-1] == then and name in Served.names, f"{then} serves")

    configure("first")
    config = load(path, {})
    running = asyncio.create_task(_main(path, config, read_secrets(config)))
    await until(lambda: Served.names == ["first"], "the bot serves")
    await reload("another wallet", "first")
    await reload("second", "second")
    assert Served.names == ["first", "another wallet", "first", "second"]
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 5) == 0


async def test_one_that_can_not_start_at_first_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text(LEAST.replace("[nostr]", 'name = "another wallet"\n[nostr]'))
    Served.names = []
    monkeypatch.setattr("bot.daemon.Daemon", Served)
    with pytest.raises(CannotStart):
        await _main(path, load(path, {}), Secrets(Keys.generate(), {}))
