"""The text of a configuration: one commented file with every setting, from which the shipped example is made, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

KEY_FILE: Final = "operator.nsec"
NO_WALLET: Final = (
    "# No wallet yet: put its URI into main.nwc (chmod 600), and take the # off [wallets.main] and its keys."
)
_FILE: Final = Path(__file__).with_name("config.toml.template")
_WALLET: Final = """\
[wallets.{name}]
# Source of a nostr+walletconnect:// URI. It needs lookup_invoice and list_transactions beside pay_invoice.
uri = {uri}
# What it is behind the connection, which says how long a payment may stay in doubt: lnbits, alby-lnd, alby-ldk,
# unknown (the most careful), or auto (as known from before, else unknown).
profile = "auto"
# How long after an invoice expired the wallet is still not believed when it says "not paid". -1: what the profile says.
quarantine_seconds = -1"""


@dataclass(frozen=True, slots=True)
class Choices:
    """What differs from one operator to another. Checked before, and again by reading what was written."""

    name: str
    relays: tuple[str, ...]
    operators: tuple[str, ...]
    """npub."""
    wallets: tuple[tuple[str, str], ...]
    """Name and source of its connection."""
    network: str = "mainnet"
    key: str = f"file:{KEY_FILE}"


EXAMPLE: Final = Choices(
    name="Sintra ATMs",
    relays=("wss://relay.example.com",),
    operators=("npub1…",),
    wallets=(("main", "file:main.nwc"),),
)
"""What the repository's config.toml says."""


def render(choices: Choices) -> str:
    """The text of config.toml."""
    return Template(_FILE.read_text(encoding="utf-8")).substitute(
        key=_text(choices.key),
        name=_text(choices.name),
        relays=_list(choices.relays),
        operators=_list(choices.operators),
        wallets=_wallets(choices.wallets),
        network=_text(choices.network),
    )


def _wallets(wallets: Sequence[tuple[str, str]]) -> str:
    if not wallets:
        lines = _WALLET.format(name="main", uri=_text("file:main.nwc")).splitlines()
        return "\n".join([NO_WALLET, *(line if line.startswith("#") else f"# {line}" for line in lines)])
    return "\n\n".join(_WALLET.format(name=name, uri=_text(source)) for name, source in wallets)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are among those of TOML."""
    return json.dumps(value, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
