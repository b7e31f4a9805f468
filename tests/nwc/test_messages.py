"""Answers of wallets: read strictly where money hangs on it, and never raising."""

from __future__ import annotations

import json

import pytest

from nwc.messages import (
    GET_BALANCE,
    GET_INFO,
    LIST_TRANSACTIONS,
    LOOKUP_INVOICE,
    MAKE_INVOICE,
    PAY_INVOICE,
    Balance,
    ErrorAnswer,
    MalformedAnswer,
    NodeInfo,
    Notification,
    PayResult,
    Transaction,
    TransactionPage,
    parse_answer,
    parse_notification,
    request_text,
)
from tests.nwc.made import HASH, NOW, PREIMAGE, error_text, result_text, row

MOST = 2**63 - 1


def test_a_request_is_written_as_nip47_says() -> None:
    text = request_text(PAY_INVOICE, {"invoice": "lnbc1", "metadata": {"leg": "P4ñ"}})
    assert text == '{"method":"pay_invoice","params":{"invoice":"lnbc1","metadata":{"leg":"P4ñ"}}}'


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"preimage": PREIMAGE.hex(), "fees_paid": 5}, PayResult(PREIMAGE.hex(), 5)),
        ({"preimage": PREIMAGE.hex().upper()}, PayResult(PREIMAGE.hex())),
        ({}, PayResult(None)),
        ({"preimage": ""}, PayResult(None)),
        ({"preimage": 5, "fees_paid": "5"}, PayResult(None)),
        ({"preimage": "zz" * 32, "fees_paid": True}, PayResult(None)),
        ({"preimage": None, "fees_paid": -1}, PayResult(None)),
        ({"preimage": None, "fees_paid": 2**63}, PayResult(None)),
        ({"fees_paid": 0}, PayResult(None, 0)),
        ({"fees_paid": MOST}, PayResult(None, MOST)),
        ({"fees_paid": MOST + 1}, PayResult(None)),
    ],
)
def test_pay_results(result: object, expected: PayResult) -> None:
    assert parse_answer(PAY_INVOICE, result_text(PAY_INVOICE, result)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "PAYMENT_FAILED", "message": "no route"}, ErrorAnswer("PAYMENT_FAILED", "no route")),
        ({"code": "WHATEVER_NEW", "message": "x\ny"}, ErrorAnswer("WHATEVER_NEW", "x y")),
        ({"message": "no code"}, ErrorAnswer("OTHER", "no code")),
        ({"code": " ", "message": None}, ErrorAnswer("OTHER", "")),
        ({"code": 5}, ErrorAnswer("OTHER", "")),
        ({}, ErrorAnswer("OTHER", "")),
        ("plain text", ErrorAnswer("OTHER", "plain text")),
    ],
)
def test_errors_are_carried_as_they_are(error: object, expected: ErrorAnswer) -> None:
    assert parse_answer(PAY_INVOICE, json.dumps({"result_type": "pay_invoice", "error": error})) == expected
    assert parse_answer(GET_BALANCE, json.dumps({"error": error, "result": None})) == expected


BALANCE = "the balance must be an integer of msat"
AMOUNT = "the amount of a transaction must be an integer of msat"


@pytest.mark.parametrize(
    ("method", "text", "says"),
    [
        (PAY_INVOICE, "[]", "the answer must be an object"),
        (PAY_INVOICE, '{"result_type":"pay_invoice"}', "the result must be an object"),
        (PAY_INVOICE, '{"error":5}', "the error must be an object"),
        (PAY_INVOICE, result_text(GET_BALANCE, {"balance": 1}), "the answer is for get_balance, not pay_invoice"),
        (GET_BALANCE, result_text(GET_BALANCE, {"balance": True}), BALANCE),
        (GET_BALANCE, result_text(GET_BALANCE, {"balance": 1.0}), BALANCE),
        (GET_BALANCE, result_text(GET_BALANCE, {"balance": 2**63}), BALANCE),
        (GET_BALANCE, result_text(GET_BALANCE, {}), BALANCE),
        (MAKE_INVOICE, result_text(MAKE_INVOICE, {"invoice": ""}), "the wallet made no invoice"),
        (LIST_TRANSACTIONS, result_text(LIST_TRANSACTIONS, {"transactions": {}}), "transactions must be a list"),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(type=...)), "a transaction must be incoming or outgoing"),
        (
            LOOKUP_INVOICE,
            result_text(LOOKUP_INVOICE, row(type=["incoming"])),
            "a transaction must be incoming or outgoing",
        ),
        (
            LOOKUP_INVOICE,
            result_text(LOOKUP_INVOICE, row(payment_hash="00")),
            "a transaction must have a payment_hash of 64 hex characters",
        ),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(amount="100000")), AMOUNT),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(amount=True)), AMOUNT),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(amount=-1)), AMOUNT),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(amount=2**63)), AMOUNT),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(state=5)), "the state of a transaction must be text"),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(settled_at="now")), "settled_at must be a time"),
        (LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(settled_at=-5)), "settled_at must be a time"),
    ],
)
def test_malformed_answers(method: str, text: str, says: str) -> None:
    answer = parse_answer(method, text)
    assert answer == MalformedAnswer(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Expecting value"),
        ("NaN", "NaN"),
        ("[" * 200_000, "nested"),
        ('{"result":{"preimage":1,"preimage":2}}', "twice"),
        (" " * (512 * 1024 + 1), "longer"),
    ],
)
def test_what_is_no_json(text: str, says: str) -> None:
    answer = parse_answer(PAY_INVOICE, text)
    assert isinstance(answer, MalformedAnswer)
    assert says in answer.reason
    assert parse_notification(text) == answer


def test_an_answer_need_not_repeat_its_method() -> None:
    for balance in (-5, 0, MOST, -MOST):
        assert parse_answer(GET_BALANCE, f'{{"result":{{"balance":{balance}}}}}') == Balance(balance)


def test_a_transaction_is_read_whole() -> None:
    raw = row(
        type="incoming",
        state=" Settled ",
        settled_at=NOW + 0.5,
        preimage=PREIMAGE.hex(),
        invoice="lnbc1",
        description="d",
        expires_at=NOW + 5,
        metadata={"nostr_sender_pubkey": "ab"},
    )
    assert parse_answer(LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, raw)) == Transaction(
        "incoming",
        HASH,
        100_000,
        state="settled",
        settled_at=NOW,
        preimage=PREIMAGE.hex(),
        fees_paid_msat=10,
        invoice="lnbc1",
        description="d",
        created_at=NOW,
        expires_at=NOW + 5,
        metadata={"nostr_sender_pubkey": "ab"},
    )


@pytest.mark.parametrize(
    ("written", "read"), [(0, 0), (1.9, 1), (2**53, 2**53), (2**53 + 1, None), (-1, None), (True, None)]
)
def test_times(written: object, read: int | None) -> None:
    found = parse_answer(LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(created_at=written)))
    assert isinstance(found, Transaction)
    assert found.created_at == read


def test_what_is_odd_beside_the_point_is_left_out() -> None:
    raw = row(
        state="", settled_at=0, preimage="", fees_paid=None, created_at=True, expires_at="x", metadata=[], description=5
    )
    assert parse_answer(LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, raw)) == Transaction("outgoing", HASH, 100_000)
    blank = parse_answer(LOOKUP_INVOICE, result_text(LOOKUP_INVOICE, row(state="  ")))
    assert isinstance(blank, Transaction)
    assert blank.state is None


def test_a_page_counts_what_it_cannot_read() -> None:
    page = parse_answer(
        LIST_TRANSACTIONS, result_text(LIST_TRANSACTIONS, {"transactions": [row(), 5, row(amount="1")]})
    )
    assert isinstance(page, TransactionPage)
    assert (len(page.rows), page.unreadable) == (1, 2)
    assert parse_answer(LIST_TRANSACTIONS, result_text(LIST_TRANSACTIONS, {"transactions": []})) == TransactionPage(())
    empty = parse_answer(LIST_TRANSACTIONS, result_text(LIST_TRANSACTIONS, {"transactions": None}))
    assert empty == TransactionPage(())


def test_a_page_longer_than_reason_is_cut_and_says_so() -> None:
    rows: list[object] = [{}] * 5_003
    page = parse_answer(LIST_TRANSACTIONS, result_text(LIST_TRANSACTIONS, {"transactions": rows}))
    assert page == TransactionPage((), 5_003)


def test_an_invoice_that_the_wallet_made() -> None:
    made = parse_answer(MAKE_INVOICE, result_text(MAKE_INVOICE, {"invoice": "lnbc1"}))
    assert made == Transaction("incoming", "", 0, invoice="lnbc1")
    whole = {"invoice": "lnbc1", "payment_hash": HASH.upper(), "amount": 7}
    assert parse_answer(MAKE_INVOICE, result_text(MAKE_INVOICE, whole)) == Transaction(
        "incoming", HASH, 7, invoice="lnbc1"
    )


def test_node_info() -> None:
    raw = {"alias": "a\nb", "pubkey": "AB", "network": "MAINNET", "methods": ["pay_invoice", 5], "notifications": None}
    answer = parse_answer(GET_INFO, result_text(GET_INFO, raw))
    assert answer == NodeInfo("ab", "mainnet", "a b", ("pay_invoice",), ())
    assert parse_answer(GET_INFO, result_text(GET_INFO, {})) == NodeInfo(None, None, None, (), ())
    odd = {"alias": 5, "pubkey": 5, "network": 5, "color": 5, "block_height": "5", "methods": 5}
    assert parse_answer(GET_INFO, result_text(GET_INFO, odd)) == NodeInfo(None, None, None, (), ())
    blank = {"alias": "", "pubkey": "", "network": "", "color": ""}
    assert parse_answer(GET_INFO, result_text(GET_INFO, blank)) == NodeInfo(None, None, None, (), ())
    more = {"notifications": ["payment_sent"], "color": "#ABC" + "d" * 17, "block_height": 7}
    assert parse_answer(GET_INFO, result_text(GET_INFO, more)) == NodeInfo(
        None, None, None, (), ("payment_sent",), "#abc" + "d" * 15 + "…", 7
    )


def test_notifications() -> None:
    text = json.dumps({"notification_type": "payment_sent", "notification": row()})
    found = parse_notification(text)
    assert isinstance(found, Notification)
    assert found.type == "payment_sent"
    assert found.transaction is not None
    assert found.transaction.payment_hash == HASH
    assert parse_notification('{"notification_type":"hold","notification":{}}') == Notification("hold", None)
    for bad, says in (
        ("[]", "the notification must be an object"),
        ("{}", "the notification names no type"),
        ('{"notification_type":5}', "the notification names no type"),
    ):
        assert parse_notification(bad) == MalformedAnswer(says)


def test_words_of_wallets_are_cut() -> None:
    """So that none of them fills a log or an answer."""
    long = parse_answer(PAY_INVOICE, error_text(PAY_INVOICE, "x" * 61))
    assert long == ErrorAnswer("x" * 59 + "…", "")
    node = parse_answer(
        GET_INFO, result_text(GET_INFO, {"alias": "a" * 61, "network": "n" * 21, "methods": ["m" * 61] * 101})
    )
    assert node == NodeInfo(None, "n" * 19 + "…", "a" * 59 + "…", ("m" * 59 + "…",) * 100, ())
    kind = parse_notification(json.dumps({"notification_type": "k" * 41, "notification": row()}))
    assert isinstance(kind, Notification)
    assert (kind.type, kind.transaction is None) == ("k" * 39 + "…", False)
    assert parse_notification(json.dumps({"notification_type": "k" * 41})) == Notification("k" * 39 + "…", None)
    other = parse_answer(PAY_INVOICE, result_text("r" * 41, {}))
    assert other == MalformedAnswer("the answer is for " + "r" * 39 + "…, not pay_invoice")


def test_error_text_has_the_shape_of_nip47() -> None:
    assert parse_answer(PAY_INVOICE, error_text(PAY_INVOICE, "INTERNAL")) == ErrorAnswer("INTERNAL", "")
