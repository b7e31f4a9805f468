"""`check`: everything that is wrong at once, and nothing is changed by looking."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.nostr import Keys
from storage.db import Database
from tests.bot.commands.conftest import Called, Place, run, write_secret

WALLET = Keys.generate().public_key


def uri(secret: str) -> str:
    return f"nostr+walletconnect://{WALLET}?relay=wss://relay.example.com&secret={secret * 64}"


async def test_all_that_is_wrong_is_told_at_once(place: Place) -> None:
    place.write(
        "wss://relay.example.com",
        more='[payouts]\nmax_atempts = 5\n[wallets.a]\nuri = "file:a.nwc"\n'
        '[wallets.b]\nuri = "env:B"\nprofile = "best"\n',
    )
    write_secret(place.directory / "operator.nsec", place.bot.npub).chmod(0o644)
    told = await run("check", "--config", place.config, B=uri("1"))
    assert told.code == 2
    assert "secret_file_exposed" in told.err  # a warning, and not among the answers
    lines = told.out.splitlines()
    assert all(line.startswith(f"{place.config}: ") for line in lines), told.out
    keys = {line.split(": ")[1] for line in lines}
    assert keys == {"payouts.max_atempts", "wallets.b.profile", "identity.key", "wallets.a.uri"}
    as_json = (await run("check", "--config", place.config, "--json", B=uri("1"))).json
    assert as_json["ok"] is False
    assert {error["key"] for error in as_json["errors"]} == keys
    assert all(set(error) == {"file", "key", "reason"} for error in as_json["errors"])


async def test_a_mistake_in_the_file_does_not_blame_what_the_environment_gives(place: Place) -> None:
    place.write("wss://relay.example.com", more="[payouts]\nmax_atempts = 5\n")
    (place.directory / "operator.nsec").unlink()
    told = await run("check", "--config", place.config, SATMACHINE__IDENTITY__KEY="env:KEY", KEY="1" * 64)
    assert [line.split(": ")[1] for line in told.out.splitlines()] == ["payouts.max_atempts"]


def test_wallets_that_are_one(place: Place, call: Called) -> None:
    place.write("wss://relay.example.com", more='[wallets.a]\nuri = "file:a"\n[wallets.b]\nuri = "file:b"\n')
    for name in "ab":
        write_secret(place.directory / name, uri("1"))
    told = call("check", "--config", place.config)
    assert told.code == 2
    assert "wallets.b.uri: is the wallet connection of wallets.a" in told.out
    assert "1" * 64 not in told.out + told.err
    write_secret(place.directory / "b", uri("2"))
    assert call("check", "--config", place.config).code == 0


def test_a_file_that_is_no_toml(place: Place, call: Called) -> None:
    place.config.write_text("[identity\n")
    told = call("check", "--config", place.config)
    assert told.code == 2
    assert told.out.startswith(f"{place.config}: is no TOML")


async def test_the_database_is_looked_at_beside_a_running_bot(place: Place) -> None:
    path = place.directory / "satmachine.db"
    assert (await run("check", "--config", place.config)).code == 0
    assert not path.exists()
    database = await Database.open(path)
    try:
        assert (await run("check", "--config", place.config)).code == 0
    finally:
        await database.close()


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (id INTEGER)")
        raw.commit()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 999")


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)


def damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("CREATE TABLE t (x); CREATE INDEX i ON t (x); PRAGMA user_version = 1;")
        raw.executemany("INSERT INTO t VALUES (?)", [("x" * 50,)] * 2_000)
        raw.commit()
    raw_bytes = bytearray(path.read_bytes())
    for place in range(3 * 4_096, len(raw_bytes), 4_096):
        raw_bytes[place : place + 64] = b"\xff" * 64
    path.write_bytes(bytes(raw_bytes))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (other_program, "a database of another program"),
        (newer, "a newer version (schema 999"),
        (no_database, "can't be read as a database"),
        (damaged, "is damaged"),
    ],
)
def test_a_database_that_can_not_be_used(place: Place, call: Called, make: Callable[[Path], None], said: str) -> None:
    path = place.directory / "satmachine.db"
    make(path)
    before = path.read_bytes()
    told = call("check", "--config", place.config)
    assert told.code == 2
    assert "storage.path" in told.out
    assert said in told.out
    assert path.read_bytes() == before
    assert call("verify", "--config", place.config).code == 1


def test_a_directory_for_the_database_that_is_not_there(place: Place, call: Called) -> None:
    place.write("wss://relay.example.com", more='[storage]\npath = "books/satmachine.db"\n')
    told = call("check", "--config", place.config)
    assert told.code == 2
    assert "storage.path: there is no directory" in told.out


def test_a_service_that_no_library_knows_is_named_by_its_place(place: Place, call: Called) -> None:
    """Its address has a password in it."""
    urls = '["ntfys://topic", "nonsense://boss:hunter2@x", "tgram://hunter2"]'
    place.write("wss://relay.example.com", more=f"[alerts]\nurls = {urls}\n")
    told = call("check", "--config", place.config)
    assert told.code == 2
    assert [line.split(": ")[1] for line in told.out.splitlines()] == ["alerts.urls[1]", "alerts.urls[2]"]
    assert "hunter2" not in told.out + told.err
