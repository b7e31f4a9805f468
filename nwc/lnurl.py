"""LNURL-pay: from an address or a link to an invoice (LUD-01, 06, 12, 16, 17, 21).

Asking for an invoice is the one dangerous thing here: each call may give another payment hash. Who calls decides.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ledger.errors import BadText, Said, Worded, said
from nwc import bech32
from nwc.evidence import VerifyAnswer
from nwc.foreign import plain

MAX_CHARS = 4_000
_USER = re.compile(r"[a-z0-9\-_.+]{1,64}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_PRIVATE_HOST = re.compile(
    r"localhost|.*\.localhost|127\.\d+\.\d+\.\d+|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+"
    r"|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+|169\.254\.\d+\.\d+|[^.]+"
)
_OTHER_TAG = re.compile(r"(?:^|&)tag=(?:login|withdrawRequest|channelRequest)(?:&|$)")
_HEX_64 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_MSAT = 2**63 - 1

_Model = TypeVar("_Model", bound=BaseModel)


class BadLnurl(BadText):
    """The text is no Lightning address and no LNURL that can be paid. The message names what is wrong."""


class PayeeRefused(Worded):
    """The payee's server answered, and not with an invoice. `reason`: out_of_range, error, malformed."""

    def __init__(
        self, reason: Literal["out_of_range", "error", "malformed"], template: str, /, **values: object
    ) -> None:
        super().__init__(template, **values)
        self.reason = reason


class JsonSource(Protocol):
    """Where JSON comes from: `nwc.fetch.GuardedHttp`."""

    @property
    def allow_private(self) -> bool: ...

    async def get_json(self, url: str) -> object:
        """Raises FetchFailed."""
        ...


@dataclass(frozen=True, slots=True)
class LnurlInvoice:
    """What the callback gave, unchecked. `description_hash` is what the invoice should carry by the old LUD-06."""

    invoice: str
    verify_url: str | None
    description_hash: str


def _comment_length(value: object) -> object:
    """A field that only some services fill, and not all of them well: anything odd means no comments."""
    return value if type(value) is int and value >= 0 else 0


class _PayParams(BaseModel):
    """LUD-06, the first answer. Amounts in msat."""

    model_config = ConfigDict(strict=True, extra="ignore")

    tag: Literal["payRequest"]
    callback: str = Field(max_length=MAX_CHARS)
    min_msat: int = Field(alias="minSendable", ge=0, le=_MAX_MSAT)
    max_msat: int = Field(alias="maxSendable", ge=1, le=_MAX_MSAT)
    metadata: str = ""
    comment_chars: Annotated[int, BeforeValidator(_comment_length)] = Field(alias="commentAllowed", default=0)


class _PayAnswer(BaseModel):
    """LUD-06, the second answer, with LUD-21's `verify`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    pr: str = Field(min_length=1, max_length=10_000)
    verify: object = None


class _Verified(BaseModel):
    """LUD-21."""

    model_config = ConfigDict(strict=True, extra="ignore")

    settled: bool
    pr: str
    preimage: object = None


def parse_address(text: str, *, allow_private: bool = False) -> str:
    """A Lightning address (LUD-16) in its canonical form, lower case. Raises BadLnurl.

    Phones like to write the first letter large; the standard knows small ones alone, so nothing is lost. A port, a
    host without a dot and an IP address only with `allow_private`.
    """
    user, at, host = text.strip().lower().partition("@")
    if not at or "@" in host or not _USER.fullmatch(user):
        raise BadLnurl("a Lightning address looks like ana@example.com: a-z 0-9 - _ . + and one @")
    return f"{user}@{_checked_host(host, allow_private)}"


def _checked_host(host: str, allow_private: bool) -> str:
    name, colon, port = host.partition(":")
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise BadLnurl("{host} is no host name (names with other letters are written as xn--…)", host=plain(host, 60))
    if name.endswith(".onion"):
        raise BadLnurl("onion addresses are not supported: ask for an address on the open web")
    if allow_private:
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
            raise BadLnurl("{host} has no valid port", host=plain(host, 60))
        return host
    if colon:
        raise BadLnurl("a Lightning address has no port")
    if "." not in name or name.rpartition(".")[2].isdigit():
        raise BadLnurl("{host} is no public host name, like example.com", host=plain(host, 60))
    return host


def address_url(address: str) -> str:
    """Where a canonical Lightning address is asked (LUD-16). http only for hosts that are private by their name."""
    user, _, host = address.partition("@")
    return f"{_scheme(host)}://{host}/.well-known/lnurlp/{quote(user, safe='+')}"


def _scheme(host: str) -> str:
    return "http" if _PRIVATE_HOST.fullmatch(host.partition(":")[0]) else "https"


def parse_lnurl(text: str, *, allow_private: bool = False) -> str:
    """An LNURL in its canonical form: `lnurl1…` (LUD-01) in lower case or `lnurlp://…` (LUD-17). Raises BadLnurl."""
    bare = text.strip()
    scheme, colon, rest = bare.partition(":")
    if colon and scheme.lower() == "lightning":
        bare = rest.removeprefix("//")
    canonical = bare.lower() if bare.lower().startswith("lnurl1") else "lnurlp://" + _after_scheme(bare)
    _checked_url(lnurl_url(bare), allow_private)
    return canonical


def _after_scheme(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() != "lnurlp":
        raise BadLnurl("an LNURL starts with lnurl1 or lnurlp://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    return host.lower() + rest[len(host) :]


def lnurl_url(lnurl: str) -> str:
    """The URL behind an LNURL. Raises BadLnurl."""
    if lnurl.lower().startswith("lnurl1"):
        try:
            prefix, groups = bech32.decode(lnurl, MAX_CHARS)
            url = bech32.to_bytes(groups).decode("utf-8")
        except bech32.BadBech32 as wrong:
            raise BadLnurl("the LNURL can't be read: {why}", why=wrong.said) from None
        except UnicodeDecodeError:
            raise BadLnurl("the LNURL can't be read") from None
        if prefix != "lnurl":
            raise BadLnurl("the LNURL can't be read")
        return url
    rest = _after_scheme(lnurl)
    return f"{_scheme(re.split('[/?#]', rest, maxsplit=1)[0])}://{rest}"


def _checked_url(url: str, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.netloc.lower()
    except ValueError:
        raise BadLnurl("the LNURL holds no address that can be read") from None
    if len(url) > MAX_CHARS or any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise BadLnurl("the LNURL holds no address that can be read")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        raise BadLnurl("the LNURL must hold an https address")
    if "@" in host:
        raise BadLnurl("the LNURL holds a user name")
    if allow_private or ":" not in host:
        _checked_host(host, allow_private)
    else:
        _checked_host(host.rpartition(":")[0], allow_private)
    if _OTHER_TAG.search(parts.query):
        raise BadLnurl("this LNURL is not for paying: an LNURL-pay link or a Lightning address is needed")


async def fetch_invoice(http: JsonSource, url: str, amount_msat: int, comment: str = "") -> LnurlInvoice:
    """Asks the payee at `url` for an invoice of `amount_msat` (LUD-06). Raises FetchFailed, PayeeRefused.

    The comment is sent where it is allowed (LUD-12), cut to the length allowed. The invoice comes back unchecked.
    """
    params = _read(_PayParams, await http.get_json(url), said("the payee's server"))
    if params.min_msat > params.max_msat:
        raise PayeeRefused("malformed", "the payee's server names a minimum above its maximum")
    if not params.min_msat <= amount_msat <= params.max_msat:
        raise PayeeRefused(
            "out_of_range",
            "the payee takes {least} to {most} sats, not {sats}",
            least=_sats(params.min_msat),
            most=_sats(params.max_msat),
            sats=_sats(amount_msat),
        )
    answer = _read(
        _PayAnswer, await http.get_json(_callback(params, amount_msat, comment)), said("the payee's callback")
    )
    verify = answer.verify
    return LnurlInvoice(
        invoice=answer.pr,
        verify_url=verify if isinstance(verify, str) and 0 < len(verify) <= MAX_CHARS else None,
        description_hash=hashlib.sha256(params.metadata.encode("utf-8")).hexdigest(),
    )


def _sats(amount_msat: int) -> str:
    """For people: whole sats with separators, the rest behind the point."""
    whole, rest = divmod(amount_msat, 1000)
    return f"{whole:,}" + (f".{rest:03d}" if rest else "")


def _callback(params: _PayParams, amount_msat: int, comment: str) -> str:
    """The callback with our parameters behind its own, which are kept as they are."""
    base = params.callback.partition("#")[0]
    joint = "&" if "?" in base else "?"
    note = comment[: params.comment_chars]
    return f"{base}{joint}amount={amount_msat}" + (f"&comment={quote(note, safe='')}" if note else "")


async def check_verify(http: JsonSource, url: str, invoice: str) -> VerifyAnswer:
    """Asks the payee whether `invoice` was paid (LUD-21). Raises FetchFailed, PayeeRefused."""
    found = _read(_Verified, await http.get_json(url), said("the payee's server"))
    preimage = found.preimage
    return VerifyAnswer(
        settled=found.settled,
        preimage=preimage.lower() if isinstance(preimage, str) and _HEX_64.fullmatch(preimage) else None,
        ours=found.pr.lower() == invoice.lower(),
    )


def _read(model: type[_Model], raw: object, who: Said) -> _Model:
    if isinstance(raw, dict) and str(raw.get("status", "")).upper() == "ERROR":
        reason = raw.get("reason")
        raise PayeeRefused(
            "error", "{who} says: {words}", who=who, words=plain(reason) if isinstance(reason, str) else "error"
        )
    try:
        return model.model_validate(raw)
    except ValidationError as wrong:
        field = ".".join(str(part) for part in wrong.errors()[0]["loc"]) or "the whole answer"
        raise PayeeRefused("malformed", "{who} answered with something else ({field})", who=who, field=field) from None
