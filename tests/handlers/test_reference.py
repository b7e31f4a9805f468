"""docs/commands.md lists every command as it is declared."""

from __future__ import annotations

import pytest

from handlers.commands import registry
from tests.handlers.reference import COMMANDS, with_table


def test_the_reference_is_not_stale() -> None:
    page = COMMANDS.read_text(encoding="utf-8")
    assert page == with_table(page), "a command has changed: make docs"


def test_every_command_is_in_it() -> None:
    page = COMMANDS.read_text(encoding="utf-8")
    names = [each.name for each in registry.every_command()]
    assert len(names) > 20
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_a_stale_table_is_noticed() -> None:
    page = COMMANDS.read_text(encoding="utf-8")
    assert with_table(page.replace("| `help` |", "| `hilfe` |")) == page


def test_a_page_without_a_place_for_it_is_noticed() -> None:
    with pytest.raises(ValueError, match="lost the two comments"):
        with_table("# Orders\n")
