"""Who may do what: a sender's roles come from the configuration and from the table of LPs, never from a message."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum
from typing import Final

from storage import lps
from storage.db import Tx


class Role(StrEnum):
    OPERATOR = "operator"
    PLATFORM = "platform"
    LP = "lp"


ANYBODY: Final[frozenset[Role]] = frozenset()
"""The roles of a command that needs none."""
OPERATOR: Final = frozenset({Role.OPERATOR})
PLATFORM: Final = frozenset({Role.PLATFORM})
LP: Final = frozenset({Role.LP})


def roles_of(tx: Tx, sender: str, *, operators: Container[str], platforms: Container[str]) -> frozenset[Role]:
    """The roles of a public key; none for a stranger."""
    roles = set()
    if sender in operators:
        roles.add(Role.OPERATOR)
    if sender in platforms:
        roles.add(Role.PLATFORM)
    if lps.by_pubkey(tx, sender) is not None:
        roles.add(Role.LP)
    return frozenset(roles)
