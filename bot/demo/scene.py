"""What has happened so far, as both views show it: the live one draws it, the plain one prints each line once.

Facts come from three sides that don't trust each other: what the machine did, what the bot says, what arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bot.demo.script import CURRENCY, Sale
from ledger.money import fiat_text, parse_fiat

ARRIVALS_KEPT: Final = 200
TALK_KEPT: Final = 60


@dataclass(slots=True)
class SaleRow:
    """One customer's transaction. `settlement` is the bot's id, once its receipt has come."""

    sale: Sale
    payment_hash: str = ""
    settlement: str | None = None
    receipt: str = ""
    status: str = "waits for the customer"

    @property
    def ended(self) -> bool:
        return self.status in ("processed", "errored", "rejected", "refunded")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Sats that a payee got. `settlement`: for which customer transaction; empty: by an order of the operator."""

    amount_sats: int
    payee: str
    settlement: str


@dataclass(slots=True)
class LpRow:
    """An LP. Fiat and `said_sats` as the bot says in its balance event, `got_sats` as the payee's account shows."""

    name: str
    joined: bool = False
    currency: str = CURRENCY
    deposited: str = "0.00"
    remaining: str = "0.00"
    said_sats: int = 0
    got_sats: int | None = None


@dataclass(slots=True)
class CashRow:
    """The cash in one of the demo's own machines: as the machine counts it, and as the bot believes it."""

    name: str
    bays: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """As it reported them last, by position."""
    configs: int = 0
    """How many it took from the bot."""
    believed: Mapping[str, int] = field(default_factory=dict)
    """Notes by position, as the bot has them."""
    box: str = "0.00"
    alarm: bool = False

    @property
    def told(self) -> bool:
        return bool(self.bays)


@dataclass(frozen=True, slots=True)
class Talk:
    """A message and its answer; without `asked` the bot wrote by itself."""

    who: str
    asked: str | None
    answer: str


def sats(amount: int) -> str:
    return f"{amount:,} sats"


def notes(bays: Mapping[str, Mapping[str, int]]) -> str:
    """`450 × 20, 106 × 100`."""
    return ", ".join(f"{bay['count']:,} × {bay['denomination']}" for bay in bays.values())


def _fiat(enrolments: Sequence[Mapping[str, Any]], name: str) -> str:
    """The sum of a field of enrolments in one currency, as the bot writes it."""
    currency = str(enrolments[0]["currency"])
    return fiat_text(sum(parse_fiat(str(each[name]), currency) for each in enrolments), currency)


def _head(answer: str) -> list[str]:
    """The first line of an answer, and what follows where it ends with a colon."""
    lines = answer.strip().splitlines()
    return lines[: 2 if lines and lines[0].endswith(":") else 1]


@dataclass(slots=True)
class Scene:
    """`on_line` is given every new line of the plain view."""

    sales: list[SaleRow]
    lps: dict[str, LpRow]
    cash: dict[str, CashRow] = field(default_factory=dict)
    """By machine."""
    on_line: Callable[[str], None] = lambda _: None
    relay: str = ""
    bot_npub: str = ""
    headline: str = "Starting"
    """What is happening now, as a sentence."""
    hint: str = ""
    """What whoever watches can do at the keyboard."""
    guest_lines: tuple[tuple[str, str], ...] = ()
    """How a visitor can take part: keys to log in with, and what to write."""
    invoice: str | None = None
    """A Lightning invoice that the visitor is asked to pay."""
    worklist: int = 0
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=ARRIVALS_KEPT))
    arrived: int = 0
    arrived_sats: int = 0
    talk: deque[Talk] = field(default_factory=lambda: deque(maxlen=TALK_KEPT))

    @property
    def planned(self) -> int:
        """How many customers come to the demo's own machines."""
        return sum(not row.sale.at for row in self.sales)

    def say(self, sentence: str) -> None:
        self.headline = sentence
        self.on_line(sentence)

    def started(self, relay: str, bot_npub: str) -> None:
        self.relay, self.bot_npub = relay, bot_npub
        self.on_line(f"relay {relay}")
        self.on_line(f"bot   {bot_npub}")

    def invited(self, lines: tuple[tuple[str, str], ...]) -> None:
        self.guest_lines = lines
        for label, text in lines:
            self.on_line(f"{label:8}  {text}")

    def said(self, who: str, asked: str | None, answer: str) -> None:
        self.talk.append(Talk(who, asked, answer))
        first = " ".join(line.strip() for line in _head(answer))
        self.on_line(f"  {who} > {asked}\n  bot > {first}" if asked else f"  bot to {who} > {first}")

    def sold(self, row: SaleRow) -> None:
        sale = row.sale
        if sale.cash_out:
            did = f"a customer paid {sats(sale.wire_sats)} and took {sale.cash}"
        else:
            did = f"a customer put in {sale.cash} and got {sats(sale.wire_sats)}"
        where = f"Your machine {sale.at}" if sale.at else f"Transaction {sale.number} of {self.planned}, {sale.home}"
        self.say(f"{where}: {did}")
        row.status = "reported"

    def machine_said(self, name: str, kind: str, facts: Mapping[str, Any]) -> None:
        """What one of the demo's own machines does with its cash, as it says itself."""
        row = self.cash[name]
        if kind == "state":
            row.bays = facts["positions"]
        elif kind == "config":
            row.configs += 1
            self.on_line(f"{name} took what the bot says of its cassettes: {notes(facts['positions'])}")

    def cash_told(self, name: str, told: Mapping[str, Any], *, alarm: bool) -> None:
        """What the bot believes of it, and whether it gives the alarm."""
        row = self.cash[name]
        row.believed = {position: bay["count"] for position, bay in told["cassettes"].items()}
        row.box = str(told["box"])
        if alarm != row.alarm:
            row.alarm = alarm
            self.on_line(f"{name}: {'a bay is low' if alarm else 'no bay is low any more'}")

    def receipt(self, content: Mapping[str, Any]) -> None:
        row = next((row for row in self.sales if row.payment_hash == content.get("payment_hash")), None)
        if row is None:
            return
        row.settlement = content.get("settlement") or row.settlement
        if content.get("status") == row.receipt:
            return
        row.receipt = str(content.get("status"))
        if row.receipt == "rejected":
            row.status = "rejected"
        reason = f", {content['reason']}" if content.get("reason") else ""
        which = f"transaction {row.sale.number}{f' at {row.sale.at}' if row.sale.at else ''}"
        self.on_line(f"receipt for {which}: {row.receipt} as {row.settlement}{reason}")

    def progress(self, row: SaleRow, status: str) -> None:
        if status != row.status:
            row.status = status
            if row.ended:
                sale, lps = row.sale, row.sale.principal_sats if row.sale.cash_out else 0
                fees = f"platform {sats(sale.platform_fee_sats)}, operator {sats(sale.operator_fee_sats)}"
                self.on_line(f"{row.settlement} is {status}: {fees}, LPs {sats(lps)}")

    def arrive(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self.arrived += 1
        self.arrived_sats += arrival.amount_sats
        self.on_line(f"  {sats(arrival.amount_sats)} → {arrival.payee} ({arrival.settlement or 'paid out by order'})")

    def balance(self, name: str, content: dict[str, Any]) -> None:
        """An LP balance event, decrypted by that LP. Fiat is summed up in the currency of the newest enrolment."""
        row, enrolments = self.lps[name], content.get("enrolments") or []
        if content.get("type") == "lp_balance" and enrolments:
            row.currency = str(enrolments[-1]["currency"])
            alike = [each for each in enrolments if each["currency"] == row.currency]
            row.deposited, row.remaining = _fiat(alike, "deposited"), _fiat(alike, "remaining")
            row.said_sats = sum(each["sats"] for each in enrolments)

    def worklist_event(self, content: dict[str, Any]) -> None:
        if content.get("type") == "worklist":
            before, self.worklist = self.worklist, sum(map(len, content["buckets"].values()))
            if before != self.worklist:
                self.on_line(f"worklist: {self.worklist} need a person")
