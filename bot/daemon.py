"""`satmachine run`: the bot as one process, from configuration to the last commit.

Starts the parts, supervises them as one group of tasks, and ends them in order: intake first, then what is in flight
is given time to be answered, then everything else. A fault in one task ends the process, loudly: what it was doing is
in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import uvloop

from bot import logs, policies, sd_notify
from bot.clock import SystemClock
from bot.config import Config
from bot.config_file import ConfigError, load
from bot.health import Health, HealthError, HealthServer
from bot.intake import FOR_US, subscriptions
from bot.nostr import Keys
from bot.secrets import SecretError, read_key, read_wallet_uri
from bot.timings import Timings
from bot.version import version
from bot.wiring import Parts, Secrets, Wiring
from bot.workers.wakeup import Bells
from handlers import fixed_mode, missing_reports, past, payment, published, relay_trouble, wallet_trouble
from handlers.commands import platform
from handlers.context import Live, Relay, Settings, WalletOffer
from ledger.decide.attempt import WalletProfile
from ledger.fees import FeeRates
from ledger.model import Platform
from storage import alerts, attempts, fleet, inbox, legs, meta, orders, outbox, relays, settlements, wallets
from storage.db import Database, Tx
from storage.errors import AlreadyRunning, StorageBroken, StorageError
from storage.witness import Witness

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 20
FLUSH_SECONDS: Final = 2
LOOK_SECONDS: Final = 0.05
HOUSEKEEPING_SECONDS: Final = 60
KEEP_INBOX_SECONDS: Final = 30 * 86_400
KEEP_OUTBOX_SECONDS: Final = 7 * 86_400
LONGEST_PLAN_SECONDS: Final = 3_600
"""Nothing is put off for longer than this at a time."""
LATE_ANSWER_SECONDS: Final = 30 * 86_400
CLOCK_STEP_SECONDS: Final = 120


class CannotStart(Exception):
    """The bot can't run as it is set up; the message says why and what to do."""


class _Stop(Exception):
    """Ends the group of tasks after an orderly stop."""


def read_secrets(config: Config) -> Secrets:
    """Raises CannotStart, naming each key whose source holds nothing usable."""
    wrong = []
    keys = None
    try:
        keys = read_key(config.identity.key, config.directory)
    except SecretError as error:
        wrong.append(f"identity.key: {error} (`satmachine init` makes one)")
    uris = {}
    for name, wallet in config.wallets.items():
        try:
            uris[name] = read_wallet_uri(wallet.uri, config.directory)
        except SecretError as error:
            wrong.append(f"wallets.{name}.uri: {error}")
    if keys is None or wrong:
        raise CannotStart("\n".join(wrong))
    shared = {uri.secret for uri in uris.values()}
    if len(shared) < len(uris):
        raise CannotStart("wallets: two of them are the same connection, and no two machines may share a wallet")
    return Secrets(keys, uris)


@dataclass(slots=True)
class Daemon:
    """One run of the bot. `run` returns after `shutdown` is set and everything is committed."""

    config: Config
    secrets: Secrets
    shutdown: asyncio.Event
    clock: SystemClock = field(default_factory=SystemClock)
    timings: Timings = field(default_factory=Timings)
    on_ready: Callable[[], None] | None = None
    """Called once, when the bot serves."""
    db: Database | None = None
    """The open database while the bot runs."""
    _started_at: int = 0
    _draining: bool = False
    _ready: bool = False
    _booked_until: int = 0
    _read_until: dict[str, int] = field(default_factory=dict)
    _parts: Parts | None = None
    _orders: Settings | None = None

    async def run(self) -> None:
        """Raises StorageError, HealthError, CannotStart before anything moved; StorageBroken when the disk failed."""
        # The database first: a second bot must learn that it is one, not that its port is taken.
        db = await Database.open(self.config.database_path)
        try:
            health = self._health_server()
            try:
                await self._run(db, health)
            finally:
                if health is not None:
                    health.close()
        finally:
            await db.close()

    async def _run(self, db: Database, health: HealthServer | None) -> None:
        self._started_at, self.db = self.clock.now(), db
        since = await db.write(lambda tx: self._begin(tx, db.witness))
        bells = Bells()
        db.on_commit(bells.touched)
        parts = Wiring(
            config=lambda: self.config,
            secrets=self.secrets,
            db=db,
            clock=self.clock,
            bells=bells,
            timings=self.timings,
            settings=self._settings,
            live=self._live,
            may_pay=self._may_pay,
            clock_sane=self._clock_sane,
            clock_behind=self._clock_behind,
        ).build()
        self._parts = parts
        anywhere, each = since
        for subscription in subscriptions(self.secrets.keys.public_key, anywhere):
            parts.relays.subscribe(subscription, each)
        async with contextlib.AsyncExitStack() as open_parts:
            await open_parts.enter_async_context(parts.http)
            await open_parts.enter_async_context(parts.relays)
            for part in parts.wallets.values():
                await self._expect_answers(db, part.wallet.name)
                await open_parts.enter_async_context(part.wire)
            await self._supervise(db, parts, health)

    async def _supervise(self, db: Database, parts: Parts, health: HealthServer | None) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    "relays": parts.relays.wait_closed(),
                    "heartbeat": parts.heartbeat.run(),
                    "intake": parts.intake.run(),
                    "questions": parts.questions.run(),
                    "auditor": parts.auditor.run(),
                    "reconciling": parts.reconciling.run(),
                    "prover": parts.prover.run(),
                    "distributor": parts.distributor.run(),
                    "fixed_times": parts.fixed_times.run(),
                    "own_events": parts.own_events.run(),
                    "publisher": parts.publisher.run(parts.own_events.answered),
                    "views": parts.views.run(),
                    "public_face": parts.public_face.run(),
                    "recollection": parts.recollection.run(),
                    "watchman": parts.watchman.run(),
                    "alerting": parts.alerting.run(),
                    "database": _watch(db),
                    "housekeeping": self._keep_house(db),
                    "ready": self._announce(parts),
                    "watchdog": _feed_watchdog(),
                    "stop": self._stop_in_order(parts),
                }
                for name, part in parts.wallets.items():
                    tasks |= {
                        f"{name}.wire": part.wire.wait_closed(),
                        f"{name}.words": part.wallet.run(),
                        f"{name}.payer": part.payer.run(part.resolver.taken_up),
                        f"{name}.resolver": part.resolver.run(),
                        f"{name}.balances": part.balances.run(),
                        f"{name}.scanner": part.scanner.run(),
                        f"{name}.fitness": part.fitness.run(),
                    }
                if health is not None:
                    tasks["health"] = health.serve()
                for name, task in tasks.items():
                    group.create_task(task, name=name)
        except* _Stop:
            log.info("stopped")

    # --- start -------------------------------------------------------------------------------------------------------

    def _begin(self, tx: Tx, witness: Witness) -> tuple[int, dict[str, int]]:
        """A database from the past is noticed before anything is done with it."""
        now = self.clock.now()
        past.begin(tx, witness, self._settings().operators_to_tell, now)
        past.compact(tx, witness, now)
        return self._open_books(tx)

    def _open_books(self, tx: Tx) -> tuple[int, dict[str, int]]:
        """Makes the database agree with the configuration. Returns from when on stored events are read, anywhere and at
        each relay."""
        now = self.clock.now()
        fees = FeeRates(self.config.platform.cash_in_fee_ppm, self.config.platform.cash_out_fee_ppm)
        platform.start(tx, Platform(fees, self.config.platform.target or None), now)
        for name, uri in self.secrets.wallets.items():
            known = wallets.get(tx, name)
            if known is not None and known.wallet_pubkey != uri.wallet_pubkey and wallets.unresolved(tx, name):
                raise CannotStart(
                    f"wallets.{name}.uri: this is another wallet, and payments from the one before are not resolved: "
                    "put the old connection back until they are"
                )
            client = Keys.parse(uri.secret).public_key
            wallets.register(tx, name, wallet_pubkey=uri.wallet_pubkey, client_pubkey=client, now=now)
            profile = self.config.wallets[name].profile
            if profile == "auto":
                wallets.forget_named_profile(tx, name)
            else:
                wallets.set_profile(tx, name, WalletProfile(profile))
        alerts.configure(tx, len(self.config.alerts.urls), self.config.alerts.language)
        attempts.all_due_now(tx, now)
        legs.try_capped_now(tx, now)
        self._mend_times(tx)
        self._booked_until = meta.newest_time(tx)
        if self.config.nostr.publish_profile:
            published.profile(
                tx,
                name=self.config.identity.name,
                relays=self.config.nostr.relays,
                dm_relays=self.config.nostr.relays_for_messages,
                now=now,
            )
        settings = self._settings()
        wallet_trouble.connections_seen(tx, settings.wallets, settings.operators_to_tell, now)
        if not settings.fixed_mode.times:
            fixed_mode.end(tx, settings.operators_to_tell, now)
        published.fee_configs(tx, now)
        published.refresh(tx, settings, now)
        return relays.listen_from(tx, now)

    async def _expect_answers(self, db: Database, wallet: str) -> None:
        """Answers to requests of earlier runs still count."""
        if self._parts is None:
            return
        since = self.clock.now() - LATE_ANSWER_SECONDS
        for request_id in await db.read(lambda tx: attempts.requests_to_expect(tx, wallet, since)):
            self._parts.wallets[wallet].wallet.client.expect(request_id)

    async def _announce(self, parts: Parts) -> None:
        """Says READY once a relay is subscribed."""
        await _until(parts.relays.listening)
        self._ready = True
        sd_notify.notify("READY=1")
        log.info("ready", npub=self.secrets.keys.npub, relays=len(parts.relays.urls), wallets=len(parts.wallets))
        if self.on_ready is not None:
            self.on_ready()

    # --- run ---------------------------------------------------------------------------------------------------------

    def _settings(self) -> Settings:
        """Asked for by every order; another configuration is another daemon's."""
        if self._orders is None:
            self._orders = policies.orders(self.config, self.secrets.keys.public_key, version())
        return self._orders

    def _live(self) -> Live:
        parts = self._parts
        if parts is None:
            return Live((), frozenset(), self._started_at)
        return Live(
            relays=tuple(
                Relay(url, state.up, url in parts.heartbeat.withholding())
                for url, state in parts.relays.states().items()
            ),
            wallets_up=frozenset(
                name for name, part in parts.wallets.items() if part.wire.connected() and part.wallet.client.info
            ),
            started_at=self._started_at,
            strangers=tuple(parts.intake.strangers.items()),
            offers={
                name: WalletOffer(tuple(sorted(info.methods)), tuple(sorted(info.encryptions)))
                for name, part in parts.wallets.items()
                if (info := part.wallet.client.info) is not None
            },
            heard={
                name: part.wallet.last_answer_at
                for name, part in parts.wallets.items()
                if part.wallet.last_answer_at is not None
            },
        )

    def _deaf(self) -> bool:
        """Whether an order such as `pause` could not have reached the bot for a while."""
        return self._parts is None or self._parts.heartbeat.deaf()

    def _may_pay(self) -> bool:
        """Nothing new is paid by a bot that is stopping, that hears no relay (a `pause` would not reach it), that has
        not acted yet on one that reached it, that does not know yet what relays keep of its own, or whose books are in
        doubt."""
        parts = self._parts
        if self._draining or parts is None or self._deaf() or parts.intake.holds_a_brake():
            return False
        return parts.own_events.answered.is_set() and parts.auditor.may_pay()

    def _clock_sane(self) -> bool:
        """The clock has neither stepped since the start nor is it behind what was booked before."""
        return self.clock.drift_seconds() < CLOCK_STEP_SECONDS and not self._clock_behind()

    def _clock_behind(self) -> bool:
        return self.clock.now() < self._booked_until

    async def _keep_house(self, db: Database) -> None:
        """Notes how relays do and until when they were heard, tells what is missing, and drops what is no history. A
        fault in it stops nothing else."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                await db.write(self._clean)
            except StorageBroken:
                raise
            except Exception:
                log.exception("house_not_kept")

    def _mend_times(self, tx: Tx) -> None:
        """The clock may have been ahead when these times were set."""
        latest = self.clock.now() + LONGEST_PLAN_SECONDS
        policy = policies.payments(self.config)
        legs.no_later_than(tx, self.clock.now() + payment.longest_wait(policy))
        attempts.check_no_later_than(tx, latest)
        settlements.prove_no_later_than(tx, latest)
        outbox.no_later_than(tx, latest)
        fleet.no_later_than(tx, self.clock.now())

    def _clean(self, tx: Tx) -> None:
        now = self.clock.now()
        tx.marks = True
        self._mend_times(tx)
        operators = self._settings().operators_to_tell
        self._note_relays(tx, operators, now)
        missing_reports.tell(tx, operators, now)
        inbox.forget(tx, now - KEEP_INBOX_SECONDS)
        orders.forget(tx, now)
        outbox.forget_done(tx, now - KEEP_OUTBOX_SECONDS)

    def _note_relays(self, tx: Tx, operators: frozenset[str], now: int) -> None:
        parts = self._parts
        if parts is None:
            return
        # A minute late: what was read may still wait to be taken, and a crash would lose it.
        for url, at in self._read_until.items():
            relays.set_caught_up(tx, url, at)
        self._read_until = parts.relays.caught_up(FOR_US)
        heartbeat = parts.heartbeat
        relay_trouble.note_delivery(
            tx, withholding=heartbeat.withholding(), delivering=heartbeat.delivering(), operators=operators, now=now
        )
        if heartbeat.silence is not None:
            relay_trouble.note_silence(tx, heartbeat.silence, operators, now)

    # --- stop --------------------------------------------------------------------------------------------------------

    async def _stop_in_order(self, parts: Parts) -> None:
        await self.shutdown.wait()
        log.info("stopping")
        parts.intake.stop()
        self._draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await _until(lambda: not any(part.payer.talking for part in parts.wallets.values()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await parts.publisher.flush()
        raise _Stop

    # --- health ------------------------------------------------------------------------------------------------------

    def _health_server(self) -> HealthServer | None:
        address = self.config.http.address
        if address is None:
            return None
        server = HealthServer(Health(problems=self._problems, missing=self._missing, details=self._details), *address)
        server.bind()
        return server

    def _missing(self) -> Mapping[str, str]:
        parts = self._parts
        if parts is None:
            return {"database": "the database is not open yet"}
        missing = {}
        if not parts.relays.listening():
            missing["relays"] = "no relay is subscribed"
        for name, part in parts.wallets.items():
            if not part.resolver.loaded:
                missing[f"wallets.{name}"] = "its open payments are not loaded yet"
        return missing

    def _problems(self) -> Mapping[str, str]:
        problems = dict(self._missing())
        if self._parts is not None and self._deaf():
            problems["deaf"] = "no relay was heard for too long: nothing new is paid"
        if self._parts is not None:
            problems |= {f"hold.{hold.name}": hold.reason for hold in self._parts.auditor.held}
            if self._parts.auditor.checking():
                problems["books"] = "somebody else has written into the books: nothing is paid until they are checked"
        for name, part in self._parts.wallets.items() if self._parts is not None else ():
            if not part.wire.connected():
                problems[f"wallets.{name}"] = "none of its relays is connected"
            held = sorted(part.payer.held)
            if held:
                problems[f"wallets.{name}.held"] = (
                    f"{len(held)} payments are held by a fault of this program: see the log"
                )
        return problems

    def _details(self) -> Mapping[str, object]:
        live = self._live()
        return {
            "version": version(),
            "uptime_seconds": self.clock.now() - self._started_at,
            "relays": [{"url": relay.url, "up": relay.up, "withholding": relay.withholding} for relay in live.relays],
        }


async def _feed_watchdog() -> None:
    """Tells systemd that the loop turns, for as long as it does."""
    while (every := sd_notify.watchdog_seconds()) is not None:
        sd_notify.notify("WATCHDOG=1")
        await asyncio.sleep(every)


async def _until(true: Callable[[], bool]) -> None:
    """Returns when it is true; whoever calls sets the deadline."""
    while not true():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(LOOK_SECONDS)


async def _watch(db: Database) -> None:
    """Ends the process when nothing more may be written."""
    await asyncio.shield(db.failed)


def main(path: Path) -> int:
    """Runs the daemon in the foreground. Exit codes: 0 stopped, 1 failed, 2 configuration."""
    try:
        config = load(path)
        logs.configure(config.log.level, config.log.format)
        secrets = read_secrets(config)
    except ConfigError as error:
        return _refuse(str(error), 2)
    except CannotStart as error:
        return _refuse("\n".join(f"{path}: {line}" for line in str(error).splitlines()), 2)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_main(path, config, secrets))
    except KeyboardInterrupt:
        return 1
    except AlreadyRunning as error:
        return _refuse(str(error), 1)
    except (StorageError, HealthError, CannotStart) as error:
        return _refuse(f"{path}: {error}", 2)


async def _main(path: Path, config: Config, secrets: Secrets) -> int:
    """Runs one daemon after another: SIGHUP ends one in order and begins the next with the configuration as it is
    then, so that there is no half-way reload. A configuration that can't be used changes nothing: where that shows only
    when it starts (another wallet while a payment is in doubt), the one before runs on."""
    loop = asyncio.get_running_loop()
    shutdown = asyncio.Event()
    fresh: list[tuple[Config, Secrets]] = []

    def stop() -> None:
        fresh.clear()
        sd_notify.notify("STOPPING=1")
        shutdown.set()

    def reload() -> None:
        try:
            loaded = load(path)
            fresh[:] = [(loaded, read_secrets(loaded))]
        except (ConfigError, CannotStart) as error:
            log.error("configuration_not_reloaded", reason=str(error))
        else:
            log.info("configuration_reloaded")
            shutdown.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    before: tuple[Config, Secrets] | None = None
    used = (config, secrets)
    while True:
        try:
            code = await _run_once(Daemon(*used, shutdown))
        except (StorageError, HealthError, CannotStart) as error:
            if before is None:
                raise
            log.error("configuration_not_reloaded", reason=str(error))
            used, before = before, None
        else:
            if code or not fresh:
                return code
            before, used = used, fresh.pop()
            shutdown.clear()
        logs.configure(used[0].log.level, used[0].log.format)


async def _run_once(daemon: Daemon) -> int:
    code = 0
    try:
        await daemon.run()
    except* StorageBroken as broken:
        log.critical("database_failed", reason=str(broken.exceptions[0]))
        code = 1
    except* (StorageError, HealthError, CannotStart) as refused:
        raise refused.exceptions[0] from None
    except* Exception:
        log.critical("crashed", exc_info=True)
        code = 1
    return code


def _refuse(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - before there is a log, and for the person at the shell
    return code
