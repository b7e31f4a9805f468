"""Builds the running bot out of its parts. Nothing happens here but construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot import alerts, policies
from bot.clock import SystemClock
from bot.config import Config
from bot.contacts import Contacts
from bot.heartbeat import Heartbeat
from bot.intake import Intake
from bot.nostr import Keys
from bot.payees import PayeeWallets
from bot.questions import Questions
from bot.reconciler import Reconciler
from bot.relays import Relays
from bot.timings import Timings
from bot.wallet_tests import WalletTests
from bot.wallet_wire import WalletWire
from bot.wallets import CLOCK_SECONDS, Wallet
from bot.workers.alerting import Alerting
from bot.workers.auditor import Auditor
from bot.workers.balances import Balances
from bot.workers.distributor import Distributor
from bot.workers.fitness import Fitness
from bot.workers.fixed_times import FixedTimes
from bot.workers.own_events import OwnEvents
from bot.workers.payer import Payer, Rules
from bot.workers.prover import Prover
from bot.workers.public_face import PublicFace
from bot.workers.publisher import Publisher
from bot.workers.recollection import Recollection
from bot.workers.reconciling import Reconciling
from bot.workers.resolver import Resolver
from bot.workers.scanner import Scanner
from bot.workers.views import Views
from bot.workers.wakeup import Bell, Bells
from bot.workers.watchman import Watchman
from handlers.alarms.findings import Clock as ClockState
from handlers.context import Live, Settings
from nwc.client import WalletClient
from nwc.event import Event
from nwc.fetch import GuardedHttp
from nwc.targets import Targets
from nwc.uri import WalletUri
from storage.db import Database

CLOCK_HEARD_SECONDS: Final = 900
"""Wallets are asked something every few minutes."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the sources of the configuration hold. No repr shows any of it."""

    keys: Keys
    wallets: dict[str, WalletUri]


@dataclass(slots=True)
class WalletParts:
    """One wallet and the tasks that work with it."""

    wallet: Wallet
    wire: WalletWire
    payer: Payer
    resolver: Resolver
    balances: Balances
    scanner: Scanner
    fitness: Fitness


@dataclass(slots=True)
class Parts:
    relays: Relays
    heartbeat: Heartbeat
    http: GuardedHttp
    intake: Intake
    questions: Questions
    auditor: Auditor
    reconciling: Reconciling
    prover: Prover
    distributor: Distributor
    fixed_times: FixedTimes
    publisher: Publisher
    views: Views
    public_face: PublicFace
    recollection: Recollection
    own_events: OwnEvents
    watchman: Watchman
    alerting: Alerting
    wallets: dict[str, WalletParts]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the parts have in common. `config` is asked for what may change while the bot runs."""

    config: Callable[[], Config]
    secrets: Secrets
    db: Database
    clock: SystemClock
    bells: Bells
    timings: Timings
    settings: Callable[[], Settings]
    live: Callable[[], Live]
    may_pay: Callable[[], bool]
    clock_sane: Callable[[], bool]
    clock_behind: Callable[[], bool]
    """Whether the clock is behind what is in the books."""

    def build(self) -> Parts:
        config, db, clock, bells = self.config(), self.db, self.clock, self.bells
        wallets: dict[str, Wallet] = {}
        tests = WalletTests(
            wallets, db, clock, ask_seconds=config.payouts.request_timeout_seconds, may_pay=self.may_pay
        )
        auditor = Auditor(db, clock, operators=policies.payments(config).operators, on_clear=bells.ring_all)
        questions = Questions(
            db,
            verify=auditor.check_all,
            test_wallet=tests.test,
            try_wallet=tests.pay_itself,
            reconcile=Reconciler(
                wallets, db, clock, policy=policies.lists(config), retry_seconds=self.timings.retry_ask_seconds
            ).reconcile,
        )
        reconciling = Reconciling(
            questions.reconcile_alone,
            db,
            clock,
            every_seconds=lambda: self.config().policy.reconcile_hours * 3_600,
            operators=policies.payments(config).operators,
        )
        intake = Intake(
            db,
            self.secrets.keys,
            clock,
            bells.for_names("machines", "lps"),
            questions,
            policy=lambda: policies.landing(self.config()),
            settings=self.settings,
            live=self.live,
            relays=lambda: relays,  # made below
        )
        relays = Relays(
            config.nostr.all_relays,
            self.secrets.keys,
            intake.on_event,
            clock,
            on_state=lambda _url, _up: bells.ring_all(),
            timings=self.timings,
        )
        heartbeat = Heartbeat(
            relays,
            self.secrets.keys.cipher(),
            clock,
            deaf_after_seconds=lambda: self.config().policy.deaf_after_seconds,
            every_seconds=self.timings.heartbeat_seconds,
            on_hearing=bells.ring_all,
        )
        relays.watch(heartbeat)
        contacts = Contacts(relays, clock, allow_private=config.payouts.allow_private_targets)
        http = GuardedHttp(allow_private=config.payouts.allow_private_targets)
        targets = Targets(http, contacts, PayeeWallets(clock, self.timings, contacts.reach))
        prover = Prover(
            wallets,
            db,
            clock,
            bells.for_names("settlements"),
            policy=policies.attempts(config),
            when_supported=config.policy.proof_of_payment == "when_supported",
            ask_seconds=config.payouts.request_timeout_seconds,
        )
        parts = {
            name: self._wallet(name, uri, prover, targets, http, tests) for name, uri in self.secrets.wallets.items()
        }
        wallets.update({name: part.wallet for name, part in parts.items()})
        return Parts(
            relays=relays,
            heartbeat=heartbeat,
            http=http,
            intake=intake,
            questions=questions,
            auditor=auditor,
            reconciling=reconciling,
            prover=prover,
            distributor=Distributor(db, clock, bells.for_names("settlements")),
            fixed_times=FixedTimes(db, clock, self.settings),
            publisher=Publisher(db, relays, contacts, self.secrets.keys, clock, bells.for_names("outbox")),
            views=Views(db, clock, bells.for_names("views"), self.settings),
            public_face=PublicFace(
                db,
                clock,
                lambda: policies.public_face(self.config()),
                self.timings.public_face_seconds,
            ),
            recollection=Recollection(
                wallets,
                db,
                clock,
                bells.for_names("holds"),
                request_seconds=config.payouts.request_life_seconds + config.payouts.request_margin_seconds,
                operators=lambda: self.settings().operators_to_tell,
            ),
            own_events=OwnEvents(
                relays,
                db,
                clock,
                bells.for_names,
                pubkey=self.secrets.keys.public_key,
                timings=self.timings,
                operators=lambda: self.settings().operators_to_tell,
                on_answered=bells.ring_all,
            ),
            watchman=Watchman(
                db,
                clock,
                bells.for_names("holds", "thresholds", "wallets"),
                heartbeat,
                settings=self.settings,
                live=self.live,
                clock_state=lambda: self._clock_state(wallets),
            ),
            alerting=Alerting(db, clock, self._services()),
            wallets=parts,
        )

    def _services(self) -> list[tuple[alerts.Service, Bell]]:
        config = self.config()
        tells = alerts.services(config.alerts.urls, config.identity.name)
        return [(alerts.Service(place, tell), self.bells.for_names("alerts")) for place, tell in enumerate(tells)]

    def _clock_state(self, wallets: Mapping[str, Wallet]) -> ClockState:
        """By what is booked and by what the wallets answered lately: one that agrees is enough."""
        if self.clock_behind():
            return ClockState.BEHIND
        found = [wallet.client.clock_difference(CLOCK_HEARD_SECONDS) for wallet in wallets.values()]
        known = [difference for difference in found if difference is not None]
        if not known:
            return ClockState.UNKNOWN
        nearest = min(known, key=abs)
        if abs(nearest) <= CLOCK_SECONDS:
            return ClockState.RIGHT
        return ClockState.BEHIND if nearest > 0 else ClockState.AHEAD

    def _wallet(
        self, name: str, uri: WalletUri, prover: Prover, targets: Targets, http: GuardedHttp, tests: WalletTests
    ) -> WalletParts:
        config, db, clock, bells = self.config(), self.db, self.clock, self.bells
        policy = policies.payments(config)
        ask_seconds = config.payouts.request_timeout_seconds
        balance_bell = bells.for_names("wallets")

        def on_payment(payment_hash: str) -> None:
            prover.payment_seen(payment_hash)
            balance_bell.ring()

        wallet = Wallet(
            name=name,
            quarantine_override=config.wallets[name].quarantine_seconds,
            db=db,
            clock=clock,
            policy=policy,
            operators=lambda: self.settings().operators - {self.settings().bot_pubkey},
            on_usable=bells.ring_all,
            on_payment=on_payment,
            finds_profile=config.wallets[name].profile == "auto",
        )
        keys = Keys.parse(uri.secret)

        def hear(event: Event) -> None:
            wallet.client.receive(event)

        wire = WalletWire(uri.relays, keys, uri.wallet_pubkey, hear, clock, since=clock.now(), timings=self.timings)
        wallet.listening = wire.listening
        wallet.client = WalletClient(
            uri, wire, keys.cipher(), clock, wallet.on_answer, wallet.on_notification, timeout_seconds=ask_seconds
        )
        rules = Rules(
            policy=policy,
            invoices=policies.invoices(config),
            allow_private=config.payouts.allow_private_targets,
            own_addresses=frozenset(each.lud16.lower() for each in self.secrets.wallets.values() if each.lud16),
            in_flight=config.payouts.max_in_flight_per_wallet,
            timeout_seconds=ask_seconds,
        )
        payer = Payer(wallet, db, targets, clock, bells.for_names("legs"), rules=rules, may_pay=self.may_pay)
        resolver = Resolver(
            wallet,
            db,
            http,
            clock,
            bells.for_names("attempts"),
            policy=policy,
            ask_seconds=ask_seconds,
            clock_sane=self.clock_sane,
            may_pay=self.may_pay,
        )
        balances = Balances(wallet, db, clock, balance_bell, policy=policy.attempt, ask_seconds=ask_seconds)
        every_seconds = config.policy.unmatched_after_seconds
        scanner = Scanner(wallet, db, clock, payment_policy=policies.lists(config), every_seconds=every_seconds)
        fitness = Fitness(wallet, db, clock, tests)
        return WalletParts(wallet, wire, payer, resolver, balances, scanner, fitness)
