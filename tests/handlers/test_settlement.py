"""What becomes of a machine's report before any wallet is asked: stored once, answered always, believed never."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers.settlement import Received
from ledger.states import SettlementStatus
from storage import machines
from tests.handlers.desk import ATM2, EVE
from tests.handlers.till import CASH_IN, Till, report

HASH = "cd" * 32
LIVE, STORED = 21_000, 30_078


async def test_a_new_report_is_stored_and_waits_for_its_proof(till: Till) -> None:
    """No receipt yet: the wallet mostly answers at once, and the machine gets one word that says it all."""
    assert await till.receive(report(HASH, txid="a1", seq=7)) is Received.NEW
    stored = await till.settlement(1)
    assert (stored.status, stored.proof, stored.wallet, stored.txid) == (
        SettlementStatus.UNVERIFIED,
        None,
        "main",
        "a1",
    )
    assert (stored.platform_fee_sats, stored.operator_fee_sats, stored.fee_mismatch_sats) == (3_000, 5_000, 0)
    assert await till.receipts() == []
    assert await till.desk.count("SELECT count(*) FROM journal WHERE ref = 'S1'") == 0


async def test_copies_of_one_event_are_one_event(till: Till) -> None:
    """Five relays bring it; the same bytes sent on purpose a while later are a wish for the receipt."""
    event = till.event()
    assert await till.receive(report(HASH), event=event) is Received.NEW
    for _ in range(4):
        assert await till.receive(report(HASH), event=event) is Received.SEEN
    assert await till.receipts() == []
    assert await till.receive(report(HASH), event=event, repeat=True) is Received.DUPLICATE
    assert await till.receipts() == [(LIVE, "duplicate", None)]
    assert await till.desk.count("SELECT count(*) FROM settlements") == 1


async def test_the_same_settlement_in_another_envelope(till: Till) -> None:
    """A machine that lost its receipt writes the report anew. What merely repeats is told live alone: a stored
    `duplicate` would replace the stored `accepted`."""
    await till.receive(report(HASH))
    await till.prove(1)
    before = await till.settlement(1)
    assert await till.receive(report(HASH.upper(), created_at=1_790_000_500)) is Received.DUPLICATE
    assert await till.settlement(1) == before
    assert await till.receipts() == [(LIVE, "accepted", None), (STORED, "accepted", None), (LIVE, "duplicate", None)]


@pytest.mark.parametrize(
    "changes",
    [
        {"wire_sats": 216_000, "principal_sats": 200_000, "fee_sats": 16_000, "fiat_amount": "4000.00"},
        {"fiat_amount": "2000.01"},
        {"exchange_rate": "50.1"},
        CASH_IN,
    ],
)
async def test_the_same_hash_with_other_amounts(till: Till, changes: dict[str, Any]) -> None:
    """Rejected and noted with the settlement, once, however often it comes; never a silent update, never the stored
    word about the payment."""
    await till.receive(report(HASH))
    before = await till.settlement(1)
    for _ in range(3):
        assert await till.receive(report(HASH, **changes)) is Received.CONFLICT
    assert await till.receipts() == [(LIVE, "rejected", "amount_conflict")] * 3
    assert await till.settlement(1) == before
    assert await till.desk.count("SELECT count(*) FROM settlement_notes") == 1
    assert await till.prove(1) is SettlementStatus.PENDING


async def test_a_lone_surrogate_is_kept_out_of_the_books(till: Till) -> None:
    """Such text can't be stored or sent. The amounts don't depend on it, so the payment is not lost for it."""
    assert await till.receive(raw("currency", '"\\ud800TQ"')) is Received.MALFORMED
    assert await till.receive(raw("txid", '"a\\ud800b"')) is Received.NEW
    txid = (await till.settlement(1)).txid
    assert txid is not None
    assert txid.encode().decode() == txid


async def test_a_stranger_leaves_no_trace(till: Till) -> None:
    assert await till.receive(report(HASH), atm=EVE) is Received.STRANGER
    assert await till.desk.count("SELECT count(*) FROM inbox") == 0
    assert await till.receipts() == []


async def test_a_deactivated_machine_is_refused_and_told(till: Till) -> None:
    await till.desk.tx(lambda tx: machines.update(tx, 1, {"active": 0}))
    assert await till.receive(report(HASH)) is Received.NEW
    assert (await till.settlement(1)).status is SettlementStatus.REJECTED
    assert await till.receipts() == [(LIVE, "rejected", "unknown_machine"), (STORED, "rejected", "unknown_machine")]


async def test_two_machines_may_claim_one_payment(till: Till) -> None:
    """Whose it is, the wallets say; until then a claim of one does not shut out the other's."""
    await till.with_second_machine()
    assert await till.receive(report(HASH)) is Received.NEW
    assert await till.receive(report(HASH), atm=ATM2) is Received.NEW
    assert await till.desk.count("SELECT count(*) FROM settlements WHERE status = 'unverified'") == 2


def raw(field: str, text: str) -> str:
    """The report with `text` written where the value of `field` was, as no JSON library would."""
    marked = json.dumps(report(HASH, **{field: "MARK"}))
    return marked.replace('"MARK"', text)


FORGED: dict[str, str] = {
    "NaN": raw("wire_sats", "NaN"),
    "-Infinity": raw("fee_sats", "-Infinity"),
    "a duplicate key": raw("wire_sats", '108000, "wire_sats": 1'),
    "a depth of 200,000": raw("bills", "[" * 200_000 + "]" * 200_000),
    "a depth within the size": raw("bills", "[" * 20_000 + "]" * 20_000),
    "5 MB": raw("txid", '"' + "x" * 5_000_000 + '"'),
    "a number of 40,000 digits": raw("wire_sats", "9" * 40_000),
    "half of it": json.dumps(report(HASH))[:100],
    "a list": f"[{json.dumps(report(HASH))}]",
    "a text": json.dumps("settlement"),
    "nothing": "",
    "another hash": json.dumps(report("zz" * 32)),
    "a short hash": json.dumps(report("cd" * 31)),
    "no hash": json.dumps({**report(HASH), "payment_hash": None}),
    "a hash in a list": json.dumps(report(HASH) | {"payment_hash": [HASH]}),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
async def test_what_can_not_be_read_leaves_no_settlement_and_no_receipt(till: Till, text: str) -> None:
    """It names no payment that could be answered; the genuine report is taken all the same, before and after."""
    assert await till.receive(text) is Received.MALFORMED
    assert await till.receipts() == []
    assert await till.receive(report(HASH)) is Received.NEW
    assert await till.receive(text) is Received.MALFORMED
    assert await till.receipts() == []
    assert await till.desk.count("SELECT count(*) FROM settlements") == 1


WRONG: dict[str, tuple[dict[str, Any] | str, str]] = {
    "1e400": (raw("wire_sats", "1e400"), "bad_payload"),
    "1e400 of fiat": (raw("fiat_amount", "1e400"), "bad_payload"),
    "rate 1e-400": (raw("exchange_rate", "1e-400"), "bad_payload"),
    "sats true": ({"wire_sats": True}, "bad_payload"),
    "sats in quotes": ({"wire_sats": "100"}, "bad_payload"),
    "sats with a point": ({"wire_sats": 108_000.0}, "bad_payload"),
    "no sats": ({"wire_sats": None}, "bad_payload"),
    "2**63 sats": ({"wire_sats": 2**63}, "bad_arithmetic"),
    "10**30 of fiat": ({"fiat_amount": "1" + "0" * 29}, "bad_arithmetic"),
    "fiat in thirds": ({"fiat_amount": "2000.001"}, "bad_payload"),
    "rate in words": ({"exchange_rate": "fifty"}, "bad_payload"),
    "rate NaN": ({"exchange_rate": "NaN"}, "bad_payload"),
    "rate missing": ({"exchange_rate": None}, "bad_payload"),
    "an unknown currency": ({"currency": "XQX"}, "currency_mismatch"),
    "a currency in small letters": ({"currency": "gtq"}, "bad_payload"),
    "another version": ({"v": 2}, "bad_payload"),
    "version true": ({"v": True}, "bad_payload"),
    "another type": ({"type": "receipt"}, "bad_payload"),
    "another direction": ({"tx_type": "cash_sideways"}, "bad_payload"),
    "a time before time": ({"created_at": -1}, "bad_payload"),
    "notes in a list": ({"bills": []}, "bad_payload"),
    "notes without end": ({"bills": {"x": "y" * 9_000}}, "bad_payload"),
}


@pytest.mark.parametrize(("changes", "code"), WRONG.values(), ids=WRONG)
async def test_a_bad_report_that_names_its_payment_is_told_why(
    till: Till, changes: dict[str, Any] | str, code: str
) -> None:
    """Nothing is stored but the receipt, so the right report of the same payment is still taken. Once it is, a bad
    one is answered live alone: it must not replace the stored word about a settlement that stands."""
    bad = changes if isinstance(changes, str) else json.dumps(report(HASH, **changes))
    assert await till.receive(bad) is Received.MALFORMED
    assert await till.receipts() == [(LIVE, "rejected", code), (STORED, "rejected", code)]
    assert await till.desk.count("SELECT count(*) FROM settlements") == 0
    assert await till.receive(report(HASH)) is Received.NEW
    assert await till.prove(1) is SettlementStatus.PENDING
    assert await till.receive(bad) is Received.MALFORMED
    assert (await till.receipts())[-2:] == [(STORED, "accepted", None), (LIVE, "rejected", code)]


NUMBERS: dict[str, dict[str, Any]] = {
    "wire is not the sum": {"wire_sats": 108_001},
    "minus one": {"fee_sats": -1, "wire_sats": 99_999},
    "nothing": {"principal_sats": 0, "wire_sats": 8_000},
    "wire zero": {"wire_sats": 0, "principal_sats": -8_000},
    "2**63 - 1": {"wire_sats": 2**63 - 1},
    "more sats than there are": {"wire_sats": 22 * 10**14, "principal_sats": 22 * 10**14 - 8_000},
    "rate zero": {"exchange_rate": "0"},
    "rate negative": {"exchange_rate": "-50"},
    "rate far off": {"exchange_rate": "60"},
    "fee over half": {"fee_sats": 50_001, "wire_sats": 150_001},
}


@pytest.mark.parametrize("changes", NUMBERS.values(), ids=NUMBERS)
async def test_numbers_that_do_not_add_up_are_kept_as_rejected(till: Till, changes: dict[str, Any]) -> None:
    """It can be read, so it is on the worklist; and its payment's hash is spent for this machine."""
    assert await till.receive(report(HASH, **changes)) is Received.NEW
    stored = await till.settlement(1)
    assert (stored.status, stored.reason) == (SettlementStatus.REJECTED, "bad_arithmetic")
    assert await till.receipts() == [(LIVE, "rejected", "bad_arithmetic"), (STORED, "rejected", "bad_arithmetic")]
    assert await till.prove(1) is None
    assert await till.receive(report(HASH)) is Received.CONFLICT
