"""Whether a reported payment happened: by the wallet's word, and by its list where its word is loose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nwc.evidence import Listing
from nwc.messages import ErrorAnswer, MalformedAnswer, Transaction
from nwc.proof_of_payment import Payment, classify_payment
from nwc.trouble import WalletError, WalletSilent
from tests.nwc.made import HASH, NOW, PREIMAGE, ZEROS

IN = Transaction("incoming", HASH, 103_000_000, created_at=NOW)
OUT = replace(IN, direction="outgoing")
LOOSE = replace(IN, settled_at=NOW, preimage=PREIMAGE.hex())
Found = Transaction | WalletError | ErrorAnswer | MalformedAnswer


def whole(*rows: Transaction) -> Listing:
    return Listing(rows, complete=True)


@pytest.mark.parametrize(
    ("looked_up", "listed", "payment"),
    [
        (replace(IN, state="settled", settled_at=NOW), None, Payment.SETTLED),
        (replace(IN, state="settled"), None, Payment.SETTLED),
        (replace(IN, state="pending"), None, Payment.NOT_SETTLED),
        (replace(IN, state="accepted"), None, Payment.NOT_SETTLED),
        (replace(IN, state="expired", settled_at=NOW), whole(LOOSE), Payment.NOT_SETTLED),
        (replace(IN, state="failed", settled_at=NOW, preimage=PREIMAGE.hex()), None, Payment.NOT_SETTLED),
        (IN, None, Payment.NOT_SETTLED),
        (replace(IN, preimage=PREIMAGE.hex()), None, Payment.NOT_SETTLED),
        # LNbits before it gave a state: only its list tells paid from never paid.
        (LOOSE, whole(LOOSE), Payment.SETTLED),
        (replace(LOOSE, preimage=ZEROS), whole(replace(LOOSE, preimage=ZEROS)), Payment.SETTLED),
        (LOOSE, whole(), Payment.NOT_SETTLED),
        (LOOSE, whole(IN), Payment.NOT_SETTLED),
        (LOOSE, whole(replace(LOOSE, state="expired")), Payment.NOT_SETTLED),
        (LOOSE, Listing((), complete=False), Payment.UNKNOWN),
        (LOOSE, Listing((LOOSE,), complete=False), Payment.SETTLED),
        (replace(IN, state="settled", amount_msat=103_001_000), None, Payment.WRONG_AMOUNT),
        (replace(IN, state="settled", amount_msat=103_000_001), None, Payment.WRONG_AMOUNT),
        (LOOSE, whole(replace(LOOSE, amount_msat=1_000)), Payment.WRONG_AMOUNT),
        (replace(OUT, state="settled"), whole(replace(OUT, state="settled")), Payment.WRONG_DIRECTION),
        (replace(OUT, state="settled"), whole(), Payment.WRONG_DIRECTION),
        (replace(OUT, settled_at=NOW), whole(replace(OUT, settled_at=NOW)), Payment.WRONG_DIRECTION),
        (replace(OUT, settled_at=NOW), whole(), Payment.NOT_SETTLED),
        (OUT, whole(), Payment.NOT_SETTLED),
        (OUT, whole(OUT), Payment.NOT_SETTLED),
        (WalletError("NOT_FOUND", ""), None, Payment.NOT_SETTLED),
        (ErrorAnswer("INTERNAL", "Payment not found"), None, Payment.NOT_SETTLED),
        (WalletError("NOT_FOUND", ""), whole(LOOSE), Payment.SETTLED),
        (WalletError("INTERNAL", "x"), None, Payment.UNKNOWN),
        (WalletSilent("no answer"), None, Payment.UNKNOWN),
        (WalletSilent(""), None, Payment.UNKNOWN),
        (MalformedAnswer("x"), None, Payment.UNKNOWN),
        (replace(IN, payment_hash="cc" * 32, state="settled"), None, Payment.UNKNOWN),
    ],
)
def test_cash_out(looked_up: Found, listed: Listing | None, payment: Payment) -> None:
    check = classify_payment(HASH, looked_up, "incoming", 103_000, listed)
    assert check.payment is payment
    assert check.detail


@pytest.mark.parametrize(
    ("looked_up", "listed", "payment"),
    [
        (replace(OUT, state="settled"), None, Payment.SETTLED),
        (replace(OUT, settled_at=NOW), whole(replace(OUT, settled_at=NOW)), Payment.SETTLED),
        # LNbits lists outgoing payments that are on their way, without settled_at.
        (replace(OUT, settled_at=NOW), whole(OUT), Payment.NOT_SETTLED),
        # A payment to oneself: the lookup shows the incoming row, the list has both.
        (
            replace(IN, state="settled"),
            whole(replace(IN, state="settled"), replace(OUT, state="settled")),
            Payment.SETTLED,
        ),
        (replace(IN, state="settled"), whole(replace(IN, state="settled"), OUT), Payment.NOT_SETTLED),
        (replace(IN, state="settled"), whole(replace(IN, state="settled")), Payment.WRONG_DIRECTION),
    ],
)
def test_cash_in(looked_up: Found, listed: Listing | None, payment: Payment) -> None:
    assert classify_payment(HASH, looked_up, "outgoing", 103_000, listed).payment is payment


def test_the_list_is_asked_for_where_the_word_is_loose() -> None:
    for looked_up in (LOOSE, replace(OUT, state="settled"), OUT):
        check = classify_payment(HASH, looked_up, "incoming", 103_000)
        assert (check.payment, check.needs_list) == (Payment.UNKNOWN, True)
    again = classify_payment(HASH, LOOSE, "incoming", 103_000, Listing((), complete=False))
    assert again.needs_list


def test_the_row_that_decided_is_there_for_its_metadata() -> None:
    row = replace(IN, state="settled", metadata={"nostr_sender_pubkey": "ab"})
    assert classify_payment(HASH, row, "incoming", 103_000).row is row
    assert classify_payment(HASH, LOOSE, "incoming", 103_000, whole(row)).row is row
