"""Wallet connections: what is wrong is named, and the secret is shown nowhere."""

from __future__ import annotations

import pytest

from nwc.uri import BadWalletUri, parse_wallet_uri

KEY = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4"
SECRET = "71a8c14c1407c113601079c4302dab36460f0ccd0ad506f1f2dc73b5100e4f3c"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
EXAMPLE = f"nostr+walletconnect://{KEY}?relay=wss%3A%2F%2Frelay.damus.io&secret={SECRET}"  # of NIP-47


def test_the_example_of_nip47() -> None:
    uri = parse_wallet_uri(EXAMPLE)
    assert (uri.wallet_pubkey, uri.relays, uri.secret, uri.lud16) == (KEY, ("wss://relay.damus.io",), SECRET, None)
    assert uri.text == EXAMPLE
    assert parse_wallet_uri(uri.text) == uri


def test_several_relays_and_an_address() -> None:
    uri = parse_wallet_uri(f" {EXAMPLE}&relay=ws%3A%2F%2F127.0.0.1%3A7777&relay=wss://relay.damus.io&lud16=a@b.com ")
    assert uri.relays == ("wss://relay.damus.io", "ws://127.0.0.1:7777")
    assert uri.lud16 == "a@b.com"
    assert parse_wallet_uri(uri.text) == uri


@pytest.mark.parametrize("start", ["nostrwalletconnect://", "nostr+walletconnect:", "NOSTR+WALLETCONNECT://"])
def test_other_ways_to_begin(start: str) -> None:
    assert parse_wallet_uri(EXAMPLE.replace("nostr+walletconnect://", start)).text == EXAMPLE


def test_the_longest_and_the_fullest_that_is_read() -> None:
    for good, more in (("&x=" + "y" * (4_000 - len(EXAMPLE) - 3), "y"), ("&a=1" * 48, "&a=1")):
        assert parse_wallet_uri(EXAMPLE + good).text == EXAMPLE
        with pytest.raises(BadWalletUri, match=r"too long|can't be read"):
            parse_wallet_uri(EXAMPLE + good + more)
    assert parse_wallet_uri(EXAMPLE.replace("?", "/?")).text == EXAMPLE
    assert parse_wallet_uri(EXAMPLE.replace(".io", ".io:1")).relays == ("wss://relay.damus.io:1",)


def test_ten_relays_and_the_smallest_and_largest_secret() -> None:
    many = parse_wallet_uri(EXAMPLE + "".join(f"&relay=wss://r{n}.example.com" for n in range(9)))
    assert len(many.relays) == 10
    for number in (1, ORDER - 1):
        assert int(parse_wallet_uri(EXAMPLE.replace(SECRET, f"{number:064x}")).secret, 16) == number
    with pytest.raises(BadWalletUri, match="valid key"):
        parse_wallet_uri(EXAMPLE.replace(SECRET, f"{ORDER:064x}"))


def test_the_secret_is_not_shown() -> None:
    uri = parse_wallet_uri(EXAMPLE)
    assert SECRET not in repr(uri)
    assert SECRET not in uri.shown
    assert KEY[:8] in uri.shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "starts with"),
        (KEY, "starts with"),
        ("https://example.com", "starts with"),
        (EXAMPLE.replace(KEY, "npub1abc"), "public key"),
        (EXAMPLE.replace("relay=", "rely="), "no relay"),
        (EXAMPLE.replace("wss", "https"), "relay"),
        (EXAMPLE.replace("relay.damus.io", ""), "relay"),
        (EXAMPLE.replace("relay.damus.io", "relay.damus.io:99999"), "relay"),
        (EXAMPLE.replace("relay.damus.io", "relay.damus.io%0a"), "relay"),
        (EXAMPLE.replace("relay.damus.io", "relay%20.damus.io"), "relay"),
        (EXAMPLE.replace("relay.damus.io", "relay%01.damus.io"), "relay"),
        (EXAMPLE.replace("relay.damus.io", "relay.damus.io:0"), "relay"),
        (EXAMPLE + "".join(f"&relay=wss://r{n}.example.com" for n in range(10)), "more than 10"),
        (EXAMPLE.replace("secret=", "sekret="), "secret"),
        (EXAMPLE + "&secret=" + "22" * 32, "secret"),
        (EXAMPLE.replace(SECRET, SECRET[:-1]), "secret"),
        (EXAMPLE.replace(SECRET, "00" * 32), "secret"),
        (EXAMPLE.replace(SECRET, "ff" * 32), "secret"),
        (EXAMPLE + "&" * 60 + "a=1&" * 60, "can't be read"),
        (EXAMPLE + "&lud16=a@b.com\ud800", "copy it again"),
        ("nostr+walletconnect://[" + KEY, "can't be read"),
        (EXAMPLE + "&x=" + "y" * 4_000, "too long"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(BadWalletUri, match=says) as refused:
        parse_wallet_uri(text)
    assert SECRET[:-1] not in str(refused.value)
