"""Whether the payment that an ATM reports really happened in its machine's wallet.

An ATM's word alone moves no money. The wallet is asked for the hash; a wallet that gives no `state` is asked for its
list of settled ones too, because some of them show an invoice that was never paid with `settled_at` and even with its
preimage (they made the invoice, so they know it). Only that list leaves the unpaid ones out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from nwc.evidence import Listing, says_not_found
from nwc.messages import ErrorAnswer, MalformedAnswer, Transaction
from nwc.trouble import WalletError, WalletTrouble


class Payment(Enum):
    """What the wallet says about a reported payment."""

    SETTLED = "settled"
    NOT_SETTLED = "not_settled"  # not yet: asked again
    WRONG_AMOUNT = "wrong_amount"
    WRONG_DIRECTION = "wrong_direction"
    UNKNOWN = "unknown"  # the wallet could not be asked, or its list is needed: asked again


@dataclass(frozen=True, slots=True)
class PaymentCheck:
    """`needs_list`: ask `list_transactions` (without unpaid ones) and classify again with it. `row` is what decided."""

    payment: Payment
    detail: str
    needs_list: bool = False
    row: Transaction | None = None


def classify_payment(
    payment_hash: str,
    looked_up: Transaction | WalletTrouble | ErrorAnswer | MalformedAnswer,
    direction: Literal["incoming", "outgoing"],
    wire_sats: int,
    settled_list: Listing | None = None,
) -> PaymentCheck:
    """`direction` is incoming for cash_out and outgoing for cash_in; the amount must be exactly `wire_sats`.

    `settled_list` is what `list_transactions` without `unpaid` gave, or None while it was not asked.
    """
    listed = [row for row in settled_list.rows if row.payment_hash == payment_hash] if settled_list else []
    found = looked_up if isinstance(looked_up, Transaction) and looked_up.payment_hash == payment_hash else None
    if found is not None and found.direction == direction and found.state is not None:
        return _by_row(found, wire_sats) if found.state == "settled" else _not_settled(f"{found.state}", found)
    for row in listed:
        if row.direction == direction and _is_settled(row):
            return _by_row(row, wire_sats)
    if found is None:
        return _without_row(looked_up)
    if found.direction == direction and not found.settled_at:
        return _not_settled("the wallet knows it and has not settled it", found)
    if settled_list is None:
        return PaymentCheck(Payment.UNKNOWN, "the wallet's list must decide", needs_list=True, row=found)
    if not settled_list.complete:
        return PaymentCheck(Payment.UNKNOWN, "the wallet's list is incomplete", needs_list=True, row=found)
    if found.direction != direction:
        return _other_direction(found, listed)
    return _not_settled("the wallet's list of settled payments does not have it", found)


def _by_row(row: Transaction, wire_sats: int) -> PaymentCheck:
    if row.amount_msat != wire_sats * 1000:
        detail = f"the wallet has it with {row.amount_msat} msat, reported were {wire_sats * 1000} msat"
        return PaymentCheck(Payment.WRONG_AMOUNT, detail, row=row)
    return PaymentCheck(Payment.SETTLED, "settled for the amount reported", row=row)


def _is_settled(row: Transaction) -> bool:
    """For rows of the list of settled ones, where `settled_at` can be believed."""
    return row.state == "settled" or (row.state is None and row.settled_at is not None)


def _other_direction(found: Transaction, listed: list[Transaction]) -> PaymentCheck:
    """A payment to oneself has two rows: the direction is wrong only where nothing in the right one is under way."""
    under_way = any(row.direction != found.direction for row in listed)
    if not under_way and (found.state == "settled" or any(_is_settled(row) for row in listed)):
        return PaymentCheck(Payment.WRONG_DIRECTION, f"in the wallet this payment is {found.direction}", row=found)
    return _not_settled(f"only {found.direction} so far", found)


def _not_settled(detail: str, row: Transaction | None) -> PaymentCheck:
    return PaymentCheck(Payment.NOT_SETTLED, detail, row=row)


def _without_row(looked_up: Transaction | WalletTrouble | ErrorAnswer | MalformedAnswer) -> PaymentCheck:
    if isinstance(looked_up, WalletError | ErrorAnswer) and says_not_found(looked_up):
        return _not_settled("the wallet does not know this payment", None)
    if isinstance(looked_up, Transaction):
        return PaymentCheck(Payment.UNKNOWN, "the wallet answered with another payment")
    return PaymentCheck(Payment.UNKNOWN, str(looked_up) or type(looked_up).__name__)
