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
from bot.daemon import CannotStart, Daemon, _main, read_secrets
from bot.intake import FOR_US
from bot.nostr import Keys
from bot.wiring import Parts, Secrets
from handlers.relay_trouble import Silence
from nwc.keys import npub_of
from storage import attempts, legs, machines, outbox, relays, settlements
from storage.db import Tx
from tests.bot.conftest import until
from tests.handlers.conftest import desk, owed, till
from tests.handlers.desk import BOSS
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of

__all__ = ["desk", "owed", "till"]

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

    def advance(self, seconds: float) -> None:
        self.wall += int(seconds)
        self.since_start += seconds


@dataclass
class Hearing:
    """The heartbeat and the relays, as far as the daemon asks them."""

    deafened: bool = False
    braked: bool = False
    silence: Silence | None = None
    read_until: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def deaf(self) -> bool:
        return self.deafened

    def withholding(self) -> frozenset[str]:
        return frozenset({"wss://mute.example"})

    def delivering(self) -> frozenset[str]:
        return frozenset()

    def listening(self) -> bool:
        return True

    def caught_up(self, name: str) -> dict[str, int]:
        return {"wss://one.example": self.read_until} if name == FOR_US else {}


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
    path.write_text(LEAST + f'[roles]\noperators = ["{npub_of(BOSS)}"]\n')
    return Daemon(load(path, {}), Secrets(Keys.generate(), {}), asyncio.Event(), clock=HandClock(1_790_000_000))


def that_hears(daemon: Daemon, **wallets: WalletAtWork) -> Hearing:
    hearing = Hearing()
    parts = SimpleNamespace(
        relays=hearing,
        heartbeat=hearing,
        own_events=hearing,
        intake=SimpleNamespace(holds_a_brake=lambda: hearing.braked),
        auditor=SimpleNamespace(held=(), checking=lambda: False, may_pay=lambda: True),
        wallets={name: wallet.parts for name, wallet in wallets.items()},
    )
    daemon._parts = cast(Parts, parts)
    return hearing


# --- what it hears ---------------------------------------------------------------------------------------------------


async def test_nothing_is_paid_by_one_that_is_deaf_or_stopping(daemon: Daemon) -> None:
    """It is deaf until its parts are there."""
    assert not daemon._may_pay()
    hearing = that_hears(daemon)
    assert not daemon._may_pay(), "no relay was asked what the bot said itself"
    hearing.answered.set()
    assert daemon._may_pay()
    hearing.deafened = True
    assert not daemon._may_pay()
    assert "deaf" in daemon._problems()
    hearing.deafened = False
    hearing.braked = True
    assert not daemon._may_pay(), "somebody has said pause, and it waits for its turn"
    hearing.braked = False
    daemon._draining = True
    assert not daemon._may_pay()


async def test_operators_are_told_once_of_a_silence_and_of_a_relay_that_withholds(till: Till, daemon: Daemon) -> None:
    hearing = that_hears(daemon)
    hearing.silence = Silence(till.now - 700, till.now)
    for _ in range(2):
        await till.desk.tx(daemon._clean)
    mute, silent = sorted(await till.told(), reverse=True)
    assert mute.startswith("Relay wss://mute.example takes messages and delivers none")
    assert silent.startswith("I heard no relay from ")
    hearing.silence = Silence(till.now, till.now + 200)
    await till.desk.tx(daemon._clean)
    assert len(await till.told()) == 3


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
    """Payments in doubt are even looked at before all else; legs wait no longer than any does, the rest within an hour
    instead of ten days."""
    await put_off_for_days(owed)
    assert min((await waits(owed)).values()) == 10 * 86_400
    await owed.desk.tx(daemon._open_books)
    assert await waits(owed) == {"leg": 300, "attempt": 0, "settlement": 3_600, "message": 3_600}


async def test_a_machine_that_was_heard_in_the_future_was_heard_now(till: Till, daemon: Daemon) -> None:
    that_hears(daemon)
    await till.desk.tx(lambda tx: machines.seen(tx, 1, till.now + 86_400))
    await till.desk.tx(daemon._clean)
    assert await till.desk.tx(lambda tx: machines.last_seen_at(tx, 1)) == till.now


async def test_so_does_the_running_bot(owed: Till, daemon: Daemon) -> None:
    """The clock comes right while it runs: within a minute, by its housekeeping."""
    await put_off_for_days(owed)
    hearing = that_hears(daemon)
    hearing.read_until = owed.now + 10 * 86_400
    for _ in range(2):
        await owed.desk.tx(daemon._clean)
    assert await waits(owed) == {"leg": 300, "attempt": 3_600, "settlement": 3_600, "message": 3_600}
    anywhere, each = await owed.desk.tx(lambda tx: relays.listen_from(tx, owed.now))
    assert (anywhere, each) == (owed.now, {"wss://one.example": owed.now}), "nor does it miss ten days of orders"


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
    that_hears(daemon, main=main, second=second)
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
