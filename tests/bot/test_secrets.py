"""Sources of secrets: found where they should be, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.nostr import Keys
from bot.secrets import SecretError, Source, read_key, read_secret, read_wallet_uri

NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
HEX = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
WALLET = f"nostr+walletconnect://{Keys.parse(HEX).public_key}?relay=wss%3A%2F%2Frelay.example&secret={HEX}"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [NSEC, HEX, f"\n {NSEC}\n"])
def test_a_key_from_each_kind_of_source(tmp_path: Path, text: str) -> None:
    write(tmp_path / "op.nsec", text)
    write(tmp_path / "cred", text, 0o444)  # systemd decides who may read these
    environ = {"KEY": text, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    absolute = f"file:{tmp_path / 'op.nsec'}"
    for written in ("file:op.nsec", absolute, "env:KEY", "credential:cred"):
        assert read_key(Source.parse(written), tmp_path, environ).npub == NPUB


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_key_file_that_everybody_can_read_is_warned_about(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "op.nsec", NSEC, mode)
    with capture_logs() as said:
        assert read_key(Source.parse("file:op.nsec"), tmp_path, {}).npub == NPUB
    assert [line["type"] for line in said] == [f"chmod 600 {path}"]
    path.chmod(0o640)
    with capture_logs() as said:
        assert read_key(Source.parse("file:op.nsec"), tmp_path, {}).npub == NPUB
    assert said == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file:PATH"),
        ("operator.nsec", "file:PATH"),
        ("file:", "file:PATH"),
        ("http://x", "file:PATH"),
        (NSEC, "does not belong"),
        (WALLET, "does not belong"),
        ("ncryptsec1qqqq", "does not belong"),
        ("bunker://abcdef?secret=x", "not supported"),
        ("env:A B", "plain name"),
        ("credential:../x", "plain name"),
        (HEX, "file:PATH"),
    ],
)
def test_what_is_no_source(text: str, reason: str) -> None:
    with pytest.raises(SecretError, match=reason) as refused:
        Source.parse(text)
    assert len(text) < 14 or text not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57l", "not supported"),
        ("bunker://abc?relay=wss://x", "not supported"),
        (NPUB, "public key"),
        (NSEC[:-1], "no secret key"),
        (f"{NSEC}\n{NSEC}", "no secret key"),
        ("my cat's name", "no secret key"),
        (" \n", "nothing in"),
    ],
)
def test_a_bad_key_is_told_and_not_shown(tmp_path: Path, content: str, reason: str) -> None:
    write(tmp_path / "k", content)
    with pytest.raises(SecretError, match=reason) as refused:
        read_key(Source.parse("file:k"), tmp_path, {})
    assert not content.strip() or content not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_secret_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "binary").chmod(0o600)
    write(tmp_path / "large", "x" * 9_000)
    cases = {
        "file:missing": "there is no file",
        "file:dir": "dir",
        "file:binary": "no text",
        "file:large": "too large",
        "env:NOT_SET": "NOT_SET is not set",
        "credential:x": "LoadCredential",
    }
    for written, reason in cases.items():
        with pytest.raises(SecretError, match=reason):
            read_secret(Source.parse(written), tmp_path, {})


def test_a_wallet_connection(tmp_path: Path) -> None:
    write(tmp_path / "main.nwc", WALLET + "\n")
    uri = read_wallet_uri(Source.parse("file:main.nwc"), tmp_path, {})
    assert uri.relays == ("wss://relay.example",)
    assert HEX not in repr(uri)
    write(tmp_path / "main.nwc", WALLET.replace("relay=", "rely="))
    with pytest.raises(SecretError, match="names no relay") as refused:
        read_wallet_uri(Source.parse("file:main.nwc"), tmp_path, {})
    assert HEX not in str(refused.value)
