"""One life of the bot: built, run, and killed between two steps. What is left of it is what was committed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, Self
from unittest import mock

import structlog

import bot.daemon
import bot.wallets
import bot.wiring
from bot.clock import SystemClock
from bot.daemon import Daemon
from bot.delivery import PublishResult
from bot.inbox import Pulse
from bot.pool import RelayState
from bot.timings import Timings
from bot.wiring import Secrets
from bot.workers import auditor, fitness, payer, publisher, views, watchman
from nwc import bolt11
from nwc.event import Event
from nwc.uri import WalletUri
from storage import attempts, legs, settlements
from tests.simulation import plain
from tests.simulation.books import SimDatabase
from tests.simulation.clockwork import Clockwork
from tests.simulation.loop import VirtualLoop
from tests.simulation.plain import PlainKeys

if TYPE_CHECKING:
    from tests.simulation.world import World

_TURNS_TO_END = 2_000
_NO_FAULTS = frozenset({"deaf"})
RELAY = "wss://relay.example"
ROWS = 1_024
"""So many rows of a table are kept as objects."""


class SimClock(SystemClock):
    """The machine's clock: the true time, but for what it was set by (`offset`)."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.offset = 0
        self._offset_at_start = 0

    def begin(self) -> None:
        """A process begins."""
        self._offset_at_start = self.offset

    def now(self) -> int:
        return self._clockwork.now() + self.offset

    def monotonic(self) -> float:
        return self._clockwork.elapsed

    def drift_seconds(self) -> float:
        return abs(self.offset - self._offset_at_start)


class Life:
    """From one start of the bot to its death."""

    def __init__(self, world: World, dies_at: int | None) -> None:
        """`dies_at`: so many steps that reach the world or the disk, and it is dead."""
        self.world = world
        self.clockwork = world.clockwork
        self.alive = True
        self.steps = 0
        self._dies_at = dies_at
        self._loop = VirtualLoop(self.clockwork)
        self._task: asyncio.Task[None] | None = None
        self.relays: SimRelays | None = None
        self.wires: dict[str, SimWire] = {}

    # --- death -------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The dead do nothing more."""
        if not self.alive:
            raise asyncio.CancelledError

    def dies_here(self, moment: str, danger: float = 0.0) -> bool:
        """Whether this step is its last. `danger`: a share of such steps that are the last in any case."""
        if not self.alive:
            return True
        self.steps += 1
        if self.steps != self._dies_at and not (danger and self.clockwork.maybe(danger)):
            return False
        self.clockwork.note(f"CRASH {moment}")
        self.world.crashes += 1
        self.end()
        return True

    def point(self, moment: str) -> None:
        if self.dies_here(moment):
            raise asyncio.CancelledError

    def end(self) -> None:
        self.alive = False
        self._loop.stop()

    # --- life --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Returns when it was killed or ended."""
        try:
            self.go_on()
        finally:
            self.kill()

    def go_on(self, seconds: float | None = None) -> None:
        """Lives for so many seconds more, or until it dies."""
        if not self.alive:
            return
        asyncio.set_event_loop(self._loop)
        if self._task is None:
            self._task = self._loop.create_task(self._run())
            self._task.add_done_callback(lambda _: self._loop.stop())
        if seconds is not None:
            self.clockwork.after(seconds, self._loop.stop)
        self._loop.run_forever()
        asyncio.set_event_loop(None)
        if self._lives() and self._task.done():
            error = None if self._task.cancelled() else self._task.exception()
            self.clockwork.problem(f"the bot ended: {error!r}")
            self.alive = False

    def _lives(self) -> bool:
        return self.alive

    def die_after(self, steps: int) -> None:
        """It has so many steps left."""
        self._dies_at = self.steps + steps

    def kill(self) -> None:
        self.alive = False
        if not self._loop.is_closed():
            self._wind_up()

    async def _run(self) -> None:
        world = self.world
        with self._parts():
            daemon = Daemon(
                world.config,
                Secrets(world.bot_keys, world.uris),  # type: ignore[arg-type]
                asyncio.Event(),
                clock=world.bot_clock,
                timings=Timings(heartbeat_seconds=50.0),
            )
            world.bot_clock.begin()
            db = SimDatabase(world.books, self)
            try:
                await daemon._run(db, None)  # type: ignore[arg-type]
            finally:
                db.witness.close()

    @contextlib.contextmanager
    def _parts(self) -> Iterator[None]:
        """What reaches the network is played."""

        def wire(urls: Any, keys: Any, pubkey: str, on_event: Any, *_: Any, **__: Any) -> SimWire:
            made = self.wires[pubkey] = SimWire(self, pubkey, on_event)
            return made

        with (
            mock.patch.object(bot.wiring, "Relays", lambda *args, **more: SimRelays(self, args[2])),
            mock.patch.object(bot.wiring, "GuardedHttp", return_value=SimHttp(self)),
            mock.patch.object(bot.wiring, "WalletWire", wire),
        ):
            yield

    def _wind_up(self) -> None:
        """Nothing of the dead is left: all that they still try has no effect (`check`)."""
        asyncio.set_event_loop(self._loop)
        self._loop.stopped = True
        for _ in range(_TURNS_TO_END):
            left = asyncio.all_tasks(self._loop)
            if not left:
                break
            for task in left:
                task.cancel()
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
        asyncio.set_event_loop(None)
        self._loop.close()


class SimWire:
    """Stands for `bot.wallet_wire.WalletWire`."""

    def __init__(self, life: Life, pubkey: str, on_event: Callable[[Event], Any]) -> None:
        self._life = life
        self._pubkey = pubkey
        self._on_event = on_event

    def hear(self, event: Event) -> None:
        if self._life.alive:
            self._on_event(event)

    async def publish(self, event: Event) -> bool:
        self._life.point("before a request to a wallet")
        accepted = self._life.world.to_wallet(self._pubkey, event)
        self._life.point("after a request to a wallet")
        await asyncio.sleep(self._life.clockwork.between(0.01, 0.1))
        return accepted

    async def fetch_info(self, wallet_pubkey: str) -> Event | None:
        self._life.check()
        await asyncio.sleep(0.05)
        return self._life.world.wallet_info(wallet_pubkey) if self.listening() else None

    def connected(self) -> bool:
        return self._life.world.wire_is_up(self._pubkey)

    def listening(self) -> bool:
        return self.connected()

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()

    async def __aenter__(self) -> Self:
        self._life.world.bring_old_answers(self._pubkey)
        return self

    async def __aexit__(self, *_: object) -> None:
        return


class SimRelays:
    """Stands for `bot.relays.Relays`: where orders and reports come in, and receipts and answers go out."""

    def __init__(self, life: Life, on_event: Callable[[Event, str, bool], bool]) -> None:
        self._life = life
        self._on_event = on_event
        self._pulse: Pulse | None = None
        self.urls = (RELAY,)
        life.relays = self

    def hear(self, event: Event, *, repeat: bool) -> None:
        """What is addressed to the bot comes in live."""
        if self._pulse is not None:
            if self._pulse.take_beat(RELAY, event, live=not repeat):
                return
            self._pulse.hear_live(RELAY)
        self._on_event(event, RELAY, repeat)

    def watch(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def subscribe(self, *_: object) -> None:
        return

    def listen_anew(self, _: str) -> None:
        return

    def reconnect(self, _: str) -> None:
        return

    def caught_up(self, _: str) -> dict[str, int]:
        return {}

    def catching_up(self) -> frozenset[str]:
        return frozenset()  # it keeps nothing

    async def publish(self, event: Event, *_: Any, **__: Any) -> PublishResult:
        self._life.point("before an event of ours")
        accepted = self._life.world.from_bot(event)
        self._life.point("after an event of ours")
        await asyncio.sleep(0.05)
        if accepted:
            return PublishResult(frozenset({RELAY}))
        return PublishResult(silent={RELAY: "no answer in time"})

    async def publish_to(self, _: object, event: Event, *args: Any, **more: Any) -> PublishResult:
        return await self.publish(event)

    async def read_page(self, *_: object) -> list[Any]:
        return []  # it keeps nothing

    async def fetch_one(self, *_: Any, **__: Any) -> Event | None:
        self._life.check()
        await asyncio.sleep(0.05)
        return None

    def states(self) -> dict[str, RelayState]:
        up = self.connected()
        return {RELAY: RelayState(up, up, self.heard_at())}

    def connected(self) -> bool:
        return self._life.world.relays_up()

    def listening(self) -> bool:
        return self._life.world.relays_up()

    def heard_at(self) -> int | None:
        return self._life.world.relays_heard_at()

    async def wait_closed(self) -> None:
        await asyncio.Event().wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


class SimHttp:
    """Stands for `nwc.fetch.GuardedHttp`."""

    allow_private = False

    def __init__(self, life: Life) -> None:
        self._life = life

    async def get_json(self, url: str) -> object:
        self._life.point("before a call of a payee")
        found = await self._life.world.payees.get_json(url)
        self._life.point("after a call of a payee")
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@contextlib.contextmanager
def simulated(clockwork: Clockwork) -> Iterator[None]:
    """What of the program is other in a simulation: keys and invoices without cryptography, waits that only poll made
    longer, rows that are read often made to objects once, and a log in which an error is a fault found."""

    def listen(_logger: object, method: str, words: MutableMapping[str, Any]) -> NoReturn:
        error = words.get("exc_info")
        if words["event"] in _NO_FAULTS:
            raise structlog.DropEvent
        clockwork.problem(f"log {method}: {words} {error!r}")
        raise structlog.DropEvent

    kept = structlog.get_config()
    structlog.configure(
        processors=[listen], wrapper_class=structlog.make_filtering_bound_logger(40), cache_logger_on_first_use=False
    )
    with (
        mock.patch.object(bot.wiring, "Keys", PlainKeys),
        mock.patch.object(bot.daemon, "Keys", PlainKeys),
        mock.patch.object(bolt11, "decode", plain.decode_invoice),
        mock.patch.object(attempts, "from_row", lru_cache(ROWS)(attempts.from_row)),
        mock.patch.object(legs, "from_row", lru_cache(ROWS)(legs.from_row)),
        mock.patch.object(settlements, "from_row", lru_cache(ROWS)(settlements.from_row)),
        mock.patch.object(publisher, "wrap_dm", plain.wrap_dm),
        mock.patch.object(publisher, "make_direct", plain.make_direct),
        mock.patch.object(bot.wallets, "USABLE_LOOK_SECONDS", 60.0),
        mock.patch.object(bot.wallets, "UNUSABLE_LOOK_SECONDS", 2.0),
        mock.patch("os.fsync"),
        mock.patch("os.fdatasync"),
        mock.patch.object(auditor, "LOOK_SECONDS", 5.0),
        mock.patch.object(fitness, "LOOK_SECONDS", 60.0),
        mock.patch.object(watchman, "REST_SECONDS", 3_600.0),
        mock.patch.object(views, "GATHER_SECONDS", 30.0),
        mock.patch.object(payer, "RETRY_SECONDS", 15),
    ):
        try:
            yield
        finally:
            structlog.configure(**kept)


def wallet_uri(pubkey: str, number: int) -> WalletUri:
    return WalletUri(pubkey, (RELAY,), f"{number + 1:064x}")
