"""The books of the Lightning network: an append-only log, and what follows from it.

A record is a JSON object with `seq`, `at` and `kind`. Applying all of them in order gives accounts, invoices, payments
and movements; nothing else changes those. With a path the log is a file of one record a line, written before it counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PaymentState = Literal["pending", "settled", "failed"]


@dataclass(slots=True)
class Invoice:
    """An invoice of `account`. Amounts msat, times unix seconds; `settled_at` is None until it was paid."""

    bolt11: str
    payment_hash: str
    account: str
    amount_msat: int | None
    description: str
    description_hash: str | None
    created_at: int
    expires_at: int
    metadata: dict[str, Any] | None
    preimage: str = field(repr=False)
    settled_at: int | None = None
    seq: int = 0


@dataclass(slots=True)
class Payment:
    """One try of `payer` to pay one invoice. A hash has at most one that is pending or settled."""

    id: int
    payer: str
    payee: str
    invoice: Invoice
    amount_msat: int
    fee_msat: int
    created_at: int
    metadata: dict[str, Any] | None
    seq: int
    state: PaymentState = "pending"
    settled_at: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Msat that moved: `funded` (payer None, from nowhere) or `paid`. The sum of all is what the accounts hold."""

    seq: int
    at: int
    kind: Literal["funded", "paid"]
    payer: str | None
    payee: str
    amount_msat: int
    fee_msat: int
    payment_hash: str | None
    metadata: dict[str, Any] | None


@dataclass(slots=True)
class Account:
    """A purse on a node. `reserved_msat` is promised to payments in flight."""

    name: str
    node: str
    balance_msat: int = 0
    reserved_msat: int = 0
    invoices: list[Invoice] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    @property
    def spendable_msat(self) -> int:
        return self.balance_msat - self.reserved_msat


class Books:
    """Accounts, invoices, payments and movements, folded from the log. `record` is the only way to change them."""

    def __init__(self, path: Path | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self.payments: list[Payment] = []
        self.movements: list[Movement] = []
        self.opened: Mapping[str, Any] = {}
        self._invoices: dict[str, Invoice] = {}
        self._invoices_by_text: dict[str, Invoice] = {}
        self._payments_by_hash: dict[str, list[Payment]] = {}
        self._seq = 0
        self._log: int | None = None
        if path is not None:
            self._log = self._open(path)

    def _open(self, path: Path) -> int:
        """Replays the log, cutting off a last line that a killed process left half written."""
        log = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        written = path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            self._apply(json.loads(line))
        return log

    def record(self, at: int, kind: str, **what: Any) -> None:
        """Appends and applies. `at` is unix seconds."""
        line = {"seq": self._seq + 1, "at": at, "kind": kind, **what}
        if self._log is not None:
            # One write per record: after a kill it is there whole or cut off at the end of the file.
            os.write(self._log, json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._apply(line)

    def close(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def newest_invoice(self, account: str) -> Invoice:
        return self.accounts[account].invoices[-1]

    def invoice(self, payment_hash: str) -> Invoice | None:
        return self._invoices.get(payment_hash)

    def invoice_of(self, bolt11: str) -> Invoice | None:
        """The invoice with that text (upper or lower case), whoever made it."""
        return self._invoices_by_text.get(bolt11.strip().lower())

    def payments_of(self, payment_hash: str) -> list[Payment]:
        """All tries to pay that hash, the oldest first."""
        return list(self._payments_by_hash.get(payment_hash, ()))

    def live_payment(self, payment_hash: str) -> Payment | None:
        """The payment of that hash that is pending or settled."""
        for payment in self._payments_by_hash.get(payment_hash, ()):
            if payment.state != "failed":
                return payment
        return None

    def audit(self) -> list[str]:
        """What is wrong, counted anew from the movements; empty when all is well."""
        problems: list[str] = []
        balances = dict.fromkeys(self.accounts, 0)
        paid_hashes: set[str] = set()
        for movement in self.movements:
            balances[movement.payee] += movement.amount_msat
            if movement.payer is not None and movement.payment_hash is not None:
                balances[movement.payer] -= movement.amount_msat + movement.fee_msat
                if movement.payment_hash in paid_hashes:
                    problems.append(f"hash {movement.payment_hash} was paid twice")
                paid_hashes.add(movement.payment_hash)
        for name, account in self.accounts.items():
            if account.balance_msat != balances[name]:
                problems.append(f"{name} holds {account.balance_msat} msat, the movements say {balances[name]}")
            if account.balance_msat < 0 or account.reserved_msat < 0:
                problems.append(f"{name} is below zero")
        return problems

    def _apply(self, record: Mapping[str, Any]) -> None:
        self._seq = record["seq"]
        match record["kind"]:
            case "opened":
                self.opened = record
            case "account":
                self.accounts[record["name"]] = Account(record["name"], record["node"])
            case "funded":
                self._apply_funded(record)
            case "invoice":
                self._apply_invoice(Invoice(**(record["invoice"] | {"seq": record["seq"]})))
            case "started":
                self._apply_started(record)
            case "settled":
                self._apply_settled(record)
            case "failed":
                payment = self.payments[record["payment"]]
                payment.state, payment.reason = "failed", record["reason"]
                self.accounts[payment.payer].reserved_msat -= payment.amount_msat + payment.fee_msat
            case unknown:
                raise ValueError(f"the log holds a record of kind {unknown}")

    def _apply_funded(self, record: Mapping[str, Any]) -> None:
        self.accounts[record["account"]].balance_msat += record["amount_msat"]
        self.movements.append(
            Movement(
                seq=record["seq"],
                at=record["at"],
                kind="funded",
                payer=None,
                payee=record["account"],
                amount_msat=record["amount_msat"],
                fee_msat=0,
                payment_hash=None,
                metadata=None,
            )
        )

    def _apply_invoice(self, invoice: Invoice) -> None:
        # Two invoices may share a hash (a hostile payee's): the first one's preimage and payee stand for it.
        self._invoices.setdefault(invoice.payment_hash, invoice)
        self._invoices_by_text[invoice.bolt11] = invoice
        self.accounts[invoice.account].invoices.append(invoice)

    def _apply_started(self, record: Mapping[str, Any]) -> None:
        invoice = self._invoices_by_text[record["bolt11"]]
        payment = Payment(
            id=len(self.payments),
            payer=record["payer"],
            payee=invoice.account,
            invoice=invoice,
            amount_msat=record["amount_msat"],
            fee_msat=record["fee_msat"],
            created_at=record["at"],
            metadata=record["metadata"],
            seq=record["seq"],
        )
        self.payments.append(payment)
        self._payments_by_hash.setdefault(invoice.payment_hash, []).append(payment)
        account = self.accounts[payment.payer]
        account.payments.append(payment)
        account.reserved_msat += payment.amount_msat + payment.fee_msat

    def _apply_settled(self, record: Mapping[str, Any]) -> None:
        payment = self.payments[record["payment"]]
        payment.state, payment.settled_at = "settled", record["at"]
        payment.invoice.settled_at = record["at"]
        payer, payee = self.accounts[payment.payer], self.accounts[payment.payee]
        payer.reserved_msat -= payment.amount_msat + payment.fee_msat
        payer.balance_msat -= payment.amount_msat + payment.fee_msat
        payee.balance_msat += payment.amount_msat
        self.movements.append(
            Movement(
                seq=record["seq"],
                at=record["at"],
                kind="paid",
                payer=payment.payer,
                payee=payment.payee,
                amount_msat=payment.amount_msat,
                fee_msat=payment.fee_msat,
                payment_hash=payment.invoice.payment_hash,
                metadata=payment.metadata,
            )
        )
