"""config.toml: defaults, overrides, and everything that can be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.config import Config, zone
from bot.config_file import ConfigError, known_keys, load
from bot.secrets import Source

NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
HEX = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
LEAST = '[identity]\nkey = "file:operator.nsec"\n[nostr]\nrelays = ["wss://relay.example.com"]\n'
SHIPPED = Path(__file__).parents[2] / "config.toml"


def loaded(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path, environ or {})


def errors(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text, environ)
    assert len(dict(refused.value.errors)) == len(refused.value.errors)
    return dict(refused.value.errors)


def test_the_least_that_is_needed_and_every_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST)
    assert config.identity.key == Source("file", "operator.nsec")
    assert config.nostr.relays_for_messages == ("wss://relay.example.com",)
    assert config.directory == tmp_path
    assert config.database_path == tmp_path / "satmachine.db"
    assert config.wallets == {}
    assert (config.policy.max_total_fee_ppm, config.policy.rate_tolerance_ppm) == (150_000, 20_000)
    assert (config.payouts.max_fee_ppm, config.payouts.resend_seconds) == (10_000, (20, 60, 180))
    assert config.http.address is None


def test_the_shipped_file_says_the_defaults(tmp_path: Path) -> None:
    """Its comments are the reference that a sysadmin reads, so it names every key with its default."""
    text = SHIPPED.read_text().replace("npub1…", NPUB)
    shipped, least = loaded(tmp_path, text), loaded(tmp_path, LEAST)
    for section in ("storage", "platform", "policy", "payouts", "fixed_mode", "prices", "alerts", "http", "log"):
        assert getattr(shipped, section) == getattr(least, section), section
    assert shipped.wallets["main"].profile == "auto"
    assert shipped.wallets["main"].own_quarantine_seconds is None
    assert shipped.roles.operators == (HEX,)
    written = set(re.findall(r"^([a-z_]+) =", text, re.MULTILINE))
    assert {key.rpartition(".")[2] for key in known_keys(Config)} == written


def test_values_are_frozen(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST)
    with pytest.raises(ValidationError):
        setattr(config.policy, "stuck_after_minutes", 5)  # noqa: B010 - mypy would refuse the plain way, too


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    text = LEAST + '[wallets.main]\nuri = "file:main.nwc"\n'
    config = loaded(
        tmp_path,
        text,
        {
            "SATMACHINE__PAYOUTS__MAX_ATTEMPTS": "3",
            "SATMACHINE__PAYOUTS__RESEND_SECONDS": "[1, 2]",
            "SATMACHINE__PAYOUTS__ALLOW_PRIVATE_TARGETS": "true",
            "SATMACHINE__POLICY__MAX_TOTAL_FEE": "10%",
            "SATMACHINE__NOSTR__RELAYS": '["wss://other.example/"]',
            "SATMACHINE__WALLETS__MAIN__PROFILE": "lnbits",
            "SATMACHINE__WALLETS__SPARE__URI": "env:SPARE_NWC",
            "SATMACHINE__HTTP__LISTEN": "[::1]:9464",
            "SATMACHINE_OTHER": "not ours",
        },
    )
    assert config.payouts.max_attempts == 3
    assert config.payouts.resend_seconds == (1, 2)
    assert config.payouts.allow_private_targets is True
    assert config.policy.max_total_fee_ppm == 100_000
    assert config.nostr.relays == ("wss://other.example",)
    assert config.wallets["main"].profile == "lnbits"
    assert config.wallets["main"].uri == Source("file", "main.nwc")
    assert config.wallets["spare"].uri == Source("env", "SPARE_NWC")
    assert config.http.address == ("::1", 9464)


@pytest.mark.parametrize(
    ("added", "key", "reason"),
    [
        ("[payouts]\nmax_atempts = 5", "payouts.max_atempts", "did you mean payouts.max_attempts?"),
        ("[polcy]\nx = 1", "polcy", "did you mean [policy]?"),
        ("[policy]\nlisten = ''", "policy.listen", "http.listen"),
        ('[wallets.a]\nuri = "env:A"\nprofil = "auto"', "wallets.a.profil", "wallets.a.profile"),
        ("[payouts]\nmax_fee = 0.01", "payouts.max_fee", "in quotes"),
        ('[payouts]\nmax_fee = "0.0000001"', "payouts.max_fee", "6 digits"),
        ('[payouts]\nmax_fee = "1.1"', "payouts.max_fee", "at most 1"),
        ('[payouts]\nmax_fee = "-0.1"', "payouts.max_fee", "decimal"),
        ('[payouts]\nmax_fee = "nan"', "payouts.max_fee", "decimal"),
        ("[payouts]\nmax_attempts = 2.0", "payouts.max_attempts", "whole number"),
        ("[payouts]\nmax_attempts = true", "payouts.max_attempts", "whole number"),
        ("[payouts]\nmax_attempts = 0", "payouts.max_attempts", "at least 1"),
        ("[payouts]\nresolve_seconds = []", "payouts.resolve_seconds", "empty"),
        ("[payouts]\nresolve_seconds = 5", "payouts.resolve_seconds", "list"),
        ('[payouts]\nnetwork = "main"', "payouts.network", "'mainnet'"),
        ("[payouts]\nallow_private_targets = 7", "payouts.allow_private_targets", "true or false"),
        ('[roles]\noperators = ["npub1zzz"]', "roles.operators.0", "npub"),
        (f'[roles]\noperators = ["{NPUB}", "{HEX}"]', "roles.operators", "twice"),
        ('[wallets.Main]\nuri = "env:A"', "wallets.Main", "lower-case"),
        ("[wallets.a]\n", "wallets.a.uri", "missing"),
        ('[wallets.a]\nuri = "nope"', "wallets.a.uri", "file:PATH"),
        ('[wallets.a]\nuri="env:A"\n[wallets.b]\nuri="env:A"', "wallets.b.uri", "wallets.a"),
        ('[fixed_mode]\ntimes = ["9:00"]', "fixed_mode.times.0", "time of day"),
        ('[fixed_mode]\ntimezone = "Mars/Base"', "fixed_mode.timezone", "time zone"),
        ('[prices]\nsources = ["ftp://x"]', "prices.sources.0", "settlements"),
        ('[http]\nlisten = "9464"', "http.listen", "HOST:PORT"),
        ('[http]\nlisten = "127.0.0.1:99999"', "http.listen", "HOST:PORT"),
        ('[log]\nlevel = "loud"', "log.level", "'debug'"),
        ("log = 5", "nostr.log", "unknown"),
    ],
)
def test_each_mistake_is_told_by_key(tmp_path: Path, added: str, key: str, reason: str) -> None:
    found = errors(tmp_path, LEAST + added)
    assert list(found) == [key]
    assert reason in found[key]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = '[identity]\nname = ""\n[nostr]\nrelays = ["http://x", "wss://ok.example"]\n[log]\nlevl = "info"\n'
    found = errors(tmp_path, text, {"SATMACHINE__NOSTR__DM_RELAYS": "[oops", "SATMACHINE__POLICY__FO": "1"})
    assert set(found) == {
        "identity.key",
        "identity.name",
        "nostr.relays.0",
        "log.levl",
        "nostr.dm_relays",
        "policy.fo",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a\nb = 1", "line 1"),
        ("[log]\nlevel = \n", "line 2"),
        ("[log]\n[log]\n", "line 2"),
        ("x = " + "[" * 9_000, "is no"),
    ],
)
def test_broken_toml_is_told_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    found = errors(tmp_path, text)
    assert list(found) == [""]
    assert reason in found[""]


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="satmachine init"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path, {})
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match="line 2"):
        load(tmp_path / "latin.toml", {})


@pytest.mark.parametrize("variable", ["SATMACHINE__", "SATMACHINE__NOSTR__RELAYS__0", "SATMACHINE__NOSTR__"])
def test_variables_that_name_no_key(tmp_path: Path, variable: str) -> None:
    assert "SECTION__KEY" in errors(tmp_path, LEAST, {variable: "x"})[variable]


def test_secrets_pasted_into_the_file_are_not_shown(tmp_path: Path) -> None:
    secret = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, LEAST.replace("file:operator.nsec", secret))
    assert secret not in str(refused.value)
    assert secret not in repr(refused.value.errors)
    config = loaded(
        tmp_path, LEAST + '[alerts]\nurls = ["ntfys://token@x"]\n[platform]\ntarget = "nostr+walletconnect:x"'
    )
    assert "token" not in repr(config)
    assert "walletconnect" not in repr(config)


def test_utc_needs_no_database_of_zones() -> None:
    assert zone("UTC").utcoffset(None) is not None
