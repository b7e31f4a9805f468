"""Gathers the books that are compared: the bot's, by orders and from its balance events, and those of Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.demo.actor import Actor
from bot.demo.audit import Books, LpWord, Moved
from bot.demo.play import Play
from bot.demo.surroundings import TILL
from bot.demo.waiting import until
from nwc.messages import Transaction

MARGIN_SECONDS: Final = 600
"""A wallet's clock may be so far behind ours."""
EVENT_WITHIN_SECONDS: Final = 10.0


class WalletLedger:
    """What moves in the machine's wallet from now on, as Lightning shows it."""

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
                    incoming=each.payee == TILL,
                    payment_hash=each.payment_hash or "",
                    amount_msat=each.amount_msat,
                    fee_msat=each.fee_msat,
                    payee=each.payee,
                )
                for each in lightning.books.movements
                if each.kind == "paid" and TILL in (each.payer, each.payee)
            ]
        return [
            Moved(row.direction == "incoming", row.payment_hash, row.amount_msat, row.fees_paid_msat or 0)
            for row in await self._rows()
            if _identity(row) not in self._before
        ]

    async def _rows(self) -> Sequence[Transaction]:
        listing = await self._play.till.history(self._since)
        return [row for row in listing.rows if (row.state or ("settled" if row.settled_at else "")) == "settled"]


async def gather(play: Play, ledger: WalletLedger) -> Books:
    """Everything that `bot.demo.audit` compares. Raises NoAnswer, OrderRefused, PurseTrouble."""
    operator = play.operator
    waiting = await operator.ask("worklist", threshold_minutes=0)
    return Books(
        sales=[(row.sale, row.payment_hash) for row in play.scene.sales],
        settlements=await operator.ask_all("settlement.list"),
        legs=await operator.ask_all("payment.list"),
        lps=[await _word(play, lp, brought) for lp, brought in zip(play.lps, play.plan.deposits, strict=True)],
        moved=await ledger.moved(),
        funds_before_msat=play.funds_msat,
        funds_after_msat=await play.till.balance_msat(),
        worklist=[item["id"] for bucket in waiting["buckets"].values() for item in bucket],
    )


async def _word(play: Play, lp: Actor, brought: int) -> LpWord:
    told = await lp.ask("balance")
    await _caught_up(play, lp.name, told["enrolments"][0]["sats"])
    history = await lp.ask_all("history")
    return LpWord(
        name=lp.name,
        deposit=brought,
        balance=told["enrolments"][0] | {"lp": told["lp"]},
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
