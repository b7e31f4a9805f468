"""Events from relays become messages to handlers: judged, unwrapped, and acted on once.

Cheap questions come before costly ones: whose key it is and whether it was taken before is asked before anything is
decrypted. A batch is handed to the database at once, so that one commit serves all of it.

Relays bring what they kept with the newest first, and gift wraps tell no time at all. So what comes while a relay
catches up is opened and held back until the relay is through, and then acted on in the order in which it was said.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from bot.fairness import Queues, Strangers
from bot.line import ORDER_SECONDS
from bot.nostr import BadWrap, Keys, Rumor, open_seal, open_wrap
from bot.query import Query, Subscription
from bot.questions import Questions
from bot.workers.wakeup import Bell
from handlers import beacon, cassette_state, orders, settlement, sightings, telemetry
from handlers.context import Answer, Ask, Live, Message, Settings
from handlers.settlement import Received
from handlers.sightings import Heard, Sighting
from handlers.wire.bad_event import BadEvent
from handlers.wire.cassettes import is_cassettes
from ledger.decide.landing import LandingPolicy
from nwc.event import Event
from nwc.ports import Clock
from storage import inbox
from storage.db import Database, Tx
from storage.errors import StorageBroken

log = structlog.get_logger(__name__)

FOR_US: Final = "for-us"
"""The name of the subscription."""
GIFT_WRAP: Final = 1059
SIGNED_ORDER: Final = 14
LIVE_REPORT: Final = 21_000
SETTLEMENT_KINDS: Final = (LIVE_REPORT, 78)
PUBLIC: Final = 30_078
"""A beacon, or a cassette state: its content tells."""
TELEMETRY: Final = 30_079
OWN_KINDS: Final = (PUBLIC, TELEMETRY)
"""What machines publish of themselves."""
QUEUE: Final = 5_000
BATCH: Final = 128
WRAPS_AT_ONCE: Final = 16
"""Gift wraps are opened one after the other before anything else goes on: a few milliseconds for so many."""
LOOK_SECONDS: Final = 0.05
KEPT_STRANGERS: Final = 5
KEPT_EARLY: Final = 200
WARN_SECONDS: Final = 60
REPEAT_SECONDS: Final = 86_400
"""A machine that still wants its receipt after so long looks for the stored one; others may repeat its events, too."""
_MAX_CONTENT_CHARS: Final = 200_000
_MAX_EARLY_CHARS: Final = 10_000
_MAX_EARLY_TAGS: Final = 20
_SETTLEMENT_D: Final = "bitspire-settlement:"
_BEACON_D: Final = "bitspire-beacon:"
_STATE_D: Final = "bitspire-cassettes-state:"


MACHINES: Final = "machines"
"""What the names of the subscriptions to machines begin with."""
MACHINES_AT_ONCE: Final = 250
"""So many keys in one subscription: relays take neither endless filters nor endless subscriptions."""


def subscriptions(bot_pubkey: str, since: int) -> list[Subscription]:
    """What is listened for: everything addressed to the bot. `since`: when it last listened, unix seconds."""
    kinds = (GIFT_WRAP, SIGNED_ORDER, *SETTLEMENT_KINDS)
    return [Subscription(FOR_US, Query(kinds=kinds, p=(bot_pubkey,)), since)]


def machine_subscriptions(machines: Sequence[str]) -> list[Subscription]:
    """What machines publish of themselves, which need not be addressed to the bot. Relays keep the newest of each
    alone, so all of it is read, however old: a machine may have said it long before it was registered."""
    stretches = [machines[first : first + MACHINES_AT_ONCE] for first in range(0, len(machines), MACHINES_AT_ONCE)]
    return [
        Subscription(f"{MACHINES}-{number}", Query(kinds=OWN_KINDS, authors=tuple(stretch)), 0)
        for number, stretch in enumerate(stretches, 1)
    ]


@dataclass(frozen=True, slots=True)
class Arrived:
    event: Event
    repeat: bool
    place: int
    """Among what was said in the same second: of what a relay kept the last to come is the first that was said."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be done with an event, and when its sender wrote it, unix seconds."""

    at: int
    place: int
    event: Event
    work: Callable[[Tx], None]
    brake: bool = False
    """Whether it asks that less be paid."""


Hearing = Callable[[Tx, Sighting], Heard | BadEvent | None]
Receive = Callable[[Tx, Event, str, Sighting], Heard | BadEvent]


class Known:
    """Keys that have something to say here, kept in memory: a flood of others costs a look-up each, no decryption."""

    def __init__(self) -> None:
        self.machines: frozenset[str] = frozenset()
        self.in_order: tuple[str, ...] = ()
        """The machines, the first that was added first."""
        self.people: frozenset[str] = frozenset()

    async def load(self, db: Database, settings: Settings) -> None:
        machines, lps = await db.read(
            lambda tx: (
                tuple(row["pubkey"] for row in tx.all("SELECT pubkey FROM machines ORDER BY id")),
                frozenset(row["pubkey"] for row in tx.all("SELECT pubkey FROM lps")),
            )
        )
        self.machines, self.in_order = frozenset(machines), machines
        self.people = lps | settings.operators | settings.platforms | {settings.bot_pubkey}


class Listening(Protocol):
    """The relays, as far as the intake has to do with them."""

    def catching_up(self) -> Collection[str]:
        """Those that bring what they kept while nobody listened."""
        ...

    def subscribe(self, subscription: Subscription) -> None: ...

    def unsubscribe(self, name: str) -> None: ...


class Intake:
    """The one task that takes events off the relays' hands. `on_event` never blocks."""

    def __init__(
        self,
        db: Database,
        keys: Keys,
        clock: Clock,
        bell: Bell,
        questions: Questions,
        *,
        policy: Callable[[], LandingPolicy],
        settings: Callable[[], Settings],
        live: Callable[[], Live],
        relays: Callable[[], Listening],
    ) -> None:
        self._db = db
        self._keys = keys
        self._cipher = keys.cipher()
        self._clock = clock
        self._bell = bell
        self._questions = questions
        self._policy = policy
        self._settings = settings
        self._live = live
        self._relays = relays
        self._followed: tuple[str, ...] = ()
        self._known = Known()
        self._queues: Queues[Arrived] = Queues(QUEUE)
        self._strangers = Strangers(clock)
        self._open = True
        self._came = 0
        self._held: list[Said] = []
        self._hold_until: float | None = None
        """Until when at most, on the loop's clock, what comes is held back to be put in order; None: nothing is."""
        self._early: OrderedDict[str, Event] = OrderedDict()
        self._warned: dict[tuple[str, str, str], tuple[int, int]] = {}
        """What the log was last told of each machine, and how often it was not since."""
        self.counts: dict[str, int] = {}
        """What was not taken, by reason, since the start."""
        self.strangers: OrderedDict[str, int] = OrderedDict()
        """The latest few keys that sent settlements and are no machine here: a machine that waits to be added."""

    def on_event(self, event: Event, url: str, repeat: bool) -> bool:
        """Takes an event that a relay brought, verified. False: no room now, it is to come again."""
        if not self._open:
            return True  # what is stored comes again at the next start, what is not is repeated by its sender
        kept = url in self._relays().catching_up()
        if kept and self._hold_until is None:
            self._hold_until = asyncio.get_running_loop().time() + ORDER_SECONDS
        self._came += 1
        arrived = Arrived(event, repeat, -self._came if kept else self._came)
        return self._queues.put(arrived, sealed=event.kind == GIFT_WRAP)

    def holds_a_brake(self) -> bool:
        """Whether somebody has asked that less be paid, or may have, and it is not done yet: nothing new may be paid
        before."""
        unread = self._hold_until is not None and not self._queues.empty
        return unread or any(said.brake for said in self._held)

    def stop(self) -> None:
        """Takes nothing more; what is queued is stored by the relays or repeated by its sender."""
        self._open = False

    async def run(self) -> None:
        """Runs for ever. The known keys are read again whenever a commit has touched machines or LPs."""
        async with asyncio.TaskGroup() as group:
            await self._known.load(self._db, self._settings())
            self._follow_machines()
            group.create_task(self._follow_known())
            while True:
                seconds = None if self._hold_until is None else LOOK_SECONDS
                await self._take(await self._queues.take(BATCH, WRAPS_AT_ONCE, seconds))
                if self._hold_until is not None and self._whole(self._hold_until):
                    await self._act_on_held()

    def _whole(self, hold_until: float) -> bool:
        """Whether nothing is missing any more of what is held back, or there is no waiting for it."""
        if len(self._held) >= QUEUE or asyncio.get_running_loop().time() >= hold_until:
            return True
        return self._queues.empty and not self._relays().catching_up()

    async def _act_on_held(self) -> None:
        """In the order in which it was said: of two orders the later one stands."""
        held, self._hold_until = sorted(self._held, key=lambda said: (said.at, said.place)), None
        for first in range(0, len(held), BATCH):
            await asyncio.gather(*(self._write(said.event, said.work) for said in held[first : first + BATCH]))
        self._held = []

    async def _follow_known(self) -> None:
        while True:
            await self._bell.wait()
            await self._known.load(self._db, self._settings())
            self._follow_machines()
            self._take_up_early_reports()

    def _follow_machines(self) -> None:
        """What machines publish is listened for from when they are registered."""
        if self._known.in_order == self._followed:
            return
        before = {each.name for each in machine_subscriptions(self._followed)}
        wanted = machine_subscriptions(self._known.in_order)
        for each in wanted:
            self._relays().subscribe(each)
        for name in before - {each.name for each in wanted}:
            self._relays().unsubscribe(name)
        self._followed = self._known.in_order

    def _take_up_early_reports(self) -> None:
        """A machine may report before the operator has added it: what is still here of that is taken now."""
        for event in [event for event in self._early.values() if event.pubkey in self._known.machines]:
            if self.on_event(event, "", repeat=False):
                del self._early[event.id]

    async def _take(self, batch: list[Arrived]) -> None:
        wanted = [arrived for arrived in batch if self._wanted(arrived.event)]
        if not wanted:
            return
        taken = await self._taken(wanted)
        works = []
        for arrived in wanted:
            old = self._clock.now() - arrived.event.created_at > REPEAT_SECONDS
            if arrived.event.id in taken and (not arrived.repeat or old):
                continue
            said = self._said(arrived)
            if said is None:
                continue
            # A live report is kept by no relay: it is not late, and its machine waits for the receipt.
            # And of what a machine says of itself the newest counts, in whatever order it comes.
            if self._hold_until is not None and arrived.event.kind not in (LIVE_REPORT, *OWN_KINDS):
                self._held.append(said)
            else:
                works.append(self._write(said.event, said.work))
        await asyncio.gather(*works)

    async def _taken(self, wanted: list[Arrived]) -> set[str]:
        """The ids of what was taken before. A message that comes alone is not looked up: to open it takes no longer,
        and what it says is acted on once whatever it comes in."""
        if len(wanted) == 1 and wanted[0].event.kind == GIFT_WRAP:
            return set()
        ids = [arrived.event.id for arrived in wanted]
        return await self._db.read(lambda tx: inbox.known(tx, ids))

    def _wanted(self, event: Event) -> bool:
        if len(event.content) > _MAX_CONTENT_CHARS:
            self._count("oversized")
            return event.pubkey in self._known.machines  # that is told of
        if event.pubkey == self._keys.public_key and event.kind != SIGNED_ORDER:
            return False  # a heartbeat that some relay kept
        if event.kind in SETTLEMENT_KINDS:
            if event.kind == 78 and not (event.tag("d") or "").startswith(_SETTLEMENT_D):
                return False
            if event.pubkey in self._known.machines:
                return True
            if len(event.content) <= _MAX_EARLY_CHARS and len(event.tags) <= _MAX_EARLY_TAGS:
                self._early[event.id] = event
            if len(self._early) > KEPT_EARLY:
                self._early.popitem(last=False)
            self.strangers[event.pubkey] = self._clock.now()
            self.strangers.move_to_end(event.pubkey)
            if len(self.strangers) > KEPT_STRANGERS:
                self.strangers.popitem(last=False)
            self._count("unknown_machine")
            return False
        if event.kind == SIGNED_ORDER:
            return event.pubkey in self._known.people
        if event.kind in OWN_KINDS:
            return event.pubkey in self._known.machines
        return event.kind == GIFT_WRAP

    def _said(self, arrived: Arrived) -> Said | None:
        """Decrypts, and says what is to be done with it in a transaction; None where it can't be read."""
        event = arrived.event
        if len(event.content) > _MAX_CONTENT_CHARS:
            if arrived.repeat:
                return None
            self._warn("oversized", event, reason="oversized", characters=len(event.content))
            return Said(event.created_at, arrived.place, event, lambda tx: inbox.count(tx, "oversized"))
        if event.kind in SETTLEMENT_KINDS:
            report = self._settlement(arrived)
            return Said(event.created_at, arrived.place, event, report) if report is not None else None
        if arrived.repeat:
            return None  # a person who sends the same bytes again has the answer already
        if event.kind in OWN_KINDS:
            heard = self._own(event)
            if heard is None:
                return None
            sighting = Sighting(self._clock.now(), live=arrived.place > 0)
            return Said(event.created_at, arrived.place, event, lambda tx: self._tell(event, heard(tx, sighting)))
        try:
            message = self._message(event)
        except ValueError as bad:
            self._count("bad_wrap" if isinstance(bad, BadWrap) else "bad_payload")
            log.debug("order_unreadable", kind=event.kind, reason=str(bad))
            return None
        if message is None:
            return None
        brake = self._hold_until is not None and message.sender in self._known.people and orders.is_brake(message.text)
        return Said(message.said_at, arrived.place, event, lambda tx: self._order(tx, event, message), brake)

    def _message(self, event: Event) -> Message | None:
        """None for a stranger's, of which enough were read."""
        if event.kind == SIGNED_ORDER:
            text = self._cipher.nip44_decrypt(event.pubkey, event.content)
            return Message(event.id, event.pubkey, text, event.created_at, signed=True)
        rumor = self._rumor(event)
        if rumor is None:
            return None
        return Message(rumor.id, rumor.author, rumor.content, rumor.created_at, signed=False)

    def _rumor(self, wrap: Event) -> Rumor | None:
        seal = open_wrap(self._keys, wrap)
        if seal.pubkey not in self._known.people and not self._strangers.may_be_read(seal.pubkey):
            self._count("stranger_unread")
            return None
        return open_seal(self._keys, seal)

    def _settlement(self, arrived: Arrived) -> Callable[[Tx], None] | None:
        event = arrived.event
        try:
            text = self._cipher.nip44_decrypt(event.pubkey, event.content)
        except ValueError:
            self._count("bad_payload")
            self._warn("settlement_unreadable", event, reason="it can't be decrypted")
            return None

        def work(tx: Tx) -> None:
            now = self._clock.now()
            received = settlement.receive(tx, event, text, policy=self._policy(), repeat=arrived.repeat, now=now)
            if received is not Received.SEEN:
                inbox.count(tx, f"settlement_{received.value}")
            if received in (Received.MALFORMED, Received.CONFLICT):
                self._warn("settlement_refused", event, reason=received.value, event_id=event.id)

        return work

    def _own(self, event: Event) -> Hearing | None:
        """What is to be done with what a machine publishes of itself; None for what is none of ours."""
        d = event.tag("d") or ""
        if event.kind == TELEMETRY:
            return self._opened(event, telemetry.receive, "telemetry")
        if d.startswith(_STATE_D):
            if d != _STATE_D + event.pubkey:
                return lambda tx, _: cassette_state.foreign(tx)
            return self._opened(event, cassette_state.receive, "cassettes")
        named = d == _BEACON_D + event.pubkey
        if named or event.content.lstrip().startswith("{"):
            return lambda tx, sighting: beacon.receive(tx, event, sighting, named=named)
        if self._keys.public_key not in event.tag_values("p"):
            return None
        try:
            text = self._cipher.nip44_decrypt(event.pubkey, event.content)
        except ValueError:
            return None
        if not is_cassettes(text):
            return None
        return lambda tx, sighting: cassette_state.receive(tx, event, text, sighting)

    def _opened(self, event: Event, receive: Receive, what: str) -> Hearing:
        try:
            text = self._cipher.nip44_decrypt(event.pubkey, event.content)
        except ValueError:
            bad = BadEvent("sealed", "it can't be decrypted")
            return lambda tx, _: sightings.refuse(tx, what, bad)
        return lambda tx, sighting: receive(tx, event, text, sighting)

    def _tell(self, event: Event, heard: Heard | BadEvent | None) -> None:
        if isinstance(heard, BadEvent):
            self._warn("event_refused", event, reason=heard.reason, detail=str(heard))

    def _warn(self, what: str, event: Event, *, reason: str, **more: Any) -> None:
        """A line in the log at most once a minute for each machine and reason: with a stolen key such events are as
        many as somebody likes."""
        key, now = (what, event.pubkey, reason), self._clock.now()
        since, passed_over = self._warned.get(key, (None, 0))
        if since is not None and 0 <= now - since < WARN_SECONDS:
            self._warned[key] = since, passed_over + 1
            return
        self._warned[key] = now, 0
        log.warning(what, machine=event.pubkey, kind=event.kind, reason=reason, times=passed_over + 1, **more)

    def _order(self, tx: Tx, event: Event, message: Message, answer: Answer | None = None) -> None:
        now = self._clock.now()
        bug = orders.handle(tx, message, self._settings(), self._live(), now, answer)
        if bug is not None:
            log.error("order_failed", sender=message.sender, exc_info=bug)
        if message.sender in self._known.people:
            # Saves the decryption of the next copy. Strangers' wraps are not kept: they would fill the disk.
            inbox.take(tx, event.id, event.kind, event.pubkey, now)

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    async def _write(self, event: Event, work: Callable[[Tx], None]) -> None:
        try:
            await self._db.write(work)
        except StorageBroken:
            raise
        except Ask as ask:
            await self._asked(event, ask)
        except Exception:
            # A fault of ours in one event must not stop the others; it is not noted as taken, so it comes again.
            log.exception("event_not_taken", event_id=event.id, kind=event.kind)

    async def _asked(self, event: Event, ask: Ask) -> None:
        """The order is handled again when its answer is there; the orders behind it go on."""

        async def again(answer: Answer) -> None:
            await self._write(event, lambda tx: self._order(tx, event, ask.message, answer))

        refusal = self._questions.put(ask, again)
        if refusal is not None:
            await again(Answer(refusal))
