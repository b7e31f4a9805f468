"""Relays that strangers name: never a way into the operator's own network."""

from __future__ import annotations

import pytest

from bot.reach import Reach

INSIDE = [
    "ws://127.0.0.1:7777",
    "ws://10.0.0.8",
    "ws://[::1]:80",
    "ws://169.254.169.254",
    "ws://[::ffff:10.0.0.1]",
    "ws://localhost",
]
OUTSIDE = ["wss://1.1.1.1", "wss://[2606:4700::1111]:4443"]


@pytest.mark.parametrize("url", INSIDE)
async def test_addresses_inside_are_left_out(url: str) -> None:
    reach = Reach(frozenset(), private=False)
    assert await reach.allowed([url, *OUTSIDE], 5) == tuple(OUTSIDE)


async def test_what_is_no_relay_is_left_out_and_the_number_is_bounded() -> None:
    reach = Reach(frozenset(), private=False)
    assert await reach.allowed(["https://1.1.1.1", "nonsense", "", *OUTSIDE], 1) == ("wss://1.1.1.1",)


async def test_the_operators_own_relay_may_be_anywhere() -> None:
    reach = Reach(frozenset({"ws://10.0.0.8"}), private=False)
    assert await reach.allowed(INSIDE, 5) == ("ws://10.0.0.8",)


async def test_an_operator_whose_own_relays_are_inside_reaches_all() -> None:
    assert (await Reach.of(["ws://127.0.0.1:7777"], private=False)).private
    assert not (await Reach.of(OUTSIDE, private=False)).private
    assert await Reach(frozenset(), private=True).allowed(INSIDE, 2) == tuple(INSIDE[:2])
