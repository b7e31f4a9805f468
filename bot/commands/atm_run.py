"""`satmachine atm run`: a whole machine, with cash and a wallet of its own, whose customers are typed.

`out 100`: a customer pays an invoice that the machine shows and takes 100 in notes. `in 50 lnbc…`: a customer puts 50
in and is paid by the machine. What a machine can do wrong can be asked for: `dispense=60`, `lost=1`, `repeat=1`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.atm.machine import NoReceipt, NotConnected, settlement
from bot.atm.purse import Purse, PurseTrouble
from bot.atm.running import RunningMachine
from bot.clock import SystemClock
from bot.commands.atm import Place
from bot.commands.atm_says import check_currency, open_memory, save, shown, typed, until_stopped
from bot.commands.terminal import (
    DONE,
    FAILED,
    NO_ANSWER,
    USAGE,
    Quit,
    answer,
    log_to_stderr,
    remark,
    show_qr,
)
from bot.secrets import SecretError, Source, read_wallet_uri
from ledger.errors import Refusal
from ledger.fees import FeeRates, TxType
from ledger.money import fiat_digits, fiat_to_sats, parse_decimal, share_ppm
from nwc import bolt11
from nwc.uri import WalletUri

HELP: Final = (
    "out AMOUNT [dispense=AMOUNT] [lost=N] [repeat=N]   a customer buys cash\n"
    "in AMOUNT INVOICE [lost=N] [repeat=N]              a customer sells cash and is paid by this invoice\n"
    "price AMOUNT                                       what either would be in sats\n"
    "bays, help, quit"
)
_NOT_TYPED: Final = ("dispense", "lost", "repeat")
_MOST_TIMES: Final = 20


@dataclass(frozen=True, slots=True)
class Run:
    """The options of `atm run`."""

    currency: str
    rate: str
    wallet: str | None
    bays: Sequence[str]
    memory: Path | None
    about: Mapping[str, Any]
    orders: Sequence[str]
    stay: bool
    stored: bool
    as_json: bool
    seconds: float
    pay_seconds: float
    beat_seconds: float


class BadOrder(ValueError):
    """What was typed can't be done. The message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """`dispense`: what really comes out; `lost`: so many receipts are not heard; `repeat`: reported so often again."""

    word: str
    amount: int = 0
    invoice: str = ""
    dispense: int | None = None
    lost: int = 0
    repeat: int = 0


def run(place: Place, options: Run) -> int:
    """Exit 0; 1 where an order could not be done or was rejected, 3 where one was not answered."""
    check_currency("--currency", options.currency)
    try:
        rate = parse_decimal(options.rate, "--rate")
    except Refusal as refusal:
        raise Quit(USAGE, refusal.message) from None
    if not rate:
        raise Quit(USAGE, "--rate: must be above zero: sats for one unit of the currency")
    orders = [_parsed(text) for text in options.orders]
    uri = _wallet(options.wallet)
    keeper = open_memory(options.memory)
    bays = typed(options.bays)
    log_to_stderr("error")
    clock = SystemClock()
    machine = RunningMachine(
        place.machine,
        place.bot,
        place.relays,
        clock,
        keeper,
        tell=lambda kind, facts: answer(shown(kind, facts, as_json=options.as_json)),
        about={
            "fiat": options.currency,
            "cash_in": uri is not None,
            **({} if uri is not None else {"cash_out": False}),
            **options.about,
        },
    )
    if bays:
        keeper.memory.cash.bays = {}
        machine.fill(bays)
    save(keeper)
    purse = Purse("--wallet", uri, clock) if uri is not None else None
    counter = Counter(machine, purse, rate, options)
    try:
        asyncio.run(counter.run(orders))
    except* NotConnected as group:
        raise Quit(NO_ANSWER, str(group.exceptions[0])) from None
    except* PurseTrouble as group:
        raise Quit(NO_ANSWER, str(group.exceptions[0])) from None
    return counter.code


class Counter:
    """Where customers are served, one after the other. `code`: the exit code so far."""

    def __init__(self, machine: RunningMachine, purse: Purse | None, rate: Decimal, options: Run) -> None:
        self.machine, self.purse, self.rate, self.options = machine, purse, rate, options
        self.code = DONE

    async def run(self, orders: Sequence[Order]) -> None:
        """Raises NotConnected, PurseTrouble."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.machine)
            if self.purse is not None:
                await stack.enter_async_context(self.purse)
            await until_stopped(self._serve(orders))

    async def _serve(self, orders: Sequence[Order]) -> None:
        running = asyncio.create_task(self.machine.run(beat_seconds=self.options.beat_seconds))
        serving = asyncio.create_task(self._serve_all(orders))
        try:
            done, _ = await asyncio.wait((running, serving), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (running, serving):
                task.cancel()
            await asyncio.gather(running, serving, return_exceptions=True)

    async def _serve_all(self, orders: Sequence[Order]) -> None:
        async for order in self._orders(orders):
            if order.word == "quit":
                return
            try:
                await self.serve(order)
            except (BadOrder, PurseTrouble) as trouble:
                self._fail(FAILED, str(trouble))
            except NoReceipt as silence:
                self._fail(NO_ANSWER, f"{silence}: it is reported again when the machine is started again")
        await self.machine.until_told(self.options.seconds)
        if self.options.stay:
            await asyncio.Event().wait()

    async def _orders(self, given: Sequence[Order]) -> AsyncIterator[Order]:
        if given:
            for order in given:
                yield order
            return
        if sys.stdin.isatty():
            remark(HELP)
        async for line in _typed_lines():
            if not line.strip():
                continue
            try:
                order = _parsed(line)
            except Quit as bad:
                self._fail(FAILED, str(bad))
                continue
            yield order

    async def serve(self, order: Order) -> None:
        """Raises BadOrder, PurseTrouble, NoReceipt."""
        match order.word:
            case "help":
                remark(HELP)
            case "bays":
                self._show_bays()
            case "price":
                fees = await self._fees()
                self._say(
                    "price",
                    {
                        "out_sats": self._sats(order.amount, TxType.CASH_OUT, fees)[0],
                        "in_sats": self._sats(order.amount, TxType.CASH_IN, fees)[0],
                    },
                )
            case "out":
                await self._cash_out(order)
            case _:
                await self._cash_in(order)

    async def _cash_out(self, order: Order) -> None:
        purse, fees = self._purse(), await self._fees()
        cash, wanted = self.machine.cash, order.amount if order.dispense is None else order.dispense
        if wanted > order.amount:
            raise BadOrder(f"{wanted} is more than the customer paid for")
        if cash.bays and cash.notes_for(wanted) is None:
            raise BadOrder(f"the bays have no notes that make {wanted} {self.options.currency}")
        sats = self._sats(order.amount, TxType.CASH_OUT, fees)
        invoice = await purse.invoice(sats[0], f"{order.amount} {self.options.currency} in cash")
        self._say("invoice", {"invoice": invoice.text, "sats": sats[0]})
        show_qr(invoice.text.upper())
        try:
            async with asyncio.timeout(self.options.pay_seconds):
                await purse.paid(invoice.payment_hash)
        except TimeoutError:
            raise BadOrder(f"the invoice was not paid within {self.options.pay_seconds:g} s") from None
        notes = cash.notes_for(wanted)
        content = self._content(TxType.CASH_OUT, invoice.payment_hash, sats, order.amount)
        report = self.machine.take(content, notes or ())
        self._say("dispensed", {"amount": sum(each.amount for each in notes or ()), "seq": report["seq"]})
        await self._report(report, order)

    async def _cash_in(self, order: Order) -> None:
        purse, fees = self._purse(), await self._fees()
        sats = self._sats(order.amount, TxType.CASH_IN, fees)
        try:
            invoice = bolt11.decode(order.invoice)
        except bolt11.BadInvoice as bad:
            raise BadOrder(f"this is no invoice: {bad}") from None
        if invoice.amount_msat != sats[0] * 1_000:
            raise BadOrder(f"the invoice must be for {sats[0]:,} sats: so much is paid for {order.amount}")
        await purse.pay(invoice, {"nostr_sender_pubkey": self.machine.keys.public_key})
        content = self._content(TxType.CASH_IN, invoice.payment_hash, sats, order.amount)
        report = self.machine.take(content, put_in=order.amount)
        self._say("inserted", {"amount": order.amount, "sats": sats[0], "seq": report["seq"]})
        await self._report(report, order)

    async def _report(self, report: dict[str, Any], order: Order) -> None:
        seconds = self.options.seconds
        for turn in range(order.repeat + 1):
            lost = 0 if turn else order.lost
            receipt = await self.machine.report(report, seconds=seconds, stored=self.options.stored, lost=lost)
            if receipt.get("status") == "rejected":
                self.code = self.code or FAILED

    def _content(self, tx_type: TxType, payment_hash: str, sats: tuple[int, int, int], amount: int) -> dict[str, Any]:
        now = self.machine.clock.now()
        return settlement(
            tx_type=tx_type.value,
            payment_hash=payment_hash,
            sats=sats,
            fiat=amount,
            currency=self.options.currency,
            rate=self.rate,
            at=now,
            txid=f"atm-{payment_hash[:12]}",
        )

    def _sats(self, amount: int, tx_type: TxType, fees: FeeRates) -> tuple[int, int, int]:
        """Wire, principal, fee."""
        minor = amount * 10 ** fiat_digits(self.options.currency)
        principal = fiat_to_sats(minor, self.options.currency, self.rate)
        fee = share_ppm(principal, fees.of(tx_type))
        wire = principal + fee if tx_type is TxType.CASH_OUT else principal - fee
        if wire <= 0:
            raise BadOrder(f"{amount} is too little: nothing would be paid for it")
        return wire, principal, fee

    async def _fees(self) -> FeeRates:
        fees = await self.machine.until_fees(self.options.seconds)
        if fees is None:
            raise BadOrder("the bot has not told this machine its fees: register it with `machine add`")
        return fees

    def _purse(self) -> Purse:
        if self.purse is None:
            raise BadOrder("customers need --wallet: the machine's wallet makes and pays invoices")
        return self.purse

    def _show_bays(self) -> None:
        cash = self.machine.cash
        bays = {
            str(position): {"denomination": bay.denomination, "count": bay.count}
            for position, bay in sorted(cash.bays.items())
        }
        self._say("bays", {"positions": bays, "box": cash.box})

    def _fail(self, code: int, message: str) -> None:
        self.code = self.code or code
        remark(message)

    def _say(self, kind: str, facts: Mapping[str, Any]) -> None:
        answer(shown(kind, facts, as_json=self.options.as_json))


def _parsed(line: str) -> Order:
    """Raises Quit."""
    words = line.split()
    plain = [word for word in words if not word.startswith(tuple(f"{name}=" for name in _NOT_TYPED))]
    named = dict(word.split("=", 1) for word in words if word not in plain)
    match plain:
        case ["help" | "bays" | "quit" as word] if not named:
            return Order(word)
        case ["price", amount] if not named:
            return Order("price", _whole("the amount", amount))
        case ["out", amount]:
            dispense = _whole("dispense", named["dispense"], least=0) if "dispense" in named else None
            return Order("out", _whole("the amount", amount), "", dispense, *_times(named))
        case ["in", amount, invoice] if "dispense" not in named:
            return Order("in", _whole("the amount", amount), invoice, None, *_times(named))
    raise Quit(USAGE, f"this can't be done: {line.strip()[:100]}\n{HELP}")


def _whole(what: str, text: str, least: int = 1) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise Quit(USAGE, f"{what} must be a whole number{' above zero' if least else ''}, not {text[:40]}")
    return int(text)


def _times(named: Mapping[str, str]) -> tuple[int, int]:
    """`lost` and `repeat`. Raises Quit."""
    times = [_whole(name, named.get(name, "0"), least=0) for name in ("lost", "repeat")]
    if max(times) > _MOST_TIMES:
        raise Quit(USAGE, f"lost and repeat go up to {_MOST_TIMES}")
    return times[0], times[1]


def _wallet(source: str | None) -> WalletUri | None:
    if source is None:
        return None
    try:
        return read_wallet_uri(Source.parse(source), Path.cwd())
    except SecretError as error:
        raise Quit(USAGE, f"--wallet: {error}") from None


async def _typed_lines() -> AsyncIterator[str]:
    """Lines of standard input, whatever it is: a terminal, a pipe, a file."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line
