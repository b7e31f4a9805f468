"""The machine that a visitor registers: once an LP of it has cash in it, customers come.

What the visitor has done is known from the bot alone, by the operator's orders: the demo hears no message of theirs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from bot.atm.purse import PurseTrouble
from bot.demo import script
from bot.demo.actor import OrderRefused
from bot.demo.play import Machine, Play
from bot.demo.script import Sale
from ledger.fees import FeeRates
from ledger.money import parse_fiat, parse_fraction

EVERY_SECONDS: Final = 30.0
"""Between two customers at the visitor's machine, at the demo's own speed."""
SOON_SECONDS: Final = 2.0
"""From the deposit to the first customer."""
_LOOK_SECONDS: Final = (0.5, 10.0)
"""Pauses between two questions to the bot: right after something was heard, and at most."""
_SLOWER: Final = 1.3


@dataclass(frozen=True, slots=True)
class Registered:
    """The visitor's machine as the bot has it. `remaining_minor`: what its LPs have left, in its currency."""

    name: str
    currency: str
    fees: FeeRates
    """The operator's."""
    remaining_minor: int


class Visit:
    """`run` brings customers by themselves, `serve` one at once."""

    def __init__(self, play: Play, machine: Machine) -> None:
        self._play, self._machine = play, machine
        self._served = 0
        self._told = ""
        self._serving = asyncio.Lock()

    async def run(self) -> None:
        """For as long as it is let. Raises PurseTrouble, NoAnswer."""
        pause = self._play.plan.pause_seconds / script.PAUSE_SECONDS
        while True:
            await self._something_to_do()
            await asyncio.sleep(SOON_SECONDS * pause)
            await self.serve()
            await asyncio.sleep(EVERY_SECONDS * pause)

    async def serve(self) -> bool:
        """Serves one customer, where the LPs of the machine have enough for one."""
        async with self._serving:
            sale = await self._next_sale()
            if sale is None:
                return False
            self._served += 1
            try:
                await self._play.serve_more(sale, self._machine)
            except PurseTrouble as trouble:
                self._play.scene.say(str(trouble))
            return True

    async def close(self) -> None:
        """Returns when no customer is at the machine; nobody is served after it."""
        await self._serving.acquire()

    async def _something_to_do(self) -> None:
        pause, longest = _LOOK_SECONDS
        while await self._next_sale() is None:
            self._play.stirred.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._play.stirred.wait()
                pause = _LOOK_SECONDS[0]
            except TimeoutError:
                pause = min(pause * _SLOWER, longest)

    async def _next_sale(self) -> Sale | None:
        known = await self._registered()
        if known is None:
            return None
        platform = await self._play.platform.ask("platform.show")
        fees = _fees(platform)
        both = FeeRates(fees.cash_in_ppm + known.fees.cash_in_ppm, fees.cash_out_ppm + known.fees.cash_out_ppm)
        if both != self._machine.atm.fees:
            return None  # the machine has not heard yet what it is to charge
        sale = script.visit(self._served + 1, known.name, known.currency, known.remaining_minor, fees, known.fees)
        self._tell(known, sale)
        return sale

    async def _registered(self) -> Registered | None:
        atm = self._machine.atm
        if atm.fees is None:
            return None
        try:
            shown = await self._play.operator.ask("machine.show", machine=atm.keys.public_key)
            enrolled = await self._play.operator.ask_all("lp.list", machine=atm.keys.public_key)
        except OrderRefused:
            return None  # it was removed again
        if not shown["active"] or shown["wallet"] != script.SPARE_WALLET:
            return None
        able = [each for each in enrolled if each["onboarded"] and each["status"] == "active"]
        remaining = sum(parse_fiat(each["remaining"], shown["fiat"]) for each in able)
        return Registered(shown["machine"], shown["fiat"], _fees(shown), remaining)

    def _tell(self, known: Registered, sale: Sale | None) -> None:
        """What the visitor may wonder about, once."""
        told = f"Your machine {known.name} is registered. Customers come once an LP of it has a confirmed deposit"
        if self._served and sale is None:
            told = f"Nobody comes to {known.name} now: its LPs have too little cash left in it"
        if sale is None and told != self._told:
            self._told = told
            self._play.scene.say(told)


def _fees(shown: dict[str, Any]) -> FeeRates:
    return FeeRates(*(parse_fraction(shown[name], name) for name in ("cash_in_fee", "cash_out_fee")))
