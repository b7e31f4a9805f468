"""Whatever strangers send, only the declared errors come out: 10,000 inputs for each reader.

Hypothesis chooses seeds, and each seed makes a hundred inputs: much faster than letting it choose every character.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.states import EvidenceClass
from nwc import bolt11, lnurl
from nwc.event import Event
from nwc.evidence import classify_answer, classify_lookup, proves
from nwc.foreign import parse_json, plain
from nwc.messages import (
    GET_BALANCE,
    GET_INFO,
    LIST_TRANSACTIONS,
    LOOKUP_INVOICE,
    MAKE_INVOICE,
    PAY_INVOICE,
    MalformedAnswer,
    Transaction,
    parse_answer,
    parse_notification,
)
from nwc.proof_of_payment import Payment, classify_payment
from nwc.targets import BadTarget, parse_target
from nwc.uri import BadWalletUri, parse_wallet_uri
from tests.nwc.made import HASH, PREIMAGE, URI, Field, field, invoice, signed_invoice

METHODS = [PAY_INVOICE, MAKE_INVOICE, LOOKUP_INVOICE, LIST_TRANSACTIONS, GET_BALANCE, GET_INFO]
ODD: list[object] = [None, True, False, 0, -1, 7, 2**63, 10**29, 1.5, 1e308, "", "100", "NaN", "\ud800", "\x00é😀"]
ODD += ["settled", "pending", "failed", "outgoing", "incoming", 100_000, HASH, PREIMAGE.hex(), "0" * 64, [], {}]
NAMES = (
    "type state invoice preimage payment_hash amount fees_paid created_at settled_at expires_at metadata balance "
    "transactions methods code message result error result_type notification notification_type id tags kind sig"
).split()
CHARACTERS = [chr(code) for code in range(256)] + list('{}[]":,\\' * 8) + ["\ud800", "\u202e", "😀", "\u2028", "İ", "K"]
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l1LNBCbio"
INVOICE = invoice(100_000)


def ten_thousand(check: Callable[[random.Random], None], inputs: int = 10_000) -> None:
    """Runs `check` so often. What fails, fails again: the seed is printed."""

    @settings(max_examples=inputs // 100)
    @given(st.integers(0, 2**64))
    def run(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(100):
            check(chance)

    run()


def any_text(chance: random.Random, longest: int = 60, letters: list[str] | str = CHARACTERS) -> str:
    return "".join(chance.choices(letters, k=chance.randrange(longest)))


def damaged(chance: random.Random, text: str) -> str:
    start, end = chance.randrange(len(text)), chance.randrange(len(text) + 1)
    if chance.randrange(2):
        end = start + chance.randrange(3)
    return text[:start] + any_text(chance, 4) + text[end:]


def any_value(chance: random.Random, depth: int = 4) -> object:
    form = chance.randrange(6) if depth else 0
    if form == 4:
        return [any_value(chance, depth - 1) for _ in range(chance.randrange(5))]
    if form == 5:
        return {chance.choice(NAMES): any_value(chance, depth - 1) for _ in range(chance.randrange(9))}
    return chance.choice(ODD) if form else chance.randrange(-(2**70), 2**70) >> chance.randrange(80)


def any_row(chance: random.Random) -> dict[str, object]:
    """Near enough to a transaction to be read often."""
    near: dict[str, list[object]] = {
        "type": ["incoming", "outgoing", "incoming", "outgoing", 5],
        "payment_hash": [HASH, HASH, HASH, HASH.upper(), "00" * 32],
        "amount": [100_000, 100_000, 100_000, 99_999, *ODD[:6]],
        "state": [None, "settled", "pending", "failed", "SETTLED", "strange", 5],
        "settled_at": [None, 1, 0, 1.5, "x"],
        "preimage": [None, PREIMAGE.hex(), "0" * 64, "ab" * 32, 5],
        "metadata": ODD,
    }
    return {name: chance.choice(choices) for name, choices in near.items() if chance.randrange(8)}


def check_answer(method: str, text: str) -> None:
    evidence = classify_answer(HASH, parse_answer(method, text))
    assert (evidence.cls is EvidenceClass.PROOF) == proves(evidence.preimage, HASH)


def test_any_text_as_an_answer() -> None:
    def check(chance: random.Random) -> None:
        text = any_text(chance)
        check_answer(chance.choice(METHODS), text)
        parse_notification(text)

    ten_thousand(check)


def test_any_json_as_an_answer() -> None:
    def check(chance: random.Random) -> None:
        method, body = chance.choice(METHODS), any_value(chance)
        check_answer(method, json.dumps(body))
        check_answer(method, json.dumps({"result": body}))
        parse_notification(json.dumps({"notification_type": "payment_sent", "notification": body}))

    ten_thousand(check)


def test_a_damaged_answer() -> None:
    text = json.dumps(
        {"result_type": PAY_INVOICE, "error": None, "result": {"preimage": PREIMAGE.hex(), "fees_paid": 1}}
    )
    ten_thousand(lambda chance: check_answer(PAY_INVOICE, damaged(chance, text)))


def test_any_row_as_evidence() -> None:
    def check(chance: random.Random) -> None:
        raw = any_row(chance)
        found = parse_answer(LOOKUP_INVOICE, json.dumps({"result": raw}))
        assert isinstance(found, Transaction | MalformedAnswer)
        read = isinstance(found, Transaction) and found.payment_hash == HASH
        proved = read and raw["type"] == "outgoing" and raw.get("preimage") == PREIMAGE.hex()
        assert (classify_lookup(HASH, found).cls is EvidenceClass.PROOF) is proved, raw
        payment = classify_payment(HASH, found, "incoming", 100).payment
        settled = read and raw["type"] == "incoming" and raw.get("state") in ("settled", "SETTLED")
        assert (payment is Payment.SETTLED) is (settled and raw["amount"] == 100_000), raw
        assert (payment is Payment.WRONG_AMOUNT) is (settled and raw["amount"] != 100_000), raw

    ten_thousand(check)


def test_any_text_as_json() -> None:
    """What is read can be written again as UTF-8: no half of a surrogate pair is left in it."""

    def check(chance: random.Random) -> None:
        text = any_text(chance) if chance.randrange(2) else damaged(chance, json.dumps(any_value(chance)) + " ")
        raw = text.encode("utf-8", "surrogatepass") if chance.randrange(2) else text
        try:
            value = parse_json(raw, max_chars=100_000, exact_decimals=bool(chance.randrange(2)))
        except ValueError:
            return
        json.dumps(value, ensure_ascii=False, default=str).encode()

    ten_thousand(check)


def test_any_text_made_plain() -> None:
    def check(chance: random.Random) -> None:
        shown = plain(any_text(chance, 400))
        assert len(shown) <= 200
        assert not set(shown) & {"\n", "\r", "\t", "\x00", "\x1b", "\u202e", "\ud800"}
        shown.encode()

    ten_thousand(check)


def test_any_text_as_an_invoice() -> None:
    def check(chance: random.Random) -> None:
        text = any_text(chance) if chance.randrange(4) == 0 else any_text(chance, 200, BECH32)
        try:
            bolt11.decode(text)
        except bolt11.BadInvoice:
            pass

    ten_thousand(check)


def test_a_damaged_invoice() -> None:
    def check(chance: random.Random) -> None:
        try:
            assert bolt11.decode(damaged(chance, INVOICE)).text == INVOICE
        except bolt11.BadInvoice:
            pass

    ten_thousand(check)


def test_any_fields_with_a_right_signature() -> None:
    """Fewer, since each is signed and recovered."""

    def any_field(chance: random.Random) -> Field:
        if chance.randrange(3) == 0:
            return field("p", bytes(32))
        return chance.choice("psdhnxcfr9mtqz2"), chance.choices(range(32), k=chance.choice([0, 1, 5, 52, 53, 60, 82]))

    def check(chance: random.Random) -> None:
        prefix = chance.choice(["lnbc", "lnbc1u", "lntb20m", "lnbcrt500p", "lntbs", "lnxx"])
        try:
            found = bolt11.decode(signed_invoice(prefix, [any_field(chance) for _ in range(chance.randrange(6))]))
        except bolt11.BadInvoice:
            return
        assert len(found.payment_hash) == 64
        assert found.hint_fee_msat(1_000) >= 0

    ten_thousand(check, inputs=2_000)


def test_any_text_as_a_target() -> None:
    starts = [
        "",
        "",
        "lightning:",
        "lnurlp://",
        "lnurl1",
        "npub1",
        "nostr:",
        "nostr+walletconnect://",
        "ln",
        "a@",
        "b@x.",
    ]
    letters = "abcxyzABC0189.+_-@:/%[]?#& \n" + "éКİ\u2028"

    def check(chance: random.Random) -> None:
        text = chance.choice(starts) + any_text(chance, 40, letters if chance.randrange(4) else CHARACTERS)
        allow_private = bool(chance.randrange(2))
        try:
            target = parse_target(text, allow_private=allow_private)
        except BadTarget:
            return
        assert parse_target(target.value, allow_private=allow_private) == target
        if target.kind == "lightning_address" and not allow_private:
            assert lnurl.address_url(target.value).startswith("https://")

    ten_thousand(check)


def test_a_damaged_wallet_connection() -> None:
    def check(chance: random.Random) -> None:
        said = ""
        try:
            uri = parse_wallet_uri(damaged(chance, URI.text))
            assert parse_wallet_uri(uri.text) == uri
        except BadWalletUri as refused:
            said = str(refused)
        assert URI.secret not in said

    ten_thousand(check)


def test_any_value_in_an_event() -> None:
    good: dict[str, object] = {"id": "0a" * 32, "pubkey": "0b" * 32, "created_at": 1, "kind": 1, "content": ""}
    good |= {"tags": [["p", "x"]], "sig": "0c" * 64}

    def check(chance: random.Random) -> None:
        try:
            event = Event.from_dict({**good, chance.choice([*good]): any_value(chance)})
        except ValueError:
            return
        assert Event.from_dict(event.to_dict()) == event

    ten_thousand(check)
