"""The configuration: `config.toml` and the environment over it, checked as a whole, as frozen values with units.

Every error is found at once and told by key. `Config` is what the daemon is run with; how the file is read, and what
is said about its mistakes, is in `bot.config_file`.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from bot.query import relay_url
from bot.secrets import Source
from ledger.errors import Refusal
from ledger.money import MAX_SATS, parse_fraction
from nwc.keys import parse_public_key

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_TEN_YEARS_SECONDS = 315_360_000


def _integer(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)  # the environment has text only
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _fraction(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('must be a fraction in quotes, such as "0.03"')
    try:
        return parse_fraction(value, "it")
    except Refusal as refusal:
        raise ValueError(str(refusal)) from None


def _public_key(text: str) -> str:
    return parse_public_key(text)


def _source(value: object) -> object:
    if isinstance(value, Source):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text: file:PATH, env:NAME or credential:NAME")
    return Source.parse(value)


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError("a name has 1 to 32 lower-case letters, digits, - and _")
    return text


def _time_of_day(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError('must be a time of day such as "09:00"')
    return text


def _time_of_day_or_none(text: str) -> str:
    return text and _time_of_day(text)


def zone(name: str) -> tzinfo:
    """The time zone of this name; UTC needs no database of zones. Raises KeyError, OSError or ValueError."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _zone(text: str) -> str:
    try:
        zone(text)
    except (KeyError, OSError, ValueError):
        raise ValueError('unknown time zone: it is written like "Europe/Lisbon" or "UTC"') from None
    return text


def _price_source(text: str) -> str:
    if text != "settlements" and not re.fullmatch(r"https?://[^\s/]+\S*", text):
        raise ValueError('must be "settlements" or an http(s):// address')
    return text


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if text and not (colon and host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65_535):
        raise ValueError('must be "HOST:PORT", such as "127.0.0.1:9464", or empty')
    return text


def _not_repeated(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) != len(values):
        raise ValueError("has the same entry twice")
    return values


Seconds = Annotated[int, BeforeValidator(_integer), Field(ge=1, le=_TEN_YEARS_SECONDS)]
Minutes = Annotated[int, BeforeValidator(_integer), Field(ge=1, le=5_256_000)]
Sats = Annotated[int, BeforeValidator(_integer), Field(ge=0, le=MAX_SATS)]
Count = Annotated[int, BeforeValidator(_integer), Field(ge=1, le=1_000)]
Notes = Annotated[int, BeforeValidator(_integer), Field(ge=0, le=1_000_000)]
Megabytes = Annotated[int, BeforeValidator(_integer), Field(ge=0, le=1_000_000_000)]
Hours = Annotated[int, BeforeValidator(_integer), Field(ge=0, le=87_600)]
Quarantine = Annotated[int, BeforeValidator(_integer), Field(ge=-1, le=_TEN_YEARS_SECONDS)]
FractionPpm = Annotated[int, BeforeValidator(_fraction)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
PublicKeys = Annotated[tuple[PublicKey, ...], AfterValidator(_not_repeated)]
RelayUrl = Annotated[str, AfterValidator(relay_url)]
RelayUrls = Annotated[tuple[RelayUrl, ...], AfterValidator(_not_repeated)]
SecretSource = Annotated[Source, BeforeValidator(_source)]
WalletName = Annotated[str, AfterValidator(_slug)]
Pauses = Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=20)]


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


class Identity(Section):
    key: SecretSource
    name: str = Field("satmachine", min_length=1, max_length=100)


class Nostr(Section):
    relays: RelayUrls = Field(min_length=1, max_length=20)
    dm_relays: RelayUrls = Field((), max_length=20)
    publish_profile: bool = True
    public_machines: bool = False

    @property
    def relays_for_messages(self) -> tuple[str, ...]:
        """Where we ask for direct messages."""
        return self.dm_relays or self.relays

    @property
    def all_relays(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.relays + self.dm_relays))


class Roles(Section):
    """Public keys in hex."""

    operators: PublicKeys = ()
    platform: PublicKeys = ()


class Storage(Section):
    path: str = Field("satmachine.db", min_length=1)


class Wallet(Section):
    uri: SecretSource
    profile: Literal["auto", "lnbits", "alby-lnd", "alby-ldk", "unknown"] = "auto"
    quarantine_seconds: Quarantine = -1

    @property
    def own_quarantine_seconds(self) -> int | None:
        """None: what the profile says."""
        return None if self.quarantine_seconds < 0 else self.quarantine_seconds


class Platform(Section):
    """Where a new database starts."""

    cash_in_fee_ppm: FractionPpm = Field(0, alias="cash_in_fee")
    cash_out_fee_ppm: FractionPpm = Field(0, alias="cash_out_fee")
    target: str = Field("", max_length=2_000, repr=False)


class Policy(Section):
    proof_of_payment: Literal["required", "when_supported"] = "required"
    fee_mismatch: Literal["record", "reject"] = "record"
    max_total_fee_ppm: FractionPpm = Field(150_000, alias="max_total_fee")
    rate_tolerance_ppm: FractionPpm = Field(20_000, alias="rate_tolerance")
    stuck_after_minutes: Minutes = 30
    unmatched_after_seconds: Seconds = 600
    order_max_age_minutes: Minutes = 15
    target_cooldown_hours: Hours = 24
    deaf_after_seconds: Seconds = 120
    reconcile_hours: Hours = 24


class Payouts(Section):
    max_in_flight_per_wallet: Count = 8
    max_attempts: Count = 5
    network: Literal["mainnet", "testnet", "signet", "regtest"] = "mainnet"
    request_timeout_seconds: Seconds = 30
    request_life_seconds: Seconds = 600
    request_margin_seconds: Seconds = 60
    resend_seconds: Pauses = (20, 60, 180)
    resolve_seconds: Pauses = (2, 5, 15, 60, 300)
    invoice_min_left_seconds: Seconds = 180
    release_margin_seconds: Seconds = 600
    release_gap_seconds: Seconds = 60
    auto_release_max_sats: Sats = 50_000
    max_leg_sats: Sats = 10_000_000
    max_hour_sats: Sats = 0
    max_day_sats: Sats = 0
    max_in_flight_sats: Sats = 0
    max_fee_ppm: FractionPpm = Field(10_000, alias="max_fee")
    allow_private_targets: bool = False


class FixedMode(Section):
    times: tuple[Annotated[str, AfterValidator(_time_of_day)], ...] = Field((), max_length=96)
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @property
    def zone(self) -> tzinfo:
        return zone(self.timezone)


class Prices(Section):
    sources: tuple[Annotated[str, AfterValidator(_price_source)], ...] = Field(("settlements",), min_length=1)
    max_age_minutes: Minutes = 60


class Alerts(Section):
    urls: tuple[Annotated[str, Field(min_length=1, max_length=2_000)], ...] = Field((), max_length=20, repr=False)
    """Such addresses have passwords in them."""
    language: Literal["en", "es"] = "en"
    machine_silent_minutes: Minutes = 90
    cash_low_notes: Notes = 50
    wallet_low_sats: Sats = 100_000
    wallet_unreachable_minutes: Minutes = 15
    unresolved_minutes: Minutes = 15
    deposit_pending_hours: Hours = 48
    relay_down_minutes: Minutes = 10
    disk_low_mb: Megabytes = 500
    digest_at: Annotated[str, AfterValidator(_time_of_day_or_none)] = "08:00"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @property
    def zone(self) -> tzinfo:
        return zone(self.timezone)


class Http(Section):
    listen: Annotated[str, AfterValidator(_listen)] = ""

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None: no port is opened."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if self.listen else None


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Config(Section):
    """The whole configuration. Made by `bot.config_file.load`; relative paths are relative to `directory`."""

    identity: Identity
    nostr: Nostr
    roles: Roles = Roles()
    storage: Storage = Storage()
    wallets: dict[WalletName, Wallet] = Field(default_factory=dict, max_length=100)
    platform: Platform = Platform()
    policy: Policy = Policy()
    payouts: Payouts = Payouts()
    fixed_mode: FixedMode = FixedMode()
    prices: Prices = Prices()
    alerts: Alerts = Alerts()
    http: Http = Http()
    log: Log = Log()
    _directory: Path = PrivateAttr(default=Path())

    @property
    def directory(self) -> Path:
        """Where the file is."""
        return self._directory

    @property
    def database_path(self) -> Path:
        return self._directory / Path(self.storage.path).expanduser()

    @model_validator(mode="after")
    def _one_source_for_each_wallet(self) -> Config:
        names: dict[Source, str] = {}
        for name, wallet in self.wallets.items():
            other = names.setdefault(wallet.uri, name)
            if other != name:
                raise ValueError(f"wallets.{name}.uri: is the wallet connection of wallets.{other}, too")
        return self
