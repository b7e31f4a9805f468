"""`satmachine check`: configuration, secrets and database as they lie there, all that is wrong at once, no network."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot import alerts
from bot.commands.configuration import WAY_OUT, require
from bot.commands.terminal import DONE, USAGE, answer, answer_json
from bot.config import Config
from bot.config_file import ENV_PREFIX, ConfigError, load
from bot.secrets import SecretError, Source, read_key, read_wallet_uri
from storage.errors import StorageError
from storage.verify import inspect_file

Finding = tuple[str, str]
"""Dotted key (empty: the file as a whole) and reason."""


def check(config_path: Path, *, as_json: bool) -> int:
    """Exit 0 when `run` can start with this, 2 with everything that stands in its way."""
    require(config_path)
    findings = list(_findings(config_path))
    if as_json:
        errors = [{"file": str(config_path), "key": key or None, "reason": reason} for key, reason in findings]
        answer_json({"ok": not findings, "errors": errors})
    elif findings:
        answer("\n".join(": ".join(part for part in (str(config_path), *each) if part) for each in findings))
    else:
        answer(f"{config_path}: good")
    return USAGE if findings else DONE


def _findings(path: Path) -> Iterator[Finding]:
    try:
        config = load(path)
    except ConfigError as error:
        yield from error.errors
        yield from _secrets(path.resolve().parent, *_sources_as_written(path, {key for key, _ in error.errors}))
        return
    wallets = {name: wallet.uri for name, wallet in config.wallets.items()}
    yield from _secrets(config.directory, config.identity.key, wallets)
    yield from _database(config)
    yield from _services(config)


def _services(config: Config) -> Iterator[Finding]:
    """Named by their places: such an address has a password in it."""
    if config.alerts.urls:
        for place in alerts.unreadable(config.alerts.urls):
            yield f"alerts.urls[{place}]", f"{alerts.UNREADABLE} (the first is 0)"


def _secrets(directory: Path, key: Source | None, wallets: Mapping[str, Source]) -> Iterator[Finding]:
    try:
        if key is not None:
            read_key(key, directory)
    except SecretError as error:
        yield "identity.key", f"{error} ({WAY_OUT})"
    names: dict[str, str] = {}
    for name, source in wallets.items():
        try:
            secret = read_wallet_uri(source, directory).secret
        except SecretError as error:
            yield f"wallets.{name}.uri", str(error)
            continue
        if (other := names.setdefault(secret, name)) != name:
            yield f"wallets.{name}.uri", f"is the wallet connection of wallets.{other}, too: each needs its own"


def _database(config: Config) -> Iterator[Finding]:
    path = config.database_path
    if not path.exists():
        if not path.parent.is_dir():
            yield "storage.path", f"there is no directory {path.parent}: make it, or name another"
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            yield "storage.path", f"the directory {path.parent} can't be written"
        return
    if not os.access(path, os.R_OK | os.W_OK):
        yield "storage.path", f"{path} can't be read and written by this user"
        return
    try:
        inspect_file(path)
    except StorageError as error:
        yield "storage.path", str(error)


def _sources_as_written(path: Path, wrong: set[str]) -> tuple[Source | None, dict[str, Source]]:
    """Where the file says that secrets are, as far as that can be told from one that has mistakes."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None, {}
    tables: Any = values.get("wallets")
    named = {f"wallets.{name}": table for name, table in tables.items()} if isinstance(tables, dict) else {}
    keys = {"identity.key": _at(values.get("identity"), "key")}
    keys |= {f"{place}.uri": _at(table, "uri") for place, table in named.items()}
    good = {place: source for place, source in keys.items() if source and place not in wrong and not _overridden(place)}
    return good.pop("identity.key", None), {place.split(".")[1]: source for place, source in good.items()}


def _at(table: object, key: str) -> Source | None:
    text = table.get(key) if isinstance(table, dict) else None
    try:
        return Source.parse(text) if isinstance(text, str) else None
    except SecretError:
        return None


def _overridden(place: str) -> bool:
    variable = ENV_PREFIX + place.upper().replace(".", "__")
    return any(name.upper() == variable for name in os.environ)
