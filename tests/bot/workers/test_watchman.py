"""The watchman: what it sees outside, that it commits once where something changed, and that nothing stops it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from bot.workers import watchman
from bot.workers.wakeup import Bell
from bot.workers.watchman import DEAF_SECONDS, Watchman
from handlers.alarms import digest, watch
from handlers.alarms.digest import Schedule
from handlers.alarms.findings import Clock as ClockState
from handlers.alarms.findings import Outside
from handlers.context import Live, Relay
from ledger.alarms import Cause
from storage import machines, wallets
from storage.errors import TookTooLong
from tests.bot.workers.on_a_wire import running
from tests.handlers.alarms.looking import causes, open_alarms
from tests.handlers.desk import BOSS, Desk

MINUTE, HOUR, DAY = 60, 3_600, 86_400
ONE, TWO = "wss://one.example", "wss://two.example"


@dataclass
class Tower:
    """A watchman over a desk. What he sees is set here."""

    desk: Desk
    monotonic_at: float = 1_000.0
    deaf_now: bool = False
    up: dict[str, bool] = field(default_factory=lambda: {ONE: True, TWO: True})
    heard: dict[str, int] = field(default_factory=dict)
    clock_state: ClockState = ClockState.RIGHT
    bell: Bell = field(default_factory=Bell)
    commits: int = 0
    man: Watchman = field(init=False)

    def __post_init__(self) -> None:
        self.restart()
        self.desk.db.on_commit(self._count)

    def _count(self, _: set[str]) -> None:
        self.commits += 1

    def restart(self) -> None:
        self.man = Watchman(
            self.desk.db,
            self,
            self.bell,
            self,
            settings=lambda: self.desk.settings,
            live=lambda: Live(
                tuple(Relay(url, up) for url, up in self.up.items()), frozenset(), self.desk.now, heard=self.heard
            ),
            clock_state=lambda: self.clock_state,
        )

    def now(self) -> int:
        return self.desk.now

    def monotonic(self) -> float:
        return self.monotonic_at

    def deaf(self) -> bool:
        return self.deaf_now

    def delivering(self) -> frozenset[str]:
        return frozenset(url for url, up in self.up.items() if up)

    async def passes(self, seconds: int, step: int = 600, *, says: bool = False) -> list[str]:
        """He looks so often, and at the end; what the operator is told meanwhile. `says`: the wallets always answer."""
        before = len(await self.desk.dms(BOSS))
        until = self.desk.now + seconds
        while self.desk.now < until:
            step = min(step, until - self.desk.now)
            self.desk.now += step
            self.monotonic_at += step
            if says:
                self.heard = {"main": self.desk.now, "second": self.desk.now}
            await self.man.look()
        return [dm["text"] for dm in (await self.desk.dms(BOSS))[before:]]

    def outside(self) -> Outside:
        return self.man._outside()


@pytest.fixture
async def tower(desk: Desk) -> Tower:
    await desk.with_machine()
    return Tower(desk)


async def seen(desk: Desk) -> None:
    await desk.tx(lambda tx: machines.seen(tx, 1, desk.now))


async def test_a_day_on_which_nothing_is_wrong_costs_no_commit(tower: Tower) -> None:
    before = tower.commits
    assert await tower.passes(HOUR, says=True) == []
    assert tower.commits == before


async def test_what_is_wrong_costs_one_commit_for_each_message(tower: Tower) -> None:
    await seen(tower.desk)
    before = tower.commits
    told = await tower.passes(4 * HOUR, says=True)
    assert [text.split(" since ")[0] for text in told] == [
        "sintra has been silent", "Still: sintra has been silent", "Still: sintra has been silent",
    ]  # fmt: skip
    assert tower.commits - before == 3


async def test_nothing_is_silent_before_it_could_have_been_heard(tower: Tower) -> None:
    """A bot that was off for a day blames nobody for that: it waits first, as long as a machine may be silent."""
    await seen(tower.desk)
    tower.desk.now += DAY
    tower.restart()
    assert await tower.passes(90 * MINUTE, says=True) == []
    assert len(await tower.passes(MINUTE, says=True)) == 1
    tower.restart()
    assert await tower.passes(30 * MINUTE, says=True) == []
    assert await causes(tower.desk) == [Cause.MACHINE_SILENT]


@pytest.mark.parametrize("step", [DAY, -DAY])
async def test_a_clock_that_steps_makes_nobody_silent(tower: Tower, step: int) -> None:
    await tower.passes(HOUR, says=True)
    await seen(tower.desk)
    await tower.passes(HOUR, says=True)
    await seen(tower.desk)
    tower.desk.now += step
    told = await tower.passes(80 * MINUTE, says=True)
    assert not any("silent" in text for text in told)


async def test_deafness_is_seen_and_its_end_counts_anew(tower: Tower) -> None:
    await tower.passes(3 * HOUR, says=True)
    tower.deaf_now = True
    first = tower.outside()
    assert (first.heard_for, first.deaf_since) == (0, None)
    began = tower.desk.now
    await seen(tower.desk)
    await tower.passes(2 * HOUR, says=True)
    assert (tower.outside()).deaf_since == began
    assert await causes(tower.desk) == [Cause.DEAF]
    tower.deaf_now = False
    await tower.passes(int(DEAF_SECONDS), says=True)
    assert await causes(tower.desk) == []
    assert (tower.outside()).heard_for <= DEAF_SECONDS


async def test_a_relay_that_is_down_and_one_that_goes_up_and_down(tower: Tower) -> None:
    tower.up[ONE] = False
    told = await tower.passes(15 * MINUTE, step=60, says=True)
    assert [text.split(" since ")[0] for text in told] == [f"Relay {ONE} is down"]
    before = tower.commits
    await tower.passes(5 * MINUTE, says=True)
    assert tower.commits == before, "how long it lasts is no news"
    tower.up[ONE] = True
    assert len(await tower.passes(MINUTE, says=True)) == 1
    told = []
    for minute in range(30):
        tower.up[TWO] = minute % 2 == 0
        told += await tower.passes(MINUTE, says=True)
    assert told == []


async def test_a_wallet_that_stops_answering(tower: Tower) -> None:
    await tower.desk.tx(lambda tx: wallets.answered(tx, "main", tower.desk.now))
    assert await tower.passes(10 * MINUTE, says=True) == []
    told = await tower.passes(20 * MINUTE)
    assert [text.split(" since ")[0] for text in told] == ["Wallet main has not answered"]
    await tower.desk.tx(lambda tx: wallets.answered(tx, "main", tower.desk.now))
    (over,) = await tower.passes(MINUTE, says=True)
    assert over.startswith("Over: ")


async def test_the_disk_and_the_clock(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=499 * 2**20))
    tower.clock_state = ClockState.BEHIND
    assert len(await tower.passes(MINUTE, says=True)) == 2

    def gone(_: Path) -> Any:
        raise OSError

    monkeypatch.setattr("shutil.disk_usage", gone)
    tower.clock_state = ClockState.UNKNOWN
    assert await tower.passes(MINUTE, says=True) == []
    assert len(await open_alarms(tower.desk)) == 2


async def test_the_digest_is_sent_once_a_day_also_after_a_restart(tower: Tower) -> None:
    tower.desk.with_settings(digest=Schedule("08:00", ZoneInfo("America/Guatemala")))
    told = []
    for _ in range(3 * 24):
        told += await tower.passes(HOUR, step=HOUR, says=True)
        tower.restart()
    assert [text.splitlines()[1] for text in told] == ["2026-09-21:", "2026-09-22:", "2026-09-23:"]


async def test_a_digest_that_can_not_be_read_is_sent_later(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    tower.desk.with_settings(digest=Schedule("00:00"))
    await tower.passes(MINUTE, says=True)
    reads: list[int] = []
    real = digest.message

    def slow(*given: Any) -> Any:
        reads.append(tower.desk.now)
        raise TookTooLong

    monkeypatch.setattr(digest, "message", slow)
    assert not any("Cash-out" in text for text in await tower.passes(DAY, step=HOUR, says=True))
    before, tried = tower.commits, len(reads)
    await tower.passes(5 * MINUTE, step=30, says=True)
    assert len(reads) - tried <= 1, "it is not read over and over"
    assert tower.commits - before <= 1
    monkeypatch.setattr(digest, "message", real)
    told = await tower.passes(11 * MINUTE, step=60, says=True)
    assert [text.splitlines()[1] for text in told if "Cash-out" in text] == ["2026-09-21:"]


async def test_a_fault_of_his_stops_nothing(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm is not worth a payment."""
    monkeypatch.setattr(watchman, "REST_SECONDS", 0.01)
    monkeypatch.setattr(watchman, "LOOK_SECONDS", 0.02)
    faults: list[int] = []

    def broken(*_: Any) -> Any:
        faults.append(1)
        raise RuntimeError("planted")

    monkeypatch.setattr(watch, "changes", broken)
    with capture_logs() as said:
        async with running(tower.man.run()):
            while len(faults) < 3:
                await asyncio.sleep(0.01)
    assert {line["event"] for line in said} == {"not_watched"}


async def test_thousand_machines_are_looked_at_in_a_moment(desk: Desk) -> None:
    """And two hundred that fall silent together are one message."""

    def fill(tx: Any) -> None:
        for number in range(1_000):
            tx.insert(
                "wallets",
                name=f"w{number}",
                wallet_pubkey="a" * 64,
                client_pubkey="b" * 64,
                created_at=1,
                connected_at=1,
            )
            tx.insert(
                "machines", pubkey=f"{number:064}", name=f"atm{number:03}", wallet=f"w{number}", fiat="GTQ",
                cash_in_ppm=0, cash_out_ppm=0, created_at=1, last_seen_at=desk.now - (2 * HOUR if number < 200 else 0),
            )  # fmt: skip

    await desk.tx(fill)
    tower = Tower(desk)
    tower.man._hearing_since -= DAY
    began = asyncio.get_running_loop().time()
    told = await tower.passes(30, says=True)
    assert asyncio.get_running_loop().time() - began < 2
    assert [text.splitlines()[0] for text in told] == ["Alarms: 200 × machine silent."]
    assert await tower.passes(30, says=True) == []
