"""Where secrets are found: `file:PATH`, `env:NAME`, `credential:NAME`. The configuration holds sources, never secrets.

No message of this module shows what a source contains.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.nostr import Keys
from nwc.uri import BadWalletUri, WalletUri, parse_wallet_uri

log = structlog.get_logger(__name__)

SCHEMES = ("file", "env", "credential")
MAX_SECRET_BYTES = 8_192
_NAME = re.compile(r"[A-Za-z0-9_.@-]+")
_HOW = "file:PATH, env:NAME or credential:NAME"


class SecretError(ValueError):
    """A secret can't be had. The message says where it was looked for and what to do, and never what was found."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one secret is: `scheme` is one of SCHEMES, `name` a path or a name."""

    scheme: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Raises SecretError, without the text: people paste the secret itself here."""
        word = text.strip()
        if word.startswith("bunker://"):
            raise SecretError(f"remote signers (bunker://) are not supported by this version: use {_HOW}")
        if word.startswith(("nsec1", "ncryptsec1", "nostr+walletconnect:", "nostrwalletconnect:")):
            raise SecretError(f"the secret itself does not belong into the configuration: use {_HOW}")
        scheme, colon, name = word.partition(":")
        if not colon or scheme not in SCHEMES or not name or "\0" in name:
            raise SecretError(f"a source of a secret is written {_HOW}")
        if scheme != "file" and not _NAME.fullmatch(name):
            raise SecretError(f"{scheme}: wants a plain name, without slashes or spaces")
        return cls(scheme, name)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"

    def path(self, base: Path) -> Path | None:
        """The file of a `file:` source, relative to `base`; None for the others."""
        return base / Path(self.name).expanduser() if self.scheme == "file" else None


def read_secret(source: Source, base: Path, environ: Mapping[str, str] | None = None) -> str:
    """What is at a source, without surrounding white space. `base` is the configuration's directory.

    Raises SecretError.
    """
    environ = os.environ if environ is None else environ
    if source.scheme == "env":
        text = environ.get(source.name, "")
        if not text.strip():
            raise SecretError(f"the environment variable {source.name} is not set")
    elif source.scheme == "credential":
        directory = environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise SecretError(f"{source} needs systemd: LoadCredential={source.name}:/path in the unit")
        if source.name in (".", ".."):
            raise SecretError("credential: wants a plain name")
        text = _file(Path(directory) / source.name, private=False)
    else:
        text = _file(base / Path(source.name).expanduser(), private=True)
    if not text.strip():
        raise SecretError(f"there is nothing in {source}")
    return text.strip()


def read_key(source: Source, base: Path, environ: Mapping[str, str] | None = None) -> Keys:
    """The key at a source: nsec or hex. Raises SecretError."""
    text = read_secret(source, base, environ)
    if text.startswith("ncryptsec1"):
        raise SecretError(f"{source}: encrypted keys (ncryptsec) are not supported by this version: store the nsec")
    if text.startswith("bunker://"):
        raise SecretError(f"{source}: remote signers (bunker://) are not supported by this version: store the nsec")
    if text.startswith("npub1"):
        raise SecretError(f"{source} holds a public key (npub); the secret one (nsec) is needed")
    try:
        return Keys.parse(text)
    except ValueError as bad:
        raise SecretError(f"{source}: {bad}") from None


def read_wallet_uri(source: Source, base: Path, environ: Mapping[str, str] | None = None) -> WalletUri:
    """The wallet connection at a source. Raises SecretError."""
    try:
        return parse_wallet_uri(read_secret(source, base, environ))
    except BadWalletUri as bad:
        raise SecretError(f"{source}: {bad}") from None


def _file(path: Path, *, private: bool) -> str:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise SecretError(f"{path} is no file")
            if private and found.st_mode & 0o007:
                log.warning(
                    "secret_file_exposed", reason="everybody on this machine can read it", type=f"chmod 600 {path}"
                )
            raw = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        raise SecretError(f"there is no file {path}") from None
    except OSError as failed:
        raise SecretError(f"{path} can't be read: {failed.strerror}") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise SecretError(f"{path} is too large for a secret")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is no text") from None
