"""Where a leg is paid: text that people write, in one canonical form, and an invoice from there.

A target is a Lightning address, an LNURL, a BOLT11 invoice, an npub whose profile has `lud16`, or a wallet connection
that makes invoices. `parse_target(str(target.value))` gives the same target again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ledger.errors import BadText, Said, Worded, said
from nwc import bolt11, lnurl
from nwc.fetch import FetchFailed
from nwc.keys import BadPublicKey, npub_of, parse_public_key
from nwc.lnurl import JsonSource, PayeeRefused
from nwc.trouble import WalletError, WalletTrouble
from nwc.uri import BadWalletUri, WalletUri, parse_wallet_uri

Kind = Literal["lightning_address", "lnurl", "bolt11", "npub", "nwc"]
_MAX_CHARS = 8_000
_MAY_NOT = frozenset({"RESTRICTED", "UNAUTHORIZED", "NOT_IMPLEMENTED"})
FORMS = said(
    "a Lightning address (ana@example.com), an LNURL, a Lightning invoice, an npub or a wallet connection (NWC)"
)


class BadTarget(BadText):
    """The text is no target. The message says what is wrong and what would do; it never quotes a secret."""


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """`value` is the canonical text; for `nwc` it holds a secret, so people see `shown`."""

    kind: Kind
    value: str

    @property
    def shown(self) -> str:
        """What people and logs may see."""
        if self.kind == "nwc":
            return parse_wallet_uri(self.value).shown
        return self.value if len(self.value) <= 100 else f"{self.value[:24]}…{self.value[-8:]}"

    @property
    def is_secret(self) -> bool:
        return self.kind == "nwc"

    def __repr__(self) -> str:
        return f"Target({self.kind}, {self.shown})"


def parse_target(text: str, *, allow_private: bool = False) -> Target:
    """Reads what a person wrote. Raises BadTarget. `allow_private` lets hosts have ports and be private (tests)."""
    bare = text.strip()
    if not bare:
        raise BadTarget("a target is missing: {forms}", forms=FORMS)
    if len(bare) > _MAX_CHARS:
        raise BadTarget("this is too long for a target: {forms}", forms=FORMS)
    lower = bare.lower()
    try:
        if lower.startswith(("nostr+walletconnect:", "nostrwalletconnect:")):
            return Target("nwc", parse_wallet_uri(bare).text)
        if lower.startswith(("npub1", "nostr:npub1", "nsec1", "nostr:nsec1", "ncryptsec1")):
            return Target("npub", npub_of(parse_public_key(lower if bare.isupper() else bare)))
        link = _without_lightning(bare)
        if link.lower().startswith(("lnurl1", "lnurlp:")):
            return Target("lnurl", lnurl.parse_lnurl(link, allow_private=allow_private))
        if "@" in link:
            return Target("lightning_address", lnurl.parse_address(link, allow_private=allow_private))
        if link.lower().startswith("ln"):
            return Target("bolt11", bolt11.decode(link).text)
    except (BadWalletUri, BadPublicKey, lnurl.BadLnurl, bolt11.BadInvoice) as wrong:
        raise BadTarget(wrong.said) from None
    raise BadTarget("this is no target: {forms}", forms=FORMS)


def _without_lightning(text: str) -> str:
    scheme, colon, rest = text.partition(":")
    return rest.removeprefix("//") if colon and scheme.lower() == "lightning" else text


class TargetFailed(Worded):
    """No invoice from this target now. `permanent`: trying again is of no use. `reason` says more to programs."""

    code = "target_error"

    def __init__(
        self,
        template: str | Said,
        /,
        *,
        permanent: bool = False,
        reason: Literal["unreachable", "out_of_range", "error", "malformed", "no_address", "amount"] = "unreachable",
        **values: object,
    ) -> None:
        super().__init__(template, **values)
        self.permanent = permanent
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FetchedInvoice:
    """An invoice as the payee gave it, unchecked. The other two only where an LNURL server gave it."""

    invoice_text: str
    verify_url: str | None = None
    description_hash: str | None = None


class Profiles(Protocol):
    """Nostr profiles (kind 0)."""

    async def lud16(self, pubkey: str) -> str | None:
        """The `lud16` of the newest profile of this key (hex), as it stands there; None without one. Bounded."""
        ...


class InvoiceMaker(Protocol):
    """Wallet connections of payees."""

    async def make_invoice(self, uri: WalletUri, amount_msat: int, description: str) -> str:
        """The text of an invoice that this wallet made. Raises WalletTrouble; bounded in time."""
        ...


class Targets:
    """Gets invoices from targets. Each call may bring an invoice with another payment hash: the caller guards that."""

    def __init__(self, http: JsonSource, profiles: Profiles, wallets: InvoiceMaker) -> None:
        self._http = http
        self._profiles = profiles
        self._wallets = wallets

    async def fetch_invoice(self, target: Target, amount_msat: int, comment: str = "") -> FetchedInvoice:
        """An invoice of `amount_msat`, unchecked but for a fixed invoice's amount. Raises TargetFailed."""
        match target.kind:
            case "lightning_address":
                return await self._from_url(lnurl.address_url(target.value), amount_msat, comment)
            case "lnurl":
                return await self._from_url(lnurl.lnurl_url(target.value), amount_msat, comment)
            case "npub":
                return await self._from_profile(target.value, amount_msat, comment)
            case "nwc":
                return await self._from_wallet(parse_wallet_uri(target.value), amount_msat, comment)
        return _fixed(target.value, amount_msat)

    async def _from_url(self, url: str, amount_msat: int, comment: str) -> FetchedInvoice:
        try:
            found = await lnurl.fetch_invoice(self._http, url, amount_msat, comment)
        except FetchFailed as failed:
            raise TargetFailed(failed.said, permanent=failed.permanent) from None
        except PayeeRefused as refused:
            permanent = refused.reason == "out_of_range"
            raise TargetFailed(refused.said, permanent=permanent, reason=refused.reason) from None
        return FetchedInvoice(found.invoice, found.verify_url, found.description_hash)

    async def _from_profile(self, npub: str, amount_msat: int, comment: str) -> FetchedInvoice:
        """The profile may get an address later, so none of this is permanent."""
        found = await self._profiles.lud16(parse_public_key(npub))
        if not found:
            raise TargetFailed("the profile of {npub} has no Lightning address (lud16)", reason="no_address", npub=npub)
        try:
            address = lnurl.parse_address(found, allow_private=self._http.allow_private)
        except lnurl.BadLnurl as wrong:
            raise TargetFailed(
                "the lud16 in the profile of {npub}: {why}", reason="no_address", npub=npub, why=wrong.said
            ) from None
        return await self._from_url(lnurl.address_url(address), amount_msat, comment)

    async def _from_wallet(self, uri: WalletUri, amount_msat: int, comment: str) -> FetchedInvoice:
        try:
            return FetchedInvoice(await self._wallets.make_invoice(uri, amount_msat, comment))
        except WalletError as refused:
            raise TargetFailed(
                "{wallet} makes no invoice: {why}",
                permanent=refused.code in _MAY_NOT,
                reason="error",
                wallet=uri.shown,
                why=refused,
            ) from None
        except WalletTrouble as trouble:
            raise TargetFailed("{wallet} makes no invoice: {why}", wallet=uri.shown, why=trouble) from None


def _fixed(text: str, amount_msat: int) -> FetchedInvoice:
    asked = bolt11.decode(text).amount_msat
    if asked != amount_msat:
        named = said("no amount") if asked is None else f"{asked} msat"
        raise TargetFailed(
            "the invoice names {named}, due are {due} msat",
            permanent=True,
            reason="amount",
            named=named,
            due=amount_msat,
        )
    return FetchedInvoice(text)
