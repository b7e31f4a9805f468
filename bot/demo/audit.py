"""Every book against every other: what was sold, what the bot says it paid, what moved on Lightning. Pure.

The bot's word is only ever compared, never believed: a payment counts where the wallet or the payee shows it, under
the hash of the preimage that the bot gives as its proof. Where a visitor has given orders too, fees, deposits and
payees may be other than the play has them; that nothing was paid twice, and nothing is missing, holds all the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.demo import script
from bot.demo.script import Sale


@dataclass(frozen=True, slots=True)
class Moved:
    """One payment in or out of a machine's wallet, as Lightning shows it. `payee` where that can be seen."""

    incoming: bool
    payment_hash: str
    amount_msat: int
    fee_msat: int = 0
    payee: str | None = None


@dataclass(frozen=True, slots=True)
class LpWord:
    """What the bot tells one LP: the answer to `balance`, the sum of `history`, the newest balance event."""

    name: str
    lp: str
    """Its public key."""
    deposit: int | None
    """Whole units of fiat, as the LP brought them; None: nobody but the visitor knows."""
    enrolments: Sequence[Mapping[str, Any]]
    """In the answer."""
    history_sats: int
    event_sats: int

    @property
    def sats(self) -> int:
        return sum(each["sats"] for each in self.enrolments)


@dataclass(frozen=True, slots=True)
class CashWord:
    """The cash of one of the demo's own machines: what it holds, and what the bot says of it. Whole units of fiat."""

    machine: str
    loaded: int
    """What its bays held at first."""
    refilled: int
    brought: int
    """By the LPs, all of it."""
    bays: Mapping[str, tuple[int, int]]
    """Denomination and notes that are really there, by position."""
    box: int
    told: Mapping[str, Any]
    """The answer to `cassette list`."""
    touched: bool = False
    """Whether a visitor has given orders about it."""

    @property
    def left(self) -> int:
        return sum(denomination * count for denomination, count in self.bays.values())

    @property
    def dispensed(self) -> int:
        """What really came out."""
        return self.loaded + self.refilled - self.left


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared. `settlements` and `legs` are what the bot answers (docs/commands.md)."""

    sales: Sequence[tuple[Sale, str]]
    """Each with its payment hash."""
    settlements: Sequence[Mapping[str, Any]]
    legs: Sequence[Mapping[str, Any]]
    lps: Sequence[LpWord]
    moved: Sequence[Moved]
    funds_before_msat: int
    funds_after_msat: int
    worklist: Sequence[str] = ()
    """Ids of what needs a person."""
    cash: Sequence[CashWord] = ()
    visited: bool = False
    """Whether somebody else may have given orders too."""


def differences(books: Books) -> list[str]:
    """What does not agree; empty when every book balances."""
    facts = [*_payments(books), *_lps(books), *_funds(books), *_notes(books), *_cash(books)]
    return facts if books.visited else [*_settlements(books), *_shares(books), *facts, *_played(books)]


def leg_payee(leg: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Who a leg is for. `names` of LPs by public key."""
    others = "a customer" if leg["type"] == "refund" else script.PLATFORM
    return names.get(str(leg["lp"])) or leg["label"] or others


def _settlements(books: Books) -> Iterator[str]:
    """One settlement for each sale, with its amounts and exact fees."""
    by_hash = {each["payment_hash"]: each for each in books.settlements}
    if len(by_hash) != len(books.settlements):
        yield "two settlements have the same payment hash"
    if len(books.settlements) != len(books.sales):
        yield f"{len(books.sales)} transactions, but the bot has {len(books.settlements)} settlements"
    for sale, payment_hash in books.sales:
        found = by_hash.get(payment_hash)
        if found is None:
            yield f"transaction {sale.number} has no settlement"
            continue
        expected = {
            "status": "processed",
            "tx_type": sale.tx_type,
            "wire_sats": sale.wire_sats,
            "principal_sats": sale.principal_sats,
            "fee_sats": sale.fee_sats,
            "platform_fee_sats": sale.platform_fee_sats,
            "operator_fee_sats": sale.operator_fee_sats,
            "fee_mismatch_sats": 0,
        }
        for name, value in expected.items():
            if found[name] != value:
                yield f"{found['id']}: {name} is {found[name]}, not {value}"


def _shares(books: Books) -> Iterator[str]:
    """For each settlement: the platform fee, the split of the operator fee, and the principal among the LPs."""
    ids = {each["payment_hash"]: each["id"] for each in books.settlements}
    legs: dict[str, list[Mapping[str, Any]]] = {}
    for leg in books.legs:
        legs.setdefault(str(leg["settlement"]), []).append(leg)
        if leg["status"] != "completed":
            yield f"{leg['id']} ({leg['settlement']}) is {leg['status']}, {leg['amount_sats']} sats: {leg['reason']}"
    for sale, payment_hash in books.sales:
        settlement = ids.get(payment_hash)
        own = legs.get(settlement, []) if settlement else []
        for type_, owed in (
            ("super_fee", sale.platform_fee_sats),
            ("operator_split", sale.operator_fee_sats),
            ("dca", sale.principal_sats if sale.cash_out else 0),
        ):
            shared = sum(leg["amount_sats"] for leg in own if leg["type"] == type_)
            if shared != owed:
                yield f"{settlement}: {type_} legs add up to {shared} sats, not {owed}"
        shares = {leg["label"]: leg["amount_sats"] for leg in own if leg["type"] == "operator_split"}
        for percent, name in script.SPLITS:
            share = shares.get(name, 0)
            if abs(share * 100 - sale.operator_fee_sats * percent) >= 100:
                yield f"{settlement}: {name} gets {share} of {sale.operator_fee_sats} sats, not {percent} %"


def _payments(books: Books) -> Iterator[str]:
    """Each leg is one payment out of a wallet, each payment out is one leg or a customer's sats."""
    for payment_hash, times in Counter(each.payment_hash for each in books.moved).items():
        if times > 1:
            yield f"the hash {payment_hash[:16]}… was paid {times} times"
    incoming = {each.payment_hash: each for each in books.moved if each.incoming}
    outgoing = {each.payment_hash: each for each in books.moved if not each.incoming}
    for sale, payment_hash in books.sales:
        there = (incoming if sale.cash_out else outgoing).pop(payment_hash, None)
        if there is None or there.amount_msat != sale.wire_sats * 1_000:
            where = f" at {sale.at}" if sale.at else ""
            yield f"transaction {sale.number}{where}: Lightning does not show its {sale.wire_sats} sats"
    names = {word.lp: word.name for word in books.lps}
    for leg in books.legs:
        if leg["status"] != "completed":
            continue
        payment = outgoing.pop(_hash_of(leg["preimage"]), None)
        if payment is None or payment.amount_msat != leg["amount_sats"] * 1_000:
            yield f"{leg['id']}: Lightning does not show its {leg['amount_sats']} sats"
        elif not books.visited and payment.payee not in (None, leg_payee(leg, names)):
            yield f"{leg['id']}: {payment.payee} was paid instead of {leg_payee(leg, names)}"
    for left in (*incoming.values(), *outgoing.values()):
        way = "came in" if left.incoming else f"went to {left.payee or 'somebody'}"
        yield f"{left.amount_msat} msat {way} and nothing explains it ({left.payment_hash[:16]}…)"


def _lps(books: Books) -> Iterator[str]:
    """What an LP is told in three places is what its legs say; its fiat adds up."""
    for word in books.lps:
        by_legs = _sats_of(word, books)
        told = (("balance", word.sats), ("history", word.history_sats), ("balance event", word.event_sats))
        for source, sats in told:
            if sats != by_legs:
                yield f"{word.name}: the {source} says {sats} sats, the legs {by_legs}"
        for each in word.enrolments:
            fiat = {name: Decimal(each[name]) for name in ("deposited", "paid", "reserved", "remaining")}
            if fiat["paid"] + fiat["reserved"] + fiat["remaining"] != fiat["deposited"] or fiat["remaining"] < 0:
                yield f"{word.name}: paid and remaining are not what was deposited: {dict(each)}"


def _notes(books: Books) -> Iterator[str]:
    """What came out of each machine is what its customers bought, and what is in its box what they put in."""
    for word in books.cash:
        own = [sale for sale, _ in books.sales if not sale.at and sale.home == word.machine]
        bought = sum(sale.fiat for sale in own if sale.cash_out)
        if word.dispensed != bought:
            yield f"{word.machine}: {word.dispensed} came out of its bays, and customers bought {bought}"
        put_in = sum(sale.fiat for sale in own if not sale.cash_out)
        if word.box != put_in:
            yield f"{word.machine}: {word.box} is in its box, and customers put in {put_in}"


def _cash(books: Books) -> Iterator[str]:
    """The bot's cash ledger is what is really in each machine, note by note, and what LPs brought explains it."""
    for word in (word for word in books.cash if not word.touched):
        told = word.told
        if told["cassettes"].keys() != word.bays.keys():
            yield f"{word.machine}: the bot knows the bays {', '.join(told['cassettes'])}"
            continue
        for position, (denomination, count) in word.bays.items():
            bay = told["cassettes"][position]
            for kind in ("", "reported_"):
                found = (bay[f"{kind}denomination"], bay[f"{kind}count"])
                if found != (denomination, count):
                    yield (
                        f"{word.machine}: bay {position} has {count} notes of {denomination}, "
                        f"the bot {'heard' if kind else 'believes'} {found[1]} of {found[0]}"
                    )
        expected = {
            "believed": word.left,
            "box": word.box,
            "unplaced": 0,
            "gap": word.loaded + word.refilled - word.brought,
        }
        for name, amount in expected.items():
            if Decimal(told[name]) != amount:
                yield f"{word.machine}: {name} is {told[name]}, not {amount}"


def _played(books: Books) -> Iterator[str]:
    """Everybody has played by the script: nothing waits for a person, LPs brought and were paid what is in it."""
    for item in books.worklist:
        yield f"{item} is on the worklist"
    for word in books.lps:
        fiat = {
            name: sum(_minor(each[name]) for each in word.enrolments)
            for name in ("deposited", "pending", "paid", "reserved")
        }
        if fiat["deposited"] != (word.deposit or 0) * 100 or fiat["pending"] or fiat["reserved"]:
            yield f"{word.name}: brought {word.deposit}.00, the balance says {[dict(each) for each in word.enrolments]}"
        by_legs = _sats_of(word, books)
        if abs(fiat["paid"] * script.SATS_PER_UNIT - by_legs * 100) > script.SATS_PER_UNIT * len(books.sales):
            yield f"{word.name}: {by_legs} sats were booked as {fiat['paid'] // 100}.{fiat['paid'] % 100:02}"


def _sats_of(word: LpWord, books: Books) -> int:
    return sum(leg["amount_sats"] for leg in books.legs if leg["lp"] == word.lp and leg["status"] == "completed")


def _funds(books: Books) -> Iterator[str]:
    """Sats in are sats out and what is left."""
    came = sum(each.amount_msat for each in books.moved if each.incoming)
    went = sum(each.amount_msat + each.fee_msat for each in books.moved if not each.incoming)
    if books.funds_before_msat + came - went != books.funds_after_msat:
        yield (
            f"the wallet held {books.funds_before_msat} msat, {came} came and {went} went, "
            f"but it holds {books.funds_after_msat}"
        )


def _hash_of(preimage: str | None) -> str:
    return hashlib.sha256(bytes.fromhex(preimage)).hexdigest() if preimage else ""


def _minor(text: str) -> int:
    """`500.00` GTQ as 50,000."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))
