"""Who may do what: a sender's roles come from the configuration and from the table of LPs, never from a message."""

from __future__ import annotations

from collections.abc import Container, Iterable
from enum import StrEnum
from typing import Final

from ledger.errors import Said, said
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
_PEOPLE: Final = {Role.OPERATOR: said("operators"), Role.PLATFORM: said("the platform"), Role.LP: said("LPs")}


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


def people(roles: Iterable[Role]) -> Said:
    """`operators and LPs`: who has one of these roles, at least one."""
    first, *others = [_PEOPLE[role] for role in sorted(roles, key=list(Role).index)]
    for other in others:
        first = said("{some} and {others}", some=first, others=other)
    return first
