"""The configuration as commands need it: loaded, or refused with what is wrong and the way to a good one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bot.commands import template
from bot.commands.terminal import USAGE, Quit, log_to_stderr
from bot.config import Config
from bot.config_file import ConfigError, load
from bot.nostr import Keys
from bot.secrets import SecretError, Source, read_key

WAY_OUT: Final = "`satmachine init` makes one, `satmachine demo` needs none"


def require(path: Path) -> None:
    """Raises Quit where there is no configuration, or only the example that is shipped."""
    log_to_stderr()
    if not path.exists():
        raise Quit(USAGE, f"{path}: there is no configuration here: {WAY_OUT}")
    if is_example(path):
        key = template.EXAMPLE.key
        raise Quit(USAGE, f"{path}: identity.key: this is only the example, there is no key {key}: {WAY_OUT}")


def is_example(path: Path) -> bool:
    """Whether the file is the shipped example, byte for byte, and the key that it names is not there."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    key = Source.parse(template.EXAMPLE.key).path(path.parent)
    return text == template.render(template.EXAMPLE).encode() and not (key and key.exists())


def require_config(path: Path) -> Config:
    """The configuration, good as a whole. Raises Quit."""
    require(path)
    try:
        return load(path)
    except ConfigError as error:
        raise Quit(USAGE, str(error)) from None


def require_identity(path: Path, config: Config) -> Keys:
    """The bot's own key. Raises Quit."""
    try:
        return read_key(config.identity.key, config.directory)
    except SecretError as error:
        raise Quit(USAGE, f"{path}: identity.key: {error}") from None


def key_from(option: str, source: str) -> Keys:
    """The key that an option names by its source; files are relative to the current directory. Raises Quit."""
    log_to_stderr()
    try:
        return read_key(Source.parse(source), Path.cwd())
    except SecretError as error:
        raise Quit(USAGE, f"{option}: {error}") from None
