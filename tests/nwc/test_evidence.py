"""The table of evidence, row by row. What wallets really say is in the parameters."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.states import EvidenceClass
from nwc.evidence import (
    Evidence,
    Listing,
    Source,
    VerifyAnswer,
    classify_answer,
    classify_list,
    classify_lookup,
    classify_notification,
    classify_verify,
    proves,
    says_not_found,
)
from nwc.messages import Balance, ErrorAnswer, MalformedAnswer, Notification, PayResult, Transaction
from nwc.trouble import WalletError, WalletGarbled, WalletNotReady, WalletSilent
from tests.nwc.made import HASH, NOW, PREIMAGE, ZEROS

GOOD = PREIMAGE.hex()
OTHER = "ab" * 32
OUT = Transaction("outgoing", HASH, 100_000, created_at=NOW)
HASH_OF_ZEROS = hashlib.sha256(bytes(32)).hexdigest()


def test_only_the_right_preimage_proves() -> None:
    assert proves(GOOD, HASH)
    assert not proves(OTHER, HASH)
    assert not proves(None, HASH)
    assert not proves("", HASH)
    assert not proves(GOOD.upper(), HASH)
    assert not proves(ZEROS, HASH_OF_ZEROS)


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        (PayResult(GOOD, 12), EvidenceClass.PROOF),
        (PayResult(ZEROS), EvidenceClass.CLAIM),
        (PayResult(OTHER), EvidenceClass.CLAIM),
        (PayResult(None), EvidenceClass.CLAIM),
        (ErrorAnswer("PAYMENT_FAILED", "no route"), EvidenceClass.NONE),
        (ErrorAnswer("PAYMENT_FAILED", "already paid"), EvidenceClass.NONE),
        (ErrorAnswer("NOT_FOUND", "not found"), EvidenceClass.NONE),
        (ErrorAnswer("INSUFFICIENT_BALANCE", ""), EvidenceClass.NONE),
        (ErrorAnswer("SOMETHING_NEW", ""), EvidenceClass.NONE),
        (MalformedAnswer("x"), EvidenceClass.NONE),
        (Balance(1), EvidenceClass.NONE),
    ],
)
def test_answers_to_pay_requests(
    answer: PayResult | ErrorAnswer | MalformedAnswer | Balance, cls: EvidenceClass
) -> None:
    found = classify_answer(HASH, answer)
    assert (found.cls, found.source) == (cls, Source.ANSWER)
    assert found.preimage == (GOOD if cls is EvidenceClass.PROOF else None)


def test_a_proof_carries_the_fee() -> None:
    assert classify_answer(HASH, PayResult(GOOD, 12)) == Evidence(EvidenceClass.PROOF, Source.ANSWER, GOOD, "paid", 12)


@pytest.mark.parametrize(
    ("found", "cls"),
    [
        (replace(OUT, preimage=GOOD), EvidenceClass.PROOF),
        (replace(OUT, preimage=GOOD, state="settled", settled_at=NOW), EvidenceClass.PROOF),
        (replace(OUT, preimage=GOOD, state="failed"), EvidenceClass.PROOF),
        (replace(OUT, state="settled", settled_at=NOW), EvidenceClass.CLAIM),
        (replace(OUT, state="settled", preimage=ZEROS), EvidenceClass.CLAIM),
        (replace(OUT, state="settled", preimage=OTHER), EvidenceClass.CLAIM),
        (replace(OUT, state="pending"), EvidenceClass.IN_FLIGHT),
        (replace(OUT, state="pending", settled_at=NOW, preimage=ZEROS), EvidenceClass.IN_FLIGHT),
        (replace(OUT, state="accepted"), EvidenceClass.IN_FLIGHT),
        # LNbits calls an outgoing payment expired when its invoice is, on its way or not.
        (replace(OUT, state="expired"), EvidenceClass.IN_FLIGHT),
        (OUT, EvidenceClass.IN_FLIGHT),
        (replace(OUT, preimage=ZEROS), EvidenceClass.IN_FLIGHT),
        (replace(OUT, state="failed"), EvidenceClass.NEGATIVE),
        (replace(OUT, state="failed", settled_at=NOW, preimage=ZEROS), EvidenceClass.NEGATIVE),
        (replace(OUT, settled_at=NOW, preimage=ZEROS), EvidenceClass.AMBIGUOUS),
        (replace(OUT, settled_at=NOW), EvidenceClass.AMBIGUOUS),
        (replace(OUT, settled_at=NOW, state="strange"), EvidenceClass.AMBIGUOUS),
        # Whoever made an invoice knows its preimage, paid or not.
        (replace(OUT, direction="incoming", preimage=GOOD, state="settled", settled_at=NOW), EvidenceClass.AMBIGUOUS),
        (replace(OUT, direction="incoming"), EvidenceClass.AMBIGUOUS),
        (replace(OUT, payment_hash=OTHER, preimage=GOOD, state="settled"), EvidenceClass.NONE),
        (WalletError("NOT_FOUND", ""), EvidenceClass.NEGATIVE),
        (ErrorAnswer("INTERNAL", "Payment not found"), EvidenceClass.NEGATIVE),
        (WalletError("INTERNAL", "database is locked"), EvidenceClass.NONE),
        (WalletError("RATE_LIMITED", "not found"), EvidenceClass.NONE),
        (WalletSilent("no answer"), EvidenceClass.NONE),
        (WalletGarbled(""), EvidenceClass.NONE),
        (WalletNotReady("x"), EvidenceClass.NONE),
        (MalformedAnswer("x"), EvidenceClass.NONE),
    ],
)
def test_lookups(found: Transaction | WalletError | ErrorAnswer | MalformedAnswer, cls: EvidenceClass) -> None:
    evidence = classify_lookup(HASH, found)
    assert (evidence.cls, evidence.source) == (cls, Source.LOOKUP)
    assert (evidence.preimage is not None) == (cls is EvidenceClass.PROOF)
    assert evidence.detail


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("NOT_FOUND", "", True),
        ("INTERNAL", "Payment not found", True),
        ("OTHER", "transaction not found", True),
        ("OTHER", "The invoice could not be found by the given parameters.", True),
        ("INTERNAL", "Payment not found in wallet", True),
        ("INTERNAL", "no such payment", True),
        ("INTERNAL", "unknown payment hash", True),
        ("OTHER", "unable to find invoice", True),
        ("OTHER", "can't locate the payment", True),
        ("OTHER", "no transaction found", True),
        ("OTHER", "invoice doesn't exist", True),
        ("INTERNAL", "payment does not exist", True),
        ("CUSTOM", "invoice not found", True),
        ("INTERNAL", "Wallet not found", False),
        ("INTERNAL", "wallet could not be found", False),
        ("INTERNAL", "app was not found", False),
        ("INTERNAL", "", False),
        ("INTERNAL", "timeout", False),
        ("INTERNAL", "no payment hash given", False),
        ("UNAUTHORIZED", "payment not found", False),
        ("NOT_IMPLEMENTED", "method not found", False),
        ("RESTRICTED", "not found", False),
        ("QUOTA_EXCEEDED", "not found", False),
    ],
)
def test_the_many_ways_of_saying_not_found(code: str, message: str, expected: bool) -> None:
    assert says_not_found(ErrorAnswer(code, message)) is expected
    assert says_not_found(WalletError(code, message)) is expected


@pytest.mark.parametrize(
    ("notification", "cls"),
    [
        (Notification("payment_sent", replace(OUT, preimage=GOOD)), EvidenceClass.PROOF),
        (Notification("payment_sent", replace(OUT, preimage=ZEROS, state="settled")), EvidenceClass.CLAIM),
        (Notification("payment_sent", replace(OUT, preimage=ZEROS)), EvidenceClass.IN_FLIGHT),
        (Notification("payment_sent", replace(OUT, state="failed")), EvidenceClass.NONE),
        (Notification("payment_sent", replace(OUT, direction="incoming", preimage=GOOD)), EvidenceClass.AMBIGUOUS),
        (Notification("payment_sent", replace(OUT, payment_hash=OTHER)), EvidenceClass.NONE),
        (Notification("payment_received", replace(OUT, preimage=GOOD)), EvidenceClass.NONE),
        (Notification("payment_sent", None), EvidenceClass.NONE),
    ],
)
def test_notifications(notification: Notification, cls: EvidenceClass) -> None:
    assert classify_notification(HASH, notification).cls is cls


def whole(*rows: Transaction) -> Listing:
    return Listing(rows, complete=True)


def part(*rows: Transaction) -> Listing:
    return Listing(rows, complete=False)


FAILED = replace(OUT, state="failed")
PENDING = replace(OUT, state="pending")
PROVED = replace(OUT, preimage=GOOD)
STATELESS = replace(OUT, settled_at=NOW, preimage=ZEROS)
INCOMING = replace(OUT, direction="incoming", preimage=GOOD, state="settled", settled_at=NOW)
ANOTHER = replace(OUT, payment_hash=OTHER, state="pending")


@pytest.mark.parametrize(
    ("settled", "everything", "cls"),
    [
        (whole(), whole(), EvidenceClass.NEGATIVE),
        (whole(ANOTHER), whole(ANOTHER, INCOMING), EvidenceClass.NEGATIVE),
        (whole(), whole(FAILED), EvidenceClass.NEGATIVE),
        (part(), whole(), EvidenceClass.NONE),
        (whole(), part(), EvidenceClass.NONE),
        (whole(), part(FAILED), EvidenceClass.NONE),
        # Alby leaves payments in flight out of the list without unpaid ones.
        (whole(), whole(PENDING), EvidenceClass.IN_FLIGHT),
        (part(), part(PENDING), EvidenceClass.IN_FLIGHT),
        (whole(PENDING), whole(PENDING), EvidenceClass.IN_FLIGHT),
        (whole(PROVED), whole(), EvidenceClass.PROOF),
        (whole(), part(PENDING, PROVED), EvidenceClass.PROOF),
        (whole(), whole(FAILED, PROVED), EvidenceClass.PROOF),
        # One try failed, another is on its way.
        (whole(), whole(FAILED, PENDING), EvidenceClass.IN_FLIGHT),
        (whole(replace(OUT, state="settled")), whole(FAILED), EvidenceClass.CLAIM),
        # LNbits before it gave a state: failed ones are shown as settled, but not in the list of settled ones.
        (whole(), whole(STATELESS), EvidenceClass.NEGATIVE),
        (part(), whole(STATELESS), EvidenceClass.NONE),
        (whole(STATELESS), whole(STATELESS), EvidenceClass.CLAIM),
        (whole(), whole(replace(STATELESS, state="strange")), EvidenceClass.AMBIGUOUS),
        (whole(replace(STATELESS, state="strange")), whole(), EvidenceClass.CLAIM),
    ],
)
def test_lists(settled: Listing, everything: Listing, cls: EvidenceClass) -> None:
    evidence = classify_list(HASH, settled, everything)
    assert (evidence.cls, evidence.source) == (cls, Source.LIST)
    assert evidence.preimage == (GOOD if cls is EvidenceClass.PROOF else None)


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        (VerifyAnswer(True, GOOD, True), EvidenceClass.PROOF),
        (VerifyAnswer(False, GOOD, True), EvidenceClass.PROOF),
        (VerifyAnswer(True, ZEROS, True), EvidenceClass.CLAIM),
        (VerifyAnswer(True, None, True), EvidenceClass.CLAIM),
        (VerifyAnswer(False, None, True), EvidenceClass.NEGATIVE),
        (VerifyAnswer(True, GOOD, False), EvidenceClass.NONE),
        (VerifyAnswer(False, None, False), EvidenceClass.NONE),
    ],
)
def test_the_word_of_the_payee(answer: VerifyAnswer, cls: EvidenceClass) -> None:
    assert classify_verify(HASH, answer).cls is cls


CLAIM, NEGATIVE, NONE, PROOF = EvidenceClass.CLAIM, EvidenceClass.NEGATIVE, EvidenceClass.NONE, EvidenceClass.PROOF
PAID = replace(OUT, preimage=GOOD, fees_paid_msat=7)
UNPROVEN = replace(OUT, settled_at=NOW)


def sent(row: Transaction | None, kind: str = "payment_sent") -> Evidence:
    return classify_notification(HASH, Notification(kind, row))


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        (
            lambda: classify_answer(HASH, PayResult(None)),
            (CLAIM, "ANSWER", "paid, says the wallet, with no valid preimage"),
        ),
        (lambda: classify_answer(HASH, ErrorAnswer("OTHER", "no route")), (NONE, "ANSWER", "OTHER no route")),
        (lambda: classify_answer(HASH, ErrorAnswer("OTHER", "")), (NONE, "ANSWER", "OTHER")),
        (lambda: classify_answer(HASH, MalformedAnswer("no JSON")), (NONE, "ANSWER", "unreadable: no JSON")),
        (lambda: classify_answer(HASH, Balance(1)), (NONE, "ANSWER", "an answer to something else")),
        (lambda: sent(None), (NONE, "NOTIFICATION", "payment_sent of another payment")),
        (lambda: sent(PAID, "payment_received"), (NONE, "NOTIFICATION", "payment_received of another payment")),
        (lambda: sent(INCOMING), (EvidenceClass.AMBIGUOUS, "NOTIFICATION", "payment_sent with an incoming row")),
        (lambda: sent(FAILED), (NONE, "NOTIFICATION", "failed")),
        (lambda: classify_lookup(HASH, WalletError("OTHER", "busy")), (NONE, "LOOKUP", "OTHER busy")),
        (lambda: classify_lookup(HASH, WalletError("NOT_FOUND", "")), (NEGATIVE, "LOOKUP", "NOT_FOUND")),
        (lambda: classify_lookup(HASH, WalletSilent("no answer in 30 s")), (NONE, "LOOKUP", "no answer in 30 s")),
        (lambda: classify_lookup(HASH, WalletGarbled("")), (NONE, "LOOKUP", "WalletGarbled")),
        (lambda: classify_lookup(HASH, ANOTHER), (NONE, "LOOKUP", "the wallet answered with another payment")),
        (
            lambda: classify_lookup(HASH, INCOMING),
            (EvidenceClass.AMBIGUOUS, "LOOKUP", "the wallet shows only an incoming invoice"),
        ),
        (lambda: classify_lookup(HASH, FAILED), (NEGATIVE, "LOOKUP", "failed")),
        (
            lambda: classify_lookup(HASH, replace(OUT, state="settled")),
            (CLAIM, "LOOKUP", "settled, with no valid preimage"),
        ),
        (lambda: classify_lookup(HASH, OUT), (EvidenceClass.IN_FLIGHT, "LOOKUP", "not settled yet")),
        (lambda: classify_lookup(HASH, PENDING), (EvidenceClass.IN_FLIGHT, "LOOKUP", "pending")),
        (
            lambda: classify_lookup(HASH, UNPROVEN),
            (EvidenceClass.AMBIGUOUS, "LOOKUP", "settled_at with no valid preimage and no state"),
        ),
        (lambda: classify_list(HASH, part(), whole()), (NONE, "LIST", "the wallet's list is incomplete")),
        (lambda: classify_list(HASH, whole(), whole()), (NEGATIVE, "LIST", "not in the wallet's list")),
        (lambda: classify_list(HASH, whole(), whole(FAILED)), (NEGATIVE, "LIST", "failed")),
        (
            lambda: classify_list(HASH, whole(), whole(UNPROVEN)),
            (NEGATIVE, "LIST", "in the list only where it shows unpaid ones"),
        ),
        (
            lambda: classify_list(HASH, whole(UNPROVEN), whole()),
            (CLAIM, "LIST", "in the list of settled payments, with no valid preimage"),
        ),
        (
            lambda: classify_verify(HASH, VerifyAnswer(True, GOOD, ours=False)),
            (NONE, "VERIFY", "the payee answered about another invoice"),
        ),
        (
            lambda: classify_verify(HASH, VerifyAnswer(True, None, ours=True)),
            (CLAIM, "VERIFY", "settled, says the payee, with no valid preimage"),
        ),
        (
            lambda: classify_verify(HASH, VerifyAnswer(False, None, ours=True)),
            (NEGATIVE, "VERIFY", "not settled, says the payee"),
        ),
    ],
)
def test_in_words(find: Callable[[], Evidence], expected: tuple[EvidenceClass, str, str]) -> None:
    cls, source, detail = expected
    assert find() == Evidence(cls, Source[source], None, detail)


@pytest.mark.parametrize(
    ("find", "source", "detail", "fees_paid_msat"),
    [
        (lambda: sent(PAID), Source.NOTIFICATION, "preimage", 7),
        (lambda: classify_lookup(HASH, PAID), Source.LOOKUP, "preimage", 7),
        (lambda: classify_lookup(HASH, replace(PAID, state="failed")), Source.LOOKUP, "failed", 7),
        (lambda: classify_list(HASH, whole(PAID), whole()), Source.LIST, "preimage", 7),
        (
            lambda: classify_verify(HASH, VerifyAnswer(False, GOOD, ours=True)),
            Source.VERIFY,
            "the payee shows the preimage",
            None,
        ),
    ],
)
def test_proofs(find: Callable[[], Evidence], source: Source, detail: str, fees_paid_msat: int | None) -> None:
    assert find() == Evidence(PROOF, source, GOOD, detail, fees_paid_msat)


def test_only_proofs_carry_a_preimage_whatever_comes() -> None:
    for preimage in (None, ZEROS, OTHER, GOOD):
        for state in (None, "settled", "pending", "failed", "x"):
            for settled_at in (None, NOW):
                found = classify_lookup(HASH, replace(OUT, preimage=preimage, state=state, settled_at=settled_at))
                assert (found.cls is EvidenceClass.PROOF) == (preimage == GOOD)
                assert (found.preimage is not None) == (found.cls is EvidenceClass.PROOF)
                assert not re.search(GOOD, found.detail)
