"""Keys, ciphers, gift wraps; each check of a gift wrap with a sample that breaks it alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nostr_sdk as sdk
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nostr_sdk import nostr_sdk as bindings

from bot.nostr import BadWrap, Keys, event_id, make_auth, make_direct, unwrap, verify, wrap_dm
from nwc.event import Event
from nwc.ports import Cipher

NOW = 1_790_000_000
KNOWN = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"


@pytest.fixture
def sender() -> Keys:
    return Keys.generate()


@pytest.fixture
def receiver() -> Keys:
    return Keys.generate()


def test_keys_from_nsec_and_hex_are_the_same_and_hide_the_secret() -> None:
    secret = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
    nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    keys = Keys.parse(f" {nsec}\n")
    assert keys.public_key == Keys.parse(secret).public_key
    assert keys.public_key == "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    assert keys.npub == "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    assert keys.nsec() == nsec
    for shown in (repr(keys), str(keys), repr(keys.cipher())):
        assert secret not in shown
        assert nsec not in shown


@pytest.mark.parametrize("text", ["", "nsec1xyz", "0" * 64, "f" * 64, "g" * 64, "npub1abc", "secret word"])
def test_what_is_no_secret_key_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="no secret key") as refused:
        Keys.parse(text)
    assert not text or text not in str(refused.value)
    assert refused.value.__cause__ is None


def test_cipher_signs_what_it_is_told(sender: Keys) -> None:
    cipher: Cipher = sender.cipher()
    tags = [("p", sender.public_key), ("d", "x"), ("d", "x"), ("-",), ("e", "")]
    event = cipher.sign(30_078, tags, "héllo\n\x00", NOW)
    assert event.tags == tuple(tags)
    assert (event.kind, event.content, event.created_at, event.pubkey) == (
        30_078,
        "héllo\n\x00",
        NOW,
        cipher.public_key,
    )
    assert verify(event)
    assert not verify(replace(event, content="other"))
    assert not verify(replace(event, sig="0" * 128))
    assert not verify(replace(event, id="0" * 64))


@pytest.mark.parametrize(("tags", "content"), [([()], "x"), ([], "\ud800"), ([("d", "\ud800")], "x")])
def test_what_cannot_be_signed(sender: Keys, tags: list[tuple[str, ...]], content: str) -> None:
    with pytest.raises(ValueError, match="can't be signed"):
        sender.cipher().sign(1, tags, content, NOW)


@pytest.mark.parametrize("version", ["nip44", "nip04"])
def test_encryption_is_between_two(sender: Keys, receiver: Keys, version: str) -> None:
    here, there, other = sender.cipher(), receiver.cipher(), Keys.generate().cipher()
    payload = getattr(here, f"{version}_encrypt")(there.public_key, "for you")
    assert getattr(there, f"{version}_decrypt")(here.public_key, payload) == "for you"
    decrypt: Callable[[str, str], str] = getattr(there, f"{version}_decrypt")
    for peer, text in ((here.public_key, "rubbish"), ("0" * 64, payload), ("zz", payload), (here.public_key, "\ud800")):
        with pytest.raises(ValueError, match=version):
            decrypt(peer, text)
    if version == "nip44":
        with pytest.raises(ValueError, match="HMAC"):
            decrypt(other.public_key, payload)


def test_nip44_bounds(sender: Keys, receiver: Keys) -> None:
    cipher = sender.cipher()
    assert cipher.nip44_encrypt(receiver.public_key, "x" * 65_408)
    for text in ("", "x" * 65_409):
        with pytest.raises(ValueError, match="nip44"):
            cipher.nip44_encrypt(receiver.public_key, text)


def test_a_direct_message_arrives(sender: Keys, receiver: Keys) -> None:
    text = 'balance \n\u2028\x7f "é" \\ \U0001f600'
    wrap, rumor_id = wrap_dm(sender, receiver.public_key, text, "a" * 64, NOW)
    assert verify(wrap)
    assert wrap.kind == 1059
    assert wrap.pubkey not in (sender.public_key, receiver.public_key)
    assert wrap.tags == (("p", receiver.public_key),)
    assert NOW - 2 * 86_400 < wrap.created_at <= NOW
    rumor = unwrap(receiver, wrap)
    assert (rumor.id, rumor.author, rumor.created_at, rumor.kind, rumor.content) == (
        rumor_id,
        sender.public_key,
        NOW,
        14,
        text,
    )
    assert ("e", "a" * 64, "", "reply") in rumor.tags


def test_the_same_message_wrapped_twice_is_one_rumor_in_two_wraps(sender: Keys, receiver: Keys) -> None:
    (one, first), (two, second) = (wrap_dm(sender, receiver.public_key, "hi", None, NOW) for _ in range(2))
    assert first == second
    assert one.id != two.id
    assert one.pubkey != two.pubkey
    assert len({wrap_dm(sender, receiver.public_key, "hi", None, NOW)[0].created_at for _ in range(5)}) > 1


def test_the_library_reads_our_wrap_and_we_read_its(sender: Keys, receiver: Keys) -> None:
    wrap, rumor_id = wrap_dm(sender, receiver.public_key, "to the library", None, NOW)
    theirs = sdk.Keys.parse(receiver.nsec())
    gift = sdk.UnwrappedGift.from_gift_wrap(theirs, sdk.Event.from_json(json.dumps(wrap.to_dict())))
    found = gift.rumor().id()
    assert gift.rumor().content() == "to the library"
    assert found is not None
    assert found.to_hex() == rumor_id
    made = sdk.nip17_make_private_msg(theirs, sdk.PublicKey.parse(sender.public_key), "from the library")
    assert unwrap(sender, Event.from_dict(json.loads(made.as_json()))).content == "from the library"


def make_wrap(
    sender: Keys,
    receiver: Keys,
    *,
    rumor: Any = None,
    seal_kind: int = 13,
    seal: Any = None,
    wrap_kind: int = 1059,
    **changes: Any,
) -> Event:
    """A wrap that is right but for what the arguments change."""
    fields: dict[str, Any] = {
        "id": "0" * 64,
        "pubkey": sender.public_key,
        "created_at": NOW,
        "kind": 14,
        "tags": [["p", receiver.public_key]],
        "content": "pause",
    }
    fields.update(changes)
    told = json.dumps(fields) if rumor is None else rumor
    cipher, once = sender.cipher(), Keys.generate().cipher()
    made = cipher.sign(seal_kind, [], cipher.nip44_encrypt(receiver.public_key, told), NOW).to_dict()
    made.update(seal or {})
    payload = once.nip44_encrypt(receiver.public_key, json.dumps(made))
    return once.sign(wrap_kind, [("p", receiver.public_key)], payload, NOW)


def test_the_id_that_a_sender_writes_is_not_used(sender: Keys, receiver: Keys) -> None:
    """An attacker who could choose ids could suppress other people's orders, or have one done twice."""
    tags = [["p", receiver.public_key]]
    true_id = event_id(sender.public_key, NOW, 14, tags, "pause")
    for written in ("0" * 64, "f" * 64, None, 5, "not hex"):
        assert unwrap(receiver, make_wrap(sender, receiver, id=written)).id == true_id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wrap_kind": 1}, "not a gift wrap"),
        ({"seal_kind": 1}, "no seal"),
        ({"seal": {"sig": "0" * 128}}, "signature"),
        ({"seal": {"pubkey": "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}}, "signature"),
        ({"seal": {"sig": 5}}, "seal is malformed"),
        ({"pubkey": "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}, "author"),
        ({"pubkey": "f" * 64}, "malformed"),
        ({"kind": 1}, "no direct message"),
        ({"kind": 9734}, "no direct message"),
        ({"kind": 14.0}, "malformed"),
        ({"kind": True}, "malformed"),
        ({"kind": 70_000}, "malformed"),
        ({"tags": []}, "somebody else"),
        ({"tags": [["p"]]}, "somebody else"),
        ({"tags": [["p", "a" * 64]]}, "somebody else"),
        ({"tags": [["P", "x"], []]}, "malformed"),
        ({"tags": "p"}, "malformed"),
        ({"tags": [["x", str(n)] for n in range(501)]}, "malformed"),
        ({"created_at": -1}, "malformed"),
        ({"created_at": 2**60}, "malformed"),
        ({"created_at": float("nan")}, "malformed"),
        ({"content": None}, "malformed"),
        ({"content": "\ud800"}, "malformed"),
        ({"rumor": "[1]"}, "no object"),
        ({"rumor": "{"}, "no JSON"),
        ({"rumor": "[" * 40_000}, "no JSON"),
    ],
)
def test_every_forged_wrap_is_refused(sender: Keys, receiver: Keys, changes: dict[str, Any], reason: str) -> None:
    wrap = make_wrap(sender, receiver, **changes)
    assert verify(wrap)
    with pytest.raises(BadWrap, match=reason):
        unwrap(receiver, wrap)


def test_wraps_for_others_rubbish_and_giants_are_refused(sender: Keys, receiver: Keys) -> None:
    wrap = make_wrap(sender, receiver)
    assert unwrap(receiver, wrap).content == "pause"
    with pytest.raises(BadWrap, match="can't be decrypted"):
        unwrap(sender, wrap)
    for content in ("", "rubbish", "A" * 150_000):
        with pytest.raises(BadWrap, match="can't be decrypted"):
            unwrap(receiver, replace(wrap, content=content))
    with pytest.raises(BadWrap, match="too large"):
        unwrap(receiver, replace(wrap, content="A" * 150_001))


def test_a_message_is_never_quoted_in_an_error(sender: Keys, receiver: Keys) -> None:
    with pytest.raises(BadWrap) as refused:
        unwrap(receiver, make_wrap(sender, receiver, rumor="my secret words"))
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_signed_envelope_and_authentication(sender: Keys, receiver: Keys) -> None:
    event = make_direct(sender, receiver.public_key, "status", "b" * 64, NOW)
    assert (event.kind, event.created_at, verify(event)) == (14, NOW, True)
    assert event.tag("p") == receiver.public_key
    assert event.tag("e") == "b" * 64
    assert receiver.cipher().nip44_decrypt(event.pubkey, event.content) == "status"
    auth = make_auth(sender, "wss://relay.example", "challenge", NOW)
    assert (auth.kind, auth.tag("relay"), auth.tag("challenge"), verify(auth)) == (
        22_242,
        "wss://relay.example",
        "challenge",
        True,
    )


def test_too_long_messages_are_refused(sender: Keys, receiver: Keys) -> None:
    with pytest.raises(ValueError, match="nip44"):
        wrap_dm(sender, receiver.public_key, "x" * 65_000, None, NOW)


@pytest.mark.parametrize("length", [0, 1, 2, 15, 16, 17, 31, 32, 33, 4_095, 4_096, 4_097, 65_000])
@pytest.mark.parametrize("letter", ["x", "ñ", "\U0001f600"])
def test_the_library_gets_a_text_whole(sender: Keys, letter: str, length: int) -> None:
    """Its id is the hash of every byte of it (NIP-01), so one that is lost on the way shows."""
    text = letter * length
    assert event_id(sender.public_key, NOW, 14, [("t", text)], text) == librarys_id(sender, [("t", text)], text)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    tags=st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3), max_size=3),
)
@example(text='\x00\x08\t\n\x0b\x0c\r\x1f"\\/\x7f\x80\u2028\ufeff', tags=[["e", "\x1b"]])
def test_an_id_is_what_the_library_says_it_is(text: str, tags: list[list[str]]) -> None:
    """However a text must be escaped (NIP-01)."""
    keys = Keys.generate()
    assert event_id(keys.public_key, NOW, 14, tags, text) == librarys_id(keys, tags, text)


@pytest.mark.parametrize(
    ("author", "created_at", "kind", "tags", "content"),
    [
        ("f" * 64, NOW, 1, [], ""),
        ("7e" * 31, NOW, 1, [], ""),
        (KNOWN, -1, 1, [], ""),
        (KNOWN, 2**64, 1, [], ""),
        (KNOWN, NOW, -1, [], ""),
        (KNOWN, NOW, 65_536, [], ""),
        (KNOWN, NOW, 1, [[]], ""),
        (KNOWN, NOW, 1, [], "\ud800"),
        (KNOWN, NOW, 1, [["t", "\udfff"]], ""),
    ],
)
def test_no_id_without_an_event(author: str, created_at: int, kind: int, tags: list[list[str]], content: str) -> None:
    with pytest.raises(ValueError, match=r"no event|surrogates"):
        event_id(author, created_at, kind, tags, content)


def librarys_id(keys: Keys, tags: Sequence[Sequence[str]], text: str) -> str:
    parsed = [sdk.Tag.parse(list(tag)) for tag in tags]
    at, kind = sdk.Timestamp.from_secs(NOW), sdk.Kind(14)
    return sdk.EventId.compute(sdk.PublicKey.parse(keys.public_key), at, kind, parsed, text).to_hex()


def test_the_library_needs_our_way_to_copy() -> None:
    """Where its bindings copy no longer byte by byte, `_write_whole` in bot/nostr.py has done its service."""
    found = Path(bindings.__file__).read_text()
    _, _, copying = found.partition("    def write(self, value):\n")
    assert "for i, byte in enumerate(value):" in copying[:200], "take _write_whole out of bot/nostr.py"


def test_the_library_needs_our_way_to_go_on() -> None:
    """Where its bindings spare the loop's queue for other threads by themselves, `_go_on` has done its service."""
    found = Path(bindings.__file__).read_text()
    _, _, going_on = found.partition("def _uniffi_continuation_callback(future_ptr, poll_code):\n")
    wanted = (
        "    (eventloop, future) = _UniffiContinuationHandleMap.remove(future_ptr)\n"
        "    eventloop.call_soon_threadsafe(_uniffi_set_future_result, future, poll_code)\n"
    )
    assert going_on.startswith(wanted), "take _go_on out of bot/nostr.py"
