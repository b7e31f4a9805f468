"""A bot that dies at each named moment, and once more while it recovers, pays every leg exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from bot.relays import Relays
from nwc.client import WalletClient
from storage.db import Database
from tests.crash.lives import chains, live
from tests.crash.scenarios import SCENARIOS, unreached
from tests.crash.sites import EFFECTS, MEANINGS, NAMES, POINTS, SITES, found

AT_ONCE = 12
WALLETS = ("honest", "sloppy", "lnbits", "alby", "liar")


def test_every_effect_has_a_name() -> None:
    """A commit, publish, HTTP call or wallet request that is added gets a name in tests/crash/sites.py, and a scenario
    that reaches it."""
    declared = Counter({where: len(names) for where, names in SITES.items()})
    assert Counter(site.where for site in found()) == declared


def test_no_effect_goes_by_another_way() -> None:
    """What these can do besides is reading, or waiting."""
    others = {
        Database: {"open", "read", "read_apart", "close"},
        WalletClient: {"ready", "refresh_info", "request"},
        Relays: {"start", "close", "wait_closed", "fetch_one", "read_page", "list_ids"},
    }
    for owner, harmless in others.items():
        acts = {name for name in dir(owner) if not name.startswith("_") and iscoroutinefunction(getattr(owner, name))}
        assert acts - EFFECTS == harmless


def test_every_name_is_reached_by_one_scenario() -> None:
    reached = Counter(name for scenario in SCENARIOS for name in scenario.reaches)
    assert unreached() == set()
    assert reached == Counter(NAMES)
    assert len(set(POINTS)) == len(POINTS) == 2 * len(NAMES)
    assert set(MEANINGS) <= {name for names in SITES.values() for name in names}


@pytest.mark.crash
@pytest.mark.timeout(240)
async def test_every_point(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each under one personality; under every one in `make soak`."""
    count = await live(list(chains(WALLETS, by_turns=True)), tmp_path, at_once=AT_ONCE)
    record_property("figures", str(count))
    assert count.verdict.good, f"{count}\n{count.verdict}"
    assert count.points == set(POINTS)
    assert count.deaths == 2 * len(POINTS)
