"""Public keys as people write them."""

from __future__ import annotations

import pytest

from nwc import bech32
from nwc.keys import BadPublicKey, is_public_key, npub_of, parse_public_key

# The example of NIP-19.
HEX = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"


@pytest.mark.parametrize("text", [HEX, HEX.upper(), NPUB, NPUB.upper(), f" {NPUB}\n", f"nostr:{NPUB}"])
def test_every_way_to_write_the_same_key(text: str) -> None:
    assert parse_public_key(text) == HEX


def test_npub_of_nip_19_example() -> None:
    assert npub_of(HEX) == NPUB


@pytest.mark.parametrize(
    "text",
    [
        "",
        "npub1",
        NPUB[:-1],
        NPUB[:-1] + "h",
        NPUB[:10].upper() + NPUB[10:],
        HEX[:-1],
        HEX + "00",
        "g" * 64,
        "0" * 64,
        "f" * 64,
        "0" * 63 + "5",
        "note1fntxtkcy9pjwucqwa9mddn7v03wwwsu9j330jj350nvhpky2tuaspk6nqc",
        "\uff11" * 64,
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(BadPublicKey):
        parse_public_key(text)


def test_a_secret_key_is_not_repeated() -> None:
    secret = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    with pytest.raises(BadPublicKey, match="secret key") as refused:
        parse_public_key(secret)
    assert secret[5:] not in str(refused.value)


@pytest.mark.parametrize("text", [HEX.upper(), NPUB, "ab"])
def test_npub_of_wants_hex(text: str) -> None:
    with pytest.raises(BadPublicKey):
        npub_of(text)


def test_a_key_is_a_point_of_the_curve() -> None:
    generator = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert is_public_key(generator)
    beyond_the_field = f"{2**256 - 2**32 - 977 + 1:064x}"  # 1 is the x of a point, but not written like this
    assert is_public_key(f"{1:064x}")
    assert not is_public_key(beyond_the_field)
    assert not is_public_key(f"{5:064x}")  # 5**3 + 7 has no square root


def test_what_is_not_quite_a_key() -> None:
    assert not is_public_key(HEX.upper())
    with pytest.raises(BadPublicKey, match="too short"):
        parse_public_key(bech32.encode("npub", bytes.fromhex(HEX)[:20]))


NPROFILE = (
    "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuump"
    "v34kytnrdaksjlyr9p"
)


def test_nprofile_nip_19_example() -> None:
    key = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert parse_public_key(NPROFILE) == parse_public_key(f"nostr:{NPROFILE}") == key


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", b"\x00\x20" + b"\x01" * 31, b"\x01\x02ab", b"\x00\xff" + b"\x01" * 32, b"\x00\x20" + b"\xff" * 32],
)
def test_nprofile_without_a_key(raw: bytes) -> None:
    with pytest.raises(BadPublicKey):
        parse_public_key(bech32.encode("nprofile", raw))


def test_nprofile_mistyped() -> None:
    with pytest.raises(BadPublicKey, match="can't be read"):
        parse_public_key(NPROFILE[:-1] + "q")
