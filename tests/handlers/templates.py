"""Finds every English template in the sources: what a person may read, as it stands where it is said."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("ledger", "nwc", "storage", "handlers", "bot")
PLACES: Final = {
    "w": 0,
    "words": 0,
    "said": 0,
    "phrase": 0,
    "Refusal": 1,
    "BadText": 0,
    "BadBech32": 0,
    "BadInvoice": 0,
    "BadLnurl": 0,
    "BadPublicKey": 0,
    "BadTarget": 0,
    "BadWalletUri": 0,
    "FetchFailed": 0,
    "InvoiceRefused": 1,
    "PayeeRefused": 1,
    "TargetFailed": 0,
}
"""Which argument of a call is the template."""
STORED: Final = ("BadBech32", "BadInvoice", "FetchFailed", "InvoiceRefused", "PayeeRefused", "TargetFailed")
"""Errors whose sentence becomes the reason of a payment in the books."""


@dataclass(frozen=True, slots=True)
class Template:
    text: str | None
    """None: something else than a literal stands in its place."""
    maker: str
    """The function or class that it is given to."""
    where: str
    given: frozenset[str] | None
    """The values that are given with it; None where that can't be seen in the source."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "demo" not in path.parts and "spanish" not in path.parts:
                yield path, ast.parse(path.read_text())


def templates() -> Iterator[Template]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from _of_call(node, path.relative_to(ROOT))


def _of_call(node: ast.Call, path: Path) -> Iterator[Template]:
    maker = node.func.id if isinstance(node.func, ast.Name) else ""
    place = PLACES.get(maker)
    if place is None or len(node.args) <= place:
        return
    where = f"{path}:{node.lineno}"
    names = {keyword.arg for keyword in node.keywords}
    if maker == "Refusal":
        names.add("field")
    given = None if None in names else frozenset(name for name in names if name)
    for text in _literals(node.args[place], maker):
        yield Template(text, maker, where, given)


def _literals(node: ast.expr, maker: str) -> Iterator[str | None]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body, maker)
        yield from _literals(node.orelse, maker)
    elif isinstance(node, ast.Name) and node.id.isupper():
        return  # a constant: it is marked with phrase() where it is written
    elif not (maker.startswith(("Bad", "TargetFailed")) and isinstance(node, ast.Attribute) and node.attr == "said"):
        yield None
