"""SIGKILL at random moments under load: no leg is paid twice, none is lost. 100 kills here, 10,000 in `make soak`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.campaign import WALLETS, Campaign, Plan

KILLS = 100
SEED = 20_261_121
SALE_EVERY_SECONDS = 1.5
"""More than bots with such short lives get done; what they leave is paid in the end, and takes long if it is much."""


@pytest.mark.crash
@pytest.mark.timeout(180)
async def test_kills(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    outcome = await Campaign(Plan(KILLS, SEED, WALLETS, sale_every=SALE_EVERY_SECONDS), tmp_path).run()
    record_property("figures", str(outcome))
    assert outcome.verdict.good, f"seed {SEED}: {outcome}\n{outcome.verdict}"
    assert outcome.kills == KILLS
    # A campaign that kills idle bots proves nothing; how busy they were hangs on the machine.
    assert outcome.killed_with_open_attempts >= 10, str(outcome)
