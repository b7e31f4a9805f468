"""The counting of tests/crash finds double payments where there are some, or it would prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.campaign import Campaign, Plan, Wallets

SEED = 20_261_121


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_a_bot_that_takes_an_error_for_not_paid_is_found_out(tmp_path: Path) -> None:
    # Longer under way than the payer takes to look at a leg again, so that the second invoice meets the first one.
    wallets: Wallets = [("liar", {"settle_after_seconds": 15.0})]
    plan = Plan(6, SEED, wallets, finish_within=45.0, fault="new_invoice_on_error", until_double=True)
    outcome = await Campaign(plan, tmp_path).run()
    assert outcome.verdict.doubles, str(outcome)
