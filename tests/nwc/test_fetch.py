"""Guarded HTTP: nobody is led into our network, nobody keeps us waiting, nobody fills our memory."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nwc import fetch
from nwc.fetch import FetchFailed, GuardedHttp, Resolve, is_public
from tests.nwc.http_server import Writer, always, answer, serving

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "100::1",
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_that_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def resolving(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize("text", PRIVATE)
async def test_no_name_leads_to_an_address_that_is_not_public(text: str) -> None:
    for addresses in ([text], ["1.1.1.1", text], [text, "1.1.1.1"]):
        with pytest.raises(FetchFailed, match=r"evil\.example.*not public"):
            await GuardedHttp(resolve=resolving(*addresses)).get_json("https://evil.example/x")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:7f00:1]", "0"],
)
async def test_odd_ways_to_write_loopback(host: str) -> None:
    """The system's own resolver says what they mean, and that is what is checked."""
    with pytest.raises(FetchFailed, match=r"not public|can be found|can't be read"):
        await GuardedHttp().get_json(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/", "must be reached by https"),
        ("ftp://example.com/", "must be reached by https"),
        ("//example.com/", "must be reached by https"),
        ("https:///path", "no host"),
        ("", "no host"),
        ("https://abc.onion/", "onion"),
        ("https://a:b@example.com/", "user name"),
        ("https://exa mple.com/", "can't be read"),
        ("https://example.com:99999/", "can't be read"),
        ("https://example.com:0/", "can't be read"),
        ("https://exa%00mple.com/", "can't be read"),
        ("https://\u2028/", "can't be read"),
        ("https://example.com/" + "a" * 4_000, "too long"),
    ],
)
async def test_addresses_that_will_never_do(url: str, says: str) -> None:
    with pytest.raises(FetchFailed, match=says) as failed:
        await GuardedHttp(resolve=resolving("1.1.1.1")).get_json(url)
    assert failed.value.permanent


async def test_names_without_an_address() -> None:
    async def broken(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(FetchFailed, match=r"nowhere\.example has no address") as failed:
        await GuardedHttp(resolve=broken).get_json("https://nowhere.example/")
    assert not failed.value.permanent
    with pytest.raises(FetchFailed, match="has no address"):
        await GuardedHttp(resolve=resolving()).get_json("https://nowhere.example/")
    with pytest.raises(FetchFailed, match="has no address"):
        await GuardedHttp(resolve=resolving("not an address")).get_json("https://nowhere.example/")
    with pytest.raises(FetchFailed, match="not public"):
        await GuardedHttp(resolve=resolving("fe80::1%eth0")).get_json("https://nowhere.example/")


async def test_json_is_fetched_as_it_is() -> None:
    async with serving(always(b'{"a": 1}')) as server:
        assert await GuardedHttp(allow_private=True).get_json(server.url("/x?y=%20z&q")) == {"a": 1}
        assert server.paths == ["/x?y=%20z&q"]
        assert server.headers[0]["host"] == f"127.0.0.1:{server.port}"
        assert server.headers[0]["accept-encoding"] == "identity"


async def test_the_status_has_no_meaning() -> None:
    async with serving(always(b'{"status": "ERROR"}', "404 Not Found")) as server:
        assert await GuardedHttp(allow_private=True).get_json(server.url()) == {"status": "ERROR"}


async def test_the_name_is_asked_once_and_the_checked_address_is_used() -> None:
    """DNS that changes between check and connect: there is no second question."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with serving(always(b"1")) as server:
        http = GuardedHttp(allow_private=True, resolve=resolve)
        assert await http.get_json(server.url(host="Rebind.Example.")) == 1
    assert asked == ["rebind.example"]
    assert server.headers[0]["host"] == f"rebind.example:{server.port}"


async def test_another_address_of_the_host_is_tried() -> None:
    async with serving(always(b"1")) as server:
        http = GuardedHttp(allow_private=True, resolve=resolving("127.0.0.9", "127.0.0.1"))
        assert await http.get_json(server.url(host="two.example")) == 1


async def test_a_host_that_is_down() -> None:
    async with serving(always(b"1")) as server:
        pass
    with pytest.raises(FetchFailed, match=r"down\.example can't be reached") as failed:
        await GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1")).get_json(server.url(host="down.example"))
    assert not failed.value.permanent


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed(status: str) -> None:
    async with (
        serving(always(b'{"reached": true}')) as inner,
        serving(always(b"{}", status, f"Location: {inner.url()}\r\n")) as server,
    ):
        with pytest.raises(FetchFailed, match="redirects"):
            await GuardedHttp(allow_private=True).get_json(server.url())
        assert inner.paths == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[NaN]", b"[" * 200_000, b'{"a":1,"a":2}', b"\xff\xfe", b"1 2"])
async def test_what_is_no_json(body: bytes) -> None:
    async with serving(always(body, "502 Bad Gateway")) as server:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 answered .* no JSON \(HTTP 502\)"):
            await GuardedHttp(allow_private=True).get_json(server.url("/secret/path"))


async def test_a_byte_a_second_ends() -> None:
    async def trickle(path: str, headers: dict[str, str], writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(trickle) as server:
        started = time.monotonic()
        with pytest.raises(FetchFailed, match=r"took longer than 0\.3 s"):
            await GuardedHttp(allow_private=True, max_seconds=0.3).get_json(server.url())
        assert time.monotonic() - started < 5


async def test_slow_headers_and_slow_names_end_as_well() -> None:
    async def silent(path: str, headers: dict[str, str], writer: Writer) -> None:
        await asyncio.sleep(60)

    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with serving(silent) as server:
        with pytest.raises(FetchFailed, match=r"took longer|broke off"):
            await GuardedHttp(allow_private=True, max_seconds=0.2).get_json(server.url())
    with pytest.raises(FetchFailed, match="took longer"):
        await GuardedHttp(resolve=slow, max_seconds=0.2).get_json("https://slow.example/")


async def test_a_body_without_an_end_is_cut_off() -> None:
    async def flood(path: str, headers: dict[str, str], writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    async with serving(flood) as server:
        with pytest.raises(FetchFailed, match="more than 262144 bytes"):
            await GuardedHttp(allow_private=True).get_json(server.url())


async def test_the_limit_itself_is_allowed() -> None:
    async with serving(always(b" " * 9 + b"1")) as server:
        assert await GuardedHttp(allow_private=True, max_bytes=10).get_json(server.url()) == 1
    async with serving(always(b" " * 10 + b"1")) as server:
        with pytest.raises(FetchFailed, match="more than 10 bytes"):
            await GuardedHttp(allow_private=True, max_bytes=10).get_json(server.url())


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_a_gzip_bomb_stays_packed(encoding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    async with serving(always(bomb, headers=f"Content-Encoding: {encoding}\r\n")) as server:
        with pytest.raises(FetchFailed, match="compressed"):
            await GuardedHttp(allow_private=True).get_json(server.url())


async def test_a_plain_encoding_may_be_named() -> None:
    async with serving(always(b"1", headers="Content-Encoding: identity\r\n")) as server:
        assert await GuardedHttp(allow_private=True).get_json(server.url()) == 1


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"])
async def test_a_server_that_breaks_off(said: bytes) -> None:
    async def broken(path: str, headers: dict[str, str], writer: Writer) -> None:
        writer.write(said)
        await writer.drain()

    async with serving(broken) as server:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 broke off"):
            await GuardedHttp(allow_private=True).get_json(server.url())


@contextlib.asynccontextmanager
async def patient() -> AsyncIterator[tuple[int, list[int]]]:
    """A server that leaves its connections open: its port, and for each connection how much was asked on it."""
    asked: list[int] = []
    served: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        served.add(asyncio.current_task())
        number = len(asked)
        asked.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                asked[number] += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], asked
        await asyncio.gather(*filter(None, served))  # whoever asked has hung up


async def test_an_open_one_uses_a_connection_again_and_for_the_same_host_alone() -> None:
    async with patient() as (port, asked):
        http = GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1"))
        async with http:
            for host in ("one.example", "one.example", "two.example", "one.example"):
                assert await http.get_json(f"http://{host}:{port}/") == 1
            assert asked == [3, 1]
        for _ in range(2):
            assert await http.get_json(f"http://one.example:{port}/") == 1
        assert asked == [3, 1, 1, 1], "closed, it keeps none"


async def test_of_many_hosts_the_longest_unused_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_KEPT", 2)
    async with patient() as (port, asked):
        async with GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1")) as http:
            for host in ("a", "b", "a", "c", "a", "b"):
                await http.get_json(f"http://{host}.example:{port}/")
        assert asked == [3, 1, 1, 1], "b was let go for c, and came again"


async def test_what_is_in_use_is_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_KEPT", 0)
    all_there = asyncio.Barrier(2)

    async def together(path: str, headers: dict[str, str], writer: Writer) -> None:
        await all_there.wait()
        await answer(writer, b"1")

    async with serving(together) as server, GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1")) as http:
        urls = [server.url(host="a.example")] * 2
        assert await asyncio.gather(*map(http.get_json, urls)) == [1, 1]


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's side of TLS for one name that only this test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=cert.public_bytes(serialization.Encoding.PEM).decode())


async def test_tls_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path, "pay.example")
    async with serving(always(b"1"), tls=server_side) as server:
        http = GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1"), tls=client_side)
        assert await http.get_json(server.url(host="pay.example", scheme="https")) == 1
        with pytest.raises(FetchFailed, match=r"other\.example can't be reached"):
            await http.get_json(server.url(host="other.example", scheme="https"))
        untrusting = GuardedHttp(allow_private=True, resolve=resolving("127.0.0.1"))
        with pytest.raises(FetchFailed, match="can't be reached"):
            await untrusting.get_json(server.url(host="pay.example", scheme="https"))


async def test_host_headers_name_unusual_ports_and_bracket_ipv6() -> None:
    http = GuardedHttp(resolve=resolving("1.1.1.1"))
    assert http._place("https://a.example/").host_header == "a.example"
    assert http._place("https://a.example:444/").host_header == "a.example:444"
    assert http._place("https://[2606::1]/").host_header == "[2606::1]"


async def test_nothing_of_the_path_is_told() -> None:
    async def hang_up(path: str, headers: dict[str, str], writer: Writer) -> None:
        await answer(writer, b"no")

    async with serving(hang_up) as server:
        with pytest.raises(FetchFailed) as failed:
            await GuardedHttp(allow_private=True).get_json(server.url("/secret?token=1"))
    assert "secret" not in str(failed.value)
