"""A whole machine that runs: tells now and then what it is and holds, follows what the bot tells it, reports until it
is heard, and forgets nothing of that when it is switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from bot.atm.cash import Cash, Cassette, positions
from bot.atm.machine import Ears, Machine, NoReceipt, Told, bays_of, dispensed
from bot.atm.memory import Keeper, Memory
from bot.nostr import Keys
from bot.timings import Timings
from ledger.cash import Notes
from ledger.errors import Refusal
from ledger.fees import FeeRates
from ledger.money import parse_fraction
from nwc.ports import Clock

AGAIN_SECONDS: Final = 5.0
BEAT_SECONDS: Final = 60.0
REPORT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05

Tell = Callable[[str, Mapping[str, Any]], None]
"""What happens, for whoever watches: `fees`, `config`, `config_refused`, `state`, `receipt`, `no_receipt`."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the bays held at one moment, to be told."""

    bays: Mapping[int, Cassette]
    as_filled: bool = False


class RunningMachine:
    """`async with`: connected inside of it; `run` beside whatever else it does."""

    def __init__(
        self,
        keys: Keys,
        bot: str,
        relays: Sequence[str],
        clock: Clock,
        keeper: Keeper,
        *,
        tell: Tell = lambda _kind, _facts: None,
        about: Mapping[str, Any] | None = None,
        timings: Timings | None = None,
        connect_seconds: float = 20.0,
    ) -> None:
        """`about`: fields of its beacon beside what it knows of itself."""
        self.keeper, self.clock = keeper, clock
        self.about = dict(about or {})
        self._tell = tell
        self._fees_known = asyncio.Event()
        self._states: deque[_Held] = deque([_Held(dict(keeper.memory.cash.bays))])
        self._cash_changed = asyncio.Event()
        self._began_at = clock.now()
        self._last_word: tuple[object, object] = (None, None)
        if keeper.fresh:
            # What was said to a machine before it was one is of another time.
            self.memory.config_at = self._began_at - 1
        if self.memory.fees is not None:
            self._fees_known.set()
        ears = Ears(on_receipt=self.on_receipt, on_fees=self._on_fees, on_cassettes=self._on_config)
        self.machine = Machine(keys, bot, relays, clock, ears, timings=timings, connect_seconds=connect_seconds)

    @property
    def memory(self) -> Memory:
        return self.keeper.memory

    @property
    def cash(self) -> Cash:
        return self.memory.cash

    @property
    def keys(self) -> Keys:
        return self.machine.keys

    @property
    def fees(self) -> FeeRates | None:
        """What customers are to be charged, platform and operator together. None: the bot has not said it."""
        told = self.memory.fees
        return None if told is None else _rates(told)

    async def __aenter__(self) -> Self:
        """Raises NotConnected."""
        await self.machine.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.machine.__aexit__(*failure)

    async def run(self, *, beat_seconds: float = BEAT_SECONDS) -> None:
        """Runs for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(beat_seconds))
            group.create_task(self.tell_states())
            for content in list(self.memory.unreported):
                group.create_task(self._report_again(content))

    # --- customers ---------------------------------------------------------------------------------------------------

    async def until_fees(self, seconds: float) -> FeeRates | None:
        try:
            async with asyncio.timeout(seconds):
                await self._fees_known.wait()
        except TimeoutError:
            return None
        return self.fees

    def take(self, content: dict[str, Any], notes: Iterable[Notes] = (), put_in: int = 0) -> dict[str, Any]:
        """A transaction has happened: these notes came out, or so much was put in. Gives it its number, keeps it until
        it is reported, and returns what is to be reported."""
        notes = tuple(notes)
        self.memory.seq += 1
        self.cash.dispense(notes)
        self.cash.box += put_in
        report = {**content, "seq": self.memory.seq}
        if content["tx_type"] == "cash_out" and self.cash.bays:
            report |= dispensed(notes)
        self.memory.unreported.append(report)
        self.keeper.save()
        self._changed()
        return report

    async def report(
        self, content: dict[str, Any], *, seconds: float = REPORT_SECONDS, stored: bool = False, lost: int = 0
    ) -> dict[str, Any]:
        """Reports it until the receipt is there, and gives that. Raises NoReceipt."""
        receipt = await self.machine.report(content, seconds, stored=stored, lost=lost)
        self._reported(str(content["payment_hash"]))
        return receipt

    def fill(self, bays: Mapping[int, Cassette]) -> None:
        """These bays hold this from now on: somebody has put the cassettes in, or a config says so."""
        self.cash.fill(bays)
        self.keeper.save()
        self._changed(as_filled=True)

    def _changed(self, *, as_filled: bool = False) -> None:
        if self._states and not self._states[-1].as_filled:
            self._states.pop()
        self._states.append(_Held(dict(self.cash.bays), as_filled))
        self._cash_changed.set()

    def on_receipt(self, content: dict[str, Any]) -> None:
        word = (content.get("payment_hash"), content.get("status"))
        if word != self._last_word:  # the same comes live, and as an event that relays keep
            self._last_word = word
            self._tell("receipt", content)
        self._reported(str(content.get("payment_hash")))

    def _reported(self, payment_hash: str) -> None:
        left = [each for each in self.memory.unreported if each.get("payment_hash") != payment_hash]
        if len(left) < len(self.memory.unreported):
            self.memory.unreported = left
            self.keeper.save()

    async def _report_again(self, content: dict[str, Any]) -> None:
        while content in self.memory.unreported:
            try:
                await self.report(content)
            except NoReceipt as silence:
                self._tell("no_receipt", {"reason": str(silence), "payment_hash": content.get("payment_hash")})

    # --- what it says of itself --------------------------------------------------------------------------------------

    def beacon(self) -> dict[str, Any]:
        """What it tells everybody now."""
        told = self.memory.fees or {}
        fees = {name: told[name] for name in ("cash_in_fee", "cash_out_fee") if name in told}
        known = {"cash_out": self.cash.amount > 0, "cash_level": self.cash.level}
        denominations = sorted({bay.denomination for bay in self.cash.bays.values()})
        return {
            **(known if self.cash.bays else {}),
            **({"fees": fees} if fees else {}),
            **({"denominations": denominations} if denominations else {}),
            **self.about,
        }

    async def _beat(self, seconds: float) -> None:
        while True:
            await self.machine.beacon(self.beacon())
            await self.machine.telemetry(
                {
                    "uptime_seconds": self.clock.now() - self._began_at,
                    "transactions": self.memory.seq,
                    "unreported": len(self.memory.unreported),
                    "box": self.cash.box,
                }
            )
            await asyncio.sleep(seconds)

    async def tell_states(self) -> None:
        """Publishes the newest state; and each that was just filled, so that whoever sent a config sees it as it was
        sent. Runs for ever."""
        while True:
            while self._states:
                held = self._states[0]
                if held.bays and not await self._told_state(held.bays):
                    await asyncio.sleep(AGAIN_SECONDS)
                elif self._states and self._states[0] is held:
                    self._states.popleft()
            self._cash_changed.clear()
            await self._cash_changed.wait()

    async def until_told(self, seconds: float) -> bool:
        """Whether its newest state is at a relay within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._states:  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(_LOOK_SECONDS)
        return not self._states

    async def _told_state(self, bays: Mapping[int, Cassette]) -> bool:
        result, self.memory.state_at = await self.machine.state(bays, self.memory.state_at)
        self.keeper.save()
        if result.accepted:
            self._tell("state", {"positions": positions(bays)})
        return bool(result.accepted)

    # --- what it is told ---------------------------------------------------------------------------------------------

    def _on_fees(self, told: Told) -> None:
        if not told.newer_than(self.memory.fees_at):
            return
        try:
            fees = {name: str(told.content[name]) for name in ("cash_in_fee", "cash_out_fee")}
            _rates(fees)
        except (KeyError, Refusal):
            return
        self.memory.fees, self.memory.fees_at = fees, told.created_at
        self.keeper.save()
        self._fees_known.set()
        self._tell("fees", fees)

    def _on_config(self, told: Told) -> None:
        memory = self.memory
        if not told.newer_than(memory.config_at, memory.config_id):
            return
        memory.config_at, memory.config_id = told.created_at, told.event_id
        try:
            bays = bays_of(told, memory.cash.bays)
        except ValueError as bad:
            self.keeper.save()
            self._tell("config_refused", {"reason": str(bad)})
            return
        self.fill(bays)
        self._tell("config", {"positions": positions(bays)})


def _rates(fees: Mapping[str, str]) -> FeeRates:
    """Raises Refusal."""
    return FeeRates(*(parse_fraction(fees[name], name) for name in ("cash_in_fee", "cash_out_fee")))
