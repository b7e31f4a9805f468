"""A wallet pays one sat to itself. All that this costs is a routing fee, and that is booked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handlers.payment import MAX_SMALL_FEE_MSAT
from ledger import journal as books
from ledger.errors import Code, Refusal
from nwc.messages import Transaction
from storage import attempts, journal, trials
from storage.db import Tx

TRIAL_MSAT: Final = 1_000
MARK: Final = "trial"
"""What such a payment is called in the metadata that wallets may give back."""


@dataclass(frozen=True, slots=True)
class WalletTrial:
    """What came of it."""

    paid: bool
    preimage: bool
    """Whether the wallet gave proof."""
    metadata: bool | None
    """Whether it gives back what it was told about the payment; None where it does not list it."""
    fees_msat: int | None
    """None: it does not say."""
    error: str | None
    """The wallet's own words where it refused."""
    milliseconds: int


def begin(tx: Tx, wallet: str, payment_hash: str, now: int) -> None:
    """Refuses `wallet_error` where the wallet gave an invoice that is known already."""
    if attempts.hash_known(tx, payment_hash) or trials.known(tx, payment_hash):
        raise Refusal(
            Code.WALLET_ERROR, "wallet {wallet} gave an invoice that was seen before", field="wallet", wallet=wallet
        )
    trials.add(tx, payment_hash, wallet, now)


def seen(tx: Tx, row: Transaction, now: int) -> bool:
    """A settled payment of a wallet's list. True where it is such a trial; what it cost is booked, once."""
    wallet = trials.wallet_of(tx, row.payment_hash)
    if wallet is None:
        return False
    if row.direction == "outgoing":
        settle(tx, wallet, row.payment_hash, row.fees_paid_msat, now)
    return True


def settle(tx: Tx, wallet: str, payment_hash: str, fees_paid_msat: int | None, now: int) -> None:
    """Books what it cost, once."""
    fees_msat = fees_paid_msat or 0
    if fees_msat > TRIAL_MSAT + MAX_SMALL_FEE_MSAT:
        fees_msat = 0  # no wallet pays that
    if trials.settle(tx, payment_hash, fees_msat, now) and fees_msat:
        journal.append(tx, books.wallet_tried(wallet, fees_msat), now)
