"""`satmachine init`: afterwards there are a key file and a configuration that `check` accepts, and nothing was lost.

What a flag says is not asked. What is there already is not overwritten; only the shipped example gives way.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Final, TypeVar

from bot.commands import template
from bot.commands.files import create_private, replace_private, write_draft
from bot.commands.template import KEY_FILE, Choices
from bot.commands.terminal import DONE, FAILED, USAGE, Quit, answer, ask, log_to_stderr, remark, show_qr
from bot.config_file import ConfigError, load
from bot.nostr import Keys
from bot.query import relay_url
from bot.secrets import MAX_SECRET_BYTES, SecretError, Source, read_key, read_wallet_uri
from nwc.keys import npub_of, parse_public_key

CONFIG_FILE: Final = "config.toml"
DEFAULT_NAME: Final = "satmachine"
DEFAULT_RELAYS: Final = ("wss://relay.damus.io", "wss://nos.lol")
NETWORKS: Final = ("mainnet", "testnet", "signet", "regtest")
_WALLET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flags:
    """The command line. None and empty: not given."""

    directory: Path
    key_file: str | None
    """A path, or - for standard input."""
    generate: bool
    name: str | None
    relays: tuple[str, ...]
    operators: tuple[str, ...]
    wallets: tuple[str, ...]
    """NAME=SOURCE."""
    network: str | None
    yes: bool


@dataclass(frozen=True, slots=True)
class _Key:
    keys: Keys
    is_new_file: bool
    """False where it lies in its place already."""


def init(flags: Flags) -> int:
    log_to_stderr()
    config_path, key_path = flags.directory / CONFIG_FILE, flags.directory / KEY_FILE
    replaces_example = _refuse_to_overwrite(config_path)
    key = _key(flags, key_path)
    choices = Choices(
        name=_one("--name", flags.name, "Name that people see", DEFAULT_NAME, _name, flags),
        relays=_many("--relay", flags.relays, "Relays", DEFAULT_RELAYS, relay_url, flags),
        operators=_many(
            "--operator", flags.operators, "Operators' npubs (Enter: only the bot's own key)", (), _npub, flags
        ),
        wallets=_wallets(flags),
        network=_one("--network", flags.network, f"Network ({', '.join(NETWORKS)})", "mainnet", _network, flags),
    )
    try:
        _write(choices, key, config_path, key_path, replaces_example=replaces_example)
    except FileExistsError as error:
        raise Quit(USAGE, f"{error.filename2 or error.filename} is there already: nothing was changed") from None
    except OSError as error:
        raise Quit(FAILED, f"{flags.directory} can't be written: {error.strerror}") from None
    answer(key.keys.npub)
    show_qr(f"nostr:{key.keys.npub}")
    remark(_next_steps(choices, config_path, key_path))
    return DONE


def _refuse_to_overwrite(path: Path) -> bool:
    """True where the shipped example is there, which may go. Raises Quit for anything else."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Quit(USAGE, f"{path} can't be read: {error.strerror}") from None
    if found != template.render(template.EXAMPLE).encode():
        raise Quit(USAGE, f"{path} is there already and stays as it is: name another directory with --dir")
    return True


def _write(choices: Choices, key: _Key, config_path: Path, key_path: Path, *, replaces_example: bool) -> None:
    text = template.render(choices)
    config_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = write_draft(config_path, text)
    try:
        load(draft, {})
    except ConfigError as error:
        raise Quit(USAGE, "\n".join(f"{place}: {reason}" for place, reason in error.errors)) from None
    finally:
        draft.unlink()
    if key.is_new_file:
        create_private(key_path, f"{key.keys.nsec()}\n")
    try:
        (replace_private if replaces_example else create_private)(config_path, text)
    except BaseException:
        if key.is_new_file:
            key_path.unlink()
        raise


# --- the key ----------------------------------------------------------------------------------------------------------


def _key(flags: Flags, key_path: Path) -> _Key:
    if flags.key_file is not None and flags.generate:
        raise Quit(USAGE, "--key-file takes a key, --generate makes one: give one of them")
    there = key_path.exists()
    if flags.generate:
        if there:
            raise Quit(USAGE, f"--generate: there is a key in {key_path} already: leave --generate out to use it")
        return _Key(Keys.generate(), is_new_file=True)
    given = flags.key_file
    if given is None and not there and not flags.yes:
        given = _ask("Key file to take over (Enter: a new key is made)", "", str) or None
    if given is None:
        return _Key(_read_key_file(key_path), False) if there else _Key(Keys.generate(), is_new_file=True)
    if given == "-":
        keys = _key_from_input()
    else:
        keys = _read_key_file(Path(given).expanduser())
    if there and keys.public_key != _read_key_file(key_path).public_key:
        raise Quit(USAGE, f"--key-file: there is another key in {key_path} already, which stays: name another --dir")
    return _Key(keys, is_new_file=not there)


def _read_key_file(path: Path) -> Keys:
    try:
        return read_key(Source("file", str(path.absolute())), Path())
    except SecretError as error:
        raise Quit(USAGE, str(error)) from None


def _key_from_input() -> Keys:
    if sys.stdin.isatty():
        text = getpass("Secret key (nsec or hex, not shown): ", sys.stderr)
    else:
        text = sys.stdin.readline(MAX_SECRET_BYTES)
    try:
        return Keys.parse(text)
    except ValueError as error:
        raise Quit(USAGE, f"--key-file -: {error}") from None


# --- questions --------------------------------------------------------------------------------------------------------


def _ask(question: str, default: str, check: Callable[[str], T]) -> T:
    """Asks until the answer is good."""
    while True:
        try:
            return check(ask(question, default))
        except ValueError as error:
            remark(str(error))


def _one(option: str, given: str | None, question: str, default: str, check: Callable[[str], str], flags: Flags) -> str:
    if given is None:
        return default if flags.yes else _ask(question, default, check)
    try:
        return check(given)
    except ValueError as error:
        raise Quit(USAGE, f"{option}: {error}") from None


def _many(
    option: str,
    given: Sequence[str],
    question: str,
    default: tuple[str, ...],
    check: Callable[[str], str],
    flags: Flags,
) -> tuple[str, ...]:
    def check_all(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check(word) for word in text.replace(",", " ").split()))

    if not given:
        return default if flags.yes else _ask(question, " ".join(default), check_all)
    try:
        return tuple(dict.fromkeys(map(check, given)))
    except ValueError as error:
        raise Quit(USAGE, f"{option}: {error}") from None


def _wallets(flags: Flags) -> tuple[tuple[str, str], ...]:
    if not flags.wallets:
        source = (
            "" if flags.yes else _ask("Wallet: source of its NWC connection, file:main.nwc (Enter: later)", "", _source)
        )
        return (("main", source),) if source else ()
    found: dict[str, str] = {}
    for each in flags.wallets:
        name, equals, source = each.partition("=")
        if not equals or not _WALLET_NAME.fullmatch(name):
            # Not quoted: people paste the connection itself.
            raise Quit(USAGE, "--wallet: wants NAME=SOURCE, such as main=file:main.nwc, the name in small letters")
        if name in found:
            raise Quit(USAGE, f"--wallet: {name} is there twice")
        try:
            found[name] = _source(source)
        except ValueError as error:
            raise Quit(USAGE, f"--wallet {name}: {error}") from None
    return tuple(found.items())


def _name(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ValueError("a name has 1 to 100 printable characters")
    return name


def _npub(text: str) -> str:
    return npub_of(parse_public_key(text))


def _network(text: str) -> str:
    if text not in NETWORKS:
        raise ValueError(f"the network is one of {', '.join(NETWORKS)}")
    return text


def _source(text: str) -> str:
    return str(Source.parse(text)) if text.strip() else ""


# --- what comes next --------------------------------------------------------------------------------------------------


def _next_steps(choices: Choices, config_path: Path, key_path: Path) -> str:
    first = f"Keep a copy of {key_path} where nobody else finds it: it is the bot's name and its right to command."
    if not choices.wallets:
        wallet = config_path.parent / "main.nwc"
        first = f"Put your wallet's NWC connection into {wallet} (chmod 600), and set [wallets.main] in {config_path}."
    for name, source in choices.wallets:
        try:
            read_wallet_uri(Source.parse(source), config_path.parent)
        except SecretError as error:
            first = f"Let wallet {name} be found: {error}."
            break
    return "\n".join(
        [
            f"Wrote {config_path} and {key_path}. What is next:",
            f"1. {first}",
            f"2. satmachine check --config {config_path}",
            f"3. satmachine run --config {config_path}, then say help to the npub above in any Nostr client.",
        ]
    )
