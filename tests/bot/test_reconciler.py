"""How a long list is asked for in stretches of time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot.reconciler import ROWS_A_STRETCH, _stretches


@pytest.mark.parametrize("expected", [0, 1, ROWS_A_STRETCH, ROWS_A_STRETCH + 1, 50 * ROWS_A_STRETCH])
@pytest.mark.parametrize("seconds", [0, 1, 10, 86_400 * 365])
def test_stretches_leave_no_gap(expected: int, seconds: int) -> None:
    """Each begins within the one before, the last has no end; there are about as many as the payments ask for."""
    since, until = 1_000_000, 1_000_000 + seconds
    found = list(_stretches(since, until, expected))
    assert found[0][0] == since
    assert found[-1][1] is None
    for (begin, end), (following, _) in pairwise(found):
        assert end is not None
        assert begin < following < end < until
    wanted = max(1, -(-expected // ROWS_A_STRETCH))
    assert len(found) <= wanted + 1
    if seconds > 86_400:
        assert len(found) >= wanted
