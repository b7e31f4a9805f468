"""A desk over a fresh database, with two wallets; and a till at it, whose books must be in order when a test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import orders, replies
from handlers.commands import registry
from storage.db import Database
from tests.handlers.desk import ANA, BEN, BOSS, SUPER, Desk
from tests.handlers.speaking import Interpreter
from tests.handlers.till import Till

_INTERPRETER = Interpreter()


@pytest.fixture(autouse=True)
def said_in_every_language(monkeypatch: pytest.MonkeyPatch) -> Iterator[Interpreter]:
    """Every answer and every notice of every test here is held against the catalogues."""
    result, render = orders._result, replies.render

    def heard_result(ctx: Any, envelope: Any, command: registry.Command, found: dict[str, Any]) -> str:
        _INTERPRETER.hear(getattr(found, "wording", command.name), found)
        return result(ctx, envelope, command, found)

    def heard_notice(wording: str, facts: dict[str, Any], language: str) -> str:
        if wording.startswith("notice"):
            _INTERPRETER.hear(wording, facts)
        return render(wording, facts, language)

    monkeypatch.setattr(orders, "_result", heard_result)
    monkeypatch.setattr(replies, "render", heard_notice)
    yield _INTERPRETER
    wrong = _INTERPRETER.wrong.copy()
    _INTERPRETER.wrong.clear()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = await Database.open(tmp_path / "books.db")
    made = Desk(database)
    await made.open_wallets()
    yield made
    await database.close()


async def open_shop(desk: Desk) -> None:
    """The machine sintra, which owes the platform 3 % and one partner 5 %, with LPs of 1,500 and 500 GTQ."""
    await desk.with_machine()
    await desk.ask(SUPER, "platform.set", cash_in_fee="3%", cash_out_fee="3%", target="fees@example.com")
    await desk.ask(BOSS, "splits.set", legs="100% me@example.com", confirm=True)
    await desk.with_lp(ANA, "ana", deposited="1500")
    await desk.with_lp(BEN, "ben", deposited="500")


@pytest.fixture
async def till(desk: Desk) -> AsyncIterator[Till]:
    """As `open_shop` makes it."""
    await open_shop(desk)
    made = Till(desk)
    yield made
    assert await made.violations() == []


@pytest.fixture
async def owed(till: Till) -> Till:
    """One cash-out is distributed. P1: 3,000 sats to the platform, P2: 5,000 to the partner, P3: 75,000 to ana, P4:
    25,000 to ben."""
    await till.desk.cash_out(platform_fee_sats=3_000)
    await till.desk.distribute()
    return till
