"""What is said of invoices, addresses and payees, word for word: people read it, and tell a payee what to mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from bech32 import bech32_encode

from ledger.errors import Worded
from nwc import bech32
from nwc.bolt11 import decode
from nwc.evidence import Listing
from nwc.invoice_rules import InvoiceRules, check_invoice
from nwc.keys import npub_of
from nwc.lnurl import check_verify, fetch_invoice, parse_address, parse_lnurl
from nwc.messages import Transaction
from nwc.proof_of_payment import Payment, PaymentCheck, classify_payment
from nwc.targets import TargetFailed, Targets, parse_target
from nwc.trouble import WalletError, WalletSilent
from nwc.uri import WalletUri, parse_wallet_uri
from tests.nwc.made import HASH, NODE_KEY, NOW, URI, field, invoice, number_field, signed_invoice, standard_fields

NPUB = npub_of(NODE_KEY[2:])
RULES = InvoiceRules(network="mainnet")
HASH_FIELD = field("p", bytes.fromhex(HASH))
HOP = bytes([2]) * 33 + bytes(8) + (9_000).to_bytes(4, "big") + (20_000).to_bytes(4, "big") + bytes(2)
FORMS = "a Lightning address (ana@example.com), an LNURL, a Lightning invoice, an npub or a wallet connection (NWC)"


def _checked(text: str, rules: InvoiceRules = RULES) -> object:
    return check_invoice(decode(text), rules, amount_msat=100_000, now=NOW)


def _lnurl(url: str) -> str:
    return bech32.encode("lnurl", url.encode())


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda: _checked(invoice(network="tb")), "the invoice is for testnet, not mainnet"),
        (lambda: _checked(invoice(None)), "the invoice names no amount"),
        (lambda: _checked(invoice(99_999)), "the invoice is for 99999 msat, 100000 msat were asked for"),
        (lambda: _checked(invoice(created_at=NOW - 3_600)), "the invoice has expired: 180 s are needed"),
        (lambda: _checked(invoice(created_at=NOW - 3_599)), "the invoice expires in 1 s: 180 s are needed"),
        (
            lambda: _checked(invoice(more=[number_field("c", 1_009)])),
            "the invoice may hold the payment for 1009 blocks after the last hop",
        ),
        (lambda: _checked(invoice(more=[field("r", HOP)])), "the private route to the payee costs 11000 msat"),
        (
            lambda: _checked(invoice(), replace(RULES, own_payees={NODE_KEY})),
            "the invoice is our own: a payment to ourselves",
        ),
        (
            lambda: _checked(invoice(preimage=bytes(32))),
            "everybody knows the preimage of this invoice: it would prove nothing",
        ),
        (lambda: decode(signed_invoice("lnbc1p", [HASH_FIELD])), "the invoice asks for a fraction of a millisatoshi"),
        (
            lambda: decode(signed_invoice("lnbc21000001", [HASH_FIELD])),
            "the invoice asks for more bitcoin than there will ever be",
        ),
        (
            lambda: decode(signed_invoice("lnltc1u", [HASH_FIELD])),
            "the invoice is for no known network, or its amount is malformed",
        ),
        (lambda: decode(bech32.encode("lnbc1u", b"x")), "the invoice is cut short"),
        (lambda: decode(signed_invoice("lnbc1u", [])), "the invoice has no payment hash"),
        (lambda: decode(signed_invoice("lnbc1u", [HASH_FIELD] * 2)), "the invoice has the field p twice"),
        (
            lambda: decode(signed_invoice("lnbc1u", [HASH_FIELD, number_field("x", 2**50)])),
            "the number in the field x of the invoice is out of reason",
        ),
        (
            lambda: decode(signed_invoice("lnbc1u", [HASH_FIELD, ("r", [1] * 10)])),
            "a private route of the invoice is malformed",
        ),
        (
            lambda: decode(signed_invoice("lnbc1u", [HASH_FIELD, number_field("9", 1 << 20 | 1 << 22)])),
            "the invoice requires features that are not known here: [20, 22]",
        ),
        (
            lambda: decode(signed_invoice("lnbc1u", [HASH_FIELD, field("n", b"\x02" * 33)])),
            "the invoice is not signed by the payee that it names",
        ),
        (
            lambda: decode(signed_invoice("lnbc1u", standard_fields(), recovery=4)),
            "the signature of the invoice is not valid",
        ),
        (
            lambda: parse_address("ana"),
            "a Lightning address looks like ana@example.com: a-z 0-9 - _ . + and one @",
        ),
        (
            lambda: parse_address("ana@exämple.com"),
            "exämple.com is no host name (names with other letters are written as xn--…)",
        ),
        (
            lambda: parse_address("ana@a.onion"),
            "onion addresses are not supported: ask for an address on the open web",
        ),
        (lambda: parse_address("ana@localhost:x", allow_private=True), "localhost:x has no valid port"),
        (
            lambda: parse_address(f"ana@{'a' * 60}:x", allow_private=True),
            f"{'a' * 59}… has no valid port",
        ),
        (
            lambda: parse_address(f"ana@{'a' * 61}"),
            f"{'a' * 59}… is no public host name, like example.com",
        ),
        (lambda: parse_address("ana@example.com:80"), "a Lightning address has no port"),
        (lambda: parse_address("ana@localhost"), "localhost is no public host name, like example.com"),
        (lambda: parse_lnurl("lnurlw://example.com/x"), "an LNURL starts with lnurl1 or lnurlp://"),
        (lambda: parse_lnurl(bech32.encode("lnurl1x", b"https://example.com/")), "the LNURL can't be read"),
        (lambda: parse_lnurl(bech32.encode("lnurl", b"https://\xff/")), "the LNURL can't be read"),
        (lambda: parse_lnurl("lnurl1b"), "the LNURL can't be read: no bech32 text"),
        (lambda: parse_lnurl(_lnurl("https://[::1/")), "the LNURL holds no address that can be read"),
        (lambda: parse_lnurl(_lnurl("https://example.com/a b")), "the LNURL holds no address that can be read"),
        (lambda: parse_lnurl(_lnurl("http://example.com/")), "the LNURL must hold an https address"),
        (lambda: parse_lnurl(_lnurl("https://a@example.com/")), "the LNURL holds a user name"),
        (
            lambda: parse_lnurl(_lnurl("https://example.com/?tag=login")),
            "this LNURL is not for paying: an LNURL-pay link or a Lightning address is needed",
        ),
        (
            lambda: decode(bech32_encode("lnbc1u", [0] * 7 + [1, 0] + [0] * 104)),
            "a field of the invoice is cut short",
        ),
        (lambda: parse_wallet_uri("x" * 5_000), "the wallet connection is too long"),
        (
            lambda: parse_wallet_uri("nostr+walletconnect://é"),
            "the wallet connection has a letter that does not belong there: copy it again",
        ),
        (lambda: parse_wallet_uri("x"), "a wallet connection starts with nostr+walletconnect://"),
        (
            lambda: parse_wallet_uri("nostr+walletconnect://[x"),
            "the wallet connection can't be read: copy it again from the wallet",
        ),
        (
            lambda: parse_wallet_uri("nostr+walletconnect://x"),
            "the wallet's public key (after ://) must be 64 hex characters",
        ),
        (
            lambda: parse_wallet_uri(URI.text.replace("relay=", "rely=")),
            "the wallet connection names no relay (relay=wss://…)",
        ),
        (
            lambda: parse_wallet_uri(URI.text + "".join(f"&relay=wss://r{n}.example" for n in range(10))),
            "the wallet connection names more than 10 relays",
        ),
        (
            lambda: parse_wallet_uri(URI.text.replace("wss", "https")),
            "a relay of the wallet connection is no ws:// or wss:// address",
        ),
        (
            lambda: parse_wallet_uri(URI.text.replace("secret=", "s=")),
            "the wallet connection must have exactly one secret (secret=…)",
        ),
        (
            lambda: parse_wallet_uri(URI.text.replace(URI.secret, "00" * 32)),
            "the secret of the wallet connection must be 64 hex characters and a valid key",
        ),
        (lambda: parse_target(" "), f"a target is missing: {FORMS}"),
        (lambda: parse_target("x" * 8_001), f"this is too long for a target: {FORMS}"),
        (lambda: parse_target("ana"), f"this is no target: {FORMS}"),
    ],
)
def test_what_is_wrong_with_a_text(work: Callable[[], object], says: str) -> None:
    with pytest.raises(Worded) as wrong:
        work()
    assert str(wrong.value) == says


class Answers:
    """Payee's servers, wallets and profiles that answer what they are given."""

    allow_private = False

    def __init__(self, *answers: object, lud16: str | None = None, wallet: Exception | None = None) -> None:
        self.answers = list(answers)
        self.address = lud16
        self.wallet = wallet

    async def get_json(self, url: str) -> object:
        return self.answers.pop(0)

    async def lud16(self, pubkey: str) -> str | None:
        return self.address

    async def make_invoice(self, uri: WalletUri, amount_msat: int, description: str) -> str:
        assert self.wallet is not None
        raise self.wallet


PARAMS = {"tag": "payRequest", "callback": "https://a.example/", "minSendable": 1_000, "maxSendable": 2_000_500}


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([PARAMS | {"minSendable": 9**9}], "the payee's server names a minimum above its maximum"),
        ([PARAMS | {"minSendable": 1_000_001}], "the payee takes 1,000.001 to 2,000.500 sats, not 1,000"),
        ([PARAMS | {"maxSendable": "1"}], "the payee's server answered with something else (maxSendable)"),
        ([[]], "the payee's server answered with something else (the whole answer)"),
        ([{"status": "ERROR", "reason": "gone"}], "the payee's server says: gone"),
        ([{"status": "Error"}], "the payee's server says: error"),
        ([PARAMS, {"pr": ""}], "the payee's callback answered with something else (pr)"),
        ([PARAMS, {"status": "ERROR", "reason": "gone"}], "the payee's callback says: gone"),
    ],
)
async def test_what_a_payee_said(answers: list[object], says: str) -> None:
    with pytest.raises(Worded) as wrong:
        await fetch_invoice(Answers(*answers), "https://a.example/", 1_000_000)
    assert str(wrong.value) == says


async def test_what_a_payee_said_of_an_invoice() -> None:
    with pytest.raises(Worded) as wrong:
        await check_verify(Answers({"settled": 1, "pr": "x"}), "https://a.example/", "x")
    assert str(wrong.value) == "the payee's server answered with something else (settled)"


@pytest.mark.parametrize(
    ("target", "answers", "says"),
    [
        (NPUB, Answers(), f"the profile of {NPUB} has no Lightning address (lud16)"),
        (
            NPUB,
            Answers(lud16="ana@localhost"),
            f"the lud16 in the profile of {NPUB}: localhost is no public host name, like example.com",
        ),
        (
            URI.text,
            Answers(wallet=WalletError("RESTRICTED", "no")),
            f"{URI.shown} makes no invoice: RESTRICTED: no",
        ),
        (URI.text, Answers(wallet=WalletSilent("no answer")), f"{URI.shown} makes no invoice: no answer"),
        (invoice(None), Answers(), "the invoice names no amount, due are 1000000 msat"),
        (invoice(100_000), Answers(), "the invoice names 100000 msat, due are 1000000 msat"),
    ],
)
async def test_why_a_target_gives_no_invoice(target: str, answers: Answers, says: str) -> None:
    with pytest.raises(TargetFailed) as failed:
        await Targets(answers, answers, answers).fetch_invoice(parse_target(target), 1_000_000)
    assert str(failed.value) == says


IN = Transaction("incoming", HASH, 103_000_000, created_at=NOW)
PAID = replace(IN, state="settled")
LOOSE = replace(IN, settled_at=NOW)
TOO_MUCH = replace(PAID, amount_msat=103_000_001)
OUT = replace(IN, direction="outgoing", state="settled")
EMPTY = Listing((), complete=True)


@pytest.mark.parametrize(
    ("looked_up", "listed", "expected"),
    [
        (PAID, None, PaymentCheck(Payment.SETTLED, "settled for the amount reported", row=PAID)),
        (
            TOO_MUCH,
            None,
            PaymentCheck(
                Payment.WRONG_AMOUNT,
                "the wallet has it with 103000001 msat, reported were 103000000 msat",
                row=TOO_MUCH,
            ),
        ),
        (
            replace(IN, state="pending"),
            None,
            PaymentCheck(Payment.NOT_SETTLED, "pending", row=replace(IN, state="pending")),
        ),
        (IN, None, PaymentCheck(Payment.NOT_SETTLED, "the wallet knows it and has not settled it", row=IN)),
        (
            LOOSE,
            None,
            PaymentCheck(Payment.UNKNOWN, "the wallet's list must decide", needs_list=True, row=LOOSE),
        ),
        (
            LOOSE,
            Listing((), complete=False),
            PaymentCheck(Payment.UNKNOWN, "the wallet's list is incomplete", needs_list=True, row=LOOSE),
        ),
        (
            LOOSE,
            EMPTY,
            PaymentCheck(Payment.NOT_SETTLED, "the wallet's list of settled payments does not have it", row=LOOSE),
        ),
        (OUT, EMPTY, PaymentCheck(Payment.WRONG_DIRECTION, "in the wallet this payment is outgoing", row=OUT)),
        (
            replace(OUT, state=None),
            EMPTY,
            PaymentCheck(Payment.NOT_SETTLED, "only outgoing so far", row=replace(OUT, state=None)),
        ),
        (
            WalletError("NOT_FOUND", ""),
            None,
            PaymentCheck(Payment.NOT_SETTLED, "the wallet does not know this payment"),
        ),
        (
            replace(IN, payment_hash="cc" * 32),
            None,
            PaymentCheck(Payment.UNKNOWN, "the wallet answered with another payment"),
        ),
        (WalletSilent("no answer"), None, PaymentCheck(Payment.UNKNOWN, "no answer")),
        (WalletSilent(""), None, PaymentCheck(Payment.UNKNOWN, "WalletSilent")),
    ],
)
def test_what_a_wallet_shows_of_a_customers_payment(
    looked_up: Transaction | WalletError | WalletSilent, listed: Listing | None, expected: PaymentCheck
) -> None:
    assert classify_payment(HASH, looked_up, "incoming", 103_000, listed) == expected
