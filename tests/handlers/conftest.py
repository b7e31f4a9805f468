"""A desk over a fresh database, with two wallets; and a till at it, whose books must be in order when a test ends."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers import orders, replies
from handlers.commands import registry
from storage.db import Database
from tests.fresh import open_fresh
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


async def open_shop(desk: Desk) -> None:
    """The machine sintra, which owes the platform 3 % and one partner 5 %, with LPs of 1,500 and 500 GTQ."""
    await desk.with_machine()
    await desk.ask(SUPER, "platform.set", cash_in_fee="3%", cash_out_fee="3%", target="fees@example.com")
    await desk.ask(BOSS, "splits.set", legs="100% me@example.com", confirm=True)
    await desk.with_lp(ANA, "ana", deposited="1500")
    await desk.with_lp(BEN, "ben", deposited="500")


async def trade(desk: Desk) -> None:
    await desk.cash_out(platform_fee_sats=3_000)
    await desk.distribute()


_STEPS = {"desk": Desk.open_wallets, "till": open_shop, "owed": trade}
"""What leads from a fresh database to what these fixtures begin with, each from the one before."""

_laid: dict[str, tuple[bytes, int]] = {}
"""The database after each step, the same in every test and so made once, and the messages that it took."""


async def _lay(until: str, path: Path) -> None:
    desk = Desk(await open_fresh(path))
    for name, step in _STEPS.items():
        await step(desk)
        if name == until:
            break
    _laid[until] = await desk.db.read(lambda tx: tx.sql.serialize()), next(desk._numbers)
    await desk.db.close()


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """With what `till` and `owed` need, where the test has one of them."""
    wanted = next(name for name in reversed(_STEPS) if name in ("desk", *request.fixturenames))
    if wanted not in _laid:
        await _lay(wanted, tmp_path / f"{wanted}.db")
    content, said = _laid[wanted]
    path = tmp_path / "books.db"
    path.write_bytes(content)
    made = Desk(await Database.open(path), _numbers=itertools.count(said))
    yield made
    await made.db.close()


@pytest.fixture
async def till(desk: Desk) -> AsyncIterator[Till]:
    """As `open_shop` makes it."""
    made = Till(desk)
    yield made
    assert await made.violations() == []


@pytest.fixture
async def owed(till: Till) -> Till:
    """One cash-out is distributed. P1: 3,000 sats to the platform, P2: 5,000 to the partner, P3: 75,000 to ana, P4:
    25,000 to ben."""
    return till
