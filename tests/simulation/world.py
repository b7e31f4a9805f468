"""Everything around the bot: relays, wallets, payees, machines with their customers, and what befalls them."""

from __future__ import annotations

import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot import policies
from bot.config import Config
from handlers import past
from handlers.context import Live, Message
from handlers.orders import handle
from ledger.fees import FeeRates
from ledger.model import Platform
from nwc.event import Event
from nwc.keys import npub_of
from storage import platform, wallets
from storage.db import Tx
from tests.handlers.desk import key
from tests.simulation.books import Books
from tests.simulation.clockwork import Clockwork
from tests.simulation.life import Life, SimClock, wallet_uri
from tests.simulation.lightning import Invoice, Lightning
from tests.simulation.payees import Payees
from tests.simulation.plain import PlainCipher, PlainKeys
from tests.simulation.wallet import HOUR, MANNERS, Lies, SimWallet

BOSS: Final = key("boss")
FIAT: Final = "GTQ"
RATE: Final = 50
"""Sats per quetzal."""
PLATFORM_PERCENT: Final = 3
OPERATOR_PERCENT: Final = 5
OLD_ANSWERS: Final = 20
REPORT_AGAIN_SECONDS: Final = (20, 60, 300, 1_800, 7_200, 14_400, 43_200)


@dataclass(frozen=True, slots=True)
class Scenery:
    """How much of what there is. Shares of chaos are relative: 0 is a quiet world."""

    wallets: tuple[str, ...] = ("honest", "lnbits", "alby-lnd")
    """The manners of each machine's wallet."""
    lps: int = 3
    wallet_chaos: float = 1.0
    relay_chaos: float = 1.0
    payee_chaos: float = 1.0
    troubles: float = 1.0
    """Of outages, refusals, clocks that are set, amnesia: how many in a given time."""
    orders: float = 1.0
    steps_of_a_life: int = 1_500
    """About so many steps to the next crash; 0: none."""
    danger: float = 0.005
    """Share of the steps that take an attempt further which are the bot's last: these moments matter most."""
    seconds_between_sales: float = 12.0
    seconds_afterwards: float = 900.0
    """So long the world stays as it is when enough customers have come."""
    expiry_seconds: tuple[int, ...] = (300, 600, 900, 3_600)
    principal_sats: tuple[int, int] = (400, 3_000)
    """In hundreds of sats."""
    payouts: tuple[tuple[str, Any], ...] = ()
    """Keys of that section of the configuration, with their values."""
    verifying: float = 0.3
    """Share of the payees that offer LUD-21."""
    lies: Lies = field(default_factory=Lies)
    forget_at: float | None = None
    """When every wallet forgets all of its payments, for as long as it is asked; from 100 s before it says nothing."""


@dataclass(slots=True)
class Machine:
    name: str
    pubkey: str
    wallet: SimWallet
    seq: int = 0


@dataclass(slots=True)
class Sale:
    machine: Machine
    payment_hash: str
    paid: bool = False
    report: Event | None = None


class World:
    """Made from a seed. `run` and the like are in run.py."""

    def __init__(self, seed: int, scenery: Scenery, folder: Path, *, record: bool = False) -> None:
        """`folder` is for the file beside the database."""
        PlainCipher.numbers = itertools.count()
        self.scenery = scenery
        self.clockwork = Clockwork(seed, record=record)
        self.books = Books(self.clockwork, folder)
        self.lightning = Lightning(self.clockwork)
        self.payees = Payees(
            self.clockwork,
            self.lightning,
            chaos=scenery.payee_chaos,
            expiry_seconds=scenery.expiry_seconds,
            verifying=scenery.verifying,
        )
        self.bot_clock = SimClock(self.clockwork)
        self.bot_keys = PlainKeys(key("bot"))
        self.bot_cipher = self.bot_keys.cipher()
        self.boss = PlainCipher(BOSS)
        self.crashes = 0
        self.lives = 0
        self.life: Life | None = None
        self.released: set[str] = set()
        """Attempts that the operator said to release: that the books call others so is no excuse for a double."""
        self.sales: list[Sale] = []
        self.refused_orders: list[str] = []
        self._relays_down_until = 0.0
        self._heard_at: int | None = None
        self._orders = 0
        self.wallets = [self._wallet(number, manners) for number, manners in enumerate(scenery.wallets)]
        self._by_pubkey = {wallet.pubkey: wallet for wallet in self.wallets}
        self._down_until = dict.fromkeys(self._by_pubkey, 0.0)
        self._old_answers: dict[str, deque[Event]] = {pubkey: deque(maxlen=OLD_ANSWERS) for pubkey in self._by_pubkey}
        self.uris = {wallet.name: wallet_uri(wallet.pubkey, number) for number, wallet in enumerate(self.wallets)}
        self.config = self._config()
        for wallet in self.wallets:
            wallet.client = PlainKeys.parse(self.uris[wallet.name].secret).public_key
        self.machines: list[Machine] = []
        self.lp_names: list[str] = []
        self._open_shop()

    # --- set-up ------------------------------------------------------------------------------------------------------

    def _wallet(self, number: int, manners: str) -> SimWallet:
        name, pubkey = f"w{number}", key(f"wallet {number}")

        def respond(request: Event, text: str) -> None:
            form = wallet.cipher.nip04_encrypt if "?iv=" in request.content else wallet.cipher.nip44_encrypt
            tags = (("p", wallet.client), ("e", request.id))
            self._from_wallet(wallet, 23_195, tags, form(wallet.client, text))

        def notify(text: str) -> None:
            self._from_wallet(wallet, 23_197, (("p", wallet.client),), wallet.cipher.nip44_encrypt(wallet.client, text))

        wallet = SimWallet(
            name=name,
            pubkey=pubkey,
            client="",
            manners=MANNERS[manners],
            clockwork=self.clockwork,
            lightning=self.lightning,
            respond=respond,
            notify=notify,
            on_pay=self._must_be_stored,
            told_of=self._is_claimed,
            chaos=self.scenery.wallet_chaos,
            lies=self.scenery.lies,
        )
        return wallet

    def _config(self) -> Config:
        payouts = {
            "network": "regtest",
            "resolve_seconds": [5, 30, 120, 600],
            "auto_release_max_sats": 1_000_000,
            **dict(self.scenery.payouts),
        }
        return Config.model_validate(
            {
                "identity": {"key": "env:KEY"},
                "nostr": {"relays": ["wss://relay.example"], "publish_profile": False},
                "roles": {"operators": [BOSS]},
                "wallets": {
                    wallet.name: {"uri": f"env:URI_{wallet.name}", "profile": wallet.manners.profile}
                    for wallet in self.wallets
                },
                "platform": {
                    "cash_out_fee": "0.03",
                    "cash_in_fee": "0.03",
                    "target": self.payees.add("platform").address,
                },
                "policy": {"unmatched_after_seconds": 3_600},
                "payouts": payouts,
            }
        )

    def _open_shop(self) -> None:
        """What the operator and the LPs did before the story begins, by orders."""
        settings = policies.orders(self.config, self.bot_keys.public_key, "0")
        now = self.clockwork.now()

        def say(tx: Tx, who: str, method: str, **params: Any) -> None:
            self._orders += 1
            text = json.dumps({"method": method, "params": params, "confirm": True})
            bug = handle(tx, Message(key(f"order {self._orders}"), who, text, now, True), settings, _NOBODY, now)
            assert bug is None, bug

        witness = self.books.reopen()

        def work(tx: Tx) -> None:
            past.begin(tx, witness, (), now)
            fees = FeeRates(self.config.platform.cash_in_fee_ppm, self.config.platform.cash_out_fee_ppm)
            platform.start(tx, Platform(fees, self.config.platform.target))
            for wallet in self.wallets:
                wallets.register(tx, wallet.name, wallet_pubkey=wallet.pubkey, client_pubkey=wallet.client, now=now)
            say(tx, BOSS, "splits.set", legs=self._splits())
            for number, wallet in enumerate(self.wallets):
                machine = Machine(f"m{number}", key(f"machine {number}"), wallet)
                self.machines.append(machine)
                say(
                    tx, BOSS, "machine.add", npub=npub_of(machine.pubkey), name=machine.name, wallet=wallet.name,
                    fiat=FIAT, cash_in_fee="0.05", cash_out_fee="0.05",
                )  # fmt: skip
            for number in range(self.scenery.lps):
                name, who = f"lp{number}", key(f"lp {number}")
                self.lp_names.append(name)
                for machine in self.machines:
                    say(tx, BOSS, "lp.add", machine=machine.name, npub=npub_of(who), name=name)
                say(tx, who, "join", target=self.payees.add(name).address)
                for machine in self.machines:
                    say(tx, BOSS, "deposit.add", machine=machine.name, lp=name, amount="9000000.00")
            for row in tx.all("SELECT id FROM deposits"):
                say(tx, BOSS, "deposit.confirm", deposit=f"D{row['id']}")

        self.books.write(work, witness)
        witness.close()
        assert self.books.value("SELECT count(*) FROM deposits WHERE status = 'confirmed'")

    def _splits(self) -> list[dict[str, str]]:
        first, second = self.payees.add("partner"), self.payees.add("helper")
        return [
            {"fraction": "0.7", "target": first.address, "label": "partner"},
            {"fraction": "0.3", "target": second.address, "label": "helper"},
        ]

    # --- relays ------------------------------------------------------------------------------------------------------

    def relays_up(self) -> bool:
        return self.clockwork.elapsed >= self._relays_down_until or self.clockwork.friendly

    def relays_heard_at(self) -> int | None:
        if self.relays_up():
            self._heard_at = self.bot_clock.now()
        return self._heard_at

    def wire_is_up(self, pubkey: str) -> bool:
        return self.clockwork.elapsed >= self._down_until[pubkey] or self.clockwork.friendly

    def wallet_info(self, pubkey: str) -> Event:
        return self._by_pubkey[pubkey].info()

    def _delays(self) -> list[float]:
        """When copies of an event arrive: mostly one and soon, but also never, twice, or hours later."""
        clock, share = self.clockwork, self.scenery.relay_chaos
        if clock.maybe(0.03 * share):
            return []
        delays = [clock.between(0.02, 0.4)]
        if clock.maybe(0.05 * share):
            delays = [clock.between(1, 40)]
        if clock.maybe(0.02 * share):
            delays = [clock.between(60, 3 * HOUR)]
        if clock.maybe(0.05 * share):
            delays.append(clock.between(0.02, 5))
        if clock.maybe(0.02 * share):
            delays.append(clock.between(600, 6 * HOUR))
        return delays

    def to_wallet(self, pubkey: str, event: Event) -> bool:
        """A request leaves the bot. What the relay says of it says nothing about the wallet."""
        wallet = self._by_pubkey[pubkey]
        self.clockwork.note(f"request {event.id[:8]} to {wallet.name}")
        if not self.wire_is_up(pubkey):
            return False
        for delay in self._delays():
            self.clockwork.after(delay, lambda: wallet.take(event))
        return not self.clockwork.maybe(0.03 * self.scenery.relay_chaos)

    def _from_wallet(self, wallet: SimWallet, kind: int, tags: tuple[tuple[str, str], ...], content: str) -> None:
        event = wallet.cipher.sign(kind, tags, content, self.clockwork.now())
        self._old_answers[wallet.pubkey].append(event)
        for delay in self._delays():
            self.clockwork.after(delay, lambda: self._hear_wallet(wallet.pubkey, event))

    def _hear_wallet(self, pubkey: str, event: Event) -> None:
        if self.life is not None and self.life.alive and self.wire_is_up(pubkey):
            wire = self.life.wires.get(pubkey)
            if wire is not None:
                wire.hear(event)

    def bring_old_answers(self, pubkey: str) -> None:
        """Some relays keep what others forget."""
        clock = self.clockwork
        for event in self._old_answers[pubkey]:
            if clock.maybe(0.2 * self.scenery.relay_chaos):
                clock.after(clock.between(0.1, 5), lambda event=event: self._hear_wallet(pubkey, event))  # type: ignore[misc]

    def to_bot(self, event: Event, *, repeat: bool = False) -> None:
        """A report or an order."""

        def hear() -> None:
            life = self.life
            if life is not None and life.alive and life.relays is not None and self.relays_up():
                life.relays.hear(event, repeat=repeat)

        for delay in self._delays():
            self.clockwork.after(delay, hear)

    def from_bot(self, event: Event) -> bool:
        """Receipts, views and messages."""
        if not self.relays_up() or self.clockwork.maybe(0.03 * self.scenery.relay_chaos):
            return False
        if event.tag("p") == self.bot_keys.public_key:
            self.to_bot(event)  # a beat, which is to show that the bot would hear an order
        elif event.kind == 14 and event.tag("p") == BOSS:
            text = self.boss.nip44_decrypt(self.bot_keys.public_key, event.content)
            if '"error"' in text:
                self.refused_orders.append(text)
        return True

    def _must_be_stored(self, event: Event, invoice: Invoice) -> None:
        """Invariant 3, as the wallet sees it."""
        if self.books.value("SELECT 1 FROM requests WHERE event_id = ?", event.id) is None:
            self.clockwork.problem(f"unstored_request {event.id[:8]} for {invoice.payment_hash[:8]}")

    def _is_claimed(self, payment_hash: str) -> bool:
        query = "SELECT 1 FROM evidence WHERE payment_hash = ? AND class = 'claim'"
        return self.books.value(query, payment_hash) is not None

    # --- customers ---------------------------------------------------------------------------------------------------

    def sell(self, machine: Machine | None = None) -> Sale:
        """A customer buys or sells at a machine, which reports it until its receipt is there."""
        clock = self.clockwork
        at = machine or clock.chance.choice(self.machines)
        principal = clock.chance.randrange(*self.scenery.principal_sats) * 100
        out = clock.chance.random() < 0.85
        fee = principal * (PLATFORM_PERCENT + OPERATOR_PERCENT) // 100
        wire = principal + fee if out else principal - fee
        sale = Sale(at, clock.token())
        self.sales.append(sale)
        at.seq += 1
        report = {
            "v": 1,
            "type": "settlement",
            "payment_hash": sale.payment_hash,
            "tx_type": "cash_out" if out else "cash_in",
            "wire_sats": wire,
            "principal_sats": principal,
            "fee_sats": fee,
            "fiat_amount": f"{principal / RATE:.2f}",
            "currency": FIAT,
            "exchange_rate": str(RATE),
            "created_at": clock.now(),
            "seq": at.seq,
        }

        def pay() -> None:
            sale.paid = True
            at.wallet.receive(sale.payment_hash, wire * 1_000, outgoing=not out)

        late = clock.maybe(0.05)
        clock.after(clock.between(5, 600) if late else 0, pay)
        self._report(sale, report)
        return sale

    def _report(self, sale: Sale, report: dict[str, Any]) -> None:
        cipher = PlainCipher(sale.machine.pubkey)
        bot = self.bot_keys.public_key
        event = cipher.sign(21_000, (("p", bot),), cipher.nip44_encrypt(bot, json.dumps(report)), self.clockwork.now())
        sale.report = event
        self.to_bot(event)
        for seconds in REPORT_AGAIN_SECONDS:
            self.clockwork.after(seconds, lambda: self._report_again(sale, event))

    def _report_again(self, sale: Sale, event: Event) -> None:
        accepted = self.books.value(
            "SELECT 1 FROM settlements WHERE payment_hash = ? AND receipt = 'accepted'", sale.payment_hash
        )
        if accepted is None or self.clockwork.maybe(0.02):
            self.to_bot(event, repeat=True)

    def report_all_again(self) -> None:
        for sale in self.sales:
            if sale.report is not None:
                self._report_again(sale, sale.report)

    # --- orders ------------------------------------------------------------------------------------------------------

    def order(self, method: str, /, **params: Any) -> None:
        """The operator says something, as a program does."""
        text = json.dumps({"method": method, "params": params, "confirm": True})
        self.clockwork.note(f"order {text}")
        bot = self.bot_keys.public_key
        self.to_bot(self.boss.sign(14, (("p", bot),), self.boss.nip44_encrypt(bot, text), self.bot_clock.now()))

    # --- what befalls them -------------------------------------------------------------------------------------------

    def relays_fail(self, seconds: float) -> None:
        self._relays_down_until = self.clockwork.elapsed + seconds

    def wire_fails(self, wallet: SimWallet, seconds: float) -> None:
        self._down_until[wallet.pubkey] = self.clockwork.elapsed + seconds

    def set_clock(self, offset: int, seconds: float) -> None:
        """Somebody sets the bot's clock, and puts it right after so many seconds."""
        self.clockwork.note(f"clock {offset}")
        self.bot_clock.offset = offset
        self.clockwork.after(seconds, lambda: setattr(self.bot_clock, "offset", 0))


_NOBODY = Live((), frozenset(), 0)
