"""LNURL-pay: addresses, links, amounts, and everything that a server may answer instead of an invoice."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from nwc import bech32
from nwc.evidence import VerifyAnswer
from nwc.fetch import FetchFailed, GuardedHttp
from nwc.lnurl import (
    BadLnurl,
    PayeeRefused,
    address_url,
    check_verify,
    fetch_invoice,
    lnurl_url,
    parse_address,
    parse_lnurl,
)
from tests.nwc.http_server import Writer, answer_json, serving
from tests.nwc.made import PREIMAGE

# The example of LUD-01.
LUD01_URL = "https://service.com/api?q=3fc3645b439ce8e7f2553a69e5267081d96dcd340693afabe04be7b0ccd178df"
LUD01 = (
    "LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0M385EKVCENXC6R2C35XVUKXEFCV5MKVV34X5EKZD3EV56NYD3HXQURZEPEXEJXXEPNXSCR"
    "VWFNV9NXZCN9XQ6XYEFHVGCXXCMYXYMNSERXFQ5FNS"
)


def test_lightning_addresses() -> None:
    assert parse_address("ana@example.com") == "ana@example.com"
    assert parse_address(" Bob@X.com ") == "bob@x.com"
    assert address_url("ana@example.com") == "https://example.com/.well-known/lnurlp/ana"
    assert address_url(parse_address("a.b-c_d+tag@example.com")) == "https://example.com/.well-known/lnurlp/a.b-c_d+tag"
    assert parse_address("ana@xn--exmple-cua.com") == "ana@xn--exmple-cua.com"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a@b@c", "looks like"),
        ("ana", "looks like"),
        ("@example.com", "looks like"),
        ("ana@", "no host name"),
        ("an a@example.com", "looks like"),
        ("aña@example.com", "looks like"),
        ("a/b@example.com", "looks like"),
        ("a" * 65 + "@example.com", "looks like"),
        ("ana@exämple.com", "xn--"),
        ("ana@example.com/path", "no host name"),
        ("ana@.example.com", "no host name"),
        ("ana@example.com.", "no host name"),
        ("ana@-example.com", "no host name"),
        ("ana@" + "a." * 127 + "com", "no host name"),
        ("ana@abcdef.onion", "onion"),
        ("ana@example.com:8080", "no port"),
        ("ana@localhost", "no public host"),
        ("ana@127.0.0.1", "no public host"),
        ("ana@2130706433", "no public host"),
    ],
)
def test_addresses_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(BadLnurl, match=says):
        parse_address(text)


def test_private_addresses_where_they_are_allowed() -> None:
    for host in ("127.0.0.1:8080", "localhost:1", "localhost", "10.1.2.3:80", "pay.localhost:9", "172.16.0.1:1"):
        assert address_url(parse_address(f"ana@{host}", allow_private=True)) == f"http://{host}/.well-known/lnurlp/ana"
    public = parse_address("ana@example.com:444", allow_private=True)
    assert address_url(public) == "https://example.com:444/.well-known/lnurlp/ana"
    for port in ("0", "65536", "x", "", "٣"):
        with pytest.raises(BadLnurl, match=r"port|host name"):
            parse_address(f"ana@127.0.0.1:{port}", allow_private=True)


def test_the_longest_names_and_the_last_port() -> None:
    assert parse_address("a" * 64 + "@example.com")
    longest = "a." * 125 + "com"
    assert len(longest) == 253
    assert parse_address(f"ana@{longest}") == f"ana@{longest}"
    with pytest.raises(BadLnurl, match="no host name"):
        parse_address(f"ana@{longest}m")
    for port in (1, 65_535):
        assert parse_address(f"ana@localhost:{port}", allow_private=True) == f"ana@localhost:{port}"
    for wrong_port in (0, 65_536, 655_350, "0000001"):
        with pytest.raises(BadLnurl, match="no valid port"):
            parse_address(f"ana@localhost:{wrong_port}", allow_private=True)
    with pytest.raises(BadLnurl) as wrong:
        parse_address("ana@" + "ä" * 61)
    assert str(wrong.value).startswith("ä" * 59 + "… is no host name")


def lnurl_of(url: str) -> str:
    return bech32.encode("lnurl", url.encode())


def test_the_example_of_lud01() -> None:
    assert parse_lnurl(LUD01) == LUD01.lower()
    assert lnurl_url(LUD01) == LUD01_URL
    assert parse_lnurl(f"lightning:{LUD01}") == LUD01.lower()
    assert parse_lnurl(f"LIGHTNING://{LUD01}") == LUD01.lower()
    assert parse_lnurl(parse_lnurl(LUD01)) == LUD01.lower()


def test_lud17_links() -> None:
    assert parse_lnurl("lnurlp://Example.com/Path?a=B") == "lnurlp://example.com/Path?a=B"
    assert lnurl_url("lnurlp://example.com/Path?a=B") == "https://example.com/Path?a=B"
    assert lnurl_url("lnurlp://example.com?a=B") == "https://example.com?a=B"
    assert lnurl_url(parse_lnurl("lnurlp://127.0.0.1:80/x", allow_private=True)) == "http://127.0.0.1:80/x"
    assert parse_lnurl("lightning:lnurlp://example.com/x") == "lnurlp://example.com/x"
    assert parse_lnurl(lnurl_of("https://example.com:444/x")) == lnurl_of("https://example.com:444/x")
    assert parse_lnurl(lnurl_of("http://127.0.0.1:5/x"), allow_private=True)
    assert parse_lnurl(lnurl_of("https://example.com/x?hashtag=login&tag=payRequest"))
    assert parse_lnurl("lnurlp://example.com/?u=http://x") == "lnurlp://example.com/?u=http://x"
    assert lnurl_url("lnurlp://127.0.0.1/x") == "http://127.0.0.1/x"
    assert parse_lnurl("lnurlp://Example.com#A/B?C=D") == "lnurlp://example.com#A/B?C=D"
    assert parse_lnurl("lnurlp://Example.com/A?B#C/D") == "lnurlp://example.com/A?B#C/D"
    assert parse_lnurl("LNURLP://example.com/!~") == "lnurlp://example.com/!~"
    assert len(parse_lnurl("lnurlp://example.com/" + "a" * (4_000 - len("https://example.com/")))) == 4_001


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "starts with"),
        ("https://example.com/x", "starts with"),
        ("lnurlw://example.com/x", "starts with"),
        ("lnurlp:example.com/x", "starts with"),
        ("lnurlp://", "no host name"),
        ("lnurl1qqqq", "can't be read"),
        (LUD01[:-1] + "q", "can't be read"),
        (LUD01[:20] + LUD01[20:].lower(), "can't be read"),
        (bech32.encode("lnurl1x", b"https://example.com/"), "can't be read"),
        (bech32.encode("lnurl", b"https://\xff/"), "can't be read"),
        (lnurl_of("http://example.com/"), "https"),
        (lnurl_of("ftp://example.com/"), "https"),
        (lnurl_of("https://a@example.com/"), "user name"),
        (lnurl_of("https://example.com/a b"), "can be read"),
        (lnurl_of("https://example.com/\n"), "can be read"),
        (lnurl_of("https://[::1/"), "can be read"),
        (lnurl_of("https://127.0.0.1/"), "no public host"),
        (lnurl_of("https://127.0.0.1:8080/"), "no public host"),
        (lnurl_of("https://example.com/?tag=login&k1=00"), "not for paying"),
        (lnurl_of("https://example.com/?a&tag=withdrawRequest"), "not for paying"),
        ("lnurlp://example.com/" + "a" * 4_000, "can be read"),
        ("lnurlp://example.com/\x7f", "can be read"),
        ("lnurlp://X.LOCALHOST/x", "https"),
        (lnurl_of("https://example.com:80:90/"), "no port"),
        (lnurl_of("http://127.0.0.1/"), "https"),
    ],
)
def test_links_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(BadLnurl, match=says):
        parse_lnurl(text)


METADATA = '[["text/plain","café"]]'


class Payee:
    """A Lightning address server. `changes` and `callback_changes` alter what it answers."""

    def __init__(self) -> None:
        self.params: dict[str, object] = {}
        self.callback: dict[str, object] = {}
        self.asked: list[str] = []

    async def __call__(self, path: str, headers: dict[str, str], writer: Writer) -> None:
        self.asked.append(path)
        base = f"http://{headers['host']}"
        params: dict[str, object] = {
            "tag": "payRequest",
            "callback": f"{base}/pay?user=ana",
            "minSendable": 1_000,
            "maxSendable": 1_000_000,
            "metadata": METADATA,
        }
        chosen = (
            params | self.params if path.startswith("/.well-known") else {"pr": "lnbc1", "routes": []} | self.callback
        )
        await answer_json(writer, {key: value for key, value in chosen.items() if value is not ...})


HTTP = GuardedHttp(allow_private=True, max_seconds=5)


async def test_the_whole_way_to_an_invoice() -> None:
    payee = Payee()
    payee.callback["verify"] = "https://example.com/verify/1"
    async with serving(payee) as server:
        found = await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000, "hello")
    assert found.invoice == "lnbc1"
    assert found.verify_url == "https://example.com/verify/1"
    assert found.description_hash == hashlib.sha256(METADATA.encode()).hexdigest()
    assert payee.asked == ["/.well-known/lnurlp/ana", "/pay?user=ana&amount=100000"]


async def test_comments_go_where_they_are_allowed() -> None:
    payee = Payee()
    payee.params["commentAllowed"] = 9
    async with serving(payee) as server:
        await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000, "a&b=c #é longer")
        await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000, "")
        for odd in (True, -5, "9", None, 1.5):
            payee.params["commentAllowed"] = odd
            await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000, "hello")
    assert parse_qs(urlsplit(payee.asked[1]).query) == {"user": ["ana"], "amount": ["100000"], "comment": ["a&b=c #é "]}
    assert [path for path in payee.asked[2:] if "comment" in path] == []


@pytest.mark.parametrize("edge", [{"minSendable": 100_000}, {"maxSendable": 100_000}, {"minSendable": 0}])
async def test_the_edges_of_what_a_payee_takes(edge: dict[str, object]) -> None:
    payee = Payee()
    payee.params = edge
    payee.callback["verify"] = "x" * 4_000
    async with serving(payee) as server:
        found = await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000)
    assert (found.invoice, found.verify_url) == ("lnbc1", "x" * 4_000)


async def test_a_callback_without_a_query_and_with_a_fragment() -> None:
    payee = Payee()
    async with serving(payee) as server:
        payee.params["callback"] = server.url("/pay#frag?x=1")
        await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 5_000)
    assert payee.asked[-1] == "/pay?amount=5000"


@pytest.mark.parametrize(
    ("params", "reason", "says"),
    [
        ({"maxSendable": 99_999}, "out_of_range", "1 to 99.999 sats, not 100"),
        ({"minSendable": 5_000_000, "maxSendable": 5_000_000}, "out_of_range", "5,000 to 5,000 sats"),
        ({"minSendable": 100_001}, "out_of_range", "100.001"),
        ({"minSendable": 10, "maxSendable": 5}, "malformed", "minimum above"),
        ({"tag": "withdrawRequest"}, "malformed", "tag"),
        ({"tag": ...}, "malformed", "tag"),
        ({"callback": ...}, "malformed", "callback"),
        ({"callback": 5}, "malformed", "callback"),
        ({"callback": "x" * 4_001}, "malformed", "callback"),
        ({"minSendable": "1000"}, "malformed", "minSendable"),
        ({"minSendable": True}, "malformed", "minSendable"),
        ({"minSendable": 1.5}, "malformed", "minSendable"),
        ({"maxSendable": -1}, "malformed", "maxSendable"),
        ({"maxSendable": 2**63}, "malformed", "maxSendable"),
        ({"metadata": []}, "malformed", "metadata"),
        ({"status": "ERROR", "reason": "no such\nuser"}, "error", "says: no such user"),
        ({"status": "error"}, "error", "says: error"),
        ({"status": "ERROR", "reason": 5}, "error", "says: error"),
    ],
)
async def test_what_a_server_may_say_instead(params: dict[str, object], reason: str, says: str) -> None:
    payee = Payee()
    payee.params = params
    async with serving(payee) as server:
        with pytest.raises(PayeeRefused, match=says) as refused:
            await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000)
    assert refused.value.reason == reason
    assert len(payee.asked) == 1


@pytest.mark.parametrize(
    ("callback", "says"),
    [
        ({"pr": ...}, "callback answered with something else"),
        ({"pr": ""}, "pr"),
        ({"pr": None}, "pr"),
        ({"pr": "x" * 10_001}, "pr"),
        ({"status": "ERROR", "reason": "amount"}, "callback says: amount"),
    ],
)
async def test_what_a_callback_may_say_instead(callback: dict[str, object], says: str) -> None:
    payee = Payee()
    payee.callback = callback
    async with serving(payee) as server:
        with pytest.raises(PayeeRefused, match=says):
            await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000)


@pytest.mark.parametrize("verify", [None, "", 5, "x" * 4_001, ...])
async def test_a_useless_verify_is_none(verify: object) -> None:
    payee = Payee()
    payee.callback["verify"] = verify
    async with serving(payee) as server:
        found = await fetch_invoice(HTTP, server.url("/.well-known/lnurlp/ana"), 100_000)
    assert found.verify_url is None


@pytest.mark.parametrize(
    "callback",
    [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://0x7f000001/",
        "http://example.com/",
        "file:///etc/passwd",
        "nonsense",
    ],
)
async def test_callbacks_do_not_reach_into_our_network(callback: str) -> None:
    class OneAnswer:
        """The first answer as if it came from a public host; the callback goes the guarded way."""

        allow_private = False

        def __init__(self) -> None:
            self.first = True
            self.guarded = GuardedHttp()

        async def get_json(self, url: str) -> object:
            if not self.first:
                return await self.guarded.get_json(url)
            self.first = False
            return {
                "tag": "payRequest",
                "callback": callback,
                "minSendable": 1,
                "maxSendable": 10**9,
                "metadata": "[]",
            }

    with pytest.raises(FetchFailed, match=r"not public|https|no host|can't be read|can be found"):
        await fetch_invoice(OneAnswer(), "https://payee.example/", 1_000)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"status": "OK", "settled": True, "preimage": PREIMAGE.hex().upper(), "pr": "LNBC1"},
            (True, PREIMAGE.hex(), True),
        ),
        ({"settled": False, "preimage": None, "pr": "lnbc1"}, (False, None, True)),
        ({"settled": True, "preimage": "xyz", "pr": "lnbc2"}, (True, None, False)),
        ({"settled": True, "pr": "lnbc1"}, (True, None, True)),
    ],
)
async def test_verify(body: dict[str, object], expected: tuple[bool, str | None, bool]) -> None:
    async def handler(path: str, headers: dict[str, str], writer: Writer) -> None:
        await answer_json(writer, body)

    async with serving(handler) as server:
        assert await check_verify(HTTP, server.url("/verify/1"), "lnbc1") == VerifyAnswer(*expected)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "ERROR", "reason": "Not found"}, "error"),
        ({"settled": "yes", "pr": "lnbc1"}, "malformed"),
        ({"settled": 1, "pr": "lnbc1"}, "malformed"),
        ({"settled": True}, "malformed"),
        ([], "malformed"),
        (None, "malformed"),
    ],
)
async def test_a_verify_that_says_nothing(body: object, reason: str) -> None:
    async def handler(path: str, headers: dict[str, str], writer: Writer) -> None:
        await answer_json(writer, body)

    async with serving(handler) as server:
        with pytest.raises(PayeeRefused) as refused:
            await check_verify(HTTP, server.url("/verify/1"), "lnbc1")
    assert refused.value.reason == reason
