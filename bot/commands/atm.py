"""`satmachine atm settle`: reports one customer transaction as a machine does, and shows the receipt."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.clock import SystemClock
from bot.commands.configuration import key_from, require_config, require_identity
from bot.commands.machine_wallet import MachineWallet
from bot.commands.sending import Sending, until_listening
from bot.commands.tell import parsed_object
from bot.commands.terminal import (
    DONE,
    FAILED,
    NO_ANSWER,
    USAGE,
    Quit,
    answer,
    answer_json,
    log_to_stderr,
    remark,
    show_qr,
)
from bot.commands.transaction import Typed, report
from bot.nostr import Keys
from bot.query import BadRelayUrl, Query, Subscription, relay_url
from bot.relays import Relays
from bot.secrets import SecretError, Source, read_wallet_uri
from nwc import bolt11
from nwc.event import Event
from nwc.keys import BadPublicKey, parse_public_key
from nwc.trouble import WalletTrouble
from nwc.uri import WalletUri

LIVE_KIND: Final = 21_000
STORED_KIND: Final = 78
STORED_RECEIPT: Final = 30_078
CLOCKS_DIFFER_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Between whom: the machine's key, the bot's public key, the relays in between."""

    machine: Keys
    bot: str
    relays: tuple[str, ...]


def settle(  # noqa: PLR0913 - the options of the command
    config_path: Path,
    typed: Typed,
    *,
    key: str,
    to: str | None,
    relays: Sequence[str],
    wallet: str | None,
    stored: bool,
    as_json: bool,
    seconds: float,
    pay_seconds: float,
) -> int:
    """Exit 0 for accepted, duplicate or unverified, 1 for rejected, 3 for no receipt."""
    place = find_place(config_path, key, to, relays)
    content = report(typed, SystemClock().now())
    uri = _wallet(wallet, typed)
    log_to_stderr("error")  # a relay that is down is told of once, at the end
    invoice: str | None = None
    if uri is not None:
        invoice, payment_hash = asyncio.run(_customer_pays(uri, content, pay_seconds, as_json=as_json))
        content |= {"payment_hash": payment_hash}
    reporting = Reporting(place, content, stored=stored)
    receipt = asyncio.run(reporting.until_receipt(seconds))
    if receipt is None:
        raise Quit(NO_ANSWER, f"no receipt within {seconds:g} s{reporting.excuse()}: is the bot running?")
    if as_json:
        answer_json(receipt if invoice is None else {**receipt, "invoice": invoice})
    else:
        answer(_text(receipt))
    return FAILED if receipt.get("status") == "rejected" else DONE


def find_place(config_path: Path, key: str, to: str | None, relays: Sequence[str]) -> Place:
    """The configuration is looked at for what is not given only. Raises Quit."""
    machine = key_from("--key", key)
    try:
        urls = tuple(dict.fromkeys(map(relay_url, relays)))
    except BadRelayUrl as bad:
        raise Quit(USAGE, f"--relay: {bad}") from None
    try:
        bot = parse_public_key(to) if to is not None else None
    except BadPublicKey as bad:
        raise Quit(USAGE, f"--to: {bad}") from None
    if bot is None or not urls:
        config = require_config(config_path)
        bot = bot or require_identity(config_path, config).public_key
        urls = urls or config.nostr.relays
    return Place(machine, bot, urls)


def _wallet(source: str | None, typed: Typed) -> WalletUri | None:
    if source is None:
        if typed.payment_hash is None:
            raise Quit(USAGE, "give --payment-hash, or --wallet to have an invoice made and paid first")
        return None
    if typed.payment_hash is not None:
        raise Quit(USAGE, "--wallet makes an invoice of its own: leave --payment-hash out")
    if typed.tx_type != "cash_out":
        raise Quit(USAGE, "--wallet is for cash_out: in cash_in the machine pays, so pay first and give --payment-hash")
    try:
        return read_wallet_uri(Source.parse(source), Path.cwd())
    except SecretError as error:
        raise Quit(USAGE, f"--wallet: {error}") from None


async def _customer_pays(uri: WalletUri, content: dict[str, Any], seconds: float, *, as_json: bool) -> tuple[str, str]:
    """Shows an invoice and returns it and its payment hash once it is paid. Raises Quit."""
    wire_sats = content["wire_sats"]
    try:
        async with MachineWallet(uri) as wallet:
            invoice = await wallet.make_invoice(wire_sats, f"{content['fiat_amount']} {content['currency']}")
            payment_hash = bolt11.decode(invoice).payment_hash
            (remark if as_json else answer)(invoice)
            show_qr(invoice.upper())
            remark(f"To be paid: {wire_sats:,} sats, within {seconds:g} s.")
            async with asyncio.timeout(seconds):
                await wallet.until_paid(payment_hash, wire_sats)
    except WalletTrouble as trouble:
        raise Quit(NO_ANSWER, f"--wallet: {trouble}") from None
    except bolt11.BadInvoice as bad:
        raise Quit(FAILED, f"--wallet: what the wallet made is no invoice: {bad}") from None
    except TimeoutError:
        raise Quit(NO_ANSWER, f"the invoice was not paid within {seconds:g} s: nothing was reported") from None
    remark("Paid.")
    return invoice, payment_hash


class Reporting:
    """One report on its way to the bot, until the receipt is there."""

    def __init__(self, place: Place, content: dict[str, Any], *, stored: bool) -> None:
        self._place = place
        self._content = content
        self._stored = stored
        self._clock = SystemClock()
        self._began_at = self._clock.now()
        self._receipt: dict[str, Any] | None = None
        self._arrived = asyncio.Event()
        self._sending: Sending | None = None

    async def until_receipt(self, seconds: float) -> dict[str, Any] | None:
        """The content of the first receipt; None after `seconds`."""
        place = self._place
        relays = Relays(place.relays, place.machine, self._hear, self._clock)
        wanted = Query(kinds=(LIVE_KIND, STORED_RECEIPT), authors=(place.bot,), p=(place.machine.public_key,))
        relays.subscribe(Subscription("receipts", wanted, self._began_at - CLOCKS_DIFFER_SECONDS, overlap_seconds=0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), relays:
                await until_listening(relays)
                self._sending = Sending(relays, self._event())
                send = self._sending.until_accepted() if self._stored else self._sending.for_ever()
                task = asyncio.create_task(send)
                try:
                    await self._arrived.wait()
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        return self._receipt

    def excuse(self) -> str:
        told = "no relay is connected" if self._sending is None else self._sending.told()
        return f" ({told})" if told else ""

    def _event(self) -> Event:
        cipher = self._place.machine.cipher()
        content = cipher.nip44_encrypt(self._place.bot, json.dumps(self._content, separators=(",", ":")))
        tags = [["p", self._place.bot]]
        if self._stored:
            tags.append(["d", f"bitspire-settlement:{self._content['payment_hash']}"])
        return cipher.sign(STORED_KIND if self._stored else LIVE_KIND, tags, content, self._clock.now())

    def _hear(self, event: Event, url: str, repeat: bool) -> None:
        # What a relay has kept of an earlier report says nothing about this one.
        if event.kind == STORED_RECEIPT and event.created_at < self._began_at:
            return
        try:
            text = self._place.machine.cipher().nip44_decrypt(self._place.bot, event.content)
        except ValueError:
            return
        receipt = parsed_object(text)
        if receipt is None or receipt.get("type") != "receipt" or self._receipt is not None:
            return
        if receipt.get("payment_hash") == self._content["payment_hash"]:
            self._receipt = receipt
            self._arrived.set()


def _text(receipt: dict[str, Any]) -> str:
    words = [str(receipt.get("status"))]
    if receipt.get("settlement"):
        words.append(f"settlement {receipt['settlement']}")
    if receipt.get("reason"):
        words.append(f"reason {receipt['reason']}")
    return f"{', '.join(words)} (payment {receipt['payment_hash']})"
