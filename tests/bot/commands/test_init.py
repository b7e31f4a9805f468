"""`init`: makes a configuration that `check` accepts, and never loses or shows a secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bot.commands import template
from bot.config_file import load
from bot.nostr import Keys
from tests.bot.commands.conftest import ROOT, Called, run, write_secret

ANA, BEN = Keys.generate(), Keys.generate()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def test_yes_alone_makes_what_check_accepts(tmp_path: Path) -> None:
    home = tmp_path / "new" / "bot"
    made = await run("init", "--dir", home, "--yes")
    assert made.code == 0
    key = Keys.parse((home / "operator.nsec").read_text())
    assert made.out == f"{key.npub}\n"
    assert key.nsec() not in made.out + made.err
    assert all(step in made.err for step in ("1. ", "2. satmachine check", "3. satmachine run"))
    assert {path.name: mode(path) for path in home.iterdir()} == {"config.toml": 0o600, "operator.nsec": 0o600}
    checked = await run("check", "--config", home / "config.toml")
    assert (checked.code, checked.err) == (0, "")
    config = load(home / "config.toml", {})
    assert config.wallets == {}
    assert len(config.nostr.relays) > 1


async def test_in_the_current_directory_without_a_flag_for_it(tmp_path: Path) -> None:
    assert (await run("init", "--yes", cwd=tmp_path)).code == 0
    assert (await run("check", cwd=tmp_path)).code == 0


async def test_each_flag_says_what_is_written(tmp_path: Path) -> None:
    write_secret(
        tmp_path / "main.nwc", f"nostr+walletconnect://{ANA.public_key}?relay=ws://127.0.0.1:1&secret={'1' * 64}"
    )
    made = await run(
        *("init", "--dir", tmp_path, "--yes", "--generate", "--name", 'Ñandú "ATMs" \\ 1', "--network", "regtest"),
        *("--relay", "wss://One.example/", "--relay", "ws://127.0.0.1:7777"),
        *("--operator", ANA.npub, "--operator", BEN.public_key),
        *("--wallet", "main=file:main.nwc", "--wallet", "north-1=env:NORTH_NWC"),
    )
    assert made.code == 0, made.err
    assert "NORTH_NWC" in made.err
    config = load(tmp_path / "config.toml", {})
    assert config.identity.name == 'Ñandú "ATMs" \\ 1'
    assert config.nostr.relays == ("wss://one.example", "ws://127.0.0.1:7777")
    assert config.roles.operators == (ANA.public_key, BEN.public_key)
    assert {name: str(wallet.uri) for name, wallet in config.wallets.items()} == {
        "main": "file:main.nwc",
        "north-1": "env:NORTH_NWC",
    }
    assert config.payouts.network == "regtest"
    checked = await run("check", "--config", tmp_path / "config.toml")
    assert checked.code == 2
    assert checked.out.splitlines() == [
        f"{tmp_path / 'config.toml'}: wallets.north-1.uri: the environment variable NORTH_NWC is not set"
    ]


async def test_it_asks_for_what_no_flag_says(tmp_path: Path) -> None:
    answers = ["", "Sintra ATMs", "relay.example.com", "wss://relay.example.com", ANA.npub, "file:main.nwc", "signet"]
    made = await run("init", "--dir", tmp_path, typed="\n".join(answers) + "\n")
    assert made.code == 0, made.err
    assert made.out.startswith("npub1")
    assert len(made.out.splitlines()) == 1
    assert "starts with wss://" in made.err
    config = load(tmp_path / "config.toml", {})
    assert (config.identity.name, config.payouts.network) == ("Sintra ATMs", "signet")
    assert config.roles.operators == (ANA.public_key,)
    assert str(config.wallets["main"].uri) == "file:main.nwc"


async def test_an_input_that_ends_changes_nothing(tmp_path: Path) -> None:
    made = await run("init", "--dir", tmp_path, typed="\n")
    assert made.code == 2
    assert "--yes" in made.err
    assert contents(tmp_path) == {}


def test_nothing_is_overwritten(tmp_path: Path, call: Called) -> None:
    for name in ("config.toml", "operator.nsec"):
        write_secret(tmp_path / name, f"# my own {name}\n")
    before = contents(tmp_path)
    again = call("init", "--dir", tmp_path, "--yes")
    assert (again.code, again.out) == (2, "")
    assert "config.toml is there already" in again.err
    assert contents(tmp_path) == before


async def test_only_the_shipped_example_gives_way(tmp_path: Path) -> None:
    shipped = (ROOT / "config.toml").read_bytes()
    (tmp_path / "config.toml").write_bytes(shipped + b"\n")
    assert (await run("init", "--dir", tmp_path, "--yes")).code == 2
    (tmp_path / "config.toml").write_bytes(shipped)
    assert (await run("init", "--dir", tmp_path, "--yes")).code == 0
    assert (tmp_path / "config.toml").read_bytes() != shipped
    assert mode(tmp_path / "config.toml") == 0o600
    assert (await run("check", "--config", tmp_path / "config.toml")).code == 0


async def test_a_key_is_taken_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    given = write_secret(tmp_path / "mine" / "my key", f"  {ANA.nsec()}\n")
    from_file = await run("init", "--dir", tmp_path / "a", "--yes", "--key-file", given)
    assert from_file.out == f"{ANA.npub}\n"
    from_input = await run("init", "--dir", tmp_path / "b", "--yes", "--key-file", "-", typed=f"{BEN.nsec()}\n")
    assert from_input.out == f"{BEN.npub}\n"
    for place, keys in (("a", ANA), ("b", BEN)):
        assert Keys.parse((tmp_path / place / "operator.nsec").read_text()).public_key == keys.public_key
        assert mode(tmp_path / place / "operator.nsec") == 0o600


def test_a_key_that_is_there_is_used_and_never_replaced(tmp_path: Path, call: Called) -> None:
    there = write_secret(tmp_path / "operator.nsec", ANA.nsec())
    other = write_secret(tmp_path / "other.nsec", BEN.nsec())
    before = contents(tmp_path)
    for flags in (["--generate"], ["--key-file", str(other)], ["--generate", "--key-file", str(there)]):
        refused = call("init", "--dir", tmp_path, "--yes", *flags)
        assert (refused.code, refused.out) == (2, ""), flags
        assert contents(tmp_path) == before
    made = call("init", "--dir", tmp_path, "--yes")
    assert made.out == f"{ANA.npub}\n"
    assert there.read_text() == ANA.nsec()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--relay", "https://relay.example.com"], "--relay: a relay address starts with"),
        (["--operator", "npub1nobody"], "--operator: "),
        (["--operator", ANA.nsec()], "--operator: that is a secret key"),
        (["--wallet", "file:main.nwc"], "--wallet: wants NAME=SOURCE"),
        (["--wallet", "Main=file:main.nwc"], "--wallet: wants NAME=SOURCE"),
        (["--wallet", f"main=nostr+walletconnect://x?secret={'1' * 64}"], "--wallet main: the secret itself"),
        (["--wallet", "a=file:x", "--wallet", "b=file:x"], "wallets.b.uri"),
        (["--wallet", "a=file:x", "--wallet", "a=file:y"], "a is there twice"),
        (["--network", "main"], "--network: the network is one of"),
        (["--name", "a\nb"], "--name: a name has"),
        (["--key-file", "nowhere.nsec"], "there is no file"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_is_written(
    tmp_path: Path, call: Called, flags: list[str], said: str
) -> None:
    told = call("init", "--dir", tmp_path / "new", "--yes", *flags)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert "1" * 64 not in told.err
    assert ANA.nsec() not in told.err
    assert not (tmp_path / "new").exists() or contents(tmp_path / "new") == {}


def test_where_the_configuration_can_not_be_written_no_key_is_left(tmp_path: Path, call: Called) -> None:
    (tmp_path / "config.toml").symlink_to(tmp_path / "nowhere")
    told = call("init", "--dir", tmp_path, "--yes")
    assert told.code == 2
    assert names(tmp_path) == ["config.toml"]


def test_more_wallets_have_a_table_each_and_none_are_shown_as_comments() -> None:
    choices = template.Choices("x", ("wss://a.example",), (), (("a", "file:a"), ("b", "env:B")))
    assert template.render(choices).count("\n[wallets.") == 2
    without = template.render(template.Choices("x", ("wss://a.example",), (), ()))
    assert "\n# [wallets.main]\n" in without
    assert "\n[wallets." not in without
