"""A wallet service that speaks NIP-47 and lies within the assumptions of the promise (lightning.py).

Its manners are those of wallets met in the field (docs/payouts.md); which of them it has is chosen by the seed.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ledger.decide.attempt import WalletProfile, quarantine_seconds
from nwc.event import Event
from tests.simulation.clockwork import Clockwork
from tests.simulation.lightning import Invoice, Lightning, Payment, last_start
from tests.simulation.plain import PlainCipher

ZEROS = "0" * 64
GAP_SECONDS = 50
"""A lie may outlast the quarantine by less than the time between two look-ups."""
HOUR = 3_600
METHODS = "pay_invoice lookup_invoice list_transactions get_balance make_invoice get_info"

Row = dict[str, Any]
Respond = Callable[[Event, str], None]
"""Sends the text of an answer to a request."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a kind of wallet talks."""

    profile: str
    encryption: str | None = "nip44_v2 nip04"
    """None: it is older than the tag."""
    tells_state: bool = True
    tells_fees: bool = True
    page_rows: int = 50
    lists_failed: bool = True
    lists_pending_always: bool = True
    not_found: tuple[str, str] = ("NOT_FOUND", "no such payment")
    already: tuple[str, str] | None = None
    """What a second request for an invoice gives; None: what the first one gives."""
    failed: tuple[str, str] = ("PAYMENT_FAILED", "no route")
    takes_event_twice: bool = False
    heeds_expiration: bool = True
    notifies: bool = True


MANNERS = {
    "honest": Manners("unknown"),
    "lnbits": Manners(
        "lnbits",
        encryption=None,
        tells_state=False,
        tells_fees=False,
        page_rows=10,
        lists_failed=False,
        not_found=("INTERNAL", "Payment not found"),
        already=("PAYMENT_FAILED", "Internal invoice already paid."),
        takes_event_twice=True,
        notifies=False,
    ),
    "alby-lnd": Manners(
        "alby-lnd",
        lists_pending_always=False,
        lists_failed=False,
        already=("INTERNAL", "this invoice has already been paid"),
        failed=("INTERNAL", "payment failed"),
        heeds_expiration=False,
    ),
    "alby-ldk": Manners(
        "alby-ldk",
        lists_pending_always=False,
        already=("INTERNAL", "this invoice has a payment that is pending"),
        failed=("INTERNAL", "timeout"),
        heeds_expiration=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Lies:
    """Which share of its payments a wallet lies about, and how."""

    unseen: float = 0.06
    """It says for a while that it knows no such payment."""
    failed: float = 0.06
    """It says for a while that the payment failed."""
    blind: float = 0.02
    """Look-ups never find it, though the list has it."""
    unproven: float = 0.03
    """It shows no preimage, and may forget the payment once the bot was told of it."""
    to_the_edge: float = 0.1
    """Of these so many are under way beyond the quarantine, and the lie lasts as long as the assumptions allow."""


@dataclass(slots=True)
class Incoming:
    """A customer's payment, or with `outgoing` one that the machine itself made for a customer who brought cash."""

    payment_hash: str
    amount_msat: int
    created_at: int
    settled_at: int | None
    outgoing: bool = False


@dataclass(slots=True)
class SimWallet:
    """One `[wallets.NAME]`."""

    name: str
    pubkey: str
    client: str
    manners: Manners
    clockwork: Clockwork
    lightning: Lightning
    respond: Respond
    notify: Callable[[str], None]
    on_pay: Callable[[Event, Invoice], None]
    """Called with each pay request, before it is acted on: what left the bot must be in its database."""
    told_of: Callable[[str], bool]
    """Whether the bot knows that this wallet claims to have paid this."""
    refuses: tuple[str, str] | None = None
    """While it can't pay: the error for every payment that it has not begun."""
    silent_until: float = 0.0
    amnesia_until: float = 0.0
    """Until then it knows of no payment at all, of whatever age."""
    chaos: float = 1.0
    lies: Lies = Lies()
    incoming: dict[str, Incoming] = field(default_factory=dict)
    balance_msat: int = 0
    cipher: PlainCipher = field(init=False)
    _payments: dict[str, list[Payment]] = field(default_factory=dict)
    _rows: list[Payment | Incoming] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _waiting: dict[str, list[Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cipher = PlainCipher(self.pubkey)

    def quarantine_seconds(self, amount_msat: int) -> int:
        """By its profile, which is right: how long after an invoice's end it may still say what is not so."""
        return quarantine_seconds(WalletProfile(self.manners.profile), amount_msat, -1)

    def info(self) -> Event:
        tags = [("notifications", "payment_sent payment_received" if self.manners.notifies else "")]
        if self.manners.encryption:
            tags.append(("encryption", self.manners.encryption))
        return self.cipher.sign(13_194, tags, METHODS, self.clockwork.now() - 1_000)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """A relay delivers a request."""
        clock = self.clockwork
        expiration = event.tag("expiration")
        if self.manners.heeds_expiration and expiration is not None and clock.now() > int(expiration):
            return
        if event.created_at < clock.now() - 6 * HOUR:
            return
        if event.id in self._seen and not self.manners.takes_event_twice:
            return
        self._seen.add(event.id)
        form = self.cipher.nip04_decrypt if "?iv=" in event.content else self.cipher.nip44_decrypt
        request = json.loads(form(self.client, event.content))
        method, params = request["method"], request["params"]
        if method == "pay_invoice":
            invoice = self.lightning.invoices[params["invoice"]]
            self.on_pay(event, invoice)
            self._asked_to_pay(event, invoice, str(params["metadata"]["leg"]))
        elif not self._is_silent():
            self.respond(event, self._read(method, params))

    def _is_silent(self) -> bool:
        return self.clockwork.elapsed < self.silent_until and not self.clockwork.friendly

    def _read(self, method: str, params: dict[str, Any]) -> str:
        match method:
            case "lookup_invoice":
                return self._look_up(params["payment_hash"])
            case "list_transactions":
                return _result(method, self._list(params))
            case "get_balance":
                balance = 0 if self.refuses and self.refuses[0] == "INSUFFICIENT_BALANCE" else self.balance_msat
                return _result(method, {"balance": max(0, balance)})
        return _error(method, "NOT_IMPLEMENTED", method)

    # --- paying ------------------------------------------------------------------------------------------------------

    def _asked_to_pay(self, event: Event, invoice: Invoice, leg: str) -> None:
        clock = self.clockwork
        tried = self._payments.get(invoice.payment_hash, [])
        if tried and tried[-1].state != "failed":
            self._asked_again(event, tried[-1])
            return
        if self.refuses is not None and not clock.friendly:
            self._answer_error(event, *self.refuses)
            return
        if clock.maybe(0.03 * self.chaos):  # asleep: it acts on it when it wakes up
            longest = last_start(invoice, self.quarantine_seconds(invoice.amount_msat)) - clock.now()
            clock.after(clock.between(1, max(2, longest)), lambda: self._pay(event, invoice, leg))
            return
        self._pay(event, invoice, leg)

    def _asked_again(self, event: Event, payment: Payment) -> None:
        if self.manners.already is not None:
            self._answer_error(event, *self.manners.already)
        elif payment.state == "settled":
            self._answer_paid(event, payment)
        else:
            self._waiting.setdefault(payment.payment_hash, []).append(event)

    def _pay(self, event: Event, invoice: Invoice, leg: str) -> None:
        clock = self.clockwork
        if not self.lightning.may_start(invoice, self.quarantine_seconds(invoice.amount_msat)):
            self._answer_error(event, "PAYMENT_FAILED", "the invoice has expired")
            return
        tried = self._payments.setdefault(invoice.payment_hash, [])
        if tried and tried[-1].state != "failed":
            return
        payment = self.lightning.start(invoice, self.name, leg, self.quarantine_seconds(invoice.amount_msat))
        tried.append(payment)
        self._add_row(payment, payment.started_at)
        if clock.maybe(0.3):
            payment.fee_msat = clock.chance.randrange(1 + invoice.amount_msat // 200)
        self._choose_lies(payment)
        paid = not clock.maybe(0.08 * self.chaos)
        duration = self._duration(payment)
        payment.ends_at = clock.now() + duration
        clock.after(duration, lambda: self._end(payment, paid))
        self._choose_answer(event, payment)

    def _duration(self, payment: Payment) -> float:
        """How long the payment takes. What is called failed or unseen mostly ends while the wallet still says so."""
        clock = self.clockwork
        if payment.to_the_edge:
            return payment.honest_after + GAP_SECONDS - clock.now() + clock.between(60, 600)
        lie_ends = max(payment.failed_until, payment.unseen_until) - clock.now()
        if lie_ends > 0 and clock.maybe(0.7):
            return clock.between(0.5, max(1.0, lie_ends))
        if clock.maybe(0.12 * self.chaos):
            return clock.between(5, 300)
        if clock.maybe(0.02 * self.chaos):  # a payee who holds it, beyond the invoice's end
            return clock.between(300, max(600, 1.5 * (payment.honest_after - clock.now())))
        return clock.between(0.2, 3)

    def _choose_lies(self, payment: Payment) -> None:
        clock, lies, share = self.clockwork, self.lies, self.chaos
        if clock.maybe(lies.unseen * share):
            payment.to_the_edge = clock.maybe(lies.to_the_edge)
            payment.unseen_until = self._lie_until(payment)
        elif clock.maybe(lies.failed * share):
            payment.to_the_edge = clock.maybe(lies.to_the_edge)
            payment.failed_until = self._lie_until(payment)
        elif clock.maybe(lies.blind * share):
            payment.to_the_edge = clock.maybe(lies.to_the_edge)
            payment.lookup_blind = True
        elif clock.maybe(lies.unproven * share):
            payment.keeps_preimage = True

    def _lie_until(self, payment: Payment) -> int:
        now, chance = self.clockwork.now(), self.clockwork.chance
        latest = payment.honest_after + GAP_SECONDS
        if payment.to_the_edge:
            return latest
        if chance.random() < 0.5:
            return min(latest, now + chance.randrange(2, 60))
        return chance.randrange(now + 1, latest + 1)

    def _choose_answer(self, event: Event, payment: Payment) -> None:
        """How its first request is answered before the payment ends, if at all."""
        clock = self.clockwork
        if payment.failed_until or clock.maybe(0.06 * self.chaos):
            clock.after(clock.between(0.05, 2), lambda: self._answer_error(event, *self.manners.failed))
            if clock.maybe(0.5):
                return
        elif payment.unseen_until and clock.maybe(0.7):
            return  # says nothing at all
        self._waiting.setdefault(payment.payment_hash, []).append(event)

    def _end(self, payment: Payment, paid: bool) -> None:
        waiting = self._waiting.pop(payment.payment_hash, [])
        if paid and self.lightning.settle(payment):
            self.balance_msat -= payment.invoice.amount_msat + payment.fee_msat
            for event in waiting:
                self._answer_paid(event, payment)
            if self.manners.notifies and not payment.unseen_until and not self._is_silent():
                self._notify(payment)
            if payment.keeps_preimage:
                self.clockwork.after(self.clockwork.between(2, 200), lambda: self._forget(payment))
            return
        self.lightning.fail(payment)
        for event in waiting:
            self._answer_error(event, *self.manners.failed)

    def _forget(self, payment: Payment) -> None:
        """Only what the bot knows that it was told of."""
        if self.told_of(payment.payment_hash) and self.clockwork.maybe(0.5):
            payment.forgotten = True

    def _answer_paid(self, event: Event, payment: Payment) -> None:
        clock = self.clockwork
        result: dict[str, Any] = {"preimage": payment.invoice.preimage}
        if self.manners.tells_fees:
            result["fees_paid"] = payment.fee_msat
        if self._keeps_preimage(payment):
            result["preimage"] = clock.chance.choice(("", None, ZEROS, "ff" * 32))
        elif clock.maybe(0.02 * self.chaos):
            self._send(event, _result("pay_invoice", {**result, "preimage": clock.token()}))
        elif clock.maybe(0.02 * self.chaos):
            self._answer_error(event, *self.manners.failed)
        self._send(event, _result("pay_invoice", result))

    def _answer_error(self, event: Event, code: str, message: str) -> None:
        self._send(event, _error("pay_invoice", code, message))

    def _send(self, event: Event, text: str) -> None:
        if not self._is_silent():
            self.respond(event, text)

    def _notify(self, payment: Payment) -> None:
        row = self._show_payment(payment)
        self.notify(json.dumps({"notification_type": "payment_sent", "notification": row}))

    # --- what it shows -----------------------------------------------------------------------------------------------

    def receive(self, payment_hash: str, amount_msat: int, *, outgoing: bool = False) -> None:
        """A customer pays, or is paid by the machine."""
        now = self.clockwork.now()
        self.incoming[payment_hash] = came = Incoming(payment_hash, amount_msat, now, now, outgoing)
        self.balance_msat += -amount_msat if outgoing else amount_msat
        self._add_row(came, now)
        if self.manners.notifies and not outgoing:
            notification = {"notification_type": "payment_received", "notification": self._show_incoming(came)}
            self.notify(json.dumps(notification))

    def _add_row(self, row: Payment | Incoming, at: int) -> None:
        self._rows.append(row)
        self._times.append(at)

    def _forgets_all(self) -> bool:
        """It remembers only once it was asked nothing for a while: no round of questions sees both."""
        clock = self.clockwork
        if clock.elapsed >= self.amnesia_until or clock.friendly:
            return False
        self.amnesia_until = max(self.amnesia_until, clock.elapsed + 120)
        return True

    def _look_up(self, payment_hash: str) -> str:
        method = "lookup_invoice"
        nothing = _error(method, *self.manners.not_found)
        if self._forgets_all():
            return nothing
        tried = self._payments.get(payment_hash)
        if tried and self._is_seen(tried[-1]) and not (tried[-1].lookup_blind and not self.clockwork.friendly):
            return _result(method, self._show_payment(tried[-1]))
        came = self.incoming.get(payment_hash)
        return nothing if came is None else _result(method, self._show_incoming(came))

    def _is_seen(self, payment: Payment) -> bool:
        if self.clockwork.friendly:
            return True
        return self.clockwork.now() >= payment.unseen_until and not payment.forgotten

    def _keeps_preimage(self, payment: Payment) -> bool:
        return payment.keeps_preimage and not self.clockwork.friendly

    def _told_state(self, payment: Payment) -> str:
        if self.clockwork.now() < payment.failed_until and not self.clockwork.friendly:
            return "failed"
        return payment.state

    def _show_payment(self, payment: Payment) -> Row:
        invoice, state = payment.invoice, self._told_state(payment)
        row: Row = {
            "type": "outgoing",
            "payment_hash": payment.payment_hash,
            "invoice": invoice.text,
            "amount": invoice.amount_msat,
            "created_at": payment.started_at,
            "expires_at": invoice.expires_at,
        }
        if self.manners.tells_state:
            row["state"] = {"in_flight": "pending"}.get(state, state)
        if self.manners.tells_fees:
            row["fees_paid"] = payment.fee_msat
        if state == "settled":
            row["settled_at"] = payment.settled_at
            if not self._keeps_preimage(payment):
                row["preimage"] = invoice.preimage
            elif not self.manners.tells_state:
                row["preimage"] = ZEROS
        elif state == "failed" and not self.manners.tells_state:
            row |= {"settled_at": payment.started_at, "preimage": ZEROS}
        return row

    def _show_incoming(self, came: Incoming) -> Row:
        row: Row = {
            "type": "outgoing" if came.outgoing else "incoming",
            "payment_hash": came.payment_hash,
            "amount": came.amount_msat,
            "created_at": came.created_at,
            "settled_at": came.settled_at,
        }
        if self.manners.tells_state:
            row["state"] = "settled"
        return row

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._forgets_all():
            return {"transactions": []}
        first, after = bisect_left(self._times, params["from"]), bisect_right(self._times, params["until"])
        kind, unpaid = params.get("type"), params["unpaid"]
        listed = [row for row in self._rows[first:after] if self._is_listed(row, kind, unpaid)]
        listed.reverse()
        offset = params["offset"]
        page = listed[offset : offset + min(params["limit"], self.manners.page_rows)]
        return {"transactions": [self._show(row) for row in page]}

    def _is_listed(self, row: Payment | Incoming, kind: str | None, unpaid: bool) -> bool:
        if isinstance(row, Incoming):
            return kind is None or row.outgoing == (kind == "outgoing")
        if kind == "incoming":
            return False
        if not self._is_seen(row):
            return False
        state = self._told_state(row)
        if state == "in_flight":
            return self.manners.lists_pending_always or unpaid
        if state == "failed":
            return self.manners.lists_failed and unpaid
        return True

    def _show(self, row: Payment | Incoming) -> Row:
        return self._show_payment(row) if isinstance(row, Payment) else self._show_incoming(row)


def _result(method: str, result: dict[str, Any]) -> str:
    return json.dumps({"result_type": method, "result": result})


def _error(method: str, code: str, message: str) -> str:
    return json.dumps({"result_type": method, "error": {"code": code, "message": message}})
