"""Which of the wallets that are known this one is, by what it says of itself and how it says that it knows no payment.

A profile says how long a payment that failed may still turn out paid. So a wallet is taken for one of them only where
everything fits; whatever is in doubt is unknown, which is the longest time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.decide.attempt import WalletProfile
from nwc.messages import NodeInfo
from nwc.requests import NIP44, WalletInfo
from nwc.trouble import WalletError

_NODE_KEY: Final = re.compile(r"0[23][0-9a-f]{64}")
_LDK_ALIAS: Final = "NWC"
_LDK_COLOR: Final = "#897fff"
_HUB_METHOD: Final = "get_budget"
"""A method of Alby Hub that NIP-47 does not have."""


class Looks(StrEnum):
    """What a wallet looks like."""

    LNBITS = "lnbits"
    LIKE_LNBITS = "like_lnbits"
    """It words some answers as LNbits does, and not everything fits."""
    HUB_LDK = "hub_ldk"
    """Alby Hub with the node that it brings along."""
    HUB = "hub"
    """Alby Hub with a node that does not tell what it is: LND has the name and colour that its owner chose, and so have
    others."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Signs:
    """What a wallet was asked without paying anything. None: not offered, or not answered."""

    info: WalletInfo
    node: NodeInfo | None
    not_found: WalletError | None
    """What it said to a look-up of a payment that nobody ever made."""


@dataclass(frozen=True, slots=True)
class Found:
    looks: Looks
    profile: WalletProfile
    repays: bool
    """Whether it may be asked to pay an invoice again that failed there."""


_FOUND: Final = {
    Looks.LNBITS: Found(Looks.LNBITS, WalletProfile.LNBITS, repays=False),
    Looks.LIKE_LNBITS: Found(Looks.LIKE_LNBITS, WalletProfile.UNKNOWN, repays=False),
    Looks.HUB_LDK: Found(Looks.HUB_LDK, WalletProfile.ALBY_LDK, repays=True),
    Looks.HUB: Found(Looks.HUB, WalletProfile.UNKNOWN, repays=True),
    Looks.OTHER: Found(Looks.OTHER, WalletProfile.UNKNOWN, repays=True),
}


def profile_of(signs: Signs) -> Found:
    return _FOUND[_looks(signs)]


def _looks(signs: Signs) -> Looks:
    node, not_found = signs.node, signs.not_found
    if not_found is not None and (not_found.code, not_found.message) == ("INTERNAL", "Payment not found"):
        return Looks.LNBITS if _is_lnbits(signs.info, node) else Looks.LIKE_LNBITS
    if node is None or not_found is None or not_found.code != "NOT_FOUND":
        return Looks.OTHER
    if NIP44 not in signs.info.encryptions or _HUB_METHOD not in {*node.methods, *signs.info.methods}:
        return Looks.OTHER
    ldk = (node.alias, node.color) == (_LDK_ALIAS, _LDK_COLOR) and _NODE_KEY.fullmatch(node.pubkey or "")
    return Looks.HUB_LDK if ldk else Looks.HUB


def _is_lnbits(info: WalletInfo, node: NodeInfo | None) -> bool:
    """Its NWC provider speaks NIP-04 without naming it, and tells neither a node's key nor where the chain is."""
    if node is None or info.names_encryption:
        return False
    return (node.pubkey, node.color, node.block_height) == (None, None, 0)
