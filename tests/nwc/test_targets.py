"""Targets: one canonical text each, a way out in every refusal, an invoice from every kind."""

from __future__ import annotations

import pytest

from nwc import bech32
from nwc.fetch import FetchFailed
from nwc.keys import npub_of
from nwc.targets import BadTarget, FetchedInvoice, Target, TargetFailed, Targets, parse_target
from nwc.trouble import WalletError, WalletSilent
from nwc.uri import WalletUri
from tests.nwc.made import NODE_KEY, URI, invoice

NPUB = npub_of(NODE_KEY[2:])
LNURL = bech32.encode("lnurl", b"https://example.com/pay")
INVOICE = invoice(100_000)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("ana@example.com", "lightning_address", "ana@example.com"),
        (" Ana@Example.com\n", "lightning_address", "ana@example.com"),
        ("lightning:ana@example.com", "lightning_address", "ana@example.com"),
        (LNURL, "lnurl", LNURL),
        (LNURL.upper(), "lnurl", LNURL),
        (f"lightning:{LNURL}", "lnurl", LNURL),
        ("lnurlp://example.com/x", "lnurl", "lnurlp://example.com/x"),
        (INVOICE, "bolt11", INVOICE),
        (INVOICE.upper(), "bolt11", INVOICE),
        (f"LIGHTNING:{INVOICE.upper()}", "bolt11", INVOICE),
        (f"lightning://{INVOICE}", "bolt11", INVOICE),
        (NPUB, "npub", NPUB),
        (f"nostr:{NPUB}", "npub", NPUB),
        (NPUB.upper(), "npub", NPUB),
        (URI.text, "nwc", URI.text),
        (URI.text.replace("nostr+wallet", "NostrWallet"), "nwc", URI.text),
        (f"NOSTR:{NPUB.upper()}", "npub", NPUB),
        ("lightning:lnurlp://example.com/x", "lnurl", "lnurlp://example.com/x"),
    ],
)
def test_targets_have_one_form(text: str, kind: str, value: str) -> None:
    target = parse_target(text)
    assert (target.kind, target.value) == (kind, value)
    assert parse_target(target.value) == target


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing: a Lightning address"),
        ("  ", "missing"),
        ("ana", "no target: a Lightning address"),
        ("x" * 8_001, "too long"),
        ("a@b@c", "looks like ana@example.com"),
        ("ana@127.0.0.1:80", "no port"),
        ("lnurl1xyz", "can't be read"),
        (INVOICE[:-1], "checksum"),
        ("lnbc", "can't be read"),
        (NPUB[:-1], "npub"),
        ("nsec1" + "q" * 58, "secret key"),
        ("nostr:nsec1" + "q" * 58, "secret key"),
        ("ncryptsec1" + "q" * 58, "secret key"),
        (NPUB[:10] + NPUB[10:].upper(), "upper and lower case are mixed"),
        ("lnurlp://127.0.0.1:80/x", "https"),
        ("nostr+walletconnect://abc?secret=" + "12" * 32, "public key"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "no target"),
        ("https://example.com", "no target"),
    ],
)
def test_refusals_name_the_way_out_and_no_secret(text: str, says: str) -> None:
    with pytest.raises(BadTarget, match=says) as refused:
        parse_target(text)
    assert "12" * 32 not in str(refused.value)


def test_the_longest_text_that_is_read() -> None:
    with pytest.raises(BadTarget, match="no target"):
        parse_target("x" * 8_000)


def test_private_hosts_where_they_are_allowed() -> None:
    for text in ("ana@127.0.0.1:80", "lnurlp://127.0.0.1:80/x"):
        assert parse_target(text, allow_private=True).value == text


def test_a_wallet_connection_is_never_shown() -> None:
    target = parse_target(URI.text)
    for shown in (target.shown, repr(target), str(target), f"{target}"):
        assert URI.secret not in shown
        assert URI.wallet_pubkey[:8] in shown
    assert target.is_secret
    assert not parse_target(NPUB).is_secret


def test_long_targets_are_shown_short() -> None:
    shown = parse_target(INVOICE).shown
    assert len(shown) < 40
    assert shown.startswith(INVOICE[:24])
    assert shown.endswith(INVOICE[-8:])
    assert parse_target("ana@example.com").shown == "ana@example.com"
    hundred = "ana@" + "a" * 60 + "." + "b" * 31 + ".com"
    assert parse_target(hundred).shown == hundred
    assert parse_target(hundred.replace("ana@", "anna@")).shown == f"anna@{'a' * 19}…{'b' * 4}.com"
    assert repr(parse_target("ana@example.com")) == "Target(lightning_address, ana@example.com)"


class Web:
    """Servers by URL, as JSON or as the error that asking them gives."""

    allow_private = False

    def __init__(self, answers: dict[str, object] | None = None) -> None:
        self.answers = answers if answers is not None else {}
        self.asked: list[str] = []

    async def get_json(self, url: str) -> object:
        self.asked.append(url)
        found = self.answers[url]
        if isinstance(found, Exception):
            raise found
        return found


class Profiles:
    def __init__(self, lud16: str | None = None) -> None:
        self.found = lud16
        self.asked: list[str] = []

    async def lud16(self, pubkey: str) -> str | None:
        self.asked.append(pubkey)
        return self.found


class Wallets:
    def __init__(self, result: str | Exception = "lnbc1") -> None:
        self.result = result
        self.asked: list[tuple[WalletUri, int, str]] = []

    async def make_invoice(self, uri: WalletUri, amount_msat: int, description: str) -> str:
        self.asked.append((uri, amount_msat, description))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def pay_server(url: str, **changes: object) -> dict[str, object]:
    first = {
        "tag": "payRequest",
        "callback": "https://cb.example/pay",
        "minSendable": 1,
        "maxSendable": 10**9,
        "metadata": "[]",
    }
    return {
        url: first | changes,
        "https://cb.example/pay?amount=100000": {"pr": INVOICE, "verify": "https://cb.example/verify"},
    }


EMPTY_HASH = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # sha256 of []
GOOD = FetchedInvoice(INVOICE, "https://cb.example/verify", EMPTY_HASH)


async def fetched(
    target: str, web: Web | None = None, profiles: Profiles | None = None, wallets: Wallets | None = None
) -> FetchedInvoice:
    targets = Targets(web or Web(), profiles or Profiles(), wallets or Wallets())
    return await targets.fetch_invoice(parse_target(target), 100_000, "leg")


async def test_an_invoice_from_an_address_or_a_link() -> None:
    assert await fetched("ana@example.com", Web(pay_server("https://example.com/.well-known/lnurlp/ana"))) == GOOD
    assert await fetched(LNURL, Web(pay_server("https://example.com/pay"))) == GOOD


async def test_an_invoice_from_a_profile() -> None:
    profiles = Profiles("Ana@Example.com")
    assert await fetched(NPUB, Web(pay_server("https://example.com/.well-known/lnurlp/ana")), profiles) == GOOD
    assert profiles.asked == [NODE_KEY[2:]]


@pytest.mark.parametrize("lud16", [None, "", "nonsense", "ana@127.0.0.1:80", "lnurl1xyz"])
async def test_a_profile_without_a_usable_address(lud16: str | None) -> None:
    with pytest.raises(TargetFailed, match="lud16") as failed:
        await fetched(NPUB, profiles=Profiles(lud16))
    assert (failed.value.permanent, failed.value.reason) == (False, "no_address")


async def test_a_comment_goes_along_where_the_payee_takes_one() -> None:
    for target, url, profiles in (
        ("ana@example.com", "https://example.com/.well-known/lnurlp/ana", Profiles()),
        (LNURL, "https://example.com/pay", Profiles()),
        (NPUB, "https://example.com/.well-known/lnurlp/ana", Profiles("ana@example.com")),
    ):
        answers = pay_server(url, commentAllowed=50)
        answers["https://cb.example/pay?amount=100000&comment=leg"] = {"pr": "with a comment"}
        assert (await fetched(target, Web(answers), profiles)).invoice_text == "with a comment"
        without = await Targets(Web(answers), profiles, Wallets()).fetch_invoice(parse_target(target), 100_000)
        assert without == GOOD


async def test_a_profile_may_name_a_private_host_where_that_is_allowed() -> None:
    web = Web(pay_server("http://127.0.0.1:80/.well-known/lnurlp/ana"))
    web.allow_private = True
    assert await fetched(NPUB, web, Profiles("ana@127.0.0.1:80")) == GOOD


async def test_an_invoice_from_a_wallet() -> None:
    wallets = Wallets(INVOICE)
    assert await fetched(URI.text, wallets=wallets) == FetchedInvoice(INVOICE)
    assert wallets.asked == [(URI, 100_000, "leg")]


@pytest.mark.parametrize(
    ("trouble", "permanent", "reason"),
    [
        (WalletSilent("no answer"), False, "unreachable"),
        (WalletError("INTERNAL", "x"), False, "error"),
        (WalletError("RESTRICTED", ""), True, "error"),
    ],
)
async def test_a_wallet_that_makes_none(trouble: Exception, permanent: bool, reason: str) -> None:
    with pytest.raises(TargetFailed, match="makes no invoice") as failed:
        await fetched(URI.text, wallets=Wallets(trouble))
    assert (failed.value.code, failed.value.permanent, failed.value.reason) == ("target_error", permanent, reason)
    assert URI.secret not in str(failed.value)


async def test_a_fixed_invoice_must_be_for_the_amount() -> None:
    assert await fetched(INVOICE) == FetchedInvoice(INVOICE)
    for amount in (None, 99_999, 100_001, 100_000_000):
        with pytest.raises(TargetFailed, match="due are 100000 msat") as failed:
            await fetched(invoice(amount))
        assert (failed.value.permanent, failed.value.reason) == (True, "amount")


@pytest.mark.parametrize(
    ("answer", "permanent", "reason"),
    [
        (FetchFailed("down"), False, "unreachable"),
        (FetchFailed("never", permanent=True), True, "unreachable"),
        ({"status": "ERROR", "reason": "no such user"}, False, "error"),
        ({"tag": "login"}, False, "malformed"),
    ],
)
async def test_servers_that_fail(answer: object, permanent: bool, reason: str) -> None:
    with pytest.raises(TargetFailed) as failed:
        await fetched("ana@example.com", Web({"https://example.com/.well-known/lnurlp/ana": answer}))
    assert (failed.value.permanent, failed.value.reason) == (permanent, reason)


async def test_an_amount_that_the_payee_does_not_take() -> None:
    web = Web(pay_server("https://example.com/.well-known/lnurlp/ana", minSendable=100_001))
    with pytest.raises(TargetFailed, match=r"100\.001 to 1,000,000 sats") as failed:
        await fetched("ana@example.com", web)
    assert (failed.value.permanent, failed.value.reason) == (True, "out_of_range")
    assert len(web.asked) == 1


def test_targets_compare_by_kind_and_value() -> None:
    assert Target("npub", NPUB) == parse_target(NPUB)
