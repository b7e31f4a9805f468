"""What has to happen in a shop so that its bot gets to each crash point, and how all of it ends well nevertheless."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.clock import SystemClock
from bot.nostr import Keys, wrap_dm
from handlers import holding
from storage import holds, lps, outbox
from storage.db import Database, Tx
from tests.crash.atm import STORED_KIND, Atms, report
from tests.crash.nursery import Child, Nursery
from tests.crash.points import LAST_WORDS
from tests.crash.shop import Controlled, Sale, Shop, open_shop, sell
from tests.crash.sites import NAMES
from tests.crash.truth import open_work, rows

PRINCIPAL_SATS: Final = 50_000
"""So small that every leg is under the automatic limit."""
PATIENT: Final[Mapping[str, Any]] = {"max_attempts": 1_000}
"""Nobody is given up: in the end payees are good, and have everything."""
DM_RELAYS_KIND: Final = 10_050
DEATH_WITHIN_SECONDS: Final = 60.0
DONE_WITHIN_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.02
LEAP_SECONDS: Final = 1_300
REST_SECONDS: Final = 1.5
LONG_REST_SECONDS: Final = 6.0
"""A request that time leaps over is not taken any more: in the end everything must get through."""


class Ahead(SystemClock):
    """A clock that is ahead by what a file says, for processes that read it. Implements `nwc.ports.Clock`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._seconds = 0
        self.leap(0)

    def leap(self, seconds: int) -> None:
        """In one step: others read the file at any time."""
        self._seconds += seconds
        written = self.path.with_suffix(".written")
        written.write_text(str(self._seconds))
        written.replace(self.path)

    def now(self) -> int:
        return super().now() + self._seconds


@dataclass(frozen=True, slots=True)
class Place:
    """Where shops are. `ahead`: None where time takes its time."""

    directory: Path
    world: Controlled
    atms: Atms
    ahead: Ahead | None


@dataclass(slots=True)
class Stage:
    """A shop, and what its machine and its operator have done so far."""

    place: Place
    nursery: Nursery
    shop: Shop
    patience: float
    """How many times longer than usual anything may take."""
    sales: list[Sale] = field(default_factory=list)
    strays: list[Sale] = field(default_factory=list)
    """Paid by customers, and not reported yet."""
    reports: list[asyncio.Task[object]] = field(default_factory=list)
    _insisting: asyncio.Task[None] | None = None

    def now(self) -> int:
        return (self.place.ahead or SystemClock()).now()

    async def sell(self, *, stored: bool = False) -> None:
        """A customer pays, and the machine reports it until it has its receipt. `stored`: the relay keeps a copy."""
        sale = await sell(self.place.world, self.shop, PRINCIPAL_SATS)
        if stored:
            await self.place.atms.send(self.shop, report(sale, self.now()), kind=STORED_KIND)
        await self.report(sale)

    async def report(self, sale: Sale) -> None:
        self.sales.append(sale)
        self.reports.append(asyncio.create_task(self.place.atms.settle(self.shop, sale)))

    async def order(self, text: str) -> None:
        """The operator says something; the relay keeps it until the bot is there."""
        wrap, _ = wrap_dm(self.shop.operator, self.shop.bot.public_key, text, None, self.now())
        await self.place.atms.link.publish(wrap)

    async def die(self, point: str, trouble: str) -> None:
        """A bot lives until it dies there, under that trouble."""
        bot = await self._start(f"trouble:{trouble}" if trouble else "", point)
        await self._until(
            bot, lambda: not bot.alive(), f"it dies at {point}", self.patience * DEATH_WITHIN_SECONDS, REST_SECONDS
        )
        assert LAST_WORDS.decode() in bot.log, f"it ended before {point}\n{bot.log[-1500:]}"

    async def finish(self) -> None:
        """A bot lives until every report has its receipt and every leg is paid."""
        self.hush()
        bot = await self._start()
        await self._until(bot, self._done, "everything is paid", self.patience * DONE_WITHIN_SECONDS, LONG_REST_SECONDS)

    def _done(self) -> bool:
        known = len(rows(self.shop.database_path, "SELECT 1 FROM settlements")) >= len(self.sales)
        return known and all(each.done() for each in self.reports) and not open_work(self.shop)

    async def leap(self) -> None:
        """Time passes at once, where it does."""
        if self.place.ahead is not None:
            await self.place.world.call("advance", seconds=LEAP_SECONDS)
            self.place.ahead.leap(LEAP_SECONDS)

    async def _start(self, *faults: str) -> Child:
        clock = f"clock:{self.place.ahead.path}" if self.place.ahead is not None else ""
        return await self.nursery.start(self.shop.config_path, ",".join(filter(None, [clock, *faults])) or None)

    async def _until(self, bot: Child, true: Callable[[], bool], what: str, seconds: float, rest: float) -> None:
        """Time leaps meanwhile, where it does, with so much rest between that what was asked is answered."""
        begun = leapt = time.monotonic()
        try:
            while not true():
                now = time.monotonic()
                assert now < begun + seconds, f"not within {seconds} s: {what}\n{self._state()}\n{bot.log[-1500:]}"
                if now >= leapt + rest:
                    await self.leap()
                    leapt = now
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            bot.kill()
            await self.nursery.gone(bot)

    def _state(self) -> str:
        queries = (
            "SELECT id, status, reason, next_try_at FROM legs WHERE status = 'pending'",
            "SELECT leg_id, state, next_check_at FROM attempts WHERE state IN ('ready', 'sent', 'claimed')",
            "SELECT id, status, reason FROM settlements WHERE status <> 'processed'",
            "SELECT name, paused_reason FROM wallets UNION ALL SELECT name, reason FROM holds",
            "SELECT json_extract(body, '$.text') AS answer FROM outbox WHERE kind = 'dm' ORDER BY id DESC LIMIT 1",
        )
        found = "\n".join(str(row) for query in queries for row in rows(self.shop.database_path, query))
        return f"now {self.now()}, {sum(not each.done() for each in self.reports)} without a receipt\n{found}"

    async def insist(self, order: Callable[[], str]) -> None:
        """The operator says it again and again, until the next life."""

        async def say() -> None:
            while True:
                await self.order(order())
                await asyncio.sleep(1)

        self.hush()
        self._insisting = asyncio.create_task(say())

    def hush(self) -> None:
        if self._insisting is not None:
            self._insisting.cancel()

    def end(self) -> None:
        self.hush()
        for waiting in self.reports:
            waiting.cancel()

    async def everybody(self, verb: str, **arguments: Any) -> None:
        for payee in self.shop.payees:
            await self.place.world.call(verb, **{"user" if verb == "twist" else "payee": payee}, **arguments)


KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ratelimited": {"requests": 20},
    "silent": {"methods": ["pay_invoice"], "pays": True},
}
"""What is particular about wallets under which everything can be paid in the end."""

Act = Callable[[Stage], Awaitable[None]]


async def _nothing(_: Stage) -> None:
    return


async def _sell(stage: Stage) -> None:
    await stage.sell()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` is done once, `before` before each life of the bot, `mend` before the last one, which is to finish
    everything. The acts need no bot."""

    name: str
    reaches: tuple[str, ...]
    """Names of tests/crash/sites.py."""
    before: Act = _sell
    prepare: Act = _nothing
    mend: Act = _nothing
    options: Mapping[str, Any] = field(default_factory=dict)
    """As for `open_shop`; `wallet_options` are its `options`."""
    trouble: str = ""
    """Of tests/crash/troubles.py, while bots die."""
    fast: bool = False
    """Whether hours pass in seconds."""
    skips: bool = False
    """Whether legs may be skipped: then what payees have is not counted, only that nobody has anything twice."""
    not_with: frozenset[str] = frozenset()
    """Personalities under which it can't happen."""
    slow_with: frozenset[str] = frozenset()
    """Personalities under which it takes minutes to get there, or until everything is paid."""

    @property
    def points(self) -> tuple[str, ...]:
        return tuple(f"{name}:{moment}" for name in self.reaches for moment in ("before", "after"))

    async def open(self, place: Place, nursery: Nursery, name: str, personality: str, patience: float) -> Stage:
        options: dict[str, Any] = {"payouts": SOON, "wallet": {"quarantine_seconds": 0}} if self.fast else {}
        options |= self.options
        shop = await open_shop(
            place.world,
            place.directory / name,
            name,
            number_of_lps=2,
            personality=personality,
            options={**KINDS.get(personality, {}), **options.pop("wallet_options", {})},
            **options,
        )
        await place.atms.add(shop)
        stage = Stage(place, nursery, shop, patience)
        await self.prepare(stage)
        return stage


# --- acts ------------------------------------------------------------------------------------------------------------


async def _hold(stage: Stage) -> None:
    await stage.everybody("route", held=True)


async def _honest_answers(stage: Stage) -> None:
    await stage.place.world.call("tricks", account=stage.shop.wallet, tricks=[])


async def _let_go(stage: Stage) -> None:
    await _honest_answers(stage)
    await stage.everybody("release")


async def _no_way(stage: Stage) -> None:
    await stage.everybody("route", failures_left=1_000_000)


async def _good_way(stage: Stage) -> None:
    await stage.everybody("route")


def _twist(what: str | None) -> Act:
    async def act(stage: Stage) -> None:
        await stage.everybody("twist", twist=what)

    return act


async def _payee_wallets(stage: Stage) -> None:
    """The LPs are paid into wallets of their own, which the bot asks for invoices."""
    db = await Database.open(stage.shop.database_path)
    try:
        for number, name in enumerate(stage.shop.lps, start=1):
            connection = await stage.place.world.call("wallet", account=name)
            uri = str(connection["uri"])
            await db.write(lambda tx: lps.set_target(tx, number, uri, stage.now()))  # noqa: B023 - run at once
    finally:
        await db.close()


async def _tells(stage: Stage) -> None:
    """The machine says how much cash is left, in public and to its operator; then somebody buys."""
    keys: Keys = stage.shop.atm
    number = len(stage.sales)
    at = stage.now() + number  # later than what it said in its life before, though that was a moment ago
    state = {"v": 1, "positions": {"1": {"denomination": 20, "count": 1_000 - number}}}
    d = f"bitspire-cassettes-state:{keys.public_key}"
    sealed = keys.cipher().nip44_encrypt(stage.shop.bot.public_key, json.dumps(state))
    for tags, content in (([["d", d], ["p", stage.shop.bot.public_key]], sealed), ([["d", ""]], '{"cash_out": true}')):
        await stage.place.atms.link.publish(keys.cipher().sign(30_078, tags, content, at))
    await stage.sell()


def _order(text: str) -> Act:
    async def act(stage: Stage) -> None:
        await stage.sell()
        await stage.insist(lambda: text)

    return act


def _lend(sats: int) -> Act:
    """More than the legs come to: the sat of a trial that is on its way must not be lacking for one of them."""

    async def act(stage: Stage) -> None:
        await stage.place.world.call("fund", account=stage.shop.wallet, amount_msat=sats * 1_000)

    return act


async def _try(stage: Stage) -> None:
    await stage.sell()
    numbers = itertools.count()

    def order() -> str:
        number = f"{len(stage.sales)}.{next(numbers)}"  # the same words would be the same order
        return json.dumps({"id": number, "method": "wallet.try", "params": {"wallet": "main"}, "confirm": True})

    await stage.insist(order)  # a bot that has just started pays nothing yet


async def _never_paid_from(stage: Stage) -> None:
    """So the books say: the wallet has to show what it sent before it is paid from."""
    await stage.sell()
    with closing(sqlite3.connect(stage.shop.database_path)) as raw, raw:
        raw.execute("UPDATE wallets SET searched_from = NULL")
        raw.execute("DELETE FROM meta WHERE key LIKE 'unseen %'")


async def _lost(stage: Stage) -> None:
    """One of the bot's own events was published, and no relay has it any more."""
    await stage.sell()
    keys: Keys = stage.shop.bot
    d = f"satmachine:balance:{Keys.generate().public_key}"

    def publish(tx: Tx) -> None:
        outbox.put_replaceable(tx, kind=30_078, d=d, tags=[], content="", encrypt_to=None, now=stage.now())
        for each in outbox.due(tx, stage.now(), 1_000):
            if each.coordinate == outbox.coordinate_of(30_078, d, None):
                outbox.sign_once(
                    tx,
                    each,
                    stage.now(),
                    lambda at: json.dumps(keys.cipher().sign(30_078, [("d", d)], "", at).to_dict()),
                )
                outbox.done(tx, each.id)

    db = await Database.open(stage.shop.database_path)
    try:
        await db.write(publish)
    finally:
        await db.close()


async def _unknown(stage: Stage) -> None:
    """Nobody has been told of the machine, so far as the books say."""
    await stage.sell()
    with closing(sqlite3.connect(stage.shop.database_path)) as raw, raw:
        for table in ("published", "outbox"):
            raw.execute(f"DELETE FROM {table} WHERE coordinate LIKE '30078:bitspire-card:%'")


async def _full_disk(stage: Stage) -> None:
    """As the configuration sees it. Of two services that are to hear of it one takes what it is told."""
    user, host = stage.shop.addresses[stage.shop.partner].split("@")
    urls = [f"json://{host}/.well-known/lnurlp/{user}?method=GET", "json://127.0.0.1:1"]
    path = stage.shop.config_path
    path.write_text(f"{path.read_text()}\n[alerts]\nurls = {json.dumps(urls)}\ndisk_low_mb = 1000000000\n")


async def _nobody_knows(stage: Stage) -> None:
    """What is wrong was never noticed, so far as the books say."""
    await stage.sell()
    with closing(sqlite3.connect(stage.shop.database_path)) as raw, raw:
        for table in ("alarms", "alerts"):
            raw.execute(f"DELETE FROM {table}")


async def _reads_elsewhere(stage: Stage) -> None:
    """The operator names the relay where messages are read."""
    keys: Keys = stage.shop.operator
    relays = [["relay", stage.place.world.relay_url]]
    await stage.place.atms.link.publish(keys.cipher().sign(DM_RELAYS_KIND, relays, "", stage.now()))


async def _compare(stage: Stage) -> None:
    """A payment that nobody reports, one that the wallet's list lacks, and an order to compare."""
    await stage.leap()
    await stage.sell()
    stage.strays.append(await sell(stage.place.world, stage.shop, 1_000))
    proven = rows(stage.shop.database_path, "SELECT payment_hash FROM settlements WHERE proof = 'settled' LIMIT 1")
    await stage.place.world.call(
        "forget", account=stage.shop.wallet, payment_hashes=[row["payment_hash"] for row in proven]
    )
    await stage.insist(lambda: "reconcile")


async def _finish_one(stage: Stage) -> None:
    await stage.sell()
    await stage.finish()


async def _finish_two(stage: Stage) -> None:
    """Between the two a backup is made."""
    await _finish_one(stage)
    path = stage.shop.database_path
    _copy(path, path.with_suffix(".backup"))
    await stage.sell(stored=True)
    await stage.finish()


async def _restore(stage: Stage) -> None:
    """The backup again, and what was sent meanwhile is in the witness, at the wallet and on the relay."""
    path = stage.shop.database_path
    for leftover in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        leftover.unlink(missing_ok=True)
    _copy(path.with_suffix(".backup"), path)


async def _restore_without_list(stage: Stage) -> None:
    """The wallet says nothing any more when it is asked for its list."""
    await _restore(stage)
    await stage.place.world.call("tricks", account=stage.shop.wallet, **LOST_LISTS)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


async def _lift(stage: Stage) -> None:
    """An operator has looked, and lives with it."""
    db = await Database.open(stage.shop.database_path)
    try:
        await db.write(lambda tx: holding.lift(tx, holds.BOOKS, by=stage.shop.operator.public_key, now=stage.now()))
    finally:
        await db.close()


async def _remember(stage: Stage) -> None:
    """The wallet knows all its payments again, and the machine reports what it had not."""
    for stray in stage.strays:
        await stage.report(stray)
    await _lift(stage)
    await stage.place.world.call("forget", account=stage.shop.wallet, payment_hashes=[])
    await _honest_answers(stage)


QUARTERS: Final = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 15, 30, 45)]
UNANSWERED: Final = {"tricks": [{"what": "drop", "method": "pay_invoice"}]}
NO_LISTS: Final = {"tricks": [{"what": "error", "method": "list_transactions"}]}
LOST_LISTS: Final = {"tricks": [{"what": "drop", "method": "list_transactions"}]}
AGED: Final = {"order_max_age_minutes": 5_000_000, "unmatched_after_seconds": 1}
SOON: Final = {**PATIENT, "request_life_seconds": 600, "release_margin_seconds": 60, "invoice_min_left_seconds": 60}
"""For the fast ones: what may be released is released soon after its invoice's hour."""

SLOPPY: Final = frozenset({"sloppy"})

SCENARIOS: Final = (
    Scenario(
        "a sale",
        (
            *("start.books", "own_events.compared", "intake.settlement", "proof.lookup", "proof.apply", "distribute"),
            *("leg.open", "payee.terms", "payee.invoice", "leg.ready"),
            *("pay.sent", "pay.publish", "request.pay", "request.read", "wire.publish", "pay.answer"),
            *("outbox.publish.receipt", "outbox.done.receipt"),
            *("views", "outbox.sign", "outbox.publish.view", "outbox.done.view"),
            *("balance.ask", "balance.book"),
            *("heartbeat", "audit.watch", "audit.look"),
            "fitness.offer",
        ),
        options={"wallet": {"profile": "auto"}},
        trouble="curious",
    ),
    Scenario("a wallet's list is read", ("scan.list", "scan.book"), slow_with=SLOPPY),
    Scenario("a wallet that was never paid from", ("past.searched",), before=_never_paid_from, slow_with=SLOPPY),
    Scenario(
        "a wallet that was never paid from and shows no list",
        ("past.unseen",),
        before=_never_paid_from,
        mend=_honest_answers,
        options={"wallet_options": NO_LISTS},
        trouble="hasty",
        not_with=frozenset({"lnbits"}),
    ),
    Scenario(
        "the wallet answers nothing, but tells",
        ("pay.notification",),
        options={"wallet_options": UNANSWERED},
        mend=_let_go,
        not_with=frozenset({"lnbits"}),
    ),
    Scenario(
        "payees hold what comes",
        ("resolve.lookup", "resolve.learn", "resolve.checked", "resend.noted", "resend.publish"),
        prepare=_hold,
        mend=_let_go,
        options={"wallet_options": UNANSWERED},
    ),
    Scenario(
        "no way to the payees",
        ("resolve.list", "resolve.settled_list", "release.control", "release", "payee.verify"),
        prepare=_no_way,
        mend=_good_way,
        fast=True,
        slow_with=SLOPPY,
    ),
    Scenario(
        "no way to the payees for a while",
        ("pay_again.stored", "pay_again.publish"),
        prepare=_no_way,
        mend=_good_way,
        fast=True,
        slow_with=SLOPPY,
        not_with=frozenset({"lnbits"}),
    ),
    Scenario(
        "the payees' server is away",
        ("leg.not_fetched",),
        prepare=_twist("unavailable"),
        mend=_twist(None),
        options={"payouts": PATIENT},
    ),
    Scenario(
        "the payees' invoices are for too much",
        ("leg.bad_invoice",),
        prepare=_twist("plus_one_msat"),
        mend=_twist(None),
        options={"payouts": PATIENT},
    ),
    Scenario("a payee takes no such amount", ("leg.unpayable",), trouble="picky_payee", skips=True),
    Scenario("a fault before an invoice", ("leg.fault",), trouble="faulty_payer", options={"payouts": PATIENT}),
    Scenario("payees with wallets", ("payee_wallet.invoice", "payee_wallet.request"), prepare=_payee_wallets),
    Scenario("an impatient machine", ("proof.told_unverified",), trouble="impatient"),
    Scenario("rows without a state", ("proof.list",), trouble="stateless"),
    Scenario("a fault when a receipt is signed", ("outbox.fault",), trouble="faulty_publisher"),
    Scenario("relays that refuse", ("outbox.put_off",), trouble="refused_events"),
    Scenario(
        "something is wrong",
        ("alarms", "alerts.deliver", "alerts.done", "alerts.put_off"),
        prepare=_full_disk,
        before=_nobody_knows,
        trouble="often_watching",
    ),
    Scenario("housekeeping", ("house.cleaning",), trouble="often_cleaning"),
    Scenario("a machine tells of itself", ("intake.machine",), before=_tells),
    Scenario(
        "orders",
        ("intake.order", "outbox.publish.answer", "outbox.done.answer"),
        before=_order("status"),
    ),
    Scenario(
        "an operator who reads elsewhere", ("outbox.to_reader",), prepare=_reads_elsewhere, before=_order("status")
    ),
    Scenario(
        "a wallet is tested",
        ("intake.answered_order", "wallet_test.balance", "wallet_test.node", "wallet_test.lookup", "wallet_test.list"),
        before=_order("wallet test main"),
    ),
    Scenario(
        "a wallet pays itself",
        ("trial.invoice", "trial.noted", "trial.publish", "trial.list"),
        prepare=_lend(1_000),
        before=_try,
        mend=_lend(-1_000),
    ),
    Scenario(
        "a wallet pays itself and says so",
        ("trial.settled",),
        prepare=_lend(1_000),
        before=_try,
        mend=_lend(-1_000),
        not_with=frozenset({"liar", "silent"}),
        slow_with=SLOPPY,
    ),
    Scenario(
        "a wallet of whom nothing is known",
        ("fitness.node", "wallet_test.noted"),
        options={"wallet": {"profile": "auto"}},
        trouble="curious",
    ),
    Scenario(
        "the books are compared",
        ("reconcile.list", "reconcile.lookup", "reconcile.book", "reconcile.heeded"),
        prepare=_finish_one,
        before=_compare,
        mend=_remember,
        options={"policy": AGED},
        trouble="nobody_scans",
        fast=True,
        slow_with=SLOPPY,
    ),
    Scenario(
        "the books are compared every hour",
        ("reconcile.planned", "reconcile.told"),
        options={"policy": {"reconcile_hours": 1}},
        trouble="often_comparing",
        fast=True,
    ),
    Scenario(
        "an older backup",
        ("past.list", "past.noted", "past.over"),
        prepare=_finish_two,
        before=_restore,
        options={"policy": AGED},
        fast=True,
    ),
    Scenario(
        "an older backup, and no list",
        ("past.last_try",),
        prepare=_finish_two,
        before=_restore_without_list,
        mend=_honest_answers,
        options={"policy": AGED},
        fast=True,
    ),
    Scenario("a relay that has lost an event", ("own_events.given_again",), before=_lost),
    Scenario("machines that everybody may know", ("public_face",), before=_unknown, options={"public": True}),
    Scenario("a rule of the books is broken", ("audit.hold",), trouble="broken_rule", mend=_lift),
    Scenario(
        "a wallet without a list",
        ("reconcile.last_try",),
        before=_order("reconcile"),
        mend=_remember,
        options={"wallet_options": NO_LISTS},
        trouble="hasty",
    ),
    Scenario("fixed times", ("fixed_times",), options={"fixed_mode": {"times": QUARTERS}}, fast=True),
)


def unreached() -> set[str]:
    return set(NAMES) - {name for scenario in SCENARIOS for name in scenario.reaches}
