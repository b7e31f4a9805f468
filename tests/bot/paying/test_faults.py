"""The scenarios of this folder, run against a bot that makes the mistakes of others: each mistake must be noticed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.bot.paying import test_release as release
from tests.bot.paying import test_wallets as wallets
from tests.bot.paying.running import Start
from tests.crash.faults import planted

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scenario = Callable[[Start], Awaitable[None]]

CAUGHT_BY: dict[str, Scenario] = {
    "new_invoice_on_error": wallets.failed_that_settles_later,
    "new_invoice_on_timeout": wallets.an_answer_after_its_time,
    "new_invoice_on_not_found": wallets.error_first_success_late,
    "one_negative": release.one_stale_negative,
    "no_list": release.look_ups_without_the_list,
    "no_control": release.a_restored_wallet,
    "no_quarantine": release.flips_in_quarantine,
    "claim_is_nothing": wallets.success_without_proof,
    "preimage_unchecked": wallets.wrong_preimages,
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
async def test_is_noticed(start: Start, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bot.paying.running.PATIENCE_SECONDS", 3.0)  # it is not going to end well
    with planted(fault), pytest.raises(AssertionError) as noticed:
        await CAUGHT_BY[fault](start)
    print(f"{fault}: {str(noticed.value).splitlines()[0]}")
