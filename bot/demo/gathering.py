"""Gathers the books that are compared: the bot's, by orders and from its balance events, and those of Lightning."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Final

from bot.demo.actor import Actor, OrderRefused
from bot.demo.audit import Books, CashWord, LpWord, Moved
from bot.demo.play import Play
from bot.demo.surroundings import SPARE, TILLS
from bot.demo.waiting import until
from nwc.messages import Transaction

MARGIN_SECONDS: Final = 600
"""A wallet's clock may be so far behind ours."""
EVENT_WITHIN_SECONDS: Final = 10.0
_CASH_LOOKS: Final = 50
_ABOUT_CASH: Final = ("cassette", "box", "deposit", "machine")
_CASH_LOOK_SECONDS: Final = 0.2


class WalletLedger:
    """What moves in the machines' wallets from now on, as Lightning shows it."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._since = play.began_at - MARGIN_SECONDS
        self._before: frozenset[tuple[bool, str]] = frozenset()

    async def begin(self) -> None:
        """What is there already is not ours. Raises PurseTrouble."""
        if self._play.around.lightning is None:
            self._before = frozenset(map(_identity, await self._rows()))

    async def moved(self) -> list[Moved]:
        """Raises PurseTrouble."""
        lightning = self._play.around.lightning
        if lightning is not None:
            return [
                Moved(
                    incoming=account == each.payee,
                    payment_hash=each.payment_hash or "",
                    amount_msat=each.amount_msat,
                    fee_msat=each.fee_msat,
                    payee=each.payee,
                )
                for each in lightning.books.movements
                for account in (*TILLS.values(), SPARE)
                if each.kind == "paid" and account in (each.payer, each.payee)
            ]
        return [
            Moved(row.direction == "incoming", row.payment_hash, row.amount_msat, row.fees_paid_msat or 0)
            for row in await self._rows()
            if _identity(row) not in self._before
        ]

    async def _rows(self) -> Sequence[Transaction]:
        listing = await self._play.machine.till.history(self._since)
        return [row for row in listing.rows if (row.state or ("settled" if row.settled_at else "")) == "settled"]


async def gather(play: Play, ledger: WalletLedger) -> Books:
    """Everything that `bot.demo.audit` compares. Raises NoAnswer, OrderRefused, PurseTrouble."""
    operator = play.operator
    waiting = await operator.ask("worklist", threshold_minutes=0)
    words = [await _word(play, lp, sum(brought[lp.name] for brought in play.brought.values())) for lp in play.lps]
    if not play.plan.once:
        with contextlib.suppress(OrderRefused):  # whom nobody has enrolled is no LP
            words.append(await _word(play, play.guest_lp, None))
    touched = await _touched(play)
    return Books(
        sales=[(row.sale, row.payment_hash) for row in play.scene.sales if row.payment_hash or play.plan.once],
        settlements=await operator.ask_all("settlement.list"),
        legs=await operator.ask_all("payment.list"),
        lps=words,
        moved=await ledger.moved(),
        funds_before_msat=play.funds_msat,
        funds_after_msat=await play.funds(),
        worklist=[item["id"] for bucket in waiting["buckets"].values() for item in bucket],
        visited=not play.plan.once,
        cash=[await _cash(play, home, touched=home in touched) for home in play.homes],
    )


async def _touched(play: Play) -> set[str]:
    """The demo's own machines whose cash a visitor may have changed by an order."""
    if play.plan.once:
        return set()
    guest = play.guest_operator.public_key
    lines = [line for line in await play.operator.ask_all("audit") if line["who"] == guest]
    about = [json.dumps(line) for line in lines if str(line["command"]).startswith(_ABOUT_CASH)]
    everywhere = any(str(line["command"]).startswith("settlement") for line in lines)
    return {home for home in play.homes if everywhere or any(home in line for line in about)}


async def _cash(play: Play, home: str, *, touched: bool) -> CashWord:
    """What a machine holds, and what the bot says of it once it has heard the machine's last report."""
    cash, told = play.homes[home].atm.cash, await play.operator.ask("cassette.list", machine=home)
    for _ in range(_CASH_LOOKS):
        if told["differs_since"] is None:
            break
        await asyncio.sleep(_CASH_LOOK_SECONDS)
        told = await play.operator.ask("cassette.list", machine=home)
    return CashWord(
        machine=home,
        loaded=sum(bay.amount for bay in play.plan.filling(home).bays.values()),
        refilled=play.refilled[home],
        brought=sum(play.brought[home].values()),
        bays={str(position): (bay.denomination, bay.count) for position, bay in cash.bays.items()},
        box=cash.box,
        told=told,
        touched=touched,
    )


async def _word(play: Play, lp: Actor, brought: int | None) -> LpWord:
    told = await lp.ask("balance")
    sats = sum(each["sats"] for each in told["enrolments"])
    await _caught_up(play, lp.name, sats)
    history = await lp.ask_all("history")
    return LpWord(
        name=lp.name,
        lp=told["lp"],
        deposit=brought,
        enrolments=told["enrolments"],
        history_sats=sum(leg["amount_sats"] for leg in history if leg["status"] == "completed"),
        event_sats=play.scene.lps[lp.name].said_sats,
    )


async def _caught_up(play: Play, name: str, sats: int) -> None:
    """The balance event follows a little after what it tells."""
    await until(lambda: play.scene.lps[name].said_sats == sats, EVENT_WITHIN_SECONDS)


def own_books(play: Play) -> list[str]:
    """What is wrong with the demo's own Lightning network; empty when all is well, or when it is somebody else's."""
    lightning = play.around.lightning
    return [] if lightning is None else lightning.books.audit()


def _identity(row: Transaction) -> tuple[bool, str]:
    return (row.direction == "incoming", row.payment_hash)
