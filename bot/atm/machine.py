"""A machine's end of the protocol (docs/protocol.md): what it publishes, and what it hears from its bot alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, Final, Self

from bot.atm.cash import Cassette, positions, read_positions
from bot.delivery import PublishResult
from bot.nostr import Keys
from bot.query import Query, Subscription
from bot.relays import Relays
from bot.timings import Timings
from ledger.cash import Notes
from ledger.money import decimal_text, fiat_digits, fiat_text
from nwc.event import Event
from nwc.foreign import parse_json
from nwc.ports import Clock

LIVE: Final = 21_000
STORED: Final = 78
ADDRESSED: Final = 30_078
TELEMETRY: Final = 30_079
REPEAT_SECONDS: Final = 5.0
MAX_CHARS: Final = 65_535
_LOOK_SECONDS: Final = 0.05
_KEPT_IDS: Final = 20_000


class NoReceipt(Exception):
    """The bot has not said in time that it has a report."""


class NotConnected(Exception):
    """No relay answers."""


def settlement(
    *,
    tx_type: str,
    payment_hash: str,
    sats: tuple[int, int, int],
    fiat: int,
    currency: str,
    rate: Decimal,
    at: int,
    txid: str,
) -> dict[str, Any]:
    """The content of a report, but for its number (`seq`). `sats`: wire, principal, fee; `fiat` in whole units."""
    wire, principal, fee = sats
    return {
        "v": 1,
        "type": "settlement",
        "source": "bitspire",
        "txid": txid,
        "tx_type": tx_type,
        "payment_hash": payment_hash,
        "wire_sats": wire,
        "principal_sats": principal,
        "fee_sats": fee,
        "fiat_amount": fiat_text(fiat * 10 ** fiat_digits(currency), currency),
        "currency": currency,
        "exchange_rate": decimal_text(rate),
        "created_at": at,
    }


def dispensed(notes: Iterable[Notes]) -> dict[str, Any]:
    """What a report says of the notes that came out."""
    bills: dict[str, int] = {}
    cassettes: dict[str, Any] = {}
    for each in notes:
        bills[str(each.denomination)] = bills.get(str(each.denomination), 0) + each.notes
        cassettes[str(each.position)] = {"denomination": each.denomination, "dispensed": each.notes}
    return {"bills": bills, "cassettes": cassettes}


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the bot's for this machine that is kept by relays."""

    content: Mapping[str, Any]
    created_at: int
    event_id: str

    def newer_than(self, created_at: int, event_id: str = "") -> bool:
        """The later one counts; of two in one second the lower id does (NIP-01)."""
        if self.created_at != created_at:
            return self.created_at > created_at
        return bool(event_id) and self.event_id < event_id


@dataclass(frozen=True, slots=True)
class Ears:
    """What is done with what the bot says; each may be called more than once with the same."""

    on_receipt: Callable[[dict[str, Any]], None] = lambda _: None
    on_fees: Callable[[Told], None] = lambda _: None
    on_cassettes: Callable[[Told], None] = lambda _: None


class Machine:
    """`async with`: connected inside of it."""

    def __init__(
        self,
        keys: Keys,
        bot: str,
        relays: Sequence[str],
        clock: Clock,
        ears: Ears,
        *,
        timings: Timings | None = None,
        connect_seconds: float = 20.0,
    ) -> None:
        self.keys, self.bot, self.clock = keys, bot, clock
        self._ears = ears
        self._cipher = keys.cipher()
        self._connect_seconds = connect_seconds
        self._published_at: dict[str, int] = {}
        self._heard: dict[str, None] = {}
        self._receipts: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._deaf: set[str] = set()
        self.relays = Relays(relays, keys, self._hear, clock, timings=timings, channel_messages=_KEPT_IDS)
        me = keys.public_key
        kept = Query(kinds=(ADDRESSED,), authors=(bot,), d=(f"bitspire-fees:{me}", f"bitspire-cassettes:{me}"))
        self.relays.subscribe(Subscription("told", kept, 0, overlap_seconds=0))
        receipts = Query(kinds=(LIVE, ADDRESSED), authors=(bot,), p=(me,))
        self.relays.subscribe(Subscription("receipts", receipts, clock.now(), overlap_seconds=60))

    async def __aenter__(self) -> Self:
        """Raises NotConnected."""
        await self.relays.start()
        try:
            async with asyncio.timeout(self._connect_seconds):
                while not self.relays.listening():  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            await self.relays.close()
            raise NotConnected(f"no relay answers: {', '.join(self.relays.urls)}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.relays.close()

    # --- what it says ------------------------------------------------------------------------------------------------

    async def beacon(self, fields: Mapping[str, Any]) -> PublishResult:
        """Tells everybody what it is and does."""
        return await self._publish(ADDRESSED, f"bitspire-beacon:{self.keys.public_key}", _json(fields))

    async def telemetry(self, body: Mapping[str, Any]) -> PublishResult:
        d = f"bitspire-telemetry:{self.keys.public_key}"
        return await self._publish(TELEMETRY, d, self._for_bot(body), ("p", self.bot))

    async def state(self, bays: Mapping[int, Cassette], after: int = 0) -> tuple[PublishResult, int]:
        """What its bays hold; the `created_at` of that is later than `after`."""
        d = f"bitspire-cassettes-state:{self.keys.public_key}"
        self._published_at[d] = max(after, self._published_at.get(d, 0))
        body = {"v": 1, "positions": positions(bays)}
        result = await self._publish(ADDRESSED, d, self._for_bot(body), ("p", self.bot))
        return result, self._published_at[d]

    async def report(
        self, content: Mapping[str, Any], seconds: float, *, stored: bool = False, lost: int = 0
    ) -> dict[str, Any]:
        """Publishes a settlement again and again until its receipt is there, and gives that. `stored`: also as an event
        that relays keep. What comes before it was sent again `lost` times is not heard. Raises NoReceipt."""
        payment_hash = str(content["payment_hash"])
        text, tags, now = self._for_bot(content), [("p", self.bot)], self.clock.now()
        events = [self._cipher.sign(LIVE, tags, text, now)]
        if stored:
            tags.append(("d", f"bitspire-settlement:{payment_hash}"))
            events.append(self._cipher.sign(STORED, tags, text, now))
        receipt = self._receipts[payment_hash] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                for sendings in count():
                    (self._deaf.add if sendings < lost else self._deaf.discard)(payment_hash)
                    for event in events:
                        await self.relays.publish(event)
                    try:
                        return await asyncio.wait_for(asyncio.shield(receipt), REPEAT_SECONDS)
                    except TimeoutError:
                        continue
                raise AssertionError("for ever")
        except TimeoutError:
            raise NoReceipt(f"no receipt for payment {payment_hash[:16]}… within {seconds:g} s") from None
        finally:
            receipt.cancel()
            self._receipts.pop(payment_hash, None)
            self._deaf.discard(payment_hash)

    async def _publish(self, kind: int, d: str, content: str, *tags: tuple[str, str]) -> PublishResult:
        at = max(self.clock.now(), self._published_at.get(d, 0) + 1)
        self._published_at[d] = at
        return await self.relays.publish(self._cipher.sign(kind, [*tags, ("d", d)], content, at))

    def _for_bot(self, content: Mapping[str, Any]) -> str:
        return self._cipher.nip44_encrypt(self.bot, _json(content))

    # --- what it hears -----------------------------------------------------------------------------------------------

    def _hear(self, event: Event, url: str, repeat: bool) -> None:
        if event.id in self._heard:
            return
        self._heard[event.id] = None
        while len(self._heard) > _KEPT_IDS:
            del self._heard[next(iter(self._heard))]
        content = self._read(event)
        if content is None:
            return
        if content.get("type") == "receipt":
            self._hear_receipt(content)
        elif event.kind == ADDRESSED:
            told = Told(content, event.created_at, event.id)
            if event.tag("d") == f"bitspire-fees:{self.keys.public_key}":
                self._ears.on_fees(told)
            elif event.tag("d") == f"bitspire-cassettes:{self.keys.public_key}":
                self._ears.on_cassettes(told)

    def _hear_receipt(self, content: dict[str, Any]) -> None:
        payment_hash = str(content.get("payment_hash"))
        if payment_hash in self._deaf:
            return
        self._ears.on_receipt(content)
        waiting = self._receipts.get(payment_hash)
        if waiting is not None and not waiting.done():
            waiting.set_result(content)

    def _read(self, event: Event) -> dict[str, Any] | None:
        try:
            content = parse_json(self._cipher.nip44_decrypt(self.bot, event.content), max_chars=MAX_CHARS)
        except ValueError:
            return None
        return content if isinstance(content, dict) and content.get("v", 1) == 1 else None


def bays_of(told: Told, own: Iterable[int]) -> dict[int, Cassette]:
    """What a cassette config says of a machine's `own` positions. Raises ValueError, fit to show."""
    bays = read_positions(told.content.get("positions"))
    unknown = sorted(bays.keys() - set(own))
    if unknown:
        raise ValueError(f"there is no bay {', '.join(map(str, unknown))} here")
    return bays


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
