"""Every reader of foreign bytes: what it is given, which errors it declares, and what must hold of what it gives.

A check returns where the reader did what it may, its declared error among that, and raises for anything else: so a
find is an exception. All bytes of `corpus/<name>/` are tried as they are, and others are made out of them.
"""

# ruff: noqa: PT017 - what an error says is judged, and whether there is one is not

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpcore
import httpx
import nostr_sdk as sdk

from bot import nostr
from bot.config import Config
from bot.config_file import ConfigError, load
from bot.contacts import Contacts
from bot.inbox import Inbox
from bot.intake import subscriptions
from bot.line import Line, Unreachable
from bot.nostr import BadWrap, Keys, open_seal, open_wrap
from bot.query import BadRelayUrl, Filter, relay_url
from bot.reach import Reach
from bot.relays import Sockets
from bot.secrets import SecretError, Source, read_key
from bot.seen import Seen
from bot.timings import Timings
from handlers.commands import registry
from handlers.commands.grammar import bind
from handlers.envelope import open_envelope
from handlers.roles import Role
from handlers.wire.bad_event import BadEvent
from handlers.wire.beacon import MAX_CHARS as BEACON_CHARS
from handlers.wire.beacon import parse_beacon
from handlers.wire.cassettes import is_cassettes, parse_cassettes, read_dispensed
from handlers.wire.settlement import BadSettlement, parse_settlement
from handlers.wire.telemetry import parse_telemetry
from ledger.cash import MOST_CASH, Bay, dispense
from ledger.decide.landing import LandingPolicy, land
from ledger.errors import Refusal
from ledger.fees import FeeRates
from ledger.model import Machine, Platform
from ledger.states import EvidenceClass
from nwc import bolt11, lnurl
from nwc.client import WalletClient
from nwc.event import Event
from nwc.evidence import classify_answer, classify_lookup, classify_verify, proves
from nwc.fetch import FetchFailed, GuardedHttp
from nwc.foreign import parse_json, plain
from nwc.keys import BadPublicKey, is_public_key, npub_of, parse_public_key
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
from nwc.requests import SignedRequest, read_info
from nwc.targets import BadTarget, parse_target
from nwc.uri import BadWalletUri, parse_wallet_uri
from storage.witness import Witness
from tests.fuzz.mutate import Make, mutated, text
from tests.nwc.made import HASH, NOW, PREIMAGE, URI, WALLET, HandClock, OpenCipher, WireToWallet, info_event

CORPUS: Final = Path(__file__).parent / "corpus"
BOT: Final = Keys.parse("03" * 32)
PERSON: Final = Keys.parse("05" * 32)
_MAX_CHARS: Final = 6_000_000
METHODS: Final = (PAY_INVOICE, MAKE_INVOICE, LOOKUP_INVOICE, LIST_TRANSACTIONS, GET_BALANCE, GET_INFO)
_ODD_CHARACTERS: Final = set("\n\r\t\x00\x1b\u202e\ud800")


@dataclass(frozen=True, slots=True)
class Parser:
    """One reader. `check(data)` raises for what is not declared."""

    name: str
    check: Callable[[bytes], None]
    runs: int = 1_000
    """How many inputs `make test` tries."""
    make: Make = mutated

    def corpus(self) -> dict[str, bytes]:
        """By file name."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())}


PARSERS: Final[dict[str, Parser]] = {}


def parser(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Declares a check under the name of its function."""
    PARSERS[check.__name__] = Parser(check.__name__, check)
    return check


def chief(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The same for one on which money hangs, or that anybody can reach."""
    PARSERS[check.__name__] = Parser(check.__name__, check, runs=10_000)
    return check


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("it waits for something")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@contextmanager
def _file(data: bytes) -> Iterator[Path]:
    """A private file with these bytes; in memory where that can be, for it is written tens of thousands of times."""
    memory = Path("/dev/shm")
    with tempfile.NamedTemporaryFile(prefix="fuzz-", dir=memory if memory.is_dir() else None) as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def _json_or_none(data: bytes) -> Any:
    try:
        return parse_json(data, max_chars=_MAX_CHARS)
    except ValueError:
        return None


# --- Nostr -----------------------------------------------------------------------------------------------------------


@chief
def event(data: bytes) -> None:
    """An event, from JSON or from the library, as far as its signature."""
    try:
        found = Event.from_dict(_json_or_none(data))
    except ValueError:
        return
    found.tag("d")
    assert Event.from_dict(found.to_dict()) == found
    for subscription in subscriptions(BOT.public_key, 0):
        subscription.query.matches(found)
    assert nostr.verify(found) in (True, False)


class _Hearer:
    """What the relays' pool does with what a relay says, with one line."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.inbox = Inbox(self._take, Seen(1_000, 1.0), lambda: None)
        self.line = Line("wss://relay.example.com", _Mute(), self.inbox.entrance("wss://x"), lambda: NOW, Timings())
        self.line._names["for-us.1"] = "for-us"
        self.line._subscriptions["for-us"] = subscriptions(BOT.public_key, NOW)[0]

    def _take(self, event: Event, url: str, repeat: bool) -> bool:
        self.taken.append(event)
        return True

    def hear_any(self, url: str) -> None:
        self.line.heard()

    def hear_event(self, url: str, sub_id: str, event: Event, verified: Callable[[], bool]) -> None:
        self.line.hear_event(sub_id, event, verified)

    def hear_unreadable(self, url: str) -> None:
        pass

    def hear_end(self, url: str, sub_id: str) -> None:
        self.line.hear_end(sub_id)

    def hear_closed(self, url: str, sub_id: str, reason: str) -> None:
        self.line.hear_closed(sub_id, reason)

    def hear_admitted(self, url: str) -> None:
        self.line.admitted()


class _Mute:
    """A socket on which nothing can be asked."""

    _auth_id = ""

    def connected(self) -> bool:
        return False

    def connections(self) -> int:
        return 0

    async def request(self, sub_id: str, query: Filter, *, until_stored: bool) -> None:
        raise Unreachable

    async def withdraw(self, sub_id: str) -> None:
        raise Unreachable

    async def list_ids(self, query: Filter) -> set[str] | None:
        return None

    def reconnect(self) -> None:
        pass

    async def authenticate(self, challenge: str, created_at: int) -> None:
        nostr.make_auth(BOT, "wss://relay.example.com", challenge, created_at)

    def hear_ok(self, event_id: str, accepted: bool) -> bool:
        return False


@parser
def relay_message(data: bytes) -> None:
    """What a relay says, through the library and the one task that reads it."""
    try:
        said = sdk.RelayMessage.from_json(text(data)).as_enum()
    except (sdk.NostrSdkError, UnicodeError):
        return
    _loop().run_until_complete(_heard(said))


async def _heard(said: Any) -> None:
    hearer = _Hearer()
    sockets = Sockets.__new__(Sockets)
    sockets._clock = HandClock()
    await sockets._hear("wss://relay.example.com", _Mute(), said, hearer)  # type: ignore[arg-type]
    assert all(nostr.verify(event) for event in hearer.taken)


class _PlainKeys:
    """Keys whose payloads are their own plain text: what is inside an envelope is tried without sealing it first."""

    public_key = BOT.public_key

    def cipher(self) -> _PlainKeys:
        return self

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        return payload


@parser
def wrap(data: bytes) -> None:
    """The payload of a gift wrap, encrypted."""
    sealed = Event("00" * 32, PERSON.public_key, NOW, nostr.GIFT_WRAP, (), text(data), "00" * 64)
    try:
        open_wrap(BOT, sealed)
    except BadWrap as bad:
        assert len(str(bad)) < 200


@chief
def seal(data: bytes) -> None:
    """What is in a gift wrap, decrypted."""
    opened = Event("00" * 32, PERSON.public_key, NOW, nostr.GIFT_WRAP, (), text(data), "00" * 64)
    try:
        found = open_wrap(_PlainKeys(), opened)  # type: ignore[arg-type]
    except BadWrap:
        return
    assert nostr.verify(found)


@chief
def rumor(data: bytes) -> None:
    """What is in a seal, decrypted."""
    opened = Event("00" * 32, PERSON.public_key, NOW, nostr.SEAL, (), text(data), "00" * 64)
    try:
        found = open_seal(_PlainKeys(), opened)  # type: ignore[arg-type]
    except BadWrap:
        return
    assert found.author == PERSON.public_key
    assert len(found.id) == 64
    found.content.encode()


@parser
def dm_relays(data: bytes) -> None:
    """Someone's list of relays (kind 10050), and each address in it."""
    value = _json_or_none(data)
    listed = [tag for tag in value if isinstance(tag, list)] if isinstance(value, list) else []
    urls = [str(tag[1]) for tag in listed if len(tag) > 1]
    for url in [*urls, text(data)]:
        try:
            assert relay_url(relay_url(url)) == relay_url(url)
        except BadRelayUrl:
            pass
    found = _finish(Reach(frozenset(), private=True).allowed(urls, 5))
    assert len(found) <= 5


class _Profile:
    """Relays that have one profile."""

    urls: tuple[str, ...] = ()

    def __init__(self, content: str) -> None:
        self._content = content

    async def fetch_one(self, query: object, seconds: float) -> Event:
        return Event("00" * 32, PERSON.public_key, NOW, 0, (), self._content, "00" * 64)


@parser
def profile(data: bytes) -> None:
    """Someone's profile (kind 0), for the address in it."""
    contacts = Contacts(_Profile(text(data)), HandClock(), allow_private=False)  # type: ignore[arg-type]
    found = _finish(contacts.lud16(PERSON.public_key))
    if found is not None:
        try:
            assert lnurl.address_url(lnurl.parse_address(found)).startswith("https://")
        except lnurl.BadLnurl:
            pass


# --- orders and reports ----------------------------------------------------------------------------------------------


@parser
def order(data: bytes) -> None:
    """A direct message, as far as the command and its parameters. What it does then: test_orders.py."""
    envelope = open_envelope(text(data))
    if envelope.refusal is not None:
        return
    try:
        if envelope.json:
            command, values = registry.by_method(envelope.method, Role), envelope.params
        else:
            command, following = registry.by_words(envelope.words, Role)
            values = dict(bind(following, command.places, command.rest, command.params.model_fields))
        command.parse(values)
    except Refusal as refusal:
        refusal.message.encode()


_MACHINE: Final = Machine(1, PERSON.public_key, "sintra", "main", "GTQ", None, True, False, FeeRates(50_000, 50_000))
_POLICY: Final = LandingPolicy(Decimal("0.02"), False)


@chief
def settlement(data: bytes) -> None:
    """A machine's report, as far as its numbers are judged."""
    try:
        report = parse_settlement(text(data))
    except BadSettlement as bad:
        bad.refusal.message.encode()
        return
    landing = land(report, _MACHINE, Platform(FeeRates(30_000, 30_000), None), None, _POLICY)
    if landing.reason is None:
        assert report.wire_sats > 0
        assert abs(landing.fees.fee_mismatch_sats) <= report.fee_sats


@parser
def beacon(data: bytes) -> None:
    """What a machine says of itself in public: what is kept of it can be shown and stored."""
    try:
        read = parse_beacon(text(data))
    except BadEvent as bad:
        _counted(bad)
        return
    kept = json.dumps(read.fields, allow_nan=False, ensure_ascii=False).encode()
    assert len(kept) <= 2 * BEACON_CHARS
    assert not read.fields.keys() & set(read.dropped)
    for value in read.fields.values():
        assert not isinstance(value, str) or not set(value) & _ODD_CHARACTERS


@parser
def telemetry(data: bytes) -> None:
    """What a machine says of itself to its operator."""
    try:
        body = parse_telemetry(text(data))
    except BadEvent as bad:
        _counted(bad)
        return
    assert isinstance(json.loads(body.encode()), dict)


@parser
def cassettes(data: bytes) -> None:
    """What a machine says of its bays: all of it is within bounds, or none is taken."""
    try:
        found = parse_cassettes(text(data))
    except BadEvent as bad:
        _counted(bad)
        return
    assert is_cassettes(text(data))
    positions = [each.position for each in found]
    assert positions == sorted(set(positions))
    assert set(positions) <= set(range(1, 65))
    assert all(1 <= each.denomination <= 10**9 and 0 <= each.notes <= 10**6 for each in found)
    assert sum(each.amount for each in found) <= MOST_CASH


@parser
def dispensed(data: bytes) -> None:
    """The notes of a cash-out: what bays are believed to have given is in them, and adds up."""
    said = read_dispensed(text(data))
    bays = [Bay(1, 20, 5, 20, 5), Bay(2, 50, 2, 50, 2), Bay(3, 20, 0, 20, 0)]
    change = dispense(bays, 10_000, 100, said)
    counts = {bay.position: bay.count for bay in bays}
    assert all(0 < -each.notes <= counts[each.position] for each in change.notes)
    assert -sum(each.amount for each in change.notes) * 100 + change.unplaced_minor >= 10_000
    assert 0 <= change.unplaced_minor <= MOST_CASH * 100


def _counted(bad: BadEvent) -> None:
    """By a plain word of ours; what is wrong is fit for a log."""
    assert re.fullmatch("[a-z_]+", bad.reason)
    assert not set(plain(str(bad))) & _ODD_CHARACTERS


# --- wallets ---------------------------------------------------------------------------------------------------------


@chief
def answer(data: bytes) -> None:
    """A wallet's answer, to what it says it was asked, or to something else."""
    value = _json_or_none(data)
    named = value.get("result_type") if isinstance(value, dict) else None
    found = parse_answer(named if named in METHODS else METHODS[len(data) % len(METHODS)], text(data))
    evidence = classify_answer(HASH, found)
    assert (evidence.cls is EvidenceClass.PROOF) == proves(evidence.preimage, HASH)
    if isinstance(found, MalformedAnswer):
        assert not set(found.reason) & _ODD_CHARACTERS
    if isinstance(value, dict):
        _row(value.get("result") if isinstance(value.get("result"), dict) else value)


def _row(raw: Any) -> None:
    """A look-up proves what it should, and nothing else does."""
    try:
        found = parse_answer(LOOKUP_INVOICE, json.dumps({"result": raw}))
    except ValueError:
        return
    assert isinstance(found, Transaction | MalformedAnswer)
    read = isinstance(found, Transaction) and found.payment_hash == HASH
    preimage = raw.get("preimage")
    proved = read and raw["type"] == "outgoing" and isinstance(preimage, str) and preimage.lower() == PREIMAGE.hex()
    assert (classify_lookup(HASH, found).cls is EvidenceClass.PROOF) is proved, raw
    payment = classify_payment(HASH, found, "incoming", 100).payment
    state = raw.get("state")
    settled = read and raw["type"] == "incoming" and isinstance(state, str) and state.strip().lower() == "settled"
    assert (payment is Payment.SETTLED) <= (read and raw["amount"] == 100_000), raw
    if settled:
        assert (payment is Payment.SETTLED) is (raw["amount"] == 100_000), raw


@parser
def notification(data: bytes) -> None:
    """What a wallet says unasked."""
    found = parse_notification(text(data))
    if isinstance(found, MalformedAnswer):
        assert not set(found.reason) & _ODD_CHARACTERS


class _OpenAtOnce(OpenCipher):
    """Whatever was sealed is what was written."""

    def nip44_decrypt(self, peer: str, payload: str) -> str:
        return payload

    nip04_decrypt = nip44_decrypt


@parser
def wallet_event(data: bytes) -> None:
    """An event by the wallet: its info, an answer to a request of ours, a notification."""
    try:
        found = Event.from_dict(_json_or_none(data))
    except ValueError:
        return
    client = WalletClient(
        URI,
        WireToWallet(info_event()),
        _OpenAtOnce(),
        HandClock(),
        lambda request_id, found: None,
        lambda found: None,
    )
    client.expect("0d" * 32)
    client.receive(found)
    client.receive(Event(found.id, WALLET, found.created_at, found.kind, found.tags, found.content, found.sig))
    info = read_info(found)
    if info is not None:
        assert info.encryption in ("nip44_v2", "nip04")


@parser
def signed_request(data: bytes) -> None:
    """A stored request to pay."""
    try:
        SignedRequest.load(text(data), HASH)
    except ValueError:
        pass


# --- payees ----------------------------------------------------------------------------------------------------------


class _Server:
    """Answers one thing after the other."""

    allow_private = False

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def get_json(self, url: str) -> object:
        self.asked.append(url)
        return self._answers[len(self.asked) - 1]


@chief
def lnurl_answers(data: bytes) -> None:
    """The two answers of an LNURL server, in a list, and what it says of an invoice afterwards."""
    value = _json_or_none(data)
    answers = value if isinstance(value, list) and len(value) > 1 else [value, value]
    server = _Server(answers)
    try:
        found = _finish(lnurl.fetch_invoice(server, "https://example.com/pay", 100_000, "coffee 😀"))
    except (lnurl.PayeeRefused, FetchFailed) as refused:
        assert not set(str(refused)) & _ODD_CHARACTERS
    else:
        assert len(server.asked) == 2
        found.invoice.encode()
    for each in answers:
        try:
            said = _finish(lnurl.check_verify(_Server([each]), "https://example.com/verify", "lnbc1"))
        except lnurl.PayeeRefused:
            continue
        assert (classify_verify(HASH, said).cls is EvidenceClass.PROOF) <= (said.preimage == PREIMAGE.hex())


class _FromBytes(GuardedHttp):
    """Speaks HTTP with a server that says always the same bytes."""

    def __init__(self, said: bytes) -> None:
        super().__init__(True, resolve=_here, tls=_tls())
        self._said = said

    def _connections(self) -> httpx.AsyncHTTPTransport:
        transport = super()._connections()
        transport._pool._network_backend = httpcore.AsyncMockBackend([self._said])
        return transport


async def _here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@cache
def _tls() -> Any:
    return httpx.create_ssl_context(trust_env=False)


@parser
def http_answer(data: bytes) -> None:
    """The bytes of an HTTP response."""
    try:
        _loop().run_until_complete(_FromBytes(data).get_json("http://example.com/x"))
    except FetchFailed as failed:
        assert not set(str(failed)) & _ODD_CHARACTERS


@parser
def url(data: bytes) -> None:
    """An address that a stranger wants fetched."""
    try:
        place = _guarded()._place(text(data))
    except FetchFailed as failed:
        assert failed.permanent
        return
    assert place.url.scheme == "https"
    assert place.host


@cache
def _guarded() -> GuardedHttp:
    return GuardedHttp(tls=_tls())


@parser
def json_value(data: bytes) -> None:
    """Any JSON: what is read can be written again as UTF-8, no half of a surrogate pair is left in it."""
    for given in (data, text(data)):
        for exact in (False, True):
            try:
                value = parse_json(given, max_chars=_MAX_CHARS, exact_decimals=exact)
            except ValueError:
                continue
            json.dumps(value, ensure_ascii=False, default=str).encode()


@parser
def words(data: bytes) -> None:
    """Foreign text for a line of a log."""
    shown = plain(text(data))
    assert len(shown) <= 200
    assert not set(shown) & _ODD_CHARACTERS
    shown.encode()


@chief
def invoice(data: bytes) -> None:
    """A BOLT 11 invoice."""
    try:
        found = bolt11.decode(text(data))
    except bolt11.BadInvoice:
        return
    assert len(found.payment_hash) == 64
    assert found.hint_fee_msat(1_000) >= 0
    assert found.expires_at >= found.created_at
    assert bolt11.decode(found.text) == found


@parser
def target(data: bytes) -> None:
    """Where somebody wants to be paid."""
    for allow_private in (False, True):
        try:
            found = parse_target(text(data), allow_private=allow_private)
        except BadTarget as bad:
            assert URI.secret not in str(bad)
            continue
        assert parse_target(found.value, allow_private=allow_private) == found
        assert URI.secret not in repr(found)
        if found.kind == "lightning_address" and not allow_private:
            assert lnurl.address_url(found.value).startswith("https://")


@parser
def wallet_uri(data: bytes) -> None:
    """A wallet connection."""
    try:
        uri = parse_wallet_uri(text(data))
    except BadWalletUri as bad:
        assert URI.secret not in str(bad)
        return
    assert parse_wallet_uri(uri.text) == uri
    assert uri.secret not in repr(uri) or uri.secret in (uri.lud16 or "") + "".join(uri.relays)


@parser
def public_key(data: bytes) -> None:
    """A key as people write it: hex, npub, nprofile."""
    try:
        found = parse_public_key(text(data))
    except BadPublicKey:
        return
    assert is_public_key(found)
    assert parse_public_key(npub_of(found)) == found


# --- files of the operator -------------------------------------------------------------------------------------------


@chief
def configuration(data: bytes) -> None:
    """`config.toml`."""
    try:
        with _file(data) as path:
            found = load(path, {})
    except ConfigError as wrong:
        assert wrong.errors
        assert all(reason for _, reason in wrong.errors)
        return
    assert isinstance(found, Config)


@parser
def key_file(data: bytes) -> None:
    """The file of the bot's key."""
    try:
        with _file(data) as path:
            read_key(Source("file", str(path)), path.parent, {})
    except SecretError as wrong:
        assert BOT.nsec() not in str(wrong)


@parser
def witness(data: bytes) -> None:
    """The file beside the database that remembers what left."""
    with _file(data) as path:
        for _ in Witness(path).facts():
            pass
