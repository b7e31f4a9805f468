"""SIGKILL at random moments under load: no leg is paid twice, none is lost. 100 kills here, 10,000 in `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.campaign import WALLETS, Campaign, Plan

KILLS = 100
SEED = 20_261_121


@pytest.mark.crash
@pytest.mark.timeout(180)
async def test_kills(tmp_path: Path) -> None:
    outcome = await Campaign(Plan(KILLS, SEED, WALLETS), tmp_path).run()
    print(f"seed {SEED}: {outcome}")
    assert outcome.verdict.good, f"seed {SEED}: {outcome}\n{outcome.verdict}"
    assert outcome.kills == KILLS
    # A campaign that kills idle bots proves nothing; how busy they were hangs on the machine.
    assert outcome.killed_with_open_attempts >= 3, str(outcome)
    assert outcome.paid_while_killing >= 1, str(outcome)


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_counting_sees_double_payments(tmp_path: Path) -> None:
    """The same with a bot that takes an error for "not paid": the count must find what that costs."""
    plan = Plan(6, SEED, [("liar", {"settle_after_seconds": 0.3})], finish_within=25.0, fault="new_invoice_on_error")
    outcome = await Campaign(plan, tmp_path).run()
    assert outcome.verdict.doubles, str(outcome)
